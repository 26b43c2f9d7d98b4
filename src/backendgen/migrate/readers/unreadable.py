"""Files that are no SQL, or hardly any: said once for the file, not once for each of a hundred thousand statements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from backendgen.sql import operation as op

_IN_A_ROW = 5


def condensed(found: tuple[op.Operation, ...]) -> tuple[op.Operation, ...]:
    """Leave one NotUnderstood of statements that cannot be parsed: where more than five stand in a row, or are over half.

    It is the first of them, and says how many there are; what can be parsed between them stays.
    """
    unparsed = [each for each in found if isinstance(each, op.NotUnderstood) and _is_unparsed(each)]
    if len(unparsed) <= _IN_A_ROW:
        return found
    statements = {(operation.line, operation.statement) for operation in found}
    if len(unparsed) * 2 > len(statements):
        last = unparsed[-1].end_line
        reason = (
            f"{len(unparsed):,} of the {len(statements):,} statements here (to line {last}) cannot be parsed: "
            f"is this PostgreSQL's SQL? The first of them: {unparsed[0].reason}"
        )
        return _with_first(found, replace(unparsed[0], reason=reason))
    kept: list[op.Operation] = []
    for bad, run in groupby(found, key=_is_unparsed):
        group = tuple(run)
        if bad and len(group) > _IN_A_ROW:
            first = group[0]
            assert isinstance(first, op.NotUnderstood)
            reason = (
                f"{len(group):,} statements in a row (to line {group[-1].end_line}) cannot be parsed; "
                f"the first of them: {first.reason}"
            )
            group = (replace(first, reason=reason),)
        kept += group
    return tuple(kept)


def _is_unparsed(operation: op.Operation) -> bool:
    """Whether the parser itself refused the statement (a DO block whose effect is not known has been parsed)."""
    return isinstance(operation, op.NotUnderstood) and (operation.error_column > 0 or "NUL" in operation.reason)


def _with_first(found: Iterable[op.Operation], said: op.NotUnderstood) -> tuple[op.Operation, ...]:
    kept: list[op.Operation] = []
    waiting: op.NotUnderstood | None = said
    for operation in found:
        if not _is_unparsed(operation):
            kept.append(operation)
        elif waiting is not None:
            kept.append(waiting)
            waiting = None
    return tuple(kept)
