"""Idempotency-Key on writes (draft-ietf-httpapi-idempotency-key-header).

The key, the write and its answer share one transaction: either all three exist or none does, also
after a crash. A retry with the same key gets the stored answer, marked `Idempotency-Replayed: true`;
a retry while the first is still at work gets 409; the same key with another request gets 422.
Answers that are raised as a `Problem` roll the transaction back and are not stored: a retry runs again.

A key belongs to one principal and one operation. For callers who are not signed in, let the principal
be their network address: two strangers who pick the same weak key must never see each other's answers.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, LiteralString

from fastapi import Header
from fastapi.responses import Response
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from app.database import Database, Row
from app.problems import Problem

# A structured-field string as the draft wants it, or the bare token that most clients send.
KEY_PATTERN: Final = r'^("[!#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$'

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="A unique value, such as a UUID, that makes a retry of this request safe.",
    ),
]
RequiredIdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="A unique value, such as a UUID, that makes a retry of this request safe.",
    ),
]
Write = Callable[[AsyncConnection[Row]], Awaitable[Response]]


async def once(
    db: Database,
    *,
    key: str | None,
    principal: str,
    operation: str,
    request: bytes,
    write: Write,
) -> Response:
    """Run `write` in a transaction, at most once for each key, and return its response.

    `request` is everything that decides the effect: the body, and the path when it names a row.
    Without a key, `write` just runs in its transaction. Raises a `Problem`: 409 while the first
    request with this key is at work, 422 when the key was used for another request.
    """
    raise NotImplementedError
