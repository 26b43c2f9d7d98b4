"""What the loader assumes about the generated auth tables is what their migration says."""

from __future__ import annotations

from pathlib import Path

from backendgen.spec.ddl import AUTH_DDL, AUTH_TABLES, SERVICE_TABLES
from backendgen.sql.postgres import parse
from backendgen.sql.replay import replay

FEATURES = Path(__file__).parents[2] / "templates" / "features"


def test_users_is_what_the_migration_creates() -> None:
    written = replay(parse((FEATURES / "auth/migrations/sql/NNNN_auth.up.sql").read_text(encoding="utf-8")))
    assert tuple(written.tables) == AUTH_TABLES
    promised = replay(parse(AUTH_DDL)).tables["users"]
    for column in promised.columns:
        found = written.tables["users"].column(column.name)
        assert found is not None
        assert (found.type, found.not_null) == (column.type, column.not_null)
    assert promised.primary_key == written.tables["users"].primary_key


def test_the_idempotency_table_is_reserved() -> None:
    migration = next((FEATURES / "idempotency/migrations/sql").glob("*.up.sql"))
    created = replay(parse(migration.read_text(encoding="utf-8"))).tables
    assert set(created) <= set(SERVICE_TABLES)
