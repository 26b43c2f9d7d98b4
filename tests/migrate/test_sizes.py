"""Sizes of tables: read from a file, turned into seconds and grades."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.migrate.sizes import MYSQL_QUERY, QUERY, Size
from backendgen.migrate.trace.scratch import Session, new_database, throw_away
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
LARGE = Size(rows=40_000_000, bytes=9_300_000_000, index_bytes=2_000_000_000)
SMALL = Size(rows=800, bytes=120_000, index_bytes=32_000)
INDEX = "CREATE INDEX by_note ON orders (note);"


def graded(folder: Path, sql: str, size: Size | None) -> tuple[str, str]:
    write(folder, {"0001_change.sql": sql})
    sizes = {"orders": size} if size else None
    (found,) = migrate.check(folder, Config(ignore=("BG710",)), RULEBOOK, sizes=sizes).findings
    return found.severity.word, found.message


@pytest.mark.parametrize(
    ("size", "severity", "seconds"),
    [
        (LARGE, "critical", " (about 96 s: orders has 40,000,000 rows, 9.3 GB)"),
        (SMALL, "low", " (about less than a second: orders has 800 rows, 120 kB)"),
        (Size(2_000_000, 300_000_000, 0), "high", " (about 4 s: orders has 2,000,000 rows, 300 MB)"),
        (
            Size(0, 10_000_000_000, 0),
            "critical",
            " (about 3 minutes: orders has rows that nobody has counted (ANALYZE), 10 GB)",
        ),
        (Size(0, 0, 0), "low", " (about less than a second: orders has 0 rows, 0 bytes)"),
        (None, "high", ""),
    ],
)
def test_grades(tmp_path: Path, size: Size | None, severity: str, seconds: str) -> None:
    message = f"building index by_note blocks every write to orders until it is done{seconds}"
    assert graded(tmp_path, INDEX, size) == (severity, message)


def test_what_breaks_running_code_is_no_matter_of_size(tmp_path: Path) -> None:
    assert graded(tmp_path, "ALTER TABLE orders DROP COLUMN note;", SMALL)[0] == "high"


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    path.write_text(json.dumps({"orders": {"rows": 1, "bytes": 8192, "index_bytes": 0}}))
    assert migrate.load_sizes(path) == {"orders": Size(1, 8192, 0)}
    path.write_text(json.dumps({"public.orders": {"rows": 1, "bytes": 8192}}))
    assert migrate.load_sizes(path) == {"orders": Size(1, 8192, 0)}
    for text, message in (
        ("[]", "is not an object of tables"),
        ("{", "is not JSON"),
        ('{"a": {"rows": -1, "bytes": 1}}', "a: rows, bytes and index_bytes are whole numbers"),
        ("[" * 100_000, "is not JSON"),
        ('{"a": {"rows": true, "bytes": 1}}', "a: rows, bytes and index_bytes are whole numbers"),
        ('{"a": 5}', "a: rows, bytes and index_bytes are whole numbers, not 5"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            migrate.load_sizes(path)


def test_the_options(tmp_path: Path, backendgen: Run) -> None:
    write(tmp_path, {"m/0001_change.sql": INDEX, "stats.json": '{"orders": {"rows": 5, "bytes": 8192}}'})
    assert backendgen("migrate-check", "m").returncode == 1
    assert backendgen("migrate-check", "m", "--stats", "stats.json").returncode == 0
    assert "pg_table_size" in backendgen("migrate-check", "--stats-query").stdout


def test_a_table_whose_size_is_not_known_is_said(tmp_path: Path, backendgen: Run) -> None:
    write(tmp_path, {"m/0001_change.sql": INDEX, "stats.json": '{"shop.orders": {"rows": 5, "bytes": 8192}}'})
    done = backendgen("migrate-check", "m", "--stats", "stats.json", "--select", "BG701")
    assert done.returncode == 1
    assert "skipped: the sizes of orders are not in the file of --stats: graded without\n" in done.stdout


def test_a_partitioned_table_is_as_large_as_its_partitions(tmp_path: Path) -> None:
    with throw_away(18) as admin:
        session = Session(new_database(admin, "sizes")[0], 30)
        for sql in (
            "CREATE TABLE whole (id int) PARTITION BY RANGE (id)",
            "CREATE TABLE half PARTITION OF whole FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (id)",
            "CREATE TABLE leaf PARTITION OF half FOR VALUES FROM (0) TO (9)",
            "INSERT INTO whole SELECT 1 FROM generate_series(1, 1000)",
            "ANALYZE leaf",
            "CREATE SCHEMA app",
            "CREATE TABLE app.empty (id int)",
        ):
            session.run(sql)
        (tmp_path / "stats.json").write_text(str(session.run(QUERY)[0][0]))
        session.close()
    sizes = migrate.load_sizes(tmp_path / "stats.json")
    assert sizes["whole"] == sizes["half"] == sizes["leaf"]
    assert sizes["leaf"].rows == 1000 and sizes["leaf"].bytes >= 32_768
    assert sizes["app.empty"] == Size(0, 0, 0)


def test_mysql_s_copies_are_graded_too(tmp_path: Path) -> None:
    write(tmp_path, {
        "1_a.sql": "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int) ENGINE=InnoDB;\n",
        "2_b.sql": "ALTER TABLE t MODIFY a varchar(9);\n",
    })  # fmt: skip
    pending, config = migrate.Pending(applied=("1",)), Config(select=("BG750",))
    graded = [
        migrate.check(tmp_path, config, RULEBOOK, pending, sizes={"t": size}).findings[0].severity.word
        for size in (SMALL, LARGE)
    ]
    assert graded == ["low", "critical"]


def test_a_query_for_each_database(backendgen: Run) -> None:
    assert backendgen("migrate-check", "--stats-query").stdout == QUERY
    assert backendgen("migrate-check", "--stats-query", "--dialect", "mariadb").stdout == MYSQL_QUERY
    done = backendgen("migrate-check", "--stats-query", "--dialect", "sqlite")
    assert (done.returncode, done.stderr) == (
        2, "error: --stats-query prints nothing for sqlite: no finding of SQLite's migrations is a matter of size\n"
    )  # fmt: skip
