"""Which relations share the lock of the one that a statement names: partitions, heirs, views, and what CASCADE takes along.

Measured on 16 and 18, as all of `locks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint, Table

_EACH_ROW = re.compile(r"(?i)\bfor\s+(?:each\s+)?row\b")
_INHERITED_KINDS = ("check", "not_null")
_HEIRS_LOCKED_SINCE = 18  # keys and foreign keys are not inherited, but 18 locks the heirs all the same
_NOT_NULL_NAMED_SINCE = 18  # as a constraint, so that DROP NOT NULL sees that there is none
_IDENTITY_OF_PARTITIONS_SINCE = 17
# What concerns only the parent of partitions, though ALTER TABLE says it of the parent.
_PARENT_ONLY = (
    op.RenameTable, op.SetSchema, op.RewriteTable, op.AttachPartition, op.DetachPartition, op.CreateTable, op.SetComment,
)  # fmt: skip
_PARENT_ONLY_ACTIONS = frozenset({
    "ENABLE ROW SECURITY", "DISABLE ROW SECURITY", "FORCE ROW SECURITY", "NO FORCE ROW SECURITY", "CHANGE OWNER",
    "REPLICA IDENTITY", "SET COMPRESSION", "ADD OF", "DROP OF", "ADD INHERIT", "DROP INHERIT", "DROP OIDS", "ENABLE RULE",
    "DISABLE RULE", "ENABLE ALWAYS RULE", "ENABLE REPLICA RULE",
})  # fmt: skip
_PARENT_ONLY_STATEMENTS = frozenset({"CREATE POLICY", "ALTER POLICY", "RENAME POLICY", "CREATE RULE", "RENAME RULE"})
_INHERITED = (
    op.AddColumn, op.DropColumn, op.AlterColumnType, op.SetDefault, op.SetNotNull, op.DropNotNull, op.SetGenerated,
    op.RenameColumn, op.Truncate, op.LockTable,
)  # fmt: skip


def partitions(schema: Schema, table: str) -> Iterator[str]:
    """Yield a table's partitions, at all levels."""
    for part in schema.partitions_of(table):
        yield part.name
        yield from partitions(schema, part.name)


def heirs(schema: Schema, table: str) -> Iterator[str]:
    """Yield the tables that inherit from a table, at all levels."""
    for heir in schema.heirs_of(table):
        yield heir.name
        yield from heirs(schema, heir.name)


def reaches_partitions(operation: op.Operation, schema: Schema, pg_version: int) -> bool:
    """Whether an operation on a partitioned table locks its partitions too."""
    if _finds_nothing_to_do(operation, schema, pg_version):
        return False
    match operation:
        case op.DropConstraint() | op.DropColumn():
            return True  # ONLY or not
        case op.Drop(object_type=kind):
            return kind == "trigger"
        case op.SetIdentity():
            return pg_version >= _IDENTITY_OF_PARTITIONS_SINCE
        case op.RenameConstraint(table=table, name=name):
            return _kind(schema.tables.get(table), name) in _INHERITED_KINDS
        case op.Harmless(what="CREATE TRIGGER", sql=sql):
            return bool(_EACH_ROW.search(sql))
        case op.Harmless(what=what):
            parent_only = what.removeprefix("ALTER TABLE ") in _PARENT_ONLY_ACTIONS or what in _PARENT_ONLY_STATEMENTS
            return not parent_only and not operation.only
        case _:
            return not isinstance(operation, _PARENT_ONLY) and not operation.only


def reaches_heirs(operation: op.Operation, schema: Schema, pg_version: int) -> bool:
    """Whether an operation on a table locks the tables that inherit from it."""
    unaware = isinstance(operation, op.SetNotNull) and pg_version < _NOT_NULL_NAMED_SINCE
    if not unaware and _finds_nothing_to_do(operation, schema, pg_version):
        return False
    match operation:
        case op.DropTable(cascade=cascade):
            return cascade
        case op.DropColumn():
            return True
        case op.AddConstraint(constraint=constraint):
            inherited = constraint.kind in _INHERITED_KINDS or pg_version >= _HEIRS_LOCKED_SINCE
            return inherited and not operation.only
        case op.DropConstraint(table=table, name=name) | op.RenameConstraint(table=table, name=name):
            return _kind(schema.tables.get(table), name) in _INHERITED_KINDS
        case op.Harmless(what=what):
            return what == "ALTER TABLE SET STORAGE" and not operation.only
        case _:
            return isinstance(operation, _INHERITED) and not operation.only


def _finds_nothing_to_do(operation: op.Operation, schema: Schema, pg_version: int) -> bool:
    """Whether it ends after the named table: the column is there, or gone, or as it should be already."""
    table = schema.tables.get("".join(operation.tables))
    match operation:
        case op.AddColumn(definition=definition, if_not_exists=True):
            return table is not None and table.column(definition.name) is not None
        case op.DropColumn(name=name):
            return table is not None and table.column(name) is None
        case op.SetNotNull(name=name):
            column = table.column(name) if table else None
            return column is not None and column.not_null
        case op.DropNotNull(name=name):
            column = table.column(name) if table else None
            return column is not None and not column.not_null and pg_version >= _NOT_NULL_NAMED_SINCE
        case op.SetIdentity(name=name, identity=""):
            column = table.column(name) if table else None
            return column is not None and not column.identity
        case _:
            return False


