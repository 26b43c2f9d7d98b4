"""Idempotency-Key on writes (draft-ietf-httpapi-idempotency-key-header).

The key, the write and its answer share one transaction: either all three exist or none does, also
after a crash. A retry with the same key gets the stored answer, with `Idempotency-Replayed: true`;
a retry while the first is still at work gets 409; the same key with another request gets 422.
Answers that are raised as a `Problem` roll the transaction back and are not stored: a retry of a
failed request runs again.

A key belongs to one principal and one operation, so two users who pick the same key never meet.
Callers who are not signed in should be told apart by their network address. The price: their retry
from another address is a new request.

`python -m app.idempotency` deletes expired keys: run it daily, at any time, beside the service.
"""

import asyncio
import hashlib
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, LiteralString

from fastapi import Depends, Header
from fastapi.responses import Response
from psycopg.types.json import Jsonb
from pydantic import AfterValidator

from app.database import Connection, Database, Row
from app.problems import FieldError, Problem
from app.settings import Settings

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
LIFETIME: Final = 24 * 3600  # seconds in which a retry is recognised
BATCH: Final = 1000
# A string as the draft wants it, in quotes, or the bare value that most clients send.
PATTERN: Final = r'^("[!#-\[\]-~]{1,255}"|[!#-\[\]-~]{1,255})$'
DESCRIPTION: Final = "A unique value, such as a UUID: a retry with the same value runs only once."

TRY_LOCK: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(%(lock)s) AS locked"

FIND: Final[LiteralString] = """
    SELECT fingerprint, status, headers, body
    FROM idempotency_keys
    WHERE id = %(id)s AND expires_at > now()
"""

# The only row that can be in the way has expired: the lock keeps everybody else out.
STORE: Final[LiteralString] = """
    INSERT INTO idempotency_keys (id, fingerprint, status, headers, body, expires_at)
    VALUES (%(id)s, %(fingerprint)s, %(status)s, %(headers)s, %(body)s,
            now() + make_interval(secs => %(lifetime)s))
    ON CONFLICT (id) DO UPDATE
    SET fingerprint = excluded.fingerprint,
        status = excluded.status,
        headers = excluded.headers,
        body = excluded.body,
        expires_at = excluded.expires_at
"""

PRUNE: Final[LiteralString] = """
    WITH expired AS (
        SELECT id FROM idempotency_keys
        WHERE expires_at < now()
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM idempotency_keys
        WHERE id IN (SELECT id FROM expired)
        RETURNING id
    )
    SELECT count(*) AS deleted FROM deleted
"""


def well_formed(key: str) -> str:
    """Return the key without its quotes. Raises a 400 `Problem` when it is malformed."""
    if not re.fullmatch(PATTERN, key):
        detail = "An Idempotency-Key has 1 to 255 visible ASCII characters."
        raise _bad_key(detail, "idempotency-key-invalid")
    return key.strip('"')


def _bad_key(detail: str, kind: str) -> Problem:
    return Problem(400, detail, type=kind, errors=[FieldError(detail, parameter=HEADER)])


Key = Annotated[str, AfterValidator(well_formed)]
IdempotencyKey = Annotated[
    Key | None,
    Header(alias=HEADER, description=DESCRIPTION, json_schema_extra={"pattern": PATTERN}),
]


async def required_key(
    key: Annotated[Key | None, Header(alias=HEADER, include_in_schema=False)] = None,
) -> str:
    """Return the key (a dependency). Raises a 400 `Problem` without one, as the draft asks."""
    if key is None:
        raise _bad_key("This operation needs an Idempotency-Key.", "idempotency-key-missing")
    return key


RequiredIdempotencyKey = Annotated[str, Depends(required_key)]

# For `openapi_extra` of a route with a RequiredIdempotencyKey: a dependency cannot say "required".
REQUIRED: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": HEADER,
            "in": "header",
            "required": True,
            "description": DESCRIPTION,
            "schema": {"type": "string", "pattern": PATTERN, "title": HEADER},
        }
    ]
}


async def once(
    db: Database,
    *,
    key: str | None,
    principal: str,
    operation: str,
    request: bytes,
    write: Callable[[Connection], Awaitable[Response]],
) -> Response:
    """Run `write` in a transaction, at most once for each key, and return its response.

    `request` is everything that decides the effect: the body, and the path when it names a row.
    Without a key, `write` just runs in its transaction. Raises a `Problem`: 409 while the first
    request with this key is at work, 422 when the key was used for another request.
    """
    async with db.transaction() as connection:
        if key is None:
            return await write(connection)
        identity = hashlib.sha256("\0".join((principal, operation, key)).encode()).digest()
        fingerprint = hashlib.sha256(request).digest()
        await _lock(connection, identity)
        # A statement of its own: it must see what the previous holder of the lock has committed.
        row = await (await connection.execute(FIND, {"id": identity})).fetchone()
        if row is not None:
            return _replay(row, fingerprint)
        response = await write(connection)
        await connection.execute(
            STORE,
            {
                "id": identity,
                "fingerprint": fingerprint,
                "status": response.status_code,
                "headers": Jsonb(_headers(response)),
                "body": bytes(response.body),
                "lifetime": LIFETIME,
            },
        )
        return response


async def _lock(connection: Connection, identity: bytes) -> None:
    """Take the key for this transaction. Waiting would pile up the retries of a slow write."""
    lock = int.from_bytes(identity[:8], signed=True)
    row = await (await connection.execute(TRY_LOCK, {"lock": lock})).fetchone()
    if row is None or not row["locked"]:
        raise Problem(
            409,
            "A request with this Idempotency-Key is still at work.",
            type="idempotency-key-in-use",
            headers={"Retry-After": "1"},
        )


def _replay(row: Row, fingerprint: bytes) -> Response:
    if row["fingerprint"] != fingerprint:
        detail = "This Idempotency-Key was used for another request."
        raise Problem(
            422,
            detail,
            type="idempotency-key-reused",
            errors=[FieldError(detail, parameter=HEADER)],
        )
    response = Response(row["body"], row["status"])
    for name, value in [*row["headers"], (REPLAYED, "true")]:
        response.headers.append(name, value)
    return response


def _headers(response: Response) -> list[tuple[str, str]]:
    """Return the response's headers in order; the length is counted again at a replay."""
    return [item for item in response.headers.items() if item[0] != "content-length"]


async def prune(settings: Settings) -> int:
    """Delete expired keys in small batches. Returns how many went."""
    database = Database(settings.pool, "prune")
    await database.open()
    total = 0
    try:
        while (row := await database.fetch_one(PRUNE, {"batch": BATCH})) is not None:
            total += row["deleted"]
            if row["deleted"] < BATCH:
                break
    finally:
        await database.close()
    return total


if __name__ == "__main__":
    sys.stdout.write(f"Deleted {asyncio.run(prune(Settings.load()))} idempotency keys.\n")
