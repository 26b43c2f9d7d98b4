"""MySQL and MariaDB: what a definition loses or never does, and what a migration leaves when it stops half-way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check, once
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, remedy, stands_alone
from backendgen.migrate.mysql_algorithms import charset_of
from backendgen.migrate.mysql_fixes import alter, definition, pasted
from backendgen.migrate.quoting import mysql_name
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Table

_NO_DDL = (
    op.ChangeRows, op.SetSetting, op.Transaction, op.Harmless, op.NotUnderstood, op.LockTable, op.RewriteTable,
)  # fmt: skip
_NO_WAIT = (*_NO_DDL, op.CreateTable, op.CreateView, op.Drop)
# Versions from which REFERENCES at a column makes a foreign key.
_INLINE_SINCE = {"mysql": (9, 0), "mariadb": (10, 5)}


@check("BG756")
def inline_references(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """REFERENCES beside a column is read and forgotten."""
    if not isinstance(operation, op.CreateTable | op.AddColumn):
        return
    if context.history.version >= _INLINE_SINCE[context.history.dialect]:
        return
    for key in operation.constraints:
        if key.kind == "foreign_key" and key.inline:
            column = f"{operation.table}.{key.columns[0]}"
            message = f"REFERENCES beside {column} is ignored: no foreign key to {key.references} comes to be"
            stage = Stage((alter(operation.table, _foreign_key(key)),), note="as a constraint of the table")
            yield Hit(context.action.location, message, pasted(context, stage), operation.table)


def _foreign_key(key: Constraint) -> str:
    referenced = key.referenced_columns or ("id",)
    action = f" ON DELETE {key.on_delete.upper()}" if key.on_delete else ""
    columns, targets = ", ".join(map(mysql_name, key.columns)), ", ".join(map(mysql_name, referenced))
    return f"ADD FOREIGN KEY ({columns}) REFERENCES {mysql_name(key.references)} ({targets}){action}"


@check("BG757")
def attributes_lost(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """MODIFY and CHANGE define the column anew: what they do not repeat is gone."""
    if not isinstance(operation, op.ModifyColumn) or context.is_new(operation.table):
        return
    table = schema.tables.get(operation.table)
    old = table.column(operation.name) if table else None
    if table is None or old is None:
        return
    lost = _lost(operation, old, table)
    if not lost:
        return
    kept = _kept(operation.definition, old, lost)
    if lost.keys() == {"not_null"} and replace(kept, line=old.line) == old:
        return  # there is no other way to allow NULL
    only_null = lost.keys() == {"not_null"}
    words = [word for word, _ in lost.values()]
    message = (
        f"MODIFY {operation.table}.{operation.name} leaves out {_listed(words)}: "
        f"{'they are' if len(words) > 1 else 'it is'} lost without a word"
    )
    place = f" {operation.position}" if operation.position else ""
    fix = pasted(context, Stage((alter(operation.table, f"MODIFY COLUMN {definition(kept)}{place}"),)))
    confidence = Confidence.MEDIUM if only_null else None
    whole = _with_what_is_lost(operation, kept, lost, context)
    change = remedy(context, Stage((whole,))) if whole else None
    yield Hit(context.action.location, message, fix, operation.table, confidence=confidence, remedy=change)


# What CHARACTER SET and COLLATE belong to is the type, so that they cannot be appended.
_APPENDED = ("not_null", "default", "on_update", "auto_increment", "comment")
_ENDING = re.compile(r"\s+(?:FIRST|AFTER\s+(?:`[^`]+`|[\w$]+))\s*$", re.IGNORECASE)


def _with_what_is_lost(
    operation: op.ModifyColumn, kept: Column, lost: dict[str, tuple[str, object]], context: Context
) -> str:
    """Return the user's own statement with what it leaves out at the end; empty when that does not say the same."""
    from backendgen.sql.mysql import parse

    if not stands_alone(context) or not lost.keys() <= {*_APPENDED} or "," in _without_parentheses(operation.sql):
        return ""
    ending = found[0] if (found := _ENDING.search(operation.sql)) else ""
    words = " ".join(lost[word][0] for word in _APPENDED if word in lost)
    sql = f"{operation.sql[: len(operation.sql) - len(ending)]} {words}{ending}"
    match parse(sql):
        case (op.ModifyColumn() as read,):
            same = replace(read.definition, line=0) == replace(kept, line=0)
            return sql if same and read.position == operation.position else ""
        case _:
            return ""


def _without_parentheses(sql: str) -> str:
    return re.sub(r"'(?:[^']|'')*'|\([^()]*\)", "", sql)


