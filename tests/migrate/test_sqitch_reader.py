"""Sqitch: the plan's order, reworked changes, the scripts' own transactions, and what the plan gets wrong."""

from __future__ import annotations

from pathlib import Path

from on_disk import histories, kinds, only, write

WHEN = "2024-01-02T03:04:05Z Ada Lovelace <ada@example.com>"
HEAD = "%syntax-version=1.0.0\n%project=shop\n\n"


def plan(*lines: str) -> str:
    return HEAD + "".join(f"{line} {WHEN} # note\n" for line in lines)


def test_the_plan_gives_the_order(tmp_path: Path) -> None:
    write(tmp_path, {
        "sqitch.plan": plan("users", "schema/orders [users]"), "sqitch.conf": "[core]\n\tengine = pg\n",
        "deploy/schema/orders.sql": "BEGIN;\nCREATE TABLE orders (id bigint);\nCOMMIT;\n",
        "deploy/users.sql": "CREATE TABLE users (id bigint);", "revert/users.sql": "DROP TABLE users;",
        "verify/users.sql": "SELECT id FROM users WHERE false;",
    })  # fmt: skip
    users, orders = only(tmp_path)
    assert (users.revision, users.path, users.tool) == ("users", "deploy/users.sql", "sqitch")
    assert (kinds(users), kinds(users, down=True)) == (["CreateTable"], ["DropTable"])
    assert (orders.revision, kinds(orders)) == ("schema/orders", ["Transaction", "CreateTable", "Transaction"])
    assert {action.transactional for action in (*users.up, *orders.up)} == {False}
    assert histories(tmp_path).skipped == ()


def test_a_reworked_change(tmp_path: Path) -> None:
    write(tmp_path, {
        "sqitch.plan": plan("f", "@v1.0", "g", "f [f@v1.0]"),
        "deploy/f@v1.0.sql": "CREATE TABLE f1 (id int);", "deploy/f.sql": "CREATE TABLE f2 (id int);",
        "revert/f.sql": "DROP TABLE f2;", "revert/f@v1.0.sql": "DROP TABLE f1;", "deploy/g.sql": "SELECT 1;",
    })  # fmt: skip
    found = only(tmp_path)
    assert [(one.revision, one.path) for one in found] == [
        ("f@v1.0", "deploy/f@v1.0.sql"), ("g", "deploy/g.sql"), ("f", "deploy/f.sql")]  # fmt: skip
    assert found[0].down[0].operation.tables == ("f1",)


def test_what_is_wrong_with_a_plan(tmp_path: Path) -> None:
    write(tmp_path, {
        "sqitch.plan": plan("a [b]", "b", "b", "gone", "c [other:x !a]"),
        "deploy/a.sql": "SELECT 1;", "deploy/b.sql": "SELECT 1;", "deploy/c.sql": "SELECT 1;", "deploy/d.sql": "SELECT 1;",
    })  # fmt: skip
    found = histories(tmp_path)
    assert [(one.rule_id, one.location.line, one.message) for one in found.refusals] == [
        ("BG905", 4, "a requires b, which does not come before it: Sqitch refuses the plan"),
        ("BG905", 6, "the change b stands in line 5 already, with no tag between"),
        ("BG901", 7, "deploy/gone.sql, the deploy script of gone, is not there"),
    ]
    assert [str(one) for one in found.skipped] == ["deploy/d.sql is in no line of sqitch.plan, so Sqitch never runs it"]


def test_another_engine(tmp_path: Path) -> None:
    write(tmp_path, {
        "sqitch.plan": plan("a"), "sqitch.conf": "[core]\n engine = snowflake\n", "deploy/a.sql": "SELECT 1;",
        "migrations/1_t.sql": "CREATE TABLE t (id int);",
    })  # fmt: skip
    found = histories(tmp_path)
    assert [one.name for one in found.histories] == ["migrations"]
    assert [str(one) for one in found.skipped] == ["sqitch.plan is a plan for snowflake, which is not read yet"]


def test_psql_variables_and_includes(tmp_path: Path) -> None:
    write(tmp_path, {
        "sqitch.plan": plan("a"),
        "deploy/a.sql": "\\set owner app\nALTER TABLE t OWNER TO :owner;\nSELECT :'x'::text;\n"
        "\\ir ../common/i.sql\n\\i no.sql\n",
        "common/i.sql": "CREATE TABLE i (id int);",
    })  # fmt: skip
    (migration,) = only(tmp_path)
    assert [action.path for action in migration.up if action.operation.tables == ("i",)] == ["common/i.sql"]
    unread = [action.operation for action in migration.up if type(action.operation).__name__ == "NotUnderstood"]
    assert [(one.line, one.reason) for one in unread] == [  # type: ignore[attr-defined]
        (5, f"psql's \\i runs SQL that is not in this text: no.sql is not beneath {tmp_path.name}")
    ]


def test_a_revert_that_says_there_is_none(tmp_path: Path) -> None:
    write(tmp_path, {
        "sqitch.plan": plan("a", "b"), "deploy/a.sql": "SELECT 1;", "deploy/b.sql": "DROP TABLE t;",
        "revert/b.sql": "-- irreversible: the rows are gone\nDO $$ BEGIN RAISE EXCEPTION 'gone'; END $$;\n",
    })  # fmt: skip
    assert [one.one_way for one in only(tmp_path)] == [False, True]
