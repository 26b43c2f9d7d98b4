"""No text makes the parser raise, and every place that it names is in the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backendgen.sql.lexer import bind, split
from backendgen.sql.operation import ChangeRows, NotUnderstood
from backendgen.sql.postgres import parse
from backendgen.sql.replay import replay

WORDS = st.sampled_from(
    [
        "CREATE",
        "TABLE",
        "INDEX",
        "TYPE",
        "VIEW",
        "DOMAIN",
        "FUNCTION",
        "RULE",
        "SCHEMA",
        "ALTER",
        "ADD",
        "DROP",
        "COLUMN",
        "CONSTRAINT",
        "RENAME",
        "TO",
        "SET",
        "NOT",
        "NULL\n",
        "",
        "",
        "",
        "DEFAULT",
        "CHECK",
        "UNIQUE",
        "PRIMARY",
        "KEY",
        "REFERENCES",
        "FOREIGN",
        "USING",
        "IF",
        "EXISTS",
        "CASCADE",
        "ON",
        "DELETE",
        "t",
        "a",
        "b",
        "c",
        "int",
        "text",
        "numeric(3,1)\n",
        "",
        "",
        "",
        "serial",
        "1",
        "'x'",
        "'it''s",
        ";",
        '"',
        "$$",
        "$a$",
        "E'",
        "\\",
        "(",
        ")",
        ",",
        ";",
        ";",
        ";",
        ".",
        "::",
        ":=",
        ":id",
        "=",
        ">",
        "*",
        "--",
        "/*",
        "*/",
        "\n",
        "\r",
        "\x00",
        "é",
        "�",
        "\ufeff",
        "BEGIN",
        "ATOMIC",
        "END\n",
        "",
        "",
        "",
        "COPY",
        "FROM",
        "stdin",
        "\\.",
        "DO",
        "plpgsql",
        "EXECUTE",
        "LIKE",
        "INCLUDING",
        "ALL",
        "PARTITION",
        "OF",
        "FOR",
        "VALUES",
        "COMMENT",
        "IS",
        "LOCK",
        "VACUUM",
        "FULL",
        "REINDEX\n",
        "",
        "",
        "",
        "GENERATED",
        "ALWAYS",
        "AS",
        "IDENTITY",
        "STORED",
        "SELECT",
        "INSERT",
        "INTO",
        "VALUES",
        "UPDATE",
        "WHERE",
        "WITH",
        "MERGE",
        "TRUNCATE",
        "COMMIT",
    ]
)
TEXTS = st.one_of(
    st.text(alphabet=st.characters()),
    st.lists(WORDS, max_size=30).map(" ".join),
    st.lists(WORDS, max_size=30).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_parse_never_raises_and_places_are_in_the_text(text: str) -> None:
    lines = text.split("\n")
    operations = parse(text)
    for operation in operations:
        assert 1 <= operation.line <= operation.end_line <= len(lines)
        assert 1 <= operation.column <= len(lines[operation.line - 1])
        if isinstance(operation, NotUnderstood):
            assert operation.reason
            assert 0 <= operation.error_line <= len(lines)
    assert [o.statement for o in operations] == sorted(o.statement for o in operations)
    replay(operations)
    bind(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_statements_are_where_they_say(text: str) -> None:
    lines = text.split("\n")
    for statement in split(text):
        first = statement.text.split("\n")[0]
        assert lines[statement.line - 1][statement.column - 1 :].startswith(first)
        assert statement.end_line == statement.line + statement.text.count("\n")


def test_hostile_texts() -> None:
    for text in (
        "(" * 100_000,
        "SELECT " + "(" * 50_000,
        "SELECT " + "1+" * 20_000 + "1",
        "SELECT '" + "x" * 10_000_000,
    ):
        (operation,) = parse(text)
        assert isinstance(operation, NotUnderstood)
    (operation,) = parse("SELECT '\0'")
    assert isinstance(operation, NotUnderstood)
    assert operation.reason == "a NUL character is not allowed in SQL"
    (operation,) = parse("SELECT '\ud800'")
    assert isinstance(operation, NotUnderstood)
    assert operation.reason == "the statement is not valid Unicode"


@pytest.mark.parametrize(
    "link", ["+1", " UNION SELECT 1", " IS NULL", "::int", ' COLLATE "C"', " AT TIME ZONE 'x'", " JOIN t ON true"]
)
def test_a_chain_that_overflows_the_parsers_stack_is_refused_instead(link: str) -> None:
    (operation,) = parse("SELECT * FROM t" + link * 40_000 if "JOIN" in link else "SELECT 1" + link * 40_000)
    assert isinstance(operation, NotUnderstood)


def test_a_long_statement_that_is_not_deep_is_read() -> None:
    rows = ", ".join(f"({number}, 'a+b=c', $$x-y$$, now() - interval '1 day')" for number in range(20_000))
    (operation,) = parse(f"INSERT INTO t VALUES {rows}")
    assert isinstance(operation, ChangeRows)
