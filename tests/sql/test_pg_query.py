"""Expressions are written as PostgreSQL's own deparser writes them, by whichever way they come."""

from __future__ import annotations

import pytest

from backendgen.sql.pg_query import expression_sql, parse_tree


@pytest.mark.parametrize(
    ("written", "deparsed"),
    [
        ("1", "1"),
        ("-1", "-1"),
        ("1.50", "1.50"),
        ("TRUE", "true"),
        ("NULL", "NULL"),
        ("'x'", "'x'"),
        ("'it''s'", "'it''s'"),
        ("E'a\\\\b'", "E'a\\\\b'"),
        ("'{}'::jsonb", "'{}'::jsonb"),
        ("NOW()", "now()"),
        ("now(*)", "now(*)"),
        ("random() FILTER (WHERE true)", "random() FILTER (WHERE true)"),
        ("now() OVER ()", "now() OVER ()"),
        ("app.now()", "app.now()"),
        ('"left"()', '"left"()'),
        ("CURRENT_TIMESTAMP", "current_timestamp"),
        ("a>0 and b in ('x','y')", "a > 0 AND b IN ('x', 'y')"),
    ],
)
def test_expressions(written: str, deparsed: str) -> None:
    (tree,) = parse_tree(f"SELECT {written}")
    assert expression_sql(tree.select_stmt.target_list[0].res_target.val) == deparsed
