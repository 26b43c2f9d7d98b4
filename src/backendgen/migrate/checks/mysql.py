"""MySQL and MariaDB: changes that copy or rebuild a table, and those that make writes wait."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, remedy, statement_of
from backendgen.migrate.mysql_algorithms import Change, change, enum_values
from backendgen.migrate.mysql_fixes import alter, definition, online, pasted, takes_clauses, with_clauses
from backendgen.migrate.quoting import literal, mysql_name
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint, Type

_WEAK = ("INSTANT", "INPLACE", "NOCOPY")
_LOCKING = ("SHARED", "EXCLUSIVE")
_COPYING = (
    "another type", "a stored generated column added", "another character set of a column", "partitions of all rows",
    "an AUTO_INCREMENT column added",
)  # fmt: skip
_INDEXES = ("the first FULLTEXT index added", "a FULLTEXT index added", "a SPATIAL index added")
_CHECKS = ("a CHECK added", "a CHECK enforced")
_REBUILDING = (
    "a column added at the end", "a column added in between", "a column dropped", "a column moved", "NOT NULL set",
    "NOT NULL dropped",
)  # fmt: skip
_WHOLE_TABLE = (
    "CONVERT TO CHARACTER SET",
    "another ENGINE",
    "the same ENGINE again",
    "another ROW_FORMAT",
    "a rebuild",
)
_KEYS = (
    "a primary key added",
    "the primary key dropped",
    "the primary key dropped beside a unique key",
    "the primary key replaced",
)


def _server(context: Context) -> str:
    name = "MariaDB" if context.history.dialect == "mariadb" else "MySQL"
    return f"{name} {'.'.join(str(part) for part in context.history.version if part != 999)}"


def _is_old(operation: op.Operation, context: Context) -> bool:
    """Whether an operation changes a table that was there before the deploy and stays."""
    table = getattr(operation, "table", "")
    return bool(table) and not context.is_new(table) and table not in context.dropped


def _change(operation: op.Operation, schema: Schema, context: Context) -> Change | None:
    if not _is_old(operation, context):
        return None
    steps = [action.operation for action in statement_of(context)]
    dropped = any(isinstance(step, op.DropConstraint) and step.name == "PRIMARY" for step in steps)
    added = any(_adds_key(step) for step in steps)
    unchecked = context.setting("foreign_key_checks") == "0"
    return change(operation, schema, context.history, unchecked=unchecked, replaces_key=dropped and added)


def _adds_key(operation: op.Operation) -> bool:
    match operation:
        case op.AddConstraint(constraint=constraint):
            return constraint.kind == "primary_key"
        case op.AddColumn(constraints=constraints):
            return any(constraint.kind == "primary_key" for constraint in constraints)
        case _:
            return False


def _effect(found: Change, operation: op.Operation, context: Context) -> str:
    """Say what the server does with the table, or that it refuses what the statement asks for."""
    table, server = getattr(operation, "table", ""), _server(context)
    because = f" because of {found.because}" if found.because else ""
    if found.cost.algorithm == "COPY" and operation.algorithm in _WEAK:
        return f"{server} refuses ALGORITHM={operation.algorithm} for it, so the migration fails"
    if found.cost.algorithm == "COPY":
        return f"{server} copies all of {table}, and writes wait until the copy is done"
    if found.cost.blocks_writes:
        work = "writes all rows anew" if found.cost.rebuilds else "reads all rows"
        return f"{server} {work}{because}, and writes of {table} wait until it is done"
    return f"{server} writes all rows of {table} anew{because}: twice the disk, and replicas fall behind for as long"


def _hits(
    operation: op.Operation,
    schema: Schema,
    context: Context,
    forms: Collection[str],
    fix: Callable[[Change], str] | None = None,
) -> Iterator[Hit]:
    found = _change(operation, schema, context)
    if found is None or found.form not in forms or (not found.cost.rebuilds and not found.cost.blocks_writes):
        return
    table = getattr(operation, "table", "")
    known = schema.tables.get(table)
    column = known.column(operation.name) if known and isinstance(operation, op.ModifyColumn) else None
    unsure = isinstance(operation, op.ModifyColumn) and column is None
    if unsure:
        name = f"{table}.{getattr(operation, 'name', '')}"
        message = f"MODIFY {name}: if the type changes, {_effect(found, operation, context)}"
    else:
        message = f"{_what(operation, found)}: {_effect(found, operation, context)}"
    yield Hit(
        context.action.location, message, fix(found) if fix else online(context), table,
        confidence=Confidence.LOW if unsure else None,
    )  # fmt: skip


def _what(operation: op.Operation, found: Change) -> str:
    match operation:
        case op.ModifyColumn(table=table, name=name, definition=column):
            return f"{found.form} ({table}.{name} becomes {_short(column.type)})"
        case op.AddColumn(table=table, definition=column):
            return f"{found.form} ({table}.{column.name})"
        case op.DropColumn(table=table, name=name):
            return f"{found.form} ({table}.{name})"
        case op.CreateIndex(table=table, index=index):
            return f"{found.form} ({index.name or ', '.join(index.columns)} on {table})"
        case op.AddConstraint(table=table, constraint=constraint):
            return f"{found.form} ({constraint.name or ', '.join(constraint.columns)} on {table})"
        case op.RewriteTable(table=table, how=how):
            return f"{how} of {table}"
        case _:
            return f"{found.form} ({getattr(operation, 'table', '')})"


def _short(kind: Type) -> str:
    text = str(kind)
    return text if len(text) <= 40 else f"{text[:37]}..."


@check("BG750")
def table_copied(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A change that no online algorithm can do."""
    yield from _hits(operation, schema, context, _COPYING)


