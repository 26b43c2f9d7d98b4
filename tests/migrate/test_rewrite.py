"""`--fix`: what is written, byte for byte, and what is left alone."""

from __future__ import annotations

import ast
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from on_disk import write
from typer.testing import CliRunner

from backendgen import files, migrate
from backendgen.cli import app
from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.migrate import plan as planning
from backendgen.migrate import rewrite
from backendgen.migrate.pending import Pending
from backendgen.rules import Example, Rulebook
from backendgen.sql.operation import CreateIndex, NotUnderstood
from backendgen.sql.postgres import parse

RULEBOOK = Rulebook()
PLAIN = Config(ignore=("BG724", "BG741", "BG819"))
FIRST = (
    "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL);\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, status text);\n"
)
KEY = "ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id)"
SECOND = f"CREATE INDEX orders_by_user ON orders (user_id);\n{KEY};\nALTER TABLE users ADD UNIQUE (email);\n"
BACK = (
    "ALTER TABLE users DROP CONSTRAINT users_email_key;\nALTER TABLE orders DROP CONSTRAINT orders_user;\n"
    "DROP INDEX orders_by_user;\n"
)
INDEX = "CREATE INDEX CONCURRENTLY orders_by_user ON orders (user_id);\n"
UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);\n"
ADOPTED = "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;\n"
VALIDATED = "ALTER TABLE orders VALIDATE CONSTRAINT orders_user;\n"
ROLLED_BACK = (
    "CREATE INDEX orders_by_user ON orders (user_id);\n--rollback DROP INDEX orders_by_user;\n"
    f"{KEY};\nALTER TABLE users ADD UNIQUE (email);\n--rollback ALTER TABLE users DROP CONSTRAINT users_email_key;\n"
    "--rollback ALTER TABLE orders DROP CONSTRAINT orders_user;\n"
)
WHEN = "2026-01-01T00:00:00Z Ada <ada@example.org>"
SET, LOCAL = "SET lock_timeout = '2s';\n", "SET LOCAL lock_timeout = '2s';\n"


def fixed(root: Path, applied: str = "1", config: Config = PLAIN) -> rewrite.Fixed:
    return rewrite.fix(root, config, RULEBOOK, Pending(applied=(applied,)))


def written(plan: rewrite.Fixed) -> dict[str, str]:
    return {file.path: file.content.decode() for file in plan.files}


def second(root: Path, text: str) -> dict[str, str]:
    plan = fixed(write(root, {"1_a.sql": FIRST, "2_b.sql": text}))
    assert plan.unfixed == ()
    return written(plan)


