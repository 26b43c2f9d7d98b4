"""PostgreSQL through one pool of psycopg connections: explicit SQL, rows as dictionaries.

Connections are in autocommit mode: a read is one round trip. Whatever belongs together runs inside
`transaction()`.

Behind a transaction pooler such as pgbouncer set DATABASE_POOLER=true. A pooler hands every
transaction to another server connection: it refuses the startup `options` that carry the timeouts
here, and may not know prepared statements. Both are then left out, and the timeouts come from the
role: `ALTER ROLE ... SET statement_timeout` (see the README). No session state is ever set.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, LiteralString

from fastapi import Depends, Request
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field, SecretStr

Row = dict[str, Any]
Query = LiteralString | bytes | SQL | Composed
Connection = AsyncConnection[Row]

# A statement that ran this often on a connection is prepared there (psycopg's own default is 5).
PREPARE_THRESHOLD = 3
# A lost connection is replaced with growing pauses, up to minutes. After so long the pool gives
# that up: the next request connects anew, and no outage lasts longer than the database's own.
RECONNECT_TIMEOUT_S = 2.0


class PoolSettings(BaseModel):
    """What a `Database` needs to know; `Settings` fills it from the environment."""

    url: SecretStr
    min_size: int = Field(ge=0)
    max_size: int = Field(ge=1)
    acquire_timeout: float = Field(gt=0, description="seconds to wait for a free connection")
    statement_timeout_ms: int = Field(gt=0)
    lock_timeout_ms: int = Field(gt=0)
    idle_in_transaction_timeout_ms: int = Field(gt=0)
    behind_pooler: bool = False


class Database:
    """The pool. Every method raises psycopg's errors; `app.problems` turns them into responses."""

    def __init__(self, settings: PoolSettings, application_name: str) -> None:
        """Describe the pool; no connection is made before `open`."""
        arguments: dict[str, Any] = {
            "autocommit": True,
            "row_factory": dict_row,
            "application_name": application_name,
            "prepare_threshold": None if settings.behind_pooler else PREPARE_THRESHOLD,
        }
        if not settings.behind_pooler:
            arguments["options"] = (
                f"-c statement_timeout={settings.statement_timeout_ms}"
                f" -c lock_timeout={settings.lock_timeout_ms}"
                f" -c idle_in_transaction_session_timeout={settings.idle_in_transaction_timeout_ms}"
                " -c timezone=UTC"
            )
        self._pool = AsyncConnectionPool[Connection](
            settings.url.get_secret_value(),
            connection_class=AsyncConnection[Row],
            kwargs=arguments,
            min_size=settings.min_size,
            max_size=settings.max_size,
            timeout=settings.acquire_timeout,
            reconnect_timeout=RECONNECT_TIMEOUT_S,
            name=application_name,
            open=False,
        )

    async def open(self) -> None:
        """Start connecting, and return at once: /ready tells when the database answers."""
        await self._pool.open()

    async def close(self) -> None:
        """Wait for connections in use to come back, then close them all."""
        await self._pool.close()

    async def fetch_one(
        self, query: Query, parameters: Mapping[str, object] | None = None
    ) -> Row | None:
        """Return the first row of one statement, or None. The statement commits by itself."""
        # getconn and putconn: the pool's context manager would add a commit that has nothing to do.
        connection = await self._pool.getconn()
        try:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchone()
        finally:
            await self._pool.putconn(connection)

    async def fetch_all(
        self, query: Query, parameters: Mapping[str, object] | None = None
    ) -> list[Row]:
        """Return all rows of one statement: bound them with LIMIT. It commits by itself."""
        connection = await self._pool.getconn()
        try:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall()
        finally:
            await self._pool.putconn(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Open a transaction: committed at the end of the block, rolled back by any exception."""
        async with self._pool.connection() as connection, connection.transaction():
            yield connection

    async def ping(self) -> None:
        """Ask the database for an answer. Raises psycopg's OperationalError when there is none."""
        await self.fetch_one("SELECT 1 AS answer")

    def pool_stats(self) -> dict[str, int]:
        """Return the pool's counters: pool_size, pool_available, requests_waiting and more."""
        return self._pool.get_stats()


async def database(request: Request) -> Database:
    """Return the application's database (a dependency: see `Db`).

    A coroutine, as all dependencies here: FastAPI sends plain functions to a thread, which costs
    more than most queries.
    """
    instance: Database = request.app.state.database
    return instance


Db = Annotated[Database, Depends(database)]
