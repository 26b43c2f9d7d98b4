"""Values: what a change of type, default, enum or column does to them, and to the code that writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render
from backendgen.migrate.quoting import label, literal, name
from backendgen.rules import Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Type
from backendgen.sql.types import narrows

_INTEGERS = {
    "smallint": "-32768 AND 32767",
    "integer": "-2147483648 AND 2147483647",
    "bigint": "-9223372036854775808 AND 9223372036854775807",
}
_FRACTIONS = ("numeric", "real", "double precision")
_TIMES = ("date", "timestamp without time zone", "timestamp with time zone", "time without time zone", "interval")
_TEXTS = ("character varying", "character", "text", "bpchar")


def goes_later(table: str, column: str, context: Context) -> bool:
    """Whether the rest of the migration drops the column or its table."""
    return any(
        (isinstance(later, op.DropTable) and later.table == table)
        or (isinstance(later, op.DropColumn) and (later.table, later.name) == (table, column))
        for later in context.afterwards(table)
    )


@check("BG810")
def not_null_dropped(operation: op.DropNotNull, schema: Schema, context: Context) -> Iterator[Hit]:
    """Code that reads the column has never met a NULL in it."""
    if context.is_new(operation.table):
        return
    table, column = operation.table, operation.name
    known = schema.column(table, column)
    if (known and not known.not_null) or (table, column) in context.new_columns or goes_later(table, column, context):
        return
    if _later(op.SetNotNull, table, column, context):
        return
    message = f"{table}.{column} may be NULL from now on: code that reads it does not expect that"
    fix = render(context, Stage((alter(table, f"ALTER COLUMN {label(column)} DROP NOT NULL"),), note=(
        "in the release after the one whose code can read a NULL there")))  # fmt: skip
    yield Hit(context.action.location, message, fix, table)


@check("BG811")
def default_changed(operation: op.SetDefault, schema: Schema, context: Context) -> Iterator[Hit]:
    """INSERTs of the code that runs now count on the default."""
    if context.is_new(operation.table):
        return
    table, column = operation.table, operation.name
    known = schema.column(table, column)
    if (table, column) in context.new_columns or goes_later(table, column, context) or _gets_value(operation, context):
        return
    fix, severity = (
        render(context, Stage((operation.sql,), note=f"in a later release, when all code gives {column}")),
        None,
    )
    if operation.default is not None:
        if known is None or known.default is None or _same(known.default, operation.default):
            return
        message = (
            f"the default of {table}.{column} changes from {known.default} to {operation.default}: "
            "INSERTs of the code that runs now get it too"
        )
        severity = Severity.LOW
    elif known is not None and known.default is None:
        return
    elif known is not None and known.not_null and not _later(op.DropNotNull, table, column, context):
        message = f"{table}.{column} is NOT NULL and loses its default: INSERTs that leave it out fail"
    else:
        message = f"{table}.{column} loses its default: INSERTs that leave it out write NULL"
        severity = Severity.LOW
    yield Hit(context.action.location, message, fix, table, severity=severity)


def _gets_value(operation: op.SetDefault, context: Context) -> bool:
    """Whether the migration gives the column another default, or an identity, afterwards."""
    kinds = (op.SetDefault, op.SetIdentity, op.SetGenerated)
    return any(_later(kind, operation.table, operation.name, context) for kind in kinds)


def _later(kind: type[op.Operation], table: str, column: str, context: Context) -> bool:
    """Whether the rest of the migration does this to the column."""
    return any(isinstance(later, kind) and getattr(later, "name", "") == column for later in context.afterwards(table))


def _same(one: str, other: str) -> bool:
    """Whether two defaults differ at most in a cast."""
    return re.sub(r"::[\w .\"()\[\]]+$", "", one) == re.sub(r"::[\w .\"()\[\]]+$", "", other)


@check("BG812")
def narrowed(operation: op.AlterColumnType, schema: Schema, context: Context) -> Iterator[Hit]:
    """A narrower type rounds or cuts values, or refuses them and fails."""
    if context.is_new(operation.table):
        return
    table, column = operation.table, operation.name
    known = schema.column(table, column)
    was = known.type if known else operation.was
    if was is None or was.name in schema.enums or operation.type.name in schema.enums:
        return
    old, new = schema.base_type(was), schema.base_type(operation.type)
    loss = _loss(old, new, label(column), operation.using) if narrows(old, new) else None
    if loss is None:
        return
    consequence = f"{loss.which} make it fail" if loss.fails else f"values are {loss.which}"
    message = f"{table}.{column} from {was} to {operation.type}: {consequence}"
    note = f"copy {column} to a new column, and drop the old one in a later release"
    if loss.condition:
        note = f"must find nothing: SELECT count(*) FROM {name(table)} WHERE {loss.condition}"
    grade = Severity.MEDIUM if loss.fails else None
    yield Hit(context.action.location, message, render(context, Stage((), note=note)), table, severity=grade)


@dataclass(frozen=True, slots=True)
class _Loss:
    """What becomes of values that do not fit, and the condition that finds them, empty when there is none to give.

    `which` are the values when they make the change fail, else what is done to them.
    """

    which: str
    condition: str = ""
    fails: bool = False


def may_refuse(old: Type, new: Type, column: str, using: str) -> bool:
    """Whether a change of type fails on values that do not fit; others it rounds or cuts."""
    loss = _loss(old, new, column, using) if narrows(old, new) else None
    return loss is not None and loss.fails


def _loss(old: Type, new: Type, column: str, using: str) -> _Loss | None:
    """Return what a narrower type does to values, None when that is not known."""
    if old.array or new.array:
        return None
    cast = re.fullmatch(rf"(?i)\(?{re.escape(column)}\)?::.+|cast\(.+\)", using)
    if using and not cast and using.strip("()") != column:
        return None
    if old.name in _TEXTS and new.name in ("character varying", "character"):
        longer = f"length({column}) > {(new.modifiers or (1,))[0]}"
        return (
            _Loss("cut to its length, without an error", longer) if cast else _Loss("longer values", longer, fails=True)
        )
    if old.name in _TEXTS:
        return _Loss(f"values that are no {new}", fails=True)
    if old.name in _INTEGERS and new.name in _INTEGERS:
        return _Loss("values outside of its range", f"{column} NOT BETWEEN {_INTEGERS[new.name]}", fails=True)
    if old.name in _FRACTIONS:
        return _less_exact(old, new, column)
    return _less_time(old, new) if old.name in _TIMES else None


def _less_exact(old: Type, new: Type, column: str) -> _Loss | None:
    if new.name in _INTEGERS:
        return _Loss("rounded to whole numbers", f"{column} <> round({column}::numeric)")
    if new.name == "numeric" and new.modifiers:
        scale = new.modifiers[1] if len(new.modifiers) > 1 else 0
        if old.name == "numeric" and old.modifiers and scale >= (*old.modifiers, 0)[1]:
            digits = new.modifiers[0] - scale
            return _Loss("greater values", f"abs({column}) >= 1e{digits}", fails=True)
        return _Loss(f"rounded to {scale} decimals", f"{column} <> round({column}::numeric, {scale})")
    if (old.name, new.name) == ("double precision", "real"):
        return _Loss("rounded to 6 digits", f"{column} <> {column}::real")
    return None


def _less_time(old: Type, new: Type) -> _Loss | None:
    if old.name == new.name:
        return _Loss("rounded to fewer digits of a second")
    if new.name == "date":
        return _Loss("cut to their day")
    if new.name == "time without time zone":
        return _Loss("cut to their time of day")
    if (old.name, new.name) == ("timestamp with time zone", "timestamp without time zone"):
        return _Loss("turned into the session's local time and say no longer which instant they are")
    return None


@check("BG813")
def enum_value_gone(
    operation: op.RenameEnumValue | op.AlterColumnType | op.ChangeRows, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A value that is renamed or left out: code that still writes or compares it fails."""
    if isinstance(operation, op.RenameEnumValue):
        old, new = literal(operation.value), literal(operation.new_value)
        message = (
            f"{old} of {operation.name} becomes {new}: code that runs now still writes and compares {old}, and fails"
        )
        stage = Stage((f"ALTER TYPE {name(operation.name)} ADD VALUE {new}",), note=(
            f"then write {new}, change the rows in batches, and leave {old} where it is"))  # fmt: skip
        yield Hit(context.action.location, message, render(context, stage), operation.name)
    elif isinstance(operation, op.AlterColumnType) and not context.is_new(operation.table):
        yield from _values_left_out(operation, schema, context)
    elif isinstance(operation, op.ChangeRows) and operation.table in ("pg_enum", "pg_catalog.pg_enum"):
        message = "pg_enum is written by hand: rows and indexes that hold the value are broken"
        fix = render(context, Stage((), note="leave the value where it is, or move the column to a new type"))
        yield Hit(context.action.location, message, fix, operation.table)


def _values_left_out(operation: op.AlterColumnType, schema: Schema, context: Context) -> Iterator[Hit]:
    table, column = operation.table, operation.name
    known = schema.column(table, column)
    before = schema.enums.get(known.type.name, ()) if known else ()
    after = schema.enums.get(operation.type.name, ())
    gone = [value for value in before if value not in after]
    if not after or not gone:
        return
    values = ", ".join(map(literal, gone))
    message = (
        f"{table}.{column} loses {values}: rows that hold it make this fail, and so does code that still writes it"
    )
    query = f"SELECT count(*) FROM {name(table)} WHERE {label(column)}::text IN ({values})"
    note = f"leave the value in the type; or, when no running code writes it, this must find nothing: {query}"
    stage = Stage((), note=note)
    yield Hit(context.action.location, message, render(context, stage), table)
