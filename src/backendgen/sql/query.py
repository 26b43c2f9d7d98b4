"""What is known of a query: the tables and columns that it names, what its INSERTs fill, what its `*` returns."""

from __future__ import annotations

from dataclasses import dataclass, field

UNKNOWN = ""
"""The candidate that stands for a subquery, a function or a WITH query, whose columns are not followed."""


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column that a query names. `candidates` are the tables that may have it: those in scope, or the one of its alias.

    `offset` is in bytes, -1 when it is unknown. `written`: an INSERT or UPDATE gives it a value.
    """

    column: str
    candidates: tuple[str, ...]
    offset: int = -1
    written: bool = False


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT or COPY FROM: the columns that it fills, None when it names none; `nulls` those that get NULL."""

    table: str
    columns: tuple[str, ...] | None
    nulls: frozenset[str] = frozenset()
    offset: int = -1


@dataclass(slots=True)
class Query:
    """All that the statements of one text use.

    `verb` is that of the first; `tables` are (name, offset); `stars` the tables whose `*` is returned; `aliases` the names
    that may be no column: those of whole rows, and what SQLite takes for a string if there is no such column.
    """

    verb: str = "SQL"
    tables: list[tuple[str, int]] = field(default_factory=list)
    columns: list[ColumnUse] = field(default_factory=list)
    inserts: list[Insert] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Scope:
    """The relations that a query level can name: alias to table, UNKNOWN where its columns are not followed.

    `stars` has, by the alias of a subquery, the tables of its `*`.
    """

    above: Scope | None = None
    relations: dict[str, str] = field(default_factory=dict)
    stars: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ctes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    outputs: frozenset[str] = frozenset()

    def find(self, alias: str) -> str:
        """Return the table of an alias, of this level or of one around it."""
        scope: Scope | None = self
        while scope is not None:
            if alias in scope.relations:
                return scope.relations[alias]
            scope = scope.above
        return UNKNOWN

    def every(self) -> tuple[str, ...]:
        """Return all tables that a bare column may be of."""
        found: dict[str, None] = {}
        scope: Scope | None = self
        while scope is not None:
            found.update(dict.fromkeys(scope.relations.values()))
            scope = scope.above
        return tuple(found)

    def cte(self, name: str) -> tuple[str, ...] | None:
        """Return the tables of the `*` of a WITH query, None when there is no such query."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.above
        return None

    def returned(self, alias: str) -> tuple[str, ...]:
        """Return the tables whose columns `alias.*` gives."""
        known = self.relations.get(alias, UNKNOWN)
        return (known,) if known else self.stars.get(alias, ())
