"""Timeouts: how long a migration may make others wait."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, remedy, render
from backendgen.migrate.locks import BLOCKS_WRITES, Lock
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema


@check("BG710")
@once
def no_lock_timeout(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A statement that waits for a strong lock makes all later queries on the table wait behind it. Said once a file."""
    if context.lock_timeout or context.history.sets_lock_timeout or _goes_online(operation):
        return
    strong = _strong(schema, context)
    if strong is None:
        return
    why = f"; {note}" if (note := context.timeout_note or _set_too_late(context)) else ""
    message = (
        f"{strong.table} is locked ({strong.mode}) without a lock_timeout: while this waits for a long query, "
        f"all other queries on {strong.table} wait too{why}"
    )
    stage = Stage((_setting("lock_timeout = '2s'", context),), note="before it, and retry the migration when it fails")
    decided = any(_is_set(each.operation, "lock_timeout") for each in context.migration.up[: context.position])
    change = None if decided else remedy(context, stage, place="head")
    yield Hit(context.action.location, message, render(context, stage), strong.table, remedy=change)


def _goes_online(operation: op.Operation) -> bool:
    """Whether it takes no strong lock at all once it is done CONCURRENTLY, which rules of its own demand."""
    return isinstance(operation, op.CreateIndex | op.DropIndex | op.Reindex)


@check("BG735")
@once
def no_statement_timeout(
    operation: op.AddConstraint | op.CreateIndex | op.RewriteTable | op.Reindex | op.RefreshView,
    schema: Schema,
    context: Context,
) -> Iterator[Hit]:
    """A statement that takes longer than anybody thought keeps its locks for as long. Said once a file."""
    strong = _strong(schema, context) if _takes_time(operation) else None
    if strong is None:
        return
    if any(_is_set(each.operation, "statement_timeout") for each in context.migration.up[: context.position]):
        return
    message = f"nothing bounds how long this may run and keep {strong.table} locked ({strong.mode})"
    fix = render(context, Stage((_setting("statement_timeout = '1min'", context),), note="before it"))
    yield Hit(context.action.location, message, fix, strong.table)


def _takes_time(operation: op.Operation) -> bool:
    """Whether it reads or writes all of the table's rows, as far as it alone can say."""
    if isinstance(operation, op.AddConstraint):
        return operation.constraint.valid and not operation.constraint.using_index
    return isinstance(operation, op.CreateIndex | op.RewriteTable | op.Reindex | op.RefreshView)


def _strong(schema: Schema, context: Context) -> Lock | None:
    """Return the first lock that others would queue behind; nobody uses a table any more that the migration drops."""
    strong = (lock for lock in context.locks(schema) if lock.mode in BLOCKS_WRITES)
    return next((lock for lock in strong if lock.table not in context.dropped), None)


def _setting(assignment: str, context: Context) -> str:
    return f"SET {'LOCAL ' if context.in_transaction else ''}{assignment}"


def _is_set(operation: op.Operation, name: str) -> bool:
    return isinstance(operation, op.SetSetting) and operation.name == name and operation.value is not None


def _set_too_late(context: Context) -> str:
    late = next((each.operation for each in context.later if _is_set(each.operation, "lock_timeout")), None)
    return f"line {late.line} sets it, which is too late for this" if late else ""
