"""Which database a history is for, and what depends on the server's version."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import write
from typer.testing import CliRunner

from backendgen import migrate
from backendgen.cli import app
from backendgen.config import Config, load
from backendgen.errors import UserError
from backendgen.migrate.readers import read
from backendgen.migrate.timeline import render, timeline
from backendgen.migrate.trace.run import trace
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
PG = "CREATE TABLE t (id bigserial PRIMARY KEY, made timestamptz);"
MYSQL = "CREATE TABLE t (id int NOT NULL AUTO_INCREMENT, PRIMARY KEY (id)) ENGINE=InnoDB;"
SQLITE = "CREATE TABLE t (id integer PRIMARY KEY AUTOINCREMENT);"
PLAIN = "CREATE TABLE t (id int);"


def dialects(root: Path, dialect: str = "") -> list[tuple[str, str]]:
    return [(one.name, one.dialect) for one in read(root, Config(dialect=dialect)).histories]


@pytest.mark.parametrize(
    ("files", "dialect"),
    [
        ({"m/migrations/1_t.sql": PG}, "postgresql"),
        ({"m/migrations/1_t.sql": MYSQL}, "mysql"),
        ({"m/migrations/1_t.sql": SQLITE}, "sqlite"),
        ({"m/migrations/1_t.sql": PLAIN}, "postgresql"),
        ({"m/migrations/1_t.sql": "CREATE TABLE `t` (`id` int);"}, "mysql"),
        ({"m/migrations/1_t.sql": f"{PG} -- not ENGINE=InnoDB, nor `id`, as before\n"}, "postgresql"),
        ({"m/migrations/1_t.sql": PLAIN, "m/migrations/2_t.sql": "PRAGMA foreign_keys = OFF;"}, "sqlite"),
        ({"m/migrations/V1__t.sql": PLAIN, "m/migrations/V2__t.sql": "RENAME TABLE t TO u;"}, "mysql"),
        ({"prisma/migrations/20240101000000_t/migration.sql": PLAIN,
          "prisma/migrations/migration_lock.toml": 'provider = "sqlite"\n'}, "sqlite"),
        ({"prisma/migrations/20240101000000_t/migration.sql": PLAIN,
          "prisma/migrations/migration_lock.toml": 'provider = "mysql"\n'}, "mysql"),
        ({"drizzle/0000_t.sql": PLAIN, "drizzle/meta/_journal.json": '{"dialect": "sqlite"}'}, "sqlite"),
        ({"db/migration/V1__t.sql": PLAIN, "flyway.conf": "flyway.url=jdbc:mariadb://db/shop\n"}, "mariadb"),
        ({"migrations/1_t/up.sql": PG, "migrations/2_t/up.sql": "-- `unsigned`\nALTER TABLE t ADD a int; -- x `y`",
          "migrations/3_t/up.sql": "COMMENT ON TABLE t IS 'has `ticks`';"}, "postgresql"),
        ({"migrations/mariadb/1_t.sql": PLAIN}, "mariadb"),
        ({"mysql-persistence/db/migration/V1__t.sql": PLAIN}, "mysql"),
    ],
)  # fmt: skip
def test_recognised(tmp_path: Path, files: dict[str, str], dialect: str) -> None:
    assert [found for _, found in dialects(write(tmp_path, files))] == [dialect]


def test_told(tmp_path: Path) -> None:
    root = write(tmp_path, {"a/1_t.sql": PLAIN, "mysql/1_t.sql": PLAIN, "sqlite/1_t.sql": PLAIN})
    assert dialects(root) == [("a", "postgresql"), ("mysql", "mysql"), ("sqlite", "sqlite")]
    assert dialects(root, "mariadb") == [("a", "mariadb"), ("mysql", "mariadb")]
    skipped = read(root, Config(dialect="mariadb")).skipped
    assert [str(one) for one in skipped] == ["sqlite holds migrations for SQLite, and mariadb is asked for"]


def findings(root: Path, *select: str, **settings: str) -> list[tuple[str, int, str]]:
    report = migrate.check(root, Config(select=select, confidence="low", **settings), RULEBOOK)  # type: ignore[arg-type]
    return [(one.rule_id, one.location.line, one.message) for one in report.findings]


@pytest.mark.parametrize(
    ("version", "lines"),
    [("5.7", [1, 2, 3]), ("8.0.11", [1, 2, 3]), ("8.0.28", [2, 3]), ("8.0.29", []), ("8.0", []), ("8.4", [])],
)
def test_instant_by_version(tmp_path: Path, version: str, lines: list[int]) -> None:
    change = "ALTER TABLE t ADD COLUMN a int;\nALTER TABLE t ADD COLUMN b int FIRST;\nALTER TABLE t DROP COLUMN a;\n"
    root = write(tmp_path, {"mysql/1_t.sql": MYSQL, "mysql/2_t.sql": change})
    assert [line for _, line, _ in findings(root, "BG760", mysql_version=version)] == lines


@pytest.mark.parametrize(("version", "lines"), [("10.2", [1, 2, 3]), ("10.3", [2, 3]), ("10.4", []), ("11.4", [])])
def test_instant_by_version_of_mariadb(tmp_path: Path, version: str, lines: list[int]) -> None:
    change = "ALTER TABLE t ADD COLUMN a int;\nALTER TABLE t ADD COLUMN b int FIRST;\nALTER TABLE t DROP COLUMN a;\n"
    root = write(tmp_path, {"mariadb/1_t.sql": MYSQL, "mariadb/2_t.sql": change})
    assert [line for _, line, _ in findings(root, "BG760", mariadb_version=version)] == lines


def test_rules_that_hold_anywhere(tmp_path: Path) -> None:
    change = (
        "ALTER TABLE t ADD COLUMN a int NOT NULL;\nDROP TABLE u;\nUPDATE t SET a = 1;\nALTER TABLE t DROP COLUMN id;\n"
    )
    tables = {"1_t.sql": f"{PLAIN}\nCREATE TABLE u (id int);", "2_t.sql": change}
    expected = {
        "mysql": [("BG804", 1), ("BG801", 2), ("BG806", 3), ("BG802", 4)],
        "sqlite": [("BG801", 2), ("BG802", 4)],
    }
    for dialect, wanted in expected.items():
        root = write(tmp_path / dialect, tables)
        assert [(rule, line) for rule, line, _ in findings(root, "BG7", "BG8") if rule > "BG8"] == wanted
    message = (
        "t.a is NOT NULL without a default: rows of t get 0, '' or the like, and INSERTs of the code that runs now fail"
    )
    assert findings(tmp_path / "mysql", "BG804") == [("BG804", 1, message)]


def test_a_rebuild_drops_no_table(tmp_path: Path) -> None:
    change = (
        "CREATE TABLE new_t (id integer);\nINSERT INTO new_t SELECT id FROM t;\nDROP TABLE t;\n"
        "ALTER TABLE new_t RENAME TO t;"
    )
    other = (
        "ALTER TABLE t RENAME TO old;\nCREATE TABLE t (id text);\nINSERT INTO t SELECT id FROM old;\nDROP TABLE old;"
    )
    root = write(tmp_path, {"sqlite/1_t.sql": SQLITE, "sqlite/2_t.sql": change, "sqlite/3_t.sql": other})
    assert findings(root, "BG8") == []


def test_the_change_to_paste(tmp_path: Path) -> None:
    table = "CREATE TABLE `Order` (id int PRIMARY KEY, `key` varchar(20) NOT NULL COMMENT 'it''s') ENGINE=InnoDB;"
    change = "ALTER TABLE `Order` MODIFY `key` int;"
    root = write(tmp_path, {"mysql/1_t.sql": table, "mysql/2_t.sql": change})
    report = migrate.check(root, Config(select=("BG750", "BG757"), confidence="low"), RULEBOOK)
    assert [(one.rule_id, one.message, one.fix) for one in report.findings] == [
        ("BG750",
         "another type (Order.key becomes int): MySQL 8.0 copies all of Order, and writes wait until the copy is done",
         "-- instead of this statement, with a tool that copies the table beside it while writes go on (one of them):\n"
         "-- gh-ost --database=DATABASE --table=Order --alter='MODIFY `key` int' --execute\n"
         "-- pt-online-schema-change --alter 'MODIFY `key` int' D=DATABASE,t=Order --execute"),
        ("BG757", "MODIFY Order.key leaves out NOT NULL and COMMENT 'it's': they are lost without a word",
         "ALTER TABLE `Order` MODIFY COLUMN `key` int NOT NULL COMMENT 'it''s';"),
    ]  # fmt: skip


def test_generic_fixes_use_backticks(tmp_path: Path) -> None:
    root = write(tmp_path, {"mysql/1_t.sql": MYSQL, "mysql/2_t.sql": "ALTER TABLE t DROP COLUMN `userId`;"})
    (one,) = migrate.check(root, Config(select=("BG802",)), RULEBOOK).findings
    assert one.fix.splitlines()[-1] == "ALTER TABLE t DROP COLUMN `userId`;"


def test_what_is_refused_is_said(tmp_path: Path) -> None:
    change = "ALTER TABLE t MODIFY id bigint NOT NULL AUTO_INCREMENT, ALGORITHM=INPLACE;"
    root = write(tmp_path, {"mysql/1_t.sql": MYSQL, "mysql/2_t.sql": change})
    assert findings(root, "BG750") == [
        (
            "BG750",
            1,
            "another type (t.id becomes bigint): MySQL 8.0 refuses ALGORITHM=INPLACE for it, so the migration fails",
        )
    ]


def test_only_postgresql_is_traced(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        trace(write(tmp_path, {"mysql/1_t.sql": MYSQL}), Config())
    assert str(caught.value) == "--trace runs PostgreSQL migrations; these are for another database"


def test_a_column_that_may_be_null_is_meant(tmp_path: Path) -> None:
    table = "CREATE TABLE t (a int NOT NULL, b int NOT NULL DEFAULT 1) ENGINE=InnoDB;"
    change = "ALTER TABLE t MODIFY a int;\nALTER TABLE t MODIFY b int;\nALTER TABLE t MODIFY a bigint;"
    root = write(tmp_path, {"mysql/1_t.sql": table, "mysql/2_t.sql": change})
    assert [(line, message) for _, line, message in findings(root, "BG757")] == [
        (2, "MODIFY t.b leaves out NOT NULL and DEFAULT 1: they are lost without a word")
    ]


def test_the_timeline(tmp_path: Path) -> None:
    change = "ALTER TABLE t MODIFY id bigint NOT NULL AUTO_INCREMENT;\nALTER TABLE t ADD COLUMN a int;\n"
    root = write(tmp_path, {"mysql/1_t.sql": MYSQL, "mysql/2_t.sql": change})
    lines = render(timeline(root, Config())).splitlines()
    assert [line.split() for line in lines if "MODIFY" in line or "ADD" in line] == [
        ["1", *["ALTER", "TABLE", "t", "MODIFY", "id", "bigint", "NOT", "NULL", "AUTO_INCREMENT", "W"]]
    ]


def test_settings(tmp_path: Path) -> None:
    write(tmp_path, {"backendgen.toml": 'dialect = "mysql"\nmysql-version = "8.0.28"\nmariadb-version = "10.11"\n'})
    config = load(tmp_path)
    assert (config.dialect, config.mysql_version, config.mariadb_version) == ("mysql", "8.0.28", "10.11")
    with pytest.raises(UserError) as caught:
        Config(dialect="oracle", mysql_version="5.6", mariadb_version="x")
    assert [one.message for one in caught.value.problems] == [
        "dialect is one of postgresql, mysql, mariadb, sqlite, not 'oracle'",
        "mysql-version is 5.7 to 9, such as 8.0 or 8.0.28, not 5.6",
        "mariadb-version is 10.2 to 12, such as 8.0 or 8.0.28, not x",
    ]


REVISION = """import sqlalchemy as sa
from alembic import op

