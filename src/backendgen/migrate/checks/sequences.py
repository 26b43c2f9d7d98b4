"""Sequences: numbers that are given twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.migrate.quoting import label, literal, name
from backendgen.sql import operation as op
from backendgen.sql.names import object_name
from backendgen.sql.replay import Schema
from backendgen.sql.table_changes import bare

_MOVED = re.compile(
    r"""(?is)^alter\s+sequence\s+(?:if\s+exists\s+)?([\w."]+).*\brestart\b"""
    r"""|\bsetval\s*\(\s*'([^']+)'(?:::\w+)?\s*,\s*\d+\s*[,)]"""
)
_INSERT_SELECT = re.compile(
    r"""(?is)insert\s+into\s+[\w."]+\s*(?:as\s+\w+\s*)?(\(([^)]*)\))?\s*(?:overriding\s+\w+\s+value\s*)?select\b"""
)


@check("BG826")
def sequence_moved(
    operation: op.ChangeRows | op.Harmless | op.CallRoutine, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A sequence that starts again, or behind copied rows, gives numbers that are taken."""
    if isinstance(operation, op.ChangeRows):
        yield from _copied_behind(operation, schema, context)
        return
    moved = _MOVED.search(operation.sql) if isinstance(operation, op.Harmless | op.CallRoutine) else None
    sequence = (moved[1] or moved[2]).replace('"', "") if moved else ""
    if not sequence or _is_created(sequence, context):
        return
    message = f"{sequence} goes on from a fixed number: where rows already have the numbers that follow, INSERTs fail"
    user = _user(sequence, schema)
    query = f"SELECT setval({literal(sequence)}, (SELECT max({label(user[1])}) FROM {name(user[0])}))" if user else ""
    note = "from the greatest number that is there"
    yield Hit(context.action.location, message, render(context, Stage((query,) if query else (), note=note)), sequence)


def _user(sequence: str, schema: Schema) -> tuple[str, str] | None:
    """Return the table and column that take their numbers from a sequence, None when the history does not show them."""
    taken = re.compile(rf"nextval\('(?:\w+\.)?\W*{re.escape(bare(sequence))}\W*'")
    for table in schema.tables.values():
        for column in table.columns:
            own = column.identity and object_name(bare(table.name), column.name, "seq") == bare(sequence)
            if own or taken.match(column.default or ""):
                return table.name, column.name
    return None


def _is_created(sequence: str, context: Context) -> bool:
    """Whether the migration creates the sequence, or the table that its name begins with."""
    for each in context.migration.up[: context.position]:
        operation = each.operation
        if (
            isinstance(operation, op.Harmless)
            and operation.what == "CREATE SEQUENCE"
            and bare(sequence) in operation.sql
        ):
            return True
    return any(bare(sequence).startswith(f"{bare(table)}_") for table in context.new)


def _copied_behind(operation: op.ChangeRows, schema: Schema, context: Context) -> Iterator[Hit]:
    if operation.verb not in ("insert", "copy") or not context.is_new(operation.table):
        return
    table = schema.tables.get(operation.table)
    numbered = (
        next((c.name for c in table.columns if c.identity or (c.default or "").startswith("nextval(")), "")
        if table
        else ""
    )
    if not numbered or not _gives(operation.sql, numbered):
        return
    if any(_moves_sequence(each.operation) for each in context.later):
        return
    message = (
        f"rows are copied into {operation.table} with their {numbered}, but its sequence still begins at 1: "
        "the next INSERTs fail on keys that are taken"
    )
    where = f"pg_get_serial_sequence({literal(operation.table)}, {literal(numbered)})"
    query = f"SELECT setval({where}, (SELECT max({label(numbered)}) FROM {name(operation.table)}))"
    yield Hit(context.action.location, message, render(context, Stage((query,), note="after it")), operation.table)


def _gives(sql: str, column: str) -> bool:
    """Whether INSERT ... SELECT fills the column: it lists it, or lists none."""
    found = _INSERT_SELECT.match(sql)
    return found is not None and (found[2] is None or column in re.findall(r"\w+", found[2]))


def _moves_sequence(operation: op.Operation) -> bool:
    if isinstance(operation, op.CallRoutine):
        return "setval" in operation.routines
    return isinstance(operation, op.Harmless) and bool(re.search(r"(?i)\brestart\b", operation.sql))
