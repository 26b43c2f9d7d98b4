"""What the generated tests of a resource need: who may, which rows and bodies, which values must be refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from backendgen.scaffold import access, actions, layout, names, seeds, statements
from backendgen.scaffold.seeds import Parent
from backendgen.scaffold.views import FieldView, ResourceView
from backendgen.spec.model import Spec
from backendgen.sql.schema import Constraint, Table


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid body: (column, Python expression) pairs, and the parents that it refers to."""

    values: tuple[tuple[str, str], ...]
    parents: tuple[Parent, ...]
    unsure: bool


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique constraint that a second create violates: the columns that it names."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """A part of a test's name."""
        return names.identifier("_and_".join(self.fields))

    @property
    def source(self) -> str:
        """The fields as a tuple."""
        return layout.call("", [layout.string(field) for field in self.fields], 4, comma=True)


@dataclass(frozen=True, slots=True)
class Trial:
    """A resource as its tests see it. `roles` has a role for each action that a test can do; empty is nobody."""

    view: ResourceView
    factory: str
    roles: dict[str, str]
    seed: Seed
    change: str
    any_change: str
    changed: str
    wrong_create: tuple[tuple[str, str], ...]
    wrong_update: tuple[tuple[str, str], ...]
    echoed: tuple[str, ...]
    unique: tuple[Unique, ...]
    child: Parent | None
    ties: tuple[tuple[str, str], ...]
    filled: tuple[tuple[str, str], ...]

    @property
    def same_key(self) -> str:
        """The condition under which a JSON `item` is the `row`."""
        return " and ".join(f'str(item["{key.column}"]) == str(row["{key.column}"])' for key in self.view.keys)

    @property
    def row_path(self) -> str:
        """The inside of an f-string: the path of `row`."""
        return f"{self.view.path}{''.join(f'/{{row[{chr(39)}{key.column}{chr(39)}]}}' for key in self.view.keys)}"

    @property
    def identity(self) -> str:
        """The expression for the key of a JSON `item`, as text."""
        return f"({', '.join(f'str(item[{chr(34)}{key.column}{chr(34)}])' for key in self.view.keys)},)"

    @property
    def row_identity(self) -> str:
        """The expression for the key of a `row`, as text."""
        return self.identity.replace("item[", "row[")

    @property
    def constants(self) -> str:
        """The tuples of names that several tests use."""
        made = {
            "KEYS": [key.column for key in self.view.keys],
            "SHOWN": self.shown if "get" in self.roles else (),
            "ECHOED": self.echoed if "create" in self.roles else (),
            "REQUIRED": self.required if "create" in self.roles else (),
        }
        lists = "list" in self.roles or "get" in self.roles or "update" in self.roles
        wanted = [name for name in made if made[name] and (lists or name != "KEYS")]
        path = f"PATH = {layout.string(self.view.path)}"
        return "\n".join((path, *(layout.constant(name, made[name]) for name in wanted)))

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a create cannot do without."""
        return tuple(field.column for field in self.view.body if field.required)

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of a response that the test's own driver reads alike: it does not know an enum's arrays."""
        return tuple(column.name for column in statements.shown(self.view.resource.table) if not column.type.array)

    @property
    def sorts(self) -> tuple[str, ...]:
        """The orders that a list offers."""
        return tuple(sort.name for sort in self.view.sql.sorts)

    @property
    def sorts_source(self) -> str:
        """The orders as a list for parametrize; a list without a choice has the empty one."""
        return "list(statements.SORTS)" if self.view.sort_source else '[""]'

    @property
    def table(self) -> str:
        """The table as arguments of psycopg's Identifier."""
        return ", ".join(layout.string(part) for part in self.view.resource.table.name.split(".", 1))

    @property
    def nonsense(self) -> str:
        """A path below the resource's that no key can have."""
        return "/nonsense" * len(self.view.keys)

    @property
    def computed(self) -> bool:
        """True when a filter is for a generated column, which may come out as NULL."""
        table = self.view.resource.table
        columns = [table.column(field.column) for field in self.view.filters]
        return any(column and column.generated is not None and not column.not_null for column in columns)

    @property
    def uuid_key(self) -> bool:
        """True when a key can be made that no row has."""
        return all(key.values.kind == "uuid" for key in self.view.keys)

    @property
    def create_headers(self) -> str:
        """What a POST needs beside its body."""
        needed = self.view.create is not None and self.view.create.idempotency == "required"
        return ', headers={"Idempotency-Key": factories.unique()}' if needed else ""


def trial(view: ResourceView, spec: Spec) -> Trial:
    """Return what the tests of a resource need."""
    roles = {action.name: access.able_role(view.resource, action, spec) for action in view.resource.actions}
    table = view.resource.table
    changed = _harmless(view, spec)
    return Trial(
        view=view,
        factory=seeds.factory_name(table.name, spec),
        roles={name: role for name, role in roles.items() if role is not None},
        seed=_seed(view, spec),
        change=_change(changed) if changed else _same(view),
        any_change=_change(view.changes[0]) if view.changes else "{}",
        changed=changed.column if changed and changed.values.kind in _ECHOED else "",
        wrong_create=tuple(_wrong(view.body)),
        wrong_update=tuple(_wrong(view.changes)),
        echoed=tuple(f.column for f in view.body if f.required and f.values.kind in _ECHOED),
        unique=tuple(_unique(view)),
        child=_child(table, spec),
        ties=tuple(_ties(view, spec)),
        filled=tuple(_filled(view, spec)),
    )


_ECHOED = frozenset({"text", "integer", "boolean", "uuid"})


