"""Transactions: what stays locked until they end, and what waits meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.columns import column_written_to_all_rows, type_change_rewrites
from backendgen.migrate.checks.constraints import (
    check_validated_under_lock,
    foreign_key_validated_under_lock,
    set_not_null_scans,
    unique_built_under_lock,
)
from backendgen.migrate.checks.indexes import index_blocks_writes, written_in_place
from backendgen.migrate.checks.registry import Concerned, check, once
from backendgen.migrate.checks.rows import is_small
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render, statement_of
from backendgen.migrate.history import Action
from backendgen.migrate.locks import BLOCKS_WRITES, STRENGTH, Lock, locks
from backendgen.migrate.quoting import label, name
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

_SCANS = (
    check_validated_under_lock, set_not_null_scans, unique_built_under_lock, type_change_rewrites,
    column_written_to_all_rows,
)  # fmt: skip
_SLOW = (*_SCANS, index_blocks_writes, foreign_key_validated_under_lock, written_in_place)
_SAY_SCANS, _SAY_SLOW = Concerned(("", one) for one in _SCANS), Concerned(("", one) for one in _SLOW)
_LOOKED_AHEAD = 100


def _said(rules: Concerned, operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Yield what other rules say of the operation."""
    for _, one in rules[type(operation)]:
        yield from one(operation, schema, context)


def _takes_long(operation: op.Operation, schema: Schema, context: Context) -> bool:
    """Whether a rule of its own says that the operation takes as long as its table is large."""
    return any(hit.severity is not Severity.LOW for hit in _said(_SAY_SLOW, operation, schema, context))


def _reads_many_rows(operation: op.Operation, context: Context) -> str:
    """Return a table that was there before and that the operation reads from end to end, as far as one can tell."""
    match operation:
        case op.Harmless(what="SELECT", table=table) | op.CallRoutine(table=table) if table:
            read: tuple[str, ...] = (table,)
        case op.ChangeRows(verb="insert", reads=read):
            pass
        case op.CreateView(materialized=True, reads=read):
            pass
        case op.RefreshView(name=view):
            read = (view,)
        case _:
            return ""
    return next((table for table in read if not context.is_new(table) and not is_small(table, operation.sql)), "")


