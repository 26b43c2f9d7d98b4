"""SQLite: changes that it refuses, and tables built anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.compatibility import is_rebuilt
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render
from backendgen.migrate.quoting import label, name
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Index, Table

_CONSTANT = re.compile(r"(?i)[+-]?\s*[\d.]+(?:e[+-]?\d+)?|0x[0-9a-f]+|x?'.*'|true|false|\"[^\"]*\"", re.DOTALL)
_SWITCH = "PRAGMA foreign_keys = {}"
_LOSING = ("cascade", "set null", "set default")


@check("BG770")
def column_refused(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """ADD COLUMN takes less than CREATE TABLE does (lang_altertable)."""
    if not isinstance(operation, op.AddColumn) or context.dropped.intersection({operation.table}):
        return
    column = operation.definition
    reason = _refusal(operation, column, context)
    if not reason:
        return
    message = f"SQLite refuses to add {operation.table}.{column.name}: {reason}"
    kind = f" {column.type}" if column.type.name else ""
    plain = alter(operation.table, f"ADD COLUMN {label(column.name)}{kind}")
    stages = [Stage((plain,), note="then fill it; what it must hold is for a rebuild of the table, or for the code")]
    if any(constraint.kind == "unique" for constraint in operation.constraints):
        index = f"CREATE UNIQUE INDEX {label(f'{operation.table}_{column.name}')} ON {name(operation.table)}"
        stages = [Stage((plain, f"{index} ({label(column.name)})"))]
    yield Hit(context.action.location, message, render(context, *stages), operation.table)


def _refusal(operation: op.AddColumn, column: Column, context: Context) -> str:
    kinds = {constraint.kind for constraint in operation.constraints}
    if kinds & {"primary_key", "unique"}:
        return "it cannot be PRIMARY KEY or UNIQUE"
    if column.stored:
        return "a generated column that is added must be VIRTUAL"
    if column.generated is not None:
        return ""
    if column.not_null and column.default is None:
        return "NOT NULL needs a DEFAULT that is not NULL"
    if column.default is not None and not context.is_new(operation.table) and not _CONSTANT.fullmatch(column.default):
        return f"DEFAULT {column.default} is no constant, and the table may have rows"
    if "foreign_key" in kinds and column.default is not None and context.setting("foreign_keys") != "0":
        return "with foreign_keys on, REFERENCES allows no DEFAULT other than NULL"
    return ""


@check("BG771")
def column_not_droppable(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP COLUMN fails while something in the schema names the column."""
    if not isinstance(operation, op.DropColumn):
        return
    known = schema.tables.get(operation.table)
    reason, index = _holder(known, operation.name, schema) if known else ("", None)
    if not reason:
        return
    message = f"SQLite refuses to drop {operation.table}.{operation.name}: {reason}"
    if index is not None:
        drop = alter(operation.table, f"DROP COLUMN {label(operation.name)}")
        fix = render(context, Stage((f"DROP INDEX {name(index.name)}", drop)))
    else:
        fix = render(context, Stage((), note=f"build {operation.table} anew without {operation.name} (BG772, BG774)"))
    yield Hit(context.action.location, message, fix, operation.table)


def _holder(table: Table, column: str, schema: Schema) -> tuple[str, Index | None]:
    """Return what holds a column, and the index, if it is one that can be dropped."""
    for constraint in table.constraints:
        if column not in constraint.columns:
            continue
        if constraint.kind in ("primary_key", "unique"):
            return f"it is {'the primary key' if constraint.kind == 'primary_key' else 'UNIQUE'}", None
        if not constraint.inline:
            return f"a table constraint ({constraint.kind.replace('_', ' ')}) names it", None
    for index in table.indexes:
        if column in (*index.columns, *index.expression_columns):
            return f"the index {index.name} has it", index
    word = re.compile(rf"\b{re.escape(column)}\b", re.IGNORECASE)
    computed = next((c.name for c in table.columns if c.generated and word.search(c.generated)), "")
    if computed:
        return f"the generated column {computed} is computed from it", None
    view = next((view.name for view in schema.views_reading(table.name) if word.search(view.query)), "")
    return (f"the view {view} names it", None) if view else ("", None)


