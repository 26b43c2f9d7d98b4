"""The data-flow engine: abstract values, function summaries, and rules that are data in the cards."""
