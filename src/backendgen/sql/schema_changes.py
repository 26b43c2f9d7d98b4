"""What each Operation does to a Schema: one function per kind, in `CHANGES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from backendgen.sql import operation as op
from backendgen.sql import table_changes as tables
from backendgen.sql.names import generated_name, joined, object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, DomainType, Index, Routine, Table, View
from backendgen.sql.table_changes import BACKED_BY_INDEX, bare, in_schema, schema_of


def _update(schema: Schema, name: str, change: Callable[[Table], Table]) -> None:
    if table := schema.tables.get(name):
        schema.put(change(table))


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
                table = _with_own_index(schema, table, index)
    return table


def _drop_table(schema: Schema, change: op.DropTable) -> None:
    if change.table not in schema.tables:
        return
    for partition in schema.partitions_of(change.table):
        _drop_table(schema, op.DropTable(table=partition.name, cascade=change.cascade))
    if change.cascade:
        for name in _with_ancestors(schema, change.table):
            _drop_foreign_keys(schema, name, None)
        _drop_views_reading(schema, change.table)
    schema.remove(change.table)
    schema.policies.pop(change.table, None)


def _with_ancestors(schema: Schema, table: str) -> Iterator[str]:
    """Yield a table and, if it is a partition, those that it is a part of."""
    while table in schema.tables:
        yield table
        table = schema.tables[table].partition_of


def _drop_foreign_keys(schema: Schema, table: str, columns: tuple[str, ...] | None) -> None:
    """Drop the foreign keys that refer to a table, or only those to exactly these columns."""
    for child, key in schema.references_to(table):
        if columns is None or set(key.referenced_columns) == set(columns):
            schema.put(tables.without_constraint(schema.tables[child.name], key.name))


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
            _update(schema, child.name, lambda t: tables.referring_to(t, name, new_name))
        for partition in partitions:
            schema.put(replace(partition, partition_of=new_name))
        for heir in heirs:
            schema.put(replace(heir, inherits=tuple(new_name if each == name else each for each in heir.inherits)))
    else:
        _rename_index(schema, op.RenameIndex(index=name, new_name=bare(new_name)))
    for reader in schema.views_reading(name):
        schema.put_view(replace(reader, reads=tuple(new_name if r == name else r for r in reader.reads)))


def _add_column(schema: Schema, change: op.AddColumn) -> None:
    for name in _with_descendants(schema, change.table):
        table = schema.tables[name]
        if table.column(change.definition.name) is None:
            table = tables.with_column(table, change.definition)
            inline = [
                constraint for constraint in change.constraints if not _stays(schema, change.table, name, constraint)
            ]
            schema.put(tables.with_constraints(table, inline, schema.taken(schema_of(name)), schema.tables))


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


def _drop_column(schema: Schema, change: op.DropColumn) -> None:
    for name in _with_descendants(schema, change.table):
        if change.cascade:
            for child, key in schema.references_to(name):
                if change.name in key.referenced_columns:
                    schema.put(tables.without_constraint(schema.tables[child.name], key.name))
        _update(schema, name, lambda t: tables.without_column(t, change.name))


def _rename_column(schema: Schema, change: op.RenameColumn) -> None:
    for name in _with_descendants(schema, change.table):
        if schema.tables[name].column(change.new_name):
            continue
        _update(schema, name, lambda t: tables.with_renamed_column(t, change.name, change.new_name))
        for child, _ in schema.references_to(name):
            schema.put(_following(schema.tables[child.name], name, change))


def _following(table: Table, parent: str, change: op.RenameColumn) -> Table:
    """Follow a parent's renamed column in the table's foreign keys."""
    if table.name == parent:
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
            _update(schema, name, lambda t: tables.with_changed_column(t, change.name, change_of(change)))

    return apply


def _drop_not_null(schema: Schema, change: op.DropNotNull) -> None:
    def dropped(table: Table) -> Table:
        kept = tuple(c for c in table.constraints if c.kind != "not_null" or c.columns != (change.name,))
        table = replace(table, constraints=kept)
        return tables.with_changed_column(table, change.name, lambda c: replace(c, not_null=False))

    for name in _with_descendants(schema, change.table):
        _update(schema, name, dropped)


def _comment(schema: Schema, change: op.SetComment) -> None:
    def commented(table: Table) -> Table:
        if not change.name:
            return replace(table, comment=change.comment)
        return tables.with_changed_column(table, change.name, lambda c: replace(c, comment=change.comment))

    _update(schema, change.table, commented)


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


def _drop_constraint(schema: Schema, change: op.DropConstraint) -> None:
    table = schema.tables.get(change.table)
    constraint: Constraint | None = table.constraint(change.name) if table else None
    if constraint and change.cascade and constraint.kind in ("primary_key", "unique"):
        _drop_foreign_keys(schema, change.table, constraint.columns)
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
    _update(schema, change.table, lambda t: tables.with_valid_constraint(t, change.name))


def _rename_constraint(schema: Schema, change: op.RenameConstraint) -> None:
    _update(schema, change.table, lambda t: tables.with_renamed_constraint(t, change.name, change.new_name))


def _create_index(schema: Schema, change: op.CreateIndex) -> None:
    index = replace(change.index, valid=not change.only)
    prefix = schema_of(change.table)
    if change.named and schema.index_owner(index.name):
        return
    if view := schema.views.get(change.table):
        schema.put_view(replace(view, indexes=(*view.indexes, index)))
    _update(schema, change.table, lambda t: tables.with_index(t, index, change.named, schema.taken(prefix)))
    if not change.only:
        for name in _with_partitions(schema, change.table):
            if name != change.table:
                schema.put(_with_own_index(schema, schema.tables[name], index))


def _with_own_index(schema: Schema, table: Table, index: Index) -> Table:
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
    parts = (one.keys, one.unique, one.method, one.where, one.include)
    return parts == (other.keys, other.unique, other.method, other.where, other.include)


def _rename_index(schema: Schema, change: op.RenameIndex) -> None:
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
                _drop_column(schema, op.DropColumn(table=table.name, name=column.name, cascade=True))


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
    _update(schema, change.partition, lambda t: replace(t, partition_of=change.table, default_partition=change.default))


def _detach(schema: Schema, change: op.DetachPartition) -> None:
    _update(schema, change.partition, lambda t: replace(t, partition_of="", default_partition=False))


def _note_policy(schema: Schema, change: op.Harmless) -> None:
    if change.what == "CREATE POLICY":
        schema.policies[change.table] += 1


def _create_routine(schema: Schema, change: op.CreateRoutine) -> None:
    schema.routines[change.name] = Routine(change.name, change.returns, change.sql)


CHANGES: dict[type[op.Operation], Callable[[Schema, Any], None]] = {
    op.CreateTable: _create_table,
    op.DropTable: _drop_table,
    op.RenameTable: _rename_table,
    op.SetSchema: _set_schema,
    op.AddColumn: _add_column,
    op.DropColumn: _drop_column,
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
    op.SetComment: _comment,
    op.AddConstraint: _add_constraint,
    op.DropConstraint: _drop_constraint,
    op.ValidateConstraint: _validate,
    op.RenameConstraint: _rename_constraint,
    op.CreateIndex: _create_index,
    op.DropIndex: _drop_index,
    op.RenameIndex: _rename_index,
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
