"""CREATE TYPE, CREATE DOMAIN and changes of enums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backendgen.sql.operation import AddEnumValue, AlterDomain, CreateType, Harmless, Operation, RenameEnumValue
from backendgen.sql.pg_query import pb, qualified, relation, strings, type_of
from backendgen.sql.postgres_table import Place, constraint_of, named_constraints
from backendgen.sql.schema import Constraint


def create_enum(node: pb.CreateEnumStmt, at: Place) -> Iterator[Operation]:
    """Translate CREATE TYPE ... AS ENUM."""
    yield CreateType(name=qualified(strings(node.type_name)), values=strings(node.vals), **at.fields)


def create_domain(node: pb.CreateDomainStmt, at: Place) -> Iterator[Operation]:
    """Translate CREATE DOMAIN."""
    name = qualified(strings(node.domainname))
    checks = [i.constraint for i in node.constraints if i.constraint.contype in (pb.CONSTR_CHECK, pb.CONSTR_NOTNULL)]
    # A domain has no columns: what its checks name is VALUE.
    unnamed = [replace(constraint_of(check, at), columns=()) for check in checks]
    constraints = tuple(named_constraints(name, unnamed, at))
    yield CreateType(name=name, base=type_of(node.type_name), constraints=constraints, **at.fields)


def alter_domain(node: pb.AlterDomainStmt, at: Place) -> Iterator[Operation]:
    """Translate ALTER DOMAIN: ADD and VALIDATE CONSTRAINT and SET NOT NULL look at rows, its other forms do not."""
    name = qualified(strings(node.type_name))
    match node.subtype:
        case "C":
            constraint = replace(constraint_of(getattr(node, "def").constraint, at), columns=())
            (constraint,) = named_constraints(name, [constraint], at)
            yield AlterDomain(name=name, constraint=constraint, **at.fields)
        case "O":
            yield AlterDomain(name=name, constraint=Constraint("not_null", "", named=False), **at.fields)
        case "V":
            yield AlterDomain(name=name, validated=node.name, **at.fields)
        case _:
            yield Harmless(what="ALTER DOMAIN", **at.fields)


def create_composite(node: pb.CompositeTypeStmt, at: Place) -> Iterator[Operation]:
    """Translate CREATE TYPE ... AS (...)."""
    yield CreateType(name=relation(node.typevar), **at.fields)


def create_range(node: pb.CreateRangeStmt, at: Place) -> Iterator[Operation]:
    """Translate CREATE TYPE ... AS RANGE."""
    yield CreateType(name=qualified(strings(node.type_name)), **at.fields)


def define(node: pb.DefineStmt, at: Place) -> Iterator[Operation]:
    """Translate CREATE TYPE of a base type; CREATE AGGREGATE, OPERATOR, COLLATION and such are harmless."""
    if node.kind == pb.OBJECT_TYPE:
        yield CreateType(name=qualified(strings(node.defnames)), **at.fields)
    else:
        what = pb.ObjectType.Name(node.kind).removeprefix("OBJECT_").replace("_", " ")
        yield Harmless(what=f"CREATE {what}", **at.fields)


def alter_enum(node: pb.AlterEnumStmt, at: Place) -> Iterator[Operation]:
    """Translate ALTER TYPE ... ADD VALUE and RENAME VALUE."""
    name = qualified(strings(node.type_name))
    if node.old_val:
        yield RenameEnumValue(name=name, value=node.old_val, new_value=node.new_val, **at.fields)
        return
    neighbour, after = node.new_val_neighbor, node.new_val_is_after
    yield AddEnumValue(
        name=name,
        value=node.new_val,
        if_not_exists=node.skip_if_new_val_exists,
        before="" if after else neighbour,
        after=neighbour if after else "",
        **at.fields,
    )
