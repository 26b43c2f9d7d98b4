"""What a statement really did to the relations that were there before: locks taken, files written anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from backendgen.migrate.locks import Lock
from backendgen.migrate.trace.scratch import Session

_RELATIONS = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text, pg_catalog.pg_relation_filenode(c.oid), i.indrelid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f', 'i', 'I')
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_t(oast|emp)'
"""
_LOCKS = """
SELECT relation, mode FROM pg_catalog.pg_locks WHERE pid = {pid} AND locktype = 'relation'
AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""
_INDEXES = ("i", "I")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or index by the name that the Schema has for it; `owner` is an index's table."""

    name: str
    kind: str
    file: int | None
    owner: int | None = None

    @property
    def is_index(self) -> bool:
        """Whether it is an index, not something that is read from."""
        return self.kind in _INDEXES


@dataclass(frozen=True, slots=True)
class Seen:
    """The relations of a database at one moment, by oid."""

    relations: Mapping[int, Relation] = field(default_factory=dict)

    def names(self, tables: frozenset[int]) -> frozenset[str]:
        """Return the present names of some tables and of their indexes."""
        return frozenset(one.name for oid, one in self.relations.items() if oid in tables or one.owner in tables)

    def tables(self) -> frozenset[int]:
        """Return the oids of all but the indexes."""
        return frozenset(oid for oid, one in self.relations.items() if not one.is_index)


@dataclass(frozen=True, slots=True)
class Observed:
    """What one statement did: the locks that it added, by relation, and the tables and indexes that it wrote anew."""

    locks: frozenset[Lock] = frozenset()
    held: frozenset[Lock] = frozenset()
    tables: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()


def relations(session: Session) -> Seen:
    """Return the relations that a session sees, those of its own open transaction too."""
    return Seen({
        oid: Relation(name if schema == "public" else f"{schema}.{name}", kind, file, owner)
        for oid, schema, name, kind, file, owner in session.run(_RELATIONS)
    })  # fmt: skip


def locks_of(watcher: Session, pid: int) -> frozenset[tuple[int, str]]:
    """Return the relation locks that a server process holds or waits for, as (oid, mode as the manual writes it)."""
    return frozenset((oid, _mode(mode)) for oid, mode in watcher.run(_LOCKS.format(pid=pid)))


def _mode(mode: str) -> str:
    return _CAPITAL.sub(" ", mode.removesuffix("Lock")).upper()


def observed(
    before: Seen,
    after: Seen,
    held: Iterable[tuple[int, str]],
    taken: Iterable[tuple[int, str]],
    existing: frozenset[int],
) -> Observed:
    """Compare two moments. `existing` are the tables that count; `held` the locks before, `taken` all locks since."""
    earlier = frozenset(held)

    def named(locks: Iterable[tuple[int, str]]) -> frozenset[Lock]:
        return frozenset(Lock(before.relations[oid].name, mode) for oid, mode in locks
                         if oid in existing and oid in before.relations)  # fmt: skip

    tables, indexes = _written(before, after, existing)
    return Observed(named(frozenset(taken) - earlier), named(earlier), tables, indexes)


def _written(before: Seen, after: Seen, existing: frozenset[int]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tables and indexes with new files. ALTER TYPE makes an index of the same name in place of the old one."""
    tables = frozenset(
        one.name for oid, one in before.relations.items()
        if oid in existing and one.file and oid in after.relations and after.relations[oid].file != one.file
    )  # fmt: skip
    files = {one.name: one.file for one in after.relations.values() if one.is_index}
    indexes = frozenset(
        one.name for one in before.relations.values()
        if one.is_index and one.owner in existing and one.file and files.get(one.name, one.file) != one.file
    )  # fmt: skip
    return tables, indexes
