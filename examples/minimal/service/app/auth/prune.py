"""`python -m app.auth.prune` deletes sessions and refresh tokens that have expired.

Nothing breaks without it, the tables only grow: run it daily, at any time, beside the service.
"""

import asyncio
import sys

from app.auth import statements
from app.database import Database, Query
from app.settings import Settings

BATCH = 1000


async def prune(settings: Settings) -> tuple[int, int]:
    """Delete what has expired. Returns how many sessions and how many refresh tokens went."""
    database = Database(settings.pool, "prune")
    await database.open()
    try:
        # A token older than the lifetime is used or expired. Tokens go first: deleting a session
        # deletes those that are left, and should not have to delete many.
        tokens = await _prune(
            database, statements.PRUNE_REFRESH_TOKENS, {"lifetime": settings.auth_refresh_ttl}
        )
        sessions = await _prune(database, statements.PRUNE_SESSIONS, {})
    finally:
        await database.close()
    return sessions, tokens


async def _prune(database: Database, statement: Query, values: dict[str, object]) -> int:
    total = 0
    while (row := await database.fetch_one(statement, {**values, "batch": BATCH})) is not None:
        total += row["deleted"]
        if row["deleted"] < BATCH:
            break
    return total


def main() -> None:
    """Run the command and say what it did."""
    sessions, tokens = asyncio.run(prune(Settings.load()))
    sys.stdout.write(f"Deleted {sessions} sessions and {tokens} refresh tokens.\n")


if __name__ == "__main__":
    main()
