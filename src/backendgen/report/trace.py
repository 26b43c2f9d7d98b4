"""A trace as text and as data: each pending migration, statement by statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backendgen.findings.finding import Trace, TracedMigration, TracedStatement

_WIDTH = 100


def lines(trace: Trace) -> Iterator[str]:
    """Yield the lines of the text report."""
    every = [one for migration in trace.migrations for one in migration.statements]
    migrations = counted(len(trace.migrations), "pending migration")
    yield f"traced on {trace.server}: {counted(len(every), 'statement')} of {migrations} were executed"
    yield from (f"  note: {note}" for note in trace.notes)
    for migration in trace.migrations:
        yield from _migration(migration)
    differing = sum(bool(one.differences) for one in every)
    run = sum(not one.failure or one.on_rows for one in every)
    all_run = f"all {run} statements"
    yield (
        f"the static verdict differs on {differing} of {run} statements" if differing
        else f"the static verdict on locks and rewrites agrees on {'the one statement' if run == 1 else all_run} that ran"
    )  # fmt: skip
    yield ""


def counted(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _migration(migration: TracedMigration) -> Iterator[str]:
    rows = f" (rows in {', '.join(migration.rows_in)})" if migration.rows_in else ""
    yield f"{migration.path}{rows}"
    for one in migration.statements:
        yield f"  {one.location.line}  {_shortened(one.statement)}"
        yield from (f"      {text}" for text in _outcome(one))


def _outcome(one: TracedStatement) -> Iterator[str]:
    if one.note:
        yield one.note
        return
    if one.failure and not one.on_rows:
        yield f"FAILED: {one.failure}"
        return
    if one.failure:
        yield f"FAILED on rows: {one.failure} (passed when the tables were empty)"
    yield f"{one.milliseconds:.1f} ms; {_locks('locks', one.locks) or 'no new table lock'}{_rewrites(one.rewritten)}"
    if one.held:
        yield _locks("meanwhile held", one.held)
    yield from (f"DIFFERS from the static verdict: {difference}" for difference in one.differences)


def _locks(word: str, locks: Iterable[tuple[str, str]]) -> str:
    listed = ", ".join(f"{mode} on {table}" for table, mode in locks)
    return f"{word}: {listed}" if listed else ""


def _rewrites(rewritten: tuple[str, ...]) -> str:
    return f"; written anew: {', '.join(rewritten)}" if rewritten else ""


def _shortened(statement: str) -> str:
    return statement if len(statement) <= _WIDTH else f"{statement[: _WIDTH - 4]} ..."


def data(trace: Trace) -> dict[str, Any]:
    """Return it as JSON has it."""
    return {
        "server": trace.server,
        "notes": list(trace.notes),
        "migrations": [
            {
                "path": migration.path,
                "rows_in": list(migration.rows_in),
                "statements": [_statement(one) for one in migration.statements],
            }
            for migration in trace.migrations
        ],
    }


def _statement(one: TracedStatement) -> dict[str, Any]:
    return {
        "path": one.location.path,
        "line": one.location.line,
        "statement": one.statement,
        "milliseconds": round(one.milliseconds, 2),
        "locks": [{"table": table, "mode": mode} for table, mode in one.locks],
        "held": [{"table": table, "mode": mode} for table, mode in one.held],
        "rewritten": list(one.rewritten),
        "agrees": not one.differences,
        "differences": list(one.differences),
        "failure": one.failure,
        "fails_on_rows_only": one.on_rows,
        "note": one.note,
    }
