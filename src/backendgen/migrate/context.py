"""What a check knows besides the Operation and the Schema before it: the migration, its transaction, what it did so far."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from backendgen.findings.finding import Location
from backendgen.migrate.history import Action, History, Migration
from backendgen.migrate.locks import BLOCKS_WRITES, Lock, locks
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint

if TYPE_CHECKING:
    from backendgen.migrate.running import RunningCode

_NEW_ENUM_USABLE_SINCE = 17  # where the transaction also made the type (measured on 16 and 18)
LONGEST_WAIT = 60_000  # milliseconds: after a minute in the queue, the callers behind it have given up
_TIME = re.compile(r"(?i)(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)")
_UNITS = {"us": 0.001, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(slots=True)
class Deploy:
    """What outlives a migration: `new` tables, views and columns, which nobody uses before the deploy is done.

    `unseen` are the constraints that the history added to tables which it does not create.
    """

    new: set[str] = field(default_factory=set)
    new_columns: set[tuple[str, str]] = field(default_factory=set)
    unseen: dict[tuple[str, str], Constraint] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """The state of one migration while it is replayed. Like Schema it is advanced in place; checks only read it.

    `held` are the strong locks that the transaction keeps; `new_values` the enum values that it cannot use yet, by value,
    and `new_types` the types that it made; `said` the checks that have said what they say once in each migration, `said_at`
    where those did that have a remedy for each statement.
    `running` is what is known of the code that runs meanwhile, None when none was given.
    """

    pg_version: int
    history: History
    migration: Migration
    action: Action
    deploy: Deploy
    running: RunningCode | None = None
    position: int = 0
    lock_timeout: bool = False
    timeout_note: str = ""
    validated_unseen: set[str] = field(default_factory=set)
    not_valid: dict[tuple[str, str], Action] = field(default_factory=dict)
    held: dict[str, tuple[Action, Lock]] = field(default_factory=dict)
    new_values: dict[str, tuple[Action, str]] = field(default_factory=dict)
    new_types: set[str] = field(default_factory=set)
    said: set[str] = field(default_factory=set)
    said_at: dict[str, Location] = field(default_factory=dict)
    _explicit: bool | None = None
    _by_name: dict[str, list[tuple[int, op.Operation]]] = field(default_factory=dict)
    _local_timeout: bool = False
    _timeout_before: bool = False
    _dropped: frozenset[str] | None = None
    _locks: tuple[Lock, ...] | None = None

    @property
    def in_transaction(self) -> bool | None:
        """Whether the present operation runs inside a transaction block; None when that depends on an unknown runner."""
        return self.action.transactional if self._explicit is None else self._explicit

    @property
    def explicit_transaction(self) -> bool:
        """Whether the migration's own BEGIN opened the transaction."""
        return self._explicit is True

    @property
    def later(self) -> tuple[Action, ...]:
        """What the migration does after the present operation."""
        return self.migration.up[self.position + 1 :]

    @property
    def new(self) -> set[str]:
        """The tables and views that this migration, or an earlier one of the same deploy, created."""
        return self.deploy.new

    @property
    def new_columns(self) -> set[tuple[str, str]]:
        """The (table, column)s that this migration, or an earlier one of the same deploy, added."""
        return self.deploy.new_columns

    @property
    def unseen(self) -> dict[tuple[str, str], Constraint]:
        """The constraints of tables that the history does not create, by (table, name)."""
        return self.deploy.unseen

    @property
    def dropped(self) -> frozenset[str]:
        """The tables that this migration drops, sooner or later: nobody uses them by now."""
        if self._dropped is None:
            gone = (each.operation.table for each in self.migration.up if isinstance(each.operation, op.DropTable))
            self._dropped = frozenset(gone)
        return self._dropped

    def around(self, name: str) -> tuple[op.Operation, ...]:
        """Return what the migration does with a table, view, type or index, before and after the present operation."""
        return tuple(operation for _, operation in self._named(name))

    def afterwards(self, name: str) -> tuple[op.Operation, ...]:
        """Return what the migration does with it after the present operation."""
        return tuple(operation for position, operation in self._named(name) if position > self.position)

    def before(self, name: str) -> tuple[op.Operation, ...]:
        """Return what the migration did with it before the present operation."""
        return tuple(operation for position, operation in self._named(name) if position < self.position)

    def _named(self, name: str) -> list[tuple[int, op.Operation]]:
        if not self._by_name:
            for position, action in enumerate(self.migration.up):
                for known in _names(action.operation):
                    self._by_name.setdefault(known, []).append((position, action.operation))
        return self._by_name.get(name, [])

    def is_new(self, table: str) -> bool:
        """Whether this migration, or an earlier one of the same deploy, created the table."""
        return table in self.new

    def locks(self, schema: Schema) -> tuple[Lock, ...]:
        """Return the locks that the present operation takes on tables which were there before this migration."""
        if self._locks is None:  # asked for by several checks, and the Schema moves on with the operation only
            self._locks = tuple(self._taken(schema))
        return tuple(lock for lock in self._locks if lock.table not in self.new)

    def _taken(self, schema: Schema) -> Iterator[Lock]:
        operation, history = self.action.operation, self.history
        if history.dialect == "postgresql":
            return locks(operation, schema, self.pg_version)
        if history.is_mysql:
            from backendgen.migrate.mysql_algorithms import locks as mysql_locks

            return mysql_locks(operation, schema, history, unchecked=self.setting("foreign_key_checks") == "0")
        return iter(())

    def setting(self, name: str) -> str | None:
        """Return what the migration set a variable or pragma to before the present operation, in lower case; else None."""
        for action in reversed(self.migration.up[: self.position]):
            operation = action.operation
            if isinstance(operation, op.SetSetting) and operation.name == name and operation.value is not None:
                value = operation.value.strip("'\"").lower()
                return {"off": "0", "on": "1", "false": "0", "true": "1", "no": "0", "yes": "1"}.get(value, value)
        return None

    def advance(self, schema: Schema) -> None:
        """Take note of the present operation; `schema` is still the one before it."""
        operation = self.action.operation
        match operation:
            case op.Transaction(verb=verb):
                self._begin(verb)
            case op.SetSetting(name="lock_timeout" | "all"):
                self._set_timeout(operation)
            case op.CreateTable(table=table, if_not_exists=soft) if not (soft and table in schema.tables):
                self.new.add(table)
            case op.RenameTable(table=table, new_name=renamed) if table in self.new:
                self.new.add(renamed)
            case op.CreateView(name=name):
                self.new.add(name)
            case op.CreateType(name=name):
                self.new_types.add(name)
            case op.AddEnumValue(name=name, value=value) if not self._is_usable(name):
                self.new_values[value] = (self.action, name)
            case op.AddColumn(table=table, definition=column):
                self.new_columns.add((table, column.name))
            case op.AddConstraint(table=table, constraint=constraint):
                if not constraint.valid:
                    self.not_valid[table, constraint.name] = self.action
                if table not in schema.tables:
                    self.unseen[table, constraint.name] = constraint
            case op.ValidateConstraint(table=table, name=name):
                self._validated(table, name, schema)
            case _:
                pass
        strong = [lock for lock in self.locks(schema) if lock.mode in BLOCKS_WRITES]
        # MySQL's DDL commits by itself: no transaction keeps what it locked.
        if self.in_transaction is not False and self.history.dialect == "postgresql":
            for lock in strong:
                if lock.table not in self.held or (lock.blocks_reads and not self.held[lock.table][1].blocks_reads):
                    self.held[lock.table] = (self.action, lock)

    def constraints(self, table: str, schema: Schema) -> tuple[Constraint, ...]:
        """Return a table's constraints as far as the history shows them."""
        known = schema.tables.get(table)
        return known.constraints if known else tuple(each for (owner, _), each in self.unseen.items() if owner == table)

    def _is_usable(self, enum: str) -> bool:
        """Whether a value that is added now may be used before the transaction commits (manual, ALTER TYPE)."""
        return self.in_transaction is False or (enum in self.new_types and self.pg_version >= _NEW_ENUM_USABLE_SINCE)

    def _validated(self, table: str, name: str, schema: Schema) -> None:
        known = schema.tables.get(table)
        if (table, name) in self.unseen:
            self.unseen[table, name] = replace(self.unseen[table, name], valid=True)
        elif known is None or known.constraint(name) is None:
            self.validated_unseen.add(table)

    def _begin(self, verb: str) -> None:
        """Follow an explicit BEGIN, COMMIT or ROLLBACK; what a transaction held is released at its end."""
        if verb not in ("begin", "commit", "rollback"):
            return
        if verb == "rollback" and self._explicit:
            self.lock_timeout = self._timeout_before
        self._explicit = verb == "begin"
        self._release()
        self._timeout_before = self.lock_timeout

    def enter(self, action: Action, position: int) -> None:
        """Move to the next operation. A change of the tool's own transaction mode ends the transaction too."""
        if action.transactional != self.action.transactional:
            self._explicit = None
            self._release()
        self.action, self.position, self._locks = action, position, None

    def _release(self) -> None:
        self.held.clear()
        self.not_valid.clear()
        self.new_values.clear()
        self.new_types.clear()
        if self._local_timeout:
            self.lock_timeout = self._local_timeout = False

    def _set_timeout(self, setting: op.SetSetting) -> None:
        """SET LOCAL outside a transaction has no effect; 0 switches the timeout off (manual, SET and lock_timeout)."""
        if setting.local and self.in_transaction is False:
            self.timeout_note = f"SET LOCAL of line {setting.line} has no effect outside a transaction"
            return
        wait = milliseconds(setting.value or "0")
        self.timeout_note = ""
        if wait > LONGEST_WAIT:
            self.timeout_note = (
                f"the lock_timeout of line {setting.line}, {setting.value}, is longer than others can wait"
            )
        bounded = 0 < wait <= LONGEST_WAIT
        self.lock_timeout, self._local_timeout = bounded, setting.local and bounded


