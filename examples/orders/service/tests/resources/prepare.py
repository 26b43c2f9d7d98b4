"""Holds statements against the real schema, without running them."""

import re

import psycopg
from psycopg.sql import Composable

from app.database import Row


def prepare(owner: psycopg.Connection[Row], statement: Composable) -> None:
    """Prepare the statement. Raises psycopg's error when the schema does not have what it names."""
    numbers: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return numbers.setdefault(match[1], f"${len(numbers) + 1}")

    text = re.sub(r"%\(([^)]+)\)s", numbered, statement.as_string(None)).replace("%%", "%")
    owner.execute(f"PREPARE statement AS {text}".encode())
    owner.execute("DEALLOCATE statement")
