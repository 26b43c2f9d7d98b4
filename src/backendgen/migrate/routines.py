"""Functions and procedures that migrations define and call: what they do is judged where they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from backendgen.migrate.history import Action, History, Migration
from backendgen.sql import operation as op

_DEEPEST = 100
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
    for action in actions:
        operation = action.operation
        if isinstance(operation, op.CreateRoutine):
            defined[operation.name] = operation.sql
        if not isinstance(operation, op.CallRoutine):
            yield action
            continue
        place: dict[str, Any] = {part: getattr(operation, part) for part in ("line", "column", "end_line", "statement")}
        for routine, done in _effects(operation, defined, "", set(), 0):
            yield replace(action, operation=replace(done, **place), routine=routine)


def _effects(
    call: op.CallRoutine, defined: Mapping[str, str], within: str, followed: set[str], depth: int
) -> Iterator[tuple[str, op.Operation]]:
    """Yield a call and what its routines do, each with the routine that it is in; each routine is followed once."""
    if call.procedure and not any(each in defined for each in call.routines):
        yield within, op.NotUnderstood(reason=_UNKNOWN, sql=call.sql)
        return
    if depth > _DEEPEST:
        yield within, op.NotUnderstood(reason=f"{', '.join(call.routines)}: calls nested too deeply", sql=call.sql)
        return
    yield within, call
    for routine in call.routines:
        if routine in followed or routine not in defined:
            continue
        followed.add(routine)
        for done in _body(defined[routine]):
            if isinstance(done, op.CallRoutine):
                yield from _effects(done, defined, routine, followed, depth + 1)
            else:
                yield routine, done


@lru_cache(maxsize=256)
def _body(sql: str) -> tuple[op.Operation, ...]:
    from backendgen.sql.pg_query import SyntaxProblem
    from backendgen.sql.postgres import parse
    from backendgen.sql.postgres_routine import Unread, routine_statements

    done: list[op.Operation] = []
    try:
        for statement in routine_statements(sql):
            if isinstance(statement, Unread):
                done.append(op.NotUnderstood(reason=statement.reason, sql=sql))
            else:
                done += parse(statement.text)
    except SyntaxProblem as problem:
        done.append(op.NotUnderstood(reason=problem.message, sql=sql))
    return tuple(done)
