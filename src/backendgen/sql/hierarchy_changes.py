"""What changes of columns, constraints and indexes do to a table, its partitions and those that inherit from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from backendgen.sql import operation as op
from backendgen.sql import table_changes as tables
from backendgen.sql.names import generated_name, joined, object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Index, Table, View
from backendgen.sql.table_changes import BACKED_BY_INDEX, bare, in_schema, schema_of


def update(schema: Schema, name: str, change: Callable[[Table], Table]) -> None:
    """Change a table; an unknown one stays unknown."""
    if table := schema.tables.get(name):
        schema.put(change(table))


def _with_descendants(schema: Schema, table: str) -> Iterator[str]:
    """Yield a table, its partitions and those that inherit from it, at all levels."""
    if table in schema.tables:
        yield table
        for below in (*schema.partitions_of(table), *schema.heirs_of(table)):
            yield from _with_descendants(schema, below.name)


def _with_partitions(schema: Schema, table: str) -> Iterator[str]:
    """Yield a table and its partitions, at all levels."""
    if table in schema.tables:
        yield table
        for partition in schema.partitions_of(table):
            yield from _with_partitions(schema, partition.name)


def _stays(schema: Schema, table: str, below: str, constraint: Constraint) -> bool:
    """Whether a table that inherits does without a constraint: keys and foreign keys go to partitions only."""
    inherited = below not in _with_partitions(schema, table)
    return inherited and (constraint.kind in BACKED_BY_INDEX or constraint.kind == "foreign_key")


def _add_column(schema: Schema, change: op.AddColumn) -> None:
    for name in _with_descendants(schema, change.table):
        table = schema.tables[name]
        if table.column(change.definition.name) is None:
            table = tables.with_column(table, change.definition)
            inline = [
                constraint for constraint in change.constraints if not _stays(schema, change.table, name, constraint)
            ]
            schema.put(tables.with_constraints(table, inline, schema.taken(schema_of(name)), schema.tables))


def drop_column(schema: Schema, change: op.DropColumn) -> None:
    """Drop a column here and below; with CASCADE the foreign keys that refer to it as well."""
    for name in _with_descendants(schema, change.table):
        if change.cascade:
            for child, key in schema.references_to(name):
                if change.name in key.referenced_columns:
                    schema.put(tables.without_constraint(schema.tables[child.name], key.name))
        update(schema, name, lambda t: tables.without_column(t, change.name))


def _rename_column(schema: Schema, change: op.RenameColumn) -> None:
    for name in _with_descendants(schema, change.table):
        if schema.tables[name].column(change.new_name):
            continue
        update(schema, name, lambda t: tables.with_renamed_column(t, change.name, change.new_name))
        for child, _ in schema.references_to(name):
            schema.put(_following(schema.tables[child.name], name, change))


def _following(table: Table, parent: str, change: op.RenameColumn) -> Table:
    """Follow a parent's renamed column in the table's foreign keys."""
    if table.name == parent:
        return table
    if not any(c.references == parent and change.name in c.referenced_columns for c in table.constraints):
        return table
    return replace(
        table,
        constraints=tuple(
            replace(
                c,
                referenced_columns=tuple(change.new_name if n == change.name else n for n in c.referenced_columns),
            )
            if c.references == parent
            else c
            for c in table.constraints
        ),
    )


def _column_change(change_of: Callable[[Any], Callable[[Column], Column]]) -> Callable[[Schema, Any], None]:
    """Return the change of one column in its table and the table's partitions."""

    def apply(schema: Schema, change: Any) -> None:
        for name in _with_descendants(schema, change.table):
            update(schema, name, lambda t: tables.with_changed_column(t, change.name, change_of(change)))

    return apply


def _drop_not_null(schema: Schema, change: op.DropNotNull) -> None:
    def dropped(table: Table) -> Table:
        kept = tuple(c for c in table.constraints if c.kind != "not_null" or c.columns != (change.name,))
        table = replace(table, constraints=kept)
        return tables.with_changed_column(table, change.name, lambda c: replace(c, not_null=False))

    for name in _with_descendants(schema, change.table):
        update(schema, name, dropped)


def _add_constraint(schema: Schema, change: op.AddConstraint) -> None:
    constraint = change.constraint
    for name in _with_descendants(schema, change.table):
        table = schema.tables[name]
        if _stays(schema, change.table, name, constraint):
            continue
        if name != change.table and constraint.kind in BACKED_BY_INDEX:
            constraint = replace(constraint, name=generated_name(name, constraint, ()), named=False)
        if constraint.named and table.constraint(constraint.name):
            continue
        table = tables.with_constraints(table, [constraint], schema.taken(schema_of(name)), schema.tables)
        schema.put(table)
        # Partitions take the name that the parent's got; only an index must have another.
        constraint = replace(table.constraints[-1], named=True)


def drop_foreign_keys(schema: Schema, table: str, columns: tuple[str, ...] | None) -> None:
    """Drop the foreign keys that refer to a table, or only those to exactly these columns."""
    for child, key in schema.references_to(table):
        if columns is None or set(key.referenced_columns) == set(columns):
            schema.put(tables.without_constraint(schema.tables[child.name], key.name))


