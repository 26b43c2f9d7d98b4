"""DROP and RENAME of anything."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.sql.operation import (
    Drop,
    DropIndex,
    DropTable,
    Harmless,
    Operation,
    Rename,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
)
from backendgen.sql.pg_query import object_names, pb, qualified, relation
from backendgen.sql.postgres_table import Place

_TABLES = (pb.OBJECT_TABLE, pb.OBJECT_FOREIGN_TABLE)
_ON_A_TABLE = (pb.OBJECT_POLICY, pb.OBJECT_TRIGGER, pb.OBJECT_RULE)
_OBJECT_TYPES = {pb.OBJECT_MATVIEW: "materialized view", pb.OBJECT_FDW: "foreign data wrapper"}


def _object_type(kind: int) -> str:
    name: str = pb.ObjectType.Name(kind).removeprefix("OBJECT_")
    return _OBJECT_TYPES.get(kind, name.replace("_", " ").lower())


def drop(node: pb.DropStmt, at: Place) -> Iterator[Operation]:
    """Translate DROP: one Operation for each thing in its list."""
    exists, cascade = node.missing_ok, node.behavior == pb.DROP_CASCADE
    for item in node.objects:
        names = object_names(item)
        if node.remove_type in _TABLES:
            yield DropTable(table=qualified(names), if_exists=exists, cascade=cascade, **at.fields)
        elif node.remove_type == pb.OBJECT_INDEX:
            index, concurrently = qualified(names), node.concurrent
            yield DropIndex(index=index, concurrently=concurrently, if_exists=exists, cascade=cascade, **at.fields)
        else:
            table = ""
            if node.remove_type in _ON_A_TABLE:
                table, names = qualified(names[:-1]), names[-1:]
            kind, name = _object_type(node.remove_type), qualified(names)
            yield Drop(object_type=kind, name=name, table=table, if_exists=exists, cascade=cascade, **at.fields)


def rename(node: pb.RenameStmt, at: Place) -> Iterator[Operation]:
    """Translate ALTER ... RENAME."""
    table = relation(node.relation) if node.HasField("relation") else ""
    match node.rename_type:
        case pb.OBJECT_TABLE | pb.OBJECT_FOREIGN_TABLE:
            yield RenameTable(table=table, new_name=node.newname, **at.fields)
        case pb.OBJECT_COLUMN:
            yield RenameColumn(table=table, name=node.subname, new_name=node.newname, **at.fields)
        case pb.OBJECT_TABCONSTRAINT:
            yield RenameConstraint(table=table, name=node.subname, new_name=node.newname, **at.fields)
        case pb.OBJECT_INDEX:
            yield RenameIndex(index=table, new_name=node.newname, **at.fields)
        case pb.OBJECT_ATTRIBUTE | pb.OBJECT_DOMCONSTRAINT | pb.OBJECT_POLICY | pb.OBJECT_TRIGGER | pb.OBJECT_RULE:
            yield Harmless(what=f"RENAME {_object_type(node.rename_type).upper()}", table=table, **at.fields)
        case kind:
            name = table or (qualified(object_names(node.object)) if node.HasField("object") else node.subname)
            yield Rename(object_type=_object_type(kind), name=name, new_name=node.newname, **at.fields)
