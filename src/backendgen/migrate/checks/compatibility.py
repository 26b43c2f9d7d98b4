"""What running code loses: tables, columns and names that it still uses, and rows that cannot come back."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render
from backendgen.migrate.quoting import label, name
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column
from backendgen.sql.table_changes import bare, schema_of

_NAMED_IN_QUERIES = ("view", "materialized view", "schema")
BREAKS = "breaks the code that runs now, until its new version is everywhere"


@check("BG801")
def table_dropped(operation: op.Drop | op.DropTable | op.Harmless, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP TABLE, also by way of its schema."""
    if isinstance(operation, op.Drop) and operation.object_type == "schema" and operation.cascade:
        yield from _schema_dropped(operation, schema, context)
    if isinstance(operation, op.Harmless) and operation.what == "DROPDB":
        note = "never by a migration: by hand, when nothing connects to it and a backup is proven"
        message = "dropping a database loses all of its tables"
        yield Hit(context.action.location, message, render(context, Stage((), note=note)), severity=Severity.CRITICAL)
    if not isinstance(operation, op.DropTable) or context.is_new(operation.table):
        return
    table = operation.table
    if is_rebuilt(operation, context):
        return
    if table not in schema.tables and any(
        isinstance(later.operation, op.CreateTable) and later.operation.table == table for later in context.later
    ):
        return
    children = sorted({child.name for child, _ in schema.references_to(table) if child.name != table})
    also = f"; {', '.join(children)} refers to it" if children else ""
    message = f"dropping {table} loses its rows, and code that still runs fails on it{also}"
    again = any(isinstance(later, op.CreateTable) and later.table == table for later in context.afterwards(table))
    if again:
        message = f"dropping {table} loses its rows: the new {table} has only what this migration puts into it{also}"
    confidence = Confidence.MEDIUM if operation.if_exists and table not in schema.tables else None
    fix = render(context, Stage((f"DROP TABLE {name(table)}",), note=(
        f"in a later release, when no running code uses {table} and its rows are saved")))  # fmt: skip
    severity = Severity.MEDIUM if again else None
    yield Hit(context.action.location, message, fix, table, severity=severity, confidence=confidence)


def _schema_dropped(operation: op.Drop, schema: Schema, context: Context) -> Iterator[Hit]:
    inside = [table for table in schema.tables if schema_of(table) == (operation.name.replace("public", ""))]
    lost = [table for table in inside if not context.is_new(table)]
    if lost:
        message = f"dropping the schema {operation.name} loses {', '.join(lost)}, and code that still runs fails on it"
        note = f"in a later release, when no running code uses {operation.name} and its rows are saved"
        yield Hit(context.action.location, message, render(context, Stage((operation.sql,), note=note)), operation.name)


@check("BG807")
def table_emptied(operation: op.Truncate, schema: Schema, context: Context) -> Iterator[Hit]:
    """TRUNCATE."""
    if context.is_new(operation.table):
        return
    table = operation.table
    also = ", and of every table that refers to it" if operation.cascade else ""
    message = f"TRUNCATE loses all rows of {table}{also}; reads and writes of it wait for the lock"
    fix = render(context, Stage((f"TRUNCATE {name(table)}",), note=(
        f"in a later release, when no running code uses the rows of {table} and they are saved")))  # fmt: skip
    yield Hit(context.action.location, message, fix, table)


