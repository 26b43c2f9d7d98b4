"""Pieces to migrations: what may share a transaction shares a file, and order is kept where it could matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backendgen.findings.remedy import Remedy
from backendgen.migrate.history import Action, Tool
from backendgen.migrate.locks import BLOCKS_WRITES, locks
from backendgen.migrate.quoting import label, name
from backendgen.migrate.rewrite.pieces import Piece, parsed
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.table_changes import bare

# These neither see nor change what a new index or a validated constraint is about.
_INDIFFERENT = (
    op.CreateTable, op.CreateIndex, op.AddColumn, op.SetDefault, op.SetComment, op.SetSetting, op.ValidateConstraint,
)  # fmt: skip
# A file of several statements is one transaction there, or may be: what must run outside stands alone.
_ONE_BY_ONE: frozenset[Tool] = frozenset({"sql", "golang-migrate", "prisma"})
_QUIET = (op.ValidateConstraint, op.SetSetting, op.ChangeRows, op.SetComment, op.Transaction)


@dataclass(slots=True)
class Group:
    """The pieces of one migration; `outside` when it runs without a transaction."""

    outside: bool
    pieces: list[Piece] = field(default_factory=list)

    @property
    def operations(self) -> list[op.Operation]:
        """All that it does."""
        return [each for piece in self.pieces for each in piece.operations]

    @property
    def floats(self) -> bool:
        """Whether it may run after any migration that is indifferent to it."""
        return all(piece.floats for piece in self.pieces)

    @property
    def locks(self) -> bool:
        """Whether it may wait for a lock that others then wait behind."""
        return any(map(locks_strongly, self.operations))


def locks_strongly(operation: op.Operation) -> bool:
    """Whether an operation may wait for a lock that others then wait behind."""
    if isinstance(operation, op.RefreshView):
        return True  # even CONCURRENTLY, it keeps out others that write to the view
    if isinstance(operation, op.Harmless):
        return any(lock.mode in BLOCKS_WRITES for lock in locks(operation, Schema()))
    return not isinstance(operation, _QUIET) and not getattr(operation, "concurrently", False)


def indifferent(operations: Iterable[op.Operation], waiting: Iterable[op.Operation]) -> bool:
    """Whether operations may run before others that were written before them: validations and plain indexes."""
    tables = {table for each in waiting for table in each.tables}
    return all(
        isinstance(each, _INDIFFERENT)
        or (isinstance(each, op.AddConstraint) and each.constraint.kind in ("check", "foreign_key", "unique"))
        or (
            isinstance(each, op.AddConstraint | op.SetNotNull | op.DropNotNull | op.DropConstraint)
            and not tables & {*each.tables}
        )
        for each in operations
    )


def grouped(found: Sequence[Piece], tool: Tool, *, outside: bool) -> list[Group]:
    """Return the migrations that the pieces make. `outside`: the migration as a whole runs without a transaction."""
    if outside:
        return [Group(True, list(found))]
    groups: list[Group] = []
    waiting: list[Piece] = []
    for piece in found:
        if piece.floats and piece.later:
            waiting.append(piece)
            continue
        if waiting and not indifferent(piece.operations, [each for one in waiting for each in one.operations]):
            _add(groups, waiting, tool)
            waiting = []
        _add(groups, [piece], tool)
    _add(groups, waiting, tool)
    return groups


def _add(groups: list[Group], pieces: Iterable[Piece], tool: Tool) -> None:
    begin = True
    for piece in pieces:
        outside = piece.transactional is False
        last = groups[-1] if groups else None
        apart = (
            piece.later and begin and not (last and last.pieces[-1].floats and last.pieces[-1].later and piece.floats)
        )
        if last is None or last.outside != outside or apart or (outside and tool in _ONE_BY_ONE):
            groups.append(Group(outside))
        groups[-1].pieces.append(piece)
        begin = False


def subject(operation: op.Operation) -> tuple[str, ...]:
    """Return what an operation makes, changes or takes away, so that it can be found in the other direction."""
    match operation:
        case op.CreateIndex(index=index):
            return ("index", index.name)
        case op.DropIndex(index=name):
            return ("index", name)
        case op.AddConstraint(table=table, constraint=constraint):
            return ("constraint", table, constraint.name)
        case op.DropConstraint(table=table, name=name):
            return ("constraint", table, name)
        case op.SetNotNull(table=table, name=name) | op.DropNotNull(table=table, name=name):
            return ("null", table, name)
        case op.AddColumn(table=table, definition=column):
            return ("column", table, column.name)
        case op.DropColumn(table=table, name=name):
            return ("column", table, name)
        case op.AlterColumnType(table=table, name=name):
            return ("type", table, name)
        case op.RenameColumn(table=table, name=name, new_name=new):
            return ("rename", table, *sorted((name, new)))
        case op.RenameTable(table=table, new_name=new):
            return ("rename", *sorted((table.rpartition(".")[2], new)))
        case op.CreateTable(table=table) | op.DropTable(table=table):
            return ("table", table)
        case op.AttachPartition(partition=name) | op.DetachPartition(partition=name):
            return ("partition", name)
        case _:
            return ()


def moved_away(remedies: Iterable[Remedy], actions: Sequence[Action]) -> set[tuple[str, ...]]:
    """Return the subjects of operations that nothing takes the place of here, so that nothing takes them back either."""
    gone = {one.position for one in remedies if not any(stage.statements for stage in one.stages)}
    return {subject(action.operation) for position, action in enumerate(actions) if position in gone} - {()}


def word_of(group: Group) -> str:
    """Return what a migration of its own is called after."""
    kinds = {type(each) for each in group.operations if not isinstance(each, op.SetSetting)}
    if kinds == {op.ValidateConstraint}:
        return "validate"
    if kinds in ({op.CreateIndex}, {op.DropIndex}):
        return "concurrently"
    return "then"


def taken_back(operation: op.Operation, every: Sequence[op.Operation]) -> str:
    """Return how to take back what is only there on the way: an index that a constraint adopts, a check that is dropped."""
    if not any(_uses_up(each, operation) for each in every):
        return ""
    if isinstance(operation, op.CreateIndex):
        return f"DROP INDEX IF EXISTS {name(operation.index.name)}"
    if isinstance(operation, op.AddConstraint):
        dropped = f"DROP CONSTRAINT IF EXISTS {label(operation.constraint.name)}"
        return f"ALTER TABLE IF EXISTS {name(operation.table)} {dropped}"
    return ""


def brought_back(operation: op.Operation, before: Sequence[op.Operation]) -> str:
    """Return how to bring back what a migration used up, so that it can run again after its down."""
    made = (each for each in before if _uses_up(operation, each))
    return "".join(re.sub(r"(?i)\s+concurrently\b", "", each.sql, count=1) for each in made)


def _uses_up(operation: op.Operation, made: op.Operation) -> bool:
    """Whether an operation takes away, or makes its own, what another one made."""
    match operation, made:
        case op.AddConstraint(constraint=constraint), op.CreateIndex(index=index):
            return bool(constraint.using_index) and constraint.using_index == bare(index.name)
        case op.DropConstraint(table=table, name=gone), op.AddConstraint():
            return (made.table, made.constraint.name) == (table, gone)
        case _:
            return False


def ways_back(statements: Iterable[str], homes: Sequence[Sequence[op.Operation]]) -> list[list[str]]:
    """Share out statements that take everything back: to each of several migrations what undoes its own."""
    subjects = [[subject(one) for one in home] for home in homes]
    shares: list[list[str]] = [[] for _ in homes]
    for statement in statements:
        keys = [subject(one) for one in parsed(statement)]
        fitting = [at for at, own in enumerate(subjects) if keys and all(key and key in own for key in keys)]
        shares[max(fitting, default=0)].append(statement)
    every = [one for home in homes for one in home]
    for at, home in enumerate(homes):
        before = [one for other in homes[:at] for one in other]
        shares[at] += [sql for one in reversed(home) if (sql := taken_back(one, every))]
        shares[at] += [sql for one in home if (sql := brought_back(one, before))]
    return shares
