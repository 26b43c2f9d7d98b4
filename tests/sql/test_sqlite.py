"""SQLite's text against SQLite itself: what the replay knows is what the database says afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendgen.sql import operation as op
from backendgen.sql.replay import Schema, replay
from backendgen.sql.schema import Table
from backendgen.sql.sqlite import parse

HISTORY = """
PRAGMA foreign_keys = OFF;
CREATE TABLE "users" (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key
  [e mail] VARCHAR(255) NOT NULL ON CONFLICT FAIL COLLATE NOCASE DEFAULT 'it''s; here',
  `when` DATETIME DEFAULT CURRENT_TIMESTAMP, untyped, price DECIMAL(10, 2) CHECK (price > 0),
  full TEXT GENERATED ALWAYS AS ("e mail" || id) STORED,
  UNIQUE ("e mail", price) CONSTRAINT positive CHECK (price < 1e6)
) STRICT_NOT;
"""
STATEMENTS = """
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, [e mail] VARCHAR(255) NOT NULL COLLATE NOCASE DEFAULT 'a''; b',
  `when` DATETIME DEFAULT CURRENT_TIMESTAMP, untyped, price DECIMAL(10, 2) CHECK (price > 0), -- a comment; it is
  CONSTRAINT p CHECK (price < 1e6) UNIQUE ("e mail", price));
CREATE TABLE tags (a text, b int default (1 + 2), PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE orders (id integer primary key, user_id integer references users (id) on delete cascade on update set null);
CREATE UNIQUE INDEX IF NOT EXISTS main.by_when ON users ("when" DESC, lower("e mail")) WHERE untyped IS NOT NULL;
CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET untyped = CASE WHEN 1 THEN 2 END; SELECT 1; END;
CREATE VIEW names AS WITH w AS (SELECT 1) SELECT u.price FROM users u JOIN orders o ON o.user_id = u.id;
ALTER TABLE users ADD COLUMN Extra BLOB DEFAULT x'00ff';
ALTER TABLE users RENAME COLUMN extra TO more;
ALTER TABLE orders RENAME TO purchases;
DROP VIEW names;
DROP INDEX by_when;
ALTER TABLE users DROP COLUMN untyped;
"""


def described(database: sqlite3.Connection) -> dict[str, list[tuple[str, str, bool, str | None, bool]]]:
    """Return (name, type, NOT NULL, default, in the primary key) of all columns of all tables."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: [
            (
                name.lower(),
                "".join(kind.lower().split()),
                bool(not_null),
                None if default == "NULL" else default,
                bool(key),
            )
            for _, name, kind, not_null, default, key in database.execute(f'PRAGMA table_info("{table}")')
        ]
        for table in tables
        if not table.startswith("sqlite_")
    }


def replayed(schema: Schema) -> dict[str, list[tuple[str, str, bool, str | None, bool]]]:
    return {name: _columns(table) for name, table in schema.tables.items()}


def _columns(table: Table) -> list[tuple[str, str, bool, str | None, bool]]:
    return [
        (each.name.lower(), "".join(str(each.type).replace('"', "").split()), each.not_null,
         _plain(each.default), each.name in table.primary_key)
        for each in table.columns
    ]  # fmt: skip


def _plain(default: str | None) -> str | None:
    """PRAGMA table_info shows an expression without its parentheses."""
    return default[1:-1] if default and default.startswith("(") else default


def test_a_history() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(STATEMENTS)
        operations = parse(STATEMENTS)
        assert not [one for one in operations if isinstance(one, op.NotUnderstood)]
        assert replayed(replay(operations, Schema(dialect="sqlite"))) == described(database)


