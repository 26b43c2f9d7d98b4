"""The safe change, written out in the user's own names and in the format of the migration that it replaces."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from backendgen.findings.remedy import Remedy, Stage
from backendgen.migrate.context import Context
from backendgen.migrate.django_fixes import body as operations
from backendgen.migrate.django_fixes import state_at
from backendgen.migrate.history import Action, Migration
from backendgen.migrate.quoting import in_backticks, name, names
from backendgen.sql.lexer import between_commas
from backendgen.sql.schema import Constraint

__all__ = ["Remedy", "Stage"]

_OUTSIDE = {
    "goose": "-- +goose NO TRANSACTION",
    "dbmate": "-- migrate:up transaction:false",
    "diesel": "-- alone in its migration, with run_in_transaction = false in metadata.toml",
    "sql-migrate": "-- +migrate Up notransaction",
    "liquibase": "--changeset author:id runInTransaction:false",
    "sqitch": "-- without BEGIN and COMMIT",
    "flyway": "-- alone in its migration (Flyway then runs it without a transaction)",
}
_ALONE = "-- alone in a migration that runs outside a transaction"


def render(context: Context, *stages: Stage) -> str:
    """Return the stages as what the present operation's file would hold instead of it."""
    if context.history.is_mysql:
        stages = tuple(
            replace(stage, statements=tuple(
                sql if sql == context.action.operation.sql else in_backticks(sql) for sql in stage.statements
            ))
            for stage in stages
        )  # fmt: skip
    return written(context.migration, context.action.path, *stages, call=context.action.call)


def remedy(context: Context, *stages: Stage, place: Literal["here", "head", "after"] = "here") -> Remedy:
    """Return the stages as a change that can be made without asking: they do the same, by another way."""
    return Remedy(context.migration.path, context.position, stages, place, context.migration.part)


def written(migration: Migration, path: str, *stages: Stage, call: str = "") -> str:
    """Return the stages as SQL, or as code for a Python file, each marked where a new migration begins.

    `call` is the Django operation that they replace.
    """
    parts = []
    tells = state_at([stage.statements for stage in stages], call) + 1
    for number, stage in enumerate(stages, 1):
        lines = []
        if len(stages) > 1:
            lines.append(f"migration {number}{': ' if stage.note else ''}{stage.note}")
        elif stage.note:
            lines.append(stage.note)
        comment = "# " if path.endswith(".py") else "-- "
        if comment == "# " and migration.tool == "django":
            body = operations(stage.statements, call, transactional=stage.transactional, with_state=number == tells)
        else:
            body = _python(stage) if comment == "# " else _sql(stage, migration)
        parts.append("\n".join([*(comment + line for line in lines), *([body] if stage.statements else [])]))
    return "\n".join(parts)


def _sql(stage: Stage, migration: Migration) -> str:
    text = "\n".join(f"{statement};" for statement in stage.statements)
    return text if stage.transactional else f"{_outside(migration)}\n{text}"


def _outside(migration: Migration) -> str:
    if migration.tool == "django":
        return "-- in a file of its own, run by a migration with `atomic = False`"
    if migration.tool == "alembic":
        return "-- in a file of its own, run inside `with op.get_context().autocommit_block():`"
    return _OUTSIDE.get(migration.tool, _ALONE)


def _python(stage: Stage) -> str:
    lines = stage.call.splitlines() or [executed(statement) for statement in stage.statements]
    if stage.transactional:
        return "\n".join(lines)
    return "\n".join(["with op.get_context().autocommit_block():", *(f"    {line}" for line in lines)])


def executed(statement: str) -> str:
    """Return a call of op.execute."""
    statement = statement.replace("\\", "\\\\")
    if "\n" in statement or ('"' in statement and "'" in statement):
        text = statement.replace('"""', '\\"\\"\\"')
        text = f'{text[:-1]}\\"' if text.endswith('"') else text
        return f'op.execute("""{text}""")'
    return f"op.execute('{statement}')" if '"' in statement else f'op.execute("{statement}")'


