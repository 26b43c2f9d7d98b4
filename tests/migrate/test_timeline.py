"""The lock timeline, as it is printed."""

from __future__ import annotations

from pathlib import Path

from conftest import ROOT, Run
from on_disk import write

from backendgen.config import Config
from backendgen.migrate.pending import Pending
from backendgen.migrate.timeline import render, timeline

UNSAFE = ROOT / "examples" / "migrations" / "unsafe"


def test_locks_are_held_until_the_transaction_ends(backendgen: Run, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "m/0001_both.sql": """BEGIN;
ALTER TABLE orders ADD COLUMN note text;
ALTER TABLE customers ADD CONSTRAINT k FOREIGN KEY (o) REFERENCES orders (id) NOT VALID;
UPDATE customers SET name = lower(name);
COMMIT;
CREATE INDEX CONCURRENTLY by_note ON orders (note);
CREATE INDEX by_name ON customers (name);
"""
        },
    )
    assert (
        backendgen("migrate-check", "m", "--graph").stdout
        == """0001_both.sql
                                                               orders  customers
  2  ALTER TABLE orders ADD COLUMN note text                   X
  3  ALTER TABLE customers ADD CONSTRAINT k FOREIGN KEY (o...  |       W
  4  UPDATE customers SET name = lower(name)                   |       |
  7  CREATE INDEX by_name ON customers (name)                          W

X blocks reads and writes   W blocks writes   | held until the transaction ends
"""
    )


def test_only_what_is_pending(backendgen: Run) -> None:
    done = backendgen("migrate-check", UNSAFE, "--graph", "--applied", "0004")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "0005_tidy_up.sql")
    assert backendgen("migrate-check", UNSAFE, "--graph", "--applied", "5").stdout == "no statement blocks anybody\n"


def test_calls_on_one_line_are_statements_of_their_own(backendgen: Run, tmp_path: Path) -> None:
    changes = (
        '<addNotNullConstraint tableName="a" columnName="n"/>'
        '<createIndex tableName="a" indexName="i"><column name="n"/></createIndex>'
    )
    changelog = f'<databaseChangeLog><changeSet id="1" author="me">{changes}</changeSet></databaseChangeLog>'
    write(tmp_path, {"m/changelog.xml": changelog})
    rows = backendgen("migrate-check", "m", "--graph").stdout.splitlines()[2:4]
    assert [" ".join(row.split()) for row in rows] == [
        "1 ALTER TABLE a ALTER COLUMN n SET NOT NULL X",
        "1 CREATE INDEX i ON a (n) |",
    ]


def test_many_tables_are_named_in_their_rows(backendgen: Run, tmp_path: Path) -> None:
    sql = "".join(f"ALTER TABLE a_long_name_of_table_{number} ADD COLUMN n int;\n" for number in range(9))
    write(tmp_path, {"m/0001_all.sql": f"BEGIN;\n{sql}COMMIT;\n"})
    lines = backendgen("migrate-check", "m", "--graph").stdout.splitlines()
    assert lines[1].endswith("  X a_long_name_of_table_0")
    assert lines[9].endswith("  X a_long_name_of_table_8, | 8 tables")


def test_what_has_no_statement_shows_its_call(backendgen: Run, tmp_path: Path) -> None:
    migration = (
        "from django.db import migrations\n\n\ndef fill(apps, schema_editor):\n    pass\n\n\n"
        "class Migration(migrations.Migration):\n    dependencies = []\n    operations = [\n"
        '        migrations.RunSQL("ALTER TABLE a ADD COLUMN n int", "SELECT 1"),\n'
        "        migrations.RunPython(fill),\n    ]\n"
    )
    write(tmp_path, {"shop/migrations/0001_first.py": migration})
    rows = backendgen("migrate-check", ".", "--graph").stdout.splitlines()
    assert [" ".join(row.split()) for row in rows[2:4]] == [
        "11 ALTER TABLE a ADD COLUMN n int X",
        "12 migrations.RunPython(fill) |",
    ]


def test_a_new_table_that_refers_to_itself_blocks_nobody(backendgen: Run, tmp_path: Path) -> None:
    write(
        tmp_path,
        {"m/1_a.sql": "CREATE TABLE tree (id int PRIMARY KEY, top int REFERENCES tree, x int REFERENCES old);"},
    )
    assert backendgen("migrate-check", "m", "--graph").stdout.splitlines()[1].split() == ["old"]


def test_memory_grows_with_what_is_locked_not_with_what_is_held(tmp_path: Path) -> None:
    tables = range(300)
    write(tmp_path, {
        "1_a.sql": "".join(f"CREATE TABLE t{one} (id int);\n" for one in tables),
        "2_b.sql": f"BEGIN;\n{''.join(f'ALTER TABLE t{one} ADD COLUMN b int;{chr(10)}' for one in tables)}COMMIT;\n",
    })  # fmt: skip
    moments = timeline(tmp_path, Config(), Pending(applied=("1",)))
    assert sum(len(one.taken) for one in moments) == 300
    assert render(moments).splitlines()[300].endswith("X t299, | 299 tables")
