"""AlterField and RenameField as Django's PostgreSQL schema editor runs them (BaseDatabaseSchemaEditor._alter_field)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backendgen.migrate.quoting import literal
from backendgen.migrate.readers.django.columns import (
    check,
    column_type,
    db_default,
    effective_default,
    index_name,
    is_geometry,
)
from backendgen.migrate.readers.django.constraints import Statement, name_of_index
from backendgen.migrate.readers.django.editor import Editor, drop_constraint
from backendgen.migrate.readers.django.expressions import quoted
from backendgen.migrate.readers.django.fields import AUTO_FIELDS, MANY_TO_MANY, NO_COLUMN, Field
from backendgen.migrate.readers.django.state import Model, State
from backendgen.migrate.readers.values import Call


@dataclass(frozen=True, slots=True)
class Side:
    """A field on one side of a change, with its model and the state that resolves it."""

    state: State
    model: Model
    field: Field

    @property
    def type(self) -> str:
        """The column's type."""
        return column_type(self.field, self.state)

    @property
    def default(self) -> str | None:
        """The constant that present rows would get."""
        return effective_default(self.field, self.state)


def should_be_altered(old: Side, new: Side) -> bool:
    """Whether the database sees any difference."""
    if NO_COLUMN in (old.field.kind, new.field.kind):
        return False
    before, after = old.field, new.field
    if before.kind != MANY_TO_MANY and before.to is not None and after.to is not None:
        tables = [side.state.table(side.state.model(side.field.to)) for side in (old, new) if side.field.to is not None]
        if tables[0] == tables[1]:
            before = replace(before, to=after.to)
    return before.column != after.column or before.in_database() != after.in_database()


def alter_field(editor: Editor, old: Side, new: Side) -> None:
    """Run what turns one field into the other."""
    if not should_be_altered(old, new):
        return
    if MANY_TO_MANY in (old.field.kind, new.field.kind):
        if old.field.kind == new.field.kind and old.field.through is None and new.field.through is None:
            alter_many_to_many(editor, old, new)
        return
    table = editor.state.table(new.model)
    dropped = old.field.constrained and editor.drop_foreign_keys(old.model, old.field, old.state, table)
    _drop_unique(editor, old, new)
    repointed = (
        ((old.field.primary_key and new.field.primary_key) or (old.field.unique and new.field.unique))
        and (old.type != new.type or old.field.collation != new.field.collation)
    )  # fmt: skip
    children = old.state.foreign_keys_to(old.model, old.field.name) if repointed else []
    for owner, relation in children:
        editor.drop_foreign_keys(owner, relation, old.state)
    _drop_index(editor, old, new)
    _drop_check(editor, old, new)
    if old.field.column != new.field.column:
        _rename_column(editor, old, new)
    _change_column(editor, old, new)
    _add_keys(editor, old, new)
    for owner, relation in children:
        _follow(editor, owner, relation, old, new)
    if new.field.constrained and (dropped or not old.field.constrained):
        editor.run(editor.foreign_key(new.model, new.field).sql)
    for owner, relation in children:
        if relation.constrained:
            editor.run(replace(editor.foreign_key(owner, relation), ending="_fk").sql)
    if check(new.field, "c") and check(old.field, "c") != check(new.field, "c"):
        name = index_name(table, (new.field.column,), "_check")
        editor.run(f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} CHECK ({check(new.field)})")
    if _gets_default(old, new):
        editor.run(f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(new.field.column)} DROP DEFAULT")
    _like_indexes(editor, old, new)


def alter_many_to_many(editor: Editor, old: Side, new: Side) -> None:
    """Rename the table and columns of a many-to-many relation, and point its foreign keys elsewhere."""
    before, after = old.state.through(old.model, old.field), new.state.through(new.model, new.field)
    editor.rename_table(old.state.table(before), new.state.table(after))
    keys = zip(list(before.fields.values())[:0:-1], list(after.fields.values())[:0:-1], strict=True)
    for was, now in keys:
        # The table has its new name by now; the old name of the column is what differs.
        alter_field(editor, Side(old.state, before, was), Side(new.state, after, now))


