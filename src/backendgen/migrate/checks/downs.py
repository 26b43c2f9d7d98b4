"""Ways back: a down that is missing, that is not the inverse of its up, or that new rows make fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from backendgen.findings.finding import Hit, Location
from backendgen.migrate.checks.registry import check_down
from backendgen.migrate.checks.values import may_refuse
from backendgen.migrate.fixes import Stage, written
from backendgen.migrate.history import Action
from backendgen.migrate.quoting import label
from backendgen.migrate.rollback import Rollback, differences, is_understood
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

# What changes rows or settings only, or validates, need not be taken back for the schema to be as it was.
_NO_SCHEMA = (
    op.ValidateConstraint, op.ChangeRows, op.Harmless, op.CreateRoutine, op.CallRoutine, op.SetSetting, op.Transaction,
    op.SetComment, op.NotUnderstood, op.Truncate,
)  # fmt: skip


_DEMANDS = (op.SetNotNull, op.AlterColumnType)


@check_down("BG908")
def not_the_inverse(rollback: Rollback) -> Iterator[Hit]:
    """The replayed Schemas before the up and after the down differ."""
    migration = rollback.migration
    if not migration.down or migration.one_way or not is_understood(migration):
        return
    found = list(differences(rollback))
    if not found:
        return
    listed = ", ".join(one.message for one in found[:5]) + (f", and {len(found) - 5} more" if len(found) > 5 else "")
    first = migration.down[0]
    statements = tuple(one.sql for one in found if one.sql)
    fix = written(migration, first.path, Stage(statements, note="in the down")) if statements else ""
    yield Hit(first.location, f"rolling back {migration.revision} {listed}", fix, found[0].table)


@check_down("BG909")
def no_way_back(rollback: Rollback) -> Iterator[Hit]:
    """No down, where most migrations before it have one and this one does not say that it cannot have any."""
    migration = rollback.migration
    changes = [action for action in migration.up if not isinstance(action.operation, _NO_SCHEMA)]
    if migration.down or migration.one_way or not changes:
        return
    if not rollback.history.expects_down(migration):
        return
    message = f"{migration.revision} has no down, so a deploy that fails after it cannot be rolled back"
    said = 'raise NotImplementedError("irreversible")' if migration.tool == "alembic" else "-- irreversible"
    fix = written(
        migration, migration.path, Stage((), note=f"write its down; when it cannot be taken back, say so: {said}")
    )
    yield Hit(Location(changes[0].path, changes[0].location.line), message, fix, migration.revision)


@check_down("BG912")
def new_rows_may_not_fit(rollback: Rollback) -> Iterator[Hit]:
    """The down demands what the up gave up: rows written in between may not fit, and the rollback fails."""
    if not any(isinstance(action.operation, _DEMANDS) for action in rollback.migration.down):
        return
    schema = rollback.after.copy()
    found: list[tuple[Action, str]] = []
    for position, action in enumerate(rollback.migration.down):
        done = rollback.migration.down[:position]
        if not _prepared(action.operation, done) and (rows := _rows_that_do_not_fit(action.operation, schema)):
            found.append((action, rows))
        schema.apply(action.operation)
    if not found:
        return
    action, rows = found[0]
    more = f" (and so do {len(found) - 1} more columns)" if len(found) > 1 else ""
    message = f"{rows} make the rollback of {rollback.migration.revision} fail{more}"
    note = "in the down, first bring such rows into the old form with an UPDATE"
    fix = written(rollback.migration, action.path, Stage((), note=note))
    yield Hit(action.location, message, fix, action.operation.tables[0])


def _prepared(operation: op.Operation, done: Sequence[Action]) -> bool:
    """Whether the down has changed or deleted rows for the column's sake before."""
    if not isinstance(operation, _DEMANDS):
        return False
    changes = (each.operation for each in done if isinstance(each.operation, op.ChangeRows))
    named = re.compile(rf"(?i)(?<![\w$]){re.escape(operation.name)}(?![\w$])")
    return any(each.table == operation.table and named.search(each.sql) for each in changes)


def _rows_that_do_not_fit(operation: op.Operation, schema: Schema) -> str:
    """Return which rows, written after the up, an operation of the down refuses; empty when there can be none."""
    if not isinstance(operation, _DEMANDS):
        return ""
    column = schema.column(operation.table, operation.name)
    if column is None:
        return ""
    if isinstance(operation, op.SetNotNull):
        return (
            ""
            if column.not_null
            else f"rows that were written with {operation.table}.{operation.name} NULL in the meantime"
        )
    old, new = schema.base_type(column.type), schema.base_type(operation.type)
    if not may_refuse(old, new, label(operation.name), operation.using):
        return ""
    return f"values of {operation.table}.{operation.name} that {operation.type} does not hold"
