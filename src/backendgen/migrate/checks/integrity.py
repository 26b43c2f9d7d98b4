"""Integrity: constraints, triggers and replication that a migration takes away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.constraints import demands_not_null
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.checks.transaction_blocks import is_set_later
from backendgen.migrate.checks.values import goes_later
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, constraint_sql, render
from backendgen.migrate.quoting import label
from backendgen.rules import Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint

_RUNS = re.compile(r'(?i)\bexecute\s+(?:function|procedure)\s+([\w."]+)\s*\(')
_REFUSES = re.compile(r"(?i)\braise\s+(?:exception\b|'|sqlstate\b|\w+_\w+\s*(?:;|using\b))")
_BY_NAME = {
    "primary_key": re.compile(r"(?i)(?:_pkey|_pk|primary)$|^pk_"),
    "unique": re.compile(r"(?i)(?:_key|_uniq(?:ue)?|_uk)$|^(?:uq|uk|unique)_"),
    "foreign_key": re.compile(r"(?i)(?:_fkey|_fk)$|^fk_?"),
}
_SHOWN = 6
_LOST = {
    "primary_key": (Severity.HIGH, "the primary key {} is gone: logical replication refuses UPDATE and DELETE of {}, "
                                   "and ON CONFLICT on it fails"),
    "unique": (Severity.MEDIUM, "the unique {} is gone: duplicates get into {}, and ON CONFLICT on it fails"),
    "exclude": (Severity.MEDIUM, "the exclusion {} is not enforced any more: conflicting rows get into {}"),
    "foreign_key": (Severity.LOW, "the foreign key {} is not enforced any more: rows of {} may point to nothing"),
    "check": (Severity.LOW, "the constraint {} is not enforced any more: rows that break it get into {}"),
}  # fmt: skip


@check("BG808")
def constraint_dropped(operation: op.DropIndex | op.DropConstraint, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP CONSTRAINT, and DROP INDEX of a unique one, without a successor. Foreign keys are said once in a migration."""
    found = _dropped(operation, schema, context)
    if found is None:
        return
    lost, table = found
    severity, message = _LOST[lost.kind]
    message = message.format(lost.name, table)
    every = [found]
    if lost.kind == "foreign_key":
        if constraint_dropped.__name__ in context.said:
            return
        context.said.add(constraint_dropped.__name__)
        others = (_dropped(each.operation, schema, context) for each in context.later)
        every += [other for other in others if other and other[0].kind == "foreign_key"]
    if len(every) > 1:
        listed = ", ".join(f"{key.name} of {owner}" for key, owner in every[:_SHOWN])
        more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
        message = f"the foreign keys {listed}{more} are not enforced any more: rows may point to nothing"
    restored = tuple(sql for each in every if (sql := _restored(*each)))
    note = "if it is wanted again, without a long lock" if restored else "make sure that nothing counts on it"
    yield Hit(context.action.location, message, render(context, Stage(restored, note=note)), table, severity=severity)


def _dropped(operation: op.Operation, schema: Schema, context: Context) -> tuple[Constraint, str] | None:
    """Return a constraint that goes without a successor, and its table."""
    if isinstance(operation, op.DropIndex):
        index = schema.index(operation.index)
        if index is None or not index.unique or context.is_new(index.table):
            return None
        lost, table = Constraint("unique", index.name, index.columns), index.table
    elif isinstance(operation, op.DropConstraint) and not context.is_new(operation.table):
        table = operation.table
        known = schema.tables.get(table)
        lost = (known.constraint(operation.name) if known else None) or _guessed(operation)
    else:
        return None
    if _is_held_otherwise(lost, table, schema):
        return None
    if lost.kind not in _LOST or (not lost.columns and not operation.tables) or _goes_on(lost, table, context):
        return None
    return lost, table


def _is_held_otherwise(lost: Constraint, table: str, schema: Schema) -> bool:
    """Whether NOT NULL demands what a check does, or another key or unique index of its columns what a unique one does."""
    known = schema.tables.get(table)
    if lost.kind == "unique" and known is not None and lost.columns:
        return any(
            each.unique and each.valid and not each.where and each.name != lost.name
            and all(each.columns) and set(each.columns) == set(lost.columns)
            for each in known.indexes
        )  # fmt: skip
    return any(
        column is not None and column.not_null and demands_not_null(lost, column.name)
        for column in (schema.column(table, named) for named in lost.columns)
    )


def _guessed(operation: op.DropConstraint) -> Constraint:
    """Return a constraint that the history does not show, of the kind that its name tells."""
    for kind, pattern in _BY_NAME.items():
        if pattern.search(operation.name):
            return Constraint(kind, operation.name)  # type: ignore[arg-type]  # the keys are kinds
    return Constraint("check", operation.name)


def _goes_on(lost: Constraint, table: str, context: Context) -> bool:
    """Whether the migration drops what it was about, or puts another in its place, before or after."""
    if any(goes_later(table, column, context) for column in lost.columns or ("",)):
        return True
    if not lost.columns and any(  # it is not known, but its name tells what it is about
        isinstance(later, op.DropColumn) and later.name in lost.name for later in context.afterwards(table)
    ):
        return True
    return any(_replaces(operation, lost, table) for operation in context.around(table))