def _lost(operation: op.ModifyColumn, old: Column, table: Table) -> dict[str, tuple[str, object]]:
    """Return what the old definition has and the new one neither has nor takes back, by the field of Column."""
    new, said = operation.definition, operation.said
    lost: dict[str, tuple[str, object]] = {}
    if old.not_null and not new.not_null and "NULL" not in said and new.name not in table.primary_key:
        lost["not_null"] = ("NOT NULL", True)
    if old.default is not None and "DEFAULT" not in said and new.generated is None:
        lost["default"] = (f"DEFAULT {old.default}", old.default)
    if old.on_update and "ON" not in said and "DEFAULT" not in said:
        lost["on_update"] = (f"ON UPDATE {old.on_update}", old.on_update)
    if old.auto_increment and not new.auto_increment and new.type.name.split()[0].endswith("int"):
        lost["auto_increment"] = ("AUTO_INCREMENT", True)
    if old.comment and "COMMENT" not in said:
        lost["comment"] = (f"COMMENT '{old.comment}'", old.comment)
    textual = old.type.name.split("(")[0] == new.type.name.split("(")[0] or new.type.name in ("text", "varchar", "char")
    if textual and charset_of(old, table) != charset_of(new, table) and not new.charset and not new.collation:
        if old.charset:
            lost["charset"] = (f"CHARACTER SET {old.charset}", old.charset)
        if old.collation:
            lost["collation"] = (f"COLLATE {old.collation}", old.collation)
    elif textual and old.collation and not new.collation and not new.charset:
        lost["collation"] = (f"COLLATE {old.collation}", old.collation)
    return lost


def _kept(new: Column, old: Column, lost: dict[str, tuple[str, object]]) -> Column:
    return replace(new, **{name: getattr(old, name) for name in lost})


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


@check("BG763")
@once
def half_applied(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """Each DDL statement commits: when a later one fails, the earlier ones stay, and the migration cannot run again."""
    if isinstance(operation, _NO_DDL) or context.migration is context.history.migrations[0]:
        return
    before = [
        action
        for action in context.migration.up[: context.position]
        if not isinstance(action.operation, _NO_DDL)
        and (action.path, action.operation.statement) != (context.action.path, operation.statement)
        and not _repeatable(action.operation)
    ]
    if not before:
        return
    first = before[0].operation
    message = (
        f"each DDL statement commits by itself: if this one fails, line {first.line} stays done, "
        "and running the migration again fails there"
    )
    fix = pasted(context, Stage((operation.sql,), note="in a migration of its own, one DDL statement in each"))
    yield Hit(context.action.location, message, fix, getattr(operation, "table", ""))


def _repeatable(operation: op.Operation) -> bool:
    return bool(getattr(operation, "if_not_exists", False) or getattr(operation, "if_exists", False))


@check("BG764")
@once
def no_lock_wait_timeout(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """DDL waits for the table's metadata lock for up to a year (MySQL) or a day (MariaDB), and everybody waits behind it."""
    table = getattr(operation, "table", "")
    if isinstance(operation, _NO_WAIT) or not table or context.is_new(table):
        return
    if context.setting("lock_wait_timeout") is not None or " wait " in f" {operation.sql.lower()} ":
        return
    long = "a day" if context.history.dialect == "mariadb" else "a year"
    message = (
        f"this waits for every open transaction that has used {table}, for up to {long}, and all who come later wait "
        "behind it"
    )
    setting = "SET SESSION lock_wait_timeout = 5"
    change = remedy(context, Stage((setting,)), place="head")
    fix = pasted(context, Stage((setting, operation.sql)))
    yield Hit(context.action.location, message, fix, table, remedy=change)


@check("BG765")
def made_not_null(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """MODIFY ... NOT NULL of a column that holds NULLs fails, or without strict mode writes 0 and '' into them."""
    if not isinstance(operation, op.ModifyColumn) or context.is_new(operation.table):
        return
    old = schema.column(operation.table, operation.name)
    if old is None or old.not_null or not operation.definition.not_null or old.auto_increment:
        return
    table, name = mysql_name(operation.table), mysql_name(operation.name)
    if any(_fills(action.operation, operation) for action in context.migration.up[: context.position]):
        return
    message = (
        f"{operation.table}.{operation.name} becomes NOT NULL: rows without a value make it fail, or get 0 or '' "
        "where the server is not strict, and code that still writes NULL fails"
    )
    value = operation.definition.default or "..."
    stages = (
        Stage((), note=f"in batches, before: UPDATE {table} SET {name} = {value} WHERE {name} IS NULL LIMIT 1000"),
        Stage(
            (alter(operation.table, f"MODIFY COLUMN {definition(operation.definition)}"),), note="in a later release"
        ),
    )
    yield Hit(context.action.location, message, pasted(context, *stages), operation.table)


def _fills(earlier: op.Operation, operation: op.ModifyColumn) -> bool:
    """Whether an earlier UPDATE of the migration gives the column a value where it has none."""
    if not isinstance(earlier, op.ChangeRows) or earlier.verb != "update" or earlier.table != operation.table:
        return False
    return operation.name.lower() in earlier.sql.lower()


@check("BG766")
def tables_locked_by_hand(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """LOCK TABLES holds until UNLOCK TABLES or the end of the session."""
    if not isinstance(operation, op.LockTable) or context.is_new(operation.table):
        return
    what = "reads and writes" if operation.mode == "WRITE" else "writes"
    message = f"LOCK TABLES {operation.table} {operation.mode} makes {what} of it wait until UNLOCK TABLES"
    note = f"leave it out: DDL locks {operation.table} itself; change its rows in batches, in transactions"
    yield Hit(context.action.location, message, pasted(context, Stage((), note=note)), operation.table)
