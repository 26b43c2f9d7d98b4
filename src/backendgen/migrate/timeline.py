"""The lock timeline of a deploy: which statement takes which lock on which table, and how long its transaction keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.migrate.context import Context, Deploy, follow, walk
from backendgen.migrate.history import History, Migration
from backendgen.migrate.locks import BLOCKS_READS, BLOCKS_WRITES
from backendgen.migrate.pending import EVERYTHING, Pending, select
from backendgen.migrate.readers import read
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

READS_AND_WRITES, WRITES, HELD = "X", "W", "|"
LEGEND = f"{READS_AND_WRITES} blocks reads and writes   {WRITES} blocks writes   {HELD} held until the transaction ends"
_STATEMENT = 56
_WIDEST = 200  # characters of columns; beyond, each row names what it locks


@dataclass(frozen=True, slots=True)
class Moment:
    """One statement: `taken` are the modes of the locks that block others, by table.

    What earlier ones of the same `transaction` have taken is held meanwhile; `holds`: there is such.
    """

    path: str
    line: int
    statement: str
    taken: dict[str, str]
    transaction: int
    holds: bool

    def sign(self, table: str, held: Mapping[str, str]) -> str:
        """Return how a table is locked, empty when it is not; a weaker lock on top of a stronger one changes nothing."""
        taken = self.taken.get(table)
        if taken in BLOCKS_READS:
            return READS_AND_WRITES
        if taken and held.get(table) not in BLOCKS_READS:
            return WRITES
        return HELD if table in held else ""

    def summary(self, held: Mapping[str, str]) -> str:
        """Return the tables that the statement itself locks, and how many others stay locked."""
        own = [f"{self.sign(table, held)} {table}" for table in self.taken]
        others = len(held) - sum(table in held for table in self.taken)
        return ", ".join([*own, *([f"{HELD} {others} {'table' if others == 1 else 'tables'}"] if others else [])])


def timeline(path: Path, config: Config, pending: Pending = EVERYTHING) -> tuple[Moment, ...]:
    """Return the moments of the pending migrations in which something is locked, in order.

    Raises UserError as `check` does.
    """
    histories = read(path, config)
    selection = select(histories, pending)
    if all(history.dialect == "sqlite" for history in histories.histories):
        raise UserError(
            "--graph shows which tables are locked; SQLite locks the whole database while anything is written"
        )
    found: list[Moment] = []
    for history in histories.histories:
        schema, deploy = Schema(dialect=history.dialect), Deploy()
        for position, migration in enumerate(history.migrations):
            if selection.has(history, position):
                deploy = Deploy(unseen=deploy.unseen) if selection.chosen is None else deploy
                first = found[-1].transaction + 1 if found else 0
                found += _moments(history, migration, schema, deploy, config, first)
            else:
                follow(history, migration, schema, deploy, config.pg_version)
    return tuple(moment for moment in found if moment.taken or moment.holds)


def _moments(
    history: History, migration: Migration, schema: Schema, deploy: Deploy, config: Config, transaction: int
) -> Iterator[Moment]:
    """Yield a Moment for each statement of a migration's up; its operations are one. `transaction` numbers the first."""
    steps = walk(history, migration, schema, deploy, config.pg_version)
    for (path, _, line), statement in groupby(steps, key=_statement):
        taken: dict[str, str] = {}
        text = ""
        ends_transaction = False
        holds: bool | None = None
        for context in statement:
            holds = bool(context.held) if holds is None else holds
            ends_transaction = isinstance(context.action.operation, op.Transaction)
            text = text or " ".join((context.action.operation.sql or context.action.call).split())
            made = context.action.operation.tables if isinstance(context.action.operation, op.CreateTable) else ()
            for lock in context.locks(schema):
                if lock.table in made[:1]:  # it refers to itself: nobody else knows it yet
                    continue
                if lock.mode in BLOCKS_WRITES and taken.get(lock.table) not in BLOCKS_READS:
                    taken[lock.table] = lock.mode
        transaction += not holds
        if not ends_transaction:
            yield Moment(path, line, text, taken, transaction, bool(holds))


def _statement(context: Context) -> tuple[str, int, int]:
    operation = context.action.operation
    return context.action.path, operation.statement, operation.line


def render(moments: Sequence[Moment]) -> str:
    """Return the timeline as text: a block for each file, a row for each statement, a column for each table."""
    held = Held()
    blocks = ["\n".join(_block(path, [*rows], held)) for path, rows in groupby(moments, key=lambda one: one.path)]
    return "\n\n".join([*blocks, LEGEND]) + "\n" if blocks else "no statement blocks anybody\n"


@dataclass(slots=True)
class Held:
    """What a transaction holds, by table, while its moments are gone through in order."""

    transaction: int = -1
    modes: dict[str, str] = field(default_factory=dict)

    def before(self, moment: Moment) -> Mapping[str, str]:
        """Return what is held when a moment begins."""
        if moment.transaction != self.transaction:
            self.transaction, self.modes = moment.transaction, {}
        return self.modes

    def after(self, moment: Moment) -> None:
        """Add what a moment has taken; a stronger lock counts."""
        for table, mode in moment.taken.items():
            if self.modes.get(table) not in BLOCKS_READS:
                self.modes[table] = mode


def _block(path: str, rows: Sequence[Moment], held: Held) -> Iterator[str]:
    tables = tuple(dict.fromkeys([*held.before(rows[0]), *(table for row in rows for table in row.taken)]))
    width = len(str(max(row.line for row in rows))) + 2
    yield path
    wide = sum(len(table) + 2 for table in tables) > _WIDEST
    if not wide:
        yield f"{'':<{width + 2 + _STATEMENT}}  {'  '.join(tables)}"
    for row in rows:
        now = held.before(row)
        signs = row.summary(now) if wide else "  ".join(f"{row.sign(table, now):<{len(table)}}" for table in tables)
        yield f"{row.line:>{width}}  {_cut(row.statement):<{_STATEMENT}}  {signs}".rstrip()
        held.after(row)


def _cut(statement: str) -> str:
    return statement if len(statement) <= _STATEMENT else f"{statement[: _STATEMENT - 3]}..."
