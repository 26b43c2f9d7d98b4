"""A migration history as readers give it: ordered, up and down apart, nothing judged yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from backendgen.errors import Problem
from backendgen.findings.finding import Location
from backendgen.sql.operation import AddConstraint, CreateIndex, Operation
from backendgen.sql.table_changes import BACKED_BY_INDEX

Tool = Literal[
    "sql", "goose", "sql-migrate", "dbmate", "flyway", "golang-migrate", "diesel", "prisma", "sqitch", "liquibase",
    "alembic", "django",
]  # fmt: skip

_HABIT = 10  # migrations that show how a team works


@dataclass(frozen=True, slots=True)
class Action:
    """An Operation where a migration performs it.

    `path` is the file that holds its text. `transactional` says whether the tool runs it inside a transaction; None when
    the tool is not known. `call` is the source of the Alembic call or Django operation that makes it, empty for SQL.
    `routine` is the function that does it, empty when the migration's own text does.
    """

    operation: Operation
    path: str
    transactional: bool | None = None
    call: str = ""
    routine: str = ""

    @property
    def location(self) -> Location:
        """Where it is reported."""
        done = self.operation
        return Location(self.path, done.line or 1, done.column or 1, done.end_line)


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration: what it does and how its tool takes it back. `revision` is the name that the tool knows it by.

    `parents` are the revisions that it follows, where the tool goes by them and not by numbers. `one_way`: it says itself
    that it cannot be taken back. `irreversible` are the actions for which the tool refuses to.
    `repeatable`: the tool runs it again when its text has changed. `part` names it in a file that holds several,
    where it begins in `line`.
    """

    revision: str
    path: str
    tool: Tool
    up: tuple[Action, ...] = ()
    down: tuple[Action, ...] = ()
    parents: tuple[str, ...] = ()
    one_way: bool = False
    irreversible: tuple[Action, ...] = ()
    repeatable: bool = False
    part: str = ""
    line: int = 1

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it is made of, its main one first."""
        return tuple(dict.fromkeys([self.path, *(action.path for action in (*self.up, *self.down))]))


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that a reader itself answers: a file that cannot be read (BG901), an order that cannot be known (BG905)."""

    rule_id: str
    location: Location
    message: str


@dataclass(frozen=True)
class History:
    """One database's migrations, in the order in which their tool applies them.

    `sets_lock_timeout`: the tool's own configuration (Alembic's env.py) sets it for every migration. `takes_late`: it also
    applies migrations whose number is lower than that of an applied one. `tool_holds_transaction`: a transaction of the
    tool's own stays open meanwhile; None where that depends on settings that are not here.
    """

    name: str
    migrations: tuple[Migration, ...]
    sets_lock_timeout: bool = False
    takes_late: bool = False
    tool_holds_transaction: bool | None = False

    @cached_property
    def indexed(self) -> frozenset[tuple[str, str]]:
        """The tables and columns that an index without a condition begins with, at any time. (No slots, to keep it.)"""
        done = (action.operation for migration in self.migrations for action in migration.up)
        return frozenset(pair for operation in done for pair in _indexed(operation))

    def expects_down(self, migration: Migration) -> bool:
        """Whether most of the migrations just before this one have a way back.

        A team that wrote a few once does not rely on them, and one that begins to does not write the old ones.
        """
        at = self._positions.get(migration.revision, 0)
        near = self.migrations[max(at - _HABIT, 0) : at]
        return bool(near) and sum(bool(each.down) for each in near) * 2 >= len(near)

    @cached_property
    def _positions(self) -> Mapping[str, int]:
        return {migration.revision: position for position, migration in enumerate(self.migrations)}


def _indexed(operation: Operation) -> Iterator[tuple[str, str]]:
    match operation:
        case CreateIndex(table=table, index=index) if not index.where:
            yield table, index.columns[0]
        case AddConstraint(table=table, constraint=constraint) if constraint.kind in BACKED_BY_INDEX:
            yield from ((table, column) for column in constraint.columns[:1])
        case _:
            return


@dataclass(frozen=True, slots=True)
class Histories:
    """All that was found beneath `root`. `sources` are the texts of the files that were read, by path."""

    root: Path
    histories: tuple[History, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    skipped: tuple[Problem, ...] = ()