@pytest.mark.parametrize(
    ("before", "applied", "after"),
    [
        ({"1_a.sql": FIRST, "2_b.sql": SECOND}, "1", {
            "2_b.sql": INDEX, "3_b_then.sql": f"{SET}{KEY} NOT VALID;\n", "4_b_concurrently.sql": UNIQUE,
            "5_b_then.sql": f"{SET}{ADOPTED}", "6_b_validate.sql": VALIDATED}),
        ({"1_a.sql": f"-- +goose Up\n{FIRST}-- +goose Down\nDROP TABLE orders;\nDROP TABLE users;\n",
          "2_b.sql": f"-- +goose Up\n{SECOND}\n-- +goose Down\n{BACK}"}, "1", {
            "2_b.sql": f"-- +goose NO TRANSACTION\n-- +goose Up\n{INDEX}\n-- +goose Down\nDROP INDEX orders_by_user;\n",
            "3_b_then.sql": f"-- +goose Up\n{LOCAL}{KEY} NOT VALID;\n\n-- +goose Down\n"
                            "ALTER TABLE orders DROP CONSTRAINT orders_user;\n",
            "4_b_concurrently.sql": f"-- +goose NO TRANSACTION\n-- +goose Up\n{UNIQUE}\n-- +goose Down\n"
                                    "DROP INDEX IF EXISTS users_email_key;\n",
            "5_b_then.sql": f"-- +goose Up\n{LOCAL}{ADOPTED}\n-- +goose Down\n"
                            "ALTER TABLE users DROP CONSTRAINT users_email_key;\n"
                            "CREATE UNIQUE INDEX users_email_key ON users (email);\n",
            "6_b_validate.sql": f"-- +goose Up\n{VALIDATED}\n-- +goose Down\n"}),
        ({"20260101000000_a.sql": f"-- migrate:up\n{FIRST}", "20260101000059_b.sql": f"-- migrate:up\n{SECOND}"},
         "20260101000000", {
            "20260101000059_b.sql": f"-- migrate:up transaction:false\n{INDEX}",
            "20260101000100_b_then.sql": f"-- migrate:up\n{LOCAL}{KEY} NOT VALID;\n",
            "20260101000101_b_concurrently.sql": f"-- migrate:up transaction:false\n{UNIQUE}",
            "20260101000102_b_then.sql": f"-- migrate:up\n{LOCAL}{ADOPTED}",
            "20260101000103_b_validate.sql": f"-- migrate:up\n{VALIDATED}"}),
        ({"001_a.up.sql": FIRST, "001_a.down.sql": "DROP TABLE orders, users;\n", "002_b.up.sql": f"{KEY};\n",
          "002_b.down.sql": "ALTER TABLE orders DROP CONSTRAINT orders_user;\n"}, "1", {
            "002_b.up.sql": f"{LOCAL}{KEY} NOT VALID;\n", "003_b_validate.up.sql": VALIDATED,
            "003_b_validate.down.sql": "-- nothing to take back: the migration before this one does\nSELECT 1;\n"}),
        ({"V1__a.sql": FIRST, "V1_1__b.sql": SECOND, "V2__c.sql": "SELECT 1;\n"}, "1", {
            "V1_1__b.sql": INDEX, "V1_1_1__b_then.sql": f"{LOCAL}{KEY} NOT VALID;\n",
            "V1_1_2__b_concurrently.sql": UNIQUE, "V1_1_3__b_then.sql": f"{LOCAL}{ADOPTED}",
            "V1_1_4__b_validate.sql": VALIDATED}),
        ({"2026-01-01-000000_a/up.sql": FIRST, "2026-01-02-235959_b/up.sql": f"CREATE TABLE t (a int);\n{INDEX}"},
         "2026-01-01-000000_a", {
            "2026-01-02-235959_b/up.sql": "CREATE TABLE t (a int);\n",
            "2026-01-03-000000_b_concurrently/metadata.toml": "run_in_transaction = false\n",
            "2026-01-03-000000_b_concurrently/up.sql": INDEX}),
        ({"20260101000000_a/migration.sql": FIRST, "20260102000000_b/migration.sql": f"{KEY};\n"},
         "20260101000000_a", {
            "20260102000000_b/migration.sql": f"{LOCAL}{KEY} NOT VALID;\n",
            "20260102000001_b_validate/migration.sql": VALIDATED}),
        ({"a.sql": f"--liquibase formatted sql\n\n--changeset ann:1\n{FIRST}--rollback DROP TABLE orders, users;\n\n"
                   f"--changeset ann:2 context:all\n{ROLLED_BACK}\n--changeset ann:3\nSELECT 1;\n--rollback empty\n"},
         "ann:1", {
            "a.sql": f"--liquibase formatted sql\n\n--changeset ann:1\n{FIRST}--rollback DROP TABLE orders, users;\n\n"
                     f"--changeset ann:2 context:all runInTransaction:false\n{INDEX}"
                     "--rollback DROP INDEX orders_by_user;\n\n"
                     f"--changeset ann:2-then context:all\n{LOCAL}{KEY} NOT VALID;\n"
                     "--rollback ALTER TABLE orders DROP CONSTRAINT orders_user;\n\n"
                     f"--changeset ann:2-concurrently context:all runInTransaction:false\n{UNIQUE}"
                     "--rollback DROP INDEX IF EXISTS users_email_key;\n\n"
                     f"--changeset ann:2-then-2 context:all\n{LOCAL}{ADOPTED}"
                     "--rollback ALTER TABLE users DROP CONSTRAINT users_email_key;\n"
                     "--rollback CREATE UNIQUE INDEX users_email_key ON users (email);\n\n"
                     f"--changeset ann:2-validate context:all\n{VALIDATED}--rollback empty\n\n"
                     "--changeset ann:3\nSELECT 1;\n--rollback empty\n"}),
        ({"sqitch.plan": f"%project=shop\n\na {WHEN} # one\nb [a] {WHEN} # two\nc {WHEN}\n", "deploy/a.sql": FIRST,
          "revert/a.sql": "DROP TABLE orders, users;\n", "deploy/c.sql": "SELECT 1;\n", "revert/c.sql": "SELECT 1;\n",
          "deploy/b.sql": f"-- Deploy shop:b to pg\n-- requires: a\n\nBEGIN;\n\n{KEY};\n\nCOMMIT;\n",
          "revert/b.sql": "-- Revert shop:b from pg\n\n"
                          "BEGIN;\n\nALTER TABLE orders DROP CONSTRAINT orders_user;\n\nCOMMIT;\n",
          "verify/b.sql": "-- Verify shop:b on pg\n\nBEGIN;\nSELECT 1;\nROLLBACK;\n"}, "a", {
            "sqitch.plan": f"%project=shop\n\na {WHEN} # one\nb [a] {WHEN} # two\n"
                           f"b_validate [b] {WHEN} # goes on with b\nc {WHEN}\n",
            "deploy/b.sql": f"-- Deploy shop:b to pg\n-- requires: a\n\nBEGIN;\n{LOCAL}{KEY} NOT VALID;\nCOMMIT;\n",
            "deploy/b_validate.sql": f"-- Deploy shop:b_validate to pg\n\nBEGIN;\n{VALIDATED}COMMIT;\n",
            "revert/b.sql": "-- Revert shop:b from pg\n\nBEGIN;\nALTER TABLE orders DROP CONSTRAINT orders_user;\nCOMMIT;\n",
            "revert/b_validate.sql": "-- Revert shop:b_validate from pg\n\n"
                                     "-- nothing to take back: the change before this one does\nSELECT 1;\n",
            "verify/b_validate.sql": "-- Verify shop:b_validate on pg\n\nBEGIN;\n\n"
                                     "-- the change fails by itself when it cannot do what it says\nSELECT 1;\n\n"
                                     "ROLLBACK;\n"}),
    ],
    ids=["sql", "goose", "dbmate", "golang-migrate", "flyway", "diesel", "prisma", "liquibase", "sqitch"],
)  # fmt: skip
def test_in_the_way_of_each_tool(before: dict[str, str], applied: str, after: dict[str, str], tmp_path: Path) -> None:
    plan = fixed(write(tmp_path, before), applied)
    assert (written(plan), plan.unfixed) == (after, ())
    files.write_tree(plan.root, plan.files, force=True)
    again = migrate.check(tmp_path, PLAIN, RULEBOOK, Pending(applied=(applied,)))
    assert [(one.rule_id, one.message) for one in again.findings] == []


