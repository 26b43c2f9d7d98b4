"""Statements of MySQL, MariaDB and SQLite: read by their first word, to their end; what both write alike."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from backendgen.sql import operation as op
from backendgen.sql.cursor import Cursor, Unreadable
from backendgen.sql.tokens import Sentence

Reader = Callable[[Cursor], Iterable[op.Operation]]


def translate(sentence: Sentence, cursor: Cursor, statement: Reader) -> Iterable[op.Operation]:
    """Read one statement to its end, or say where it could not be read."""
    try:
        found = list(statement(cursor))
        if not cursor.done:
            raise cursor.unreadable()
    except Unreadable as problem:
        line = column = 0
        if problem.offset >= 0:
            line = sentence.line + sentence.text.count("\n", sentence.tokens[0].start, problem.offset)
            column = problem.offset - sentence.text.rfind("\n", 0, problem.offset)
        return [op.NotUnderstood(reason=problem.message, error_line=line, error_column=column, **cursor.fields)]
    return found


def by_first_word(cursor: Cursor, readers: Mapping[str, Reader], harmless: Container[str]) -> Iterable[op.Operation]:
    """Read a statement as its first word says. Raises Unreadable for any other word."""
    first = cursor.word()
    if reader := readers.get(first):
        return reader(cursor)
    if first in harmless:
        return whole(cursor, op.Harmless(what=first, **cursor.fields))
    cursor.at -= 1
    raise cursor.unreadable("a statement")


def whole(cursor: Cursor, operation: op.Operation) -> Iterator[op.Operation]:
    """Pass over the rest of a statement whose first words say enough."""
    cursor.skip_rest()
    yield operation


def transaction(verb: str) -> Reader:
    """Return the reader of BEGIN, COMMIT or ROLLBACK."""

    def read(cursor: Cursor) -> Iterator[op.Operation]:
        to_savepoint = verb == "rollback" and any(t.value == "TO" for t in cursor.tokens)
        cursor.skip_rest()
        yield (
            op.Harmless(what="ROLLBACK TO SAVEPOINT", **cursor.fields)
            if to_savepoint
            else op.Transaction(verb=verb, **cursor.fields)
        )

    return read