@check("BG751")
def algorithm_not_stated(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Without the clauses the server falls back to what is slow, and says nothing. Said once a file, mended everywhere."""
    steps = [action.operation for action in statement_of(context)]
    if operation is not steps[0] or operation.algorithm or operation.lock or not takes_clauses(operation.sql):
        return
    found = [each for step in steps if (each := _change(step, schema, context))]
    if not found or any(each.cost.algorithm == "COPY" or each.cost.blocks_writes for each in found):
        return
    worst = max(found, key=lambda each: (each.cost.algorithm == "INPLACE", each.cost.rebuilds))
    table = getattr(operation, "table", "")
    message = (
        f"{table} is changed without ALGORITHM and LOCK: where {_server(context)} cannot do it online, "
        "it copies the table and lets writes wait"
    )
    stage = Stage((with_clauses(operation.sql, worst.cost),))
    change = remedy(context, stage)
    if first := context.said_at.get("BG751"):
        yield Hit(first, "", "", table, remedy=change)  # joins what was said there
        return
    context.said_at["BG751"] = context.action.location
    yield Hit(context.action.location, message, pasted(context, stage), table, remedy=change)


@check("BG752")
def slow_algorithm_asked_for(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """ALGORITHM=COPY, LOCK=SHARED or LOCK=EXCLUSIVE."""
    if statement_of(context)[0].operation is not operation or not _is_old(operation, context):
        return
    asked = [f"ALGORITHM={operation.algorithm}"] if operation.algorithm == "COPY" else []
    asked += [f"LOCK={operation.lock}"] if operation.lock in _LOCKING else []
    if not asked:
        return
    table = getattr(operation, "table", "")
    what = "reads and writes" if operation.lock == "EXCLUSIVE" else "writes"
    message = f"{' and '.join(asked)} makes {what} of {table} wait until the change is done"
    found = [each for action in statement_of(context) if (each := _change(action.operation, schema, context))]
    worst = max(found, key=lambda each: (each.cost.algorithm == "INPLACE", each.cost.rebuilds), default=None)
    if worst is None or any(each.cost.blocks_writes for each in found):
        yield Hit(context.action.location, message, online(context), table)
        return
    stage = Stage((with_clauses(operation.sql, worst.cost),))
    yield Hit(context.action.location, message, pasted(context, stage), table, remedy=remedy(context, stage))


@check("BG753")
def text_or_spatial_index(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """FULLTEXT and SPATIAL indexes let nobody write while they are built."""
    yield from _hits(operation, schema, context, _INDEXES)


@check("BG754")
def foreign_key_checked(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """ADD FOREIGN KEY copies the table, unless foreign_key_checks is off."""
    if not isinstance(operation, op.AddConstraint) or operation.constraint.kind != "foreign_key":
        return
    key = operation.constraint
    yield from _hits(
        operation, schema, context, ("a foreign key added",), lambda _: _unchecked(key, operation, context)
    )


def _unchecked(key: Constraint, operation: op.AddConstraint, context: Context) -> str:
    child, parent = mysql_name(operation.table), mysql_name(key.references)
    referenced = key.referenced_columns or ("id",)
    pairs = list(zip(key.columns, referenced, strict=False))
    same = " AND ".join(f"p.{mysql_name(b)} = c.{mysql_name(a)}" for a, b in pairs)
    filled = " AND ".join(f"c.{mysql_name(a)} IS NOT NULL" for a, _ in pairs)
    lonely = f"{filled} AND p.{mysql_name(referenced[0])} IS NULL"
    orphans = f"SELECT c.* FROM {child} c LEFT JOIN {parent} p ON {same} WHERE {lonely}"
    action = f" ON DELETE {key.on_delete.upper()}" if key.on_delete else ""
    name = f"CONSTRAINT {mysql_name(key.name)} " if key.name else ""
    columns = ", ".join(map(mysql_name, key.columns))
    added = f"ADD {name}FOREIGN KEY ({columns}) REFERENCES {parent} ({', '.join(map(mysql_name, referenced))}){action}"
    return pasted(
        context,
        Stage((orphans,), note="finds the rows without a parent: mend them first, the server will not look at them"),
        Stage((
            "SET foreign_key_checks = 0",
            alter(operation.table, added, "ALGORITHM=INPLACE", "LOCK=NONE"),
            "SET foreign_key_checks = 1",
        )),
    )  # fmt: skip


@check("BG755")
def check_enforced(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """ADD CHECK and ALTER CHECK ... ENFORCED."""
    yield from _hits(operation, schema, context, _CHECKS, lambda _: _not_enforced(operation, context))


def _not_enforced(operation: op.Operation, context: Context) -> str:
    if context.history.dialect == "mariadb" or not isinstance(operation, op.AddConstraint):
        return online(context)
    constraint = operation.constraint
    named = f"CONSTRAINT {mysql_name(constraint.name)} " if constraint.name else ""
    added = f"ADD {named}CHECK ({constraint.expression}) NOT ENFORCED"
    stage = Stage(
        (alter(operation.table, added, "ALGORITHM=INPLACE", "LOCK=NONE"),),
        note="for new tools and readers of the schema; to have it enforced too:",
    )
    return online(context, stage)


@check("BG758")
def varchar_crosses_255_bytes(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """From 256 bytes on a VARCHAR keeps its length in two bytes, in every row."""
    yield from _hits(operation, schema, context, ("a VARCHAR made longer than 255 bytes",))


@check("BG759")
def enum_values_changed(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Values that go, or come in between, give the stored numbers another meaning: every row is written anew."""
    if not isinstance(operation, op.ModifyColumn):
        return
    old = schema.column(operation.table, operation.name)
    if old is None:
        return
    before, after = enum_values(old), enum_values(operation.definition)
    gone = [value for value in before if value not in after]
    for hit in _hits(operation, schema, context, ("values of an ENUM or SET changed",)):
        lost = (
            f"; rows with {', '.join(map(literal, gone))} are refused, or emptied without strict mode" if gone else ""
        )
        values = (*before, *(value for value in after if value not in before))
        kept = f"{old.type.name[: old.type.name.index('(')]}({','.join(map(literal, values))})"
        column = definition(replace(operation.definition, type=Type(kept)))
        stage = Stage(
            (alter(operation.table, f"MODIFY COLUMN {column}", "ALGORITHM=INPLACE", "LOCK=NONE"),),
            note="values are only appended; what is used no more may stay",
        )
        fix = pasted(context, stage) if len(values) > len(before) else online(context)
        yield Hit(hit.location, f"{hit.message}{lost}", fix, operation.table)


@check("BG760")
def rebuilt_in_place(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """What is not INSTANT on this version, or on such a table, writes every row anew."""
    for hit in _hits(operation, schema, context, _REBUILDING):
        found = _change(operation, schema, context)
        grave = found is not None and found.cost.blocks_writes
        yield Hit(hit.location, hit.message, hit.fix, hit.symbol, confidence=hit.confidence,
                  severity=Severity.HIGH if grave else None)  # fmt: skip


@check("BG761")
def whole_table_converted(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """CONVERT TO CHARACTER SET, ENGINE, ROW_FORMAT, OPTIMIZE, FORCE."""
    yield from _hits(operation, schema, context, _WHOLE_TABLE)


@check("BG762")
def primary_key_changed(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """InnoDB keeps the rows in the order of the primary key."""
    steps = [action.operation for action in statement_of(context)]
    first = next((step for step in steps if _adds_key(step) or isinstance(step, op.DropConstraint)), None)
    if first is operation:
        yield from _hits(operation, schema, context, _KEYS)
