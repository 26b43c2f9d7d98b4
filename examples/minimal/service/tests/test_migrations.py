"""The migrations, up and down on a real PostgreSQL, and what the serving role may not do."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from app.settings import SERVICE_NAME
from dev import migrate, postgres
from dev.postgres import Access
from migrations import run_sql

DATABASE = f"{SERVICE_NAME}_migrations"
# Everything in the schema that a migration could leave behind or forget.
CATALOG = """
SELECT format('%s %s %s %s', c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod))
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT format('%s %s', typname, typtype) FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
UNION ALL
SELECT format('default acl %s %s', defaclobjtype, defaclacl) FROM pg_default_acl
ORDER BY 1
"""


@pytest.fixture
def empty(admin: str) -> Iterator[Access]:
    """A database of its own, without tables."""
    with psycopg.connect(admin, autocommit=True) as connection:
        drop = f'DROP DATABASE IF EXISTS "{DATABASE}" WITH (FORCE)'.encode()
        connection.execute(drop)
        yield postgres.provision(admin, SERVICE_NAME, DATABASE)
        connection.execute(drop)


def catalog(access: Access) -> list[str]:
    with psycopg.connect(access.owner) as connection:
        rows = connection.execute(CATALOG).fetchall()
    return [row[0] for row in rows if not row[0].startswith("alembic_version")]


def test_up_down_up(empty: Access) -> None:
    assert catalog(empty) == []
    migrate.upgrade(empty.owner)
    migrated = catalog(empty)
    assert migrated
    migrate.downgrade(empty.owner)
    assert catalog(empty) == []
    migrate.upgrade(empty.owner)
    assert catalog(empty) == migrated


def test_the_serving_role_owns_nothing(database: Access) -> None:
    query = "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = %s"
    with psycopg.connect(database.app, autocommit=True) as connection:
        owned = connection.execute(query, (f"{SERVICE_NAME}_app",)).fetchall()
        privileged = connection.execute(
            "SELECT rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert owned == []
    assert privileged == (False,)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE intruder (id int)",
        "ALTER TABLE alembic_version ADD COLUMN more text",
        "SELECT * FROM alembic_version",
        "CREATE SCHEMA intruder",
    ],
)
def test_the_serving_role_may_not_change_the_schema(database: Access, statement: str) -> None:
    with (
        psycopg.connect(database.app, autocommit=True) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_what_the_owner_creates_the_serving_role_may_use(
    database: Access, owner: psycopg.Connection[dict[str, object]]
) -> None:
    owner.execute("CREATE TABLE granted (id bigint GENERATED ALWAYS AS IDENTITY, n int)")
    try:
        with psycopg.connect(database.app, autocommit=True) as connection:
            connection.execute("INSERT INTO granted (n) VALUES (1)")
            connection.execute("UPDATE granted SET n = 2")
            assert connection.execute("SELECT id, n FROM granted").fetchall() == [(1, 2)]
            assert connection.execute("DELETE FROM granted").rowcount == 1
            with pytest.raises(InsufficientPrivilege):
                connection.execute("TRUNCATE granted")
    finally:
        owner.execute("DROP TABLE granted")


def test_sql_files_run_as_they_are(
    database: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colons, percent signs, several statements, and an index that no transaction may hold."""
    monkeypatch.setattr(run_sql, "FOLDER", tmp_path)
    (tmp_path / "a.sql").write_text("CREATE TABLE raw (t text);\nINSERT INTO raw VALUES (':x %s');")
    (tmp_path / "b.sql").write_text(
        "-- no transaction\nCREATE INDEX CONCURRENTLY raw_t ON raw (t);\n"
    )
    (tmp_path / "c.sql").write_text("DROP TABLE raw;")
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database.owner))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with Operations.context(context):
            with context.begin_transaction(_per_migration=True):
                run_sql.run_sql("a.sql")
                run_sql.run_sql("b.sql")
            found = connection.exec_driver_sql("SELECT t FROM raw").scalar()
            indexed = connection.exec_driver_sql("SELECT to_regclass('raw_t')::text").scalar()
            connection.rollback()
            with context.begin_transaction(_per_migration=True):
                run_sql.run_sql("c.sql")
    engine.dispose()
    assert found == ":x %s"
    assert indexed == "raw_t"


def test_a_lock_that_does_not_come_fails_the_migration(
    empty: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two deploys at once: the second gives up after its lock timeout, having changed nothing."""
    monkeypatch.setenv("MIGRATION_LOCK_TIMEOUT", "200ms")
    with psycopg.connect(empty.owner, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('migrations', 0))")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate.upgrade(empty.owner)
    assert catalog(empty) == []


def test_the_address_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIGRATION_DATABASE_URL", raising=False)
    with pytest.raises(SystemExit, match="MIGRATION_DATABASE_URL is missing"):
        migrate.upgrade("")
