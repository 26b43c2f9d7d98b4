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


def make_product(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Insert a row of products."""
    values: dict[str, object] = {
        "sku": unique(),
        "name": unique(),
        "price_cents": number(),
        **given,
    }
    return insert(owner, Identifier("products"), values)


def make_customer(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Insert a row of customers."""
    values: dict[str, object] = {
        "user_id": user_id,
        "email": f"{unique()}@example.com",
        **given,
    }
    return insert(owner, Identifier("customers"), values)


def make_order(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Insert a row of orders."""
    values = dict(given)
    if "customer_id" not in values:
        parent = make_customer(owner, user_id)
        values["customer_id"] = parent["id"]
    return insert(owner, Identifier("orders"), values)


def make_payment(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Insert a row of payments."""
    values: dict[str, object] = {
        "amount_cents": number(),
        **given,
    }
    if "order_id" not in values:
        parent = make_order(owner, user_id)
        values["order_id"] = parent["id"]
    return insert(owner, Identifier("payments"), values)


def make_order_item(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Insert a row of order_items."""
    values: dict[str, object] = {
        "line": number(),
        "quantity": number(),
        "unit_cents": number(),
        **given,
    }
    if "order_id" not in values:
        parent = make_order(owner, user_id)
        values["order_id"] = parent["id"]
    if "product_id" not in values:
        parent = make_product(owner, user_id)
        values["product_id"] = parent["id"]
    return insert(owner, Identifier("order_items"), values)


def product_body(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Return what creates a product."""
    values: dict[str, object] = {
        "sku": unique(),
        "name": unique(),
        "price_cents": number(),
        **given,
    }
    body: Row = to_jsonable_python(values)
    return body


def customer_body(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Return what creates a customer."""
    values: dict[str, object] = {
        "email": f"{unique()}@example.com",
        **given,
    }
    body: Row = to_jsonable_python(values)
    return body


def order_body(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Return what creates an order."""
    values = dict(given)
    if "customer_id" not in values:
        parent = make_customer(owner, user_id)
        values["customer_id"] = parent["id"]
    body: Row = to_jsonable_python(values)
    return body


def payment_body(owner: Owner, user_id: UUID, /, **given: object) -> Row:
    """Return what creates a payment."""
    values = dict(given)
    if "order_id" not in values:
        parent = make_order(owner, user_id)
        values["order_id"] = parent["id"]
    body: Row = to_jsonable_python(values)
    return body
