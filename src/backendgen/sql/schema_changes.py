"""What each Operation does to a Schema: one function per kind, in `CHANGES`.

Those of columns, constraints and indexes, which go down to partitions, stand in hierarchy_changes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from backendgen.sql import hierarchy_changes as hierarchy
from backendgen.sql import operation as op
from backendgen.sql import table_changes as tables
from backendgen.sql.names import generated_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, DomainType, Routine, Table, View
from backendgen.sql.table_changes import BACKED_BY_INDEX, bare, in_schema, schema_of


def _create_table(schema: Schema, change: op.CreateTable) -> None:
    if change.table in schema.tables or change.table in schema.views:
        return
    own = {column.name for column in change.columns if column.type.name}
    table = Table(
        change.table,
        columns=(
            *(column for column in _inherited(schema, change) if column.name not in own),
            *(column for column in change.columns if column.name in own),
        ),
        partition_of=change.partition_of,
        default_partition=change.default_partition,
        inherits=change.inherits,
        partitioned=change.partitioned,
        partition_key=change.partition_key,
        temporary=change.temporary,
        line=change.line,
    )
    table = tables.with_constraints(table, change.constraints, schema.taken(schema_of(table.name)), schema.tables)
    parents = [op.Like(parent, constraints=True) for parent in change.inherits]
    if change.partition_of:
        parents.append(op.Like(change.partition_of, constraints=True, indexes=True))
    for like in (*change.like, *parents):
        if source := schema.tables.get(like.table):
            table = _copied(schema, table, source, like)
    schema.put(table)


def _inherited(schema: Schema, change: op.CreateTable) -> Iterator[Column]:
    """Yield the columns that come from a partition's parent, INHERITS and LIKE."""
    for name in (change.partition_of, *change.inherits):
        if parent := schema.tables.get(name):
            yield from parent.columns
    for like in change.like:
        if source := schema.tables.get(like.table):
            for column in source.columns:
                yield replace(
                    column,
                    default=column.default if like.defaults else None,
                    generated=column.generated if like.generated else None,
                    stored=column.stored and like.generated,
                    identity=column.identity if like.identity else "",
                )


def _copied(schema: Schema, table: Table, source: Table, like: op.Like) -> Table:
    """Return the table with the constraints and indexes that LIKE or a partitioned parent gives it, under own names."""
    taken = schema.taken(schema_of(table.name))
    wanted = [
        replace(c, name=generated_name(table.name, c, ()), named=False)
        if c.kind in BACKED_BY_INDEX
        else replace(c, named=True)
        for c in source.constraints
        if (like.indexes if c.kind in BACKED_BY_INDEX else like.constraints)
        and (c.kind != "foreign_key" or table.partition_of)
        and not (c.kind == "primary_key" and table.primary_key)
    ]
    table = tables.with_constraints(table, wanted, taken, schema.tables)
    if like.indexes:
        backing = {in_schema(schema_of(source.name), c.name) for c in source.constraints}
        for index in source.indexes:
            if index.name not in backing:
                table = hierarchy.with_own_index(schema, table, index)
    return table


def _drop_table(schema: Schema, change: op.DropTable) -> None:
    if change.table not in schema.tables:
        return
    for partition in schema.partitions_of(change.table):
        _drop_table(schema, op.DropTable(table=partition.name, cascade=change.cascade))
    if change.cascade:
        for name in _with_ancestors(schema, change.table):
            hierarchy.drop_foreign_keys(schema, name, None)
        _drop_views_reading(schema, change.table)
    schema.remove(change.table)
    schema.policies.pop(change.table, None)


def _with_ancestors(schema: Schema, table: str) -> Iterator[str]:
    """Yield a table and, if it is a partition, those that it is a part of."""
    while table in schema.tables:
        yield table
        table = schema.tables[table].partition_of


def _drop_views_reading(schema: Schema, relation: str) -> None:
    for view in schema.views_reading(relation):
        if view.name in schema.views:
            schema.remove_view(view.name)
            _drop_views_reading(schema, view.name)


def _rename_table(schema: Schema, change: op.RenameTable) -> None:
    _move(schema, change.table, in_schema(schema_of(change.table), change.new_name))


def _set_schema(schema: Schema, change: op.SetSchema) -> None:
    _move(schema, change.table, in_schema(change.schema, bare(change.table)))


def _move(schema: Schema, name: str, new_name: str) -> None:
    """Give a table, view or index (ALTER TABLE takes all of them) another name, and everybody who refers to it."""
    if new_name in schema.tables or new_name in schema.views:
        return
    if view := schema.views.get(name):
        schema.remove_view(name)
        schema.put_view(replace(view, name=new_name))
    elif table := schema.tables.get(name):
        children, partitions, heirs = schema.references_to(name), schema.partitions_of(name), schema.heirs_of(name)
        schema.remove(name)
        schema.put(tables.with_name(table, new_name))
        schema.policies[new_name] = schema.policies.pop(name, 0)
        for child, _ in children:
            hierarchy.update(schema, child.name, lambda t: tables.referring_to(t, name, new_name))
        for partition in partitions:
            schema.put(replace(partition, partition_of=new_name))
        for heir in heirs:
            schema.put(replace(heir, inherits=tuple(new_name if each == name else each for each in heir.inherits)))
    else:
        hierarchy.rename_index(schema, op.RenameIndex(index=name, new_name=bare(new_name)))
    for reader in schema.views_reading(name):
        schema.put_view(replace(reader, reads=tuple(new_name if r == name else r for r in reader.reads)))


