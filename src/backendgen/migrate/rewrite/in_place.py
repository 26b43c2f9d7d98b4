"""A SQL migration of MySQL or MariaDB rewritten: statements in other words where they stand.

Each DDL statement commits by itself there, so that nothing has to split.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from backendgen.findings.remedy import Remedy
from backendgen.migrate.history import Action
from backendgen.migrate.rewrite.naming import Folder
from backendgen.migrate.rewrite.pieces import Unfixable
from backendgen.migrate.rewrite.scripts import Source

# They run a file of several statements only when their connection is told to (multiStatements).
_ONE_STATEMENT = ("golang-migrate", "dbmate")


def rewrite(source: Source, remedies: Sequence[Remedy], folder: Folder, left: list[str]) -> dict[Path, str]:
    """Return the file's new text; `left` takes why statements stay as they are."""
    migration = source.migration
    text = source.texts[migration.path]
    edits: dict[int, tuple[int, str]] = {}
    before: dict[int, str] = {}
    # Which algorithm can do it is known when the statement does what it should.
    for one in sorted(remedies, key=lambda one: "ALGORITHM=" in one.stages[0].statements[-1]):
        action = migration.up[one.position]
        statements = one.stages[0].statements
        try:
            start = _place(action, migration.path, text)
            if one.place == "head":
                if migration.tool in _ONE_STATEMENT and len({each.operation.statement for each in migration.up}) < 2:
                    raise Unfixable(f"{migration.tool} may send its statements one by one only")
                before[start] = "".join(f"{sql};{_line_end(text)}{_indentation(text, start)}" for sql in statements)
            elif start in edits:
                raise Unfixable("two rules want to change one statement: run --fix again")
            else:
                edits[start] = start + len(action.operation.sql), ";\n".join(statements)
        except Unfixable as reason:
            left.append(f"line {action.operation.line} is not changed: {reason}")
    for start in sorted({*edits, *before}, reverse=True):
        end, new = edits.get(start, (start, ""))
        text = f"{text[:start]}{before.get(start, '')}{new}{text[end:]}"
    return {source.path(migration.path): text} if edits or before else {}


def _place(action: Action, path: str, text: str) -> int:
    """Return where a statement begins. Raises Unfixable when its text is not the file's."""
    if action.path != path:
        raise Unfixable("it runs SQL of other files")
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    start = starts[action.operation.line - 1] + action.operation.column - 1
    if not text.startswith(action.operation.sql, start):
        raise Unfixable("its text is put together when it runs")
    return start


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _indentation(text: str, start: int) -> str:
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line if not line.strip() else ""
