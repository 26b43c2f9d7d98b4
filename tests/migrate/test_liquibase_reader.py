"""Liquibase: changesets of formatted SQL, and the order that changelogs in XML, YAML and JSON give."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import histories, kinds, only, write

from backendgen import migrate
from backendgen.config import Config
from backendgen.rules import Rulebook

FORMATTED = """--liquibase formatted sql
--property name:schema value:app

--changeset ada:1
CREATE TABLE ${schema}.t (id bigint);
--rollback DROP TABLE ${schema}.t;

--changeset ada:index runInTransaction:false
CREATE INDEX CONCURRENTLY i ON app.t (id);
/* liquibase rollback
DROP INDEX i;
*/

--changeset bob:view runOnChange:true splitStatements:false endDelimiter:/
CREATE OR REPLACE VIEW v AS SELECT 1 AS a
/
--changeset bob:oracle dbms:oracle
CREATE TABLE o (id NUMBER(10));
"""


def test_formatted_sql(tmp_path: Path) -> None:
    first, index, view = only(write(tmp_path, {"changes.sql": FORMATTED}))
    assert (first.revision, first.tool, first.up[0].operation.tables) == ("ada:1", "liquibase", ("app.t",))
    assert [(one.operation.line, one.transactional) for one in first.up] == [(5, True)]
    assert [(one.operation.line, one.operation.column) for one in first.down] == [(6, 12)]
    assert [one.transactional for one in index.up] == [False]
    assert [(type(one.operation).__name__, one.operation.line) for one in index.down] == [("DropIndex", 11)]
    assert (view.repeatable, kinds(view)) == (True, ["CreateView"])
    assert [str(one) for one in histories(tmp_path).skipped] == [
        "changes.sql has changesets for other databases (oracle), not read"
    ]


def test_statements_before_the_first_changeset(tmp_path: Path) -> None:
    write(tmp_path, {"a.sql": "--liquibase formatted sql\nDROP TABLE x;\n--changeset a:1\nSELECT 1;\n"})
    assert [str(one) for one in histories(tmp_path).skipped] == [
        "a.sql has statements before its first --changeset, which Liquibase does not run"
    ]


def test_the_same_changeset_twice(tmp_path: Path) -> None:
    text = "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n--changeset a:1\nSELECT 2;\n"
    (refusal,) = histories(write(tmp_path, {"a.sql": text})).refusals
    assert (refusal.rule_id, refusal.location.line) == ("BG905", 4)


MASTERS = {
    "xml": """<?xml version="1.0"?>
<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog">
  <include file="changes/b.sql" relativeToChangelogFile="true"/>
  <includeAll path="db/changelog/more/"/>
  <changeSet id="x" author="ada">
    <addColumn tableName="t"><column name="c" type="varchar(20)"><constraints nullable="false"/></column></addColumn>
    <sql>DROP TABLE old;</sql>
    <rollback/>
  </changeSet>
</databaseChangeLog>
""",
    "yaml": """databaseChangeLog:
  - include:
      file: changes/b.sql
      relativeToChangelogFile: true
  - includeAll:
      path: db/changelog/more/
  - changeSet:
      id: x
      author: ada
      changes:
        - addColumn:
            tableName: t
            columns:
              - column: {name: c, type: varchar(20), constraints: {nullable: false}}
        - sql:
            sql: |
              DROP TABLE old;
      rollback: ""
""",
    "json": """{"databaseChangeLog": [
  {"include": {"file": "changes/b.sql", "relativeToChangelogFile": true}},
  {"includeAll": {"path": "db/changelog/more/"}},
  {"changeSet": {"id": "x", "author": "ada", "changes": [
    {"addColumn": {"tableName": "t", "columns": [
      {"column": {"name": "c", "type": "varchar(20)", "constraints": {"nullable": false}}}]}},
    {"sql": {"sql": "DROP TABLE old;"}}], "rollback": ""}}]}
