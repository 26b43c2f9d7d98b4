"""`backendgen explain`, `rules` and `schema`: what the tool knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backendgen.cli.options import rule_ids
from backendgen.cli.output import is_colourful, rulebook_for
from backendgen.errors import UserError

if TYPE_CHECKING:
    from backendgen.rules import Rule


_FENCE = re.compile(r"^```(\w+)[^\n]*$", re.MULTILINE)  # of a fence's info only the language is for highlighters

EXPLAIN_EXAMPLES = ("explain BG103", "explain sql-built-from-strings")


def explain(
    rule: Annotated[str, typer.Argument(help="A rule's id or name.", show_default=False, autocompletion=rule_ids)],
) -> None:
    """Show a rule: why, how to fix it, examples."""
    card = _card(rulebook_for(Path.cwd()).find(rule))
    if not is_colourful():
        typer.echo(card)
        return
    from rich.console import Console  # 60 ms, for people at a terminal only
    from rich.markdown import Markdown

    head, _, text = card.partition("\n\n")
    console = Console()
    console.print(head, style="bold", markup=False, highlight=False)
    shown = _FENCE.sub(lambda fence: f"```{fence[1]}", text)
    console.print(Markdown(f"\n{shown}", code_theme="ansi_dark"))


RULES_EXAMPLES = ("rules", "rules BG7")


def rules(
    prefix: Annotated[
        str, typer.Argument(help="Only ids that start so.", show_default=False, autocompletion=rule_ids)
    ] = "",
) -> None:
    """List all rules."""
    book = rulebook_for(Path.cwd())
    chosen = [rule_id for rule_id in book.ids if rule_id.startswith(prefix.upper())]
    if not chosen:
        raise UserError(f"no rule's id starts with '{prefix}'; `backendgen rules` lists all of them")
    for rule_id in chosen:
        rule = book[rule_id]
        typer.echo(f"{rule.id}  {rule.severity.word:<8}  {rule.title}")


SCHEMA_EXAMPLES = ("schema > spec.schema.json",)


def schema() -> None:
    """Print the JSON Schema of the spec, for editors."""
    import json

    from backendgen.spec.jsonschema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def _card(rule: Rule) -> str:
    categories = ", ".join([f"CWE-{number}" for number in rule.cwe] + [*rule.owasp, *rule.api])
    head = f"{rule.id} {rule.title}\nseverity {rule.severity.word}, confidence {rule.confidence.word}"
    return f"{head}{f', {categories}' if categories else ''}\n\n{rule.text}"
