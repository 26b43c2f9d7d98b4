"""Only pending migrations are judged: since a git revision, after an applied one, or all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import Run
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
TABLE = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n"
INDEX = "CREATE INDEX by_note ON orders (note);\n"
REVISION = (
    'import sqlalchemy as sa\nfrom alembic import op\n\nrevision = "{}"\ndown_revision = {}\n\n\n'
    "def upgrade():\n    {}\n"
)


def git(folder: Path, *arguments: str) -> None:
    name = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", folder, *name, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two migrations on main, and a branch of it checked out."""
    git(tmp_path, "init", "-b", "main", ".")
    write(tmp_path, {"migrations/0001_orders.sql": TABLE, "migrations/0005_index.sql": INDEX})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "checkout", "-b", "branch")
    return tmp_path


def found(folder: Path, pending: migrate.Pending, *select: str) -> list[tuple[str, str]]:
    report = migrate.check(
        folder, Config(select=select or ("BG701", "BG801", "BG905", "BG906", "BG907")), RULEBOOK, pending
    )
    return [(one.rule_id, one.location.path) for one in report.findings]


def since(folder: Path, revision: str = "main") -> list[tuple[str, str]]:
    return found(folder, migrate.Pending(since=revision))


def test_what_was_there_is_replayed_and_not_judged(repository: Path) -> None:
    assert found(repository, migrate.Pending()) == [("BG701", "migrations/0005_index.sql")]
    assert since(repository) == []
    write(repository, {"migrations/0006_again.sql": "CREATE INDEX by_id ON orders (id);\n"})
    assert since(repository) == [("BG701", "migrations/0006_again.sql")]
    git(repository, "add", ".")
    git(repository, "commit", "-m", "second")
    assert since(repository) == [("BG701", "migrations/0006_again.sql")]


def test_what_main_got_meanwhile_is_not_ours(repository: Path) -> None:
    git(repository, "checkout", "main")
    write(repository, {"migrations/0007_theirs.sql": "DROP TABLE orders;\n"})
    git(repository, "add", ".")
    git(repository, "commit", "-m", "theirs")
    git(repository, "checkout", "branch")
    assert since(repository) == []


def test_pending_migrations_are_one_deploy(repository: Path) -> None:
    write(repository, {"migrations/0006_lines.sql": "CREATE TABLE lines (id int);"})
    write(repository, {"migrations/0007_by.sql": "CREATE INDEX l ON lines (id);"})
    assert ("BG701", "migrations/0007_by.sql") in found(repository, migrate.Pending())
    assert since(repository) == []


def test_an_edited_migration(repository: Path) -> None:
    write(repository, {"migrations/0005_index.sql": f"-- why\n{INDEX.replace(' ON', '  ON')}"})
    assert since(repository) == []
    write(repository, {"migrations/0005_index.sql": INDEX.replace("note", "id")})
    assert since(repository) == [("BG906", "migrations/0005_index.sql")]
    (repository / "migrations/0005_index.sql").unlink()
    assert since(repository) == [("BG906", "migrations/0005_index.sql")]


def test_a_number_below_one_that_was_there(repository: Path) -> None:
    write(repository, {"migrations/0003_late.sql": "CREATE TABLE late (id int);"})
    assert since(repository) == [("BG907", "migrations/0003_late.sql")]


def test_an_ignore_in_a_file_that_is_not_judged_is_not_unused(repository: Path) -> None:
    git(repository, "checkout", "main")
    text = f"-- backendgen: ignore[BG701] a small table\n{INDEX}"
    write(repository, {"migrations/0005_index.sql": text})
    git(repository, "commit", "-am", "ignored")
    assert found(repository, migrate.Pending(since="HEAD"), "BG") == []


def test_alembic_revisions_are_known_by_their_ids(tmp_path: Path) -> None:
    git(tmp_path, "init", "-b", "main", ".")
    table = 'op.create_table("t", sa.Column("id", sa.Integer()))'
    write(tmp_path, {"versions/a_t.py": REVISION.format("a", None, table)})
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    git(tmp_path, "mv", "versions/a_t.py", "versions/2026_a_t.py")
    write(tmp_path, {"versions/0_b.py": REVISION.format("b", '"a"', 'op.drop_table("t")')})
    assert since(tmp_path) == [("BG801", "versions/0_b.py")]
    (tmp_path / "versions/2026_a_t.py").unlink()
    assert ("BG906", "versions/a_t.py") in since(tmp_path)


