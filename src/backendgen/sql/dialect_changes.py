"""What Operations do to a Schema of MySQL, MariaDB or SQLite where that differs from PostgreSQL: `OTHERS`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from typing import Any

from backendgen.sql import operation as op
from backendgen.sql import table_changes as tables
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Index, IndexKey, Table
from backendgen.sql.table_changes import BACKED_BY_INDEX


def _create_table(schema: Schema, change: op.CreateTable) -> None:
    if change.table in schema.tables or change.table in schema.views:
        return
    table = Table(
        change.table, columns=change.columns, partitioned=change.partitioned, temporary=change.temporary,
        comment=dict(change.options).get("comment", ""), line=change.line, options=change.options,
    )  # fmt: skip
    for like in change.like:
        if source := schema.tables.get(like.table):
            indexes = tuple(replace(index, table=change.table) for index in source.indexes)
            constraints = tuple(c for c in source.constraints if c.kind != "foreign_key")
            table = replace(
                table, columns=source.columns, indexes=indexes, constraints=constraints, options=source.options
            )
    table = _constrained(schema, table, change.constraints)
    for index in change.indexes:
        table = _indexed(table, index)
    schema.put(table)


def _constrained(schema: Schema, table: Table, constraints: Iterable[Constraint]) -> Table:
    """Add constraints under the names that the server would give to unnamed ones, and the indexes behind them."""
    for item in constraints:
        if item.kind == "foreign_key" and item.inline and schema.dialect == "mysql":
            continue  # parsed and ignored (manual, FOREIGN KEY Constraints)
        constraint = replace(item, name=_free(_wanted_name(schema, table, item), _names(table)))
        if constraint.references and not constraint.referenced_columns:
            parent = table if constraint.references == table.name else schema.tables.get(constraint.references)
            constraint = replace(constraint, referenced_columns=parent.primary_key if parent else ())
        table = replace(table, constraints=(*table.constraints, constraint))
        if constraint.kind in BACKED_BY_INDEX:
            table = _indexed(table, _index_behind(table, constraint))
        elif constraint.kind == "foreign_key" and schema.dialect != "sqlite" and not _leads(table, constraint.columns):
            name = constraint.name if constraint.named else constraint.columns[0]
            table = _indexed(table, replace(_index_behind(table, constraint), name=name, unique=False))
        if constraint.kind == "primary_key" and (schema.dialect != "sqlite" or table.option("without rowid")):
            table = tables.with_not_null(table, constraint)
    return table


def _wanted_name(schema: Schema, table: Table, constraint: Constraint) -> str:
    if constraint.kind == "primary_key":
        return "PRIMARY"
    if constraint.named:
        return constraint.name
    if constraint.kind == "unique":
        return constraint.columns[0] if schema.dialect != "sqlite" else "_".join(constraint.columns)
    number = 1 + sum(other.kind == constraint.kind for other in table.constraints)
    if constraint.kind == "foreign_key":
        return f"{table.name}_ibfk_{number}"
    return f"CONSTRAINT_{number}" if schema.dialect == "mariadb" else f"{table.name}_chk_{number}"


def _names(table: Table) -> Container[str]:
    return {c.name for c in table.constraints} | {i.name for i in table.indexes}


def _free(name: str, taken: Container[str]) -> str:
    """Return the name, numbered from 2 while it is taken."""
    wanted, number = name, 1
    while wanted in taken and name != "PRIMARY":
        number += 1
        wanted = f"{name}_{number}"
    return wanted


def _index_behind(table: Table, constraint: Constraint) -> Index:
    keys = tuple(IndexKey(column) for column in constraint.columns)
    return Index(constraint.name, table.name, keys, unique=True, line=constraint.line)


def _leads(table: Table, columns: tuple[str, ...]) -> bool:
    return any(index.columns[: len(columns)] == columns for index in table.indexes)


def _indexed(table: Table, index: Index) -> Table:
    if any(known.name == index.name for known in table.indexes):
        return table
    name = index.name or _free((index.columns[0] if index.columns else "") or "functional_index", _names(table))
    return replace(table, indexes=(*table.indexes, replace(index, name=name, table=table.name)))


def _on_table(change_of: Callable[[Schema, Table, Any], Table]) -> Callable[[Schema, Any], None]:
    """Return the change of the one table that an operation names; an unknown one changes nothing."""

    def apply(schema: Schema, change: Any) -> None:
        if table := schema.tables.get(change.table):
            schema.put(change_of(schema, table, change))

    return apply


def _placed(table: Table, column: Column, position: str) -> Table:
    """Move a column where FIRST or AFTER want it."""
    if not position:
        return table
    others = [each for each in table.columns if each.name != column.name]
    after = position.removeprefix("AFTER ")
    names = [each.name for each in others]
    at = 0 if position == "FIRST" else names.index(after) + 1 if after in names else len(others)
    return replace(table, columns=(*others[:at], column, *others[at:]))


def _add_column(schema: Schema, table: Table, change: op.AddColumn) -> Table:
    if table.column(change.definition.name):
        return table
    table = _placed(tables.with_column(table, change.definition), change.definition, change.position)
    return _constrained(schema, table, change.constraints)


def _modify_column(schema: Schema, table: Table, change: op.ModifyColumn) -> Table:
    column = change.definition
    if change.name in table.primary_key:
        column = replace(column, not_null=True)
    if table.column(change.name) is None:
        return table
    table = _placed(tables.with_changed_column(table, change.name, lambda _: column), column, change.position)
    return _constrained(schema, table, change.constraints)


def _drop_column(schema: Schema, change: op.DropColumn) -> None:
    table = schema.tables.get(change.table)
    if table is None:
        return
    if schema.dialect == "sqlite":
        schema.put(tables.without_column(table, change.name))
        return

    def without(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name != change.name)

    # MySQL takes the column out of its indexes; one that has no other goes.
    keyed = tuple(
        replace(index, keys=tuple(key for key in index.keys if key.column != change.name)) for index in table.indexes
    )
    constraints = tuple(
        replace(c, columns=without(c.columns)) if c.kind in BACKED_BY_INDEX else c
        for c in table.constraints
        if change.name not in c.columns or (c.kind in BACKED_BY_INDEX and len(c.columns) > 1)
    )
    columns = tuple(column for column in table.columns if column.name != change.name)
    indexes = tuple(index for index in keyed if index.keys)
    schema.put(replace(table, columns=columns, constraints=constraints, indexes=indexes))


def _drop_constraint(schema: Schema, table: Table, change: op.DropConstraint) -> Table:
    return replace(
        table,
        constraints=tuple(c for c in table.constraints if c.name != change.name),
        indexes=tuple(i for i in table.indexes if i.name != change.name or _is_foreign_key(table, change.name)),
    )


def _is_foreign_key(table: Table, name: str) -> bool:
    """Whether a constraint is a foreign key: its index stays when it goes."""
    found = table.constraint(name)
    return found is not None and found.kind == "foreign_key"


def _create_index(schema: Schema, change: op.CreateIndex) -> None:
    if schema.dialect == "sqlite" and schema.index_owner(change.index.name):
        return
    if table := schema.tables.get(change.table):
        schema.put(_indexed(table, change.index))


def _owner(schema: Schema, index: str, table: str) -> Table | None:
    """Return the table of an index: the one that the statement names, or the one that SQLite's catalog would."""
    if table:
        return schema.tables.get(table)
    found = schema.index_owner(index)
    return found if isinstance(found, Table) else None


