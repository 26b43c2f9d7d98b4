"""Statements are cut where PostgreSQL and psql cut them."""

from __future__ import annotations

import pytest

from backendgen.sql.lexer import bind, parameters, rename_identifier, replace_parameters, split


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ;; -- nothing\n /* nor /* here */ */", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \";\", E'\\';', $$;$$, $a$;$$;$a$ /* ; */ -- ;\n, 1;x", [None, "x"]),
        ("CREATE TABLE a (x int; CREATE TABLE b (x int);", ["CREATE TABLE a (x int", "CREATE TABLE b (x int)"]),
        ("SELECT 'it''s; fine'; SELECT 'lost; SELECT 2", ["SELECT 'it''s; fine'", "SELECT 'lost; SELECT 2"]),
        ("select type'a;b\\'; select 2", ["select type'a;b\\'", "select 2"]),
        ("select a$b$c; select $1$2;", ["select a$b$c", "select $1$2"]),
        ("-- x\nSELECT 1 -- y\n; -- z", ["SELECT 1"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3",
            ["CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)", "SELECT 3"],
        ),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SELECT 3",
            [
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
                "SELECT 3",
            ],
        ),
        ("COPY t FROM stdin;\n1\tit's; x\n\\.\nSELECT 1;", ["COPY t FROM stdin", "SELECT 1"]),
        ("COPY t FROM stdin;\nSELECT 1;", ["COPY t FROM stdin", "SELECT 1"]),
        ("\\connect it's\nSELECT 1 \\g\nSELECT 2;", ["\\connect it's", "SELECT 1", "\\g", "SELECT 2"]),
        ("\ufeffSELECT 1", ["SELECT 1"]),
    ],
)
def test_splits_at_the_semicolons_that_end_statements(text: str, statements: list[str | None]) -> None:
    found = [statement.text for statement in split(text)]
    assert len(found) == len(statements)
    assert all(wanted is None or wanted == actual for actual, wanted in zip(found, statements, strict=True))


def test_places_are_those_of_the_first_and_last_token() -> None:
    text = "-- é\n\n  SELECT 1,\n 'é'\n  -- end\n; /* x */ SELECT 2; -- @after\r\nSELECT 3"
    places = [(s.text, s.line, s.column, s.end_line, s.after) for s in split(text)]
    assert places == [
        ("SELECT 1,\n 'é'", 3, 3, 4, ""),
        ("SELECT 2", 6, 11, 6, "-- @after"),
        ("SELECT 3", 7, 1, 7, ""),
    ]


def test_a_long_line_costs_linear_time() -> None:
    assert sum(1 for _ in split("SELECT 1;" * 100_000)) == 100_000


def test_only_real_parameters_count() -> None:
    sql = "a = :user_id AND b::text = ':no' AND c[1:n] = :role -- :comment\n AND d = $$:x$$ AND e = :user_id"
    assert parameters(sql) == ("user_id", "role")
    assert replace_parameters("a = :x::int", "${}".format) == "a = $x::int"


def test_bind_writes_what_psycopg_reads() -> None:
    assert bind("name LIKE 'a%:x' AND id % 2 = :id::int") == "name LIKE 'a%%:x' AND id %% 2 = %(id)s::int"


def test_renaming_spares_strings_and_functions() -> None:
    assert rename_identifier("length(name) > 0 AND name <> 'name' AND \"name\" = name(1)", "name", "Title") == (
        'length("Title") > 0 AND "Title" <> \'name\' AND "Title" = name(1)'
    )
