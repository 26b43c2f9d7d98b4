"""What an Operation does to its own table: pure functions from Table to Table."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from typing import TypeVar

from backendgen.sql.lexer import rename_identifier
from backendgen.sql.names import generated_name, numbered, object_name
from backendgen.sql.schema import Column, Constraint, Index, IndexKey, Table

T = TypeVar("T")

BACKED_BY_INDEX = ("primary_key", "unique", "exclude")


def schema_of(name: str) -> str:
    """Return the schema of a qualified name, empty for `public`."""
    return name.rpartition(".")[0]


def in_schema(schema: str, name: str) -> str:
    """Return a bare name as it is known in that schema."""
    return f"{schema}.{name}" if schema and schema != "public" else name


def bare(name: str) -> str:
    """Return a name without its schema."""
    return name.rpartition(".")[2]


def with_column(table: Table, column: Column) -> Table:
    """Add a column."""
    return replace(table, columns=(*table.columns, column))


def with_changed_column(table: Table, name: str, change: Callable[[Column], Column]) -> Table:
    """Change one column; an unknown one changes nothing."""
    return replace(table, columns=tuple(change(c) if c.name == name else c for c in table.columns))


def without_column(table: Table, name: str) -> Table:
    """Drop a column, with the indexes and the constraints that use it (manual, ALTER TABLE)."""
    lost = [c.name for c in table.constraints if name in c.columns]
    lost_indexes = {in_schema(schema_of(table.name), c) for c in lost}
    return replace(
        table,
        columns=tuple(c for c in table.columns if c.name != name),
        constraints=tuple(c for c in table.constraints if c.name not in lost),
        indexes=tuple(
            i
            for i in table.indexes
            if i.name not in lost_indexes and name not in (*i.columns, *i.include, *i.expression_columns)
        ),
    )


def with_renamed_column(table: Table, name: str, new_name: str) -> Table:
    """Rename a column, also in the table's constraints, indexes and generated columns."""

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new_name if n == name else n for n in names)

    def rewritten(expression: str) -> str:
        return rename_identifier(expression, name, new_name) if expression else expression

    if table.column(new_name) is not None:
        return table
    own = table.name
    return replace(
        table,
        columns=tuple(
            replace(
                c,
                name=new_name if c.name == name else c.name,
                generated=rewritten(c.generated) if c.generated else c.generated,
            )
            if c.name == name or c.generated
            else c
            for c in table.columns
        ),
        constraints=_each(
            table.constraints,
            lambda c: (
                replace(
                    c,
                    columns=renamed(c.columns),
                    on_delete_columns=renamed(c.on_delete_columns),
                    expression=rewritten(c.expression) if name in c.columns else c.expression,
                    referenced_columns=renamed(c.referenced_columns) if c.references == own else c.referenced_columns,
                )
                if name in c.columns or c.references == own
                else c
            ),
        ),
        indexes=_each(
            table.indexes,
            lambda i: (
                replace(
                    i,
                    keys=tuple(
                        replace(
                            k, column=new_name if k.column == name else k.column, expression=rewritten(k.expression)
                        )
                        for k in i.keys
                    ),
                    include=renamed(i.include),
                    where=rewritten(i.where),
                    expression_columns=renamed(i.expression_columns),
                )
                if i.where or name in i.columns or name in i.include or i.expression_columns or not all(i.columns)
                else i
            ),
        ),
    )


def _each(parts: tuple[T, ...], change: Callable[[T], T]) -> tuple[T, ...]:
    """Return each part as it is changed; the very tuple when nothing is, so that nobody has to look for a difference."""
    changed = tuple(map(change, parts))
    return changed if any(new is not old for new, old in zip(changed, parts, strict=True)) else parts


def with_free_name(table: Table, constraint: Constraint, taken: Container[str]) -> Constraint:
    """Give a constraint that the statement leaves unnamed the name that PostgreSQL will choose."""
    if constraint.named or constraint.using_index:
        return constraint
    unavailable = _Either(taken, frozenset(c.name for c in table.constraints))
    if constraint.name not in unavailable:
        return constraint
    return replace(constraint, name=generated_name(table.name, constraint, unavailable))


def with_constraints(
    table: Table, constraints: Iterable[Constraint], taken: Container[str], parents: dict[str, Table]
) -> Table:
    """Add constraints and the indexes behind them.

    Names that PostgreSQL made avoid those `taken`; a foreign key without columns gets the parent's primary key.
    """
    for item in constraints:
        constraint = with_free_name(table, item, taken)
        if constraint.references and not constraint.referenced_columns:
            parent = table if constraint.references == table.name else parents.get(constraint.references)
            if parent:
                constraint = replace(constraint, referenced_columns=parent.primary_key)
        table = _with_constraint(table, constraint)
    return table


