"""Django's operations on models: what each runs on the database, forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backendgen.migrate.quoting import literal
from backendgen.migrate.readers.django.alter import Side, alter_field, alter_many_to_many
from backendgen.migrate.readers.django.columns import index_name
from backendgen.migrate.readers.django.constraints import constraint_statement, index_statement, is_index, name_of_index
from backendgen.migrate.readers.django.editor import Editor, drop_constraint
from backendgen.migrate.readers.django.expressions import quoted
from backendgen.migrate.readers.django.fields import Field, Key, field_of, plain
from backendgen.migrate.readers.django.state import Model, State
from backendgen.migrate.readers.django.transitions import ORDER, Step, listed, name_in, unknown_field
from backendgen.migrate.readers.sqlalchemy import Dynamic
from backendgen.migrate.readers.values import Call

Change = Callable[[Step, Editor], None]


def _on_model(state: State, key: Key) -> Model | None:
    """Return a model whose table Django changes."""
    model = state.model(key)
    return model if state.has_table(model) else None


def _create_table(step: Step, editor: Editor) -> None:
    model = step.after.model(step.key("name"))
    editor.create_model(model)
    if step.after.has_table(model):
        editor.run(*(editor.index_together(model, names).sql for names in model.together("index_together")))


def _delete_table(step: Step, editor: Editor) -> None:
    editor.state = step.before
    editor.delete_model(step.before.model(step.key("name")))


def _renamed(old: Key, new: Key, step: Step, editor: Editor) -> None:
    before, after = step.before.model(old), step.after.model(new)
    if not step.after.has_table(after):
        return
    names = step.before.table(before), step.after.table(after)
    editor.rename_table(*names)
    # Relations to itself come last.
    for owner, relation in sorted(step.before.references(old), key=lambda pair: pair[0].key == old):
        key = new if owner.key == old else owner.key
        now = step.after.model(key).fields.get(relation.name)
        if now is not None and relation.to == old and step.after.has_table(step.after.model(key)):
            alter_field(editor, Side(step.before, owner, relation), Side(step.after, step.after.model(key), now))
    for relation in before.many_to_many:
        now = after.fields.get(relation.name)
        if now is not None and relation.to != old:
            alter_many_to_many(editor, Side(step.before, before, relation), Side(step.after, after, now))


def _rename(step: Step, editor: Editor) -> None:
    _renamed(step.key("old_name"), step.key("new_name", 1), step, editor)


def _rename_back(step: Step, editor: Editor) -> None:
    _renamed(step.key("new_name", 1), step.key("old_name"), step, editor)


def _alter_table(step: Step, editor: Editor) -> None:
    before, after = step.before.model(step.key("name")), _on_model(step.after, step.key("name"))
    if after is None:
        return
    editor.rename_table(step.before.table(before), step.after.table(after))
    for old, new in zip(before.many_to_many, after.many_to_many, strict=False):
        tables = step.before.through(before, old), step.after.through(after, new)
        editor.rename_table(step.before.table(tables[0]), step.after.table(tables[1]))


def _comment(step: Step, editor: Editor) -> None:
    if model := _on_model(step.after, step.key("name")):
        comment = model.options.get("db_table_comment") or ""
        editor.run(f"COMMENT ON TABLE {quoted(step.after.table(model))} IS {literal(str(comment))}")


def _together(option: str) -> Change:
    kind = "unique" if option == "unique_together" else "index"

    def change(step: Step, editor: Editor) -> None:
        before, after = step.before.model(step.key("name")), _on_model(step.after, step.key("name"))
        if after is None:
            return
        old, new = before.together(option), after.together(option)
        for names in (each for each in old if each not in new):
            _drop_together(editor, before, names, kind)
        make = editor.unique if kind == "unique" else editor.index_together
        editor.run(*(make(after, names).sql for names in new if names not in old))

    return change


def _drop_together(editor: Editor, model: Model, names: tuple[str, ...], kind: str) -> None:
    table = editor.state.table(model)
    columns = tuple(editor.state.column(model, name) for name in names)
    own = index_name(table, columns, "_uniq" if kind == "unique" else "_idx")
    known = editor.table(table)
    if kind == "unique":
        found = (
            [each.name for each in known.constraints if each.kind == kind and each.columns == columns] if known else []
        )
        editor.run(drop_constraint(table, own if own in found or not found else found[0]))
        return
    meta = {name_in(each) for each in listed(model, "indexes")}
    indexes = [each.name for each in known.indexes if each.columns == columns and not each.unique] if known else []
    editor.drop_index(next((name for name in indexes if name not in meta), own))


def _order_column(step: Step, editor: Editor) -> None:
    before, after = (state.model(step.key("name")) for state in (step.before, step.after))
    if not step.after.has_table(after):
        return
    if "_order" in before.fields and "_order" not in after.fields:
        editor.remove_field(before, ORDER)
    elif "_order" in after.fields and "_order" not in before.fields:
        editor.add_field(after, ORDER)


def _add_column(step: Step, editor: Editor) -> None:
    if model := _on_model(step.after, step.key()):
        name = step.word(1, "name")
        added = model.fields.get(name, unknown_field(name))
        if "field" in step.call.kwargs or len(step.call.args) > 2:
            # With preserve_default off the state has no default, but the new column gets it.
            added = field_of(name, step.call.arg(2, "field"), model.key, step.after.settings)
        editor.add_field(model, added)


def _drop_column(step: Step, editor: Editor) -> None:
    if model := _on_model(step.before, step.key()):
        editor.state = step.before
        name = step.word(1, "name")
        editor.remove_field(model, model.fields.get(name, unknown_field(name)))


def _alter_column(step: Step, editor: Editor) -> None:
    name = step.word(1, "name")
    new = field_of(name, step.call.arg(2, "field"), step.key(), step.after.settings)
    _altered(step, editor, name, name, new)


def _alter_column_back(step: Step, editor: Editor) -> None:
    name = step.word(1, "name")
    _altered(step, editor, name, name, None)


def _rename_column(step: Step, editor: Editor) -> None:
    _altered(step, editor, step.word(1, "old_name"), step.word(2, "new_name"), None)


def _rename_column_back(step: Step, editor: Editor) -> None:
    _altered(step, editor, step.word(2, "new_name"), step.word(1, "old_name"), None)


def _altered(step: Step, editor: Editor, old_name: str, new_name: str, new: Field | None) -> None:
    before, after = step.before.model(step.key()), _on_model(step.after, step.key())
    if after is None:
        return
    old = before.fields.get(old_name)
    new = new or after.fields.get(new_name)
    if old is None:
        # Only a part of the history is here: what the field was is not known, so every demand of the new one is new.
        old = replace(new, options=_demandless(new), name=old_name) if new else unknown_field(old_name)
        if new is not None and old_name == new_name:
            kind = editor.type_of(new)
            editor.run(
                f"ALTER TABLE {quoted(step.after.table(after))} ALTER COLUMN {quoted(new.column)} TYPE {kind}"
            ) if kind else None
    alter_field(editor, Side(step.before, before, old), Side(step.after, after, new or unknown_field(new_name)))


def _demandless(new: Field) -> dict[str, Any]:
    return {word: value for word, value in new.options.items() if word not in ("unique", "primary_key")}


def _make_index(step: Step, editor: Editor) -> None:
    if model := _on_model(step.after, step.key()):
        index = _at(model, "indexes", _index_word(step))
        editor.run(index_statement(index, model, step.after, concurrently=_is_concurrent(step)).sql)


def _drop_index(step: Step, editor: Editor) -> None:
    if _on_model(step.before, step.key()):
        editor.state = step.before
        editor.drop_index(_index_word(step), concurrently=_is_concurrent(step))


def _is_concurrent(step: Step) -> bool:
    return "Concurrently" in step.call.last


def _index_word(step: Step) -> str:
    """The name of the index that is added or removed."""
    index = plain(step.call.arg(1, "index"))
    if isinstance(index, Call):
        return name_of_index(index, step.after.model(step.key()), step.after)
    return step.word(1, "name")


def _at(model: Model, option: str, name: str) -> Call:
    for each in listed(model, option):
        if name_in(each) == name or (option == "indexes" and name_in(each) is None):
            return each
    raise Dynamic(f"{name} is made by no migration that is here")


def _rename_of_index(step: Step, editor: Editor) -> None:
    model, new = _on_model(step.after, step.key()), step.word(1, "new_name")
    if model is None:
        return
    fields = plain(step.call.arg(3, "old_fields"))
    old = _together_name(step, editor, tuple(fields)) if fields else step.word(2, "old_name")
    if old != new:
        editor.run(f"ALTER INDEX {quoted(old)} RENAME TO {quoted(new)}")


def _rename_of_index_back(step: Step, editor: Editor) -> None:
    if step.call.arg(3, "old_fields") is None and _on_model(step.after, step.key()):
        editor.run(f"ALTER INDEX {quoted(step.word(1, 'new_name'))} RENAME TO {quoted(step.word(2, 'old_name'))}")


def _together_name(step: Step, editor: Editor, fields: tuple[str, ...]) -> str:
    model = step.before.model(step.key())
    own = editor.index_together(model, fields)
    known = editor.table(own.table)
    found = [each.name for each in known.indexes if each.columns == own.columns and not each.unique] if known else []
    return own.named if own.named in found or not found else found[0]


def _make_constraint(step: Step, editor: Editor) -> None:
    if model := _on_model(step.after, step.key()):
        given = plain(step.call.arg(1, "constraint"))
        made = given if isinstance(given, Call) else _at(model, "constraints", step.word(1, "name"))
        statement = constraint_statement(made, model, step.after)
        not_valid = step.call.last == "AddConstraintNotValid"
        editor.run(statement.sql + (" NOT VALID" if not_valid else ""))


def _drop_constraint(step: Step, editor: Editor) -> None:
    if model := _on_model(step.before, step.key()):
        given = plain(step.call.arg(1, "constraint"))
        name = str(name_in(given)) if isinstance(given, Call) else step.word(1, "name")
        made = next((each for each in listed(model, "constraints") if name_in(each) == name), None)
        editor.state = step.before
        if made is not None and is_index(made):
            editor.drop_index(name)
        else:
            editor.run(drop_constraint(step.before.table(model), name))


def _validate(step: Step, editor: Editor) -> None:
    if model := _on_model(step.after, step.key()):
        table, name = quoted(step.after.table(model)), quoted(step.word(1, "name"))
        editor.run(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def _nothing(step: Step, editor: Editor) -> None:
    """What changes the state only."""


# Forwards and backwards; backwards is given the step with its states exchanged.
CHANGES: Mapping[str, tuple[Change, Change]] = {
    "CreateModel": (_create_table, _delete_table),
    "DeleteModel": (_delete_table, _create_table),
    "RenameModel": (_rename, _rename_back),
    "AlterModelTable": (_alter_table, _alter_table),
    "AlterModelTableComment": (_comment, _comment),
    "AlterUniqueTogether": (_together("unique_together"), _together("unique_together")),
    "AlterIndexTogether": (_together("index_together"), _together("index_together")),
    "AlterOrderWithRespectTo": (_order_column, _order_column),
    "AlterModelOptions": (_nothing, _nothing),
    "AlterModelManagers": (_nothing, _nothing),
    "AlterConstraint": (_nothing, _nothing),
    "AddField": (_add_column, _drop_column),
    "RemoveField": (_drop_column, _add_column),
    "AlterField": (_alter_column, _alter_column_back),
    "RenameField": (_rename_column, _rename_column_back),
    "AddIndex": (_make_index, _drop_index),
    "AddIndexConcurrently": (_make_index, _drop_index),
    "RemoveIndex": (_drop_index, _make_index),
    "RemoveIndexConcurrently": (_drop_index, _make_index),
    "RenameIndex": (_rename_of_index, _rename_of_index_back),
    "AddConstraint": (_make_constraint, _drop_constraint),
    "AddConstraintNotValid": (_make_constraint, _drop_constraint),
    "RemoveConstraint": (_drop_constraint, _make_constraint),
    "ValidateConstraint": (_validate, _nothing),
}