revision = "{0}"
down_revision = {1}


def upgrade():
    {2}
"""


def test_alembic_is_postgresql_until_told(tmp_path: Path) -> None:
    second = (
        'if op.get_bind().dialect.name == "mysql":\n'
        '        op.execute("ALTER TABLE t MODIFY a bigint, ALGORITHM=COPY")\n'
        '    op.drop_column("t", "b")'
    )
    table = 'op.create_table("t", sa.Column("a", sa.Integer()), sa.Column("b", sa.Text()))'
    root = write(tmp_path, {
        "alembic/versions/1.py": REVISION.format("1", None, table),
        "alembic/versions/2.py": REVISION.format("2", '"1"', second),
    })  # fmt: skip
    assert [(rule, line) for rule, line, _ in findings(root, "BG752", "BG802")] == [("BG802", 11)]
    told = findings(root, "BG752", "BG802", dialect="mysql")
    assert [(rule, line) for rule, line, _ in told] == [("BG752", 10), ("BG802", 11)]


def test_a_database_that_is_not_read_is_known_by_the_tool_s_own_file(tmp_path: Path) -> None:
    write(tmp_path, {"prisma/migrations/migration_lock.toml": 'provider = "sqlserver"\n',
                     "prisma/migrations/20200101000000_a/migration.sql": "CREATE TABLE t (id int);",
                     "prisma/migrations/20200102000000_b/migration.sql": "DROP TABLE t;",
                     "other/1_a.sql": "CREATE TABLE t (id int);"})  # fmt: skip
    found = read(tmp_path, Config())
    assert [str(one) for one in found.skipped] == [
        "prisma/migrations holds migrations for SQL Server, which are not read yet"
    ]
    assert [history.name for history in found.histories] == ["other"]
    assert len(read(tmp_path, Config(dialect="postgresql")).histories) == 2


def test_a_version_that_nothing_is_for_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"a/1_a.sql": "CREATE TABLE t (id serial);\n"})
    done = CliRunner().invoke(app, ["migrate-check", str(tmp_path), "--mysql-version", "8.0"])
    assert isinstance(done.exception, UserError)
    assert str(done.exception) == (
        "--mysql-version does nothing: the migrations here are for postgresql; --dialect says otherwise"
    )
    write(tmp_path, {"b/1_a.sql": "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;\n"})
    assert CliRunner().invoke(app, ["migrate-check", str(tmp_path), "--mysql-version", "8.0"]).exit_code == 0
