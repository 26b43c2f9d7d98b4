"""The pool: its timeouts, its transactions and what a pooler changes."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from app.database import Database, PoolSettings
from dev.postgres import Access

T = TypeVar("T")


def with_pool(
    url: str,
    act: Callable[[Database], Awaitable[T]],
    *,
    behind_pooler: bool = False,
    acquire_timeout: float = 5,
) -> T:
    """Run `act` with an open pool of one connection."""
    settings = PoolSettings(
        url=SecretStr(url),
        min_size=1,
        max_size=1,
        acquire_timeout=acquire_timeout,
        statement_timeout_ms=1234,
        lock_timeout_ms=345,
        idle_in_transaction_timeout_ms=4567,
        behind_pooler=behind_pooler,
    )

    async def run() -> T:
        pool = Database(settings, "pool-test")
        await pool.open()
        try:
            return await act(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


SETTINGS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "TimeZone",
    "application_name",
)


async def read_settings(pool: Database) -> list[str]:
    rows = [
        await pool.fetch_one("SELECT current_setting(%(name)s) AS value", {"name": name})
        for name in SETTINGS
    ]
    return [row["value"] for row in rows if row]


def test_connections_carry_the_timeouts(database: Access) -> None:
    found = with_pool(database.app, read_settings)
    assert found == ["1234ms", "345ms", "4567ms", "UTC", "pool-test"]


def test_behind_a_pooler_the_role_brings_them(database: Access) -> None:
    found = with_pool(database.app, read_settings, behind_pooler=True)
    assert found == ["5s", "2s", "10s", "UTC", "pool-test"]


@pytest.mark.parametrize(("behind_pooler", "expected"), [(False, True), (True, False)])
def test_statements_are_prepared_unless_a_pooler_is_between(
    database: Access, behind_pooler: bool, expected: bool
) -> None:
    async def act(pool: Database) -> bool:
        for _ in range(6):
            await pool.fetch_one("SELECT 42 AS answer")
        query = "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE %(text)s"
        row = await pool.fetch_one(query, {"text": "SELECT 42%"})
        return bool(row and row["n"])

    assert with_pool(database.app, act, behind_pooler=behind_pooler) is expected


def test_a_transaction_is_all_or_nothing(
    database: Access, owner: psycopg.Connection[dict[str, object]]
) -> None:
    owner.execute("CREATE TABLE ledger (amount int)")

    async def act(pool: Database) -> list[object]:
        async with pool.transaction() as connection:
            await connection.execute("INSERT INTO ledger VALUES (1)")
        with pytest.raises(ZeroDivisionError):
            async with pool.transaction() as connection:
                await connection.execute("INSERT INTO ledger VALUES (2)")
                raise ZeroDivisionError
        return [row["amount"] for row in await pool.fetch_all("SELECT amount FROM ledger")]

    try:
        assert with_pool(database.app, act) == [1]
    finally:
        owner.execute("DROP TABLE ledger")


def test_a_read_after_an_error_gets_a_clean_connection(database: Access) -> None:
    async def act(pool: Database) -> object:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await pool.fetch_one("SELECT 1 / 0")
        row = await pool.fetch_one("SELECT 7 AS answer")
        return row and row["answer"]

    assert with_pool(database.app, act) == 7


def test_it_is_back_right_after_an_outage(admin: str, database: Access) -> None:
    name = f"away_{os.getpid()}"

    async def answers(pool: Database) -> bool:
        try:
            await pool.ping()
        except psycopg.OperationalError:
            return False
        return True

    async def survive(pool: Database) -> float:
        outage = time.monotonic() + 4  # the pool's own pauses are 1, 2, 4 ... seconds
        while time.monotonic() < outage:
            assert not await answers(pool)
        connection.execute(f"CREATE DATABASE {name}".encode())
        back = time.monotonic()
        while not await answers(pool):
            assert time.monotonic() < back + 10
        return time.monotonic() - back

    with psycopg.connect(admin, autocommit=True) as connection:
        try:
            url = make_conninfo(database.app, dbname=name)
            assert with_pool(url, survive, acquire_timeout=0.2) < 2
        finally:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
