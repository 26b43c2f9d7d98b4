"""Which table locks an Operation takes: facts of the PostgreSQL manual (13.3, ALTER TABLE, CREATE INDEX), measured on 18.

Judges nothing. Tables are named as the Operation names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint

BLOCKS_WRITES = frozenset({"SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"})
BLOCKS_READS = frozenset({"ACCESS EXCLUSIVE"})

_EXCLUSIVE_FORMS = (
    op.RenameTable, op.RenameColumn, op.AlterColumnType, op.SetNotNull, op.DropNotNull, op.SetDefault,
    op.RenameConstraint, op.SetSchema, op.Truncate, op.RewriteTable,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lock:
    """A table lock by its name in the manual. `parent`: taken on the table that a foreign key or partition points to."""

    table: str
    mode: str
    parent: bool = False

    @property
    def blocks(self) -> str:
        """What other sessions cannot do meanwhile."""
        return "reads and writes" if self.mode in BLOCKS_READS else "writes"


def locks(operation: op.Operation, schema: Schema) -> Iterator[Lock]:
    """Yield the table locks of an operation, given the Schema before it. Weaker locks than ROW EXCLUSIVE are left out."""
    match operation:
        case op.CreateTable(constraints=constraints, partition_of=parent):
            yield from _parents(constraints)
            if parent:
                yield Lock(parent, "ACCESS EXCLUSIVE", parent=True)
        case op.DropTable(table=table):
            yield Lock(table, "ACCESS EXCLUSIVE")
            yield from _owned_parents(schema, table, lambda _: True)
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
        case op.ValidateConstraint(table=table):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE")
        case op.ChangeRows(table=table):
            yield Lock(table, "ROW EXCLUSIVE")
        case op.LockTable(table=table, mode=mode):
            yield Lock(table, mode)
        case op.AttachPartition(table=table, partition=partition):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE")
            yield Lock(partition, "ACCESS EXCLUSIVE")
        case op.DetachPartition(table=table, concurrently=concurrently):
            yield Lock(table, "SHARE UPDATE EXCLUSIVE" if concurrently else "ACCESS EXCLUSIVE")
        case _ if isinstance(operation, _EXCLUSIVE_FORMS):
            yield from (Lock(table, "ACCESS EXCLUSIVE") for table in operation.tables)
        case _:
            yield from _index_locks(operation, schema)


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
