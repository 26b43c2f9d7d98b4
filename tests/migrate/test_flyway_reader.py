"""Flyway's rules: order, settings, placeholders, callbacks, baselines, and what runs in a transaction."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import histories, kinds, only, write

from backendgen import migrate
from backendgen.config import Config
from backendgen.rules import Rulebook

TABLE = "CREATE TABLE t (id bigint);"
INDEX = "CREATE INDEX CONCURRENTLY i ON t (id);"


def test_repeatables_run_after_versions_in_the_order_of_their_descriptions(tmp_path: Path) -> None:
    found = only(write(tmp_path, dict.fromkeys(["R__b.sql", "R__a.sql", "V10__x.sql", "V9__y.sql"], TABLE)))
    assert [(one.revision, one.repeatable) for one in found] == [
        ("9", False), ("10", False), ("R__a", True), ("R__b", True)]  # fmt: skip


def test_callbacks_of_migrate_are_read_and_others_named(tmp_path: Path) -> None:
    write(
        tmp_path, {"V1__t.sql": TABLE, "beforeMigrate.sql": "SET lock_timeout = '2s';", "afterClean.sql": "SELECT 1;"}
    )
    (history,) = histories(tmp_path).histories
    assert [one.revision for one in history.migrations] == ["1", "beforeMigrate"]
    assert history.sets_lock_timeout
    assert [str(one) for one in histories(tmp_path).skipped] == [
        "afterClean.sql is a callback of another command than Flyway's migrate, so it is not judged"
    ]


def test_a_callback_that_switches_the_timeout_off_bounds_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"V1__t.sql": TABLE, "beforeMigrate.sql": "SET lock_timeout = 0;"})
    (history,) = histories(tmp_path).histories
    assert not history.sets_lock_timeout


def test_a_baseline_beside_the_versions_that_it_stands_for(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["V1__a.sql", "V2__b.sql", "B2__all.sql", "V3__c.sql"], TABLE))
    assert [one.revision for one in only(tmp_path)] == ["1", "2", "3"]
    assert [str(one) for one in histories(tmp_path).skipped] == [
        "B2__all.sql is where new databases start; the versions up to 2 are read instead"
    ]


def test_a_baseline_whose_versions_are_gone(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(["B1__old.sql", "B2__all.sql", "V3__c.sql", "R__v.sql"], TABLE))
    assert [one.revision for one in only(tmp_path)] == ["2", "3", "R__v"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flyway.conf", "flyway.placeholders.Schema=app\n"),
        ("flyway.toml", "[flyway.placeholders]\nschema = 'app'\n"),
        ("src/application.properties", "spring.flyway.placeholders.schema=app\n"),
        ("src/application.yml", "spring:\n  flyway:\n    placeholders:\n      schema: app\n"),
    ],
)
def test_placeholders_have_their_values(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, {name: text, "src/migration/V1__t.sql": "CREATE TABLE ${schema}.t (id int);"})
    (migration,) = only(tmp_path)
    assert migration.up[0].operation.tables == ("app.t",)


def test_other_prefixes_of_names_and_placeholders(tmp_path: Path) -> None:
    settings = ("sqlMigrationPrefix=M", "placeholderPrefix=@[", "placeholderSuffix=]", "placeholders.t=users")
    conf = "".join(f"flyway.{one}\n" for one in settings)
    write(tmp_path, {"flyway.conf": conf, "migration/M1__t.sql": "CREATE TABLE @[t] (id int);"})
    (migration,) = only(tmp_path)
    assert (migration.revision, migration.up[0].operation.tables) == ("1", ("users",))


@pytest.mark.parametrize(
    ("conf", "text", "transactional"),
    [
        ("", INDEX + "VACUUM t;", False),
        ("", INDEX + TABLE, True),
        ("flyway.mixed=true", INDEX + TABLE, False),
        ("flyway.executeInTransaction=false", TABLE, False),
        ("", "REINDEX TABLE t;", True),
    ],
)
def test_transactions(tmp_path: Path, conf: str, text: str, transactional: bool) -> None:
    (migration,) = only(write(tmp_path, {"flyway.conf": conf, "migration/V1__t.sql": text}))
    assert {action.transactional for action in migration.up} == {transactional}


def test_a_script_that_is_switched_off(tmp_path: Path) -> None:
    write(tmp_path, {"V1__t.sql": TABLE, "V2__t.sql": TABLE, "V2__t.sql.conf": "shouldExecute=false\n"})
    assert [one.revision for one in only(tmp_path)] == ["1"]


def test_one_location_is_one_history(tmp_path: Path) -> None:
    write(tmp_path, {"db/migration/v1/V1__t.sql": TABLE, "db/migration/v2/V2__t.sql": TABLE})
    (history,) = histories(tmp_path).histories
    assert (history.name, [one.revision for one in history.migrations]) == ("db/migration", ["1", "2"])


def test_folders_with_the_same_versions_are_histories_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, {"db/migration/a/V1__t.sql": TABLE, "db/migration/b/V1__t.sql": TABLE})
    assert [one.name for one in histories(tmp_path).histories] == ["db/migration/a", "db/migration/b"]


@pytest.mark.parametrize(
    ("conf", "confidence"),
    [(None, ["LOW"]), ("flyway.url=jdbc:postgresql:x", ["MEDIUM"]), ("flyway.postgresql.transactional.lock=false", [])],
)
def test_flyways_own_lock_blocks_concurrently(tmp_path: Path, conf: str | None, confidence: list[str]) -> None:
    write(tmp_path, {"migration/V1__t.sql": INDEX, **({"flyway.conf": conf} if conf else {})})
    report = migrate.check(tmp_path, Config(select=("BG702",), confidence="low"), Rulebook())
    assert [one.confidence.name for one in report.findings] == confidence
    assert all("postgresql.transactional.lock=false" in one.message for one in report.findings)


def test_undo_is_the_way_back(tmp_path: Path) -> None:
    (migration,) = only(write(tmp_path, {"V1.0__t.sql": TABLE, "U1.0__t.sql": "DROP TABLE t;"}))
    assert kinds(migration, down=True) == ["DropTable"]


def test_the_same_version_written_twice(tmp_path: Path) -> None:
    write(tmp_path, {"V1__a.sql": TABLE, "V01__b.sql": TABLE})
    assert [one.message for one in histories(tmp_path).refusals] == [
        "1 has the version 1 of 01: which of them runs first, or at all, is up to the tool"
    ]
