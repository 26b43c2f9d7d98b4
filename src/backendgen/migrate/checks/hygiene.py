"""Hygiene: what does no harm today. Each is said once in a migration, of all that it concerns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render
from backendgen.migrate.history import Action
from backendgen.migrate.quoting import label, name
from backendgen.rules import Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Type

_LIMIT = 63  # bytes: PostgreSQL cuts a longer identifier (manual, 4.1.1)
_LONG, _LONG_IN_QUOTES = re.compile(r"\b\w{64}", re.ASCII), re.compile(r'"[^"]{64}')
_WORD = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(\$\w*\$).*?\1|"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\W\d][\w$]*)""",
    re.DOTALL,
)
_KEYS = ("smallint", "integer")
_NUMBERED = re.compile(r"_id$|Id$|ID$|^(?:no|nr|num|number|seq)$|_(?:no|nr|num|number|seq)$")
_MONEY = re.compile(r"(?i)(?:^|_)(?:price|amount|cost|total|balance|fee|salary|budget)(?:$|_)")
_SHOWN = 6
_HABIT = 10  # columns


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{more}"


def _rest(context: Context) -> tuple[Action, ...]:
    return context.migration.up[context.position :]


def _columns(operation: op.Operation) -> Iterator[tuple[str, Column]]:
    """Yield the columns that an operation defines, each with its table."""
    if isinstance(operation, op.CreateTable) and not operation.temporary:
        yield from ((operation.table, column) for column in operation.columns)
    elif isinstance(operation, op.AddColumn):
        yield operation.table, operation.definition
    elif isinstance(operation, op.AlterColumnType):
        yield operation.table, Column(operation.name, operation.type)


@check("BG740")
@once
def statistics_gone(operation: op.CreateIndex | op.AlterColumnType, schema: Schema, context: Context) -> Iterator[Hit]:
    """A changed type loses the column's statistics, an index on an expression has none: until ANALYZE, plans are guesses."""
    what = _without_statistics(operation, schema, context)
    if not what:
        return
    (table,) = operation.tables
    if any(isinstance(each.operation, op.Harmless) and each.operation.what == "ANALYZE" for each in context.later):
        return
    fix = render(context, Stage((f"ANALYZE {name(table)}",), note="when it is committed"))
    yield Hit(context.action.location, f"{what}: until ANALYZE, its plans are guesses", fix, table)


def _without_statistics(operation: op.Operation, schema: Schema, context: Context) -> str:
    if isinstance(operation, op.CreateIndex) and not context.is_new(operation.table):
        if any(key.expression for key in operation.index.keys):
            return f"the index {operation.index.name} is on an expression that has no statistics yet"
    elif isinstance(operation, op.AlterColumnType) and not context.is_new(operation.table):
        known = schema.column(operation.table, operation.name)
        if (known and known.type == operation.type) or (operation.table, operation.name) in context.new_columns:
            return ""
        return f"changing the type of {operation.table}.{operation.name} drops its statistics"
    return ""


@check("BG741")
@once
def unnamed(operation: op.CreateIndex | op.AddConstraint, schema: Schema, context: Context) -> Iterator[Hit]:
    """A second run makes a second index or constraint beside the first, and a later DROP has to guess the name."""
    if not _unnamed(operation, context):
        return
    found = [given for each in _rest(context) if (given := _unnamed(each.operation, context))]
    message = f"without a name in the migration (PostgreSQL makes one up): {_listed(found)}"
    yield Hit(context.action.location, message, render(context, Stage((), note=f"name it: {found[0]}")))


def _unnamed(operation: op.Operation, context: Context) -> str:
    if isinstance(operation, op.CreateIndex) and not operation.named and not context.is_new(operation.table):
        return operation.index.name
    if isinstance(operation, op.AddConstraint) and not context.is_new(operation.table):
        constraint = operation.constraint
        if not constraint.named and not constraint.using_index and constraint.kind != "primary_key":
            return constraint.name
    return ""


