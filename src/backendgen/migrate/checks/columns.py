"""Columns: changes that make PostgreSQL write the whole table anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render, update_batch
from backendgen.migrate.quoting import label, name
from backendgen.migrate.rewrites import Effect, column_written, is_known, type_effect, value_per_row
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Table, Type

_EFFECTS = {
    "": "",
    "rewrite": "writes the whole table and its indexes anew",
    "scan": "reads every row to check the column's constraint again",
    "indexes": "builds the column's indexes anew",
}
# PostgreSQL 12 and later know that these are the same in UTC, and leave the rows as they are.
_INSTANTS = {"timestamp without time zone", "timestamp with time zone"}


@check("BG708")
def type_change_rewrites(operation: op.AlterColumnType, schema: Schema, context: Context) -> Iterator[Hit]:
    """ALTER COLUMN TYPE: what it costs depends on the old type, which the replay knows."""
    if context.is_new(operation.table):
        return
    table, column, new = operation.table, operation.name, operation.type
    known = schema.tables.get(table)
    definition = known.column(column) if known else None
    what, confidence = f"{table}.{column} from an unknown type to {new}", Confidence.MEDIUM
    effect = "most such changes write the whole table anew"
    was = definition.type if definition else operation.was
    if was is not None:
        effect = _EFFECTS[effect_here(operation, was, known, schema, context)]
        if not effect:
            return
        old, base = schema.base_type(was), schema.base_type(new)
        what = f"{table}.{column} from {was} to {new}"
        confidence = Confidence.HIGH if is_known(old, schema) and is_known(base, schema) else Confidence.LOW
    relatives = sorted({lock.table for lock in context.locks(schema) if lock.parent and lock.table != table})
    consequence = f"; {', '.join(relatives)} is locked as well, and the foreign key checked again" if relatives else ""
    if was is not None and {was.name, new.name} == _INSTANTS and not _in_utc(context):
        consequence += (
            f"; where its values are UTC, SET {'LOCAL ' if context.in_transaction else ''}timezone = 'UTC' before it: "
            "then only indexes are built"
        )
    message = f"changing {what}: {effect} while reads and writes of {table} are blocked{consequence}"
    yield Hit(
        context.action.location, message, _new_column_fix(operation, schema, context), table, confidence=confidence
    )


def effect_here(
    operation: op.AlterColumnType, was: Type, table: Table | None, schema: Schema, context: Context
) -> Effect:
    """Return what PostgreSQL does to the table, in the time zone that the migration has set."""
    effect = type_effect(operation, was, table, schema)
    if effect == "rewrite" and {was.name, operation.type.name} == _INSTANTS and _in_utc(context):
        return "indexes" if table is None or any(operation.name in each.columns for each in table.indexes) else ""
    return effect


def _in_utc(context: Context) -> bool:
    """Whether the migration has set the session's time zone to UTC."""
    done = [each.operation for each in context.migration.up[: context.position]]
    zones = [each.value for each in done if isinstance(each, op.SetSetting) and each.name == "timezone"]
    return bool(zones) and (zones[-1] or "").strip("'\"").upper() in ("UTC", "ETC/UTC")


def _new_column_fix(operation: op.AlterColumnType, schema: Schema, context: Context) -> str:
    old, new = label(operation.name), label(f"{operation.name}_new")
    new_type = schema.base_type(operation.type)  # a domain's check would be made row by row
    value = operation.using or f"{old}::{new_type}"
    batch = update_batch(operation.table, f"{new} = {value}", f"{new} IS NULL AND {old} IS NOT NULL")
    swap = (
        alter(operation.table, f"RENAME COLUMN {old} TO {label(operation.name + '_old')}"),
        alter(operation.table, f"RENAME COLUMN {new} TO {old}"),
    )
    return render(
        context,
        Stage(
            (alter(operation.table, f"ADD COLUMN {new} {new_type}"),),
            note=f"then write both {old} and {new} (in code, or by a trigger)",
        ),
        Stage((batch,), note="repeat and commit until no row is left", transactional=False),
        Stage(swap, note="when all rows are copied; drop the old column in a later release"),
    )


@check("BG709")
def column_written_to_all_rows(operation: op.AddColumn, schema: Schema, context: Context) -> Iterator[Hit]:
    """A default that differs from row to row, a stored expression, a serial or identity: each row gets its value now."""
    if context.is_new(operation.table):
        return
    table, column = operation.table, operation.definition
    reason, confidence = column_written(column, schema, context.pg_version)
    if not reason:
        return
    if not value_per_row(column, context.pg_version)[0]:
        column = replace(column, type=schema.base_type(column.type))
    message = f"{table}.{column.name} {reason}: {table} is written anew while reads and writes are blocked"
    yield Hit(context.action.location, message, _later_fix(table, column, context), table, confidence=confidence)


def _later_fix(table: str, column: Column, context: Context) -> str:
    added_name = label(column.name)
    added = alter(table, f"ADD COLUMN {added_name} {column.type}")
    if column.generated is not None:
        note = f"keep it up to date with a trigger, then fill the old rows in batches with {column.generated}"
        return render(context, Stage((added,), note=note))
    if column.default is None and not column.identity:
        note = (
            f"{column.type} is what the domain is made of; add its check to the table, NOT VALID, and validate it later"
        )
        return render(context, Stage((added,), note=note))
    fill = update_batch(table, f"{added_name} = DEFAULT", f"{added_name} IS NULL")
    before: tuple[str, ...] = ()
    if column.identity:
        sequence = name(f"{table.rpartition('.')[2]}_{column.name}_seq")
        default, before = f"nextval('{sequence}')", (f"CREATE SEQUENCE {sequence}",)
    elif (column.default or "").startswith("nextval("):
        sequence = name(f"{table.rpartition('.')[2]}_{column.name}_seq")
        default, before = str(column.default), (f"CREATE SEQUENCE {sequence}",)
    else:
        default = str(column.default)
    stages = [
        Stage(
            (*before, added, alter(table, f"ALTER COLUMN {added_name} SET DEFAULT {default}")),
            note="new rows get it at once",
        ),
        Stage((fill,), note="repeat and commit until no row is left", transactional=False),
    ]
    return render(context, *stages)
