"""SQL folders: which files are migrations, in which order, what is up and down, what runs in a transaction."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import histories, kinds, only, write

from backendgen import migrate
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.rules import Rulebook

TABLE = "CREATE TABLE t (id bigint);"


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10_c.sql", "9_b.sql", "1_a.sql"], ["1_a", "9_b", "10_c"]),
        (["V1__a.sql", "V1.10__c.sql", "V1.9__b.sql", "V2__d.sql"], ["1", "1.9", "1.10", "2"]),
        (["R__views.sql", "V2__b.sql", "V1__a.sql"], ["1", "2", "R__views"]),
        (["20240102030405_b.sql", "20230102030405_a.sql"], ["20230102030405_a", "20240102030405_b"]),
        (["0001_a.up.sql", "0001_a.down.sql", "0002_b.up.sql"], ["0001_a", "0002_b"]),
        (["m/2024-01-02-030405_b/up.sql", "m/2023-01-02-030405_a/up.sql"], ["2023-01-02-030405_a", "2024-01-02-030405_b"]),
        (["b.sql", "a.sql"], ["a", "b"]),
    ],
)  # fmt: skip
def test_order(tmp_path: Path, names: list[str], order: list[str]) -> None:
    migrations = only(write(tmp_path, dict.fromkeys(names, TABLE)))
    assert [migration.revision for migration in migrations] == order
    assert histories(write(tmp_path, {})).refusals == ()


def test_up_and_down_files_are_one_migration(tmp_path: Path) -> None:
    (migration,) = only(write(tmp_path, {"1_t.up.sql": TABLE, "1_t.down.sql": "DROP TABLE t;"}))
    assert (kinds(migration), kinds(migration, down=True)) == (["CreateTable"], ["DropTable"])
    assert (migration.up[0].path, migration.down[0].path) == ("1_t.up.sql", "1_t.down.sql")


def test_a_name_that_ends_in_up_is_no_direction(tmp_path: Path) -> None:
    (migration,) = only(write(tmp_path, {"1_tidy_up.sql": TABLE}))
    assert (migration.tool, kinds(migration)) == ("sql", ["CreateTable"])


def test_an_underscore_is_one_beside_its_counterpart(tmp_path: Path) -> None:
    (migration,) = only(write(tmp_path, {"1-t-up.sql": TABLE, "1-t-down.sql": "DROP TABLE t;"}))
    assert (kinds(migration), kinds(migration, down=True)) == (["CreateTable"], ["DropTable"])


def test_flyway_undo_is_the_down_of_its_version(tmp_path: Path) -> None:
    (migration,) = only(write(tmp_path, {"V1__t.sql": TABLE, "U1__t.sql": "DROP TABLE t;"}))
    assert (kinds(migration), kinds(migration, down=True)) == (["CreateTable"], ["DropTable"])


@pytest.mark.parametrize("mark", ["+goose ", "migrate:", "+migrate "])
def test_sections_keep_their_lines(tmp_path: Path, mark: str) -> None:
    text = f"-- a comment\n-- {mark}Up\nCREATE TABLE t (id int);\n\n-- {mark}Down\n\nDROP TABLE t;\n"
    (migration,) = only(write(tmp_path, {"1_t.sql": text}))
    assert [action.operation.line for action in migration.up] == [3]
    assert [action.operation.line for action in migration.down] == [7]


def test_goose_statement_marks_keep_a_function_whole(tmp_path: Path) -> None:
    body = "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN RETURN NEW; END $$ LANGUAGE plpgsql;"
    text = f"-- +goose Up\n-- +goose StatementBegin\n{body}\n-- +goose StatementEnd\nCREATE TABLE t (id int);\n"
    (migration,) = only(write(tmp_path, {"1_t.sql": text}))
    assert kinds(migration) == ["CreateRoutine", "CreateTable"]


INDEX = "CREATE INDEX CONCURRENTLY i ON t (a);"


@pytest.mark.parametrize(
    ("name", "text", "transactional"),
    [
        ("1_t.sql", INDEX, None),
        ("1_t.sql", f"-- +goose Up\n{INDEX}", True),
        ("1_t.sql", f"-- +goose NO TRANSACTION\n-- +goose Up\n{INDEX}", False),
        ("1_t.sql", f"-- migrate:up\n{INDEX}", True),
        ("1_t.sql", f"-- migrate:up transaction:false\n{INDEX}", False),
        ("1_t.sql", f"-- no-transaction\n{INDEX}", False),
        ("1_t.sql", f"-- atlas:txmode none\n{INDEX}", False),
        ("1_t.up.sql", INDEX, None),
        ("1_t.up.sql", INDEX + TABLE, True),
        ("V1__t.sql", INDEX, False),
        ("V1__t.sql", INDEX + TABLE, True),
        ("1_t.autocommit.up.sql", INDEX + TABLE, False),
        ("1_t.postgres.autocommit.up.sql", INDEX + TABLE, False),
        ("1_t/up.sql", INDEX, True),
        ("1_t/migration.sql", INDEX + TABLE, True),
    ],
)
def test_transaction_mode(tmp_path: Path, name: str, text: str, transactional: bool | None) -> None:
    (migration,) = only(write(tmp_path, {name: text}))
    assert migration.up[0].transactional is transactional


def test_configuration_files_switch_the_transaction_off(tmp_path: Path) -> None:
    write(tmp_path, {"1_t/up.sql": INDEX, "1_t/metadata.toml": "run_in_transaction = false\n"})
    (migration,) = only(write(tmp_path, {}))
    assert migration.up[0].transactional is False


def test_flyway_configuration(tmp_path: Path) -> None:
    (migration,) = only(write(tmp_path, {"V1__t.sql": INDEX + TABLE, "V1__t.sql.conf": "executeInTransaction=false\n"}))
    assert migration.up[0].transactional is False


def test_a_project_root(tmp_path: Path) -> None:
    root = write(tmp_path, {
        "app/db/migrations/1_t.sql": TABLE,
        "queries/users.sql": "SELECT 1;",
        "node_modules/x/migrations/1_t.sql": TABLE,
        ".venv/migrations/1_t.sql": TABLE,
        "migrations/h2/1_t.sql": "CREATE TABLE t (id int);",
    })  # fmt: skip
    found = histories(root)
    assert [history.name for history in found.histories] == ["app/db/migrations"]
    assert [str(one) for one in found.skipped] == ["migrations/h2 holds migrations for H2, which are not read yet"]


def test_files_that_are_no_migrations_are_said(tmp_path: Path) -> None:
    found = histories(write(tmp_path, {"migrations/1_t.sql": TABLE, "migrations/seed.sql": "SELECT 1;"}))
    assert [str(one) for one in found.skipped] == [
        "migrations/seed.sql is named like no migration, so it is not judged"
    ]


def test_folders_are_histories_of_their_own(tmp_path: Path) -> None:
    found = histories(write(tmp_path, {"a/migrations/1_t.sql": TABLE, "b/migrations/1_t.sql": TABLE}))
    assert [history.name for history in found.histories] == ["a/migrations", "b/migrations"]


def test_a_folder_for_each_release_is_one_history(tmp_path: Path) -> None:
    names = [
        "m/0.9/00__a.sql",
        "m/0.10/00__a.sql",
        "m/0.10/01__b.sql",
        "m/mysql/0.9/00__a.sql",
        "m/mysql/0.10/00__a.sql",
    ]
    found = histories(write(tmp_path, dict.fromkeys(names, TABLE)))
    assert [(one.name, [migration.revision for migration in one.migrations]) for one in found.histories] == [
        ("m", ["0.9/00__a", "0.10/00__a", "0.10/01__b"]),
        ("m/mysql", ["0.9/00__a", "0.10/00__a"]),
    ]
    assert [one.dialect for one in found.histories] == ["postgresql", "mysql"]
    assert found.refusals == ()


def test_one_file(tmp_path: Path) -> None:
    root = write(tmp_path, {"1_t.sql": TABLE, "2_t.sql": "ALTER TABLE t ADD COLUMN a int NOT NULL;"})
    report = migrate.check(root / "2_t.sql", Config(select=("BG804",)), Rulebook())
    assert [(one.location.path, one.location.line) for one in report.findings] == [("2_t.sql", 1)]


def test_templates_are_read_as_names(tmp_path: Path) -> None:
    text = 'CREATE TABLE {{ index .Options "Namespace" }}.t (id int);\nCREATE INDEX i ON ${schema}.t (id);\n'
    (migration,) = only(write(tmp_path, {"1_t.sql": text}))
    assert [action.operation.tables for action in migration.up] == [("namespace.t",), ("schema.t",)]


def test_the_same_version_twice(tmp_path: Path) -> None:
    (refusal,) = histories(write(tmp_path, {"1_a.sql": TABLE, "1_b.sql": TABLE})).refusals
    assert refusal.rule_id == "BG905"
    assert (refusal.location.path, refusal.message) == (
        "1_b.sql", "1_b has the version 1 of 1_a: which of them runs first, or at all, is up to the tool"
    )  # fmt: skip


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_nothing_to_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as caught:
        histories(tmp_path / name)
    message = str(caught.value)
    assert (
        ("no such file" in message) if name == "nothing" else ("no migrations found\n  looked for Alembic" in message)
    )


def test_the_variant_for_postgresql_wins(tmp_path: Path) -> None:
    write(tmp_path, {
        "1_a.up.sql": TABLE, "1_a.mysql.up.sql": "DROP TABLE t;", "1_a.down.sql": "DROP TABLE t;",
        "2_b.up.sql": TABLE, "2_b.postgres.up.sql": INDEX, "2_b.sqlite3.up.sql": TABLE,
        "3_c.cockroach.up.sql": TABLE,
    })  # fmt: skip
    found = histories(tmp_path)
    assert [(one.name, one.dialect) for one in found.histories] == [
        (". (mysql)", "mysql"), (".", "postgresql"), (". (sqlite)", "sqlite")
    ]  # fmt: skip
    assert [
        [(each.revision, kinds(each), kinds(each, down=True)) for each in one.migrations] for one in found.histories
    ] == [
        [("1_a", ["DropTable"], ["DropTable"]), ("2_b", ["CreateTable"], [])],
        [("1_a", ["CreateTable"], ["DropTable"]), ("2_b", ["CreateIndex"], [])],
        [("1_a", ["CreateTable"], ["DropTable"]), ("2_b", ["CreateTable"], [])],
    ]
    assert [str(one) for one in found.skipped] == [". holds files for CockroachDB, which are not read yet"]


@pytest.mark.parametrize(
    "folder", ["db/oracle", "mssql-persistence/db", "jdbc-h2/src/migrations", "postgres/clickhouse"]
)
def test_folders_for_other_databases_are_named(tmp_path: Path, folder: str) -> None:
    write(tmp_path, {f"{folder}/1_a.sql": TABLE, "pg-h2/postgres/migrations/1_b.sql": TABLE})
    assert [migration.revision for migration in only(tmp_path)] == ["1_b"]
    assert len(histories(tmp_path).skipped) == 1


def test_a_folder_for_each_version(tmp_path: Path) -> None:
    names = ("v1.0/base", "v1.2/a", "v1.2/c", "v1.10/b")
    write(tmp_path, {f"versioned/{name}.sql": TABLE for name in names})
    assert [migration.revision for migration in only(tmp_path)] == list(names)
    assert histories(tmp_path).refusals == ()
