"""Django's operations on models: what each does to the project state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backendgen.migrate.readers.django.fields import Field, Key, field_of, model_key, plain
from backendgen.migrate.readers.django.state import Model, State
from backendgen.migrate.readers.sqlalchemy import Dynamic, words
from backendgen.migrate.readers.values import Call

# The options that AlterModelOptions replaces as a whole.
_OPTIONS = frozenset({
    "base_manager_name", "default_manager_name", "default_related_name", "get_latest_by", "managed", "ordering",
    "permissions", "default_permissions", "select_on_save", "verbose_name", "verbose_name_plural",
})  # fmt: skip
ORDER = Field("_order", "IntegerField", "django.db.models.fields.proxy.OrderWrt", {"default": 0})


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of one app, with the states around it. Backwards the two are exchanged."""

    call: Call
    app: str
    before: State
    after: State

    def word(self, position: int, keyword: str) -> str:
        """Return an argument that must be a constant text. Raises Dynamic."""
        return words(self.call.arg(position, keyword), keyword.replace("_", " "))

    def key(self, keyword: str = "model_name", position: int = 0) -> Key:
        """Return the model that it names."""
        return self.app, self.word(position, keyword).lower()

    def reversed(self) -> Step:
        """Return it with the states exchanged."""
        return replace(self, before=self.after, after=self.before)


def _create(step: Step, state: State) -> None:
    call, key = step.call, step.key("name")
    fields, options = call.arg(1, "fields"), plain(call.arg(2, "options")) or {}
    if not isinstance(fields, list | tuple):
        raise Dynamic("its fields are not constants")
    made = {}
    for pair in fields:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise Dynamic("its fields are not constants")
        name = words(pair[0], "a field's name")
        made[name] = field_of(name, pair[1], key, state.settings)
    bases = call.arg(3, "bases") or ()
    named = [model_key(base, key, state.settings) for base in bases] if isinstance(bases, list | tuple) else []
    parents = tuple(base for base in named if base is not None and base in state.models)
    options = options if isinstance(options, dict) else {}
    concrete = options.get("proxy") is not True and not any(
        "CompositePrimaryKey" in each.path for each in made.values()
    )
    if concrete and not any(each.primary_key for each in made.values()):
        made = {"id": state.auto_field(), **made}
    if options.get("order_with_respect_to"):
        made["_order"] = ORDER.without_default()
    state.put(Model(step.app, step.word(0, "name"), made, options, parents))


def _delete(step: Step, state: State) -> None:
    state.models.pop(step.key("name"), None)


def _rename_model(step: Step, state: State) -> None:
    old, new = step.key("old_name"), (step.app, step.word(1, "new_name"))
    renamed = replace(state.model(old), name=new[1])
    state.models.pop(old, None)
    state.put(renamed)
    for model in list(state.models.values()):
        fields = {
            name: replace(
                each, to=renamed.key if each.to == old else each.to,
                through=renamed.key if each.through == old else each.through,
            )
            for name, each in model.fields.items()
        }  # fmt: skip
        bases = tuple(renamed.key if base == old else base for base in model.bases)
        if fields != model.fields or bases != model.bases:
            state.put(replace(model, fields=fields, bases=bases))


def _model_options(step: Step, state: State) -> None:
    model, options = state.model(step.key("name")), plain(step.call.arg(1, "options")) or {}
    kept = {word: value for word, value in model.options.items() if word not in _OPTIONS}
    state.put(replace(model, options=kept | (options if isinstance(options, dict) else {})))


def _option(option: str, keyword: str) -> Callable[[Step, State], None]:
    def change(step: Step, state: State) -> None:
        model = state.model(step.key("name"))
        state.put(model.with_options(**{option: plain(step.call.arg(1, keyword))}))

    return change


def _order(step: Step, state: State) -> None:
    model, by = state.model(step.key("name")), plain(step.call.arg(1, "order_with_respect_to"))
    fields = {name: each for name, each in model.fields.items() if name != "_order"}
    if by:
        fields["_order"] = ORDER
    state.put(model.with_fields(fields).with_options(order_with_respect_to=by))


