"""Indexes: built and dropped without blocking the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Remedy, Stage, concurrently, remedy, render, stands_alone, with_argument
from backendgen.migrate.quoting import label, name
from backendgen.migrate.rewrites import rewrite_of
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.names import numbered
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Table
from backendgen.sql.table_changes import bare, schema_of


@check("BG701")
def index_blocks_writes(operation: op.CreateIndex, schema: Schema, context: Context) -> Iterator[Hit]:
    """CREATE INDEX takes SHARE: no INSERT, UPDATE or DELETE until the index is built."""
    if operation.concurrently or context.is_new(operation.table):
        return
    table = schema.tables.get(operation.table)
    if operation.only and (table is None or table.partitioned):
        return
    index = operation.index
    message = f"building index {index.name} blocks every write to {operation.table} until it is done"
    if table is not None and table.partitioned:
        statement = f"CREATE INDEX {name(index.name)} ON ONLY {name(operation.table)} {_after_table(operation.sql)}"
        note = "then CREATE INDEX CONCURRENTLY on each partition, and ALTER INDEX ... ATTACH PARTITION for each"
        fix = render(context, Stage((statement,), note=note))
        yield Hit(context.action.location, f"{message}, in all of its partitions", fix, operation.table)
        return
    stage = _built_online(operation, schema, context)
    yield Hit(context.action.location, message, render(context, stage), operation.table, remedy=remedy(context, stage))


def _after_table(sql: str) -> str:
    return sql[found.start() :] if (found := re.search(r"(?i)\busing\b|\(", sql)) else "(...)"


def _built_online(operation: op.CreateIndex, schema: Schema, context: Context) -> Stage:
    sql = concurrently(operation.sql)
    call = context.action.call
    if not operation.named:
        index, taken = operation.index.name, schema.taken(schema_of(operation.table))
        free = label(bare(numbered(operation.table, index, "idx", taken) if index in taken else index))
        sql = re.sub(r"(?i)concurrently\s+on\b", lambda _: f"CONCURRENTLY {free} ON", sql, count=1)
    if call.endswith(")") and "create_index" in call:
        call = with_argument(call, "postgresql_concurrently=True")
    statements = _of_one_field(context) if context.migration.tool == "django" and call else (sql,)
    return Stage(statements, transactional=False, call=call if "postgresql_concurrently" in call else "")


def _of_one_field(context: Context) -> tuple[str, ...]:
    """Return all indexes that a Django operation builds: a text column has one more, for LIKE."""
    mine = context.action
    return tuple(
        concurrently(each.operation.sql)
        for each in context.migration.up
        if isinstance(each.operation, op.CreateIndex) and (each.location, each.call) == (mine.location, mine.call)
    )


@check("BG712")
def written_in_place(
    operation: op.Reindex | op.RewriteTable | op.SetGenerated, schema: Schema, context: Context
) -> Iterator[Hit]:
    """VACUUM FULL, CLUSTER, SET LOGGED and the like write all of a table under ACCESS EXCLUSIVE; REINDEX blocks writes."""
    if isinstance(operation, op.Reindex) and not operation.concurrently:
        owner = schema.index_owner(operation.name) if operation.target == "index" else None
        table = owner.name if owner else operation.name
        message = f"REINDEX of {operation.name} blocks writes until it is built, and reads that need it"
        sql = re.sub(r"(?i)\b(index|table|schema|database)\b", r"\1 CONCURRENTLY", operation.sql, count=1)
        stage = Stage((sql,), transactional=False)
        change: Remedy | None = remedy(context, stage)
        if operation.target == "system":
            stage = Stage((), note="when nobody uses the database: system catalogs cannot be rebuilt CONCURRENTLY")
            change = None
        fix = render(context, stage)
    elif how := rewrite_of(operation, schema):
        table = "".join(operation.tables)
        written = f"{table} and its indexes" if table else "every table"
        message = f"{how} writes {written} anew while reads and writes are blocked"
        note = "fill a new table in batches and let it take over, or do it when nobody uses this one"
        fix, change = render(context, Stage((), note=note)), None
    else:
        return
    if not context.is_new(table):
        yield Hit(context.action.location, message, fix, table, remedy=change)


@check("BG702")
def concurrently_in_transaction(
    operation: op.CreateIndex | op.DropIndex | op.Reindex | op.DetachPartition, schema: Schema, context: Context
) -> Iterator[Hit]:
    """CREATE INDEX CONCURRENTLY and its like refuse to run in a transaction block (manual, CREATE INDEX)."""
    if not operation.concurrently:
        return
    if context.in_transaction is not True:
        yield from _waits_for_tool(operation, context)
        return
    what = " ".join(operation.sql.split()[:3]).upper()
    what = what if what.endswith("CONCURRENTLY") else f"{what.split()[0]} ... CONCURRENTLY"
    where = {
        "goose": "goose runs this file in a transaction", "dbmate": "dbmate runs this file in a transaction",
        "diesel": "diesel runs this migration in a transaction", "alembic": "Alembic runs this revision in a transaction",
        "django": "Django runs this migration in a transaction",
        "sql-migrate": "sql-migrate runs this direction in a transaction",
        "liquibase": "Liquibase runs this changeset in a transaction",
        "flyway": "Flyway runs this file in a transaction because of its other statements",
    }.get(context.migration.tool, "a file of several statements is sent as one transaction")  # fmt: skip
    if any(each.transactional is False for each in context.migration.up):
        where = "StatementBegin and StatementEnd send it with others as one transaction"
    if context.explicit_transaction:
        where = "it stands between BEGIN and COMMIT"
    stage = Stage((operation.sql,), transactional=False, call=context.action.call)
    message = f"{what} cannot run inside a transaction, and {where}: the migration fails"
    table = "".join(operation.tables[:1])
    yield Hit(context.action.location, message, render(context, stage), table, remedy=remedy(context, stage))


def _waits_for_tool(operation: op.Operation, context: Context) -> Iterator[Hit]:
    """Flyway's lock on its own table is a transaction that stays open: CONCURRENTLY waits for it for ever (its manual,
    PostgreSQL Transactional Lock).
    """
    if context.history.tool_holds_transaction is False:
        return
    setting = "flyway.postgresql.transactional.lock=false"
    message = (
        "CONCURRENTLY waits for all open transactions, and Flyway holds its own lock in one: the migration hangs, "
        f"unless {setting} is set"
    )
    fix = render(context, Stage((operation.sql,), transactional=False, note=f"with {setting}"))
    confidence = Confidence.MEDIUM if context.history.tool_holds_transaction else Confidence.LOW
    yield Hit(context.action.location, message, fix, "".join(operation.tables[:1]), confidence=confidence)


@check("BG703")
def dropped_index_blocks(operation: op.DropIndex, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP INDEX takes ACCESS EXCLUSIVE on the table and waits behind every running query."""
    if operation.concurrently:
        return
    owner = schema.index_owner(operation.index)
    if owner is not None and context.is_new(owner.name):
        return
    if owner is None and any(
        isinstance(later.operation, op.CreateIndex)
        and later.operation.index.name == operation.index
        and context.is_new(later.operation.table)
        for later in context.later
    ):
        return
    table = owner.name if owner else "its table"
    message = (
        f"dropping index {operation.index} locks {table} against reads and writes, and queues behind its longest query"
    )
    call = context.action.call
    if call.endswith(")") and "drop_index" in call:
        call = with_argument(call, "postgresql_concurrently=True")
    soft = "IF EXISTS " if operation.if_exists else ""
    sql = f"DROP INDEX CONCURRENTLY {soft}{name(operation.index)}"
    stage = Stage((sql,), transactional=False, call=call if "postgresql_concurrently" in call else "")
    change = None
    if not operation.cascade and not (isinstance(owner, Table) and owner.partitioned):
        own = (concurrently(operation.sql),) if stands_alone(context) else stage.statements
        change = remedy(context, replace(stage, statements=own))
    yield Hit(context.action.location, message, render(context, stage), owner.name if owner else "", remedy=change)
