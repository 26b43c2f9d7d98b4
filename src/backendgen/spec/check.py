"""What a spec that is right may still get wrong: asks the questions that its resources and its schema leave open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from backendgen.spec.access import PUBLIC, Access
from backendgen.spec.ddl import Data, Ddl
from backendgen.spec.document import Entry, Mapping, Node
from backendgen.spec.model import Action, Resource
from backendgen.spec.questions import Notes, Placed
from backendgen.spec.reading import entries
from backendgen.spec.resources import versioned
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint, Table

_MONEY = re.compile(r"(?:^|_)(?:price|amount|total|cost|balance|fee|discount|cents)(?:_|$)")
_WRITES = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Check:
    """Asks about one spec; `section` is the YAML of `api.resources`."""

    data: Data
    access: Access
    section: Node | None
    notes: Notes

    def resource(self, resource: Resource) -> None:
        """Ask about one resource."""
        for action in resource.actions:
            path = f"api.resources.{resource.name}.{action.name}"
            at = self._at(resource, action)
            if action.name in _WRITES and action.allow.public:
                self.notes.ask("S102", at, path=path, action=action.name)
            if action.name in ("list", "get"):
                self._readable(resource, action, path, at)
            if action.name in ("create", "update"):
                self._settable(resource, action, path, at)
        update = resource.action("update")
        if update is not None and not versioned(resource.table):
            path = f"api.resources.{resource.name}.update"
            self.notes.ask("S203", self._at(resource, update), path=path, table=resource.table.name)

    def _at(self, resource: Resource, action: Action) -> Placed:
        """Return the action's key, or the resource's when the action is implied."""
        section = self.section if isinstance(self.section, Mapping) else Mapping((), 0, 0)
        entry = section.entry(resource.name) or Entry("", section, 0, 0)
        inner = entry.node.entry(action.name) if isinstance(entry.node, Mapping) else None
        return inner or entry

    def _readable(self, resource: Resource, action: Action, path: str, at: Placed) -> None:
        open_to_all = any(all(term.kind in ("public", "user") for term in grant) for grant in action.allow.grants)
        owner = next(_owners(resource.table), None)
        if open_to_all and owner:
            who = "anybody" if action.allow.public else "every signed-in user"
            condition = f"{owner} = :user_id"
            names = {"who": who, "table": resource.table.name, "column": owner, "condition": condition}
            self.notes.ask("S103", at, path=path, **names)

    def _settable(self, resource: Resource, action: Action, path: str, at: Placed) -> None:
        carried = resource.body if action.name == "create" else resource.changes
        grants = [grant for grant in action.allow.grants if not any(map(self.access.privileged, grant))]
        if not grants:
            return
        for column in carried:
            if _MONEY.search(column):
                self.notes.ask(
                    "S201", at, path=path, column=column, paste=_paste(resource.table, column, self.data.schema)
                )
        unchecked = any(all(term.kind != "policy" for term in grant) and PUBLIC not in grant for grant in grants)
        for column in _owners(resource.table):
            if column in carried and unchecked:
                self.notes.ask("S202", at, path=path, column=column)

    def foreign_keys(self, ddl: Ddl) -> None:
        """Ask about every foreign key without an index."""
        for table in self.data.schema.tables.values():
            for key in table.constraints:
                if table.name not in self.data.reserved and key.kind == "foreign_key" and not _covered(table, key):
                    columns = ", ".join(key.columns)
                    index = f"{table.name}_by_{'_'.join(key.columns)}"
                    names = {"table": table.name, "columns": columns, "parent": key.references, "index": index}
                    self.notes.ask("S302", ddl.place(key.line or table.line or 1), **names)

    def unused_policies(self, auth: Node | None, resources: Iterable[Resource]) -> None:
        """Ask about policies that no action allows."""
        used = {name for resource in resources for action in resource.actions for name in action.allow.policies}
        for entry in entries(auth.get("policies") if isinstance(auth, Mapping) else None):
            if entry.key not in used:
                self.notes.ask("S105", entry, policy=entry.key)


def _owners(table: Table) -> Iterator[str]:
    """Yield the columns that say whose a row is."""
    for constraint in table.constraints:
        if constraint.kind == "foreign_key" and constraint.references == "users" and len(constraint.columns) == 1:
            yield constraint.columns[0]


def _covered(table: Table, key: Constraint) -> bool:
    size = len(key.columns)
    return any(not index.where and set(index.columns[:size]) == set(key.columns) for index in table.indexes)


def _paste(table: Table, column: str, schema: Schema) -> str:
    """Return the `set` that takes the money from the row that a foreign key refers to, or from nowhere."""
    for key in table.constraints:
        parent = schema.tables.get(key.references) if key.kind == "foreign_key" else None
        source = next((c.name for c in parent.columns if _MONEY.search(c.name)), None) if parent else None
        if parent and source and len(key.columns) == 1 and parent is not table:
            other = (key.referenced_columns or parent.primary_key)[0]
            where = f"{parent.name}.{other} = {table.name}.{key.columns[0]}"
            return f'set: {{{column}: "(SELECT {source} FROM {parent.name} WHERE {where})"}}'
    return f'set: {{{column}: "0"}}'
