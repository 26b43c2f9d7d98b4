"""Replays Operations into a Schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field, fields
from typing import Any

from backendgen.sql.operation import AddColumn, CreateIndex, Operation
from backendgen.sql.schema import Column, Constraint, DomainType, Index, Routine, Table, Type, View
from backendgen.sql.table_changes import bare, in_schema, schema_of


@dataclass(slots=True)
class Schema:
    """A database's tables, enums, views, domains, routines and policies, which `apply` advances in place.

    The parts are frozen. One operation costs in proportion to the table that it changes, not to the whole. (A frozen
    whole would copy its dictionaries for each of ten thousand statements.) Change it through its methods only: they keep
    the lookups in step.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    domains: dict[str, DomainType] = field(default_factory=dict)
    routines: dict[str, Routine] = field(default_factory=dict)
    policies: Counter[str] = field(default_factory=Counter)  # table -> how many row security policies it has
    dialect: str = "postgresql"  # or mysql, mariadb, sqlite
    _owners: dict[str, str] = field(default_factory=dict)  # index -> its table or materialized view
    _elsewhere: dict[str, dict[str, None]] = field(default_factory=dict)  # bare name -> indexes outside of public
    _constraint_names: Counter[str] = field(default_factory=Counter)
    _children: dict[str, dict[str, None]] = field(default_factory=dict)  # table -> the tables that refer to it
    _partitions: dict[str, dict[str, None]] = field(default_factory=dict)  # table -> its partitions
    _heirs: dict[str, dict[str, None]] = field(default_factory=dict)  # table -> the tables that inherit from it

    def apply(self, operation: Operation) -> None:
        """Advance by one operation. One that names something unknown changes nothing."""
        from backendgen.sql.schema_changes import CHANGES

        change: Callable[[Schema, Any], None] | None = CHANGES.get(type(operation))
        if self.dialect != "postgresql":
            from backendgen.sql.dialect_changes import OTHERS

            change = OTHERS.get(type(operation), change)
        if change:
            change(self, operation)

    def copy(self) -> Schema:
        """Return a Schema of the same state that advances on its own."""
        return Schema(**{part.name: copy(getattr(self, part.name)) for part in fields(self)})

    def column(self, table: str, name: str) -> Column | None:
        """Return a table's column, None when the history does not show it."""
        known = self.tables.get(table)
        return known.column(name) if known else None

    def base_type(self, kind: Type) -> Type:
        """Return what a domain is made of, any other type as it is."""
        while (domain := self.domains.get(kind.name)) is not None and not kind.array:
            kind = domain.base
        return kind

    def index(self, name: str) -> Index | None:
        """Return the named index, or None."""
        holder, known = self.index_owner(name), self.index_name(name)
        return next((index for index in holder.indexes if index.name == known), None) if holder else None

    def index_name(self, index: str) -> str:
        """Return the full name of an index: without a schema it is found wherever the search_path leads."""
        if index in self._owners or len(self._elsewhere.get(index, ())) != 1:
            return index
        return next(iter(self._elsewhere[index]))

    def index_owner(self, index: str) -> Table | View | None:
        """Return the table or materialized view that has the named index, or None."""
        owner = self._owners.get(self.index_name(index), "")
        return self.tables.get(owner) or self.views.get(owner)

    def references_to(self, table: str) -> tuple[tuple[Table, Constraint], ...]:
        """Return the foreign keys that refer to a table, each with the table that has it."""
        children = (self.tables[name] for name in self._children.get(table, ()))
        return tuple((child, key) for child in children for key in child.constraints if key.references == table)

    def partitions_of(self, table: str) -> tuple[Table, ...]:
        """Return a table's partitions."""
        return tuple(self.tables[name] for name in self._partitions.get(table, ()))

    def default_partition_of(self, table: str) -> Table | None:
        """Return a table's default partition, or None."""
        return next((partition for partition in self.partitions_of(table) if partition.default_partition), None)

    def heirs_of(self, table: str) -> tuple[Table, ...]:
        """Return the tables that inherit from a table by INHERITS."""
        return tuple(self.tables[name] for name in self._heirs.get(table, ()))

    def views_reading(self, relation: str) -> tuple[View, ...]:
        """Return the views whose queries name a table or view."""
        return tuple(view for view in self.views.values() if relation in view.reads)

    def taken(self, schema: str) -> TakenNames:
        """Return the names that a new index or constraint in a schema cannot have."""
        return TakenNames(self, schema)

    def put(self, table: Table) -> None:
        """Add a table, or replace the one of that name."""
        before = self.tables.get(table.name)
        self.tables[table.name] = table
        kept = {id(index) for index in before.indexes}.intersection(map(id, table.indexes)) if before else set[int]()
        for index in before.indexes if before else ():
            if id(index) not in kept:
                self._disown(index.name)
        for index in table.indexes:
            if id(index) not in kept:
                self._owns(table.name, index.name)
        if before is None:
            self._note(table)
        elif not _refers_alike(before, table):
            self._forget(before, table)
            self._note(table)

    def _note(self, table: Table) -> None:
        """Note the names of a table's constraints, and which tables it refers to or belongs to."""
        for constraint in table.constraints:
            self._constraint_names[constraint.name] += 1
            if constraint.references:
                self._children[constraint.references] = {
                    **self._children.get(constraint.references, {}),
                    table.name: None,
                }
        if table.partition_of:
            self._partitions[table.partition_of] = {**self._partitions.get(table.partition_of, {}), table.name: None}
        for parent in table.inherits:
            self._heirs[parent] = {**self._heirs.get(parent, {}), table.name: None}

    def remove(self, table: str) -> None:
        """Forget a table."""
        if known := self.tables.pop(table, None):
            for index in known.indexes:
                self._disown(index.name)
            self._forget(known)

    def _forget(self, table: Table, successor: Table | None = None) -> None:
        """Forget what `_note` has noted; what still holds of its next state stays in its place."""
        for constraint in table.constraints:
            self._constraint_names[constraint.name] -= 1
        for noted, names, left in (
            (self._children, _referred_to(table), _referred_to(successor)),
            (self._partitions, {table.partition_of}, {successor.partition_of if successor else ""}),
            (self._heirs, {*table.inherits}, {*successor.inherits} if successor else set[str]()),
        ):
            for name in names - left - {""}:
                noted[name] = _without(noted.get(name, {}), table.name)

    def put_view(self, view: View) -> None:
        """Add a view, or replace the one of that name."""
        self.remove_view(view.name)
        self.views[view.name] = view
        for index in view.indexes:
            self._owns(view.name, index.name)

    def remove_view(self, name: str) -> None:
        """Forget a view."""
        if view := self.views.pop(name, None):
            for index in view.indexes:
                self._disown(index.name)

    def _owns(self, relation: str, index: str) -> None:
        self._owners[index] = relation
        if schema_of(index):
            self._elsewhere[bare(index)] = {**self._elsewhere.get(bare(index), {}), index: None}

    def _disown(self, index: str) -> None:
        self._owners.pop(index, None)
        if schema_of(index):
            self._elsewhere[bare(index)] = _without(self._elsewhere.get(bare(index), {}), index)

    def has_name(self, schema: str, name: str) -> bool:
        """Whether a relation or constraint in the schema has this name already."""
        inside = in_schema(schema, name)
        relation = inside in self.tables or inside in self.views or inside in self._owners
        return relation or self._constraint_names.get(name, 0) > 0