@check("BG802")
def column_dropped(operation: op.DropColumn, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP COLUMN."""
    if context.is_new(operation.table):
        return
    table, column = operation.table, operation.name
    if (table, column) in context.new_columns:
        return
    also = _goes_along(operation, schema)
    message = f"dropping {table}.{column} loses its data, and code that still reads or writes it fails{also}"
    fix = render(context, Stage((alter(table, f"DROP COLUMN {label(column)}"),), note=(
        f"in the release after the one whose code no longer names {column}")))  # fmt: skip
    yield Hit(context.action.location, message, fix, table)


def _goes_along(operation: op.DropColumn, schema: Schema) -> str:
    """Say which indexes, constraints and views PostgreSQL drops with the column, or refuses to drop it for."""
    table, column = operation.table, operation.name
    known = schema.tables.get(table)
    if known is None:
        return ""
    names = [one.name for one in known.indexes if column in (*one.columns, *one.include, *one.expression_columns)]
    names += [one.name for one in known.constraints if column in one.columns and one.kind != "not_null"]
    said = f"; {', '.join(dict.fromkeys(names))} goes with it" if names else ""
    word = re.compile(rf"(?i)(?<![\w\"]){re.escape(column)}(?![\w\"])|\"{re.escape(column)}\"")
    readers = [view.name for view in schema.views_reading(table) if word.search(view.query)]
    if readers:
        effect = "goes with it" if operation.cascade else "reads it and makes this fail"
        said += f"; the view {', '.join(readers)} {effect}"
    return said


@check("BG803")
def renamed(
    operation: op.RenameTable | op.RenameColumn | op.Rename | op.SetSchema, schema: Schema, context: Context
) -> Iterator[Hit]:
    """RENAME of a table or column: old code fails from the moment it commits, new code until then."""
    if isinstance(operation, op.RenameTable) and not context.is_new(operation.table):
        table = operation.table
        if is_rebuilt(operation, context):
            return
        if any(_stands_in(later, table) for later in context.afterwards(table)):
            return
        message = f"renaming {table} to {operation.new_name} {BREAKS}"
        view = f"CREATE VIEW {name(table)} AS SELECT * FROM {name(_beside(table, operation.new_name))}"
        stage = Stage((operation.sql, view), note="in one transaction; drop the view in a later release")
        yield Hit(context.action.location, message, render(context, stage), table)
    elif isinstance(operation, op.RenameColumn) and not context.is_new(operation.table):
        if (operation.table, operation.name) in context.new_columns:
            return
        table, old, new = operation.table, operation.name, operation.new_name
        message = f"renaming {table}.{old} to {new} {BREAKS}"
        column = schema.column(table, old)
        kind = str(column.type) if column else "text"
        typed = "" if column else f" (with the type of {old}, which this history does not show)"
        stages = (
            Stage(
                (alter(table, f"ADD COLUMN {label(new)} {kind}"),),
                note=f"then write both, and copy {old} to {new} in batches{typed}",
            ),
            Stage(
                (alter(table, f"DROP COLUMN {label(old)}"),),
                note=f"in a later release, when no running code names {old}",
            ),
        )
        yield Hit(context.action.location, message, render(context, *stages), table)
    elif isinstance(operation, op.Rename) and operation.object_type in _NAMED_IN_QUERIES:
        if context.is_new(operation.name):
            return
        message = f"renaming the {operation.object_type} {operation.name} to {operation.new_name} {BREAKS}"
        note = f"create {operation.new_name} beside {operation.name}; drop the old one in a later release"
        yield Hit(context.action.location, message, render(context, Stage((), note=note)), operation.name)
    elif isinstance(operation, op.Rename) and operation.object_type in ("type", "domain"):
        yield from _type_renamed(operation, context)
    elif isinstance(operation, op.SetSchema) and not context.is_new(operation.table):
        message = f"moving {operation.table} to the schema {operation.schema} {BREAKS}"
        view = f"CREATE VIEW {name(operation.table)} AS SELECT * FROM {name(f'{operation.schema}.{bare(operation.table)}')}"
        stage = Stage((operation.sql, view), note="in one transaction; drop the view in a later release")
        yield Hit(context.action.location, message, render(context, stage), operation.table)


def _type_renamed(operation: op.Rename, context: Context) -> Iterator[Hit]:
    """Casts and drivers look a type up by its name, unless the migration made it or puts another in its place."""
    old, new = operation.name, operation.new_name
    if any(isinstance(done, op.CreateType) for done in context.before(old)):
        return
    if any(
        isinstance(later, op.CreateType) or getattr(later, "new_name", "") == bare(old)
        for later in context.afterwards(old)
    ):
        return
    message = (
        f"renaming the {operation.object_type} {old} to {new} breaks the code that runs now where it casts to {old}"
    )
    note = f"leave the name, or move the columns to a new {operation.object_type} {new} in steps"
    fix = render(context, Stage((), note=note))
    yield Hit(context.action.location, message, fix, old, severity=Severity.MEDIUM)


def _stands_in(later: op.Operation, table: str) -> bool:
    """Whether a view or a new table takes the old name, so that running code still finds one."""
    created = (
        later.name if isinstance(later, op.CreateView) else later.table if isinstance(later, op.CreateTable) else ""
    )
    return created == table


def is_rebuilt(operation: op.Operation, context: Context) -> bool:
    """Whether a table only makes room for its successor, which is filled from it: SQLite's way to change a table.

    A new one takes its name after it is dropped, or took it when it was renamed out of the way.
    """
    if isinstance(operation, op.RenameTable):
        later = (each.operation for each in context.later)
        return any(_takes_name(each, operation.table) for each in later)
    if not isinstance(operation, op.DropTable):
        return False
    table, before = operation.table, [action.operation for action in context.migration.up[: context.position]]
    copied = any(isinstance(each, op.ChangeRows) and table in each.reads for each in before)
    moved = any(isinstance(each, op.RenameTable) and each.new_name == table for each in before)
    taken = any(
        isinstance(each.operation, op.RenameTable) and each.operation.new_name == table for each in context.later
    )
    return copied and (moved or taken)


def _takes_name(operation: op.Operation, table: str) -> bool:
    if isinstance(operation, op.CreateTable):
        return operation.table == table
    return isinstance(operation, op.RenameTable) and operation.new_name == table


def _beside(table: str, new_name: str) -> str:
    schema, _, _ = table.rpartition(".")
    return f"{schema}.{new_name}" if schema and "." not in new_name else new_name


def _rows_without(table: str, context: Context) -> str:
    if context.history.is_mysql:
        return f"rows of {table} get 0, '' or the like"
    return f"the migration fails if {table} has rows"


@check("BG804")
def required_column_added(
    operation: op.SetDefault | op.SetNotNull | op.AddColumn, schema: Schema, context: Context
) -> Iterator[Hit]:
    """ADD COLUMN NOT NULL without a default fails on a table with rows, and old code's INSERTs fail afterwards.

    They fail as well when the default is there for the present rows only, or NOT NULL comes after a backfill.
    """
    if isinstance(operation, op.SetDefault) and operation.default is None:
        yield from _default_for_a_moment(operation, schema, context)
    elif isinstance(operation, op.SetNotNull):
        yield from _required_at_once(operation, schema, context)
    if not isinstance(operation, op.AddColumn) or context.is_new(operation.table):
        return
    column = operation.definition
    default = (column.default or "null").lower()
    if (
        not column.not_null
        or not re.fullmatch(r"null(::.+)?", default)
        or column.generated is not None
        or column.identity
        or column.auto_increment
    ):
        return
    table = operation.table
    message = (
        f"{table}.{column.name} is NOT NULL without a default: {_rows_without(table, context)}, "
        "and INSERTs of the code that runs now fail"
    )
    by_way = Stage(
        (f"{alter(table, f'MODIFY COLUMN {label(column.name)} {column.type} NOT NULL')}, ALGORITHM=INPLACE, LOCK=NONE",)
        if context.history.is_mysql
        else (alter(table, f"ALTER COLUMN {label(column.name)} SET NOT NULL"),),
        note="when no row is without a value" if context.history.is_mysql else "by way of a validated check (BG706)",
    )
    stages = (
        Stage(
            (alter(table, f"ADD COLUMN {label(column.name)} {column.type}"),),
            note="then fill it, in batches, and write it in all code",
        ),
        by_way,
    )
    yield Hit(context.action.location, message, render(context, *stages), table)


def _default_for_a_moment(operation: op.SetDefault, schema: Schema, context: Context) -> Iterator[Hit]:
    table, column = operation.table, operation.name
    adding, known = _adding(table, column, context), schema.column(table, column)
    added = adding.definition if adding and _is_new_column(table, column, context) else None
    if adding is None or added is None or not (known or added).not_null or _gets_default(table, column, context):
        return
    message = (
        f"{table}.{column} is NOT NULL and loses its default in the migration that adds it: "
        "INSERTs of the code that runs now fail"
    )
    stage = Stage((alter(table, f"ALTER COLUMN {label(column)} DROP DEFAULT"),), note=(
        f"in a later release, when all running code gives {column}"))  # fmt: skip
    by_django = context.migration.tool == "django" and context.action.call
    kept = (Stage((adding.sql,), note="the default stays in the database"),) if by_django else ()
    yield Hit(context.action.location, message, render(context, *kept, stage), table)


def _required_at_once(operation: op.SetNotNull, schema: Schema, context: Context) -> Iterator[Hit]:
    table, column = operation.table, operation.name
    added = _added(table, column, context)
    known = schema.column(table, column) or added
    if known is None or _gets_default(table, column, context):
        return
    if (added is None and not _is_new_column(table, column, context)) or _fills_itself(known):
        return
    which = "migration" if added else "deploy"
    message = f"{table}.{column} becomes NOT NULL in the {which} that adds it: INSERTs of the code that runs now fail"
    stage = Stage((alter(table, f"ALTER COLUMN {label(column)} SET NOT NULL"),), note=(
        f"in a later release, when all running code gives {column} (and see BG706)"))  # fmt: skip
    yield Hit(context.action.location, message, render(context, stage), table)


def _fills_itself(column: Column) -> bool:
    return column.default is not None or bool(column.identity) or column.generated is not None


def _is_new_column(table: str, column: str, context: Context) -> bool:
    return not context.is_new(table) and (table, column) in context.new_columns


def _added(table: str, column: str, context: Context) -> Column | None:
    """Return the column as this migration added it to an older table, None when it did not."""
    done = _adding(table, column, context) if _is_new_column(table, column, context) else None
    return done.definition if done else None


def _adding(table: str, column: str, context: Context) -> op.AddColumn | None:
    """Return what added the column in this migration, None when nothing did."""
    return next(
        (done for done in context.before(table) if isinstance(done, op.AddColumn) and done.definition.name == column),
        None,
    )


def _gets_default(table: str, column: str, context: Context) -> bool:
    """Whether the rest of the migration gives the column a value of its own."""
    return any(
        isinstance(later, op.SetIdentity | op.SetDefault)
        and later.name == column
        and (isinstance(later, op.SetIdentity) or later.default is not None)
        for later in context.afterwards(table)
    )
