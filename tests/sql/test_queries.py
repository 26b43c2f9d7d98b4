"""What queries name: columns by way of aliases and scopes, what INSERTs fill, what a star returns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendgen.sql.queries import Embedded, read_embedded, read_query

HOLE = "\0"


def columns(sql: str) -> set[tuple[str, tuple[str, ...]]]:
    return {(use.column, use.candidates) for use in read_query(sql).columns}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT o.status FROM orders AS o", {("status", ("orders",))}),
        ("SELECT status FROM app.orders", {("status", ("app.orders",))}),
        ("SELECT status FROM orders, users", {("status", ("orders", "users"))}),
        ("SELECT 1 FROM a JOIN b USING (k)", {("k", ("a", "b"))}),
        ("SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b WHERE x = a.y)", {("x", ("b", "a")), ("y", ("a",))}),
        ("SELECT x.a FROM (SELECT a FROM t) AS x", {("a", ("",)), ("a", ("t",))}),
        ("WITH t AS (SELECT a FROM real) SELECT b FROM t", {("a", ("real",)), ("b", ("",))}),
        ("SELECT a AS status FROM t ORDER BY status", {("a", ("t",))}),
        ("SELECT a FROM t UNION SELECT b FROM u", {("a", ("t",)), ("b", ("u",))}),
        ("UPDATE t SET a = b FROM u WHERE u.id = 1", {("a", ("t",)), ("b", ("t", "u")), ("id", ("u",))}),
        ("DELETE FROM t USING u WHERE u.a = t.b", {("a", ("u",)), ("b", ("t",))}),
        ("INSERT INTO t (a) SELECT b FROM u", {("a", ("t",)), ("b", ("u",))}),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (b) DO UPDATE SET c = excluded.d",
            {("a", ("t",)), ("b", ("t",)), ("c", ("t",)), ("d", ("t",))},
        ),
        ("COPY t (a) FROM STDIN", {("a", ("t",))}),
        ("EXPLAIN SELECT a FROM t", {("a", ("t",))}),
        ("CREATE TABLE t (a int)", set()),
        ("CREATE VIEW v AS SELECT a FROM t", set()),
    ],
)
def test_columns_and_the_tables_that_may_have_them(sql: str, found: set[tuple[str, tuple[str, ...]]]) -> None:
    assert columns(sql) == found


@pytest.mark.parametrize(
    ("sql", "stars"),
    [
        ("SELECT * FROM t", ["t"]),
        ("SELECT u.* FROM t, u", ["u"]),
        ("SELECT count(*) FROM t", []),
        ("SELECT 1 FROM t WHERE EXISTS (SELECT * FROM u)", []),
        ("SELECT * FROM (SELECT * FROM t) AS x", ["t"]),
        ("WITH x AS (SELECT * FROM t) SELECT * FROM x", ["t"]),
        ("SELECT * FROM (SELECT a FROM t) AS x", []),
        ("INSERT INTO t (a) VALUES (1) RETURNING *", ["t"]),
        ("SELECT a FROM t UNION ALL SELECT * FROM u", ["u"]),
    ],
)
def test_stars_are_those_that_are_returned(sql: str, stars: list[str]) -> None:
    assert read_query(sql).stars == stars


@pytest.mark.parametrize(
    ("sql", "filled", "nulls"),
    [
        ("INSERT INTO t (a, b) VALUES (1, NULL)", ("a", "b"), {"b"}),
        ("INSERT INTO t VALUES (1)", None, set()),
        ("INSERT INTO t DEFAULT VALUES", (), set()),
        ("COPY t (a) FROM STDIN", ("a",), set()),
        ("WITH x AS (INSERT INTO t (a) VALUES (1) RETURNING a) SELECT a FROM x", ("a",), set()),
    ],
)
def test_inserts_and_what_they_fill(sql: str, filled: tuple[str, ...] | None, nulls: set[str]) -> None:
    (insert,) = read_query(sql).inserts
    assert (insert.table, insert.columns, insert.nulls) == ("t", filled, nulls)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t WHERE b = %s AND c = %(c)s",
        "SELECT a FROM t WHERE b = :b AND c = :c::text",
        "SELECT a FROM t WHERE b = ? AND c = ?",
        "SELECT a FROM t WHERE b = @b AND c = @c",
        f"SELECT a FROM t WHERE b = {HOLE} AND c IN ({HOLE})",
        f"SELECT a FROM t WHERE b = '{HOLE}' AND c = {HOLE}",
    ],
)
def test_placeholders_of_drivers_are_values(text: str) -> None:
    embedded = read_embedded(text, HOLE)
    assert embedded.exact
    assert {use.column for use in embedded.query.columns} == {"a", "b", "c"}


def test_a_name_that_is_put_in_is_no_table_of_ours() -> None:
    embedded = read_embedded(f"SELECT a FROM orders_{HOLE} JOIN {HOLE}.t ON true", HOLE)
    assert embedded.exact
    assert "orders" not in {name for name, _ in embedded.query.tables}


def test_what_cannot_be_parsed_is_read_by_its_words() -> None:
    embedded = read_embedded(f"SELECT status FROM public.orders {HOLE} {HOLE} {HOLE} GROUP", HOLE)
    assert not embedded.exact
    assert embedded.query.tables == [("orders", 19)]
    assert ("status", ("orders",)) in {(use.column, use.candidates) for use in embedded.query.columns}


PIECES = [
    *(
        "SELECT",
        "FROM",
        "WITH",
        "AS",
        "INSERT",
        "INTO",
        "VALUES",
        "NULL",
        "UNION",
        "*",
        "(",
        ")",
        ",",
        "t",
        "a",
        "b",
        ".",
    ),
    *("?", "%s", ":x", "'", '"', "\0"),
]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_pieces_of_queries_can_be_read(pieces: list[str]) -> None:
    assert isinstance(read_embedded(" ".join(pieces), HOLE), Embedded)
