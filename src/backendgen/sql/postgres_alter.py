"""ALTER TABLE: one Operation per action."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from backendgen.sql.operation import (
    AddColumn,
    AddConstraint,
    AlterColumnType,
    AttachPartition,
    DetachPartition,
    DropColumn,
    DropConstraint,
    DropNotNull,
    Harmless,
    Operation,
    RewriteTable,
    SetDefault,
    SetGenerated,
    SetIdentity,
    SetNotNull,
    ValidateConstraint,
)
from backendgen.sql.pg_query import expression_sql, pb, relation, type_of
from backendgen.sql.postgres_table import (
    IDENTITY,
    Place,
    column_of,
    constraint_of,
    markers_after,
    markers_of,
    named_constraints,
)

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TABLES = (pb.OBJECT_TABLE, pb.OBJECT_FOREIGN_TABLE)
_REWRITES = {
    pb.AT_SetLogged: "SET LOGGED",
    pb.AT_SetUnLogged: "SET UNLOGGED",
    pb.AT_SetTableSpace: "SET TABLESPACE",
    pb.AT_SetAccessMethod: "SET ACCESS METHOD",
}


def alter_table(node: pb.AlterTableStmt, at: Place) -> Iterator[Operation]:
    """Translate ALTER TABLE; the same statement on an index, view, sequence or composite type changes no table."""
    table = relation(node.relation)
    if node.objtype not in _TABLES:
        what = pb.ObjectType.Name(node.objtype).removeprefix("OBJECT_").replace("MATVIEW", "MATERIALIZED VIEW")
        if not what.endswith("VIEW"):
            yield Harmless(what=f"ALTER {what}", **at.fields)
            return
        for item in node.cmds:
            yield Harmless(what=f"ALTER {what} {_action(item.alter_table_cmd)}", table=table, **at.fields)
        return
    if not node.relation.inh:
        at.fields["only"] = True
    markers = _added_markers(node, at)
    for item in node.cmds:
        command = item.alter_table_cmd
        if command.subtype == pb.AT_AddColumn:
            yield _add_column(command, table, markers, at)
        elif translate := _ACTIONS.get(command.subtype):
            yield translate(command, table, at)
        elif how := _REWRITES.get(command.subtype):
            yield RewriteTable(table=table, how=how, **at.fields)
        else:
            yield Harmless(what=f"ALTER TABLE {_action(command)}", table=table, **at.fields)


def _action(command: pb.AlterTableCmd) -> str:
    return _WORD.sub(" ", pb.AlterTableType.Name(command.subtype).removeprefix("AT_")).upper()


def _added_markers(node: pb.AlterTableStmt, at: Place) -> dict[str, frozenset[str]]:
    """Return the markers of the columns that the statement adds; what follows its semicolon is about the last one."""
    commands = [item.alter_table_cmd for item in node.cmds]
    added = [getattr(command, "def") for command in commands if command.subtype == pb.AT_AddColumn]
    if not added or not (at.statement.comments or at.statement.after):
        return {}
    markers, last = markers_of(added, at), added[-1].column_def.colname
    markers[last] = markers.get(last, frozenset()) | markers_after(at)
    return markers


def _add_column(command: pb.AlterTableCmd, table: str, markers: dict[str, frozenset[str]], at: Place) -> Operation:
    definition, inline = column_of(getattr(command, "def").column_def, table, at)
    if definition.name in markers:
        definition = replace(definition, markers=markers[definition.name])
    constraints = tuple(named_constraints(table, inline, at))
    exists = command.missing_ok
    return AddColumn(table=table, definition=definition, constraints=constraints, if_not_exists=exists, **at.fields)


def _drop_column(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    cascade = command.behavior == pb.DROP_CASCADE
    return DropColumn(table=table, name=command.name, if_exists=command.missing_ok, cascade=cascade, **at.fields)


def _column_type(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    definition = getattr(command, "def").column_def
    collation = ".".join(part.string.sval for part in definition.coll_clause.collname)
    using = expression_sql(definition.raw_default) if definition.HasField("raw_default") else ""
    new_type = type_of(definition.type_name)
    return AlterColumnType(table=table, name=command.name, type=new_type, using=using, collation=collation, **at.fields)


def _default(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    default = expression_sql(getattr(command, "def")) if command.HasField("def") else None
    return SetDefault(table=table, name=command.name, default=default, **at.fields)


def _generated(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    expression = expression_sql(getattr(command, "def")) if command.HasField("def") else None
    return SetGenerated(table=table, name=command.name, expression=expression, **at.fields)


def _add_identity(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    identity = IDENTITY[getattr(command, "def").constraint.generated_when]
    return SetIdentity(table=table, name=command.name, identity=identity, **at.fields)


def _set_identity(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    for option in getattr(command, "def").list.items:
        if option.def_elem.defname == "generated":
            identity = IDENTITY[chr(option.def_elem.arg.integer.ival)]
            return SetIdentity(table=table, name=command.name, identity=identity, **at.fields)
    return Harmless(what="ALTER TABLE SET IDENTITY", table=table, **at.fields)


def _add_constraint(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    (constraint,) = named_constraints(table, [constraint_of(getattr(command, "def").constraint, at)], at)
    return AddConstraint(table=table, constraint=constraint, **at.fields)


def _drop_constraint(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    cascade = command.behavior == pb.DROP_CASCADE
    return DropConstraint(table=table, name=command.name, if_exists=command.missing_ok, cascade=cascade, **at.fields)


def _attach(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    attached = getattr(command, "def").partition_cmd
    partition, default = relation(attached.name), attached.bound.is_default
    return AttachPartition(table=table, partition=partition, default=default, **at.fields)


def _detach(command: pb.AlterTableCmd, table: str, at: Place) -> Operation:
    partition = getattr(command, "def").partition_cmd
    return DetachPartition(
        table=table, partition=relation(partition.name), concurrently=partition.concurrent, **at.fields
    )


_ACTIONS: dict[int, Callable[[pb.AlterTableCmd, str, Place], Operation]] = {
    pb.AT_DropColumn: _drop_column,
    pb.AT_AlterColumnType: _column_type,
    pb.AT_ColumnDefault: _default,
    pb.AT_SetExpression: _generated,
    pb.AT_DropExpression: _generated,
    pb.AT_AddIdentity: _add_identity,
    pb.AT_SetIdentity: _set_identity,
    pb.AT_DropIdentity: lambda c, table, at: SetIdentity(table=table, name=c.name, identity="", **at.fields),
    pb.AT_SetNotNull: lambda c, table, at: SetNotNull(table=table, name=c.name, **at.fields),
    pb.AT_DropNotNull: lambda c, table, at: DropNotNull(table=table, name=c.name, **at.fields),
    pb.AT_AddConstraint: _add_constraint,
    pb.AT_ValidateConstraint: lambda c, table, at: ValidateConstraint(table=table, name=c.name, **at.fields),
    pb.AT_DropConstraint: _drop_constraint,
    pb.AT_AttachPartition: _attach,
    pb.AT_DetachPartition: _detach,
}
