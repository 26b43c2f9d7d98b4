"""Running code against the new schema: what it still uses, what it does not write yet, what its connections have cached.

Without code to search (`--code`) these checks say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import TYPE_CHECKING

from backendgen.findings.finding import Hit, Step
from backendgen.migrate.checks.compatibility import is_rebuilt
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.types import narrows

if TYPE_CHECKING:
    from backendgen.migrate.running import RunningCode, Use

_SHOWN = 5
_COMPARED = frozenset({
    "smallint", "integer", "bigint", "numeric", "real", "double precision", "character", "character varying", "text", "uuid",
    "boolean", "date",
})  # fmt: skip
_LOWERED = frozenset({"BG801", "BG802", "BG803", "BG816"})


@dataclass(frozen=True, slots=True)
class _Loss:
    """What an operation takes from running code: a column, or a whole table or view when `column` is empty."""

    table: str
    column: str
    how: str

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}" if self.column else self.table


@check("BG840")
def still_used(
    operation: op.DropTable
    | op.RenameTable
    | op.SetSchema
    | op.DropColumn
    | op.RenameColumn
    | op.Drop
    | op.Rename
    | op.AlterColumnType,
    schema: Schema,
    context: Context,
) -> Iterator[Hit]:
    """What is dropped, renamed or narrowed, and the places that use it."""
    running = context.running
    loss = _loss(operation, context)
    if running is None or is_rebuilt(operation, context):
        return
    if isinstance(operation, op.AlterColumnType) and _narrows(operation, schema, context):
        yield from _narrowed(operation, schema, context, running)
    elif loss is not None and (found := _uses(loss, running, schema)):
        message = f"{running.name} still uses {loss.name}, which is {loss.how} here: {_places(found)}"
        note = f"first release code that does not use {loss.name}; then, in a later release, run this"
        severity = Severity.CRITICAL if found[0].confidence is Confidence.HIGH else None
        yield _hit(context, message, note, loss.table, found, severity)


def _narrowed(operation: op.AlterColumnType, schema: Schema, context: Context, running: RunningCode) -> Iterator[Hit]:
    name, kind = f"{operation.table}.{operation.name}", operation.type
    found = [use for use in running.of_column(operation.table, operation.name, schema) if use.written]
    if found:
        message = f"{running.name} writes {name}, which takes no more than {kind} from here on: {_places(found)}"
        note = f"first release code that writes to {name} only what {kind} holds; then run this"
        yield _hit(context, message, note, operation.table, found, Severity.MEDIUM)


def _hit(
    context: Context, message: str, note: str, table: str, found: Sequence[Use], severity: Severity | None = None
) -> Hit:
    """Make a hit of places that were found, as sure as the surest of them."""
    fix = render(context, Stage((), note=note))
    return Hit(context.action.location, message, fix, table, _steps(found, context), severity, found[0].confidence)


def _loss(operation: op.Operation, context: Context) -> _Loss | None:
    """Return what running code loses by an operation; None for what is new in the deploy, or comes back in the migration."""
    match operation:
        case op.DropTable(table=table):
            loss = _Loss(table, "", "dropped")
        case op.RenameTable(table=table, new_name=new):
            loss = _Loss(table, "", f"renamed to {new}")
        case op.SetSchema(table=table, schema=schema):
            loss = _Loss(table, "", f"moved to the schema {schema}")
        case op.DropColumn(table=table, name=name):
            loss = _Loss(table, name, "dropped")
        case op.RenameColumn(table=table, name=name, new_name=new):
            loss = _Loss(table, name, f"renamed to {new}")
        case op.Drop(object_type="view" | "materialized view", name=name):
            loss = _Loss(name, "", "dropped")
        case op.Rename(object_type="view" | "materialized view", name=name, new_name=new):
            loss = _Loss(name, "", f"renamed to {new}")
        case _:
            return None
    if context.is_new(loss.table) or (loss.table, loss.column) in context.new_columns:
        return None
    return None if any(_brings_back(later.operation, loss) for later in context.later) else loss


def _brings_back(operation: op.Operation, loss: _Loss) -> bool:
    match operation:
        case op.CreateTable(table=name) | op.CreateView(name=name) | op.RenameTable(new_name=name):
            return name == loss.table
        case op.AddColumn(table=table, definition=column):
            return bool(loss.column) and (table, column.name) == (loss.table, loss.column)
        case op.RenameColumn(table=table, new_name=name):
            return bool(loss.column) and (table, name) == (loss.table, loss.column)
        case _:
            return False


def _narrows(operation: op.AlterColumnType, schema: Schema, context: Context) -> bool:
    column = schema.column(operation.table, operation.name)
    was, new = column.type if column else operation.was, operation.type
    if was is None or context.is_new(operation.table) or was == new:
        return False
    if was.name in schema.enums and new.name in schema.enums:
        return not set(schema.enums[was.name]) <= set(schema.enums[new.name])
    return was.name in _COMPARED and new.name in _COMPARED and narrows(was, new)


def _uses(loss: _Loss, running: RunningCode, schema: Schema) -> Sequence[Use]:
    return running.of_column(loss.table, loss.column, schema) if loss.column else running.of_table(loss.table, schema)


@check("BG841")
def not_written(
    operation: op.AddColumn | op.SetNotNull | op.SetDefault | op.ModifyColumn, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A column that becomes required, and the places that insert rows without it."""
    required = _required(operation, schema, context)
    if required is None or context.running is None:
        return
    table, column = required
    added = isinstance(operation, op.AddColumn) or (table, column) in context.new_columns
    found = context.running.leaving_out(table, column, schema, added=added)
    if not found:
        return
    proven = found[0].confidence is Confidence.HIGH
    doubt = _doubt(table, context)
    message = (
        f"{table}.{column} becomes required, but {context.running.name} {'inserts' if proven else 'may insert'} rows "
        f"without it, which fails from here on{doubt}: {_places(found)}"
    )
    note = (
        f"give {table}.{column} a DEFAULT (ALTER COLUMN ... SET DEFAULT) until the code that writes it is everywhere; "
        "or first release that code, then run this"
    )
    severity = None if proven and not doubt else Severity.MEDIUM
    hit = _hit(context, message, note, table, found, severity)
    yield replace(hit, confidence=min(found[0].confidence, Confidence.MEDIUM)) if doubt else hit


