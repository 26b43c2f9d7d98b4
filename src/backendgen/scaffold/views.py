"""Spec -> the names and types that templates need. Templates loop and choose; everything else is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from backendgen.errors import UserError
from backendgen.scaffold import domains, imports, layout, names, statements
from backendgen.scaffold.actions import METHODS, ActionView, action_view, key_name
from backendgen.scaffold.domains import Domain
from backendgen.scaffold.statements import Fragment, Sort, Statements
from backendgen.spec.model import Resource, Spec
from backendgen.spec.resources import versioned
from backendgen.sql.schema import Table

# Names that the contract's other schemas, app/main.py or the handlers have given away already.
_SCHEMAS = frozenset(
    {
        *("Account", "Credentials", "FieldError", "Health", "Problem", "RefreshToken", "Registration", "Status"),
        "Tokens",
    }
)
_MODULES = frozenset(
    {
        *(
            "access",
            "app",
            "asynccontextmanager",
            "auth",
            "body_limit",
            "constraints",
            "contract",
            "cors",
            "create_app",
            "database",
        ),
        *("health", "lifespan", "observability", "problems", "rate_limit", "security_headers", "settings", "tracing"),
    }
)


@dataclass(frozen=True, slots=True)
class FieldView:
    """A column in a request: `field` is its Python name, `column` its name in JSON and in the database."""

    column: str
    field: str
    values: Domain
    nullable: bool
    required: bool
    source: str
    """The line (or lines) of the model that declare it."""


@dataclass(frozen=True, slots=True)
class KeyView:
    """A part of the primary key, as a path parameter."""

    column: str
    field: str
    annotation: str
    values: Domain


@dataclass(frozen=True, slots=True)
class Constant:
    """A statement or a dictionary of `statements.py`, laid out."""

    name: str
    source: str
    comment: str


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource as its templates see it."""

    resource: Resource
    name: str
    module: str
    path: str
    type: str
    thing: str
    things: str
    keys: tuple[KeyView, ...]
    body: tuple[FieldView, ...]
    changes: tuple[FieldView, ...]
    filters: tuple[FieldView, ...]
    actions: tuple[ActionView, ...]
    sql: Statements
    versioned: bool
    sort_source: str
    constants: tuple[Constant, ...]
    choices: tuple[Constant, ...]

    @property
    def key_path(self) -> str:
        """The path of one row below the resource's."""
        return "".join(f"/{{{key.field}}}" for key in self.keys)

    @property
    def list(self) -> ActionView | None:
        """The list operation, when there is one; the next four likewise."""
        return self._action("list")

    @property
    def get(self) -> ActionView | None:
        """See `list`."""
        return self._action("get")

    @property
    def create(self) -> ActionView | None:
        """See `list`."""
        return self._action("create")

    @property
    def update(self) -> ActionView | None:
        """See `list`."""
        return self._action("update")

    @property
    def delete(self) -> ActionView | None:
        """See `list`."""
        return self._action("delete")

    def _action(self, name: str) -> ActionView | None:
        return next((action for action in self.actions if action.name == name), None)

    @property
    def operation(self) -> str:
        """What operations on one row are named after: `create_<operation>`."""
        return names.singular(names.identifier(self.name)).rstrip("_").lower()

    @property
    def operation_plural(self) -> str:
        """What operations on many rows are named after."""
        return names.identifier(self.name).rstrip("_").lower()

    @property
    def open_writes(self) -> tuple[str, ...]:
        """The operations that change data for whoever asks, as `POST /notes`."""
        writes = [action for action in self.actions if METHODS[action.name] != "get" and not action.secured]
        paths = {action.name: "" if action.name == "create" else self.key_path for action in writes}
        return tuple(f"{METHODS[name].upper()} {self.path}{path}" for name, path in paths.items())

    @property
    def a_thing(self) -> str:
        """The thing with its article."""
        return f"{'an' if self.thing[:1] in 'aeio' else 'a'} {self.thing}"

    @property
    def sort_keys(self) -> str:
        """The expression for the keys of the order."""
        return "statements.SORTS[query.sort]" if self.sort_source else "statements.ORDER"

    @property
    def scope_arguments(self) -> str:
        """What, beside the resource, a cursor is bound to."""
        return f"{'query.sort' if self.sort_source else chr(34) * 2}, {'filters' if self.filters else '{}'}"

    @property
    def create_statement(self) -> str:
        """The expression for the statement of a create."""
        return "statement" if self.sql.given else "statements.CREATE"

    @property
    def location(self) -> str:
        """The inside of the f-string that makes a new row's path."""
        parts = [f"row['{key.column}']" for key in self.keys]
        quoted = [f"quote({p}, '')" if k.values.kind == "text" else p for p, k in zip(parts, self.keys, strict=True)]
        return "/".join((self.path, *(f"{{{part}}}" for part in quoted)))

    @property
    def model_imports(self) -> str:
        """The imports of `models.py`."""
        return imports.of_models(self)

    @property
    def route_imports(self) -> str:
        """The imports of `routes.py`."""
        return imports.of_routes(self)


