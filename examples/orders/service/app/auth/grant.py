"""`python -m app.auth.grant EMAIL ROLE` gives a registered user a role: the way to a first admin.

It connects as the service does (DATABASE_URL). The new role counts within AUTH_RECHECK_SECONDS.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from app.auth import statements
from app.auth.models import normalised_email
from app.auth.roles import ROLES
from app.database import Database
from app.settings import Settings


async def grant(email: str, role: str, settings: Settings) -> bool:
    """Give the user with this e-mail address the role. Returns False when there is no such user."""
    database = Database(settings.pool, "grant")
    await database.open()
    try:
        values = {"email": normalised_email(email), "role": role}
        return await database.fetch_one(statements.SET_ROLE, values) is not None
    finally:
        await database.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    description = "Give a registered user a role."
    parser = argparse.ArgumentParser(prog="python -m app.auth.grant", description=description)
    parser.add_argument("email")
    parser.add_argument("role", choices=sorted(ROLES))
    given = parser.parse_args(arguments)
    if not asyncio.run(grant(given.email, given.role, Settings.load())):
        sys.stderr.write(f"There is no user {given.email}: register first.\n")
        return 1
    sys.stdout.write(f"{given.email} now has the role {given.role}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
