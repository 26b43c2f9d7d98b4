"""Renames that a generator wrote as a DROP and an ADD: the values are lost."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render
from backendgen.migrate.quoting import label, name
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column
from backendgen.sql.table_changes import bare

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_SHORTEST_WORD = 3
_FEWEST_COLUMNS = 2  # a single column is alike in many tables: an id, a name


@check("BG814")
def lost_rename(operation: op.DropColumn | op.DropTable, schema: Schema, context: Context) -> Iterator[Hit]:
    """A dropped column or table and a new one of the same make: generators write that for a rename."""
    if isinstance(operation, op.DropColumn) and not context.is_new(operation.table):
        table, column = operation.table, operation.name
        known = schema.column(table, column)
        successor = _successor(operation, known, context) if known else ""
        if not successor or (table, column) in context.new_columns:
            return
        message = (
            f"{table}.{column} is dropped and {table}.{successor} of the same type added: "
            "if that is a rename, its values are lost"
        )
        old, new = label(column), label(successor)
        stage = Stage((f"UPDATE {name(table)} SET {new} = {old} WHERE {new} IS NULL",), note=(
            f"in batches, between adding {new} and dropping {old}, in releases of their own"))  # fmt: skip
        unseen = any(isinstance(each.operation, op.NotUnderstood) for each in context.migration.up)
        confidence = None if _words(column) & _words(successor) and not unseen else Confidence.LOW
        yield Hit(context.action.location, message, render(context, stage), table, confidence=confidence)
    elif isinstance(operation, op.DropTable) and not context.is_new(operation.table):
        successor = _table_like(operation.table, schema, context)
        if not successor:
            return
        message = (
            f"{operation.table} is dropped and {successor} with the same columns created: "
            "if that is a rename, its rows are lost"
        )
        stage = Stage((alter(operation.table, f"RENAME TO {label(bare(successor))}"),), note=(
            "instead of both, with a view of the old name for the code that runs now"))  # fmt: skip
        yield Hit(context.action.location, message, render(context, stage), operation.table)


def _successor(operation: op.DropColumn, known: Column, context: Context) -> str:
    """Return the added column that seems to be the dropped one under a new name, empty where rows are copied over."""
    done = context.around(operation.table)
    added = [each.definition for each in done if isinstance(each, op.AddColumn)]
    dropped = [each for each in done if isinstance(each, op.DropColumn)]
    swapped = any(isinstance(each, op.RenameColumn) and each.new_name == operation.name for each in done)
    if swapped or any(isinstance(each, op.ChangeRows) for each in done):
        return ""
    alike = [one.name for one in added if one.type == known.type and one.name != known.name and not one.generated]
    related = [one for one in alike if _words(one) & _words(known.name)]
    if related:
        return max(related, key=lambda one: len(_words(one) & _words(known.name)))
    only = len(added) == len(dropped) == len(alike) == 1
    return alike[0] if only and known.type.name != "boolean" else ""


def _words(identifier: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(identifier) if len(word) >= _SHORTEST_WORD}


def _table_like(table: str, schema: Schema, context: Context) -> str:
    """Return the table that the migration creates with exactly the columns of this one, empty where rows are copied."""
    known = schema.tables.get(table)
    columns = {(column.name, column.type) for column in known.columns} if known else set()
    copied = re.compile(rf"(?is)\bfrom\b.*\b{re.escape(bare(table))}\b")
    created = [each.operation for each in context.migration.up]
    if any(isinstance(one, op.ChangeRows) and copied.search(one.sql) for one in created):
        return ""
    if len(columns) < _FEWEST_COLUMNS:
        return ""
    return next(
        (one.table for one in created
         if isinstance(one, op.CreateTable) and one.table != table
         and {(column.name, column.type) for column in one.columns} == columns),
        "",
    )  # fmt: skip
