"""The models of a project as its migrations describe them: Django's project state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backendgen.migrate.readers.django.fields import FOREIGN_KEYS, MANY_TO_MANY, NO_COLUMN, Field, Key

# The primary keys of Django's own apps and their tables, for parents whose migrations are not part of the project.
_OWN_KEYS = {
    ("sessions", "session"): ("session_key", "CharField", {"max_length": 40}),
}
_OWN_TABLES = {
    ("admin", "logentry"): "django_admin_log", ("contenttypes", "contenttype"): "django_content_type",
    ("flatpages", "flatpage"): "django_flatpage", ("redirects", "redirect"): "django_redirect",
    ("sessions", "session"): "django_session", ("sites", "site"): "django_site",
}  # fmt: skip
_OWN_APPS = frozenset({"admin", "auth", "contenttypes", "flatpages", "redirects", "sites"})
_MAX_NAME = 63
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Model:
    """A model. One that is not `known` is only named: by a migration of its app that is not part of the project."""

    app: str
    name: str
    fields: Mapping[str, Field]
    options: Mapping[str, Any] = field(default_factory=dict)
    bases: tuple[Key, ...] = ()
    known: bool = True

    @property
    def key(self) -> Key:
        """What the state knows it by."""
        return self.app, self.name.lower()

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields that have a column."""
        return tuple(each for each in self.fields.values() if each.kind not in (MANY_TO_MANY, NO_COLUMN))

    @property
    def many_to_many(self) -> tuple[Field, ...]:
        """The relations that have a table of their own, made by Django."""
        return tuple(each for each in self.fields.values() if each.kind == MANY_TO_MANY and each.through is None)

    def together(self, option: str) -> tuple[tuple[str, ...], ...]:
        """Return unique_together or index_together as tuples of field names."""
        given = self.options.get(option) or ()
        if not isinstance(given, tuple):
            return ()
        if given and all(isinstance(each, str) for each in given):
            given = (given,)
        sets = (tuple(name for name in each if isinstance(name, str)) for each in given if isinstance(each, tuple))
        return tuple(dict.fromkeys(each for each in sets if each))

    def with_fields(self, fields: Mapping[str, Field]) -> Model:
        """Return it with other fields."""
        return replace(self, fields=fields)

    def with_options(self, **options: Any) -> Model:
        """Return it with other options besides the ones that it has."""
        return replace(self, options={**self.options, **options})


