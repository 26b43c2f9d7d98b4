"""The floor that benchmarks/service.py compares with: a bare ASGI application on an asyncpg pool, nothing else.

GET /orders/{id} and GET /orders answer the same rows as the generated service.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

COLUMNS = "id, customer_id, status, total_cents, version, placed_at, created_at"
ONE = f"SELECT {COLUMNS} FROM orders WHERE id = $1"
PAGE = f"SELECT {COLUMNS} FROM orders ORDER BY created_at DESC, id DESC LIMIT 20"
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Floor:
    """The application. DATABASE holds asyncpg's connection arguments as JSON."""

    pool: asyncpg.Pool

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Open the pool at start-up, then answer requests."""
        if scope["type"] == "lifespan":
            await receive()
            self.pool = await asyncpg.create_pool(**json.loads(os.environ["DATABASE"]), min_size=10, max_size=10)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        key = scope["path"].removeprefix("/orders").strip("/")
        if key:
            content: Any = dict(await self.pool.fetchrow(ONE, uuid.UUID(key)))
        else:
            content = {"items": [dict(row) for row in await self.pool.fetch(PAGE)]}
        body = json.dumps(content, default=str).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


app = Floor()