def _type_name(resource: str) -> str:
    word = names.class_name(resource)
    return f"{word}Row" if word in _SCHEMAS else word


def view(resource: Resource, spec: Spec) -> ResourceView:
    """Return the resource's view. Raises UserError for what the generated service could not carry."""
    table = resource.table
    fields = names.fields(column.name for column in table.columns)
    body = tuple(_field(resource, name, fields, spec, creating=True) for name in _body(resource, "create"))
    changes = tuple(_field(resource, name, fields, spec, creating=False) for name in _body(resource, "update"))
    sql = statements.statements(resource, spec)
    filters = _filters(resource, fields, sql, spec)
    thing = names.phrase(resource.name)
    return ResourceView(
        resource=resource,
        name=resource.name,
        module=module_name(resource.name),
        path=f"/{resource.name}",
        type=_type_name(resource.name),
        thing=thing,
        things=names.identifier(resource.name).rstrip("_").replace("_", " ").lower(),
        keys=tuple(_key(table, name, spec) for name in table.primary_key),
        body=body,
        changes=changes,
        filters=filters,
        actions=tuple(action_view(resource, action, spec) for action in resource.actions),
        sql=sql,
        versioned=versioned(table),
        sort_source=layout.field("sort", layout.literal([s.name for s in sql.sorts]), f'"{sql.sorts[0].name}"')
        if sql.sorts and sql.sorts[0].name
        else "",
        constants=tuple(_constants(sql)),
        choices=_choices(resource, (*body, *changes, *filters)),
    )


def _constants(sql: Statements) -> Iterator[Constant]:
    for one in sql.statements:
        yield Constant(one.name, f"SQL({layout.block(one.sql)})", one.comment)
        if one.name == "LIST" and sql.filters:
            yield Constant(
                "FILTERS", _fragments(sql.filters), "What a list may be narrowed by: a condition for each name."
            )
        if one.name == "LIST":
            yield _orders(sql.sorts)
        if one.name == "CREATE" and sql.given:
            yield Constant("GIVEN", _fragments(sql.given), "What stands in for a DEFAULT when the body has the field.")
        if one.name == "UPDATE":
            yield Constant("CHANGES", _fragments(sql.changes), "What an update may set.")


def _fragments(fragments: tuple[Fragment, ...]) -> str:
    return "\n".join(("{", *(layout.entry(one.name, one.sql) for one in fragments), "}"))


def _orders(sorts: tuple[Sort, ...]) -> Constant:
    comment = "The order: it ends in the primary key, so that no two rows are equal."
    if not sorts[0].name:
        return Constant("ORDER", layout.call("", _sort_keys(sorts[0]), 8, comma=True), comment)
    lines = [
        f"    {layout.string(s.name)}: {layout.call('', _sort_keys(s), 4, tail=',', lead=len(s.name) + 4, comma=True)}"
        for s in sorts
    ]
    return Constant("SORTS", "\n".join(("{", *lines, "}")), "The orders: each ends in the primary key.")


