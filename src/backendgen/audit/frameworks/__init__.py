"""One module per framework: Project and Symbols in, endpoints out. They describe, they never judge."""
