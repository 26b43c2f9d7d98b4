"""What each tool does in its own way: order, markers, transactions, templates; and what is named because it is not read."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from on_disk import histories, kinds, only, write

from backendgen import migrate
from backendgen.config import READERS, Config
from backendgen.errors import UserError
from backendgen.migrate.history import Migration, Tool
from backendgen.migrate.readers import read, templates
from backendgen.rules import Rulebook
from backendgen.sql import operation as op

TABLE = "CREATE TABLE t (id bigint);"
INDEX = "CREATE INDEX CONCURRENTLY i ON t (id);"
RULEBOOK = Rulebook()


def unread(migration: Migration) -> list[tuple[int, str]]:
    return [(each.operation.line, each.operation.reason) for each in (*migration.up, *migration.down)
            if isinstance(each.operation, op.NotUnderstood)]  # fmt: skip


def test_every_tool_can_be_asked_for() -> None:
    assert set(READERS) == set(get_args(Tool))


def test_dbmate_goes_by_names(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["1_a.sql", "2_b.sql", "10_c.sql"], f"-- migrate:up\n{TABLE}\n-- migrate:down\n"))
    assert [one.revision for one in only(tmp_path)] == ["10_c", "1_a", "2_b"]


def test_a_dump_is_no_migration(tmp_path: Path) -> None:
    write(tmp_path, {
        "schema.sql": "CREATE TABLE t (id int);\n-- Dbmate schema migrations\n",
        "migrations/1_t.sql": f"-- migrate:up\n{TABLE}\n-- migrate:down\nDROP TABLE t;\n",
    })  # fmt: skip
    found = histories(tmp_path)
    assert [one.name for one in found.histories] == ["migrations"]
    assert [str(one) for one in found.skipped] == ["schema.sql is the dump of a schema, not a migration"]


@pytest.mark.parametrize("tool", ["goose", "dbmate"])
def test_statements_before_the_first_marker(tmp_path: Path, tool: str) -> None:
    mark = {"goose": "-- +goose Up", "dbmate": "-- migrate:up"}[tool]
    (migration,) = only(write(tmp_path, {"1_t.sql": f"DROP TABLE x;\n{mark}\n{TABLE}\n"}))
    assert unread(migration) == [(1, f"stands before `{mark}`: {tool} refuses the file")]


def test_goose_sends_a_block_as_one_query(tmp_path: Path) -> None:
    block = f"-- +goose StatementBegin\nSELECT 1;\n{INDEX}\n-- +goose StatementEnd\n"
    write(tmp_path, {"1_t.sql": f"-- +goose NO TRANSACTION\n-- +goose Up\n{block}{INDEX}\n"})
    (migration,) = only(tmp_path)
    assert [(each.operation.line, each.transactional) for each in migration.up] == [(4, True), (5, True), (7, False)]
    report = migrate.check(tmp_path, Config(select=("BG702",)), RULEBOOK)
    assert [(one.location.line, "StatementBegin and StatementEnd" in one.message) for one in report.findings] == [
        (5, True)
    ]


def test_sql_migrate_switches_each_direction(tmp_path: Path) -> None:
    text = f"-- +migrate Up notransaction\n{INDEX}\n-- +migrate Down\nDROP INDEX i;\n"
    (migration,) = only(write(tmp_path, {"1_t.sql": text}))
    assert migration.tool == "sql-migrate"
    assert [each.transactional for each in (*migration.up, *migration.down)] == [False, True]


def test_golang_migrate_sends_statements_apart_when_asked(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"m/1_t.up.sql": INDEX + TABLE, "Makefile": "up:\n\tmigrate -database 'p://x?x-multi-statement=true' up\n"},
    )
    (migration,) = only(tmp_path)
    assert {each.transactional for each in migration.up} == {False}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ .Schema }}.t", "schema.t"), ("{{ if .X }}a{{ else }}b{{ end }}", " a b "),
        ("{% if x %}a{% endif %}", " a "), ("${schema:-app}.t", "app.t"), ("#{table}", "table"),
        ("'{{1,2},{3,4}}'", "'{{1,2},{3,4}}'"), ("'{{1,2}}'", "'{{1,2}}'"), ("{{ name | upper }}", "name"),
        ("${flyway:defaultSchema}.t", "public.t"), ("{{\n.A\n}};", "a\n\n;"), ("${}", "t"),
    ],
)  # fmt: skip
def test_templates(text: str, filled: str) -> None:
    assert templates.fill(text) == filled


def test_a_file_that_is_no_sql_is_said_once(tmp_path: Path) -> None:
    write(tmp_path, {"1_t.sql": TABLE, "2_x.sql": "no sql at all;\n" * 20_000})
    report = migrate.check(tmp_path, Config(select=("BG904",)), RULEBOOK)
    assert [(one.location.path, one.location.line) for one in report.findings] == [("2_x.sql", 1)]
    assert "20,000 of the 20,000 statements here (to line 20000) cannot be parsed" in report.findings[0].message


def test_a_run_of_bad_statements_is_said_once_and_the_others_are_judged(tmp_path: Path) -> None:
    good = "".join(f"CREATE TABLE t{number} (id int);\n" for number in range(10))
    (migration,) = only(write(tmp_path, {"1_t.sql": good + "bad sql;\n" * 6 + "worse;\nDROP TABLE t1;\nbad;\n"}))
    assert [line for line, _ in unread(migration)] == [11, 19]
    assert kinds(migration).count("CreateTable") == 10
    assert kinds(migration)[-2] == "DropTable"


def test_psql_commands(tmp_path: Path) -> None:
    (migration,) = only(
        write(tmp_path, {"1_t.sql": "\\connect other\n\\copy s.t (a, b) from 'x.csv' csv\n\\! rm x\n\\echo a\n"})
    )
    assert unread(migration) == [
        (1, "psql's \\connect goes on in another database; what follows is judged as if it were the same"),
        (3, "psql's \\! runs a program"),
    ]
    assert [(each.operation.line, each.operation.tables) for each in migration.up if each.operation.tables] == [
        (2, ("s.t",))
    ]


@pytest.mark.parametrize(
    ("name", "text", "tool"),
    [
        ("1_a.ts", "class A implements MigrationInterface {}", "TypeORM"), ("1_a.js", "exports.up = knex => 1", "Knex"),
        ("1_a.js", "up: (queryInterface) => 1", "Sequelize"), ("1_a.rb", "class A < ActiveRecord::Migration[7.0]", "Rails"),
        ("1_a.exs", "use Ecto.Migration", "Ecto"), ("1_a.go", "goose.AddMigration(up, down)", "goose (Go)"),
    ],
)  # fmt: skip
def test_migrations_in_other_languages_are_named(tmp_path: Path, name: str, text: str, tool: str) -> None:
    with pytest.raises(UserError) as caught:
        read(write(tmp_path, {f"db/migrations/{name}": text}), Config())
    assert f"db/migrations holds a migration of {tool}, not read: {name}; " in str(caught.value)
    write(tmp_path, {"db/migrations/2_b.sql": TABLE})
    assert len(histories(tmp_path).skipped) == 1


def test_the_reader_that_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"V1__t.sql": TABLE, "2_x.sql": f"-- +goose Up\n{INDEX}"})

    def tools(reader: str) -> list[tuple[str, str]]:
        (history,) = read(tmp_path, Config(reader=reader)).histories
        return [(one.revision, one.tool) for one in history.migrations]

    assert tools("flyway") == [("1", "flyway")]
    assert tools("golang-migrate") == [("2_x", "golang-migrate")]
    assert [tool for _, tool in tools("sql")] == ["sql", "sql"]
    with pytest.raises(UserError, match="looked for migrations of sqitch only"):
        read(tmp_path, Config(reader="sqitch"))
    with pytest.raises(UserError, match=r"not 'flywy' \(did you mean 'flyway'\?\)"):
        Config(reader="flywy")


def test_several_histories_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"a/migrations/1_t.sql": TABLE, "b/migration/V1__t.sql": TABLE})
    report = migrate.check(tmp_path, Config(), RULEBOOK)
    assert report.histories == ("a/migrations (sql, 1 migration)", "b/migration (flyway, 1 migration)")


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def pending(root: Path) -> list[tuple[str, int, str]]:
    config = Config(select=("BG801", "BG906", "BG907"))
    report = migrate.check(root, config, RULEBOOK, pending=migrate.Pending("HEAD"))
    return [(one.location.path, one.location.line, one.rule_id) for one in report.findings]


def test_what_is_new_in_a_file_of_several(tmp_path: Path) -> None:
    text = "--liquibase formatted sql\n--changeset a:1\nCREATE TABLE t (id int);\n"
    write(tmp_path, {"a.sql": text, "R__v.sql": "SELECT 1;", "V1__t.sql": "SELECT 1;"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    write(tmp_path, {
        "a.sql": text + "--changeset a:2\nDROP TABLE t;\n", "R__v.sql": "DROP TABLE u;", "V2__n.sql": "DROP TABLE w;",
    })  # fmt: skip
    assert pending(tmp_path) == [("R__v.sql", 1, "BG801"), ("V2__n.sql", 1, "BG801"), ("a.sql", 5, "BG801")]
    write(tmp_path, {"a.sql": text.replace("int", "bigint")})
    assert ("a.sql", 1, "BG906") in [(path, 1, rule) for path, _, rule in pending(tmp_path)]


def test_a_reworked_change_of_sqitch_is_new(tmp_path: Path) -> None:
    when = "2024-01-02T03:04:05Z Ada <ada@example.com>\n"
    text = f"%project=x\n\na {when}"
    write(tmp_path, {"sqitch.plan": text, "deploy/a.sql": "CREATE TABLE t (id int);"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    write(tmp_path, {
        "sqitch.plan": f"{text}@v1 {when}a [a@v1] {when}",
        "deploy/a@v1.sql": "CREATE TABLE t (id int);", "deploy/a.sql": "DROP TABLE t;",
    })  # fmt: skip
    assert pending(tmp_path) == [("deploy/a.sql", 1, "BG801")]


MARKS = st.sampled_from(
    [
        "--liquibase formatted sql\n",
        "--changeset a:1\n",
        "--rollback ",
        "/* liquibase rollback\n",
        "*/",
        "-- +goose Up\n",
        "-- +goose StatementBegin\n",
        "-- migrate:up\n",
        "-- +migrate Down\n",
        "{{",
        "}}",
        "${",
        "}",
        "#{",
        "{%",
        "%}",
        ":x",
        ":'x'",
        "\\i 2_x.sql\n",
        "\\set a b\n",
        "\\copy t from 'x'\n",
        "DROP TABLE t;\n",
        "$$",
        "'",
        ";",
        "\n",
        "\x00",
        "é",
        "--property name:",
    ]
)
PLAN = st.sampled_from(
    [
        "%project=x\n",
        "a 2024-01-02T03:04:05Z b <c>\n",
        "@v1 2024-01-02T03:04:05Z b <c>\n",
        "[a]",
        "[",
        "]",
        "#",
        "a",
        " ",
        "\n",
        "\x00",
    ]
)
TREE = st.sampled_from(
    [
        "<databaseChangeLog>",
        "</databaseChangeLog>",
        "<changeSet id='1' author='a'>",
        "</changeSet>",
        "<sql>",
        "</sql>",
        "DROP TABLE t",
        "<include file='x.sql'/>",
        "<createTable/>",
        "<addColumn tableName='t'/>",
        "<",
        ">",
        "&amp;",
        "<!DOCTYPE x>",
        "\x00",
        "é",
    ]
)
LISTS = st.sampled_from(
    [
        "databaseChangeLog:",
        "\n",
        "  ",
        "- ",
        "changeSet:",
        "id: 1",
        "changes:",
        "sql: x",
        "{",
        "}",
        "[",
        "]",
        "&a",
        "*a",
        "|",
        "\t",
        ":",
    ]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(MARKS, max_size=25), st.lists(PLAN, max_size=12), st.lists(TREE, max_size=15), st.lists(LISTS, max_size=20)
)
def test_any_text_of_any_tool(tmp_path: Path, sql: list[str], plan: list[str], xml: list[str], yaml: list[str]) -> None:
    write(
        tmp_path,
        {
            "1_t.sql": TABLE,
            "2_x.sql": "".join(sql),
            "sqitch.plan": "%project=x\n" + "".join(plan),
            "deploy/a.sql": "".join(sql),
            "changelog.xml": "<databaseChangeLog>" + "".join(xml),
            "changelog.yaml": "".join(yaml),
            "flyway.toml": "".join(yaml),
        },
    )
    for one in migrate.check(tmp_path, Config(confidence="low"), RULEBOOK).findings:
        assert one.location.line >= 1