def _with_constraint(table: Table, constraint: Constraint) -> Table:
    indexes = table.indexes
    if constraint.using_index:
        # The index is adopted and takes the constraint's name.
        schema = schema_of(table.name)
        old, new = in_schema(schema, constraint.using_index), in_schema(schema, constraint.name)
        columns = next((index.columns for index in indexes if index.name == old), constraint.columns)
        constraint = replace(constraint, columns=columns)
        indexes = tuple(replace(index, name=new) if index.name == old else index for index in indexes)
    elif constraint.kind in BACKED_BY_INDEX:
        indexes = (*indexes, _backing_index(table.name, constraint))
    table = replace(table, indexes=indexes, constraints=(*table.constraints, constraint))
    return with_not_null(table, constraint) if constraint.valid else table


def with_not_null(table: Table, constraint: Constraint) -> Table:
    """Mark the columns that a valid primary key or NOT NULL constraint holds."""
    if constraint.kind not in ("primary_key", "not_null"):
        return table
    names = constraint.columns
    columns = tuple(replace(c, not_null=True) if c.name in names and not c.not_null else c for c in table.columns)
    return replace(table, columns=columns)


def _backing_index(table: str, constraint: Constraint) -> Index:
    """Return the index that PostgreSQL makes for a primary key, unique or exclusion constraint."""
    return Index(
        name=in_schema(schema_of(table), constraint.name),
        table=table,
        keys=tuple(IndexKey(column) for column in constraint.columns),
        include=constraint.include,
        unique=constraint.kind != "exclude",
        method="gist" if constraint.kind == "exclude" else "btree",
        line=constraint.line,
        nulls_not_distinct=constraint.nulls_not_distinct,
    )


def without_constraint(table: Table, name: str) -> Table:
    """Drop a constraint and the index behind it."""
    constraint = table.constraint(name)
    if constraint is None:
        return _without_unnamed_not_null(table, name)
    index = in_schema(schema_of(table.name), name) if constraint.kind in BACKED_BY_INDEX else None
    table = replace(
        table,
        constraints=tuple(c for c in table.constraints if c.name != name),
        indexes=tuple(i for i in table.indexes if i.name != index),
    )
    if constraint.kind == "not_null":
        columns = tuple(replace(c, not_null=False) if c.name in constraint.columns else c for c in table.columns)
        table = replace(table, columns=columns)
    return table


def _without_unnamed_not_null(table: Table, name: str) -> Table:
    """Drop the NOT NULL that PostgreSQL 18 keeps under a generated name."""
    table_name = bare(table.name)
    column = next(
        (c for c in table.columns if c.not_null and object_name(table_name, c.name, "not_null") == name), None
    )
    return with_changed_column(table, column.name, lambda c: replace(c, not_null=False)) if column else table


def with_renamed_constraint(table: Table, name: str, new_name: str) -> Table:
    """Rename a constraint and the index behind it."""
    schema = schema_of(table.name)
    backed = any(c.name == name and c.kind in BACKED_BY_INDEX for c in table.constraints)
    table = replace(
        table, constraints=tuple(replace(c, name=new_name) if c.name == name else c for c in table.constraints)
    )
    return with_renamed_index(table, in_schema(schema, name), in_schema(schema, new_name)) if backed else table


def with_valid_constraint(table: Table, name: str) -> Table:
    """Validate a constraint."""
    constraints = tuple(replace(c, valid=True) if c.name == name else c for c in table.constraints)
    constraint = table.constraint(name)
    table = replace(table, constraints=constraints)
    return with_not_null(table, constraint) if constraint else table


def with_index(table: Table, index: Index, named: bool, taken: Container[str]) -> Table:
    """Add an index; a name that PostgreSQL made is numbered when it is taken."""
    name = bare(index.name)
    if not named and name in taken:
        name = numbered(table.name, name, "idx", taken)
    index = replace(index, name=in_schema(schema_of(table.name), name), table=table.name)
    return replace(table, indexes=(*table.indexes, index))


def without_index(table: Table, name: str) -> Table:
    """Drop an index."""
    return replace(table, indexes=tuple(i for i in table.indexes if i.name != name))


def with_renamed_index(table: Table, name: str, new_name: str) -> Table:
    """Rename an index."""
    return replace(table, indexes=tuple(replace(i, name=new_name) if i.name == name else i for i in table.indexes))


def with_name(table: Table, new_name: str) -> Table:
    """Rename a table or move it to another schema; its indexes move along under their own names."""
    schema = schema_of(new_name)
    indexes = tuple(replace(i, table=new_name, name=in_schema(schema, bare(i.name))) for i in table.indexes)
    return referring_to(replace(table, name=new_name, indexes=indexes), table.name, new_name)


def referring_to(table: Table, name: str, new_name: str) -> Table:
    """Follow a renamed parent in the table's foreign keys."""
    constraints = tuple(replace(c, references=new_name) if c.references == name else c for c in table.constraints)
    return replace(table, constraints=constraints)


class _Either:
    """Names that are in one of two containers."""

    __slots__ = ("first", "second")

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self.first, self.second = first, second

    def __contains__(self, name: object) -> bool:
        return name in self.first or name in self.second
