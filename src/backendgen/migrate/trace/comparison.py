"""Traces, the pure part: a migration as the statements that its tool sends, and the static verdict against what was seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from backendgen.errors import Problem
from backendgen.findings.finding import Report, Trace
from backendgen.migrate.history import Action, Migration
from backendgen.migrate.locks import Lock, locks
from backendgen.migrate.rewrites import Written, written
from backendgen.migrate.trace.observe import Observed
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema, has_no_effect
from backendgen.sql.schema import Table, View

STRENGTH = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip
NOT_SENT = "not run: its rows come from a client"
_PARAMETER = re.compile(r"\$\d+(?![\w$])")
_COMMITS = re.compile(r"(?is)do\b.*\b(?:commit|rollback)\s*;")  # a block that ends transactions must begin its own
_ALONE = (
    "VACUUM", "CREATE DATABASE", "DROPDB", "ALTER SYSTEM", "CREATE TABLE SPACE", "DROP TABLE SPACE", "CREATE SUBSCRIPTION",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One statement as it is sent, with what it is understood to do."""

    sql: str
    actions: tuple[Action, ...]

    @property
    def operations(self) -> tuple[op.Operation, ...]:
        """What it does."""
        return tuple(action.operation for action in self.actions)

    @property
    def transactional(self) -> bool | None:
        """Whether the tool sends it inside a transaction."""
        return self.actions[0].transactional

    @property
    def verb(self) -> str:
        """`begin`, `commit` or `rollback` when it is that, else nothing."""
        done = self.operations[0]
        return done.verb if isinstance(done, op.Transaction) else ""

    @property
    def sets_transaction(self) -> bool:
        """Whether it must come before any query and savepoint of its transaction."""
        return bool(re.match(r"(?i)set\s+(?:local\s+|session\s+)?(?:transaction|constraints)\b", self.sql))

    @property
    def empties(self) -> bool:
        """Whether the new files that it makes are empty ones."""
        return any(isinstance(operation, op.Truncate) for operation in self.operations)

    @property
    def refuses_transaction(self) -> bool:
        """Whether PostgreSQL carries it out only outside of a transaction block."""
        return bool(_COMMITS.match(self.sql)) or any(_refuses(operation) for operation in self.operations)


def _refuses(operation: op.Operation) -> bool:
    match operation:
        case op.RefreshView():
            return False
        case op.Reindex(target=target, concurrently=concurrently):
            return concurrently or target not in ("index", "table")
        case op.RewriteTable(how="VACUUM FULL") | op.RewriteTable(how="CLUSTER", table=""):
            return True
        case op.Harmless(what=what):
            return what in _ALONE
        case _:
            return bool(getattr(operation, "concurrently", False))


def _sent(action: Action) -> tuple[str, int]:
    return action.path, action.operation.statement


