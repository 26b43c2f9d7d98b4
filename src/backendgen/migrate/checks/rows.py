"""Changes of rows in a migration: how many at once, and what is locked meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.migrate.quoting import label, name
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

# The tools' own tables and the catalog: small, or no business of a migration's rows.
_BOOKKEEPING = re.compile(
    r"(?:^|\.)(?:pg_\w+|alembic_version|schema_migrations|goose_db_version|flyway_schema_history)$|^information_schema\."
)
# One row, or a few: a column compared with a literal. Anything else may touch the whole table.
_FEW_ROWS = re.compile(
    r"""(?i)(?:^|\band\b|\()\s*(?:\w+\.)?"?\w*(?:id|uuid|key|name|slug|code|email)"?\s*(?:=|in\s*\()\s*(?:'|\d|\(*')"""
)
_TAUTOLOGY = re.compile(r"(?i)\(*\s*(?:true|1\s*=\s*1|'?1'?)\s*\)*")
_IS_NULL = r"""\(*\s*(?:[\w.]+|"[^"]+")\s+is\s+(?:not\s+)?null\s*\)*"""
_MISSING = re.compile(rf"(?i){_IS_NULL}(?:\s+and\s+{_IS_NULL})*")


def is_small(table: str, query: str = "") -> bool:
    """Whether a table is the tool's own or the catalog's, or the query picks a few of its rows by their key."""
    condition = re.split(r"(?i)\bwhere\b", query)[-1].strip()
    return bool(_BOOKKEEPING.search(table) or (condition != query.strip() and _FEW_ROWS.search(condition)))


def _many_rows(operation: op.Operation, context: Context) -> bool:
    return (
        isinstance(operation, op.ChangeRows)
        and operation.verb in ("update", "delete", "merge")
        and not context.is_new(operation.table)
        and not _BOOKKEEPING.search(operation.table)
        and not _FEW_ROWS.search(operation.where)
    )


@check("BG805")
def backfill_beside_ddl(operation: op.ChangeRows, schema: Schema, context: Context) -> Iterator[Hit]:
    """What an earlier DDL statement of the transaction locked stays locked until the rows are changed and committed."""
    if not _many_rows(operation, context):
        return
    held = next((pair for pair in context.held.values() if pair[1].mode == "ACCESS EXCLUSIVE"), None)
    held = context.held.get(operation.table) or held
    if held is None or context.in_transaction is False:
        return
    action, lock = held
    message = (
        f"this {operation.verb.upper()} of {operation.table} runs while {lock.table} is locked against {lock.blocks} "
        f"by line {action.operation.line}, for as long as it takes"
    )
    confidence = Confidence.LOW if context.in_transaction is None else None
    yield Hit(
        context.action.location, message, _batches(operation, schema, context), operation.table, confidence=confidence
    )


@check("BG806")
def whole_table_at_once(operation: op.ChangeRows, schema: Schema, context: Context) -> Iterator[Hit]:
    """One statement over all rows holds their locks to its end and leaves as many dead rows behind."""
    if not _many_rows(operation, context) or operation.verb == "merge":
        return
    where = operation.where
    if where and not _TAUTOLOGY.fullmatch(where) and not _MISSING.fullmatch(where):
        return
    whole = "every row" if not where or _TAUTOLOGY.fullmatch(where) else f"every row with {where}"
    message = (
        f"{operation.verb.upper()} changes {whole} of {operation.table} at once: they stay locked until it commits"
    )
    yield Hit(context.action.location, message, _batches(operation, schema, context), operation.table)


def _batches(operation: op.ChangeRows, schema: Schema, context: Context) -> str:
    """Return the change cut into batches. Rows that were changed must not be found again, or it would never end."""
    table, condition = name(operation.table), operation.where
    note = "in a migration of its own, or a job; repeat and commit until no row is left"
    if context.history.is_mysql:
        return render(context, Stage((f"{operation.sql} LIMIT 1000",), note=note))
    if operation.verb == "delete":
        rows = f"SELECT ctid FROM {table} WHERE {condition or 'true'} LIMIT 1000"
        return render(context, Stage((f"DELETE FROM {table} WHERE ctid = ANY (ARRAY({rows}))",), note=note))
    known = schema.tables.get(operation.table)
    key = known.primary_key[0] if known and len(known.primary_key) == 1 else "id"
    limits = f"{label(key)} > $1 AND {label(key)} <= $1 + 1000"
    sql = re.sub(
        r"(?is)\bwhere\b(.*)$", lambda found: f"WHERE ({found[1].strip()}) AND {limits}", operation.sql, count=1
    )
    note = f"in a migration of its own, or a job; commit, and go on with the next thousand of {key}"
    return render(context, Stage((sql if operation.where else f"{operation.sql} WHERE {limits}",), note=note))