def _names(operation: op.Operation) -> set[str]:
    """Return the tables, views, types and indexes that an operation names as its own."""
    given = (getattr(operation, part, "") for part in ("table", "new_name", "name", "index"))
    return {name for name in given if isinstance(name, str) and name}


def milliseconds(setting: str) -> float:
    """Return a time setting in milliseconds, 0 for one that is off or says nothing."""
    found = _TIME.fullmatch(setting.strip("'\" "))
    return float(found[1]) * _UNITS[found[2].lower() or "ms"] if found else 0


def walk(
    history: History,
    migration: Migration,
    schema: Schema,
    deploy: Deploy,
    pg_version: int,
    running: RunningCode | None = None,
) -> Iterator[Context]:
    """Yield the Context before each operation of a migration's up; Schema and Context move over it afterwards."""
    if not migration.up:
        return
    context = Context(pg_version, history, migration, migration.up[0], deploy, running)
    for position, action in enumerate(migration.up):
        context.enter(action, position)
        yield context
        context.advance(schema)
        schema.apply(action.operation)


def follow(history: History, migration: Migration, schema: Schema, deploy: Deploy, pg_version: int) -> None:
    """Replay a migration that is applied already: its tables are old by the time of the deploy."""
    for _ in walk(history, migration, schema, Deploy(unseen=deploy.unseen), pg_version):
        pass
