"""Sessions and their refresh tokens, which rotate (RFC 9700, section 4.14.2).

A refresh token is 256 random bits, stored as their SHA-256, and good for one use. Whoever presents
a used one holds a copy: the session ends for both, the thief and the user, who signs in again.
"""

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from app.auth import statements
from app.database import Connection, Database


@dataclass(frozen=True, slots=True)
class Session:
    """A session with the refresh token that continues it, shown to its owner once."""

    session_id: UUID
    user_id: UUID
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A refresh token that continues nothing; `ended` is the session that its reuse has ended."""

    ended: UUID | None = None


class Sessions:
    """Opens, continues and ends sessions. One ends by itself when unused for `lifetime` seconds."""

    def __init__(self, lifetime: int) -> None:
        """Remember the lifetime."""
        self.lifetime = lifetime

    async def open(self, db: Database, user_id: UUID) -> Session:
        """Start a session of the user."""
        async with db.transaction() as connection:
            values = {"user_id": user_id, "lifetime": self.lifetime}
            cursor = await connection.execute(statements.INSERT_SESSION, values)
            [row] = await cursor.fetchall()
            token = await _new_token(connection, row["id"])
        return Session(row["id"], user_id, token)

    async def proceed(self, db: Database, refresh_token: str) -> Session | Refused:
        """Trade a refresh token for the next one. A used one ends its session."""
        presented = {"token_hash": _hash(refresh_token)}
        async with db.transaction() as connection:
            cursor = await connection.execute(statements.LOCK_REFRESH, presented)
            row = await cursor.fetchone()
            if row is None:
                return Refused()
            session = {"session_id": row["session_id"]}
            if row["used"]:
                await connection.execute(statements.REVOKE_SESSION, session)
                return Refused(ended=row["session_id"])
            if not row["alive"]:
                return Refused()
            await connection.execute(statements.USE_REFRESH, presented)
            extension = session | {"lifetime": self.lifetime}
            await connection.execute(statements.EXTEND_SESSION, extension)
            token = await _new_token(connection, row["session_id"])
        return Session(row["session_id"], row["user_id"], token)

    async def end(self, db: Database, session_id: UUID) -> None:
        """End the session: its refresh token at once, its access tokens at their next lookup."""
        async with db.transaction() as connection:
            await connection.execute(statements.REVOKE_SESSION, {"session_id": session_id})


async def _new_token(connection: Connection, session_id: UUID) -> str:
    token = secrets.token_urlsafe(32)
    await connection.execute(
        statements.INSERT_REFRESH, {"token_hash": _hash(token), "session_id": session_id}
    )
    return token


def _hash(token: str) -> bytes:
    # A fast hash is enough: nobody guesses 256 random bits.
    return hashlib.sha256(token.encode()).digest()
