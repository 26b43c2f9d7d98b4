"""Which table locks an Operation takes: facts of the PostgreSQL manual (13.3, ALTER TABLE, CREATE INDEX), measured on 18.

Judges nothing. Tables are named as the Operation names them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backendgen.migrate import spread
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint

STRENGTH = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")  # those that block writes, weakest first
BLOCKS_WRITES = frozenset(STRENGTH)
NEWEST = 18
BLOCKS_READS = frozenset({"ACCESS EXCLUSIVE"})

_EXCLUSIVE_FORMS = (
    op.RenameTable, op.RenameColumn, op.SetNotNull, op.DropNotNull, op.SetDefault, op.SetIdentity, op.SetGenerated,
    op.RenameConstraint, op.SetSchema, op.Truncate, op.RewriteTable,
)  # fmt: skip
# ALTER TABLE takes ACCESS EXCLUSIVE unless its manual says otherwise; these are the others among what changes no Schema.
_ALTER_TABLE_WEAK = frozenset({
    "SET STATISTICS", "SET OPTIONS", "RESET OPTIONS", "SET REL OPTIONS", "RESET REL OPTIONS", "CLUSTER ON", "DROP CLUSTER",
})  # fmt: skip
_ALTER_RELATION = re.compile(r"ALTER (?:TABLE|VIEW|MATERIALIZED VIEW) ")
_OTHER_STATEMENTS = {
    "CREATE TRIGGER": "SHARE ROW EXCLUSIVE",
    "CREATE POLICY": "ACCESS EXCLUSIVE",
    "ALTER POLICY": "ACCESS EXCLUSIVE",
    "CREATE RULE": "ACCESS EXCLUSIVE",
    "RENAME POLICY": "ACCESS EXCLUSIVE",
    "RENAME RULE": "ACCESS EXCLUSIVE",
    "RENAME TRIGGER": "ACCESS EXCLUSIVE",
}


@dataclass(frozen=True, slots=True)
class Lock:
    """A table lock by its name in the manual.

    `parent`: taken on the table at the other end of a foreign key, or on a partition's parent. `below`: taken on a partition
    or heir of a locked table.
    """

    table: str
    mode: str
    parent: bool = False
    below: bool = False

    @property
    def blocks_reads(self) -> bool:
        """Whether other sessions cannot even read meanwhile."""
        return self.mode in BLOCKS_READS

    @property
    def blocks(self) -> str:
        """What other sessions cannot do meanwhile."""
        return "reads and writes" if self.blocks_reads else "writes"


def locks(operation: op.Operation, schema: Schema, pg_version: int = NEWEST) -> Iterator[Lock]:
    """Yield the table locks of an operation, given the Schema before it. Weaker locks than ROW EXCLUSIVE are left out."""
    named = tuple(_named(operation, schema))
    yield from named
    yield from _spread(operation, named, schema, pg_version)


def _spread(operation: op.Operation, named: tuple[Lock, ...], schema: Schema, pg_version: int) -> Iterator[Lock]:
    """Yield the locks on what belongs to the named tables."""
    for lock in named:
        direct = not lock.parent and (lock.table in operation.tables or isinstance(operation, op.DropIndex))
        if (
            schema.partitions_of(lock.table)
            and (not direct or spread.reaches_partitions(operation, schema, pg_version))
            and not spread.is_above(operation, lock.table, schema)
        ):
            mode = _mode_below(operation, lock, pg_version)
            yield from (Lock(name, mode, below=True) for name in spread.partitions(schema, lock.table))
        if direct and schema.heirs_of(lock.table) and spread.reaches_heirs(operation, schema, pg_version):
            yield from (Lock(name, lock.mode, below=True) for name in spread.heirs(schema, lock.table))
    for name in (*spread.referring(operation, schema), *spread.of_dropped_type(operation, schema)):
        for table in (name, *spread.partitions(schema, name)):
            yield Lock(table, "ACCESS EXCLUSIVE", parent=True)
            if isinstance(operation, op.Drop):
                yield from _owned_parents(schema, table, lambda _: operation.object_type == "schema")
    yield from (Lock(name, "ACCESS EXCLUSIVE") for name in spread.views(operation, schema))
    yield from (Lock(name, mode, parent=True) for name, mode in spread.beside_partition(operation, schema))


def _mode_below(operation: op.Operation, lock: Lock, pg_version: int) -> str:
    """Before 18 a unique constraint of a partitioned table builds its partitions' indexes as CREATE INDEX does."""
    built = isinstance(operation, op.AddConstraint) and operation.constraint.kind in ("primary_key", "unique")
    return "SHARE" if built and pg_version < NEWEST and not lock.parent else lock.mode


