"""Names in the spec's SQL mean what PostgreSQL would take them for."""

from __future__ import annotations

import pytest
from specs import accept, orders

from backendgen.spec.expression import ExpressionProblem, read_expression
from backendgen.sql.postgres import parse
from backendgen.sql.replay import replay

SCHEMA = replay(
    parse(
        "CREATE TABLE customers (id uuid PRIMARY KEY, user_id uuid);"
        "CREATE TABLE orders (id uuid PRIMARY KEY, customer_id uuid, total int, tags text[]);"
    )
)


@pytest.mark.parametrize(
    ("sql", "names", "parameters"),
    [
        ("true", [], []),
        ("user_id = :user_id AND :role = 'a:b'", ["user_id"], ["user_id", "role"]),
        ("price::int > 3 AND at > now() - interval '30 days'", ["price", "at"], []),
        ("customer_id IN (SELECT id FROM customers WHERE user_id = :user_id)", ["customer_id"], ["user_id"]),
        ("(SELECT total FROM orders WHERE id = order_id)", ["order_id"], []),
        ("(SELECT total FROM orders WHERE orders.id = payments.id)", ["payments.id"], []),
        (
            "EXISTS (SELECT FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.user_id = owner)",
            ["owner"],
            [],
        ),
        (
            "EXISTS (SELECT FROM orders WHERE EXISTS (SELECT FROM customers WHERE id = customer_id AND x = total))",
            ["x"],
            [],
        ),
        ("(WITH mine AS (SELECT id FROM customers) SELECT count(*) FROM mine WHERE mine.id = y) > 0", ["y"], []),
        ("id = ANY (SELECT unnest(tags) FROM orders)", ["id"], []),
        ("(SELECT max(n) FROM generate_series(1, top) AS n) > 2", [], []),
        ("(SELECT sum(s.total) FROM (SELECT total FROM orders WHERE customer_id = z) AS s) > 2", ["z"], []),
        ("EXISTS (SELECT FROM (SELECT * FROM orders) AS s WHERE unknown = 1)", [], []),
        ("1 IN (SELECT column1 FROM (VALUES (1), (2)) AS v)", [], []),
        ("EXISTS (WITH m (k) AS (SELECT id FROM orders) SELECT FROM m WHERE k = 1 AND j = 1)", ["j"], []),
        ("EXISTS (SELECT FROM orders AS o (a, b) WHERE unknown = 1)", [], []),
        ("(SELECT total FROM orders UNION SELECT w FROM customers) = 1", ["w"], []),
        ("CASE WHEN a THEN lower(b) ELSE c[1] END = 'x'", ["a", "b", "c"], []),
    ],
)
def test_names(sql: str, names: list[str], parameters: list[str]) -> None:
    expression = read_expression(sql, SCHEMA)
    assert sorted(map(str, expression.names)) == sorted(names)
    assert list(expression.parameters) == parameters
    assert expression.sql == sql


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("id IN (SELECT id FROM custmers)", "unknown table 'custmers' (did you mean 'customers'?)"),
        ("EXISTS (SELECT FROM orders o WHERE o.totl = 1)", "'o' has no column 'totl' (did you mean 'total'?)"),
        (
            "(WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone) = 0",
            "an expression may only read",
        ),
        ("user_id = :me", "unknown parameter ':me'; :user_id and :role are bound"),
        ("", "syntax error at end of input"),
        ("1 + " * 3000 + "1", "longer than 10,000 characters"),
        ("x" * 10_001, "longer than 10,000 characters"),
    ],
)
def test_what_is_no_expression(sql: str, message: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        read_expression(sql, SCHEMA)
    assert caught.value.message == message


def test_numbers_and_booleans_may_be_set_as_they_are() -> None:
    spec = accept(orders(('total_cents: "0"', "total_cents: 0")))
    create = spec.resources[2].action("create")
    assert create is not None
    assert create.sets == (("status", "'draft'"), ("total_cents", "0"), ("placed_at", "NULL"))


def test_an_update_sees_every_column_of_its_row() -> None:
    spec = accept(
        orders(("update: {allow: staff}", "update: {allow: staff, set: {price_cents: price_cents + version}}"))
    )
    update = spec.resources[0].action("update")
    assert update is not None
    assert update.sets == (("price_cents", "price_cents + version"),)
    assert spec.resources[0].changes == ("sku", "name", "active")