def _replaces(operation: op.Operation, lost: Constraint, table: str) -> bool:
    match operation:
        case op.AddConstraint(constraint=other) if operation.table == table:
            alike = other.kind == lost.kind or {other.kind, lost.kind} == {"unique", "primary_key"}
            same = other.name == lost.name or not lost.columns or bool(set(other.columns) & set(lost.columns))
            return alike and (same or bool(other.using_index) or lost.kind == "primary_key")
        case op.AddColumn(constraints=constraints) if operation.table == table:
            return any(other.kind == lost.kind == "primary_key" for other in constraints)
        case op.CreateIndex(index=index) if operation.table == table:
            return lost.kind == "unique" and index.unique and bool(set(index.columns) & set(lost.columns))
        case op.RenameTable():
            return table in (operation.table, operation.new_name)
        case _:
            return False


def _restored(lost: Constraint, table: str) -> str:
    if not lost.columns and lost.kind != "check":
        return ""  # nobody knows what it was
    if lost.kind == "foreign_key" or (lost.kind == "check" and lost.expression):
        return alter(table, f"ADD CONSTRAINT {label(lost.name)} {constraint_sql(lost)} NOT VALID")
    return ""


@check("BG809")
def replication_cut(operation: op.Drop | op.Harmless, schema: Schema, context: Context) -> Iterator[Hit]:
    """Subscribers stop, or miss rows, without an error here."""
    message = ""
    if isinstance(operation, op.Drop) and operation.object_type == "publication":
        message = f"dropping the publication {operation.name} stops its subscribers"
    elif isinstance(operation, op.Harmless):
        sql = operation.sql
        if operation.what == "DROP SUBSCRIPTION":
            message = "dropping the subscription stops its replication and drops its slot"
        elif operation.what == "ALTER PUBLICATION" and re.search(r"(?i)\b(?:drop|set)\s+table", sql):
            message = "tables that leave the publication are not replicated any more, and nobody is told"
        elif operation.what.endswith("REPLICA IDENTITY") and re.search(r"(?i)\bnothing$", sql):
            message = f"without a replica identity, UPDATE and DELETE of {operation.table} fail once it is published"
    if message:
        fix = render(context, Stage((), note="change the subscribers first"))
        yield Hit(context.action.location, message, fix, "".join(operation.tables[:1]))


@check("BG817")
def guards_switched_off(operation: op.SetSetting | op.Harmless, schema: Schema, context: Context) -> Iterator[Hit]:
    """Triggers, foreign keys among them, or row security that are off: also for the time until they are on again."""
    if isinstance(operation, op.SetSetting) and operation.name == "session_replication_role":
        if (operation.value or "").lower() not in ("replica", "local"):
            return
        back = operation.local or is_set_later((operation.name, "all"), context)
        message = (
            "session_replication_role = replica switches off triggers and foreign keys: rows that break them get in"
        )
        stage = Stage(("SET LOCAL session_replication_role = 'origin'",), note="leave it at")
        grade = Severity.MEDIUM if back else None
        yield Hit(context.action.location, message, render(context, stage), severity=grade)
    elif isinstance(operation, op.Harmless) and operation.what.startswith("ALTER TABLE DISABLE "):
        yield from _disabled(operation, context)


def _disabled(operation: op.Harmless, context: Context) -> Iterator[Hit]:
    table, what = operation.table, operation.what.removeprefix("ALTER TABLE DISABLE ")
    security = what == "ROW SECURITY"
    if context.is_new(table) or not (security or what.startswith("TRIG")):
        return
    everything = what == "TRIG ALL"
    back = any(isinstance(later, op.Harmless) and later.what.startswith("ALTER TABLE ENABLE ")
               for later in context.afterwards(table))  # fmt: skip
    if back and not everything:
        return
    if security:
        message = f"without row security, every role that may read {table} reads all of its rows"
    elif back:
        message = (
            f"rows of {table} that change before its triggers are enabled again are never checked by its foreign keys"
        )
    else:
        also = ", foreign keys among them," if everything else ""
        message = f"the triggers of {table}{also} stay off after this migration"
    on = operation.sql if security else f"{alter(table, 'ENABLE TRIGGER ' + ('ALL' if everything else 'USER'))}"
    note = "only when no policy is needed any more" if security else "in the same transaction, and check the rows"
    grade = None if everything and not back else Severity.MEDIUM
    yield Hit(context.action.location, message, render(context, Stage((on,), note=note)), table, severity=grade)


@check("BG818")
@once
def trigger_refuses(operation: op.Harmless, schema: Schema, context: Context) -> Iterator[Hit]:
    """A new trigger on an old table whose function raises exceptions: running code may still write what it refuses.

    Said once in a migration.
    """
    if operation.what != "CREATE TRIGGER" or context.is_new(operation.table):
        return
    found, table = _RUNS.search(operation.sql), operation.table
    routine = schema.routines.get(found[1].replace('"', "").removeprefix("public.")) if found else None
    if routine is None or not _REFUSES.search(routine.sql):
        return
    if any(isinstance(done, op.Drop) and done.object_type == "trigger" for done in context.before(table)):
        return  # it takes the place of another one
    message = (
        f"from now on {routine.name}() can refuse writes of {table}: code that runs now fails where it still makes them"
    )
    stage = Stage((operation.sql,), note="in a later release, when no running code makes such writes")
    yield Hit(context.action.location, message, render(context, stage), table)
