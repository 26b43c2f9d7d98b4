"""All SQL of the shop."""

import sqlite3
from typing import Any

TABLE = "orders"


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect("shop.db")
    connection.row_factory = sqlite3.Row
    return connection


def user(email: str) -> sqlite3.Row | None:
    with connect() as connection:
        return connection.execute("SELECT email, password_hash FROM users WHERE email = ?", (email,)).fetchone()


def search_orders(owner: str, text: str, sort: str) -> list[dict[str, Any]]:
    query = f"SELECT id, product, quantity FROM {TABLE} WHERE owner = ? AND product LIKE ?"
    query += f" ORDER BY {sort} LIMIT 50"
    with connect() as connection:
        return [dict(row) for row in connection.execute(query, (owner, f"%{text}%"))]


def add_order(owner: str, product: str, quantity: int) -> dict[str, Any]:
    with connect() as connection:
        connection.execute("INSERT INTO orders (owner, product, quantity) VALUES (?, ?, ?)", (owner, product, quantity))
    return {"product": product, "quantity": quantity}


def delete_order(order_id: int) -> None:
    with connect() as connection:
        connection.execute(f"DELETE FROM {TABLE} WHERE id = {order_id}")


def partners(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    return connection.execute("SELECT id, name, url FROM partners ORDER BY name").fetchall()
