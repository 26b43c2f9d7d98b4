"""The state of a database as a replay of Operations knows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

ConstraintKind = Literal["primary_key", "unique", "check", "foreign_key", "exclude", "not_null"]


_PLAIN_TYPE = re.compile(r"""[a-z_][a-z0-9_$. ]*(?:\(.*\))?$|"char"$""")


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type by its canonical PostgreSQL name (`bigint`, `character varying`, `timestamp with time zone`).

    In MySQL and SQLite it is their own name in lower case (`int unsigned`, `datetime`); MySQL's display widths are left out.
    Modifiers that are no numbers are part of the name: `geometry(Point,4326)`.
    """

    name: str
    modifiers: tuple[int, ...] = ()
    array: bool = False

    def __str__(self) -> str:
        """Return it as SQL: `timestamp(3) with time zone`, `"OrderStatus"[]`."""
        name = self.name if _PLAIN_TYPE.match(self.name) else ".".join(f'"{part}"' for part in self.name.split("."))
        modifiers = f"({','.join(map(str, self.modifiers))})" if self.modifiers else ""
        first, space, zone = name.partition(" unsigned" if name.endswith(" unsigned") else " with")
        return f"{first}{modifiers}{space}{zone}{'[]' if self.array else ''}"


@dataclass(frozen=True, slots=True)
class DomainType:
    """A domain: the type that it is made of, and whether its values are checked (CHECK or NOT NULL)."""

    base: Type
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `default` and `generated` are SQL expressions; `markers` are the `@words` of its trailing comment.

    The last four are MySQL's: ON UPDATE's expression, AUTO_INCREMENT, CHARACTER SET and COLLATE, which SQLite has too.
    """

    name: str
    type: Type
    not_null: bool = False
    default: str | None = None
    generated: str | None = None
    stored: bool = False
    identity: Literal["", "always", "by default"] = ""
    markers: frozenset[str] = frozenset()
    comment: str = ""
    line: int = 0
    on_update: str = ""
    auto_increment: bool = False
    charset: str = ""
    collation: str = ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A table constraint, also one that was written inline at its column. An unnamed one has PostgreSQL's own name.

    `columns` of a check are those that its expression names, of an exclusion those of its keys and their expressions; the
    keys' own names, which name the constraint, are its `keys`. `on_delete` and `on_update` are lower case (`cascade`,
    `set null`), empty for NO ACTION; `on_delete_columns` are those that alone are set. `deferral` is SQL, empty for NOT
    DEFERRABLE. `inline`: written at its column, where MySQL ignores REFERENCES.
    """

    kind: ConstraintKind
    name: str
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    expression: str = ""
    references: str = ""
    referenced_columns: tuple[str, ...] = ()
    on_delete: str = ""
    valid: bool = True
    using_index: str = ""
    include: tuple[str, ...] = ()
    nulls_not_distinct: bool = False
    named: bool = True
    inline: bool = False
    line: int = 0
    on_update: str = ""
    on_delete_columns: tuple[str, ...] = ()
    match_full: bool = False
    deferral: str = ""
    no_inherit: bool = False


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One key of an index: a column, or an expression when `column` is empty.

    `options` are its collation and operator class as SQL, `nulls` is `first` or `last` where the text says so.
    """

    column: str
    expression: str = ""
    descending: bool = False
    options: str = ""
    nulls: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """An index; those that back a primary key or unique constraint are listed too, under the constraint's name.

    `expression_columns` are the columns that its expressions and its `where` name; `storage` is what WITH and TABLESPACE
    say, as SQL.
    """

    name: str
    table: str
    keys: tuple[IndexKey, ...]
    unique: bool = False
    method: str = "btree"
    where: str = ""
    include: tuple[str, ...] = ()
    expression_columns: tuple[str, ...] = ()
    valid: bool = True
    line: int = 0
    nulls_not_distinct: bool = False
    storage: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The key columns in order; an expression key is an empty string."""
        return tuple(key.column for key in self.keys)


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `columns`, `constraints` and `indexes` are in order of creation.

    `partition_of` names its parent, `inherits` those that it has by INHERITS; `partition_key` are the columns that it is
    partitioned by; `default_partition` is a partition without bounds. `options` are those of MySQL and SQLite in lower case:
    `engine`, `row_format`, `charset`, `strict`, `without rowid`.
    """

    name: str
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    partition_of: str = ""
    default_partition: bool = False
    inherits: tuple[str, ...] = ()
    partitioned: bool = False
    partition_key: tuple[str, ...] = ()
    temporary: bool = False
    comment: str = ""
    line: int = 0
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str:
        """Return the value of a table option, empty when it is not set."""
        return dict(self.options).get(name, "")

    def column(self, name: str) -> Column | None:
        """Return the named column, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def constraint(self, name: str) -> Constraint | None:
        """Return the named constraint, or None."""
        return next((constraint for constraint in self.constraints if constraint.name == name), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns, empty without one."""
        return next((c.columns for c in self.constraints if c.kind == "primary_key"), ())

    def index(self, name: str) -> Index | None:
        """Return the named index, or None."""
        return next((index for index in self.indexes if index.name == name), None)


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or procedure: the type that it returns, and the statement that made it."""

    name: str
    returns: str = ""
    sql: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A view; `reads` are the relations that its query names, `indexes` those of a materialized one."""

    name: str
    query: str = ""
    reads: tuple[str, ...] = ()
    materialized: bool = False
    indexes: tuple[Index, ...] = ()
