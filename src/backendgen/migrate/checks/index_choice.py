"""Indexes: whether the one that is made comes to be, is missed meanwhile, and is worth its writes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, concurrently, render
from backendgen.migrate.quoting import name
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Index
from backendgen.sql.table_changes import BACKED_BY_INDEX, bare, in_schema, schema_of

_MANY_COLUMNS = 3
_LOOKED_AHEAD = 100


@check("BG716")
@once
def invalid_index_kept(operation: op.CreateIndex, schema: Schema, context: Context) -> Iterator[Hit]:
    """A build that failed leaves an INVALID index behind, which IF NOT EXISTS takes for the index that is wanted."""
    if not (operation.concurrently and operation.if_not_exists):
        return
    index = operation.index.name
    if context.is_new(operation.table) or any(
        isinstance(each.operation, op.DropIndex) and each.operation.index == index
        for each in context.migration.up[: context.position]
    ):
        return
    unique = ", and nothing is unique" if operation.index.unique else ""
    others = sum(
        isinstance(each.operation, op.CreateIndex) and each.operation.concurrently and each.operation.if_not_exists
        for each in context.later
    )
    more = f" (so do {others} more statements of this migration)" if others else ""
    message = (
        f"if the build of {index} fails, it stays behind as INVALID, and this statement skips it at the next try{more}: "
        f"{operation.table} then has no usable index{unique}"
    )
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name(index)}"
    fix = render(context, Stage((drop, concurrently(operation.sql)), transactional=False))
    yield Hit(context.action.location, message, fix, operation.table)


@check("BG718")
def gone_before_its_successor(
    operation: op.DropIndex | op.DropConstraint, schema: Schema, context: Context
) -> Iterator[Hit]:
    """From the DROP until the next index is built every query that needs it reads the whole table."""
    if context.in_transaction is True:
        return  # nobody sees the gap; what waits meanwhile is BG713's
    dropped = _dropped_index(operation, schema)
    if dropped is None or context.is_new(dropped.table):
        return
    table = schema.tables.get(dropped.table)
    others = [
        each for each in (table.indexes if table else ()) if each.name != dropped.name and _leads_alike(each, dropped)
    ]
    successor = next(
        (each.operation.index for each in islice(context.later, _LOOKED_AHEAD)
         if isinstance(each.operation, op.CreateIndex) and each.operation.table == dropped.table
         and _leads_alike(each.operation.index, dropped)), None)  # fmt: skip
    if others or successor is None:
        return
    message = (
        f"{dropped.name} goes before {successor.name} is built: until then queries by "
        f"{dropped.columns[0] or 'its expression'} read all of {dropped.table}"
    )
    message += ", and nothing keeps it unique" if dropped.unique else ""
    if successor.name == dropped.name:
        note = f"build it under another name, drop {dropped.name}, then ALTER INDEX ... RENAME TO {bare(dropped.name)}"
        fix = render(context, Stage((), note=note))
    else:
        fix = render(context, Stage((), note=f"build {successor.name} first, then drop {dropped.name}"))
    confidence = Confidence.LOW if context.in_transaction is None else None
    yield Hit(context.action.location, message, fix, dropped.table, confidence=confidence)


def _dropped_index(operation: op.Operation, schema: Schema) -> Index | None:
    if isinstance(operation, op.DropIndex):
        return schema.index(operation.index)
    if isinstance(operation, op.DropConstraint):
        return schema.index(in_schema(schema_of(operation.table), operation.name))
    return None


def _leads_alike(one: Index, other: Index) -> bool:
    return one.keys[:1] == other.keys[:1] and one.method == other.method and (not one.where or one.where == other.where)


@check("BG719")
@once
def redundant(operation: op.CreateIndex, schema: Schema, context: Context) -> Iterator[Hit]:
    """Two indexes of which one does all that the other can: every write pays for both."""
    if operation.index.method != "btree":
        return
    table, new = schema.tables.get(operation.table), operation.index
    call = context.action.call
    if table is None or table.partition_of or "postgresql_ops" in call:
        return
    going = {
        each.operation.index
        if isinstance(each.operation, op.DropIndex)
        else in_schema(schema_of(table.name), each.operation.name)
        for each in context.later
        if isinstance(each.operation, op.DropIndex | op.DropConstraint)
    }
    for old in table.indexes:
        if old.name == new.name or old.name in going or new.name in going:
            continue
        backs = any(each.kind in BACKED_BY_INDEX and bare(old.name) == each.name for each in table.constraints)
        if _covers(old, new):
            message = f"{new.name} does nothing that {old.name} cannot do: each write to {table.name} pays for both"
            fix = render(context, Stage((), note=f"leave {new.name} out"))
        elif not backs and _covers(new, old):
            message = f"{new.name} makes {old.name} superfluous: each write to {table.name} pays for both"
            fix = render(
                context, Stage((f"DROP INDEX CONCURRENTLY {name(old.name)}",), transactional=False, note="afterwards")
            )
        else:
            continue
        yield Hit(context.action.location, message, fix, table.name)


def _covers(one: Index, other: Index) -> bool:
    """Whether an index answers all that the other one does: its keys begin with the other's, and it is as unique."""
    if one.method != other.method or one.where != other.where or set(other.include) - {*one.include, *one.columns}:
        return False
    if other.unique:
        return one.unique and one.keys == other.keys
    return one.keys[: len(other.keys)] == other.keys and one.valid


@check("BG731")
@once
def seldom_worth_it(operation: op.CreateIndex, schema: Schema, context: Context) -> Iterator[Hit]:
    """A hash index answers `=` only; the fourth column of an index seldom narrows what the first three found."""
    index, table = operation.index, operation.table
    if index.method == "hash":
        message = f"{index.name} is a hash index: it answers = only, holds no order, cannot be unique nor cover a query"
        note = "a btree does that as well, at the same cost for all but long values"
    elif index.method == "btree" and not index.unique and len(index.keys) > _MANY_COLUMNS:
        columns = ", ".join(key.column or key.expression for key in index.keys)
        message = f"{index.name} has {len(index.keys)} columns ({columns}): those after the third seldom help a query"
        note = f"begin with the {_MANY_COLUMNS} that narrow it most; columns that are only read go to INCLUDE"
    else:
        return
    yield Hit(context.action.location, message, render(context, Stage((), note=note)), table, severity=Severity.INFO)