def test_what_is_read() -> None:
    schema = replay(parse(STATEMENTS), Schema(dialect="sqlite"))
    (key,) = [one for one in schema.tables["purchases"].constraints if one.kind == "foreign_key"]
    assert (key.references, key.referenced_columns, key.on_delete) == ("users", ("id",), "cascade")
    (index,) = [each.index for each in parse(STATEMENTS) if isinstance(each, op.CreateIndex)]
    assert (index.name, index.unique, index.columns, index.where) == (
        "by_when", True, ("when", ""), "untyped IS NOT NULL"
    )  # fmt: skip
    (view,) = [each for each in parse(STATEMENTS) if isinstance(each, op.CreateView)]
    assert view.reads == ("users", "orders")
    assert [each.line for each in parse(STATEMENTS)] == [2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]


def test_what_cannot_be_read_is_said() -> None:
    (problem,) = [one for one in parse(HISTORY) if isinstance(one, op.NotUnderstood)]
    assert (problem.reason, problem.error_line, problem.error_column) == ("syntax error at or near STRICT_NOT", 9, 3)
    (one,) = parse("ALTER TABLE t ALTER COLUMN a TYPE text;")
    assert isinstance(one, op.NotUnderstood)
    (one,) = parse(".read other.sql")
    assert isinstance(one, op.NotUnderstood)


NAMES = st.sampled_from(["a", "b", "C", "d e", "order", 'q"t'])
TYPES = st.sampled_from(["", "integer", "TEXT", "varchar(20)", "DECIMAL(10, 2)", "double precision", "blob"])
DEFAULTS = st.sampled_from(["", " DEFAULT 0", " DEFAULT 'x'';y'", " DEFAULT -1.5", " DEFAULT NULL", " DEFAULT (1 + 2)"])
ATTRIBUTES = st.sampled_from(["", " NOT NULL", " CHECK (1)", " COLLATE nocase", " NULL"])


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@st.composite
def column(draw: st.DrawFn) -> str:
    return f"{quoted(draw(NAMES))} {draw(TYPES)}{draw(ATTRIBUTES)}{draw(DEFAULTS)}"


TABLES = st.sampled_from(["t", "u", "new t"])


@st.composite
def statement(draw: st.DrawFn) -> str:
    table, name, other = quoted(draw(TABLES)), quoted(draw(NAMES)), quoted(draw(NAMES))
    columns = ", ".join(draw(st.lists(column(), min_size=1, max_size=4)))
    return draw(
        st.sampled_from(
            [
                f"CREATE TABLE {table} ({columns})",
                f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({name}))",
                f"CREATE TABLE {table} ({columns}, PRIMARY KEY ({name})) WITHOUT ROWID",
                f"ALTER TABLE {table} ADD COLUMN {draw(column())}",
                f"ALTER TABLE {table} DROP COLUMN {name}",
                f"ALTER TABLE {table} RENAME COLUMN {name} TO {other}",
                f"ALTER TABLE {table} RENAME TO {quoted(draw(TABLES))}",
                f"DROP TABLE IF EXISTS {table}",
                f"CREATE INDEX IF NOT EXISTS i ON {table} ({name})",
                "DROP INDEX IF EXISTS i",
            ]
        )
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(statement(), max_size=14))
def test_the_replay_is_what_the_database_says(statements: list[str]) -> None:
    schema = Schema(dialect="sqlite")
    with closing(sqlite3.connect(":memory:")) as database:
        for sql in statements:
            (operation,) = parse(sql)
            assert not isinstance(operation, op.NotUnderstood), sql
            try:
                database.execute(sql)
            except sqlite3.OperationalError:
                continue  # a statement that fails changes nothing
            schema.apply(operation)
            assert replayed(schema) == described(database), sql


@pytest.mark.parametrize(
    "text", ["'", '"', "`", "[", "/*", "CREATE TABLE", "CREATE TABLE t (", "((((", "ALTER TABLE t ADD", ";;", "\x00"]
)
def test_broken_text_is_no_crash(text: str) -> None:
    assert all(isinstance(one, op.NotUnderstood) for one in parse(text))


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_no_crash(text: str) -> None:
    parse(text)