def _drop_unique(editor: Editor, old: Side, new: Side) -> None:
    became_key = not old.field.primary_key and new.field.primary_key
    if not old.field.unique or (new.field.unique and not became_key):
        return
    table = _table(editor, old, new)
    own = index_name(table, (old.field.column,), "_uniq")
    meta = [each.kwargs.get("name") for each in old.model.options.get("constraints") or () if isinstance(each, Call)]
    found = editor.names(table, old.field.column, "unique", own, but=[each for each in meta if isinstance(each, str)])
    editor.run(*(drop_constraint(table, name) for name in found))


def _drop_index(editor: Editor, old: Side, new: Side) -> None:
    if not old.field.db_index or old.field.unique or (new.field.db_index and not new.field.unique):
        return
    table = _table(editor, old, new)
    own = index_name(table, (old.field.column,), "")
    meta = [each for each in old.model.options.get("indexes") or () if isinstance(each, Call)]
    kept = [name_of_index(each, old.model, old.state) for each in meta]
    for name in editor.names(table, old.field.column, "index", own, but=kept):
        editor.drop_index(name)


def _drop_check(editor: Editor, old: Side, new: Side) -> None:
    if not check(old.field, "c") or check(old.field, "c") == check(new.field, "c"):
        return
    table = _table(editor, old, new)
    own = f"{table}_{old.field.column}_check"
    meta = [each.kwargs.get("name") for each in old.model.options.get("constraints") or () if isinstance(each, Call)]
    found = editor.names(table, old.field.column, "check", own, but=[each for each in meta if isinstance(each, str)])
    editor.run(*(drop_constraint(table, name) for name in found))


def _table(editor: Editor, old: Side, new: Side) -> str:
    """The table as it is named by now: a many-to-many table is renamed before its columns."""
    return new.state.table(new.model)


def _rename_column(editor: Editor, old: Side, new: Side) -> None:
    table, was, now = _table(editor, old, new), old.field.column, new.field.column
    editor.run(f"ALTER TABLE {quoted(table)} RENAME COLUMN {quoted(was)} TO {quoted(now)}")
    editor.deferred = [each.with_column(table, was, now) for each in editor.deferred]


def _gets_default(old: Side, new: Side) -> bool:
    """Whether the column gets a default for the rows that are NULL while it becomes NOT NULL."""
    becomes = old.field.null and not new.field.null and not new.field.has_db_default
    return becomes and new.default is not None and old.default != new.default


def _change_column(editor: Editor, old: Side, new: Side) -> None:
    """One ALTER TABLE for type, defaults and NULL; with a default the rows are filled before NOT NULL is set."""
    table, column = quoted(_table(editor, old, new)), quoted(new.field.column)
    changed = _type_change(editor, old, new)
    actions = [changed] if changed else []
    if new.field.has_db_default:
        if old.field.options.get("db_default", old) != new.field.options["db_default"]:
            actions.append(f"ALTER COLUMN {column} SET DEFAULT {db_default(new.field, new.model, new.state)}")
    elif old.field.has_db_default:
        actions.append(f"ALTER COLUMN {column} DROP DEFAULT")
    if _gets_default(old, new):
        actions.append(f"ALTER COLUMN {column} SET DEFAULT {new.default}")
    null = ""
    if old.field.null != new.field.null:
        null = f"ALTER COLUMN {column} {'DROP' if new.field.null else 'SET'} NOT NULL"
    fills = (new.field.has_default or new.field.has_db_default) and old.field.null and not new.field.null
    if null and not fills:
        actions.append(null)
    if actions:
        editor.run(f"ALTER TABLE {table} {', '.join(actions)}")
    if fills:
        value = db_default(new.field, new.model, new.state) if new.field.has_db_default else new.default or "NULL"
        editor.run(f"UPDATE {table} SET {column} = {value} WHERE {column} IS NULL; SET CONSTRAINTS ALL IMMEDIATE")
        editor.run(f"ALTER TABLE {table} {null}")
    if new.field.kind in AUTO_FIELDS and old.field.kind not in AUTO_FIELDS:
        editor.run(f"ALTER TABLE {table} ALTER COLUMN {column} ADD GENERATED BY DEFAULT AS IDENTITY")
    if old.field.comment != new.field.comment:
        editor.run(f"COMMENT ON COLUMN {table}.{column} IS {literal(new.field.comment)}")