def _set_field(step: Step, state: State) -> None:
    model, name = state.model(step.key()), step.word(1, "name")
    made = field_of(name, step.call.arg(2, "field"), model.key, state.settings)
    kept = made.without_default() if step.call.arg(3, "preserve_default") is False else made
    state.put(model.with_fields({**model.fields, name: kept}))


def _remove_field(step: Step, state: State) -> None:
    model, gone = state.model(step.key()), step.word(1, "name")
    state.put(model.with_fields({name: each for name, each in model.fields.items() if name != gone}))


def _rename_field(step: Step, state: State) -> None:
    model, old, new = state.model(step.key()), step.word(1, "old_name"), step.word(2, "new_name")
    fields = {name: each for name, each in model.fields.items() if name != old}
    fields[new] = replace(model.fields.get(old, unknown_field(old)), name=new)
    sets = {
        option: tuple(tuple(new if name == old else name for name in names) for names in model.together(option))
        for option in ("unique_together", "index_together")
        if model.together(option)
    }
    state.put(model.with_fields(fields).with_options(**sets))
    for owner, relation in list(state.references(model.key)):
        if relation.options.get("to_field") == old:
            changed = replace(relation, options={**relation.options, "to_field": new})
            state.put(state.model(owner.key).with_fields({**state.model(owner.key).fields, relation.name: changed}))


def unknown_field(name: str) -> Field:
    """Return a field of which only the name is known."""
    return Field(name, "custom", "unknown", {})


def _append(option: str, keyword: str) -> Callable[[Step, State], None]:
    def change(step: Step, state: State) -> None:
        model, added = state.model(step.key()), plain(step.call.arg(1, keyword))
        state.put(model.with_options(**{option: (*listed(model, option), added)}))

    return change


def _without(option: str) -> Callable[[Step, State], None]:
    def change(step: Step, state: State) -> None:
        model, name = state.model(step.key()), step.word(1, "name")
        state.put(
            model.with_options(**{option: tuple(each for each in listed(model, option) if name_in(each) != name)})
        )

    return change


def _rename_index(step: Step, state: State) -> None:
    model, new = state.model(step.key()), step.word(1, "new_name")
    fields = plain(step.call.arg(3, "old_fields"))
    if fields:
        together = tuple(names for names in model.together("index_together") if names != tuple(fields))
        made = Call("django.db.models.Index", (), {"fields": fields, "name": new})
        state.put(model.with_options(index_together=together, indexes=(*listed(model, "indexes"), made)))
        return
    old = step.word(2, "old_name")
    indexes = (_named(each, new) if name_in(each) == old else each for each in listed(model, "indexes"))
    state.put(model.with_options(indexes=tuple(indexes)))


def listed(model: Model, option: str) -> tuple[Call, ...]:
    """Return the indexes or constraints of a model."""
    given = model.options.get(option)
    return tuple(each for each in given if isinstance(each, Call)) if isinstance(given, tuple) else ()


def name_in(made: Call) -> Any:
    """Return the name that an index or constraint is given, None without one."""
    return made.kwargs.get("name")


def _named(made: Call, name: str) -> Call:
    return replace(made, kwargs={**made.kwargs, "name": name})


STATES: Mapping[str, Callable[[Step, State], None]] = {
    "CreateModel": _create,
    "DeleteModel": _delete,
    "RenameModel": _rename_model,
    "AlterModelTable": _option("db_table", "table"),
    "AlterModelTableComment": _option("db_table_comment", "table_comment"),
    "AlterUniqueTogether": _option("unique_together", "unique_together"),
    "AlterIndexTogether": _option("index_together", "index_together"),
    "AlterOrderWithRespectTo": _order,
    "AlterModelOptions": _model_options,
    "AddField": _set_field,
    "AlterField": _set_field,
    "RemoveField": _remove_field,
    "RenameField": _rename_field,
    "AddIndex": _append("indexes", "index"),
    "AddIndexConcurrently": _append("indexes", "index"),
    "RemoveIndex": _without("indexes"),
    "RemoveIndexConcurrently": _without("indexes"),
    "RenameIndex": _rename_index,
    "AddConstraint": _append("constraints", "constraint"),
    "AddConstraintNotValid": _append("constraints", "constraint"),
    "RemoveConstraint": _without("constraints"),
}
