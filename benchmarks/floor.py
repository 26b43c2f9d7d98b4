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
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Floor:
    """The application; its pool opens with the first request, so that it belongs to the server's loop."""

    pool: asyncpg.Pool | None = None

    async def __call__(self, scope: dict[str, Any], receive: object, send: Send) -> None:
        """Answer one request (lifespan is refused: uvicorn goes on without it)."""
        if scope["type"] != "http":
            raise NotImplementedError
        if self.pool is None:
            self.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10)
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