def _type_change(editor: Editor, old: Side, new: Side) -> str:
    """Return ALTER COLUMN ... TYPE, with USING when the kind of data changes."""
    was_auto, is_auto = old.field.kind in AUTO_FIELDS, new.field.kind in AUTO_FIELDS
    same = old.type == new.type and was_auto == is_auto and old.field.collation == new.field.collation
    if same and old.field.comment == new.field.comment:
        return ""
    table, column = _table(editor, old, new), quoted(new.field.column)
    if _is_indexed_text_that_changes(old, new):
        editor.drop_index(index_name(table, (old.field.column,), "_like"))
    if was_auto and not is_auto:
        editor.run(f"ALTER TABLE {quoted(table)} ALTER COLUMN {column} DROP IDENTITY IF EXISTS")
    collation = f" COLLATE {quoted(new.field.collation)}" if new.field.collation else ""
    using = f" USING {column}::{new.type}" if _data_type(old) != _data_type(new) else ""
    return f"ALTER COLUMN {column} TYPE {new.type}{collation}{using}"


def _data_type(side: Side) -> str:
    """What Django compares to tell whether a cast is needed: a type without its length, for arrays that of the elements."""
    if side.field.kind == "ArrayField" and side.field.inner:
        return f"{_data_type(replace(side, field=side.field.inner))}[]"
    if side.field.kind in ("SlugField", "FileField", "FilePathField"):
        return "varchar(n)"
    return side.type.partition("(")[0] if side.field.kind in ("CharField", "DecimalField") else side.type


def _is_indexed_text_that_changes(old: Side, new: Side) -> bool:
    indexed = old.field.db_index or old.field.unique
    kinds = ("varchar", "text", "citext")
    return indexed and any(old.type.startswith(kind) and not new.type.startswith(kind) for kind in kinds)


def _add_keys(editor: Editor, old: Side, new: Side) -> None:
    """Drop and add the primary key, add the unique constraint and the index."""
    before, after = old.field, new.field
    table = _table(editor, old, new)
    if before.primary_key and not after.primary_key:
        own = f"{table}_pkey"
        editor.run(*(drop_constraint(table, name) for name in editor.names(table, before.column, "primary_key", own)))
    if not after.primary_key and after.unique and (not before.unique or before.primary_key):
        editor.run(editor.unique(new.model, [after.name]).sql)
    if (not before.db_index or before.unique) and after.db_index and not after.unique and not is_geometry(after):
        editor.run(Statement("CREATE INDEX {name} ON {table} ({columns})", table, (after.column,)).sql)
    if after.primary_key and not before.primary_key:
        name = index_name(table, (after.column,), "_pk")
        made = f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(name)} PRIMARY KEY ({quoted(after.column)})"
        editor.run(made)


def _follow(editor: Editor, owner: Model, relation: Field, old: Side, new: Side) -> None:
    """Give a foreign key the new type of the column that it refers to."""
    table, column = editor.state.table(owner), quoted(relation.column)
    if _is_indexed_text_that_changes(replace(old, field=relation), new):
        editor.drop_index(index_name(table, (relation.column,), "_like"))
    editor.run(f"ALTER TABLE {quoted(table)} ALTER COLUMN {column} TYPE {new.type} USING {column}::{new.type}")


def _like_indexes(editor: Editor, old: Side, new: Side) -> None:
    """The second index of text columns follows the first."""
    before, after = old.field, new.field
    table = _table(editor, old, new)
    added = (not (before.db_index or before.unique) and after.db_index) or (not before.unique and after.unique)
    if (added or _is_indexed_text_that_changes(old, new)) and (like := editor.like_index(new.model, after)):
        editor.run(like.sql)
    if before.unique and not (after.db_index or after.unique):
        editor.drop_index(index_name(table, (before.column,), "_like"))