def _drop_index(schema: Schema, change: op.DropIndex) -> None:
    if table := _owner(schema, change.index, change.table):
        constraints = tuple(c for c in table.constraints if c.name != change.index or c.kind not in BACKED_BY_INDEX)
        schema.put(replace(tables.without_index(table, change.index), constraints=constraints))


def _rename_index(schema: Schema, change: op.RenameIndex) -> None:
    if table := _owner(schema, change.index, change.table):
        constraints = tuple(
            replace(c, name=change.new_name) if c.name == change.index and c.kind in BACKED_BY_INDEX else c
            for c in table.constraints
        )
        table = tables.with_renamed_index(table, change.index, change.new_name)
        schema.put(replace(table, constraints=constraints))


def _set_options(schema: Schema, table: Table, change: op.SetTableOptions) -> Table:
    options = {**dict(table.options), **dict(change.options)}
    table = replace(table, options=tuple(options.items()), comment=options.get("comment", table.comment))
    if not change.convert:
        return table
    # Columns follow the table from now on.
    return replace(table, columns=tuple(replace(column, charset="", collation="") for column in table.columns))


OTHERS: dict[type[op.Operation], Callable[[Schema, Any], None]] = {
    op.CreateTable: _create_table,
    op.AddColumn: _on_table(_add_column),
    op.ModifyColumn: _on_table(_modify_column),
    op.DropColumn: _drop_column,
    op.AddConstraint: _on_table(lambda schema, table, change: _constrained(schema, table, (change.constraint,))),
    op.DropConstraint: _on_table(_drop_constraint),
    op.CreateIndex: _create_index,
    op.DropIndex: _drop_index,
    op.RenameIndex: _rename_index,
    op.SetTableOptions: _on_table(_set_options),
}