def test_comments_and_layout_stay(tmp_path: Path) -> None:
    text = (
        "-- Licence\n\n/* both\n   of them */\nalter table orders\n    add column note text, -- a note\n"
        "    add constraint s check (status <> 'a, b' -- why\n    and status <> '');\n\n"
        "-- the rest\ncomment on table orders is 'x';\n"
    )
    assert second(tmp_path, text) == {"2_b.sql": text.replace("/* both", f"{SET}/* both")}, (
        "comments inside keep it whole"
    )
    plain = text.replace(" -- a note", "").replace(" -- why", "")
    assert second(tmp_path, plain) == {
        "2_b.sql": (
            f"-- Licence\n\n{SET}/* both\n   of them */\nalter table orders\n    add column note text;\n"
            "alter table orders add constraint s check (status <> 'a, b'\n    and status <> '') NOT VALID;\n"
            "\n-- the rest\ncomment on table orders is 'x';\n"
        ),
        "3_b_validate.sql": "ALTER TABLE orders VALIDATE CONSTRAINT s;\n",
    }


def test_line_ends_and_byte_order_mark_stay(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf-- \xc3\xa9\r\n" + KEY.encode() + b";\r\n"
    plan = fixed(write(tmp_path, {"1_a.sql": FIRST, "2_b.sql": text}))
    assert {file.path: file.content for file in plan.files} == {
        "2_b.sql": b"\xef\xbb\xbfSET lock_timeout = '2s';\r\n-- \xc3\xa9\r\n" + KEY.encode() + b" NOT VALID;\r\n",
        "3_b_validate.sql": VALIDATED.encode().replace(b"\n", b"\r\n"),
    }


def test_begin_and_commit_stay_around_each_transaction(tmp_path: Path) -> None:
    assert second(tmp_path, f"-- why\nBEGIN;\n{KEY};\nCOMMIT;\n") == {
        "2_b.sql": f"BEGIN;\n{LOCAL}-- why\n{KEY} NOT VALID;\nCOMMIT;\n",
        "3_b_validate.sql": f"BEGIN;\n{VALIDATED}COMMIT;\n",
    }


def test_not_null_by_way_of_a_check(tmp_path: Path) -> None:
    check = "orders_status_not_null_check"
    assert second(tmp_path, "ALTER TABLE orders ALTER COLUMN status SET NOT NULL;\n") == {
        "2_b.sql": f"{SET}ALTER TABLE orders ADD CONSTRAINT {check} CHECK (status IS NOT NULL) NOT VALID;\n",
        "3_b_validate.sql": f"ALTER TABLE orders VALIDATE CONSTRAINT {check};\n",
        "4_b_then.sql": (
            f"{SET}ALTER TABLE orders ALTER COLUMN status SET NOT NULL;\nALTER TABLE orders DROP CONSTRAINT {check};\n"
        ),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE TABLE {{ name }} (a int);\nCREATE INDEX i ON orders ({{ c }});\n", "line 2 is not changed: its text"),
        ("SELECT 1; BEGIN;\nCREATE INDEX i ON orders (id);\nCOMMIT;\n", "is not changed: it begins and ends transactions"),
        (f"CREATE TABLE t (a int);\n{INDEX}", "is not changed: it must be split in two, and no number is left before 3_c"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_is_said(text: str, reason: str, tmp_path: Path) -> None:
    config = Config(select=("BG701", "BG702"), confidence="low")
    plan = fixed(
        write(tmp_path, {"1_a.up.sql": FIRST, "2_b.up.sql": text, "3_c.up.sql": "DROP TABLE users;"}), config=config
    )
    assert plan.files == ()
    assert str(plan.unfixed[0]).startswith(f"2_b.up.sql {reason}")


def test_ignored_and_deselected_findings_stay(tmp_path: Path) -> None:
    text = f"-- backendgen: ignore[BG704] the table is tiny\n{KEY};\n"
    assert second(tmp_path, text) == {"2_b.sql": f"{SET}{text}"}
    assert fixed(tmp_path, config=Config(ignore=("BG7",))).files == ()


REVISION = """from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    # the list
    op.create_index("i", "orders", ["user_id"])  # often
    op.create_foreign_key(
        "orders_user", "orders", "users",
        ["user_id"], ["id"],
    )
    op.alter_column("orders", "status", nullable=False)
    if True:
        op.execute("CREATE INDEX j ON users (email)")
"""


def test_a_revision(tmp_path: Path) -> None:
    first = REVISION.partition("    # the list")[0].replace('"1"', "None").replace('"2"', '"1"')
    first += f'    op.execute("""{FIRST}""")\n'
    write(tmp_path, {"versions/1_a.py": first, "versions/2_b.py": REVISION})
    plan = fixed(tmp_path)
    assert written(plan)["versions/2_b.py"].partition("def upgrade")[2].splitlines()[1:] == [
        "    # the list",
        "    with op.get_context().autocommit_block():",
        '        op.create_index("i", "orders", ["user_id"], postgresql_concurrently=True)  # often',
        """    op.execute("SET LOCAL lock_timeout = '2s'")""",
        "    op.create_foreign_key(",
        '        "orders_user", "orders", "users",',
        '        ["user_id"], ["id"],',
        "        postgresql_not_valid=True,",
        "    )",
        "    with op.get_context().autocommit_block():",
        '        op.execute("ALTER TABLE orders VALIDATE CONSTRAINT orders_user")',
        """    op.execute("SET LOCAL lock_timeout = '2s'")""",
        '    op.execute("ALTER TABLE orders ADD CONSTRAINT orders_status_not_null_check '
        'CHECK (status IS NOT NULL) NOT VALID")',
        "    with op.get_context().autocommit_block():",
        '        op.execute("ALTER TABLE orders VALIDATE CONSTRAINT orders_status_not_null_check")',
        """    op.execute("SET LOCAL lock_timeout = '2s'")""",
        '    op.execute("ALTER TABLE orders ALTER COLUMN status SET NOT NULL")',
        '    op.execute("ALTER TABLE orders DROP CONSTRAINT orders_status_not_null_check")',
        "    if True:",
        '        op.execute("CREATE INDEX j ON users (email)")',
    ]
    assert [one.message for one in plan.unfixed] == [
        "line 15 is not changed: the change stands in a loop, a condition or a block"
    ]


# ---- what may be touched


def git(root: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", root, *settings, *arguments], check=True, capture_output=True)


def test_only_what_git_has_not_committed(tmp_path: Path) -> None:
    write(tmp_path, {"1_a.sql": FIRST, "2_b.sql": f"{KEY};\n"})
    with pytest.raises(UserError, match="no database has run"):
        rewrite.fix(tmp_path, Config(), RULEBOOK)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "1_a.sql")
    git(tmp_path, "commit", "-qm", "a")
    assert set(written(rewrite.fix(tmp_path, Config(), RULEBOOK))) == {"2_b.sql", "3_b_validate.sql"}
    git(tmp_path, "add", "2_b.sql")
    git(tmp_path, "commit", "-qm", "b")
    with pytest.raises(UserError, match="every migration is committed, so it may have been applied"):
        rewrite.fix(tmp_path, Config(), RULEBOOK)
    since = rewrite.fix(tmp_path, Config(), RULEBOOK, Pending(since="HEAD~1"))
    assert set(written(since)) == {"2_b.sql", "3_b_validate.sql"}
    assert set(written(rewrite.fix(tmp_path, Config(), RULEBOOK, everything=True))) == {"2_b.sql", "3_b_validate.sql"}


# ---- the command line


def invoke(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["migrate-check", *map(str, arguments)])
    if isinstance(done.exception, UserError):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_diff_shows_and_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"1_a.sql": FIRST, "2_b.sql": f"{KEY};\n"})
    code, out, _ = invoke(tmp_path, "--applied", "1", "--fix", "--diff")
    assert code == 1
    assert out.splitlines() == [
        "--- a/2_b.sql", "+++ b/2_b.sql", "@@ -1 +1,2 @@", f"-{KEY};", "+SET lock_timeout = '2s';", f"+{KEY} NOT VALID;",
        "--- /dev/null", "+++ b/3_b_validate.sql", "@@ -0,0 +1 @@", f"+{VALIDATED.strip()}",
    ]  # fmt: skip
    assert (tmp_path / "2_b.sql").read_text() == f"{KEY};\n"
    assert not (tmp_path / "3_b_validate.sql").exists()
    with pytest.raises(UserError, match="--diff does nothing without --fix"):
        invoke(tmp_path, "--diff")


MYSQL = {
    "1_a.sql": "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a int NOT NULL DEFAULT 3 COMMENT 'the a', "
               "b varchar(20) NOT NULL, c int) ENGINE=InnoDB;\n",
    "2_b.sql": "-- first\nALTER TABLE t ADD COLUMN d int; -- why\ncreate index i on t (b);\nALTER TABLE `t`\n"
               "    MODIFY a int DEFAULT 4;\nALTER TABLE t MODIFY b varchar(30) AFTER c;\n"
               "ALTER TABLE t DROP COLUMN c, ALGORITHM=COPY;\n",
}  # fmt: skip


def test_mysql_is_asked_for_the_best_algorithm_and_loses_no_attribute(tmp_path: Path) -> None:
    write(tmp_path, MYSQL)
    plan = fixed(tmp_path)
    files.write_tree(plan.root, plan.files, force=True)
    assert [str(one) for one in plan.unfixed] == [
        "2_b.sql line 4 is not changed: two rules want to change one statement: run --fix again",
        "2_b.sql line 6 is not changed: two rules want to change one statement: run --fix again",
    ]
    again = fixed(tmp_path)
    assert written(again) == {"2_b.sql": (
        "-- first\nSET SESSION lock_wait_timeout = 5;\nALTER TABLE t ADD COLUMN d int, ALGORITHM=INSTANT; -- why\n"
        "create index i on t (b) ALGORITHM=INPLACE LOCK=NONE;\nALTER TABLE `t`\n"
        "    MODIFY a int DEFAULT 4 NOT NULL COMMENT 'the a', ALGORITHM=INSTANT;\n"
        "ALTER TABLE t MODIFY b varchar(30) NOT NULL AFTER c, ALGORITHM=INPLACE, LOCK=NONE;\n"
        "ALTER TABLE t DROP COLUMN c, ALGORITHM=INSTANT;\n"
    )}  # fmt: skip
    files.write_tree(again.root, again.files, force=True)
    assert fixed(tmp_path).files == ()
    found = migrate.check(tmp_path, PLAIN, RULEBOOK, Pending(applied=("1",))).findings
    assert {one.rule_id for one in found}.isdisjoint({"BG751", "BG752", "BG757", "BG764"})


def test_what_is_not_rewritten_is_said(tmp_path: Path) -> None:
    write(tmp_path / "m", MYSQL)
    code, out, err = invoke(tmp_path / "m", "--applied", "1", "--plan", tmp_path / "next")
    reason = "this is for PostgreSQL's migrations, and this one is for mysql; each finding has the change to paste\n"
    assert (code, out) == (0, "")
    assert err.splitlines(keepends=True)[0] == f"note: 2_b.sql:7 not planned: {reason}"
    assert err.endswith("nothing is planned: see the notes\n")
    assert not (tmp_path / "next").exists()
    write(tmp_path / "s", {"1_a.sql": "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT);\nPRAGMA foreign_keys=ON;\n",
                           "2_b.sql": "ALTER TABLE t ADD COLUMN a int NOT NULL;\n"})  # fmt: skip
    code, out, err = invoke(tmp_path / "s", "--applied", "1", "--fix", "--diff")
    reason = reason.replace("mysql", "sqlite")
    assert (code, out, err) == (0, "", f"note: 2_b.sql is not changed: {reason}nothing is changed\n")


def test_fix_writes_and_reports_the_rest(tmp_path: Path) -> None:
    write(tmp_path, {"1_a.sql": FIRST, "2_b.sql": f"ALTER TABLE users DROP COLUMN email;\n{KEY};\n"})
    code, out, err = invoke(tmp_path, "--applied", "1", "--fix", "--format", "json")
    assert err.splitlines() == ["changed 2_b.sql", "new     3_b_validate.sql"]
    assert '"BG802"' in out
    assert "BG704" not in out
    assert code == 1
    assert (tmp_path / "3_b_validate.sql").read_text() == VALIDATED
    assert invoke(tmp_path, "--applied", "1", "--fix")[2] == "nothing to fix\n"


def test_plan_writes_a_folder_once(tmp_path: Path) -> None:
    write(tmp_path / "m", {"1_a.sql": FIRST, "2_b.sql": "ALTER TABLE users DROP COLUMN email;\n"})
    code, out, _ = invoke(tmp_path / "m", "--applied", "1", "--plan", tmp_path / "next")
    names = ["2_b.sql", "3_users_email_dropped_expand.sql", "4_users_email_dropped_contract.sql", "README.md"]
    assert (code, sorted(path.name for path in (tmp_path / "next").iterdir())) == (0, names)
    assert all(str(tmp_path / "next" / name) in out for name in names)
    with pytest.raises(UserError, match="is not empty"):
        invoke(tmp_path / "m", "--applied", "1", "--plan", tmp_path / "next")


# ---- every card, and the cases of others

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "squawk_fixes.jsonl"
CARDS = [
    pytest.param(example, id=f"{rule.id}-line-{example.line}")
    for rule in RULEBOOK
    if rule.command == "migrate" and rule.detect.kind == "python"
    for example in rule.examples
    if example.bad
]


@pytest.mark.parametrize("example", CARDS)
def test_nothing_is_left_to_fix_in_a_card(example: Example, tmp_path: Path) -> None:
    root, config = write(tmp_path / "history", dict(example.files)), Config(confidence="low")
    plan = rewrite.fix(root, config, RULEBOOK, everything=True)
    files.write_tree(root, plan.files, force=True)
    unfixed = {one.path for one in plan.unfixed}
    again = migrate.check(root, config, RULEBOOK)
    left = [one for one in again.findings if one.remedies and one.location.path not in unfixed]
    # DETACH ... CONCURRENTLY and DROP INDEX CONCURRENTLY stand alone in a file: there is no place for a lock_timeout.
    assert [(one.location, one.message) for one in left if "concurrently" not in "".join(one.source).lower()] == []
    assert not [
        one for one in again.findings if one.rule_id in ("BG901", "BG904") and one.location.path in written(plan)
    ]


@pytest.mark.parametrize("example", CARDS)
def test_every_card_can_be_planned(example: Example, tmp_path: Path) -> None:
    plan = planning.plan(write(tmp_path, dict(example.files)), Config(), RULEBOOK, everything=True)
    for file in plan.files:
        if file.path.endswith(".sql"):
            assert not [one for one in parse(file.content.decode()) if isinstance(one, NotUnderstood)], file.path
        elif file.path.endswith(".py"):
            ast.parse(file.content)


@pytest.mark.skipif(not CASES.exists(), reason="the labelled cases are not beside this checkout")
def test_squawk_s_fix_where_the_rules_agree(tmp_path: Path) -> None:
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    (case,) = [one for one in cases if one["rule"] == "require-concurrent-index-creation"]
    (after,) = fixed_alone(tmp_path, case["before"]).values()
    (ours,), (theirs,) = parse(after), parse(case["after"])
    assert isinstance(ours, CreateIndex)
    assert replace(ours, named=False) == theirs, "ours has the name that PostgreSQL would choose"


def fixed_alone(root: Path, text: str) -> dict[str, str]:
    return written(rewrite.fix(write(root, {"1_a.sql": text}), Config(select=("BG701",)), RULEBOOK, everything=True))