def _sort_keys(sort: Sort) -> list[str]:
    made = []
    for column, descending, nullable in sort.keys:
        flags = "".join((", descending=True" if descending else "", ", nullable=True" if nullable else ""))
        made.append(f"SortKey({layout.string(column)}{flags})")
    return made


def kinds(resources: Iterable[ResourceView]) -> frozenset[str]:
    """Return the kinds of values, and the integer types, that requests carry."""
    used = [f.values for r in resources for f in (*r.body, *r.changes, *r.filters)]
    used += [key.values for resource in resources for key in resource.keys]
    bare = [values.item or values for values in used if not (values.item or values).choices]
    return frozenset(values.sql if values.kind == "integer" else values.kind for values in bare)


def module_name(resource: str) -> str:
    """Return the resource's module: its own name, unless the service means something else by it."""
    word = names.identifier(resource).lower()
    return f"{word}_" if word in _MODULES else word


def _body(resource: Resource, action: Literal["create", "update"]) -> tuple[str, ...]:
    if resource.action(action) is None:
        return ()
    return resource.body if action == "create" else resource.changes


def choices_name(resource: str, field: str) -> str:
    """Return the name of the type of a field's choices: `OrderStatus`."""
    word = "".join(part[:1].upper() + part[1:] for part in field.split("_"))
    return f"{names.class_name(resource)}{word}{'Value' if word in ('Create', 'Query', 'Update') else ''}"


def _choices(resource: Resource, used: tuple[FieldView, ...]) -> tuple[Constant, ...]:
    made: dict[str, Constant] = {}
    for field in used:
        values = field.values.item or field.values
        if values.choices:
            name = choices_name(resource.name, field.field)
            source = layout.choices(name, values.choices)
            if made.setdefault(name, Constant(name, source, "")).source != source:
                raise UserError(
                    f"two columns of '{resource.table.name}' would both have choices called {name}: rename one"
                )
    return tuple(made.values())


def _field(resource: Resource, name: str, fields: dict[str, str], spec: Spec, *, creating: bool) -> FieldView:
    table = resource.table
    column = table.column(name)
    assert column is not None
    values = domains.domain(table, column, spec.schema)
    nullable = not column.not_null and name not in table.primary_key
    has_default = column.default is not None or bool(column.identity)
    required = creating and not nullable and not has_default
    default = None if required else "None" if creating and nullable and not has_default else "NOT_SENT"
    source = layout.field(fields[name], _annotated(resource, fields[name], values, nullable), default, alias=name)
    return FieldView(name, fields[name], values, nullable, required, source)


def _annotated(resource: Resource, field: str, values: Domain, nullable: bool) -> str:
    annotation = domains.annotation(values, choices_name(resource.name, field))
    return f"{annotation} | None" if nullable else annotation


def _key(table: Table, name: str, spec: Spec) -> KeyView:
    column = table.column(name)
    assert column is not None
    values = domains.domain(table, column, spec.schema)
    field = key_name(name)
    return KeyView(name, field, domains.annotation(values).replace("Field(", "Path("), values)


def _filters(resource: Resource, fields: dict[str, str], sql: Statements, spec: Spec) -> tuple[FieldView, ...]:
    made: list[FieldView] = []
    for fragment in sql.filters:
        name, _, operator = fragment.name.rstrip("]").partition("[")
        column = resource.table.column(name)
        assert column is not None
        values = domains.unchecked(domains.domain(resource.table, column, spec.schema))
        field = f"{fields[name]}_{operator}" if operator else fields[name]
        source = layout.field(field, _annotated(resource, fields[name], values, True), "None", alias=fragment.name)
        made.append(FieldView(fragment.name, field, values, True, False, source))
    return tuple(made)