def _seed(view: ResourceView, spec: Spec) -> Seed:
    table = view.resource.table
    body = {field.column: field for field in view.body}
    owned = {key.columns[0] for key in seeds.foreign_keys(table) if spec.auth and key.references == seeds.USERS}
    sent = body.keys() - owned
    ours = owned | {name for name, expression in _sets(view) if expression == ":user_id"}
    keys = [
        key
        for key in seeds.foreign_keys(table)
        if set(key.columns) <= sent | ours and any(body[name].required for name in sent & set(key.columns))
    ]
    parents = tuple(_within(seeds.parent(key, spec), sent) for key in seeds.widest(keys))
    referring = {column for parent in parents for column, _ in parent.columns}
    values = tuple(
        (name, "user_id" if name in owned else _value(table, name, spec))
        for name, field in body.items()
        if (field.required and name not in referring) or name in owned
    )
    return Seed(values, parents, bool(_unsure(table, spec)))


def _sets(view: ResourceView) -> tuple[tuple[str, str], ...]:
    create = view.resource.action("create")
    return create.sets if create else ()


def _within(parent: Parent, sent: Set[str]) -> Parent:
    """Return the parent for the columns that a body may carry: what the server sets is the caller's already."""
    return replace(parent, columns=tuple(pair for pair in parent.columns if pair[0] in sent))


def _unsure(table: Table, spec: Spec) -> frozenset[str]:
    """Return the columns of a table whose values the database may refuse."""
    return next((factory.unsure for factory in seeds.factories(spec) if factory.table == table.name), frozenset())


def _value(table: Table, name: str, spec: Spec) -> str:
    column = table.column(name)
    assert column is not None
    return seeds.value(table, column, spec)


def _harmless(view: ResourceView, spec: Spec) -> FieldView | None:
    """Return a field whose change moves the row out of nobody's reach, when there is one."""
    keys = {name for key in seeds.foreign_keys(view.resource.table) for name in key.columns}
    policies = spec.auth.policies if spec.auth else ()
    watched = {name for policy in policies for name in policy.columns}
    watched |= _unsure(view.resource.table, spec)
    free = [field for field in view.changes if field.column not in keys | watched]
    return next(iter(free), None)


def _same(view: ResourceView) -> str:
    """Return a change to what is there already, for a row of which nothing can be changed without asking the database."""
    return f"factories.same(row, {layout.string(view.changes[0].column)})" if view.changes else "{}"


def _change(field: FieldView) -> str:
    return f"{{{layout.string(field.column)}: {_factory_call(seeds.expression(field.values, field.column))}}}"


def _factory_call(expression: str) -> str:
    """Qualify the functions of tests/factories.py."""
    return re.sub(r"\b(unique|number|moment|day)\(", r"factories.\1(", expression)


def _wrong(fields: Iterable[FieldView]) -> Iterable[tuple[str, str]]:
    for field in fields:
        for expression in seeds.wrong_values(field.values, nullable=field.nullable):
            yield field.column, expression


def _unique(view: ResourceView) -> Iterable[Unique]:
    table, body = view.resource.table, {field.column for field in view.body if field.required}
    for constraint in table.constraints:
        if constraint.kind in ("unique", "primary_key") and constraint.columns and set(constraint.columns) <= body:
            yield Unique(constraint.columns)


def _child(table: Table, spec: Spec) -> Parent | None:
    """Return the factory of a row that keeps a row of this table from being deleted."""
    for child in spec.schema.tables.values():
        for key in seeds.foreign_keys(child):
            if (
                key.references == table.name
                and _restricts(key)
                and child.name in {f.table for f in seeds.factories(spec)}
            ):
                columns = tuple(zip(key.columns, seeds.referenced(key, spec), strict=True))
                made = Parent(seeds.factory_name(child.name, spec), columns)
                return None if seeds.parent(key, spec).given else made  # its row has no value to refer to
    return None


def _restricts(key: Constraint) -> bool:
    return key.on_delete.lower() in ("", "no action", "restrict")


def _ties(view: ResourceView, spec: Spec) -> Iterable[tuple[str, str]]:
    """Yield (column, expression) of values that several rows can share, for the columns that a list sorts by."""
    table = view.resource.table
    alone = {c.columns[0] for c in table.constraints if c.kind in ("unique", "primary_key") and len(c.columns) == 1}
    alone |= {index.columns[0] for index in table.indexes if index.unique and len(index.columns) == 1}
    seen: set[str] = set()
    for sort in view.sql.sorts:
        name = sort.keys[0][0]
        column = table.column(name)
        if column is not None and name not in alone | seen and column.generated is None and sort.name:
            seen.add(name)
            yield name, _given(table, name, spec)


def _given(table: Table, name: str, spec: Spec) -> str:
    """Return an expression, in a test, for a value that a row of the table can have: of a foreign key, a new parent's."""
    key = next((key for key in seeds.foreign_keys(table) if key.columns == (name,)), None)
    if key is None:
        return _factory_call(_value(table, name, spec))
    if spec.auth is not None and key.references == seeds.USERS:
        return "user_id"
    (referenced,) = seeds.referenced(key, spec)
    user = ", user_id" if spec.auth is not None else ""
    return f"factories.{seeds.factory_name(key.references, spec)}(stage.owner{user})[{layout.string(referenced)}]"


def _filled(view: ResourceView, spec: Spec) -> Iterable[tuple[str, str]]:
    """Yield (column, expression) of the filtered columns that could be NULL, which no filter finds."""
    for field in view.filters:
        column = view.resource.table.column(field.column)
        if column is not None and not column.not_null and column.generated is None:
            yield field.column, _given(view.resource.table, field.column, spec)


def operations(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Return the ids of all operations of the resources."""
    return tuple(
        actions.operation_id(trial.view.name, action.name) for trial in trials for action in trial.view.resource.actions
    )
