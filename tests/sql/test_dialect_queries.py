"""Queries for MySQL, MariaDB and SQLite: the same answers as for PostgreSQL, and nothing else on any text."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendgen.sql.queries import Embedded, read_embedded
from backendgen.sql.query import ColumnUse, Insert

HOLE = "\0"


def read(dialect: str, text: str) -> Embedded:
    embedded = read_embedded(text, HOLE, dialect)
    assert embedded.exact
    return embedded


@pytest.mark.parametrize(
    ("dialect", "sql", "tables", "found"),
    [
        ("mysql", "SELECT o.`Status` FROM `orders` AS o LIMIT ?, 20", ["orders"], {("status", ("orders",), False)}),
        ("mysql", 'SELECT a FROM shop.t WHERE b = "c" # d\n', ["shop.t"],
         {("a", ("shop.t",), False), ("b", ("shop.t",), False)}),
        ("mysql", "SELECT 1 FROM a JOIN b USING (k)", ["a", "b"], {("k", ("a", "b"), False)}),
        ("mysql", "SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b WHERE x = a.y)", ["a", "b"],
         {("x", ("b", "a"), False), ("y", ("a",), False)}),
        ("mysql", "SELECT x.a FROM (SELECT a FROM t) x", ["t"], {("a", ("",), False), ("a", ("t",), False)}),
        ("sqlite", "WITH x AS (SELECT a FROM t) SELECT b FROM x", ["t"],
         {("a", ("t",), False), ("b", ("",), False)}),
        ("mysql", "SELECT a s FROM t GROUP BY s HAVING s > 1 ORDER BY s", ["t"], {("a", ("t",), False)}),
        ("mysql", "(SELECT a FROM t) UNION (SELECT b FROM u) ORDER BY a", ["t", "u"],
         {("a", ("t",), False), ("b", ("u",), False)}),
        ("mysql", "UPDATE a JOIN b ON a.i = b.j SET a.x = b.y, z = 1", ["a", "b"],
         {("i", ("a",), False), ("j", ("b",), False), ("x", ("a",), True), ("y", ("b",), False),
          ("z", ("a", "b"), True)}),
        ("sqlite", "UPDATE OR IGNORE t SET (a, b) = (1, c) FROM u", ["t", "u"],
         {("a", ("t",), True), ("b", ("t",), True), ("c", ("t", "u"), False)}),
        ("mysql", "DELETE QUICK o FROM orders o JOIN u ON u.a = o.b", ["orders", "u"],
         {("a", ("u",), False), ("b", ("orders",), False)}),
        ("mysql", "INSERT INTO t (a) VALUES (?) ON DUPLICATE KEY UPDATE b = VALUES(c), d = d + 1", ["t"],
         {("a", ("t",), True), ("b", ("t",), True), ("c", ("t",), False), ("d", ("t",), True), ("d", ("t",), False)}),
        ("mysql", "INSERT INTO t (a) VALUES (1) AS new ON DUPLICATE KEY UPDATE b = new.c", ["t"],
         {("a", ("t",), True), ("b", ("t",), True), ("c", ("t",), False)}),
        ("sqlite", "INSERT OR IGNORE INTO t (a) SELECT b FROM main.u", ["t", "u"],
         {("a", ("t",), True), ("b", ("u",), False)}),
        ("sqlite", "INSERT INTO t (a) VALUES (?1) ON CONFLICT (b) DO UPDATE SET c = excluded.d", ["t"],
         {("a", ("t",), True), ("b", ("t",), False), ("c", ("t",), True), ("d", ("t",), False)}),
        ("mariadb", "REPLACE DELAYED INTO t (a) SELECT REPLACE(b, 'x', 'y') FROM u", ["t", "u"],
         {("a", ("t",), True), ("b", ("u",), False)}),
        ("sqlite", "SELECT j.value FROM t, json_each(t.data) AS j", ["t"],
         {("data", ("t",), False), ("value", ("",), False)}),
        ("sqlite", "EXPLAIN QUERY PLAN SELECT [a] FROM t", ["t"], {("a", ("t",), False)}),
        ("mysql", "CREATE TABLE t (a int)", [], set()),
    ],
)  # fmt: skip
def test_tables_and_columns(
    dialect: str, sql: str, tables: list[str], found: set[tuple[str, tuple[str, ...], bool]]
) -> None:
    query = read(dialect, sql).query
    assert [name for name, _ in query.tables] == tables
    assert {(use.column, use.candidates, use.written) for use in query.columns} == found


@pytest.mark.parametrize(
    ("dialect", "sql", "inserts"),
    [
        ("mysql", "INSERT INTO t SET A = 1, b = NULL", [Insert("t", ("a", "b"), frozenset({"b"}), 12)]),
        ("mysql", "REPLACE INTO t (a) VALUES (1), (NULL)", [Insert("t", ("a",), frozenset({"a"}), 13)]),
        ("mysql", "INSERT INTO t () VALUES ()", [Insert("t", (), offset=12)]),
        ("sqlite", "INSERT INTO t DEFAULT VALUES", [Insert("t", (), offset=12)]),
        ("mysql", "INSERT INTO t VALUES (1, DEFAULT)", [Insert("t", None, offset=12)]),
        ("sqlite", "INSERT OR REPLACE INTO t AS z (a) VALUES (1)", [Insert("t", ("a",), offset=23)]),
        ("mysql", "INSERT LOW_PRIORITY IGNORE INTO t (a) VALUES (1)", []),  # '' or 0 is written then
    ],
)
def test_what_an_insert_fills(dialect: str, sql: str, inserts: list[Insert]) -> None:
    assert read(dialect, sql).query.inserts == inserts


@pytest.mark.parametrize(
    ("dialect", "sql", "stars"),
    [
        ("mysql", "SELECT * FROM `t`, (SELECT u.* FROM u) AS x", ["t", "u"]),
        ("mysql", "SELECT v.* FROM t JOIN v ON 1 WHERE EXISTS (SELECT * FROM u)", ["v"]),
        ("mysql", "SELECT COUNT(*) FROM t", []),
        ("sqlite", "WITH x AS (SELECT * FROM t) SELECT * FROM x UNION ALL SELECT * FROM u", ["t", "u"]),
        ("sqlite", "INSERT INTO t (a) VALUES (1) RETURNING *", ["t"]),
    ],
)
def test_stars_are_those_that_are_returned(dialect: str, sql: str, stars: list[str]) -> None:
    assert read(dialect, sql).query.stars == stars


@pytest.mark.parametrize("dialect", ["mysql", "sqlite"])
@pytest.mark.parametrize("mark", ["?", "%s", "%(b)s", ":b", "@b", "$b", HOLE, f"'{HOLE}'", "'it''s :b ?'"])
def test_placeholders_of_drivers_are_values(dialect: str, mark: str) -> None:
    query = read(dialect, f"SELECT a FROM t\nWHERE b = {mark} AND c IN ({mark}) AND d = 1").query
    assert [use.column for use in query.columns] == ["a", "b", "c", "d"]


def test_names_that_are_put_in_are_no_tables_of_ours() -> None:
    query = read("mysql", f"SELECT orders.a FROM orders {HOLE}").query
    assert [(use.column, use.candidates) for use in query.columns] == [("a", ("orders",))]
    names = {name for name, _ in read("mysql", f"SELECT a FROM orders_{HOLE} JOIN {HOLE}t ON 1").query.tables}
    assert names == {"orders__hole_", "_hole_t"}


def test_what_sqlite_may_take_for_a_string_or_a_row_number_is_no_strange_column() -> None:
    query = read("sqlite", 'SELECT rowid FROM t WHERE a = "open"').query
    assert query.aliases == {"t", "open", "rowid"}
    assert [use.column for use in query.columns] == ["rowid", "a", "open"]


def test_offsets_are_bytes_of_the_text_as_it_is_written() -> None:
    embedded = read("mysql", "REPLACE INTO t (a) SELECT 'é', :name,\n  b FROM u")
    assert ColumnUse("b", ("u",), 41) in embedded.query.columns
    assert embedded.sql.encode()[41:42] == b"b"


def test_what_cannot_be_read_is_read_by_its_words() -> None:
    embedded = read_embedded(f"UPDATE IGNORE `shop`.`orders` {HOLE} {HOLE} {HOLE} Status", HOLE, "mysql")
    assert not embedded.exact
    assert [name for name, _ in embedded.query.tables] == ["shop.orders"]
    assert "status" in {use.column for use in embedded.query.columns}


def test_sqlglot_is_imported_for_such_a_query_only_and_its_warnings_are_kept_off_stderr() -> None:
    code = (
        "import sys, backendgen.migrate, backendgen.migrate.running as running; "
        "running.read_embedded('SELECT a FROM t', '?'); print('sqlglot' in sys.modules); "
        "print(running.read_embedded('REPLACE t (a) VALUES (1)', '?', 'mysql').exact, 'sqlglot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\nFalse True\n", "")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 9000,
        "SELECT " + "f(" * 9000,
        "SELECT 1 WHERE " + "a IN (SELECT " * 1500,
        "SELECT " + "1+" * 9000 + "1",
        "SELECT 1 UNION " * 1300 + "SELECT 1",
        "SELECT " + "a," * 4000 + "1 FROM " + ",".join(f"t{number}" for number in range(1300)),
        "INSERT" + " OR IGNORE" * 1900,
        "SELECT '" + "x" * 1_000_000,
    ],
    ids=lambda text: text[:20],
)
@pytest.mark.parametrize("dialect", ["mysql", "sqlite"])
def test_hostile_texts_take_no_more_than_a_moment(dialect: str, text: str) -> None:
    started = time.process_time()
    read_embedded(text, HOLE, dialect)
    assert time.process_time() - started < 3


PIECES = [
    "SELECT", "FROM", "WITH", "AS", "INSERT", "INTO", "REPLACE", "IGNORE", "OR", "VALUES", "NULL", "UNION", "JOIN", "USING",
    "ON", "UPDATE", "SET", "DELETE", "WHERE", "LIMIT", "ON DUPLICATE KEY UPDATE",
]  # fmt: skip
SIGNS = [*"*(),tab.=;?'\"`#[]\\", "%s", ":x", "--", "/*", HOLE]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES + SIGNS)).map(" ".join) | st.text(), st.sampled_from(["mysql", "sqlite"]))
def test_any_text_can_be_read(text: str, dialect: str) -> None:
    assert isinstance(read_embedded(text, HOLE, dialect), Embedded)