@check("BG742")
def name_too_long(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A name of more than 63 bytes is cut, so that two long names may become one."""
    sql = operation.sql
    if not _may_be_too_long(sql):
        return
    for word in _WORD.finditer(sql):
        identifier = word["quoted"] or word["plain"] or ""
        if len(identifier.encode()) > _LIMIT:
            kept = identifier.encode()[:_LIMIT].decode(errors="ignore")
            message = f"{identifier} has {len(identifier.encode())} bytes: PostgreSQL cuts it to {kept}"
            fix = render(context, Stage((), note=f"a name of at most {_LIMIT} bytes"))
            yield Hit(context.action.location, message, fix, kept)
            return


@lru_cache(maxsize=1)  # an ALTER TABLE with ten actions is ten operations of one text
def _may_be_too_long(sql: str) -> bool:
    if not sql.isascii():
        return True
    words = max(
        map(len, sql.split()), default=0
    )  # no name without quotes is longer than what stands between white space
    return (words > _LIMIT and bool(_LONG.search(sql))) or ('"' in sql and bool(_LONG_IN_QUOTES.search(sql)))


@check("BG819")
@once
def no_primary_key(operation: op.CreateTable, schema: Schema, context: Context) -> Iterator[Hit]:
    """Without a primary key no row can be named: not by logical replication, nor by tools that copy tables online."""
    if not _lacks_key(operation, context):
        return
    found = [each.operation for each in _rest(context) if _lacks_key(each.operation, context)]
    tables = ["".join(each.tables[:1]) for each in found]
    message = f"no primary key: {_listed(tables)}; logical replication refuses UPDATE and DELETE without one"
    key = alter(tables[0], "ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    note = "in the migration that creates it, or the columns that name a row as its PRIMARY KEY"
    yield Hit(context.action.location, message, render(context, Stage((key,), note=note)), tables[0])


def _lacks_key(operation: op.Operation, context: Context) -> bool:
    if not isinstance(operation, op.CreateTable) or operation.temporary or not operation.columns:
        return False
    if operation.partition_of or operation.inherits or operation.like:
        return False
    if any(constraint.kind == "primary_key" for constraint in operation.constraints):
        return False
    return not any(_gives_key(other, operation.table) for other in context.around(operation.table))


def _gives_key(operation: op.Operation, table: str) -> bool:
    """Whether the operation gives the table a primary key, or takes the table away."""
    match operation:
        case op.AddConstraint():
            return operation.table == table and operation.constraint.kind == "primary_key"
        case op.AddColumn():
            return operation.table == table and any(one.kind == "primary_key" for one in operation.constraints)
        case op.DropTable():
            return operation.table == table
        case _:
            return False


@check("BG820")
@once
def key_runs_out(operation: op.CreateTable | op.AddColumn, schema: Schema, context: Context) -> Iterator[Hit]:
    """A key of four bytes ends at 2,147,483,647, and to widen it then writes the table anew under a lock."""
    if not _short_keys(operation):
        return
    found = [key for each in _rest(context) for key in _short_keys(each.operation)]
    message = f"{_listed(found)}: the numbers end, and a wider type then writes the table anew under a lock"
    yield Hit(context.action.location, message, render(context, Stage((), note="bigint from the start")))


def _short_keys(operation: op.Operation) -> list[str]:
    """Return the numbered keys, `orders.id integer`; a key that refers to another table has that one's type."""
    if not isinstance(operation, op.CreateTable | op.AddColumn):
        return []
    keys = {one.columns[0] for one in operation.constraints if one.kind == "primary_key" and len(one.columns) == 1}
    foreign = {column for one in operation.constraints if one.kind == "foreign_key" for column in one.columns}
    return [
        f"{table}.{column.name} {column.type}"
        for table, column in _columns(operation)
        if column.type.name in _KEYS
        and not column.type.array
        and column.name not in foreign
        and (
            column.name == "id"
            or (column.name in keys and _NUMBERED.search(column.name))
            or column.identity
            or _is_serial(column)
        )
    ]


def _is_serial(column: Column) -> bool:
    return (column.default or "").startswith("nextval(")


@check("BG821")
@once
def costly_type(
    operation: op.CreateTable | op.AddColumn | op.AlterColumnType, schema: Schema, context: Context
) -> Iterator[Hit]:
    """Types that cost a change of type later: rewrites, lost instants, rounded money."""
    if not _costly(operation, schema, context):
        return
    found = [one for each in _rest(context) for one in _costly(each.operation, schema, context)]
    fix = render(context, Stage((), note="; ".join(dict.fromkeys(better for _, better in found))))
    yield Hit(context.action.location, f"costly to change later: {_listed([column for column, _ in found])}", fix)


def _costly(operation: op.Operation, schema: Schema, context: Context) -> list[tuple[str, str]]:
    """Return (column and type, what to write) for each column of an operation, types that are a habit left out."""
    found = []
    for table, column in _columns(operation):
        kind = column.type
        match kind.name:
            case "timestamp without time zone":
                advice = "timestamptz: it is an instant, whatever the session's time zone"
            case "time with time zone":
                advice = "time, or timestamptz for an instant"
            case "character" | "char" | '"char"':
                advice = "text: char(n) is padded with blanks"
            case "money":
                advice = "numeric: money depends on lc_monetary"
            case "real" | "double precision" if _MONEY.search(column.name):
                advice = "numeric: binary fractions round money"
            case _:
                continue
        if not _is_habit(kind, schema, context):
            found.append((f"{table}.{column.name} {kind}", advice))
    return found


def _is_habit(kind: Type, schema: Schema, context: Context) -> bool:
    """Whether many older columns are of the type: one more is like its neighbours, and that is worth more than advice."""
    older = (table for table in schema.tables.values() if not context.is_new(table.name))
    return sum(column.type.name == kind.name for table in older for column in table.columns) >= _HABIT


@check("BG822")
def json_column(
    operation: op.CreateTable | op.AddColumn | op.AlterColumnType, schema: Schema, context: Context
) -> Iterator[Hit]:
    """json has no equality: SELECT DISTINCT, GROUP BY and UNION over all columns fail from now on.

    Of new tables it is said once in a migration.
    """
    found = _json_columns(operation)
    if not found:
        return
    table, column = found[0]
    if isinstance(operation, op.CreateTable) or context.is_new(table):
        if json_column.__name__ not in context.said:
            context.said.add(json_column.__name__)
            every = [f"{owner}.{each}" for action in _rest(context) for owner, each in _json_columns(action.operation)]
            message = f"json has no equality, and cannot be indexed: {_listed(every)}"
            fix = render(context, Stage((), note="jsonb"))
            yield Hit(context.action.location, message, fix, table, severity=Severity.INFO)
        return
    message = (
        f"{table}.{column} is json, which has no equality: "
        f"SELECT DISTINCT and UNION of whole rows of {table} in the code that runs now fail"
    )
    fix = render(context, Stage((alter(table, _as_jsonb(operation, label(column))),)))
    yield Hit(context.action.location, message, fix, table)


def _json_columns(operation: op.Operation) -> list[tuple[str, str]]:
    return [(table, column.name) for table, column in _columns(operation) if column.type.name == "json"]


def _as_jsonb(operation: op.Operation, column: str) -> str:
    if isinstance(operation, op.AlterColumnType):
        return f"ALTER COLUMN {column} TYPE jsonb USING {column}::jsonb"
    return f"ADD COLUMN {column} jsonb"
