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
from backendgen.migrate.checks.registry import check, once
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
_ONE_PASS = (op.SetNotNull, op.AlterColumnType, op.AddColumn, op.AddConstraint)
_LOOKED_AHEAD = 100


def _takes_long(operation: op.Operation, schema: Schema, context: Context) -> bool:
    """Whether a rule of its own says that the operation takes as long as its table is large."""
    return any(hit.severity is not Severity.LOW for one in _SLOW for hit in one(operation, schema, context))


def _reads_many_rows(operation: op.Operation, context: Context) -> str:
    """Return a table that was there before and that the operation reads from end to end, as far as one can tell."""
    match operation:
        case op.Harmless(what="SELECT", table=table) if table:
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
    exclusive = {table: pair for table, pair in context.held.items() if pair[1].blocks_reads}
    if not exclusive or context.in_transaction is False:
        return
    again = {lock.table for lock in context.locks(schema) if lock.blocks_reads}
    found = next(((at, lock) for at, lock in exclusive.values() if lock.table not in again), None)
    if found is None or found[0] in statement_of(context):
        return
    table = "".join(operation.tables[:1])
    severity = None
    if read := _reads_many_rows(operation, context):
        what, severity = f"reading {read}", Severity.MEDIUM
    elif _takes_long(operation, schema, context):
        what = f"this statement on {table}"
    else:
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


def _dropped(context: Context) -> set[str]:
    return {each.operation.table for each in context.migration.up if isinstance(each.operation, op.DropTable)}


