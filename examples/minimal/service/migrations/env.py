"""Runs the migrations as the role that owns the database, never as the role that serves.

    MIGRATION_DATABASE_URL=postgresql://... alembic upgrade head

Connect to PostgreSQL itself, not through a pooler. Each migration is one transaction. A statement
that cannot get its lock in time fails instead of queueing every request behind it: run the
migration again when the table is less busy.
"""

import os

import psycopg
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

LOCK_TIMEOUT = os.environ.get("MIGRATION_LOCK_TIMEOUT", "5s")
# Two deploys at once: the second waits for the first, up to the lock timeout.
ONE_AT_A_TIME = "SELECT pg_advisory_lock(hashtextextended('migrations', 0))"


def connect() -> psycopg.Connection:
    """Connect as the owner and become the only one who migrates."""
    url = context.config.attributes.get("url") or os.environ.get("MIGRATION_DATABASE_URL")
    if not url:
        raise SystemExit("MIGRATION_DATABASE_URL is missing: the address of the database's owner.")
    connection = psycopg.connect(
        url,
        autocommit=True,
        application_name="migrations",
        options=f"-c lock_timeout={LOCK_TIMEOUT} -c statement_timeout=0 -c timezone=UTC",
    )
    connection.execute(ONE_AT_A_TIME)
    connection.autocommit = False
    return connection


if context.is_offline_mode():
    raise SystemExit("The migrations are SQL already: read migrations/sql.")

engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
with engine.connect() as session:
    context.configure(connection=session, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
