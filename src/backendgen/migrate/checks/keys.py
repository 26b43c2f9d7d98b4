"""Foreign keys and what they stand on: types, unique keys, indexes."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render
from backendgen.migrate.quoting import label, name, names
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.names import joined, object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Table, Type
from backendgen.sql.table_changes import BACKED_BY_INDEX, bare

# Types that have a common `=` in their index operators. A key across families needs an implicit cast (all tried on 18).
_FAMILIES = {
    "smallint": "integer", "integer": "integer", "bigint": "integer", "numeric": "numeric", "real": "float",
    "double precision": "float", "text": "text", "character varying": "text", "character": "text", "bpchar": "text",
    "uuid": "uuid", "boolean": "boolean", "date": "time", "timestamp with time zone": "time",
    "timestamp without time zone": "time", "bytea": "bytea", "inet": "inet", "cidr": "inet",
}  # fmt: skip
_CAST = {("integer", "numeric"), ("integer", "float"), ("numeric", "float")}
_LISTED = 3
_SIZE = {"smallint": 1, "integer": 2, "bigint": 3}


def foreign_keys(operation: op.Operation) -> tuple[Constraint, ...]:
    """Return the foreign keys that an operation adds."""
    match operation:
        case op.CreateTable(constraints=constraints) | op.AddColumn(constraints=constraints):
            return tuple(each for each in constraints if each.kind == "foreign_key")
        case op.AddConstraint(constraint=constraint) if constraint.kind == "foreign_key":
            return (constraint,)
        case _:
            return ()


def _columns(operation: op.Operation, table: str, schema: Schema) -> tuple[Column, ...]:
    known = schema.tables.get(table)
    columns = known.columns if known else ()
    match operation:
        case op.CreateTable(table=created, columns=own) if created == table:
            return own
        case op.AddColumn(table=altered, definition=column) if altered == table:
            return (*columns, column)
        case _:
            return columns


@check("BG720")
def key_does_not_fit(
    operation: op.CreateTable | op.AddColumn | op.AddConstraint, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A foreign key needs a unique key of just its referenced columns, and types that can be compared by an index."""
    for key in foreign_keys(operation):
        (table,) = operation.tables
        parent = schema.tables.get(key.references)
        if key.references == table or parent is None or not parent.columns:
            continue
        referenced = key.referenced_columns or parent.primary_key
        problem, severity = _problem(operation, key, parent, referenced, schema)
        if problem:
            message = f"foreign key {key.name} of {table} {problem}"
            fix = _fitting(key, parent, referenced, context)
            yield Hit(context.action.location, message, fix, table, severity=severity)


def _problem(
    operation: op.Operation, key: Constraint, parent: Table, referenced: tuple[str, ...], schema: Schema
) -> tuple[str, Severity | None]:
    """Say what is wrong with a key, and how bad that is when PostgreSQL takes it nevertheless."""
    if not referenced:
        if any(index.unique for index in parent.indexes):
            return "", None
        return f"refers to {parent.name}, which has no primary key: the migration fails", None
    missing = [column for column in referenced if parent.column(column) is None]
    if missing:
        return f"refers to {parent.name}.{missing[0]}, which is not there: the migration fails", None
    if not _is_unique(parent, referenced):
        listed = ", ".join(referenced)
        return f"refers to {parent.name} ({listed}), which no unique constraint holds: the migration fails", None
    own = {column.name: column for column in _columns(operation, operation.tables[0], schema)}
    for column, target in zip(key.columns, referenced, strict=False):
        to = parent.column(target)
        if column not in own or to is None:
            continue
        one, other = _base(own[column].type, schema), _base(to.type, schema)
        if not _comparable(one, other):
            return f"compares {column} ({one}) with {parent.name}.{target} ({other}): the migration fails", None
        if _SIZE.get(one.name, 9) < _SIZE.get(other.name, 0):
            return (
                f"puts {parent.name}.{target} ({other}) into {column} ({one}): INSERTs fail once its values outgrow {one}",
                Severity.MEDIUM,
            )
    return "", None


def _base(kind: Type, schema: Schema) -> Type:
    while (domain := schema.domains.get(kind.name)) is not None and not kind.array:
        kind = domain.base
    return kind


def _comparable(one: Type, other: Type) -> bool:
    first, second = _FAMILIES.get(one.name), _FAMILIES.get(other.name)
    if first is None or second is None or one.array or other.array:
        return True
    return first == second or (first, second) in _CAST


def _is_unique(parent: Table, columns: tuple[str, ...]) -> bool:
    """Whether a unique index without a condition has just these columns; one whose columns are not known may have."""
    wanted = sorted(columns)
    return any(
        index.unique and not index.where and (sorted(index.columns) == wanted or not index.columns)
        for index in parent.indexes
    )


def _fitting(key: Constraint, parent: Table, referenced: tuple[str, ...], context: Context) -> str:
    if referenced and all(parent.column(column) for column in referenced) and _is_unique(parent, referenced):
        kinds = ", ".join(f"{one} {_type(parent, other)}" for one, other in zip(key.columns, referenced, strict=False))
        return render(context, Stage((), note=f"give the referencing side the type of the other: {kinds}"))
    columns = key.referenced_columns
    if not columns or not all(parent.column(column) for column in columns):
        return render(context, Stage((), note=f"refer to a primary key or unique constraint of {parent.name}"))
    index = label(object_name(bare(parent.name), joined(columns), "key"))
    built = f"CREATE UNIQUE INDEX CONCURRENTLY {index} ON {name(parent.name)} ({names(columns)})"
    adopted = alter(parent.name, f"ADD CONSTRAINT {index} UNIQUE USING INDEX {index}")
    return render(context, Stage((built,), transactional=False), Stage((adopted,), note="then the foreign key"))


