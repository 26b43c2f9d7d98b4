"""Histories that several processes judge give the report that one process gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Run

from backendgen.migrate import sharing
from backendgen.report import FORMATS

ALEMBIC = """from alembic import op
revision = "a{0}"
down_revision = {1}
def upgrade():
    op.drop_column("orders", "c{0}")
def downgrade():
    pass
"""


def histories(root: Path) -> None:
    """Eight histories of several readers and databases: shared files, refusals, ignores, files that are left out."""
    for name in ("billing", "shop", "mail", "auth"):
        for number in range(1, 13):
            up, down = f"{name}/migrations/{number:04}_x.up.sql", f"{name}/migrations/{number:04}_x.down.sql"
            write(
                root / up, f"ALTER TABLE {name} ADD COLUMN c{number} int NOT NULL;\nCREATE INDEX ON {name} (c{number});"
            )
            write(root / down, f"ALTER TABLE {name} DROP COLUMN c{number};")
    write(root / "shop/migrations/0013_x.up.sql", "DROP TABLE shop; -- backendgen: ignore[BG801] it is empty\n")
    write(root / "mail/migrations/0013_x.up.sql", "-- backendgen: ignore[BG801] nothing here\nSELECT 1;\n")
    (root / "auth/migrations/0013_x.up.sql").write_bytes(b"SELECT '\xff';\n")
    write(root / "auth/migrations/0003_twice.up.sql", "ALTER TABLE auth DROP COLUMN c1;")
    write(root / "auth/migrations/notes.sql", "SELECT 1;")
    for number in range(1, 5):  # general files that count for two databases, beside their own
        write(root / f"both/migrations/{number}_a.up.sql", f"ALTER TABLE t DROP COLUMN c{number};")
    write(root / "both/migrations/5_b.mysql.up.sql", "ALTER TABLE t ADD COLUMN d INT, ALGORITHM=COPY;")
    write(root / "both/migrations/5_b.sqlite3.up.sql", "DROP TABLE t;")
    for number in range(1, 4):
        parent = "None" if number == 1 else f'"a{number - 1}"'
        write(root / f"alembic/versions/a{number}_x.py", ALEMBIC.format(number, parent))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("format", FORMATS)
def test_every_report_is_the_same(format: str, backendgen: Run, tmp_path: Path) -> None:
    histories(tmp_path)
    arguments = ("migrate-check", ".", "--format", format, "--confidence", "low")
    alone = backendgen(*arguments, "--jobs", "1", "--no-cache")
    assert alone.returncode == 1, alone.stderr
    for more in (("--jobs", "2", "--no-cache"), ("--jobs", "4", "--no-cache"), ("--jobs", "3"), ("--jobs", "3"), ()):
        assert backendgen(*arguments, *more).stdout == alone.stdout, more


def test_few_files_are_not_shared(backendgen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backendgen.config import Config
    from backendgen.migrate.readers import find

    histories(tmp_path)
    found = find(tmp_path, Config())
    assert sharing.pays(found, 2)
    assert not sharing.pays(found, 1)
    assert not sharing.pays(find(tmp_path / "shop", Config()), 2), "it is one history"
    monkeypatch.setattr(sharing, "_WORTHWHILE", 1_000)
    assert not sharing.pays(found, 2)


def test_nothing_that_could_be_read_is_an_error_in_either_way(backendgen: Run, tmp_path: Path) -> None:
    for number in range(1, 80):
        write(tmp_path / f"{'ab'[number % 2]}/migrations/{number:04}_x.up.sql", "")
        (tmp_path / f"{'ab'[number % 2]}/migrations/{number:04}_x.up.sql").write_bytes(b"\xff")
    alone = backendgen("migrate-check", ".", "--jobs", "1")
    assert alone.returncode == 2
    shared = backendgen("migrate-check", ".", "--jobs", "2")
    assert (shared.returncode, shared.stdout, shared.stderr) == (2, alone.stdout, alone.stderr)