def _kind(table: Table | None, constraint: str) -> str:
    known = table.constraint(constraint) if table else None
    return known.kind if known else ""


def referring(operation: op.Operation, schema: Schema) -> Iterator[str]:
    """Yield the tables whose foreign keys CASCADE drops, or that TRUNCATE ... CASCADE empties too."""
    match operation:
        case op.DropTable(table=table, cascade=True):
            for name in (table, *_ancestors(schema, table), *partitions(schema, table)):
                referring_to_it = schema.references_to(name)
                yield from (child.name for child, _ in referring_to_it)
                if referring_to_it and name != table:  # the foreign key goes, and its triggers on all partitions
                    yield from partitions(schema, name)
        case op.DropColumn(table=table, name=name, cascade=True):
            yield from (child for child, columns in _keys_to(schema, table) if name in columns)
        case op.DropConstraint(table=table, name=name, cascade=True):
            known = schema.tables.get(table)
            dropped = known.constraint(name) if known else None
            if dropped and dropped.kind in ("primary_key", "unique"):
                columns = set(dropped.columns)
                yield from (child for child, targets in _keys_to(schema, table) if set(targets) == columns)
        case op.Truncate(table=table, cascade=True):
            yield from _emptied_too(schema, table, {table})
        case _:
            return


def _keys_to(schema: Schema, table: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the tables whose foreign keys refer to a table, with the columns that these refer to."""
    known = schema.tables.get(table)
    for child, key in schema.references_to(table):
        yield child.name, key.referenced_columns or (known.primary_key if known else ())


def _ancestors(schema: Schema, table: str) -> Iterator[str]:
    """Yield the partitioned tables that a partition belongs to."""
    known = schema.tables.get(table)
    if known and known.partition_of:
        yield known.partition_of
        yield from _ancestors(schema, known.partition_of)


def _emptied_too(schema: Schema, table: str, done: set[str]) -> Iterator[str]:
    for name in (table, *partitions(schema, table), *heirs(schema, table)):
        for child, _ in schema.references_to(name):
            if child.name not in done:
                done.add(child.name)
                yield child.name
                yield from _emptied_too(schema, child.name, done)


def views(operation: op.Operation, schema: Schema) -> Iterator[str]:
    """Yield the views that an operation changes or drops: nobody reads them meanwhile."""
    match operation:
        case op.CreateView(name=name, replace=True) | op.Rename(name=name) if name in schema.views:
            yield name
        case op.RenameColumn(table=name) | op.RenameTable(table=name) if name in schema.views:
            yield name
        case op.Drop(object_type="view" | "materialized view", name=name, cascade=cascade) if name in schema.views:
            yield name
            if cascade:
                yield from _readers(schema, name)
        case op.DropTable(table=table, cascade=True):
            yield from _readers(schema, table)
        case op.DropColumn(table=table, name=name, cascade=True):
            yield from _readers(schema, table, name)
        case _:
            return


def _readers(schema: Schema, relation: str, column: str = "") -> Iterator[str]:
    """Yield the views that read a relation, and those that read these. With a column, only those that name it."""
    for view in schema.views_reading(relation):
        if not column or re.search(rf"\b{re.escape(column)}\b|\*", view.query):
            yield view.name
            yield from _readers(schema, view.name)


def of_dropped_type(operation: op.Operation, schema: Schema) -> Iterator[str]:
    """Yield the tables that lose a column to DROP TYPE, DOMAIN or SCHEMA ... CASCADE."""
    match operation:
        case op.Drop(object_type="type" | "domain", name=name, cascade=True):
            for table in schema.tables.values():
                if any(column.type.name == name for column in table.columns):
                    yield table.name
        case op.Drop(object_type="schema", name=name, cascade=True):
            yield from (table for table in schema.tables if table.rpartition(".")[0] == name)
        case _:
            return


def beside_partition(operation: op.Operation, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield what a partition that comes or goes locks by the foreign keys of its parent, and those that refer to it."""
    match operation:
        case op.CreateTable(partition_of=parent) | op.AttachPartition(table=parent) if parent:
            out, into = "SHARE ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE"
        case op.DetachPartition(table=parent):
            out, into = "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"
        case _:
            return
    known = schema.tables.get(parent)
    partition = operation.partition if isinstance(operation, op.AttachPartition) else ""
    for key in known.constraints if known else ():
        if key.references:
            adopted = partition in schema.tables and adopts(key, (partition,), schema)
            yield key.references, "ACCESS EXCLUSIVE" if adopted else out
    yield from ((child.name, into) for child, _ in schema.references_to(parent))


def is_above(operation: op.Operation, table: str, schema: Schema) -> bool:
    """Whether a table is locked as the parent of the partition that an operation makes or drops, alone."""
    match operation:
        case op.CreateTable(partition_of=parent):
            return parent == table
        case op.DropTable(table=name):
            return table in _ancestors(schema, name)
        case _:
            return False


def adopts(key: Constraint, below: Iterable[str], schema: Schema) -> bool:
    """Whether partitions have a new foreign key already: theirs gives up its triggers, which locks the referenced table."""
    if key.kind != "foreign_key":
        return False
    own = (one for name in below for one in schema.tables[name].constraints)
    return any(one.references == key.references and one.columns == key.columns for one in own)