def test_no_hook_or_driver_of_the_repository_is_run(repository: Path) -> None:
    proof = repository / "run"
    driver = repository / ".git" / "driver"
    driver.write_text(f"#!/bin/sh\ntouch {proof}\n")
    driver.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "diff.sql.command", "diff.sql.textconv"):
        git(repository, "config", key, str(driver))
    (repository / ".gitattributes").write_text("*.sql diff=sql\n")
    write(repository, {"migrations/0005_index.sql": INDEX.replace("note", "id")})
    assert since(repository) == [("BG906", "migrations/0005_index.sql")]
    assert not proof.exists()


def test_after_an_applied_migration(tmp_path: Path) -> None:
    write(tmp_path, {"0001_orders.sql": TABLE, "0002_index.sql": INDEX, "0003_drop.sql": "DROP TABLE orders;"})
    for name in ("0002_index", "2", "0002", "0002_index.sql"):
        assert found(tmp_path, migrate.Pending(applied=(name,))) == [("BG801", "0003_drop.sql")], name
    assert found(tmp_path, migrate.Pending(applied=("0003_drop",))) == []


def test_alembic_goes_by_parents(tmp_path: Path) -> None:
    table = 'op.create_table("t", sa.Column("id", sa.Integer()))'
    index = 'op.create_index("{}", "t", ["id"])'
    write(tmp_path, {
        "versions/a.py": REVISION.format("a", None, table),
        "versions/b.py": REVISION.format("b", '"a"', index.format("b")),
        "versions/c.py": REVISION.format("c", '"a"', index.format("c")),
        "versions/d.py": REVISION.format("d", '("b", "c")', "pass"),
    })  # fmt: skip
    assert found(tmp_path, migrate.Pending(applied=("c",))) == [("BG701", "versions/b.py")]


def test_names_that_are_not_clear(tmp_path: Path, repository: Path) -> None:
    with pytest.raises(UserError, match=r"no migration is called '0005_indx' \(did you mean '0005_index'\?\)"):
        found(repository, migrate.Pending(applied=("0005_indx",)))
    with pytest.raises(UserError, match="git knows no revision 'origin/main'\n  fetch it first"):
        since(repository, "origin/main")
    with pytest.raises(UserError, match="git knows no revision '--output=x'"):
        since(repository, "--output=x")


def test_outside_a_repository(tmp_path: Path) -> None:
    write(tmp_path, {"0001_orders.sql": TABLE})
    with pytest.raises(UserError, match="is in no git repository"):
        since(tmp_path)


def test_the_options(repository: Path, backendgen: Run) -> None:
    write(repository, {"backendgen.toml": 'since = "main"\n'})
    assert backendgen("migrate-check", repository, "--select", "BG701").returncode == 0
    assert backendgen("migrate-check", repository, "--select", "BG701", "--all").returncode == 1
    assert backendgen("migrate-check", repository, "--select", "BG701", "--applied", "1").returncode == 1
    both = backendgen("migrate-check", repository, "--since", "main", "--applied", "1")
    assert (both.returncode, both.stderr) == (
        2,
        "error: --since and --applied both say what is pending; give one of them\n",
    )


def test_a_shallow_clone_is_not_compared_with_a_branch_that_went_on(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git(repository, "commit", "--allow-empty", "-m", "mine")
    git(repository, "checkout", "main")
    write(repository, {"migrations/0006_theirs.sql": INDEX})
    git(repository, "add", ".")
    git(repository, "commit", "-m", "theirs")
    clone = tmp_path_factory.mktemp("shallow")
    git(clone, "clone", "--depth", "1", "--no-single-branch", "-b", "branch", f"file://{repository}", ".")
    with pytest.raises(UserError, match="the clone is too shallow to tell where the present work left origin/main"):
        since(clone, "origin/main")
    git(clone, "fetch", "--unshallow")
    assert since(clone, "origin/main") == []


def test_a_range_is_no_revision(repository: Path) -> None:
    with pytest.raises(UserError, match="give one revision, not a range"):
        since(repository, "main..branch")


@pytest.mark.parametrize("name", ["0001", "shop.0001", "0001_first", "shop.0001_first"])
def test_django_s_migrations_are_known_by_their_numbers(tmp_path: Path, name: str) -> None:
    head = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
    made = 'migrations.RunSQL("CREATE TABLE t (id bigint PRIMARY KEY, n int)", "DROP TABLE t")'
    gone = 'migrations.RunSQL("DROP TABLE t", "SELECT 1")'
    write(tmp_path, {
        "shop/migrations/0001_first.py": f"{head}    dependencies = []\n    operations = [{made}]\n",
        "shop/migrations/0002_next.py":
            f'{head}    dependencies = [("shop", "0001_first")]\n    operations = [{gone}]\n',
    })  # fmt: skip
    assert found(tmp_path, migrate.Pending(applied=(name,))) == [("BG801", "shop/migrations/0002_next.py")]
