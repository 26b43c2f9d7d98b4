"""Constraints: added without a scan under a lock, validated later."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.partitions import held_by_its_parts, needs_its_parts_first, part_by_part
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import (
    Remedy,
    Stage,
    alone,
    alter,
    constraint_sql,
    remedy,
    render,
    statement_of,
    with_argument,
)
from backendgen.migrate.inline import without_constraint
from backendgen.migrate.prechecks import offending_rows
from backendgen.migrate.quoting import label, name, names
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.names import object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Constraint, Table
from backendgen.sql.table_changes import in_schema, schema_of, with_free_name

_BUILT = {"unique": "unique constraint", "primary_key": "primary key", "exclude": "exclusion constraint"}
_WITHOUT_SCAN_SINCE = 12  # SET NOT NULL trusts a valid CHECK (c IS NOT NULL): release notes of PostgreSQL 12
_NOT_NULL_NOT_VALID_SINCE = 18


def _added(operation: op.Operation, kinds: tuple[str, ...], schema: Schema) -> Iterator[Constraint]:
    """Yield the constraints of these kinds that an operation adds to a table, inline ones too, by their names to be."""
    if isinstance(operation, op.AddConstraint):
        added: tuple[Constraint, ...] = (operation.constraint,)
    else:
        added = operation.constraints if isinstance(operation, op.AddColumn) else ()
    for constraint in added:
        table = schema.tables.get(operation.tables[0])
        if constraint.kind in kinds:
            yield with_free_name(table, constraint, schema.taken(schema_of(table.name))) if table else constraint


_UNNAMED = re.compile(r"(?i)\badd\s+(?=(?:foreign|check|unique|primary)\b)")
_BUILDS_INDEX = re.compile(
    r"""(?isx) alter\s+table\b.*?\badd\s+ (?:constraint\s+(?:"(?:[^"]|"")+"|\w+)\s+)? (?P<kind>unique|primary\s+key)
    (?P<nulls>\s+nulls\s+(?:not\s+)?distinct)? \s*\((?P<columns>[^()]*)\) (?P<include>\s*include\s*\([^()]*\))?
    (?P<deferral>(?:\s+(?:not\s+)?deferrable|\s+initially\s+(?:deferred|immediate))*)"""
)


def _named(sql: str, constraint: Constraint) -> str:
    """Return ADD with the name that PostgreSQL would choose: later statements refer to it."""
    return sql if constraint.named else _UNNAMED.sub(f"ADD CONSTRAINT {label(constraint.name)} ", sql, count=1)


def _not_valid_then_validate(
    operation: op.Operation, constraint: Constraint, context: Context
) -> tuple[str, Remedy | None]:
    """Return the change to paste, and the one to make where it can keep every word of the constraint."""
    (table,) = operation.tables
    called = context.action.call
    added = alter(table, f"ADD CONSTRAINT {label(constraint.name)} {constraint_sql(constraint)} NOT VALID")
    kept = called.startswith("op.create_")
    first: tuple[str, ...] = (added,)
    if isinstance(operation, op.AddColumn):
        column = operation.definition
        default = f" DEFAULT {column.default}" if column.default is not None else ""
        null = " NOT NULL" if column.not_null else ""
        first = (alter(table, f"ADD COLUMN {label(column.name)} {column.type}{default}{null}"), added)
        if not called and (apart := without_constraint(operation, constraint, alone(context))):
            first, kept = (apart[0], f"{apart[1]} NOT VALID"), True
    elif (not called or context.migration.tool == "django") and (own := alone(context)):
        first, kept = (f"{_named(own, constraint)} NOT VALID",), True
    note = "add the column without its constraint, then" if "add_column(" in called else ""
    call = called if called.startswith("op.create_") else ""
    if call.endswith(")"):
        call = with_argument(call, "postgresql_not_valid=True")
    validated = alter(table, f"VALIDATE CONSTRAINT {label(constraint.name)}")
    stages = (
        Stage(first, note=note, call=call),
        Stage((validated,), note=_when_clean(table, constraint)),
    )
    return render(context, *stages), remedy(context, *stages) if kept else None


def _when_clean(table: str, constraint: Constraint) -> str:
    query = offending_rows(table, constraint)
    first = f", fails unless this finds nothing: {query}" if query else ""
    return f"takes no lock that blocks reads or writes{first}"


@check("BG704")
def foreign_key_validated_under_lock(
    operation: op.AddConstraint | op.AddColumn, schema: Schema, context: Context
) -> Iterator[Hit]:
    """ADD FOREIGN KEY takes SHARE ROW EXCLUSIVE on both tables and keeps it while it checks every row."""
    for constraint in _added(operation, ("foreign_key",), schema):
        (table,) = operation.tables
        if not constraint.valid or context.is_new(table) or held_by_its_parts(operation, constraint, schema):
            continue
        key = f"foreign key {constraint.name}"
        fix, change = _not_valid_then_validate(operation, constraint, context)
        if needs_its_parts_first(table, constraint, schema, context):
            fix, change = render(context, *part_by_part(table, constraint, schema)), None
        parent = (
            ""
            if constraint.references == table or context.is_new(constraint.references)
            else f" and {constraint.references}"
        )
        if isinstance(operation, op.AddColumn) and operation.definition.default is None:
            # No row can violate a key whose column is all NULL: PostgreSQL skips the check (transformFKConstraints).
            if not parent:
                continue
            message = f"{key} locks {table}{parent} at once; waiting for one of them blocks the other"
            yield Hit(context.action.location, message, fix, table, severity=Severity.LOW, remedy=change)
            continue
        both = table if constraint.references == table else f"{table}{parent}"
        message = f"{key} blocks writes to {both} while all rows of {table} are checked"
        yield Hit(context.action.location, message, fix, table, remedy=change)


@check("BG705")
def check_validated_under_lock(
    operation: op.AddConstraint | op.AddColumn, schema: Schema, context: Context
) -> Iterator[Hit]:
    """ADD CHECK takes ACCESS EXCLUSIVE and keeps it while it checks every row."""
    for constraint in _added(operation, ("check",), schema):
        (table,) = operation.tables
        if not constraint.valid or context.is_new(table) or _implied(constraint, schema.tables.get(table)):
            continue
        message = f"check {constraint.name} blocks reads and writes of {table} while all of its rows are checked"
        fix, change = _not_valid_then_validate(operation, constraint, context)
        yield Hit(context.action.location, message, fix, table, remedy=change)


def _implied(constraint: Constraint, table: Table | None) -> bool:
    """A check that only demands NOT NULL of a column that is so already still scans; nothing is implied without a twin."""
    return table is not None and any(
        other.kind == "check"
        and other.valid
        and other.expression == constraint.expression
        and other.name == constraint.name
        for other in table.constraints
    )


@check("BG706")
def set_not_null_scans(operation: op.SetNotNull | op.AddConstraint, schema: Schema, context: Context) -> Iterator[Hit]:
    """SET NOT NULL scans under ACCESS EXCLUSIVE, unless a valid CHECK (c IS NOT NULL) proves it (PostgreSQL 12)."""
    for column in _made_not_null(operation, schema):
        yield from _scan_for_nulls(operation.tables[0], column, schema, context)


def _made_not_null(operation: op.Operation, schema: Schema) -> tuple[str, ...]:
    """Return the columns that become NOT NULL: a primary key that adopts an index demands it as well (measured)."""
    if isinstance(operation, op.SetNotNull):
        return (operation.name,)
    if isinstance(operation, op.AddConstraint) and operation.constraint.kind == "not_null":
        return operation.constraint.columns if operation.constraint.valid else ()
    if (
        isinstance(operation, op.AddConstraint)
        and operation.constraint.kind == "primary_key"
        and operation.constraint.using_index
    ):
        index = schema.index(in_schema(schema_of(operation.table), operation.constraint.using_index))
        return tuple(column for column in index.columns if column) if index else ()
    return ()


def _scan_for_nulls(table: str, column: str, schema: Schema, context: Context) -> Iterator[Hit]:
    definition = schema.column(table, column)
    if context.is_new(table) or (definition is not None and definition.not_null):
        return
    proof = next((each for each in context.constraints(table, schema) if demands_not_null(each, column)), None)
    confidence = None
    if context.pg_version >= _WITHOUT_SCAN_SINCE:
        if proof is not None and proof.valid and not _dropped_beside(proof, context):
            return
        confidence = Confidence.LOW if table in context.validated_unseen else None
    operation = context.action.operation
    adopted = isinstance(operation, op.AddConstraint) and operation.constraint.kind == "primary_key"
    what = f"the primary key makes {column} NOT NULL and" if adopted else "SET NOT NULL"
    message = f"{what} blocks reads and writes of {table} while every row is checked for a NULL in {column}"
    if proof is not None and not proof.valid:
        message += f"; {proof.name} is not validated yet"
    fix, change = _not_null_fix(table, column, proof, context)
    yield Hit(context.action.location, message, fix, table, confidence=confidence, remedy=change)


def _dropped_beside(proof: Constraint, context: Context) -> bool:
    """Whether the same ALTER TABLE drops the proof: PostgreSQL drops constraints before it looks for one (measured)."""
    return any(
        isinstance(other.operation, op.DropConstraint) and other.operation.name == proof.name
        for other in statement_of(context)
    )


def demands_not_null(constraint: Constraint, column: str) -> bool:
    """Whether a constraint refuses every row with a NULL in the column."""
    if constraint.kind == "not_null":
        return constraint.columns == (column,)
    expression = constraint.expression
    if constraint.kind != "check" or re.search(r"(?i)\bor\b", expression):
        return False
    itself = rf'(?<![\w"."])"?{re.escape(column)}"?\)?\s+IS'
    return bool(re.search(rf"(?i){itself}\s+NOT\s+NULL|^\(*NOT\s*\(*{itself}\s+NULL\)*$", expression))


def _not_null_fix(table: str, column: str, proof: Constraint | None, context: Context) -> tuple[str, Remedy | None]:
    stages = proven_not_null(table, column, proof, context)
    here = isinstance(context.action.operation, op.SetNotNull) and not (proof and _dropped_beside(proof, context))
    return render(context, *stages), remedy(context, *stages) if here else None


def proven_not_null(table: str, column: str, proof: Constraint | None, context: Context) -> tuple[Stage, ...]:
    """Return NOT NULL by way of a validated check; one that the user wrote stays when the column is NOT NULL."""
    native = context.pg_version >= _NOT_NULL_NOT_VALID_SINCE and (proof is None or proof.kind == "not_null")
    # A check must not take the name that PostgreSQL 18 gives to the column's NOT NULL.
    suffix = "not_null" if native else "not_null_check"
    constraint = label(proof.name if proof else object_name(table.rpartition(".")[2], column, suffix))
    demand = f"NOT NULL {label(column)}" if native else f"CHECK ({label(column)} IS NOT NULL)"
    stages = [] if proof else [Stage((alter(table, f"ADD CONSTRAINT {constraint} {demand} NOT VALID"),))]
    if proof is None or not proof.valid:
        note = _when_clean(table, Constraint("not_null", constraint, (column,)))
        stages.append(Stage((alter(table, f"VALIDATE CONSTRAINT {constraint}"),), note=note))
    if not native and context.pg_version >= _WITHOUT_SCAN_SINCE:
        done = [alter(table, f"ALTER COLUMN {label(column)} SET NOT NULL")]
        done += [] if proof else [alter(table, f"DROP CONSTRAINT {constraint}")]
        stages.append(Stage(tuple(done), note="the valid check spares the scan"))
    return tuple(stages)


@check("BG707")
def unique_built_under_lock(
    operation: op.AddConstraint | op.AddColumn, schema: Schema, context: Context
) -> Iterator[Hit]:
    """ADD UNIQUE and ADD PRIMARY KEY build their index under ACCESS EXCLUSIVE unless one is given by USING INDEX.

    An exclusion constraint cannot adopt an index: its change is a new table, or a time when nobody writes.
    """
    for constraint in _added(operation, ("unique", "primary_key", "exclude"), schema):
        (table,) = operation.tables
        if constraint.using_index or context.is_new(table) or held_by_its_parts(operation, constraint, schema):
            continue
        what = _BUILT[constraint.kind]
        message = f"{what} {constraint.name} blocks reads and writes of {table} while its index is built"
        fix, change = _using_index_fix(operation, constraint, schema, context)
        if constraint.kind != "exclude" and needs_its_parts_first(table, constraint, schema, context):
            fix, change = render(context, *part_by_part(table, constraint, schema)), None
        yield Hit(context.action.location, message, fix, table, remedy=change)


def _using_index_fix(
    operation: op.Operation, constraint: Constraint, schema: Schema, context: Context
) -> tuple[str, Remedy | None]:
    (table,) = operation.tables
    if constraint.kind == "exclude":
        note = f"no index can be built for it beforehand: add it to a copy of {table}, or when nobody uses {table}"
        return render(context, Stage((), note=note)), None
    adopted = label(constraint.name)
    stages: list[Stage] = []
    own = alone(context)
    # What Django runs is known word for word, what Alembic makes of a call is not.
    by_alembic = bool(context.action.call) and context.migration.tool != "django"
    written = None if by_alembic else _BUILDS_INDEX.fullmatch(own)
    kept = written is not None or _called_plainly(context.action.call)
    if isinstance(operation, op.AddColumn):
        definition = operation.definition
        column = alter(table, f"ADD COLUMN {label(definition.name)} {definition.type}")
        apart = None if by_alembic else without_constraint(operation, constraint, own)
        column, kept = (apart[0], True) if apart else (column, False)
        stages.append(Stage((column,)))
    is_key = constraint.kind == "primary_key"
    nullable = _nullable(table, constraint, schema) if is_key else ()
    if kept:
        stages += [stage for each in nullable for stage in proven_not_null(table, each, None, context)]
    columns, details, deferral = names(constraint.columns), "", ""
    if written:
        columns = written["columns"].strip()
        details = (written["include"] or "") + (written["nulls"] or "")
        deferral = written["deferral"]
    index = f"CREATE UNIQUE INDEX CONCURRENTLY {adopted} ON {name(table)} ({columns}){details}"
    note = f"fails unless this finds nothing: {offending_rows(table, constraint)}" if constraint.columns else ""
    stages.append(Stage((index,), transactional=False, note=note if not isinstance(operation, op.AddColumn) else ""))
    kind = "PRIMARY KEY" if is_key else "UNIQUE"
    note = f"when {', '.join(constraint.columns)} cannot be NULL (BG706)" if nullable and not kept else ""
    added = alter(table, f"ADD CONSTRAINT {adopted} {kind} USING INDEX {adopted}{deferral}")
    stages.append(Stage((added,), note=note))
    return render(context, *stages), remedy(context, *stages) if kept else None


def _called_plainly(call: str) -> bool:
    """Whether an Alembic call adds a unique constraint or primary key and nothing beside that."""
    return bool(re.match(r"op\.create_(?:unique_constraint|primary_key)\(", call)) and not re.search(
        r"deferrable|initially|postgresql_|\*\*", call
    )


def _nullable(table: str, constraint: Constraint, schema: Schema) -> tuple[str, ...]:
    """Return the columns of a new primary key that may hold NULLs, as far as the history shows."""
    columns = [(each, schema.column(table, each)) for each in constraint.columns]
    return tuple(each for each, column in columns if column is None or not column.not_null)


@check("BG711")
def validated_in_same_transaction(operation: op.ValidateConstraint, schema: Schema, context: Context) -> Iterator[Hit]:
    """VALIDATE is harmless only when a COMMIT before it released what ADD CONSTRAINT, or other DDL, locked."""
    if context.is_new(operation.table):
        return
    beside = next((other for other in statement_of(context) if _adds(other.operation, operation)), None)
    added = beside or context.not_valid.get((operation.table, operation.name))
    locker, _ = context.held.get(operation.table, (None, None))
    earlier = added or locker
    if earlier is None or (context.in_transaction is False and not beside):
        return
    confidence = Confidence.LOW if context.in_transaction is None and not beside else None
    did = "added it" if added else f"locked {operation.table}"
    message = (
        f"{operation.name} is validated in the transaction that {did} (line {earlier.operation.line}): "
        f"{operation.table} stays locked while all of its rows are checked, as if NOT VALID were not there"
    )
    validated = alter(operation.table, f"VALIDATE CONSTRAINT {label(operation.name)}")
    stage = Stage((validated,), note="in a migration of its own")
    change = remedy(context, stage, place="after")
    yield Hit(
        context.action.location, message, render(context, stage), operation.table, confidence=confidence, remedy=change
    )


def _adds(operation: op.Operation, validated: op.ValidateConstraint) -> bool:
    return isinstance(operation, op.AddConstraint) and operation.constraint.name == validated.name