def _named(operation: op.Operation, schema: Schema) -> Iterator[Lock]:
    """Yield the locks on the tables that an operation names, and on those at the other end of their foreign keys."""
    match operation:
        case op.CreateTable(constraints=constraints, partition_of=parent):
            yield from _parents(constraints)
            if parent:
                yield Lock(parent, "ACCESS EXCLUSIVE", parent=True)
                yield from _default_partition(schema, parent)
        case op.DropTable(table=table):
            yield Lock(table, "ACCESS EXCLUSIVE")
            yield from _owned_parents(schema, table, lambda _: True)
            yield from _around_dropped(schema, table)
        case op.AddColumn(table=table, constraints=constraints):
            yield Lock(table, "ACCESS EXCLUSIVE")
            yield from _parents(constraints)
        case op.DropColumn(table=table, name=name):
            yield Lock(table, "ACCESS EXCLUSIVE")
            yield from _owned_parents(schema, table, lambda constraint: name in constraint.columns)
        case op.DropConstraint(table=table, name=name):
            yield Lock(table, "ACCESS EXCLUSIVE")
            yield from _owned_parents(schema, table, lambda constraint: constraint.name == name)
        case op.AddConstraint(table=table, constraint=constraint):
            yield Lock(table, "SHARE ROW EXCLUSIVE" if constraint.kind == "foreign_key" else "ACCESS EXCLUSIVE")
            yield from _parents((constraint,))
            if spread.adopts(constraint, spread.partitions(schema, table), schema):
                yield Lock(constraint.references, "ACCESS EXCLUSIVE", parent=True)
        case op.AlterColumnType(table=table, name=name):
            yield Lock(table, "ACCESS EXCLUSIVE")
            yield from _owned_parents(schema, table, lambda constraint: name in constraint.columns)
            yield from _children(schema, table, name)
        case op.ValidateConstraint(table=table):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE")
        case op.ChangeRows(table=table):
            yield Lock(table, "ROW EXCLUSIVE")
        case _ if isinstance(operation, _EXCLUSIVE_FORMS):
            yield from (Lock(table, "ACCESS EXCLUSIVE") for table in operation.tables)
        case _:
            yield from _other_locks(operation, schema)
            yield from _index_locks(operation, schema)


def _other_locks(operation: op.Operation, schema: Schema) -> Iterator[Lock]:
    """Partitions, views, domains, LOCK TABLE, and what changes nothing in the Schema."""
    match operation:
        case op.LockTable(table=table, mode=mode):
            yield Lock(table, mode)
        case op.AttachPartition(table=table, partition=partition):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE")
            yield Lock(partition, "ACCESS EXCLUSIVE")
            yield from _default_partition(schema, table)
        case op.DetachPartition(table=table, partition=partition, concurrently=concurrently):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE" if concurrently else "ACCESS EXCLUSIVE")
            yield Lock(partition, "ACCESS EXCLUSIVE")
            yield from _default_partition(schema, table)
        case op.RefreshView(name=name, concurrently=concurrently):
            yield Lock(name, "EXCLUSIVE" if concurrently else "ACCESS EXCLUSIVE")
        case op.AlterDomain():
            yield from (Lock(table, "SHARE") for table in domain_users(operation, schema))
        case op.Drop(table=table, object_type="trigger" | "policy" | "rule") if table:
            yield Lock(table, "ACCESS EXCLUSIVE")
        case op.Harmless(what=what, table=table) if table:
            if mode := _other_mode(what):
                yield Lock(table, mode)
        case _:
            return


