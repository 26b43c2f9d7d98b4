"""Functions and procedures that migrations define and call: what they do is judged where they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from backendgen.migrate.history import Action, History, Migration
from backendgen.sql import operation as op

_DEFINED = ("CREATE FUNCTION", "CREATE PROCEDURE")
_UNKNOWN = "CALL runs a procedure whose effect is not known"


def with_calls(history: History) -> History:
    """Put what a called routine does beside each call of it; CALL of one that the history does not define is NotUnderstood.

    A routine that a later migration defines anew is the new one from there on.
    """
    if not any(isinstance(each.operation, op.CallRoutine) for migration in history.migrations
               for each in (*migration.up, *migration.down)):  # fmt: skip
        return history
    defined: dict[str, str] = {}
    return replace(history, migrations=tuple(_followed(migration, defined) for migration in history.migrations))


def _followed(migration: Migration, defined: dict[str, str]) -> Migration:
    up = tuple(_steps(migration.up, defined))
    return replace(migration, up=up, down=tuple(_steps(migration.down, dict(defined))))


def _steps(actions: tuple[Action, ...], defined: dict[str, str]) -> Iterator[Action]:
    from backendgen.sql.postgres_routine import routine_name

    for action in actions:
        operation = action.operation
        if isinstance(operation, op.Harmless) and operation.what in _DEFINED:
            defined[routine_name(operation.sql)] = operation.sql
        if isinstance(operation, op.CallRoutine):
            yield from (replace(action, operation=each, routine=routine)
                        for routine, each in _effects(operation, defined, ()))  # fmt: skip
        else:
            yield action


def _effects(
    call: op.CallRoutine, defined: Mapping[str, str], running: tuple[str, ...]
) -> Iterator[tuple[str, op.Operation]]:
    """Yield the call and what its routines do, each with its routine; one that calls itself is followed once."""
    place: dict[str, Any] = {
        "line": call.line,
        "column": call.column,
        "end_line": call.end_line,
        "statement": call.statement,
    }
    within = running[-1] if running else ""
    if call.procedure and not any(each in defined for each in call.routines):
        yield within, op.NotUnderstood(reason=_UNKNOWN, sql=call.sql, **place)
        return
    yield within, call
    for routine in call.routines:
        if routine in running or routine not in defined:
            continue
        for done in _body(defined[routine]):
            if isinstance(done, op.CallRoutine):
                yield from _effects(replace(done, **place), defined, (*running, routine))
            else:
                yield routine, replace(done, **place)


def _body(sql: str) -> Iterator[op.Operation]:
    from backendgen.sql.pg_query import SyntaxProblem
    from backendgen.sql.postgres import parse
    from backendgen.sql.postgres_routine import Unread, routine_statements

    try:
        for statement in routine_statements(sql):
            if isinstance(statement, Unread):
                yield op.NotUnderstood(reason=statement.reason, sql=sql)
            else:
                yield from parse(statement.text)
    except SyntaxProblem as problem:
        yield op.NotUnderstood(reason=problem.message, sql=sql)
