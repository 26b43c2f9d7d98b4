"""Partitions: attached, made and detached without stopping the whole table, and what a partitioned table refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, constraint_sql, remedy, render, statement_of
from backendgen.migrate.quoting import label, name, names
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.names import joined, object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint, Table
from backendgen.sql.table_changes import bare

_RANGE = re.compile(r"(?is)\bfor\s+values\s+from\s*\((.*)\)\s*to\s*\((.*)\)\s*$")
_LIST = re.compile(r"(?is)\bfor\s+values\s+in\s*\((.*)\)\s*$")
_DETACH_CONCURRENTLY_SINCE = 14
_EXCLUDE_SINCE = 17  # exclusion constraints on partitioned tables: release notes of PostgreSQL 17
_NOT_VALID_KEY_SINCE = 18  # NOT VALID foreign keys on partitioned tables: release notes of PostgreSQL 18


@check("BG717")
def refused(
    operation: op.CreateIndex | op.DropIndex | op.AddConstraint | op.DetachPartition, schema: Schema, context: Context
) -> Iterator[Hit]:
    """What PostgreSQL does for plain tables and refuses for partitioned ones, and CONCURRENTLY where it cannot be."""
    reason, stages = _refusal(operation, schema, context)
    if reason:
        table = "".join(operation.tables[:1])
        message = f"PostgreSQL refuses {reason}: the migration fails"
        yield Hit(context.action.location, message, render(context, *stages), table)


def _refusal(operation: op.Operation, schema: Schema, context: Context) -> tuple[str, tuple[Stage, ...]]:
    match operation:
        case op.CreateIndex(table=table, concurrently=True) if _partitioned(table, schema):
            return f"to build an index of {table} CONCURRENTLY: it is partitioned", _by_partition(operation, schema)
        case op.DropIndex(index=index, concurrently=True):
            return _refused_drop(index, schema, context)
        case op.AddConstraint(table=table, constraint=constraint) if _partitioned(table, schema):
            if constraint.using_index:
                return f"USING INDEX for {table}: it is partitioned", part_by_part(table, constraint, schema)
            if constraint.kind == "foreign_key" and not constraint.valid and context.pg_version < _NOT_VALID_KEY_SINCE:
                reason = f"NOT VALID for a foreign key of {table}, which is partitioned, before {_NOT_VALID_KEY_SINCE}"
                return reason, part_by_part(table, constraint, schema)
            if constraint.kind == "exclude" and context.pg_version < _EXCLUDE_SINCE:
                return f"EXCLUDE for {table}: it is partitioned", (Stage((), note="add it to each partition"),)
        case op.DetachPartition(table=table, concurrently=True) if default := schema.default_partition_of(table):
            plain = Stage(
                ("SET LOCAL lock_timeout = '2s'", alter(table, f"DETACH PARTITION {name(operation.partition)}"))
            )
            return f"to detach from {table} CONCURRENTLY: it has a default partition, {default.name}", (plain,)
        case _:
            pass
    return "", ()


def _partitioned(table: str, schema: Schema) -> bool:
    known = schema.tables.get(table)
    return known is not None and known.partitioned


def needs_its_parts_first(table: str, constraint: Constraint, schema: Schema, context: Context) -> bool:
    """Whether what is done online to a plain table is refused for this one, so that its partitions must come first."""
    late = constraint.kind == "foreign_key" and context.pg_version >= _NOT_VALID_KEY_SINCE
    return _partitioned(table, schema) and not late


def held_by_its_parts(operation: op.Operation, constraint: Constraint, schema: Schema) -> bool:
    """Whether each partition has the constraint already: the whole takes them over, checks and builds nothing (traced)."""
    (table,) = operation.tables
    parts = schema.partitions_of(table)
    return (
        isinstance(operation, op.AddConstraint)
        and bool(parts)
        and all(any(own.valid and _alike(own, constraint) for own in part.constraints) for part in parts)
    )


def _alike(one: Constraint, other: Constraint) -> bool:
    parts = (one.kind, one.columns, one.references, one.on_delete, one.include)
    return parts == (other.kind, other.columns, other.references, other.on_delete, other.include)


def part_by_part(table: str, constraint: Constraint, schema: Schema) -> tuple[Stage, ...]:
    """Return a foreign key, unique or primary key of a partitioned table: online in each partition, then in the whole."""
    parts = schema.partitions_of(table)
    if not parts or not constraint.columns:
        return (
            Stage((), note="to each partition first, as to a plain table; then to the whole, which takes them over"),
        )
    stages: list[Stage] = []
    suffix = {"foreign_key": "fkey", "primary_key": "pkey"}.get(constraint.kind, "key")
    kind = "PRIMARY KEY" if constraint.kind == "primary_key" else "UNIQUE"
    for part in parts:
        columns = "" if constraint.kind == "primary_key" else joined(constraint.columns)
        own = label(object_name(bare(part.name), columns, suffix))
        if constraint.kind == "foreign_key":
            added = alter(part.name, f"ADD CONSTRAINT {own} {constraint_sql(constraint)} NOT VALID")
            stages += [Stage((added,)), Stage((alter(part.name, f"VALIDATE CONSTRAINT {own}"),))]
        else:
            built = f"CREATE UNIQUE INDEX CONCURRENTLY {own} ON {name(part.name)} ({names(constraint.columns)})"
            adopted = alter(part.name, f"ADD CONSTRAINT {own} {kind} USING INDEX {own}")
            stages += [Stage((built,), transactional=False), Stage((adopted,))]
    what = constraint_sql(constraint) if constraint.kind == "foreign_key" else f"{kind} ({names(constraint.columns)})"
    whole = alter(table, f"ADD CONSTRAINT {label(constraint.name)} {what}")
    return (*stages, Stage((whole,), note="takes over what its partitions have"))


def _by_partition(operation: op.CreateIndex, schema: Schema) -> tuple[Stage, ...]:
    index, keys = (
        operation.index,
        ", ".join(label(key.column) if key.column else key.expression for key in operation.index.keys),
    )
    unique = "UNIQUE " if index.unique else ""
    stages = [Stage((f"CREATE {unique}INDEX {name(index.name)} ON ONLY {name(operation.table)} ({keys})",))]
    for partition in schema.partitions_of(operation.table):
        own = object_name(bare(partition.name), bare(index.name), "idx")
        built = f"CREATE {unique}INDEX CONCURRENTLY {label(own)} ON {name(partition.name)} ({keys})"
        attached = f"ALTER INDEX {name(index.name)} ATTACH PARTITION {label(own)}"
        stages += [Stage((built,), transactional=False), Stage((attached,))]
    return tuple(stages)


def _refused_drop(index: str, schema: Schema, context: Context) -> tuple[str, tuple[Stage, ...]]:
    together = [each.operation for each in statement_of(context) if isinstance(each.operation, op.DropIndex)]
    if len(together) > 1:
        apart = tuple(Stage((f"DROP INDEX CONCURRENTLY {name(each.index)}",), transactional=False) for each in together)
        return (
            ("to drop several indexes CONCURRENTLY in one statement", apart) if together[0].index == index else ("", ())
        )
    owner = schema.index_owner(index)
    if isinstance(owner, Table) and owner.partitioned:
        plain = Stage(("SET LOCAL lock_timeout = '2s'", f"DROP INDEX {name(index)}"))
        return f"to drop {index} CONCURRENTLY: {owner.name} is partitioned", (plain,)
    if together[0].cascade:
        return "DROP INDEX CONCURRENTLY with CASCADE", (
            Stage((f"DROP INDEX CONCURRENTLY {name(index)}",), transactional=False),
        )
    return "", ()


@check("BG726")
def attached_by_scan(operation: op.AttachPartition, schema: Schema, context: Context) -> Iterator[Hit]:
    """ATTACH PARTITION reads the new partition and the default one unless a valid CHECK proves what they hold."""
    child, parent = schema.tables.get(operation.partition), schema.tables.get(operation.table)
    key = parent.partition_key if parent else ()
    scanned = []
    if not context.is_new(operation.partition) and not _proven(child, key):
        scanned.append(operation.partition)
    default = schema.default_partition_of(operation.table)
    if default and not context.is_new(default.name) and not _proven(default, key):
        scanned.append(default.name)
    if not scanned:
        return
    message = (
        f"ATTACH PARTITION reads all of {' and '.join(scanned)} under ACCESS EXCLUSIVE: nothing proves what is in it"
    )
    confidence = Confidence.MEDIUM if child is None else None
    fix = render(context, *_proof(operation, scanned, key))
    yield Hit(context.action.location, message, fix, operation.partition, confidence=confidence)


def _proof(operation: op.AttachPartition, scanned: list[str], key: tuple[str, ...]) -> list[Stage]:
    """Return the CHECKs that say what the partition, and the default one, hold; a note where the bounds are not simple."""
    bounds = _bounds(operation.sql, key)
    if not bounds:
        note = (
            f"a CHECK with the bounds on {' and '.join(scanned)} first (for a default partition: NOT these), validated"
        )
        return [Stage((), note=note)]
    added, validated, dropped = [], [], []
    for table in scanned:
        named = label(f"{bare(table)}_bounds")
        holds = bounds if table == operation.partition else f"NOT ({bounds})"
        added.append(alter(table, f"ADD CONSTRAINT {named} CHECK ({holds}) NOT VALID"))
        validated.append(alter(table, f"VALIDATE CONSTRAINT {named}"))
        if table == operation.partition:
            dropped.append(alter(table, f"DROP CONSTRAINT {named}"))
    return [
        Stage(tuple(added)),
        Stage(tuple(validated), note="takes no lock that blocks reads or writes"),
        Stage((operation.sql,), note="the valid check spares the scan"),
        *([Stage(tuple(dropped))] if dropped else []),
    ]


def _bounds(sql: str, key: tuple[str, ...]) -> str:
    """Return the bounds of a partition with one key column as a condition, nothing where they cannot be told."""
    if len(key) != 1:
        return ""
    column, conditions = label(key[0]), [f"{label(key[0])} IS NOT NULL"]
    if of_list := _LIST.search(sql):
        return f"{conditions[0]} AND {column} IN ({of_list[1]})"
    found = _RANGE.search(sql)
    if not found or "," in f"{found[1]}{found[2]}":
        return ""
    low, high = found[1].strip(), found[2].strip()
    conditions += [] if low.upper() == "MINVALUE" else [f"{column} >= {low}"]
    conditions += [] if high.upper() == "MAXVALUE" else [f"{column} < {high}"]
    return " AND ".join(conditions)


def _proven(table: Table | None, key: tuple[str, ...]) -> bool:
    """Whether a valid CHECK speaks of the partition key. What it says of it is not compared with the bounds."""
    return table is not None and any(
        constraint.kind == "check" and constraint.valid and (set(key) & set(constraint.columns) if key else True)
        for constraint in table.constraints
    )


@check("BG727")
def detached_under_lock(
    operation: op.DetachPartition | op.DropTable, schema: Schema, context: Context
) -> Iterator[Hit]:
    """DETACH PARTITION, and DROP TABLE of a partition, lock the partitioned table against everybody."""
    if isinstance(operation, op.DetachPartition) and not operation.concurrently:
        parent, partition, what = operation.table, operation.partition, "DETACH PARTITION"
    elif isinstance(operation, op.DropTable) and (known := schema.tables.get(operation.table)) and known.partition_of:
        parent, partition, what = known.partition_of, known.name, f"dropping its partition {known.name}"
    else:
        return
    whole = context.is_new(parent) or any(
        isinstance(each.operation, op.DropTable) and each.operation.table == parent for each in context.migration.up
    )
    if whole or context.pg_version < _DETACH_CONCURRENTLY_SINCE:
        return
    message = f"{what} locks all of {parent} against reads and writes, and queues behind its longest query"
    online = alter(parent, f"DETACH PARTITION {name(partition)} CONCURRENTLY")
    stages = [Stage((online,), transactional=False)]
    default = schema.default_partition_of(parent)
    if default:
        message += f"; so it does {default.name}, for which it cannot be done CONCURRENTLY"
        plain = alter(parent, f"DETACH PARTITION {name(partition)}")
        stages = [Stage(("SET LOCAL lock_timeout = '2s'", plain), note="alone, and tried again when it fails")]
        if context.lock_timeout or context.history.sets_lock_timeout:
            return
    change = None if default or isinstance(operation, op.DropTable) else remedy(context, *stages)
    if isinstance(operation, op.DropTable):
        stages.append(Stage((f"DROP TABLE {name(partition)}",)))
    yield Hit(context.action.location, message, render(context, *stages), parent, remedy=change)


@check("BG728")
def made_under_lock(operation: op.CreateTable, schema: Schema, context: Context) -> Iterator[Hit]:
    """CREATE TABLE ... PARTITION OF takes ACCESS EXCLUSIVE on the partitioned table; ATTACH PARTITION does not."""
    if not operation.partition_of:
        return
    parent, table = operation.partition_of, operation.table
    if context.is_new(parent):
        return
    message = f"PARTITION OF locks all of {parent} against reads and writes, and queues behind its longest query"
    default = schema.default_partition_of(parent)
    if default and not operation.default_partition:
        message += f", while {default.name} is searched for rows that belong to {table}"
    bounds = (
        operation.sql[operation.sql.upper().find(" FOR VALUES ") + 1 :]
        if " FOR VALUES " in operation.sql.upper()
        else "DEFAULT"
    )
    made = (
        f"CREATE TABLE {name(table)} (LIKE {name(parent)} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
    )
    attached = alter(parent, f"ATTACH PARTITION {name(table)} {' '.join(bounds.split())}")
    yield Hit(context.action.location, message, render(context, Stage((made, attached))), parent)