def _comment(schema: Schema, change: op.SetComment) -> None:
    def commented(table: Table) -> Table:
        if not change.name:
            return replace(table, comment=change.comment)
        return tables.with_changed_column(table, change.name, lambda c: replace(c, comment=change.comment))

    hierarchy.update(schema, change.table, commented)


def _create_type(schema: Schema, change: op.CreateType) -> None:
    if change.base:
        schema.domains.setdefault(change.name, DomainType(change.base, bool(change.constraints)))
    elif change.values:
        schema.enums.setdefault(change.name, change.values)


def _add_enum_value(schema: Schema, change: op.AddEnumValue) -> None:
    values = list(schema.enums.get(change.name, ()))
    if change.name not in schema.enums or change.value in values:
        return
    neighbour = change.before or change.after
    position = values.index(neighbour) + bool(change.after) if neighbour in values else len(values)
    values.insert(position, change.value)
    schema.enums[change.name] = tuple(values)


def _rename_enum_value(schema: Schema, change: op.RenameEnumValue) -> None:
    values = schema.enums.get(change.name)
    if not values:
        return
    schema.enums[change.name] = tuple(change.new_value if v == change.value else v for v in values)
    old, new = ("'" + value.replace("'", "''") + "'" for value in (change.value, change.new_value))
    for table in list(schema.tables.values()):
        if any(column.type.name == change.name and old in (column.default or "") for column in table.columns):
            columns = tuple(
                replace(column, default=(column.default or "").replace(old, new) or None)
                if column.type.name == change.name
                else column
                for column in table.columns
            )
            schema.put(replace(table, columns=columns))


def _create_view(schema: Schema, change: op.CreateView) -> None:
    if change.name in schema.tables or (change.name in schema.views and not change.replace):
        return
    schema.put_view(View(change.name, change.query, change.reads, change.materialized))


def _drop(schema: Schema, change: op.Drop) -> None:
    match change.object_type:
        case "view" | "materialized view":
            if change.cascade:
                _drop_views_reading(schema, change.name)
            schema.remove_view(change.name)
        case "type" | "domain":
            known = schema.enums.pop(change.name, None) or schema.domains.pop(change.name, None)
            if known and change.cascade:
                _drop_columns_of_type(schema, change.name)
        case "function" | "procedure" | "routine":
            schema.routines.pop(change.name, None)
        case "schema":
            for name in [name for name in schema.tables if schema_of(name) == change.name]:
                _drop_table(schema, op.DropTable(table=name, cascade=True))
            for name in [name for name in schema.views if schema_of(name) == change.name]:
                schema.remove_view(name)
        case "policy":
            schema.policies[change.table] -= 1


def _drop_columns_of_type(schema: Schema, type_name: str) -> None:
    for table in list(schema.tables.values()):
        for column in table.columns:
            if column.type.name == type_name:
                hierarchy.drop_column(schema, op.DropColumn(table=table.name, name=column.name, cascade=True))


def _rename(schema: Schema, change: op.Rename) -> None:
    new_name = in_schema(schema_of(change.name), change.new_name)
    match change.object_type:
        case "view" | "materialized view":
            _move(schema, change.name, new_name)
        case "type" | "domain":
            if values := schema.enums.pop(change.name, None):
                schema.enums[new_name] = values
            if base := schema.domains.pop(change.name, None):
                schema.domains[new_name] = base
            for table in [t for t in schema.tables.values() if any(c.type.name == change.name for c in t.columns)]:
                columns = (
                    replace(c, type=replace(c.type, name=new_name)) if c.type.name == change.name else c
                    for c in table.columns
                )
                schema.put(replace(table, columns=tuple(columns)))
        case "schema":
            for name in [n for n in (*schema.tables, *schema.views) if schema_of(n) == change.name]:
                _move(schema, name, in_schema(change.new_name, bare(name)))


def _attach(schema: Schema, change: op.AttachPartition) -> None:
    hierarchy.update(
        schema, change.partition, lambda t: replace(t, partition_of=change.table, default_partition=change.default)
    )


def _detach(schema: Schema, change: op.DetachPartition) -> None:
    hierarchy.update(schema, change.partition, lambda t: replace(t, partition_of="", default_partition=False))


def _note_policy(schema: Schema, change: op.Harmless) -> None:
    if change.what == "CREATE POLICY":
        schema.policies[change.table] += 1


def _create_routine(schema: Schema, change: op.CreateRoutine) -> None:
    schema.routines[change.name] = Routine(change.name, change.returns, change.sql)


CHANGES: dict[type[op.Operation], Callable[[Schema, Any], None]] = {
    **hierarchy.CHANGES,
    op.CreateTable: _create_table,
    op.DropTable: _drop_table,
    op.RenameTable: _rename_table,
    op.SetSchema: _set_schema,
    op.SetComment: _comment,
    op.CreateType: _create_type,
    op.AddEnumValue: _add_enum_value,
    op.RenameEnumValue: _rename_enum_value,
    op.CreateView: _create_view,
    op.Drop: _drop,
    op.Rename: _rename,
    op.AttachPartition: _attach,
    op.DetachPartition: _detach,
    op.Harmless: _note_policy,
    op.CreateRoutine: _create_routine,
}
