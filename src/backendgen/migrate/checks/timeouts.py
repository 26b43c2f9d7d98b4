"""Timeouts: how long a migration may make others wait."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.migrate.locks import BLOCKS_WRITES
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema


@check("BG710")
def no_lock_timeout(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A statement that waits for a strong lock makes all later queries on the table wait behind it. Said once a file."""
    if context.lock_timeout or context.timeout_missed or context.history.sets_lock_timeout:
        return
    strong = next((lock for lock in context.locks(schema) if lock.mode in BLOCKS_WRITES), None)
    if strong is None:
        return
    message = (
        f"{strong.table} is locked ({strong.mode}) without a lock_timeout: while this waits for a long query, "
        f"all other queries on {strong.table} wait too"
    )
    setting = "SET LOCAL lock_timeout = '2s'" if context.in_transaction else "SET lock_timeout = '2s'"
    fix = render(context, Stage((setting,), note="before it, and retry the migration when it fails"))
    yield Hit(context.action.location, message, fix, strong.table)
