"""The `api` section: resources over tables, their actions, and which columns a body may carry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast, get_args

from backendgen.errors import did_you_mean
from backendgen.spec.access import PUBLIC, USER, Access, allow_words, expression_at, read_allow
from backendgen.spec.conform import suggestion
from backendgen.spec.ddl import CARRIED, COMPARABLE, KEYS, TYPES, Data
from backendgen.spec.document import Entry, Mapping, Node, Scalar, shown
from backendgen.spec.expression import Expression
from backendgen.spec.model import Action, ActionName, Allow, Idempotency, Resource, SortKey
from backendgen.spec.questions import Notes
from backendgen.spec.reading import entries, scalars, text
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Table

ACTIONS: tuple[ActionName, ...] = get_args(ActionName)
_INTEGERS = ("smallint", "integer", "bigint")
_RESERVED_PATHS = ("auth", "docs", "health", "live", "metrics", "openapi", "ready")
_RESERVED_QUERY = ("cursor", "limit", "sort")


def versioned(table: Table) -> bool:
    """True when the table has a `version` that guards updates: an integer that is never NULL."""
    column = table.column("version")
    return column is not None and column.not_null and column.type.name in _INTEGERS and not column.type.array


def writable(table: Table) -> tuple[str, ...]:
    """Return the columns that a body may carry as far as the table goes.

    The server owns generated columns, keys with a default, the version, and `created_at` and `updated_at` with a default.
    """
    return tuple(column.name for column in table.columns if not _server_owned(column, table))


def _server_owned(column: Column, table: Table) -> bool:
    given = column.default is not None or bool(column.identity)
    return (
        column.generated is not None
        or column.identity == "always"
        or column.type.name == "tsvector"
        or (column.name in table.primary_key and given)
        or (column.name == "version" and versioned(table))
        or (column.name in ("created_at", "updated_at") and given)
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading a resource needs to know."""

    data: Data
    access: Access
    notes: Notes
    idempotency: Idempotency

    @property
    def schema(self) -> Schema:
        """The replayed DDL."""
        return self.data.schema

    def resources(self, node: Node | None) -> tuple[Resource, ...]:
        """Return the resources of `api.resources`; what is wrong with one is reported and does not hide the next."""
        found = [self._resource(entry) for entry in entries(node)]
        return tuple(resource for resource in found if resource is not None)

    def _resource(self, entry: Entry) -> Resource | None:
        path = f"api.resources.{entry.key}"
        if entry.key in _RESERVED_PATHS:
            self.notes.error(entry, f"{path}: /{entry.key} belongs to the generated service; choose another name", "")
        table = self._table(entry, path)
        if table is None:
            return None
        offered = [one for one in entries(entry.node) if one.key in ACTIONS]
        implied = not offered and not (isinstance(entry.node, Mapping) and entry.node.refused)
        if implied:
            empty = Mapping((), entry.line, entry.column)
            offered = [Entry(name, empty, entry.line, entry.column) for name in ACTIONS]
        offered.sort(key=lambda one: ACTIONS.index(cast(ActionName, one.key)))
        self._ask_allow(entry, path, offered, implied)
        actions = [self._action(one, f"{path}.{one.key}", table) for one in offered]
        resource = _with_bodies(entry.key, table, tuple(actions))
        self._check_given(resource, entry, path)
        return self._without_empty_update(resource, entry, path, implied)

    def _table(self, entry: Entry, path: str) -> Table | None:
        given = entry.node.entry("table") if isinstance(entry.node, Mapping) else None
        name = text(entry.node, "table", entry.key)
        at = given.node if given else entry
        table = self.schema.tables.get(name)
        if name in self.data.reserved:
            self.notes.error(at, f"{path}: table '{name}' belongs to the generated service; it is no resource")
            return None
        misspelt = isinstance(entry.node, Mapping) and "table" in entry.node.refused
        if table is None and (misspelt or not self.data.complete):
            return None
        if table is None:
            known = [table for table in self.schema.tables if table not in self.data.reserved]
            self.notes.error(at, f"{path}: unknown table {shown(name)}{suggestion(name, known)}")
            return None
        if len(table.primary_key) != 1:
            key = f"a composite primary key ({', '.join(table.primary_key)})"
            what = f"{key}; a resource over one is not built yet" if table.primary_key else "no primary key"
            self.notes.error(at, f"{path}: table '{name}' has {what}")
            return None
        column = table.column(table.primary_key[0])
        if column and (column.type.array or column.type.name in TYPES - KEYS):
            what = f"{path}: the primary key '{name}.{column.name}' is {column.type}"
            message = f"{what}, by which a path cannot name a row"
            self.notes.error(at, message, f"use an enum or one of: {', '.join(sorted(KEYS))}")
        for column in table.columns:
            if column.type.name in TYPES - CARRIED:
                message = f"{path}: column '{name}.{column.name}' is {column.type}, which a resource cannot carry"
                self.notes.error(at, message, f"use an enum or one of: {', '.join(sorted(CARRIED))}")
        return table

    def _ask_allow(self, entry: Entry, path: str, offered: Iterable[Entry], implied: bool) -> None:
        silent = [one for one in offered if isinstance(one.node, Mapping) and one.node.get("allow") is None]
        if silent and self.access.auth is not None:
            names = ", ".join(one.key for one in silent)
            at = entry if implied else silent[0]
            self.notes.ask("S101", at, path=path, actions=names, taken="allow: user (whoever is signed in)")

    def _action(self, entry: Entry, path: str, table: Table) -> Action:
        node = entry.node
        given = node.get("allow") if isinstance(node, Mapping) else None
        default = Allow(((PUBLIC,),)) if self.access.auth is None else Allow(((USER,),))
        allow = read_allow(given, f"{path}.allow", self.access, self.notes) if given else default
        if given:
            self._check_policies(given, f"{path}.allow", allow, table)
        idempotency = cast(Idempotency, text(node, "idempotency", self.idempotency)) if entry.key == "create" else "off"
        return Action(
            name=cast(ActionName, entry.key),
            allow=allow,
            filters=self._filters(node, f"{path}.filter", table),
            sorts=self._sorts(node, f"{path}.sort", table),
            sets=self._sets(node, f"{path}.set", table, entry.key, allow),
            idempotency=idempotency,
            line=entry.line,
        )

    def _check_policies(self, node: Node, path: str, allow: Allow, table: Table) -> None:
        for word in allow_words(node):
            expression = self.access.expressions.get(word.text) if word.text in allow.policies else None
            for missing in expression.missing(table) if expression else ():
                message = (
                    f"{path}: policy '{word.text}' names column '{missing}', which table '{table.name}' does not have"
                )
                self.notes.error(word, message, f"columns of {table.name}: {_columns(table)}")

    def _check_given(self, resource: Resource, entry: Entry, path: str) -> None:
        """Report columns that every new row needs and nothing gives."""
        create = resource.action("create")
        if create is None:
            return
        given = {*resource.body, *(column for column, _ in create.sets)}
        for column in resource.table.columns:
            own = column.default is not None or column.generated is not None or column.identity
            if column.not_null and not own and column.name not in given:
                message = (
                    f"{path}.create: '{resource.table.name}.{column.name}' is NOT NULL and nothing gives it a value"
                )
                self.notes.error(entry, message, f"give it a default: {column.name} {column.type} NOT NULL DEFAULT 1")

    def _column(self, name: str, at: Node, path: str, table: Table) -> Column | None:
        """Return a column that values can be compared by, or report why there is none."""
        column = table.column(name)
        if column is None:
            guess = did_you_mean(name[:64], [known.name for known in table.columns])
            message = f"{path}: table '{table.name}' has no column {shown(name)}{guess}"
            self.notes.error(at, message, "" if guess else f"columns of {table.name}: {_columns(table)}")
        elif column.type.array or column.type.name in TYPES - COMPARABLE:
            self.notes.error(at, f"{path}: column '{name}' is {column.type}, which has no order to compare by")
            return None
        return column

    def _filters(self, node: Node, path: str, table: Table) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for item in scalars(node.get("filter") if isinstance(node, Mapping) else None):
            if item.text in _RESERVED_QUERY and table.column(item.text):
                message = f"{path}: a list's own parameters are called {', '.join(_RESERVED_QUERY)}; rename the column"
                self.notes.error(item, message)
            elif self._column(item.text, item, path, table):
                names[item.text] = None
        return tuple(names)

    def _sorts(self, node: Node, path: str, table: Table) -> tuple[SortKey, ...]:
        keys: dict[SortKey, None] = {}
        for item in scalars(node.get("sort") if isinstance(node, Mapping) else None):
            key = SortKey(item.text.removeprefix("-"), item.text.startswith("-"))
            if self._column(key.column, item, path, table):
                asked = any(other.column == key.column for other in keys)  # one index serves both directions
                keys[key] = None
                if not asked and not _has_index(table, key.column):
                    self._ask_sort_index(item, path, table, key)
        return tuple(keys)

    def _ask_sort_index(self, item: Scalar, path: str, table: Table, key: SortKey) -> None:
        direction = " DESC" if key.descending else ""
        columns = dict.fromkeys((key.column, *table.primary_key))
        keys = ", ".join(f"{column}{direction}" for column in columns)
        index = f"{table.name}_by_{key.column}"
        self.notes.ask("S301", item, path=path, column=key.column, index=index, table=table.name, keys=keys)

    def _sets(self, node: Node, path: str, table: Table, action: str, allow: Allow) -> tuple[tuple[str, str], ...]:
        section = node.get("set") if isinstance(node, Mapping) else None
        given = [entry.key for entry in entries(section)]
        body = tuple(name for name in writable(table) if name not in given)
        pairs = []
        for entry in entries(section):
            place = f"{path}.{entry.key}"
            expression = expression_at(entry, place, self.data, self.notes)
            if expression is not None and expression.parameters and allow.public:
                why = f"is not bound, because 'public' may {action} without signing in"
                self.notes.error(entry.node, f"{place}: :{expression.parameters[0]} {why}")
            if self._settable(entry, place, table) and expression is not None:
                self._check_row(entry, place, expression, table, body if action == "create" else None)
                pairs.append((entry.key, expression.sql))
        return tuple(pairs)

    def _settable(self, entry: Entry, path: str, table: Table) -> bool:
        column = table.column(entry.key)
        if column is None:
            guess = suggestion(entry.key, [known.name for known in table.columns])
            self.notes.error(entry, f"{path}: table '{table.name}' has no column {shown(entry.key)}{guess}")
        elif column.generated is not None or column.identity == "always":
            self.notes.error(entry, f"{path}: PostgreSQL generates '{entry.key}' itself; remove it from `set`")
        elif entry.key == "version" and versioned(table):
            self.notes.error(entry, f"{path}: every update counts 'version' up; remove it from `set`")
        else:
            return True
        return False

    def _check_row(
        self, entry: Entry, path: str, expression: Expression, table: Table, body: tuple[str, ...] | None
    ) -> None:
        """Report names that the expression cannot see: on create, a new row has what its body carries."""
        missing = set(expression.missing(table))
        for name in expression.names:
            if name in missing:
                hint = f"columns of {table.name}: {_columns(table)}; a text is quoted twice: \"'{name}'\""
                self.notes.error(entry.node, f"{path}: no column '{name}' in table '{table.name}'", hint)
            elif body is not None and name.column not in body:
                hint = f"the body carries: {', '.join(body) or 'nothing'}"
                self.notes.error(
                    entry.node, f"{path}: '{name}' is not in the body of a create, so it has no value yet", hint
                )

    def _without_empty_update(self, resource: Resource, entry: Entry, path: str, implied: bool) -> Resource:
        update = resource.action("update")
        if update is None or resource.changes:
            return resource
        if not implied:
            at = entry.node.entry("update") if isinstance(entry.node, Mapping) else None
            message = f"{path}.update: no column of '{resource.table.name}' can be changed; remove it"
            self.notes.error(at or entry, message)
        else:
            self.notes.ask("S204", entry, path=path, table=resource.table.name)
        actions = tuple(action for action in resource.actions if action is not update)
        return Resource(resource.name, resource.table, actions, resource.body, ())


def _with_bodies(name: str, table: Table, actions: tuple[Action, ...]) -> Resource:
    """What `set` gives at creation is the server's for good; an update may not carry the key either."""
    sets = {action.name: {column for column, _ in action.sets} for action in actions}
    body = tuple(column for column in writable(table) if column not in sets.get("create", ()))
    fixed = {*table.primary_key, *sets["update"]} if "update" in sets else set(body)
    return Resource(name, table, actions, body, tuple(column for column in body if column not in fixed))


def _has_index(table: Table, column: str) -> bool:
    return any(
        index.method == "btree" and not index.where and index.columns[:1] == (column,) for index in table.indexes
    )


def _columns(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)