def _referred_to(table: Table | None) -> set[str]:
    return {constraint.references for constraint in table.constraints} if table else set()


def _refers_alike(one: Table, other: Table) -> bool:
    """Whether two states of a table have the very constraints, and belong to the same tables: most changes keep them."""
    same = one.constraints is other.constraints
    return same and one.partition_of == other.partition_of and one.inherits == other.inherits


def _without(names: dict[str, None], gone: str) -> dict[str, None]:
    return {name: None for name in names if name != gone}


@dataclass(frozen=True, slots=True)
class TakenNames:
    """The names of a schema's relations and constraints, asked for by `in`."""

    whole: Schema
    schema: str

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.whole.has_name(self.schema, name)


def has_no_effect(operation: Operation, schema: Schema) -> bool:
    """Whether IF NOT EXISTS finds what the operation would add."""
    if isinstance(operation, CreateIndex) and operation.if_not_exists:
        return schema.index_name(operation.index.name) == operation.index.name and bool(
            schema.index(operation.index.name)
        )
    if isinstance(operation, AddColumn) and operation.if_not_exists:
        table = schema.tables.get(operation.table)
        return table is not None and table.column(operation.definition.name) is not None
    return False


def replay(operations: Iterable[Operation], onto: Schema | None = None) -> Schema:
    """Apply the operations in order to a new Schema, or to the one given, and return it."""
    schema = onto if onto is not None else Schema()
    for operation in operations:
        schema.apply(operation)
    return schema