@check("BG713")
@once
def slow_while_locked(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """What a statement locked stays locked to the transaction's end, however long the next ones take."""
    if not context.held or context.in_transaction is False:
        return
    severity = None
    if read := _reads_many_rows(operation, context):
        what, severity = f"reading {read}", Severity.MEDIUM
    elif _takes_long(operation, schema, context):
        what = _doing(operation)
    else:
        return
    again, beside = {lock.table for lock in context.locks(schema) if lock.blocks_reads}, statement_of(context)
    found = next((
        (at, lock) for at, lock in context.held.values()
        if lock.blocks_reads and lock.table not in again and lock.table not in context.dropped and not _among(at, beside)
    ), None)  # fmt: skip
    if found is None:
        return
    earlier, lock = found
    message = (
        f"{what} takes its time while {lock.table} is locked against reads and writes (line {earlier.operation.line}): "
        f"{lock.table} stays so until the transaction ends"
    )
    stage = Stage((), note=f"in a migration of its own, after the one that locks {lock.table} has committed")
    confidence = Confidence.LOW if context.in_transaction is None else None
    yield Hit(
        context.action.location, message, render(context, stage), lock.table, severity=severity, confidence=confidence
    )


def _doing(operation: op.Operation) -> str:
    if isinstance(operation, op.CreateIndex):
        return f"building index {operation.index.name}"
    return f"this change of {''.join(operation.tables[:1])}"


def _among(action: Action, actions: tuple[Action, ...]) -> bool:
    return any(action is each for each in actions)


@check("BG714")
@once
def several_tables_locked(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Two tables locked one after the other, in another order than the application's: a deadlock."""
    if context.in_transaction is False and not isinstance(operation, op.CreateTable):
        return
    strong = [lock for lock in context.locks(schema) if lock.mode in BLOCKS_WRITES]
    pair = _second_lock(strong, operation, context)
    if pair is None:
        return
    first, second = pair
    line = context.held[first.table][0].operation.line if first.table in context.held else operation.line
    message = (
        f"{second.table} is locked against {second.blocks} while {first.table} still is against {first.blocks} "
        f"(line {line}): a transaction that uses {second.table} before {first.table} can deadlock with this one"
    )
    stage = Stage(
        (), note=f"{_apart(operation, second)}, with a lock_timeout: each table locked by a transaction alone"
    )
    yield Hit(context.action.location, message, render(context, stage), second.table)


def _second_lock(strong: list[Lock], operation: op.Operation, context: Context) -> tuple[Lock, Lock] | None:
    """Return a lock that is kept and another table's that the operation adds; CREATE TABLE may add both by itself."""
    own = {lock.table: lock for lock in strong if lock.table not in context.held}
    if not own or (len(own) == 1 and not context.held):
        return None
    together, gone = statement_of(context), context.dropped
    own = {table: lock for table, lock in own.items() if table not in gone}
    for lock in own.values():
        for action, kept in context.held.values():
            if kept.table not in gone and not _among(action, together):
                return kept, lock
    if isinstance(operation, op.CreateTable) and len(own) > 1 and not operation.partition_of:
        first, second, *_ = own.values()
        return first, second
    return None


def _apart(operation: op.Operation, lock: Lock) -> str:
    if isinstance(operation, op.CreateTable):
        return "create the table without its foreign keys and add each in a migration of its own, NOT VALID"
    return f"what concerns {lock.table} in a migration of its own"


@check("BG715")
@once
def relative_locked(
    operation: op.DropTable | op.DropColumn | op.DropConstraint | op.AlterColumnType, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A foreign key has triggers on both of its tables: to drop or remake it takes ACCESS EXCLUSIVE on both."""
    relatives = _foreign_relatives(operation, schema, context)
    if not relatives or context.is_new(operation.table):
        return
    if all(other in context.held and context.held[other][1].blocks_reads for other in relatives):
        return
    bounded = context.lock_timeout or context.history.sets_lock_timeout
    if bounded and set(context.held) <= {operation.table, *relatives}:
        return
    if isinstance(operation, op.AlterColumnType) and any(type_change_rewrites(operation, schema, context)):
        return
    others = ", ".join(relatives[:-1]) + " and " * (len(relatives) > 1) + relatives[-1]
    message = (
        f"{_changing(operation)} locks {others} as well against reads and writes, for the foreign key between them, "
        "until the transaction ends"
    )
    keys = [alter(owner, f"DROP CONSTRAINT {label(key)}") for owner, key in _foreign_keys(operation, schema)]
    fix = render(context, *_key_by_key(operation, keys))
    yield Hit(context.action.location, message, fix, operation.table)


def _changing(operation: op.Operation) -> str:
    (table,) = operation.tables
    part = getattr(operation, "name", "")
    verb = "changing the type of" if isinstance(operation, op.AlterColumnType) else "dropping"
    return f"{verb} {table}{'.' if part else ''}{part}"


def _key_by_key(operation: op.Operation, keys: list[str]) -> list[Stage]:
    (table,) = operation.tables
    bounded, alone = "SET LOCAL lock_timeout = '2s'", "each key by itself, tried again when it fails"
    if isinstance(operation, op.AlterColumnType):
        return [Stage((bounded, operation.sql), note="alone in its transaction, tried again when it fails")]
    stages = [Stage((bounded, key), note=alone) for key in keys]
    if isinstance(operation, op.DropTable):
        stages.append(Stage((f"DROP TABLE {name(table)}",), note="then nothing but its own lock is left"))
    elif isinstance(operation, op.DropColumn):
        dropped = alter(table, f"DROP COLUMN {label(operation.name)}")
        stages.append(Stage((dropped,), note="then nothing but its own lock is left"))
    return stages


def _foreign_keys(operation: op.Operation, schema: Schema) -> list[tuple[str, str]]:
    """Return the foreign keys that the operation removes or makes anew, each with the table that has it."""
    (table,) = operation.tables
    known = schema.tables.get(table)
    own = [key for key in (known.constraints if known else ()) if key.kind == "foreign_key" and key.references != table]
    others = [(child.name, key) for child, key in schema.references_to(table) if child.name != table]
    match operation:
        case op.DropTable(cascade=cascade):
            others = others if cascade else []
        case op.DropColumn(name=column):
            own, others = [key for key in own if column in key.columns], []
        case op.AlterColumnType(name=column):
            own = [key for key in own if column in key.columns]
            others = [(child, key) for child, key in others if column in key.referenced_columns]
        case _:
            own, others = [key for key in own if key.name == getattr(operation, "name", "")], []
    return [*((table, key.name) for key in own), *((child, key.name) for child, key in others)]


def _foreign_relatives(operation: op.Operation, schema: Schema, context: Context) -> list[str]:
    """Return the other tables that are locked for a foreign key, and that stay."""
    keys = _foreign_keys(operation, schema)
    if not keys:
        return []
    (table,) = operation.tables
    ends = {owner for owner, _ in keys}
    for owner, key_name in keys:
        key = schema.tables[owner].constraint(key_name)
        ends |= {key.references} if key else set()
    locked = {lock.table for lock in context.locks(schema) if lock.parent}
    return sorted((ends & locked) - {table} - context.dropped)


@check("BG725")
@once
def locked_by_hand(operation: op.LockTable, schema: Schema, context: Context) -> Iterator[Hit]:
    """LOCK TABLE keeps its lock to the end of the transaction, and fails outside one."""
    if context.is_new(operation.table):
        return
    table, mode = operation.table, operation.mode
    if context.in_transaction is False and not _in_block(context):
        message = f"LOCK TABLE {table} runs outside a transaction here, where PostgreSQL refuses it"
    elif mode in BLOCKS_WRITES and not _locked_anyway(operation, schema, context):
        blocks = Lock(table, mode).blocks
        message = (
            f"LOCK TABLE blocks {blocks} of {table} until the transaction ends, also where nothing after it needs that"
        )
    else:
        return
    fix = Stage(
        (
            "BEGIN",
            "SET LOCAL lock_timeout = '2s'",
            f"LOCK TABLE {name(table)} IN SHARE UPDATE EXCLUSIVE MODE",
            "COMMIT",
        ),
        note="around what needs it; it keeps other schema changes away and lets reads and writes go on",
    )
    inside = Stage(fix.statements[1:-1], note=fix.note)
    yield Hit(context.action.location, message, render(context, inside if context.in_transaction else fix), table)


def _in_block(context: Context) -> bool:
    """Whether the operation stands in a DO block, which is a transaction by itself."""
    up, at = context.migration.up, context.position
    beside = (*up[max(at - 1, 0) : at], *up[at + 1 : at + 2])
    here = up[at].operation
    return any(
        each.path == up[at].path and each.operation.statement == here.statement and each.operation.line != here.line
        for each in beside
    )


def _locked_anyway(operation: op.LockTable, schema: Schema, context: Context) -> bool:
    """Whether a later statement takes this lock or a stronger one: to take all of them first, in one order, is sound."""
    if not (context.lock_timeout or context.history.sets_lock_timeout):
        return False
    return any(
        lock.table == operation.table and STRENGTH.index(lock.mode) >= STRENGTH.index(operation.mode)
        for later in islice(context.later, _LOOKED_AHEAD)
        if not isinstance(later.operation, op.LockTable)
        for lock in locks(later.operation, schema)
        if lock.mode in STRENGTH
    )


@check("BG732")
@once
def read_again(
    operation: op.SetNotNull | op.AlterColumnType | op.AddColumn | op.AddConstraint, schema: Schema, context: Context
) -> Iterator[Hit]:
    """One ALTER TABLE passes over the rows once, whatever it changes; two of them pass twice."""
    if context.is_new(operation.table):
        return
    if not any(_said(_SAY_SCANS, operation, schema, context)):
        return
    table, beside = operation.table, statement_of(context)
    again = next((
        later for later in islice(context.later, _LOOKED_AHEAD)
        if not _among(later, beside) and (_passes(later, table) or _fills(later, table))
    ), None)  # fmt: skip
    if again is None or _fills(again, table):
        return
    here = operation.line == again.operation.line
    where = "by the same call" if here else f"in line {again.operation.line}"
    message = (
        f"{table} is read or written from end to end here and once more {where}: "
        "one ALTER TABLE with both actions does it in one pass"
    )
    actions = [_action(each.operation.sql) for each in (*beside[:1], again)]
    fix = alter(table, ", ".join(actions)) if all(actions) else ""
    yield Hit(context.action.location, message, render(context, Stage((fix,))) if fix else "", table)


def _passes(action: Action, table: str) -> bool:
    """Whether a later action is another one that reads all rows of the table and can share the pass."""
    match action.operation:
        case op.SetNotNull(table=owner) | op.AlterColumnType(table=owner):
            return owner == table
        case op.AddConstraint(table=owner, constraint=constraint):
            return owner == table and constraint.valid and constraint.kind in ("check", "not_null")
        case _:
            return False


def _fills(action: Action, table: str) -> bool:
    """Whether an action changes the rows, which what comes after it needs."""
    return isinstance(action.operation, op.ChangeRows) and action.operation.table == table


def _action(sql: str) -> str:
    """Return what follows the table's name in an ALTER TABLE."""
    found = re.match(r"""(?is)\s*alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?:"[^"]+"|[\w.])+\s+(.+)""", sql)
    return found[1].strip() if found else ""
