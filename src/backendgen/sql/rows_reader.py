"""Statements about rows in MySQL, MariaDB and SQLite: which table they change, and under which condition."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.sql.cursor import Cursor
from backendgen.sql.operation import ChangeRows, Harmless, Operation

_MODIFIERS = ("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK", "IGNORE")
_ENDS = ("ORDER", "LIMIT", "RETURNING")


def relations_read(cursor: Cursor, start: int, end: int) -> tuple[str, ...]:
    """Return the relations that follow FROM and JOIN between two tokens, without the names of its WITH queries."""
    tokens, found, own = cursor.tokens, list[str](), set[str]()
    for at in range(start, end - 1):
        token, after = tokens[at], tokens[at + 1]
        if token.kind == "word" and token.value in ("FROM", "JOIN") and after.kind in ("word", "name"):
            name = after.value if after.kind == "name" else cursor.raw(after)
            if at + 3 < end and tokens[at + 2].value == ".":
                last = tokens[at + 3]
                name = f"{name}.{last.value if last.kind == 'name' else cursor.raw(last)}"
            if after.value != "SELECT":
                found.append(name)
        if token.kind in ("word", "name") and after.value == "AS" and at + 2 < end and tokens[at + 2].value == "(":
            own.add(token.value if token.kind == "name" else cursor.raw(token))
    return tuple(dict.fromkeys(name for name in found if name not in own))


def select(cursor: Cursor) -> Iterator[Operation]:
    """SELECT, VALUES, SHOW and what else only reads."""
    start = cursor.at
    cursor.skip_to()
    read = relations_read(cursor, start, len(cursor.tokens))
    yield Harmless(what="SELECT", table=read[0] if read else "", **cursor.fields)


def insert(cursor: Cursor, verb: str = "insert") -> Iterator[Operation]:
    """INSERT and REPLACE, after their first word."""
    if cursor.accept("OR"):
        cursor.identifier()
    while cursor.accept_any(*_MODIFIERS):
        pass
    cursor.accept("INTO")
    table, start = cursor.qualified(), cursor.at
    cursor.skip_to()
    if cursor.at == start:
        raise cursor.unreadable("VALUES")
    yield ChangeRows(verb=verb, table=table, reads=relations_read(cursor, start, cursor.at), **cursor.fields)


def update(cursor: Cursor) -> Iterator[Operation]:
    """UPDATE, after its first word; of several joined tables the first."""
    if cursor.accept("OR"):
        cursor.identifier()
    while cursor.accept_any(*_MODIFIERS):
        pass
    table = cursor.qualified()
    cursor.skip_to("SET")
    cursor.expect("SET")
    cursor.skip_to("WHERE", *_ENDS)
    yield ChangeRows(verb="update", table=table, where=_where(cursor), **cursor.fields)


def delete(cursor: Cursor) -> Iterator[Operation]:
    """DELETE, after its first word: `DELETE FROM t`, and MySQL's `DELETE a FROM a JOIN b` with an alias or table."""
    while cursor.accept_any(*_MODIFIERS):
        pass
    alias = "" if cursor.peek("FROM") else cursor.qualified()
    cursor.skip_to("FROM")
    cursor.expect("FROM")
    table = cursor.qualified()
    start = cursor.at
    cursor.skip_to("WHERE", *_ENDS)
    if alias and alias != table:
        table = _aliased(cursor, start, alias) or table
    yield ChangeRows(verb="delete", table=table, where=_where(cursor), **cursor.fields)


def _aliased(cursor: Cursor, start: int, alias: str) -> str:
    """Return the table that JOIN gives an alias."""
    at = start
    for at in range(start, cursor.at):
        raw = cursor.raw(cursor.tokens[at]).strip("`")
        before = cursor.tokens[at - 1] if cursor.tokens[at - 1].value != "AS" else cursor.tokens[at - 2]
        if raw == alias and before.value not in (",", "JOIN", "."):
            return before.value if before.kind == "name" else cursor.raw(before)
    return ""


def _where(cursor: Cursor) -> str:
    """Return the condition; with a LIMIT, which bounds the statement as much, all to the end."""
    cursor.accept("WHERE")
    start = cursor.at
    where = cursor.skip_to(*_ENDS)
    bounded = any(token.value == "LIMIT" and token.kind == "word" for token in cursor.tokens[cursor.at :])
    cursor.skip_rest()
    return cursor.since(start) if bounded else where