@dataclass(slots=True)
class State:
    """All models by app and name. The parts are frozen; `copy` keeps what was before an operation.

    `settings` are the project's settings that name models or the default primary key.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    models: dict[Key, Model] = field(default_factory=dict)

    def copy(self) -> State:
        """Return one that changes apart from this."""
        return State(self.settings, dict(self.models))

    def model(self, key: Key) -> Model:
        """Return a model; one that is not there has the table that Django would have given it."""
        return self.models.get(key) or Model(*key, {"id": self._assumed_key(key)}, known=False)

    def put(self, model: Model) -> None:
        """Add a model, or replace the one of that name."""
        self.models[model.key] = model

    def _assumed_key(self, key: Key) -> Field:
        if key in _OWN_KEYS:
            name, kind, options = _OWN_KEYS[key]
            return Field(name, kind, f"django.db.models.{kind}", {"primary_key": True, **options})
        return self.auto_field("AutoField" if key[0] in _OWN_APPS else "")

    def auto_field(self, kind: str = "") -> Field:
        """Return the primary key that Django adds to a model without one (DEFAULT_AUTO_FIELD)."""
        kind = kind or self.settings.get("DEFAULT_AUTO_FIELD", "AutoField").rpartition(".")[2]
        return Field("id", kind, f"django.db.models.{kind}", {"primary_key": True})

    def concrete(self, model: Model) -> Model:
        """Return the model whose table a proxy uses."""
        for _ in range(_MAX_DEPTH):
            if model.options.get("proxy") is not True or not model.bases:
                break
            model = self.model(model.bases[0])
        return model

    def has_table(self, model: Model) -> bool:
        """Whether Django makes and changes its table: not of proxies, of unmanaged and of swapped models."""
        swap = model.options.get("swappable")
        swapped = isinstance(swap, str) and self.settings.get(swap, "").lower() not in ("", ".".join(model.key))
        return model.options.get("proxy") is not True and model.options.get("managed") is not False and not swapped

    def table(self, model: Model) -> str:
        """Return a model's table as Django names it."""
        model = self.concrete(model)
        named = model.options.get("db_table")
        if isinstance(named, str) and named:
            return named
        own = "" if model.known else _OWN_TABLES.get(model.key, "")
        return own or truncated(f"{model.app}_{model.name.lower()}")

    def primary_key(self, model: Model) -> Field:
        """Return a model's primary key."""
        model = self.concrete(model)
        return next((each for each in model.fields.values() if each.primary_key), None) or self.auto_field()

    def field(self, model: Model, name: str) -> Field | None:
        """Return a field by its name, also `pk` and `x_id` for the relation x; inherited ones have no column here."""
        if name == "pk":
            return self.primary_key(model)
        found = model.fields.get(name)
        return found or next((each for each in model.fields.values() if each.column == name), None)

    def column(self, model: Model, name: str) -> str:
        """Return the column of a field; a field that is not known has its own name."""
        found = self.field(model, name)
        return found.column if found else name

    def target(self, relation: Field) -> tuple[Model, Field]:
        """Return the model and field that a foreign key refers to."""
        assert relation.to is not None
        model = self.concrete(self.model(relation.to))
        named = relation.options.get("to_field")
        found = model.fields.get(named) if isinstance(named, str) else None
        return model, found or self.primary_key(model)

    def through(self, model: Model, relation: Field) -> Model:
        """Return the model that Django makes for a many-to-many relation."""
        assert relation.to is not None
        to, from_ = relation.to[1], model.name.lower()
        if to == from_:
            to, from_ = f"to_{to}", f"from_{from_}"
        constraint = {"db_constraint": False} if relation.options.get("db_constraint") is False else {}
        keys = [
            Field(name, "ForeignKey", "django.db.models.ForeignKey", dict(constraint), key)
            for name, key in ((from_, model.key), (to, relation.to))
        ]
        named = relation.options.get("db_table")
        table = (
            named if isinstance(named, str) and named else truncated(f"{unquoted(self.table(model))}_{relation.name}")
        )
        options = {
            "db_table": table,
            "unique_together": ((from_, to),),
            "managed": self._is_managed(model, relation.to),
        }
        fields = {each.name: each for each in (self.auto_field(), *keys)}
        return Model(model.app, f"{model.name}_{relation.name}", fields, options)

    def _is_managed(self, model: Model, to: Key) -> bool:
        return model.options.get("managed") is not False or self.model(to).options.get("managed") is not False

    def references(self, key: Key) -> Iterator[tuple[Model, Field]]:
        """Yield the relations to a model, each with the model that has it."""
        for model in self.models.values():
            for each in model.fields.values():
                if key in (each.to, each.through):
                    yield model, each

    def foreign_keys_to(self, model: Model, name: str) -> list[tuple[Model, Field]]:
        """Return the foreign keys that refer to a field of a model, those of many-to-many tables too, in Django's order."""
        found: dict[str, tuple[Model, Field]] = {}
        for owner, relation in self.references(model.key):
            if relation.kind in FOREIGN_KEYS:
                named = relation.options.get("related_query_name") or relation.options.get("related_name")
                found[f"{named or owner.name.lower()} {owner.key} {relation.name}"] = owner, relation
            elif relation.through is None:
                self._through_keys(owner, relation, found)
        for relation in model.many_to_many:
            self._through_keys(model, relation, found)
        ordered = [each for _, each in sorted(found.items())]
        return [(owner, key) for owner, key in ordered if key.to == model.key and self.target(key)[1].name == name]

    def _through_keys(self, owner: Model, relation: Field, found: dict[str, tuple[Model, Field]]) -> None:
        through = self.through(owner, relation)
        found |= {
            f"{through.name}+ {key.name}": (through, key) for key in through.fields.values() if key.to is not None
        }


def unquoted(table: str) -> str:
    """Return a name without the quotes around it (strip_quotes)."""
    return table[1:-1] if len(table) > 1 and table.startswith('"') and table.endswith('"') else table


def truncated(identifier: str) -> str:
    """Return a name cut to what PostgreSQL takes, with a digest of the whole (truncate_name)."""
    schema, dot, name = identifier.rpartition('"."')
    if len(name) <= _MAX_NAME:
        return identifier
    return f"{schema}{dot}{name[: _MAX_NAME - 4]}{digest(name, length=4)}"


def digest(*parts: str, length: int) -> str:
    """Return the beginning of the MD5 of some names (names_digest)."""
    from hashlib import md5

    found = md5(usedforsecurity=False)
    for part in parts:
        found.update(part.encode())
    return found.hexdigest()[:length]