@check("BG714")
@once
def several_tables_locked(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Two tables locked one after the other, in another order than the application's: a deadlock."""
    if context.in_transaction is False and not isinstance(operation, op.CreateTable):
        return
    strong = [lock for lock in context.locks(schema) if lock.mode in BLOCKS_WRITES]
    pair = _second_lock(strong, operation, context)
    if pair is None or {lock.table for lock in pair} & _dropped(context):
        return
    first, second = pair
    line = context.held[first.table][0].operation.line if first.table in context.held else operation.line
    message = (
        f"{second.table} is locked against {second.blocks} while {first.table} still is against {first.blocks} "
        f"(line {line}): a transaction that uses {second.table} before {first.table} deadlocks with this one"
    )
    calm = not any(lock.blocks_reads for lock in pair)
    unsure = context.in_transaction is None and not isinstance(operation, op.CreateTable)
    stage = Stage(
        (), note=f"{_apart(operation, second)}, with a lock_timeout: each table locked by a transaction alone"
    )
    yield Hit(
        context.action.location, message, render(context, stage), second.table,
        severity=Severity.LOW if calm else None, confidence=Confidence.LOW if unsure else None,
    )  # fmt: skip


def _second_lock(strong: list[Lock], operation: op.Operation, context: Context) -> tuple[Lock, Lock] | None:
    """Return a lock that is kept and another table's that the operation adds; CREATE TABLE may add both by itself."""
    together = statement_of(context) if strong else ()
    for lock in strong:
        if lock.table in context.held:
            continue
        for action, kept in context.held.values():
            if kept.table != lock.table and action not in together:
                return kept, lock
    own = {lock.table: lock for lock in strong if lock.table not in context.held}
    if isinstance(operation, op.CreateTable) and len(own) > 1 and not operation.partition_of:
        first, second, *_ = own.values()
        return first, second
    return None


def _apart(operation: op.Operation, lock: Lock) -> str:
    if isinstance(operation, op.CreateTable):
        return "create the table without its foreign keys and add each in a migration of its own, NOT VALID"
    return f"what concerns {lock.table} in a migration of its own"


@check("BG715")
def parent_locked(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A foreign key that goes takes triggers of the table that it refers to with it: ACCESS EXCLUSIVE on both."""
    if not isinstance(operation, op.DropTable | op.DropColumn | op.DropConstraint):
        return
    table = operation.table
    relatives = _foreign_relatives(operation, schema, context)
    if not relatives or context.is_new(table):
        return
    bounded = context.lock_timeout or context.history.sets_lock_timeout
    if bounded and set(context.held) <= {table, *relatives}:
        return
    others = " and ".join(relatives)
    what = {op.DropTable: f"dropping {table}", op.DropColumn: f"dropping {table}.{_name(operation)}"}
    message = (
        f"{what.get(type(operation), f'dropping {table}.{_name(operation)}')} locks {others} as well against reads and "
        "writes, for the foreign key between them, until the transaction ends"
    )
    keys = [
        alter(owner, f"DROP CONSTRAINT {label(key)}") for owner, key in _foreign_keys(operation, schema, set(relatives))
    ]
    stages = [
        Stage(("SET LOCAL lock_timeout = '2s'", key), note="each key by itself, tried again when it fails")
        for key in keys
    ]
    if not isinstance(operation, op.DropConstraint):
        rest = f"DROP TABLE {name(table)}" if isinstance(operation, op.DropTable) else ""
        rest = rest or alter(table, f"DROP COLUMN {label(_name(operation))}")
        stages.append(Stage((rest,), note="then nothing but its own lock is left"))
    yield Hit(context.action.location, message, render(context, *stages), table)


def _name(operation: op.Operation) -> str:
    return str(getattr(operation, "name", ""))


def _foreign_keys(operation: op.Operation, schema: Schema, relatives: set[str]) -> list[tuple[str, str]]:
    """Return the foreign keys between the table and its relatives that the operation removes, each with its owner."""
    (table,) = operation.tables
    known = schema.tables.get(table)
    own = [
        key for key in (known.constraints if known else ()) if key.kind == "foreign_key" and key.references in relatives
    ]
    if isinstance(operation, op.DropColumn):
        own = [key for key in own if operation.name in key.columns]
    elif isinstance(operation, op.DropConstraint):
        own = [key for key in own if key.name == operation.name]
    found = [(table, key.name) for key in own]
    if isinstance(operation, op.DropTable):
        found += [(child.name, key.name) for child, key in schema.references_to(table) if child.name in relatives]
    return found


def _foreign_relatives(operation: op.Operation, schema: Schema, context: Context) -> list[str]:
    """Return the other tables that are locked for a foreign key, and that stay."""
    (table,) = operation.tables
    locked = {lock.table for lock in context.locks(schema) if lock.parent and lock.table != table}
    linked = {schema.tables[owner] for owner, _ in _foreign_keys(operation, schema, locked) if owner != table}
    known = schema.tables.get(table)
    parents = {key.references for key in (known.constraints if known else ()) if key.references}
    wanted = parents | {each.name for each in linked}
    return sorted((locked & wanted) - _dropped(context)) if locked & wanted else []


@check("BG725")
def locked_by_hand(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """LOCK TABLE keeps its lock to the end of the transaction, and fails outside one."""
    if not isinstance(operation, op.LockTable) or context.is_new(operation.table):
        return
    table, mode = operation.table, operation.mode
    if context.in_transaction is False:
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
def read_again(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """One ALTER TABLE passes over the rows once, whatever it changes; two of them pass twice."""
    if not isinstance(operation, _ONE_PASS) or context.is_new(operation.table):
        return
    if not any(True for one in _SCANS for _ in one(operation, schema, context)):
        return
    beside = statement_of(context)
    again = next(
        (
            later
            for later in islice(context.later, _LOOKED_AHEAD)
            if later not in beside and _passes(later, operation.table)
        ),
        None,
    )
    if again is None:
        return
    table = operation.table
    message = (
        f"{table} is read or written from end to end here and once more in line {again.operation.line}: "
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


def _action(sql: str) -> str:
    """Return what follows the table's name in an ALTER TABLE."""
    found = re.match(r"""(?is)\s*alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?:"[^"]+"|[\w.])+\s+(.+)""", sql)
    return found[1].strip() if found else ""
