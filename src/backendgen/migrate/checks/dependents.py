"""What hangs on an object that is dropped: CASCADE, views, functions, extensions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.migrate.quoting import label, literal
from backendgen.rules import Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

_VIEWS = ("view", "materialized view")
_ROUTINES = ("function", "procedure", "routine", "aggregate")
_CATALOGUE = {"type": "regtype", "domain": "regtype", "function": "regproc", "procedure": "regproc"}


@check("BG815")
def cascade(
    operation: op.DropTable | op.DropColumn | op.DropConstraint | op.Drop, schema: Schema, context: Context
) -> Iterator[Hit]:
    """CASCADE drops whatever depends on the object, and says so only in a NOTICE."""
    if not operation.cascade:
        return
    name, lost, known = _dependents(operation, schema)
    if not name or name in context.new or (known and not lost):
        return
    if lost:
        message, grade = f"CASCADE drops with {name}: {', '.join(lost)}", None
        stage = Stage((), note=f"drop {', '.join(lost)} by name, each when no running code needs it, then {name} alone")
    else:
        message, grade = f"CASCADE drops whatever depends on {name}, which this history does not show", Severity.LOW
        kind = _CATALOGUE.get(getattr(operation, "object_type", ""), "regclass")
        query = f"SELECT pg_describe_object(classid, objid, 0) FROM pg_depend WHERE refobjid = {literal(name)}::{kind}"
        stage = Stage((), note=f"leave out CASCADE, and drop by name what depends on it: {query}")
    yield Hit(context.action.location, message, render(context, stage), name, severity=grade)


def _dependents(operation: op.Operation, schema: Schema) -> tuple[str, list[str], bool]:
    """Return the dropped object's name, what the history knows to depend on it, and whether it would know that at all."""
    match operation:
        case op.DropTable(table=table):
            keys = [f"the foreign key {key.name} of {child.name}"
                    for child, key in schema.references_to(table) if child.name != table]  # fmt: skip
            return table, keys + _readers(schema, table), table in schema.tables
        case op.DropColumn(table=table, name=name):
            keys = [f"the foreign key {key.name} of {child.name}"
                    for child, key in schema.references_to(table) if name in key.referenced_columns]  # fmt: skip
            word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
            views = [f"the view {view.name}" for view in schema.views_reading(table) if word.search(view.query)]
            return f"{table}.{name}", keys + views, table in schema.tables
        case op.DropConstraint(table=table, name=name):
            known = schema.tables.get(table)
            constraint = known.constraint(name) if known else None
            columns = set(constraint.columns) if constraint else set()
            keys = [f"the foreign key {key.name} of {child.name}" for child, key in schema.references_to(table)
                    if constraint and set(key.referenced_columns) == columns]  # fmt: skip
            return name, keys, constraint is not None
        case op.Drop(object_type="type" | "domain", name=name):
            columns_of_it = [f"the column {table.name}.{column.name}" for table in schema.tables.values()
                             for column in table.columns if column.type.name == name]  # fmt: skip
            return name, columns_of_it, name in schema.enums or name in schema.domains
        case op.Drop(object_type="view" | "materialized view", name=name):
            return name, _readers(schema, name), name in schema.views
        case op.Drop(object_type="function" | "procedure" | "sequence", name=name):
            return name, [], False
        case _:
            return "", [], True


def _readers(schema: Schema, relation: str) -> list[str]:
    found = []
    for view in schema.views_reading(relation):
        found += [f"the view {view.name}", *_readers(schema, view.name)]
    return list(dict.fromkeys(found))


@check("BG816")
def view_or_function_dropped(operation: op.Drop, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP of a view or function that queries of running code name, unless the migration makes it anew."""
    if context.is_new(operation.name) or _made_anew(operation, context):
        return
    kind, dropped = operation.object_type, operation.name
    if kind in _VIEWS:
        message, grade = f"dropping the {kind} {dropped} breaks the code that still reads it", None
    elif kind in _ROUTINES and not _serves_a_trigger(operation, schema, context):
        message, grade = f"dropping the {kind} {dropped} breaks the code that still calls it", Severity.LOW
    else:
        return
    stage = Stage((operation.sql,), note=f"in a later release, when no running code names {dropped}")
    yield Hit(context.action.location, message, render(context, stage), dropped, severity=grade)


def _made_anew(operation: op.Drop, context: Context) -> bool:
    """Whether the rest of the migration makes something of that name; a view may also become a table."""
    kinds = (op.CreateView, op.CreateTable) if operation.object_type in _VIEWS else (op.CreateRoutine,)
    return any(isinstance(later, kinds) for later in context.afterwards(operation.name))


def _serves_a_trigger(operation: op.Drop, schema: Schema, context: Context) -> bool:
    """Whether it is a trigger's function: nobody calls that one by name."""
    known = schema.routines.get(operation.name)
    if known is not None:
        return known.returns in ("trigger", "event_trigger")
    return any(isinstance(each.operation, op.Drop) and each.operation.object_type in ("trigger", "event trigger")
               for each in context.migration.up)  # fmt: skip


@check("BG825")
def extension_dropped(operation: op.Drop, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP EXTENSION takes its types and functions, with CASCADE also the columns and indexes that use them."""
    if operation.object_type != "extension":
        return
    also = ", and every column, index and view that uses them" if operation.cascade else ""
    message = f"dropping the extension {operation.name} takes away its types and functions{also}"
    note = f"when nothing uses {operation.name} any more, without CASCADE, so that it fails otherwise"
    stage = Stage((f"DROP EXTENSION {label(operation.name)}",), note=note)
    grade = None if operation.cascade else Severity.MEDIUM
    yield Hit(context.action.location, message, render(context, stage), operation.name, severity=grade)
