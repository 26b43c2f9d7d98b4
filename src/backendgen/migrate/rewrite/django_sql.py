"""RunSQL rewritten: its text cut into statements as an SQL file is, each in a RunSQL of its own with its way back."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from backendgen.code.nodes import unparse
from backendgen.findings.remedy import Remedy
from backendgen.migrate.django_fixes import indented, literal, span
from backendgen.migrate.history import Action
from backendgen.migrate.rewrite.groups import ways_back
from backendgen.migrate.rewrite.pieces import Part, Piece, Unfixable, cut, pieces
from backendgen.sql.lexer import split

_ARGUMENTS = ("sql", "reverse_sql", "state_operations", "hints", "elidable")
_NOOP = "migrations.RunSQL.noop"


def is_run_sql(node: ast.expr) -> bool:
    """Whether an operation is RunSQL."""
    return isinstance(node, ast.Call) and unparse(node.func).rpartition(".")[2] == "RunSQL"


def changed_sql(
    source: str, lead: str, tail: str, actions: Sequence[tuple[int, Action]], remedies: Sequence[Remedy]
) -> Iterator[Piece]:
    """Yield a RunSQL in other words, or what takes its place. Raises Unfixable when its text cannot be taken apart."""
    given = _given(source)
    parts, rest = _parts(given, actions)
    found = [piece for part in parts for piece in pieces(part, _of(part, remedies))]
    if rest.strip():
        raise Unfixable("its SQL ends in a comment")
    if len(found) == 1:
        start, end = span(source, given["sql"])
        text = f"{source[:start]}{literal(found[0].text)}{source[end:]}"
        yield replace(found[0], text=f"{lead}{text}{tail}", floats=False)
        return
    shares = _ways_back(given.get("reverse_sql"), found, source)
    state, column = given.pop("state_operations", None), len(lead) - len(lead.rstrip(" "))
    beside = [f"{word}={source[slice(*span(source, given[word]))]}" for word in ("hints", "elidable") if word in given]
    for number, (piece, back) in enumerate(zip(found, shares, strict=True), 1):
        arguments = [literal(_plain(piece.text)), *([back] if back else []), *beside]
        if state is not None and number == len(found):
            arguments.append(f"state_operations={source[slice(*span(source, state))]}")
        call = "\n".join(indented(f"{source[: source.index('(')]}({', '.join(arguments)})", column)).lstrip()
        before = lead if number == 1 else " " * column
        after = tail if number == len(found) else ",\n"
        yield replace(piece, text=f"{before}{call}{after}", floats=piece.floats and state is None)


def _given(source: str) -> dict[str, ast.expr]:
    """Return the arguments of a RunSQL by their names."""
    made = ast.parse(source, mode="eval").body
    assert isinstance(made, ast.Call)
    given = dict(zip(_ARGUMENTS, made.args, strict=False)) | {one.arg: one.value for one in made.keywords if one.arg}
    if not isinstance(sql := given.get("sql"), ast.Constant) or not isinstance(sql.value, str):
        raise Unfixable("its SQL is no plain text")
    return given


def _parts(given: dict[str, ast.expr], actions: Sequence[tuple[int, Action]]) -> tuple[list[Part], str]:
    """Cut the text into statements, each with what it does."""
    text = ast.literal_eval(given["sql"])
    waiting = list(actions)
    placed: list[tuple[int, Action]] = []
    for statement in split(text):
        while waiting and waiting[0][1].operation.sql == statement.text:
            position, one = waiting.pop(0)
            operation = replace(one.operation, line=statement.line, column=statement.column)
            placed.append((position, replace(one, operation=operation)))
    if waiting:
        raise Unfixable("its SQL is put together when it runs")
    return cut(text, 0, len(text), placed)


def _of(part: Part, remedies: Sequence[Remedy]) -> list[Remedy]:
    places = {position for position, _ in part.actions}
    return [one for one in remedies if one.position in places]


def _plain(text: str) -> str:
    """Return a statement as the text of a RunSQL, which holds nothing else."""
    text = text.strip()
    return text if "--" in text else text.removesuffix(";")


def _ways_back(given: ast.expr | None, found: Sequence[Piece], source: str) -> list[str]:
    """Return the reverse of each new RunSQL: the statements that take back what it does."""
    if given is None:
        return [""] * len(found)
    if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
        if not unparse(given).endswith("noop"):
            raise Unfixable("what takes it back is no plain text")
        return [source[slice(*span(source, given))]] * len(found)
    shares = ways_back((statement.text for statement in split(given.value)), [piece.operations for piece in found])
    return [literal("; ".join(each)) if each else _NOOP for each in shares]
