"""New migration files as each tool wants them: its markers, its down, and how it is told to use no transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backendgen.migrate.history import History, Migration, Tool
from backendgen.migrate.readers.naming import Script
from backendgen.migrate.readers.sql import Section
from backendgen.migrate.rewrite.naming import down_of
from backendgen.sql import operation as op

# The tools whose migrations can be written.
WRITTEN: frozenset[Tool] = frozenset({
    "sql", "goose", "sql-migrate", "dbmate", "flyway", "golang-migrate", "diesel", "prisma", "alembic", "django",
    "sqitch", "liquibase",
})  # fmt: skip


def unwritten(history: History, migration: Migration) -> str:
    """Say why a migration cannot be rewritten; nothing when it can."""
    if history.is_mysql:
        of_its_own = migration.path.endswith(".sql") and migration.tool in WRITTEN
        return "" if of_its_own else f"only SQL files are rewritten for {history.dialect}; {_PASTE}"
    return unplanned(history, migration)


def unplanned(history: History, migration: Migration) -> str:
    """Say why the ways of a migration's changes cannot be written; nothing when they can."""
    if history.dialect != "postgresql":
        return f"this is for PostgreSQL's migrations, and this one is for {history.dialect}; {_PASTE}"
    if migration.tool == "liquibase" and not migration.path.endswith(".sql"):
        return f"changelogs in XML, YAML and JSON are not rewritten; {_PASTE}"
    if migration.tool not in WRITTEN:
        return f"migrations of {migration.tool} are not rewritten; {_PASTE}"
    return ""


_PASTE = "each finding has the change to paste"
_MARK = re.compile(r"(?i)([ \t]*--[ \t]*(?:\+goose[ \t]+|\+migrate[ \t]+|migrate:[ \t]*))(up)")
# Flyway sees by itself that others refuse a transaction.
_UNKNOWN_TO_FLYWAY = (op.DetachPartition, op.ChangeRows, op.NotUnderstood, op.Harmless)
_NOTHING = "-- nothing to take back: the migration before this one does\nSELECT 1;\n"


@dataclass(frozen=True, slots=True)
class Body:
    """What a new migration holds: its statements, its down (None where the history has none), and what they do."""

    up: str
    down: str | None
    outside: bool
    operations: Iterable[op.Operation]


def written(script: Script, tool: Tool, mark: str, body: Body) -> Iterator[tuple[Path, str]]:
    """Yield the files of a new migration; `mark` is the marker of the up section where the tool has such."""
    text = body.up
    if up := _MARK.match(mark):
        text = f"{up[0]}\n{text}"
        if body.down is not None:
            text += f"\n{up[1]}{'Down' if up[2] == 'Up' else 'down'}\n{body.down}"
        if body.outside:
            text = marked(text, Section(False, 0, up.end(), len(text)), tool)
    elif body.down is not None and (path := down_of(script)):
        yield path, body.down or _NOTHING
    if body.outside:
        yield from beside(script.path, tool, body.operations)
    yield script.path, text


def marked(text: str, section: Section, tool: Tool) -> str:
    """Say in the file that it runs without a transaction."""
    mark = text[section.mark : section.start]
    if tool == "dbmate":
        return f"{text[: section.start]} transaction:false{text[section.start :]}"
    if "+migrate" in mark:
        return f"{text[: section.start]} notransaction{text[section.start :]}"
    if tool == "goose":
        return f"{text[: section.mark]}-- +goose NO TRANSACTION\n{text[section.mark :]}"
    return text


def beside(path: Path, tool: Tool, operations: Iterable[op.Operation]) -> Iterator[tuple[Path, str]]:
    """Yield the files beside a migration that switch its transaction off."""
    if tool == "diesel":
        yield path.with_name("metadata.toml"), "run_in_transaction = false\n"
    if tool == "flyway" and any(isinstance(each, _UNKNOWN_TO_FLYWAY) for each in operations):
        yield path.with_name(f"{path.name}.conf"), "executeInTransaction=false\n"