def _other_mode(what: str) -> str:
    """Return the lock of a statement that changes nothing in the Schema, empty when it takes none that matters."""
    action = _ALTER_RELATION.sub("", what)
    if action == what:
        return _OTHER_STATEMENTS.get(what, "")
    if action in _ALTER_TABLE_WEAK and not what.startswith("ALTER VIEW "):
        return "SHARE UPDATE EXCLUSIVE"
    return "SHARE ROW EXCLUSIVE" if " TRIG" in f" {action}" else "ACCESS EXCLUSIVE"


def _default_partition(schema: Schema, parent: str) -> Iterator[Lock]:
    """Whatever adds or removes a partition changes what the default partition may hold (measured)."""
    if default := schema.default_partition_of(parent):
        yield Lock(default.name, "ACCESS EXCLUSIVE", parent=True)


def _around_dropped(schema: Schema, table: str) -> Iterator[Lock]:
    """A partition goes from its parent (measured)."""
    known = schema.tables.get(table)
    if known and known.partition_of:
        yield Lock(known.partition_of, "ACCESS EXCLUSIVE", parent=True)
        yield from _default_partition(schema, known.partition_of)


def domain_users(operation: op.AlterDomain, schema: Schema) -> tuple[str, ...]:
    """Return the tables whose rows ALTER DOMAIN checks, each under SHARE, also for VALIDATE (measured on 16 and 18)."""
    if not operation.validated and (operation.constraint is None or not operation.constraint.valid):
        return ()
    names = {operation.name}
    while more := {name for name, domain in schema.domains.items() if domain.base.name in names} - names:
        names |= more
    return tuple(
        table.name for table in schema.tables.values() if any(column.type.name in names for column in table.columns)
    )


def _children(schema: Schema, table: str, column: str) -> Iterator[Lock]:
    """A foreign key that refers to a changed column is checked anew: ACCESS EXCLUSIVE on its table as well (measured)."""
    for child, key in schema.references_to(table):
        known = schema.tables.get(table)
        if column in (key.referenced_columns or (known.primary_key if known else ())):
            yield Lock(child.name, "ACCESS EXCLUSIVE", parent=True)


def _index_locks(operation: op.Operation, schema: Schema) -> Iterator[Lock]:
    match operation:
        case op.CreateIndex(table=table, concurrently=concurrently):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE" if concurrently else "SHARE")
        case op.DropIndex(index=name, concurrently=concurrently):
            index = schema.index(name)
            if index:
                yield Lock(index.table, "SHARE UPDATE EXCLUSIVE" if concurrently else "ACCESS EXCLUSIVE")
        case op.Reindex(name=name, target=target, concurrently=concurrently):
            index = schema.index(name) if target == "index" else None
            table = index.table if index else name if target == "table" else ""
            if table:
                yield Lock(table, "SHARE UPDATE EXCLUSIVE" if concurrently else "SHARE")
        case _:
            return


def _parents(constraints: tuple[Constraint, ...]) -> Iterator[Lock]:
    """ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on the referenced table as well, NOT VALID or not."""
    for constraint in constraints:
        if constraint.kind == "foreign_key" and constraint.references:
            yield Lock(constraint.references, "SHARE ROW EXCLUSIVE", parent=True)


def _owned_parents(schema: Schema, table: str, chosen: Callable[[Constraint], bool]) -> Iterator[Lock]:
    """Removing a foreign key removes triggers of the referenced table: ACCESS EXCLUSIVE there too (measured)."""
    known = schema.tables.get(table)
    for constraint in known.constraints if known else ():
        if constraint.kind == "foreign_key" and constraint.references and chosen(constraint):
            yield Lock(constraint.references, "ACCESS EXCLUSIVE", parent=True)