def with_argument(call: str, argument: str) -> str:
    """Return a call with one more argument, on a line of its own where the others have one."""
    inside = call[:-1].rstrip().removesuffix(",")
    last = inside.rpartition("\n")[2]
    closing = call[:-1].rpartition("\n")[2]
    if "\n" in call and not closing.strip():
        indent = last[: len(last) - len(last.lstrip())]
        return f"{inside},\n{indent}{argument},\n{closing})"
    return f"{inside}, {argument})"


def alter(table: str, action: str) -> str:
    """Return `ALTER TABLE table action`."""
    return f"ALTER TABLE {name(table)} {action}"


def update_batch(table: str, assignments: str, condition: str) -> str:
    """Return an UPDATE of the next thousand rows that meet the condition; changed rows must meet it no more."""
    rows = f"SELECT ctid FROM {name(table)} WHERE {condition} LIMIT 1000"
    return f"UPDATE {name(table)} SET {assignments} WHERE ctid = ANY (ARRAY({rows}))"


def concurrently(sql: str) -> str:
    """Return CREATE or DROP INDEX with CONCURRENTLY; IF NOT EXISTS goes, since it would keep an invalid index for ever."""
    text = re.sub(
        r"(?i)^(\s*(?:create\s+(?:unique\s+)?|drop\s+)index)\b(?!\s+concurrently)", r"\1 CONCURRENTLY", sql, count=1
    )
    return re.sub(r"(?i)(concurrently)\s+if\s+not\s+exists\b", r"\1", text, count=1)


def constraint_sql(constraint: Constraint) -> str:
    """Return what follows ADD CONSTRAINT name for a foreign key or check."""
    if constraint.kind == "check":
        return f"CHECK ({constraint.expression}){' NO INHERIT' if constraint.no_inherit else ''}"
    target = f"{name(constraint.references)}"
    if constraint.referenced_columns:
        target += f" ({names(constraint.referenced_columns)})"
    only = f" ({names(constraint.on_delete_columns)})" if constraint.on_delete_columns else ""
    words = (
        " MATCH FULL" if constraint.match_full else "",
        f" ON UPDATE {constraint.on_update.upper()}" if constraint.on_update else "",
        f" ON DELETE {constraint.on_delete.upper()}{only}" if constraint.on_delete else "",
        f" {constraint.deferral}" if constraint.deferral else "",
    )
    return f"FOREIGN KEY ({names(constraint.columns)}) REFERENCES {target}{''.join(words)}"


_ALTER_HEAD = re.compile(
    r"""(?i)alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?(?:(?:\w+|"(?:[^"]|"")+")\s*\.\s*)?(?:\w+|"(?:[^"]|"")+")\s*\*?\s+"""
)


def alter_actions(sql: str) -> tuple[str, list[tuple[int, int]]] | None:
    """Return an ALTER TABLE up to its first action, and the spans of its actions; None for any other statement."""
    head = _ALTER_HEAD.match(sql)
    return (head[0], list(between_commas(sql, head.end()))) if head else None


def alone(context: Context) -> str:
    """Return the present operation as a statement of its own, in the user's words; empty when it cannot be told apart."""
    beside = statement_of(context)
    sql = context.action.operation.sql
    if len(beside) == 1:
        return sql
    found = alter_actions(sql)
    if found is None or len(found[1]) != len(beside):
        return ""
    head, spans = found
    start, end = spans[next(at for at, each in enumerate(beside) if each is context.action)]
    action = sql[start:end].strip()
    # A comment at its end would swallow what is appended, one at its beginning belongs to the action before.
    return "" if "--" in action or "/*" in action else f"{head.strip()} {action}"


def stands_alone(context: Context) -> bool:
    """Whether the present operation is all that its statement does, so that its own text can be reused."""
    return len(statement_of(context)) == 1


def statement_of(context: Context) -> tuple[Action, ...]:
    """Return all that the present statement does, the present operation too."""
    up, at = context.migration.up, context.position
    start = end = at
    while start > 0 and _same_statement(up[start - 1], up[at]):
        start -= 1
    while end + 1 < len(up) and _same_statement(up[end + 1], up[at]):
        end += 1
    return up[start : end + 1]


def _same_statement(one: Action, other: Action) -> bool:
    first, second = one.operation, other.operation
    return first.statement == second.statement and first.line == second.line and one.path == other.path