""",
}


@pytest.mark.parametrize(("form", "lines"), [("xml", [6, 7]), ("yaml", [11, 17]), ("json", [5, 7])])
def test_a_master_changelog(tmp_path: Path, form: str, lines: list[int]) -> None:
    write(tmp_path, {
        f"db/changelog/master.{form}": MASTERS[form],
        "db/changelog/changes/b.sql": "--liquibase formatted sql\n--changeset ada:b\nCREATE TABLE t (id bigint);\n",
        "db/changelog/changes/forgotten.sql": "--liquibase formatted sql\n--changeset ada:f\nSELECT 1;\n",
        "db/changelog/more/2.sql": "SELECT 2;", "db/changelog/more/1.sql": "SELECT 1;",
    })  # fmt: skip
    found = only(tmp_path)
    assert [one.revision for one in found] == ["ada:b", "db/changelog/more/1.sql", "db/changelog/more/2.sql", "ada:x"]
    assert [(type(one.operation).__name__, one.operation.line) for one in found[3].up] == [
        ("AddColumn", lines[0]), ("DropTable", lines[1])]  # fmt: skip
    assert found[3].down == ()
    assert [str(one) for one in histories(tmp_path).skipped] == [
        "db/changelog/changes/forgotten.sql is included by no changelog, so Liquibase never runs it"
    ]


def test_changes_are_taken_back_as_liquibase_does(tmp_path: Path) -> None:
    text = """<databaseChangeLog>
<changeSet id="1" author="a"><createTable tableName="t"><column name="id" type="bigint" autoIncrement="true">
<constraints primaryKey="true"/></column></createTable>
<createIndex tableName="t" indexName="i"><column name="id"/></createIndex></changeSet>
<changeSet id="2" author="a"><customChange class="com.example.Move"/></changeSet>
</databaseChangeLog>"""
    first, second = only(write(tmp_path, {"changelog.xml": text}))
    assert (kinds(first), kinds(first, down=True)) == (["CreateTable", "CreateIndex"], ["DropIndex", "DropTable"])
    assert [one.operation.reason for one in second.up] == [  # type: ignore[attr-defined]
        "Liquibase's customChange is not read here; check what `liquibase update-sql` prints"
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("changelog.xml", '<!DOCTYPE x [<!ENTITY a "b">]><databaseChangeLog>&a;</databaseChangeLog>',
         "changelog.xml is no changelog that can be read: declares entities, which are not read"),
        ("changelog.xml", "<databaseChangeLog><changeSet></databaseChangeLog>",
         "changelog.xml is no changelog that can be read: mismatched tag"),
        ("changelog.yaml", "databaseChangeLog:\n  - include: {file: gone.sql}\n",
         "changelog.yaml includes gone.sql, which is not there"),
        ("changelog.xml", "<databaseChangeLog>" + "<a>" * 200,
         "changelog.xml is no changelog that can be read: nested too deeply"),
    ],
)  # fmt: skip
def test_changelogs_that_cannot_be_read(tmp_path: Path, name: str, text: str, message: str) -> None:
    write(tmp_path, {name: text, "1_t.sql": "CREATE TABLE t (id bigint);"})
    report = migrate.check(tmp_path, Config(select=("BG901",)), Rulebook())
    assert [one.message for one in report.findings] == [message]


def test_a_changeset_that_says_there_is_no_way_back(tmp_path: Path) -> None:
    text = (
        "--liquibase formatted sql\n--changeset a:1\nDROP TABLE t;\n-- irreversible: its rows are gone\n"
        "--changeset a:2\nDROP TABLE u;\n"
    )
    assert [one.one_way for one in only(write(tmp_path, {"a.sql": text}))] == [True, False]


def test_statements_are_numbered_through_a_changeset(tmp_path: Path) -> None:
    log = """{"databaseChangeLog": [{"changeSet": {"id": "x", "author": "ada", "changes": [
      {"sql": {"sql": "UPDATE t SET a = 1; UPDATE t SET a = 1"}}, {"addColumn": {"tableName": "t", "columns": [
      {"column": {"name": "c", "type": "int"}}]}}, {"sql": {"sql": "UPDATE t SET a = 1"}}],
      "rollback": [{"sql": {"sql": "SELECT 1"}}, {"sql": {"sql": "SELECT 2"}}]}}]}"""
    (migration,) = only(write(tmp_path, {"db/changelog.json": log}))
    assert [one.operation.statement for one in migration.up] == [0, 1, 2, 3]
    assert [one.operation.statement for one in migration.down] == [0, 1]
