"""Rows for the tests, straight into the database: valid, distinct, with the parents they need.

A row and all its parents belong to `user_id`, wherever they refer to a user.
"""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb
from pydantic_core import to_jsonable_python

from app.database import Row

Owner = psycopg.Connection[Row]
numbers = itertools.count(1)


def unique(length: int = 16) -> str:
    """Return text that no other call returns, if it has some characters to differ in."""
    return uuid4().hex[:length].ljust(length, "x")


def number(least: int = 1) -> int:
    """Return a number that no other call returns."""
    return least + next(numbers)


def moment() -> str:
    """Return an instant that no other call returns."""
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(numbers))).isoformat()


def insert(owner: Owner, table: Identifier, values: dict[str, object]) -> Row:
    """Insert a row of JSON values, read as PostgreSQL reads JSON, and return all of it."""
    columns = SQL(", ").join(map(Identifier, values))
    statement = SQL(
        "INSERT INTO {table} ({columns}) "
        "SELECT {columns} FROM jsonb_populate_record(NULL::public.{table}, %s) RETURNING *"
    )
    if not values:
        statement = SQL("INSERT INTO {table} DEFAULT VALUES RETURNING *")
    content = (Jsonb(to_jsonable_python(values)),) if values else ()
    row = owner.execute(statement.format(table=table, columns=columns), content).fetchone()
    assert row is not None
    return row


def make_note(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Insert a row of notes."""
    values: dict[str, object] = {
        "title": unique(),
        **given,
    }
    return insert(owner, Identifier("notes"), values)


def note_body(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Return what creates a note."""
    values: dict[str, object] = {
        "title": unique(),
        **given,
    }
    body: Row = to_jsonable_python(values)
    return body
