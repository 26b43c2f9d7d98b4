"""Views, domains, enums and row security: what changes them reads rows, blocks them or hides them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, remedy, render
from backendgen.migrate.locks import domain_users
from backendgen.migrate.quoting import label, literal, name
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.names import object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import View
from backendgen.sql.table_changes import bare

_IN_TRANSACTION_SINCE = 12  # ALTER TYPE ... ADD VALUE in a transaction block: release notes of PostgreSQL 12
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NOT_EVALUATED = ("FUNCTION", "PROCEDURE", "COMMENT", "TRIGGER")


@check("BG722")
def domain_checked_under_lock(operation: op.AlterDomain, schema: Schema, context: Context) -> Iterator[Hit]:
    """ALTER DOMAIN reads every table that has a column of it, each under SHARE to the end of the transaction."""
    constraint = operation.constraint
    if not operation.validated and (constraint is None or not constraint.valid):
        return
    users = [table for table in domain_users(operation, schema) if not context.is_new(table)]
    if operation.name in schema.domains and not users:
        return
    tables = ", ".join(users) or f"every table with a column of {operation.name}"
    if operation.validated:
        message = (
            f"VALIDATE CONSTRAINT of the domain {operation.name} blocks writes to {tables} while all rows are checked"
        )
        note = "a CHECK on each table instead, NOT VALID, can be validated without blocking writes"
        fix = render(context, Stage((), note=note))
    else:
        what = "SET NOT NULL" if constraint and constraint.kind == "not_null" else "a new constraint"
        message = f"{what} of the domain {operation.name} blocks writes to {tables} while all rows are checked"
        fix = _not_valid(operation, context)
    yield Hit(context.action.location, message, fix, operation.name, confidence=None if users else Confidence.MEDIUM)


def _not_valid(operation: op.AlterDomain, context: Context) -> str:
    constraint = operation.constraint
    is_check = constraint is not None and constraint.kind == "check"
    named = label(constraint.name if constraint and is_check else object_name(bare(operation.name), "", "not_null"))
    demand = f"CHECK ({constraint.expression if constraint and is_check else 'VALUE IS NOT NULL'})"
    domain = f"ALTER DOMAIN {name(operation.name)}"
    return render(
        context,
        Stage((f"{domain} ADD CONSTRAINT {named} {demand} NOT VALID",), note="new rows are checked at once"),
        Stage(
            (f"{domain} VALIDATE CONSTRAINT {named}",), note="blocks writes: when there are few, with a lock_timeout"
        ),
    )


@check("BG723")
def view_refreshed_under_lock(operation: op.RefreshView, schema: Schema, context: Context) -> Iterator[Hit]:
    """REFRESH MATERIALIZED VIEW keeps readers out while its query runs; CONCURRENTLY needs a unique index."""
    if context.is_new(operation.name):
        return
    view = schema.views.get(operation.name)
    unique = _unique_index(view)
    online = f"REFRESH MATERIALIZED VIEW CONCURRENTLY {name(operation.name)}"
    needed = f"{online}, once a unique index tells the rows of {operation.name} apart"
    stage = Stage((), note=needed) if unique is False else Stage((online,))
    if not operation.concurrently:
        message = f"REFRESH blocks every read of {operation.name} while its query runs"
    elif unique is False:
        message = (
            f"REFRESH ... CONCURRENTLY needs a unique index on {operation.name}, which has none: the migration fails"
        )
    else:
        return
    change = remedy(context, stage) if unique and not operation.concurrently else None
    yield Hit(context.action.location, message, render(context, stage), operation.name, remedy=change)


def _unique_index(view: View | None) -> bool | None:
    """Whether a materialized view has a unique index over plain columns without a condition; None if it is unknown."""
    if view is None:
        return None
    return any(index.unique and not index.where and all(index.columns) for index in view.indexes)


@check("BG729")
def enum_value_too_early(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A value that ALTER TYPE adds cannot be used in the same transaction; before PostgreSQL 12 not even added in one."""
    if isinstance(operation, op.AddEnumValue):
        fresh = operation.name in context.new_types
        if context.in_transaction is True and context.pg_version < _IN_TRANSACTION_SINCE and not fresh:
            message = (
                f"ALTER TYPE {operation.name} ADD VALUE cannot run inside a transaction before PostgreSQL "
                f"{_IN_TRANSACTION_SINCE}: the migration fails"
            )
            yield Hit(
                context.action.location,
                message,
                render(context, Stage((operation.sql,), transactional=False)),
                operation.name,
            )
        return
    if not context.new_values or _is_text_only(operation):
        return
    used = [value for value in _LITERAL.findall(operation.sql) if value.replace("''", "'") in context.new_values]
    for value in used[:1]:
        added, enum = context.new_values[value.replace("''", "'")]
        certainty = _has_enum(operation, enum, schema)
        if certainty is False or context.in_transaction is False:
            return
        message = (
            f"{literal(value)} was added to {enum} in this transaction (line {added.operation.line}) and cannot be used "
            "before it commits: the migration fails"
        )
        confidence = Confidence.LOW if context.in_transaction is None else None if certainty else Confidence.MEDIUM
        fix = render(context, Stage((added.operation.sql,), note="in a migration of its own, before this one"))
        yield Hit(context.action.location, message, fix, "".join(operation.tables[:1]), confidence=confidence)


def _is_text_only(operation: op.Operation) -> bool:
    """Whether PostgreSQL keeps the text as it is: the body of a function, a comment. An enum's label is no use of it."""
    if isinstance(operation, op.Harmless):
        return any(word in operation.what for word in _NOT_EVALUATED)
    return isinstance(operation, op.SetComment | op.CreateType | op.RenameEnumValue | op.SetSetting)


def _has_enum(operation: op.Operation, enum: str, schema: Schema) -> bool | None:
    """Whether the statement is about a column of the enum; None where its table is not known."""
    if isinstance(operation, op.AddColumn):
        return operation.definition.type.name == enum
    known = [schema.tables[table] for table in operation.tables if table in schema.tables]
    if bare(enum).lower() in operation.sql.lower() or any(
        c.type.name == enum for table in known for c in table.columns
    ):
        return True
    return False if known else None


@check("BG730")
def secured_without_policy(operation: op.Harmless, schema: Schema, context: Context) -> Iterator[Hit]:
    """Row security without a policy hides all rows from everybody but the table's owner."""
    if operation.what != "ALTER TABLE ENABLE ROW SECURITY":
        return
    table = operation.table
    if context.is_new(table) or schema.policies[table] > 0:
        return
    if any(
        isinstance(each.operation, op.Harmless)
        and each.operation.what == "CREATE POLICY"
        and each.operation.table == table
        for each in context.later
    ):
        return
    message = (
        f"row level security of {table} is switched on and no policy lets anybody through: to all but its owner "
        f"{table} looks empty, and their INSERTs fail"
    )
    note = f"after CREATE POLICY ... ON {name(table)} for each role that uses it, in the same transaction"
    fix = render(context, Stage((operation.sql,), note=note))
    confidence = None if table in schema.tables else Confidence.LOW
    yield Hit(context.action.location, message, fix, table, confidence=confidence)
