"""Transactions: where they begin and end, and what is left when a migration fails half-way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

# They send a file as it is; the other tools that are known begin and commit themselves.
_SEND_AS_IS = ("sql", "golang-migrate", "prisma")
_ENDS = ("commit", "rollback")
_LASTING = ("search_path", "role", "session_authorization")
_CHANGES_NOTHING = (
    op.Harmless,
    op.CreateRoutine,
    op.CallRoutine,
    op.Transaction,
    op.SetSetting,
    op.NotUnderstood,
    op.SetComment,
)


def _tool_commits(context: Context) -> bool:
    return context.action.transactional is True and context.migration.tool not in _SEND_AS_IS


@check("BG736")
def transactions_nested(operation: op.Transaction, schema: Schema, context: Context) -> Iterator[Hit]:
    """BEGIN in a transaction does nothing, so that the next COMMIT ends both; COMMIT outside of one does nothing."""
    tool, verb = context.migration.tool, operation.verb.upper()
    message, severity = "", None
    if verb == "BEGIN":
        end = next((each.operation for each in context.later
                    if isinstance(each.operation, op.Transaction) and each.operation.verb in _ENDS), None)  # fmt: skip
        if context.explicit_transaction:
            message = "BEGIN inside a transaction does nothing: the first COMMIT ends both"
        elif _tool_commits(context) and context.in_transaction and end:
            message = (
                f"BEGIN does nothing in the transaction of {tool}, and line {end.line} ends that one: "
                f"what follows, and {tool}'s own record of this migration, is committed apart from it"
            )
    elif _tool_commits(context) and not context.explicit_transaction and context.in_transaction:
        message = f"{verb} ends the transaction of {tool}: when the rest fails, what came before it stays"
    elif context.in_transaction is False:
        message, severity = f"{verb} outside a transaction does nothing", Severity.LOW
    if message:
        fix = render(context, Stage((), note=_without(context)))
        yield Hit(context.action.location, message, fix, severity=severity)


def _without(context: Context) -> str:
    if context.migration.tool == "alembic":
        return "leave transactions to Alembic; what must run outside one goes into op.get_context().autocommit_block()"
    if _tool_commits(context):
        return f"leave BEGIN and COMMIT to {context.migration.tool}"
    return "one BEGIN, one COMMIT"


@check("BG737")
def not_committed(operation: op.Transaction, schema: Schema, context: Context) -> Iterator[Hit]:
    """A transaction that is still open when the migration ends is rolled back with the connection."""
    if operation.verb != "begin" or _tool_commits(context):
        return
    if any(isinstance(each.operation, op.Transaction) and each.operation.verb in _ENDS for each in context.later):
        return
    message = "this transaction is never committed: when the connection closes, all that follows is rolled back"
    yield Hit(context.action.location, message, render(context, Stage(("COMMIT",), note="at the end")))


@check("BG738")
@once
def half_done(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Outside a transaction, what was done before a failure stays, and makes the next attempt fail. Said once a file."""
    if context.in_transaction is not False or _is_repeatable(operation, context):
        return
    if not any(_changes(each.operation) and each.operation.statement != operation.statement for each in context.later):
        return
    message = (
        "when a later statement fails, this one is done already and makes the next attempt fail: "
        "the file runs outside a transaction"
    )
    note = "one statement in each migration, or IF [NOT] EXISTS, so that it can run again"
    yield Hit(context.action.location, message, render(context, Stage((), note=note)), "".join(operation.tables[:1]))


def _changes(operation: op.Operation) -> bool:
    return not isinstance(operation, _CHANGES_NOTHING)


def _is_repeatable(operation: op.Operation, context: Context) -> bool:
    """Whether the operation can run a second time; also one that takes back what a first run left."""
    match operation:
        case op.CreateTable(temporary=True) | op.CreateView(replace=True):
            return True
        case op.CreateTable() | op.AddColumn() | op.AddEnumValue():
            return operation.if_not_exists
        case op.CreateIndex(if_not_exists=soft, index=index):
            return soft or not operation.named or _is_dropped(op.DropIndex, "index", index.name, context)
        case op.AddConstraint(constraint=constraint):
            return _is_dropped(op.DropConstraint, "name", constraint.name, context)
        case op.CreateView(name=name) | op.CreateType(name=name):
            return _is_dropped(op.Drop, "name", name, context)
        case op.DropTable() | op.DropColumn() | op.DropConstraint() | op.DropIndex() | op.Drop():
            return operation.if_exists
        case op.ChangeRows(verb="insert"):
            return bool(re.search(r"(?i)\bon\s+conflict\b|\bnot\s+exists\b", operation.sql))
        case op.RenameTable() | op.RenameColumn() | op.RenameConstraint() | op.RenameIndex() | op.Rename():
            return False
        case _:
            return True


def _is_dropped(kind: type[op.Operation], field: str, name: str, context: Context) -> bool:
    """Whether DROP IF EXISTS of the name comes before it in the migration."""
    return any(
        isinstance(done, kind) and getattr(done, field) == name and getattr(done, "if_exists", False)
        for done in context.before(name)
    )


@check("BG739")
def session_changed(operation: op.SetSetting | op.CallRoutine, schema: Schema, context: Context) -> Iterator[Hit]:
    """What is set for the session is still set for the migrations after it, or, through a pool, for anybody."""
    message, fix = "", ""
    if isinstance(operation, op.SetSetting) and operation.name in _LASTING and not operation.local:
        if operation.value is None or is_set_later((operation.name, "all"), context):
            return
        message = (
            f"{operation.name} = '{operation.value}' stays for the session: the migrations that follow have it too"
        )
        fix = render(context, Stage((f"SET LOCAL {operation.name} = '{operation.value}'",), note="in a transaction"))
    elif isinstance(operation, op.CallRoutine):
        locked = [each for each in operation.routines if re.fullmatch(r"pg_(try_)?advisory_lock(_shared)?", each)]
        if locked:
            message = (
                f"{locked[0]}() belongs to the session: through PgBouncer it may be another one's by the next statement"
            )
            fix = render(context, Stage((), note="pg_advisory_xact_lock(), or a direct connection"))
    if message:
        confidence = Confidence.LOW if context.migration.tool == "sql" else None
        yield Hit(context.action.location, message, fix, confidence=confidence)


def is_set_later(names: tuple[str, ...], context: Context) -> bool:
    """Whether the rest of the migration sets one of these parameters."""
    return any(isinstance(each.operation, op.SetSetting) and each.operation.name in names for each in context.later)