def steps(migration: Migration) -> tuple[Step, ...]:
    """Return what going up through a migration sends, statement by statement."""
    grouped = groupby(migration.up, key=_sent)
    found = [tuple(group) for _, group in grouped]
    return tuple(Step(actions[0].operation.within or actions[0].operation.sql, actions) for actions in found)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the static analysis says of a statement. `dropped` are the indexes that it drops, also to make them anew.

    `known` are the relations, indexes too, that the replay knows: nobody can say anything of what a function made.
    """

    locks: frozenset[Lock]
    written: Written
    dropped: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()


def verdict(operations: Iterable[op.Operation], schema: Schema, pg_version: int, existing: frozenset[str]) -> Verdict:
    """Return the locks and rewrites of a statement's operations; the Schema is moved over them.

    `existing` are the names of the tables and of their indexes that count.
    """
    owners: tuple[Table | View, ...] = (*schema.tables.values(), *schema.views.values())
    known = frozenset((*schema.tables, *schema.views, *(index.name for owner in owners for index in owner.indexes)))
    dropped: set[str] = set()
    taken: set[Lock] = set()
    tables: set[str] = set()
    indexes: set[str] = set()
    for operation in operations:
        taken |= {
            Lock(lock.table, lock.mode) for lock in locks(operation, schema, pg_version) if lock.table in existing
        }
        if not has_no_effect(operation, schema):
            anew = written(operation, schema, pg_version)
            tables |= anew.tables & existing
            indexes |= {name for name in anew.indexes
                        if name in existing and (owner := schema.index_owner(name)) and owner.name in existing}  # fmt: skip
        table = schema.tables.get("".join(operation.tables))
        schema.apply(operation)
        if table and isinstance(operation, op.DropConstraint | op.DropColumn):
            dropped |= {index.name for index in table.indexes if schema.index_owner(index.name) is None}
    return Verdict(frozenset(taken), Written(frozenset(tables), frozenset(indexes)), frozenset(dropped), known)


def strongest(taken: Iterable[Lock], weakest: str = "SHARE") -> dict[str, str]:
    """Return the strongest lock on each table, from `weakest` on."""
    found: dict[str, str] = {}
    for lock in taken:
        rank = STRENGTH.index(lock.mode)
        if rank >= STRENGTH.index(weakest) and rank > STRENGTH.index(found.get(lock.table, "ACCESS SHARE")):
            found[lock.table] = lock.mode
    return found


def differences(said: Verdict, seen: Observed) -> Iterator[str]:
    """Yield where verdict and trace differ on the tables that were there before, for locks that block reads or writes.

    A lock that the transaction held before cannot be seen to be taken again, nor a weaker one be missed.
    """
    said_locks, held = strongest(said.locks), strongest(seen.held)
    seen_locks = strongest(lock for lock in seen.locks if lock.table in said.known)
    for table in sorted(said_locks.keys() | seen_locks.keys()):
        was, is_now = said_locks.get(table, ""), seen_locks.get(table, "")
        if was != is_now and not (was and _rank(was) <= _rank(held.get(table, "")) and _rank(is_now) <= _rank(was)):
            yield f"lock on {table}: {was or 'none that blocks'} expected, {is_now or 'none that blocks'} taken"
    for what, expected, found in (
        ("table", said.written.tables, seen.tables & said.known),
        ("index", said.written.indexes - said.dropped, seen.indexes & said.known - said.dropped),
    ):
        yield from (f"{what} {name}: no rewrite expected, but rewritten" for name in sorted(found - expected))
        yield from (f"{what} {name}: rewrite expected, but not rewritten" for name in sorted(expected - found))


def _rank(mode: str) -> int:
    return STRENGTH.index(mode) if mode else -1


def reported_locks(seen: Observed) -> tuple[tuple[str, str], ...]:
    """Return the strongest lock on each table, of those that are more than the rows' own and than what was held before."""
    held = strongest(seen.held, "SHARE UPDATE EXCLUSIVE")
    taken = strongest(seen.locks, "SHARE UPDATE EXCLUSIVE")
    return tuple(sorted((table, mode) for table, mode in taken.items() if _rank(mode) > _rank(held.get(table, ""))))


def held_locks(seen: Observed) -> tuple[tuple[str, str], ...]:
    """Return the strongest lock that the transaction held on each table before the statement, of those that block."""
    return tuple(sorted(strongest(seen.held).items()))


def reported(report: Report, trace: Trace) -> Report:
    """Add a trace to a Report; a pending statement that fails whatever the rows is a failure of the run."""
    failures = tuple(
        Problem(f"--trace: {one.failure}", one.location.path, one.location.line)
        for migration in trace.migrations
        for one in migration.statements
        if one.failure and not one.on_rows
    )
    return replace(report, trace=trace, failures=(*report.failures, *failures))


def unsent(step: Step) -> str:
    """Say why a statement is not sent, nothing when it is."""
    if not step.sql.strip():
        return "not run: its text is not known before it runs"
    if step.sql.startswith("\\"):
        return "not run: it is psql's own command"
    return NOT_SENT if re.match(r"(?is)copy\b.*\b(from\s+stdin|to\s+stdout)\b", step.sql) else ""


def sent_text(step: Step) -> str:
    """Return what is sent; a Python migration's parameters, whose values are not known, are NULL."""
    return _PARAMETER.sub("NULL", step.sql) if step.actions[0].path.endswith(".py") else step.sql


def touched_by(operation: op.Operation, schema: Schema) -> Iterator[str]:
    """Yield the tables that a statement may read or write the rows of."""
    yield from operation.tables
    match operation:
        case op.DropIndex(index=name):
            owner = schema.index_owner(name)
            yield from (owner.name,) if owner else ()
        case op.Reindex(name=name):
            owner = schema.index_owner(name)
            yield owner.name if owner else name
        case op.AttachPartition(partition=partition) | op.DetachPartition(partition=partition):
            yield partition
        case _:
            return