def _drop_constraint(schema: Schema, change: op.DropConstraint) -> None:
    table = schema.tables.get(change.table)
    constraint: Constraint | None = table.constraint(change.name) if table else None
    if constraint and change.cascade and constraint.kind in ("primary_key", "unique"):
        drop_foreign_keys(schema, change.table, constraint.columns)
    for name in _with_descendants(schema, change.table):
        dropped = change.name
        if constraint and name != change.table:
            same = (c.name for c in schema.tables[name].constraints if _alike(c, constraint))
            dropped = next(same, "")
        schema.put(tables.without_constraint(schema.tables[name], dropped))


def _alike(one: Constraint, other: Constraint) -> bool:
    """Whether a partition's constraint is the counterpart of its parent's."""
    parts = (one.kind, one.columns, one.expression, one.references)
    return parts == (other.kind, other.columns, other.expression, other.references)


def _validate(schema: Schema, change: op.ValidateConstraint) -> None:
    update(schema, change.table, lambda t: tables.with_valid_constraint(t, change.name))


def _rename_constraint(schema: Schema, change: op.RenameConstraint) -> None:
    update(schema, change.table, lambda t: tables.with_renamed_constraint(t, change.name, change.new_name))


def _create_index(schema: Schema, change: op.CreateIndex) -> None:
    index = replace(change.index, valid=False) if change.only else change.index
    prefix = schema_of(change.table)
    if change.named and schema.index_owner(index.name):
        return
    if view := schema.views.get(change.table):
        schema.put_view(replace(view, indexes=(*view.indexes, index)))
    update(schema, change.table, lambda t: tables.with_index(t, index, change.named, schema.taken(prefix)))
    if not change.only:
        for name in _with_partitions(schema, change.table):
            if name != change.table:
                schema.put(with_own_index(schema, schema.tables[name], index))


def with_own_index(schema: Schema, table: Table, index: Index) -> Table:
    """Return the table with an index like that of its parent or model, under a name of its own."""
    name = object_name(bare(table.name), joined([*(c or "expr" for c in index.columns), *index.include]), "idx")
    return tables.with_index(table, replace(index, name=name), False, schema.taken(schema_of(table.name)))


def _drop_index(schema: Schema, change: op.DropIndex) -> None:
    owner, index = schema.index_owner(change.index), schema.index_name(change.index)
    if isinstance(owner, View):
        schema.put_view(replace(owner, indexes=tuple(i for i in owner.indexes if i.name != index)))
    elif owner is not None:
        dropped = owner.index(index)
        for name in _with_partitions(schema, owner.name):
            table = schema.tables[name]
            same = next((i.name for i in table.indexes if dropped and _serves_alike(i, dropped)), "")
            schema.put(tables.without_index(table, index if name == owner.name else same))


def _serves_alike(one: Index, other: Index) -> bool:
    """Whether a partition's index is the counterpart of its parent's."""
    parts = (one.keys, one.unique, one.nulls_not_distinct, one.method, one.where, one.include)
    return parts == (other.keys, other.unique, other.nulls_not_distinct, other.method, other.where, other.include)


def rename_index(schema: Schema, change: op.RenameIndex) -> None:
    """Rename the index of a table or materialized view, and the constraint that it stands behind."""
    owner, index = schema.index_owner(change.index), schema.index_name(change.index)
    new_name = in_schema(schema_of(index), change.new_name)
    if isinstance(owner, View):
        indexes = tuple(replace(i, name=new_name) if i.name == index else i for i in owner.indexes)
        schema.put_view(replace(owner, indexes=indexes))
    elif owner is not None:
        # The index behind a constraint and the constraint share their name.
        constraint = owner.constraint(bare(index))
        if constraint and constraint.kind in BACKED_BY_INDEX:
            schema.put(tables.with_renamed_constraint(owner, constraint.name, change.new_name))
        else:
            schema.put(tables.with_renamed_index(owner, index, new_name))


CHANGES: dict[type[op.Operation], Callable[[Schema, Any], None]] = {
    op.AddColumn: _add_column,
    op.DropColumn: drop_column,
    op.RenameColumn: _rename_column,
    op.AlterColumnType: _column_change(lambda change: lambda c: replace(c, type=change.type)),
    op.SetNotNull: _column_change(lambda _: lambda c: replace(c, not_null=True)),
    op.DropNotNull: _drop_not_null,
    op.SetDefault: _column_change(lambda change: lambda c: replace(c, default=change.default)),
    op.SetGenerated: _column_change(
        lambda change: (
            lambda c: replace(c, generated=change.expression, stored=c.stored and change.expression is not None)
        )
    ),
    op.SetIdentity: _column_change(lambda change: lambda c: replace(c, identity=change.identity)),
    op.AddConstraint: _add_constraint,
    op.DropConstraint: _drop_constraint,
    op.ValidateConstraint: _validate,
    op.RenameConstraint: _rename_constraint,
    op.CreateIndex: _create_index,
    op.DropIndex: _drop_index,
    op.RenameIndex: rename_index,
}