@check("BG772")
def rows_of_children_lost(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """DROP TABLE deletes the rows first, and with foreign_keys on that reaches the tables which refer to them."""
    if not isinstance(operation, op.DropTable) or context.is_new(operation.table) or not _foreign_keys_on(context):
        return
    keys = [(child, key) for child, key in schema.references_to(operation.table)
            if child.name != operation.table and child.name not in context.dropped]  # fmt: skip
    losing = [(child, key) for child, key in keys if key.on_delete in _LOSING]
    if not keys or (not losing and not is_rebuilt(operation, context)):
        return
    child, key = (losing or keys)[0]
    effect = {
        "cascade": f"all rows of {child.name} that refer to it are deleted too",
        "set null": f"{child.name}.{key.columns[0]} becomes NULL in all rows",
        "set default": f"{child.name}.{key.columns[0]} becomes its default in all rows",
    }.get(key.on_delete, f"it fails, because {child.name} refers to it")
    message = f"DROP TABLE {operation.table} deletes its rows first: where foreign_keys is on, {effect}"
    stage = Stage(
        (_SWITCH.format("OFF"), "BEGIN", operation.sql, "PRAGMA foreign_key_check", "COMMIT", _SWITCH.format("ON")),
        transactional=False,
        note="the pragma has no effect inside a transaction: before BEGIN",
    )
    yield Hit(context.action.location, message, render(context, stage), operation.table)


def _foreign_keys_on(context: Context) -> bool:
    """Whether a connection's foreign keys may act now: PRAGMA foreign_keys=OFF counts outside transactions only."""
    depth = False
    off = False
    for action in context.migration.up[: context.position]:
        match action.operation:
            case op.Transaction(verb=verb):
                depth = verb == "begin"
            case op.SetSetting(name="foreign_keys", value=value) if value and not depth and not action.transactional:
                off = value.strip("'\"").lower() in ("off", "0", "false", "no")
            case _:
                pass
    return not off


@check("BG773")
def children_follow_rename(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """RENAME takes the foreign keys of other tables along: they refer to the old rows when a new table has the name."""
    if not isinstance(operation, op.RenameTable) or context.setting("legacy_alter_table") == "1":
        return
    table = operation.table
    successor = any(
        isinstance(each.operation, op.CreateTable) and each.operation.table == table for each in context.later
    )
    children = sorted({child.name for child, _ in schema.references_to(table) if child.name != table})
    if not successor or not children or context.is_new(table):
        return
    message = (
        f"renaming {table} to {operation.new_name} makes the foreign keys of {', '.join(children)} refer to "
        f"{operation.new_name}, not to the new {table}"
    )
    stage = Stage(
        (f"DROP TABLE {name(table)}", f"ALTER TABLE {name(f'new_{table}')} RENAME TO {label(table)}"),
        note=f"create new_{table} instead, copy the rows of {table} into it, and then:",
    )
    yield Hit(context.action.location, message, render(context, stage), table)


@check("BG774")
@once
def foreign_keys_unchecked(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """What was changed while foreign_keys was off has been checked by nobody."""
    if not isinstance(operation, op.SetSetting) or operation.name != "foreign_keys":
        return
    if (operation.value or "").strip("'\"").lower() not in ("off", "0", "false", "no"):
        return
    after = [action.operation for action in context.later]
    if any(isinstance(each, op.SetSetting) and each.name == "foreign_key_check" for each in after):
        return
    touched = [
        each for each in after if isinstance(each, op.DropTable | op.ChangeRows) and not context.is_new(each.table)
    ]
    if not touched:
        return
    table = touched[0].table
    message = (
        f"foreign_keys is off while {table} changes, and no PRAGMA foreign_key_check says whether all rows still fit"
    )
    fix = render(context, Stage(("PRAGMA foreign_key_check",), note="before COMMIT: it must return no row"))
    yield Hit(context.action.location, message, fix, table)


@check("BG775")
def pragma_without_effect(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """PRAGMA foreign_keys inside a transaction changes nothing."""
    if not isinstance(operation, op.SetSetting) or operation.name != "foreign_keys" or operation.value is None:
        return
    if context.in_transaction:
        off = operation.value.strip("'\"").lower() in ("off", "0", "false", "no")
        why = "the migration's BEGIN" if context.explicit_transaction else f"{context.migration.tool}'s transaction"
        message = f"PRAGMA foreign_keys = {operation.value} has no effect inside {why}"
        stage = Stage(
            (operation.sql,), transactional=False, note="before the transaction begins" if off else "after COMMIT"
        )
        yield Hit(context.action.location, message, render(context, stage))


@check("BG776")
def index_lost_in_rebuild(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """The old table's indexes go with it; those that are not created again are lost."""
    if not isinstance(operation, op.DropTable) or not is_rebuilt(operation, context):
        return
    known = schema.tables.get(operation.table)
    if known is None:
        return
    successor = _successor(operation.table, context)
    made = schema.tables.get(successor)
    constraints = {constraint.name for constraint in known.constraints}
    kept = [index.columns for index in made.indexes] if made else []
    kept += [each.operation.index.columns for each in context.later if isinstance(each.operation, op.CreateIndex)]
    columns = {column.name for column in made.columns} if made else set()
    for index in known.indexes:
        gone = made is not None and not columns.issuperset(column for column in index.columns if column)
        if index.name in constraints or index.columns in kept or gone:
            continue
        message = f"the index {index.name} goes with the old {operation.table} and is not created again"
        fix = render(context, Stage((_create(index, successor, context),), note="after the rename"))
        yield Hit(context.action.location, message, fix, operation.table)


def _successor(table: str, context: Context) -> str:
    """Return the table that takes another one's place, under the name that it has now."""
    renames = (each.operation for each in context.later if isinstance(each.operation, op.RenameTable))
    later = next((each.table for each in renames if each.new_name == table), "")
    before = (each.operation for each in context.migration.up[: context.position])
    return later or next((e.table for e in before if isinstance(e, op.RenameTable) and e.new_name == table), "")


def _create(index: Index, successor: str, context: Context) -> str:
    renames = (each.operation for each in context.later if isinstance(each.operation, op.RenameTable))
    table = next((each.new_name for each in renames if each.table == successor), successor)
    keys = ", ".join(
        (label(key.column) if key.column else key.expression) + " DESC" * key.descending for key in index.keys
    )
    where = f" WHERE {index.where}" if index.where else ""
    return f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {label(index.name)} ON {name(table)} ({keys}){where}"