def _type(table: Table, column: str) -> str:
    found = table.column(column)
    return str(found.type) if found else ""


@check("BG721")
def needed_index_dropped(
    operation: op.DropIndex | op.DropConstraint, schema: Schema, context: Context
) -> Iterator[Hit]:
    """The index behind a constraint goes with the constraint only; one that foreign keys need goes after them."""
    if isinstance(operation, op.DropIndex):
        owner = schema.index_owner(operation.index)
        if not isinstance(owner, Table):
            return
        constraint = owner.constraint(bare(operation.index))
        if constraint and constraint.kind in BACKED_BY_INDEX:
            message = (
                f"index {operation.index} belongs to the constraint of that name: PostgreSQL refuses to drop it alone"
            )
            first = [
                Stage((drop,), note="first, in a migration of its own")
                for drop in _keys_on(owner, constraint.columns, schema)
            ]
            dropped = alter(owner.name, f"DROP CONSTRAINT {label(constraint.name)}")
            yield Hit(context.action.location, message, render(context, *first, Stage((dropped,))), owner.name)
            return
        index = owner.index(operation.index)
        columns = index.columns if index and index.unique else ()
    elif isinstance(operation, op.DropConstraint):
        owner = schema.tables.get(operation.table)
        constraint = owner.constraint(operation.name) if owner else None
        if owner is None or constraint is None or constraint.kind not in ("primary_key", "unique"):
            return
        columns = constraint.columns
    else:
        return
    yield from _still_referred_to(operation, owner, columns, schema, context)


def _still_referred_to(
    operation: op.Operation, owner: Table, columns: tuple[str, ...], schema: Schema, context: Context
) -> Iterator[Hit]:
    """Foreign keys hang on the index that they were made with; where another would do as well it may be that one."""
    keys = _keys_on(owner, columns, schema)
    equal = [index for index in owner.indexes if index.unique and sorted(index.columns) == sorted(columns)]
    if not keys or len(equal) > 1 or getattr(operation, "cascade", False):
        return
    children = sorted({child.name for child, _ in schema.references_to(owner.name)})
    message = f"foreign keys of {', '.join(children)} need it: PostgreSQL refuses to drop it"
    first = [Stage((drop,), note="first, in a migration of its own") for drop in keys]
    yield Hit(context.action.location, message, render(context, *first, Stage((operation.sql,))), owner.name)


def _keys_on(owner: Table, columns: tuple[str, ...], schema: Schema) -> list[str]:
    """Return what drops the foreign keys that refer to just these columns."""
    return [
        alter(child.name, f"DROP CONSTRAINT {label(key.name)}")
        for child, key in schema.references_to(owner.name)
        if columns and sorted(key.referenced_columns) == sorted(columns)
    ]


@check("BG724")
@once
def key_without_index(
    operation: op.CreateTable | op.AddColumn | op.AddConstraint, schema: Schema, context: Context
) -> Iterator[Hit]:
    """Every DELETE of a parent's row, and every change of its key, looks for the rows that refer to it."""
    bare_keys = [
        key for key in foreign_keys(operation)
        if not _indexed(operation, key, schema, context) and not _lists_values(key.references, schema)
    ]  # fmt: skip
    if not bare_keys:
        return
    (table,) = operation.tables
    listed = [f"{table} ({', '.join(key.columns)}), which refers to {key.references}" for key in bare_keys]
    more = f"; {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    message = f"no index on {'; '.join(listed[:_LISTED])}{more}: each DELETE there reads all of {table}"
    indexes = []
    for key in bare_keys:
        index = object_name(bare(table), joined(key.columns), "idx")
        online = "" if context.is_new(table) or isinstance(operation, op.CreateTable) else "CONCURRENTLY "
        indexes.append(f"CREATE INDEX {online}{label(index)} ON {name(table)} ({names(key.columns)})")
    transactional = "CONCURRENTLY" not in indexes[0]
    stages = [Stage((index,), transactional=transactional) for index in indexes]
    confidence = None if table in schema.tables or isinstance(operation, op.CreateTable) else Confidence.LOW
    fix = render(context, *([Stage(tuple(indexes))] if transactional else stages))
    yield Hit(context.action.location, message, fix, table, confidence=confidence)


def _lists_values(parent: str, schema: Schema) -> bool:
    """Whether the parent is nothing but a list of allowed values, from which hardly anybody deletes."""
    known = schema.tables.get(parent)
    return known is not None and len(known.columns) == 1 and known.columns[0].type.name in ("text", "character varying")


def _indexed(operation: op.Operation, key: Constraint, schema: Schema, context: Context) -> bool:
    """Whether an index begins with one of the key's columns, now or at any time that the history shows."""
    (table,) = operation.tables
    known = schema.tables.get(table)
    leading = {index.columns[0] for index in (known.indexes if known else ()) if index.columns and not index.where}
    if isinstance(operation, op.CreateTable | op.AddColumn):
        leading |= {each.columns[0] for each in operation.constraints if each.kind in BACKED_BY_INDEX and each.columns}
    ever = {(table, column) for column in key.columns} & context.history.indexed
    return bool(leading & set(key.columns)) or bool(ever)