def _doubt(table: str, context: Context) -> str:
    """Return why INSERTs that leave something out may still work: a trigger of the table may fill it."""
    if any(_makes_trigger(action.operation, table) for each in context.history.migrations for action in each.up):
        return f", unless a trigger of {table} fills it"
    return ""


def _makes_trigger(operation: op.Operation, table: str) -> bool:
    return isinstance(operation, op.Harmless) and operation.what == "CREATE TRIGGER" and operation.table == table


def _required(
    operation: op.AddColumn | op.SetNotNull | op.SetDefault | op.ModifyColumn, schema: Schema, context: Context
) -> tuple[str, str] | None:
    """Return the table and column that every INSERT must fill from this operation on, None when there is none."""
    if context.is_new(operation.table):
        return None
    table = schema.tables.get(operation.table)
    if isinstance(operation, op.AddColumn | op.ModifyColumn):
        column = operation.definition
        known = table.column(operation.name) if table and isinstance(operation, op.ModifyColumn) else None
        if not column.not_null or (known is not None and known.not_null and known.default is None):
            return None
    else:
        known = table.column(operation.name) if table else None
        if known is None or known.not_null == isinstance(operation, op.SetNotNull):
            return None
        column = known
        if isinstance(operation, op.SetDefault):
            if operation.default is not None:
                return None
            column = replace(known, default=None)
    has_value = column.default is not None and column.default.lower().partition("::")[0] != "null"
    if (
        has_value
        or column.generated is not None
        or column.identity
        or column.auto_increment
        or column.type.name.endswith("serial")
    ):
        return None
    given_later = any(_fills(later.operation, operation.table, column.name) for later in context.later)
    return None if given_later else (operation.table, column.name)


def _fills(operation: op.Operation, table: str, column: str) -> bool:
    """Whether an operation gives the column a default, or takes it or its NOT NULL away again."""
    match operation:
        case op.SetDefault(table=owner, name=name, default=default):
            return default is not None and (owner, name) == (table, column)
        case op.DropNotNull(table=owner, name=name) | op.DropColumn(table=owner, name=name):
            return (owner, name) == (table, column)
        case op.SetIdentity(table=owner, name=name, identity=identity):
            return bool(identity) and (owner, name) == (table, column)
        case op.DropTable(table=owner):
            return owner == table
        case _:
            return False


@check("BG842")
def plan_cached(
    operation: op.AddColumn | op.DropColumn | op.AlterColumnType | op.RenameColumn, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A table whose columns change beneath prepared statements that return `*`; said once for each table."""
    table = operation.table
    if context.running is None or context.is_new(table) or f"BG842 {table}" in context.said:
        return
    if isinstance(operation, op.AlterColumnType):
        column = schema.column(table, operation.name)
        if column is not None and column.type == operation.type:
            return
    found = context.running.stars(table, schema)
    if not found:
        return
    context.said.add(f"BG842 {table}")
    message = (
        f"the columns of {table} change beneath {context.running.name}'s prepared statements that return all of them: "
        f'they fail with "cached plan must not change result type" until they are prepared anew: {_places(found)}'
    )
    note = f"name the columns of {table} in these queries, or restart the code right after the migration"
    fix = render(context, Stage((), note=note))
    yield Hit(context.action.location, message, fix, table, _steps(found, context))


def graded(rule_id: str, hit: Hit, operation: op.Operation, schema: Schema, context: Context) -> Hit:
    """Lower what speaks of running code when none of it uses what is lost: the data are lost all the same."""
    running = context.running
    if running is None or rule_id not in _LOWERED:
        return hit
    loss = _loss(operation, context)
    if loss is None or _uses(loss, running, schema):
        return hit
    where = f"in {running.files:,} files of {running.name}"
    doubt = "" if running.deployed else " as they are now (--deployed REVISION reads those that run)"
    severity = Severity.LOW if running.deployed else Severity.MEDIUM
    return replace(hit, message=f"{hit.message}; no use of {loss.name} was found {where}{doubt}", severity=severity)


def _places(found: Sequence[Use]) -> str:
    shown = ", ".join(f"{use.location.path}:{use.location.line}" for use in found[:2])
    return f"{shown} and {len(found) - 2} more" if len(found) > 2 else shown


def _steps(found: Sequence[Use], context: Context) -> tuple[Step, ...]:
    folder = context.running.folder if context.running else ""
    places = [replace(use.location, path=normpath(f"{folder}/{use.location.path}")) for use in found[: _SHOWN + 1]]
    steps = [Step(place, use.note) for place, use in zip(places[:_SHOWN], found, strict=False)]
    if len(found) > _SHOWN:
        steps.append(Step(places[_SHOWN], f"and {len(found) - _SHOWN} more"))
    return tuple(steps)
