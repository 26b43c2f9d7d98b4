"""`--plan`: each step is clean when it runs, rows get where they belong, and the database ends as it was meant to."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from catalogue import catalogue, migrated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.migrate import plan as planning
from backendgen.migrate.pending import Pending
from backendgen.migrate.readers import read
from backendgen.migrate.trace import run as tracing
from backendgen.migrate.trace.comparison import steps
from backendgen.migrate.trace.scratch import Session, new_database, throw_away
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
FIRST = """CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text, old_notes text NOT NULL);
CREATE TABLE "Order" (
    id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), total int NOT NULL DEFAULT 7 CHECK (total >= 0),
    "select" text, paid text, at timestamp, boss bigint REFERENCES users MATCH FULL ON UPDATE CASCADE
        ON DELETE SET NULL (boss) DEFERRABLE INITIALLY DEFERRED, CONSTRAINT one_boss UNIQUE (boss, id) DEFERRABLE,
    CONSTRAINT late CHECK (boss > 3) NO INHERIT
);
CREATE INDEX order_boss ON "Order" USING brin (boss int8_minmax_multi_ops (values_per_range = 16))
    WITH (pages_per_range = 4);
CREATE UNIQUE INDEX order_words ON "Order" ("select" COLLATE "C" text_pattern_ops DESC NULLS LAST, total NULLS FIRST)
    INCLUDE (paid, boss) NULLS NOT DISTINCT WITH (fillfactor = 70) WHERE boss > 3;
CREATE INDEX order_total ON "Order" ("select", total DESC) WHERE total > 3;
CREATE UNIQUE INDEX order_paid ON "Order" (lower(paid));
CREATE TABLE gone (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id));
CREATE TABLE plain (id bigint PRIMARY KEY, n int);
CREATE TYPE status AS ENUM ('new', 'paid', 'lost');
CREATE TYPE status_new AS ENUM ('new', 'paid');
CREATE TABLE parcels (id bigint PRIMARY KEY, status status NOT NULL DEFAULT 'new');
"""
ROWS = """INSERT INTO users SELECT n, 'mail' || n, 'name' || n % 7, 'x' FROM generate_series(1, 2500) n;
INSERT INTO "Order" (user_id, total, "select", paid, at)
    SELECT n, n, 's' || n, 'p' || n, '2026-01-01' FROM generate_series(1, 2500) n;
INSERT INTO gone VALUES (1, 1);
INSERT INTO plain SELECT n, n FROM generate_series(1, 2500) n;
INSERT INTO parcels SELECT n, 'paid' FROM generate_series(1, 1500) n;
"""
CHANGES = (
    'ALTER TABLE "Order" ALTER COLUMN total TYPE bigint',
    'ALTER TABLE "Order" ALTER COLUMN id TYPE bigint',
    'ALTER TABLE "Order" ALTER COLUMN user_id TYPE int USING user_id::int',
    "ALTER TABLE \"Order\" ALTER COLUMN at TYPE timestamptz USING at AT TIME ZONE 'UTC'",
    "ALTER TABLE parcels ALTER COLUMN status DROP DEFAULT",
    "ALTER TABLE parcels ALTER COLUMN status TYPE status_new USING status::text::status_new",
    "ALTER TABLE users RENAME COLUMN email TO mail",
    'ALTER TABLE "Order" RENAME COLUMN paid TO "Paid"',
    "ALTER TABLE users DROP COLUMN old_notes",
    "DROP TABLE gone",
    "ALTER TABLE plain RENAME TO plainer",
    "ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
    "ALTER TABLE users ADD COLUMN number bigserial",
    "ALTER TABLE parcels ADD COLUMN country text NOT NULL",
    "UPDATE users SET name = upper(name)",
    "DELETE FROM plain WHERE n IS NOT NULL",
    'ALTER TABLE "Order" RENAME COLUMN boss TO chief',
    'ALTER TABLE "Order" RENAME COLUMN "select" TO chosen',
)
UNFILLED = "UPDATE parcels SET country = 'x'"  # what the README leaves to the reader
CLEAN = (
    "BG708", "BG709", "BG801", "BG802", "BG803", "BG804", "BG805", "BG806", "BG808", "BG810", "BG811", "BG816",
    "BG701", "BG702", "BG704", "BG705", "BG706", "BG707", "BG710", "BG711", "BG901", "BG902", "BG904", "BG905",
)  # fmt: skip


def planned(root: Path, files: Mapping[str, str], config: Config, applied: str = "0001") -> planning.Plan:
    return planning.plan(write(root, files), config, RULEBOOK, Pending(applied=(applied,)))


def put(root: Path, plan: planning.Plan, names: tuple[str, ...]) -> None:
    """Copy migrations of the plan into the history, with the files beside them."""
    folders = {name.rpartition("/")[0] for name in names if "/" in name}
    for file in plan.files:
        beside = file.path.rpartition("/")[0] in folders or file.path.removesuffix(".conf") in names
        if beside or file.path in names or file.path.replace(".down.sql", ".up.sql") in names:
            write(root, {file.path: file.content})


def originals(plan: planning.Plan) -> tuple[str, ...]:
    new = {name for wave in plan.waves for name in wave}
    return tuple(file.path for file in plan.files if file.path not in new and not file.path.endswith("README.md"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4, unique=True))
def test_each_deploy_is_clean(changes: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, config = Path(folder) / "migrations", Config(confidence="low", pg_version=16, ignore=("BG735", "BG739"))
        second = "SET lock_timeout = '2s';\n" + "".join(f"{one};\n" for one in changes)
        plan = planned(root, {"0001_a.sql": FIRST, "0002_b.sql": second}, config)
        put(root, plan, originals(plan))
        last = "0001_a"
        for wave in (originals(plan), *plan.waves):
            put(root, plan, wave)
            found = migrate.check(root, config, RULEBOOK, Pending(applied=(last,))).findings
            unplanned = {one.line for one in plan.unplanned}
            left = [one for one in found if one.rule_id in CLEAN and "DROP DEFAULT" not in "".join(one.source)]
            left = [one for one in left if not (one.location.path == "0002_b.sql" and unplanned)]
            assert [(one.rule_id, one.location.path, one.message) for one in left] == []
            last = wave[-1].removesuffix(".sql") if wave else last


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with ExitStack() as stack:
        owner, _ = new_database(stack.enter_context(throw_away(16)), "planned")
        one = Session(owner, 60)
        stack.callback(one.close)
        one.run("SET client_min_messages = error")
        yield one


def run(server: Session, root: Path, names: tuple[str, ...]) -> None:
    for migration in read(root, Config()).histories[0].migrations:
        for step in steps(migration) if migration.path in names else ():
            server.run(step.sql)


@pytest.mark.parametrize("change", [one for one in CHANGES if "DROP DEFAULT" not in one])
def test_the_same_database_and_the_same_rows(session: Session, change: str, tmp_path: Path) -> None:
    drop_default = CHANGES[4] if "status_new" in change else ""
    files = {"0001_a.sql": FIRST, "0002_b.sql": f"{drop_default};\n{change};\n"}
    wanted: set[tuple[object, ...]] = set()
    if "country" not in change:
        migrated(session, write(tmp_path / "direct", {"0001_a.sql": FIRST}))
        session.run(ROWS)
        run(session, write(tmp_path / "direct", files), ("0002_b.sql",))
        wanted = rows(session)
    else:
        migrated(session, write(tmp_path / "direct", files))
    schema = catalogue(session)
    root = tmp_path / "planned"
    plan = planned(root, files, Config(pg_version=16))
    assert plan.unplanned == ()
    migrated(session, write(tmp_path / "again", {"0001_a.sql": FIRST}))
    session.run(ROWS)
    for number, wave in enumerate((originals(plan), *plan.waves)):
        put(root, plan, wave)
        if number == 2 and "country" in change:
            session.run(UNFILLED)
        run(session, root, wave)
    assert catalogue(session) == schema
    if wanted:
        assert rows(session) == wanted


def rows(server: Session) -> set[tuple[object, ...]]:
    """All rows, but for values that are made anew each time."""
    tables = [name for (name,) in server.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {
        (table, text)
        for table in tables
        for (text,) in server.run(f"SELECT (to_jsonb(t) - 'token' - 'number')::text FROM \"{table}\" t")
    }


def test_both_names_are_kept_equal(session: Session, tmp_path: Path) -> None:
    files = {"0001_a.sql": FIRST, "0002_b.sql": "ALTER TABLE users RENAME COLUMN email TO mail;"}
    plan = planned(tmp_path, files, Config())
    put(tmp_path, plan, (*originals(plan), *plan.waves[0]))
    migrated(session, tmp_path)
    session.run("INSERT INTO users (id, email, old_notes) VALUES (1, 'old@x', '')")
    session.run("INSERT INTO users (id, mail, old_notes) VALUES (2, 'new@x', '')")
    assert session.run("SELECT email, mail FROM users ORDER BY id") == [["old@x", "old@x"], ["new@x", "new@x"]]
    session.run("UPDATE users SET email = 'older@x' WHERE id = 1")
    session.run("UPDATE users SET mail = 'newer@x' WHERE id = 2")
    assert session.run("SELECT email, mail FROM users ORDER BY id") == [["older@x", "older@x"], ["newer@x", "newer@x"]]


def test_traced_no_step_writes_a_table_anew(tmp_path: Path) -> None:
    second = "".join(f"{one};\n" for one in CHANGES[:3])
    files = {"0001_a.sql": f"-- +goose Up\n{FIRST}", "0002_b.sql": f"-- +goose Up\n{second}"}
    plan = planned(tmp_path, files, Config(pg_version=16))
    assert plan.unplanned == ()
    put(tmp_path, plan, (*originals(plan), *(name for wave in plan.waves for name in wave)))
    trace = tracing.trace(tmp_path, Config(pg_version=16), Pending(applied=("0001",)))
    seen = [one for migration in trace.migrations for one in migration.statements]
    assert [(one.statement, one.failure, one.rewritten) for one in seen if one.failure or one.rewritten] == []
    slow = [one for one in seen if re.match("(?i)create .*index|.*validate|do ", one.statement)]
    blocked = {mode for one in slow for _, mode in (*one.locks, *one.held)} & {"SHARE", "ACCESS EXCLUSIVE", "EXCLUSIVE"}
    assert len(slow) == 12 and blocked == set()


ALEMBIC = 'from alembic import op\n\nrevision = "{}"\ndown_revision = {}\n\n\ndef upgrade() -> None:\n{}\n\n\n'
TWO = ('ALTER TABLE "Order" ALTER COLUMN total TYPE bigint', "ALTER TABLE users RENAME COLUMN email TO mail")
BACK = ("ALTER TABLE users RENAME COLUMN mail TO email", 'ALTER TABLE "Order" ALTER COLUMN total TYPE int')


DJANGO_MODELS = """from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel("Order", [
            ("id", models.BigAutoField(primary_key=True)),
            ("total", models.IntegerField(default=7, db_index=True)),
            ("mail", models.CharField(max_length=99, null=True)),
            ("notes", models.TextField()),
            ("user", models.ForeignKey("shop.User", models.CASCADE, null=True)),
        ]),
        migrations.CreateModel("User", [("id", models.BigAutoField(primary_key=True))]),
        migrations.CreateModel("Gone", [
            ("id", models.BigAutoField(primary_key=True)),
            ("order", models.ForeignKey("shop.Order", models.CASCADE)),
        ]),
        migrations.CreateModel("Plain", [("id", models.BigAutoField(primary_key=True))]),
        migrations.CreateModel("Old", [("id", models.BigAutoField(primary_key=True))]),
    ]
"""
DJANGO_CHANGES = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_a")]

    operations = [
        # wider
        migrations.AlterField("Order", "total", models.BigIntegerField(default=7, db_index=True)),
        migrations.RenameField("Order", "mail", "email"),
        migrations.RemoveField("Order", "notes"),
        migrations.RemoveField("Order", "user"),
        migrations.DeleteModel("Gone"),
        migrations.RenameModel("Old", "New"),
        migrations.AddField("User", "code", models.CharField(max_length=5, default="x")),
        migrations.RunSQL("UPDATE shop_plain SET id = id WHERE id > 3", migrations.RunSQL.noop),
    ]
"""


NEWLINE = "\n"


def sql(*statements: str) -> str:
    return "".join(f"{one};\n" for one in statements)


def calls(*statements: str) -> str:
    return "\n".join(f"    op.execute({one!r})" for one in statements)


@pytest.mark.parametrize(
    ("files", "first", "backfill"),
    [
        ({"00001_a.sql": f"-- +goose Up\n{FIRST}-- +goose Down\nDROP TABLE users CASCADE;\n",
          "00002_b.sql": f"-- +goose Up\n{sql(*TWO)}\n-- +goose Down\n{sql(*BACK)}"},
         "00003_order_total_type_expand.sql", ("00004_order_total_type_backfill.sql",
         "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose StatementBegin\nDO $$\n")),
        ({"1_a.up.sql": FIRST, "1_a.down.sql": "DROP TABLE users CASCADE;",
          "2_b.up.sql": sql(*TWO), "2_b.down.sql": sql(*BACK)},
         "3_order_total_type_expand.up.sql", ("4_order_total_type_backfill.up.sql", "DO $$\n")),
        ({"V1__a.sql": FIRST, "V2__b.sql": sql(*TWO), "flyway.conf": "flyway.postgresql.transactional.lock=false\n"},
         "V3__order_total_type_expand.sql", ("V4__order_total_type_backfill.sql.conf", "executeInTransaction=false\n")),
        ({"2026-01-01-000000_a/up.sql": FIRST, "2026-01-02-000000_b/up.sql": sql(*TWO)},
         "2026-01-02-000001_order_total_type_expand/up.sql",
         ("2026-01-02-000002_order_total_type_backfill/metadata.toml", "run_in_transaction = false\n")),
        ({"1_a.py": ALEMBIC.format("1", None, calls(FIRST)),
          "2_b.py": ALEMBIC.format("2", '"1"', calls(*TWO)) + f"def downgrade() -> None:\n{calls(*BACK)}\n"},
         "_order_total_type_expand.py",
         ("_order_total_type_backfill.py", "    with op.get_context().autocommit_block():\n")),
        ({"shop/migrations/0001_a.py": DJANGO_MODELS, "shop/migrations/0002_b.py": DJANGO_CHANGES},
         "shop/migrations/0003_shop_order_total_type_expand.py",
         ("0004_shop_order_total_type_backfill.py", "    atomic = False\n")),
        ({"changes.sql": f"--liquibase formatted sql\n--changeset ada:1\n{FIRST}--rollback DROP TABLE users CASCADE;\n"
                         f"--changeset ada:2\n{sql(*TWO)}{''.join(f'--rollback {one};{NEWLINE}' for one in BACK)}"},
         "changes_01_order_total_type_expand.sql",
         ("_backfill.sql", "--changeset ada:order-total-type-backfill splitStatements:false runInTransaction:false\n")),
        ({"sqitch.plan": "%project=shop\na\nb\n", "deploy/a.sql": FIRST, "revert/a.sql": "DROP TABLE users CASCADE;\n",
          "deploy/b.sql": f"BEGIN;\n{sql(*TWO)}COMMIT;\n", "revert/b.sql": f"BEGIN;\n{sql(*BACK)}COMMIT;\n"},
         "deploy/order_total_type_expand.sql",
         ("deploy/order_total_type_backfill.sql", "-- Deploy order_total_type_backfill to pg\n\nDO $$\n")),
    ],
    ids=["goose", "golang-migrate", "flyway", "diesel", "alembic", "django", "liquibase", "sqitch"],
)  # fmt: skip
def test_in_the_format_of_the_tool(
    files: dict[str, str], first: str, backfill: tuple[str, str], tmp_path: Path
) -> None:
    config = Config(confidence="low", ignore=("BG735", "BG739"))
    applied = read(write(tmp_path, files), config).histories[0].migrations[0].revision
    plan = planned(tmp_path, files, config, applied)
    assert plan.unplanned == ()
    assert plan.waves[0][0].endswith(first)
    content = next(file.content.decode() for file in plan.files if file.path.endswith(backfill[0]))
    assert backfill[1] in content
    put(tmp_path, plan, originals(plan))
    for wave in plan.waves:
        before = read(tmp_path, config).histories[0].migrations[-1].revision
        put(tmp_path, plan, wave)
        _add_to_plan(tmp_path, wave)
        found = migrate.check(tmp_path, config, RULEBOOK, Pending(applied=(before,))).findings
        left = [one for one in found if one.rule_id in (*CLEAN, "BG908", "BG909")]
        assert [(one.rule_id, one.location, one.message) for one in left] == []


def _add_to_plan(root: Path, names: tuple[str, ...]) -> None:
    """Do what the README's `sqitch add` does."""
    plan = root / "sqitch.plan"
    if plan.exists():
        plan.write_text(plan.read_text() + "".join(f"{Path(name).stem}\n" for name in names))


def test_django_keeps_the_state_where_it_was(session: Session, tmp_path: Path) -> None:
    files = {"shop/migrations/0001_a.py": DJANGO_MODELS, "shop/migrations/0002_b.py": DJANGO_CHANGES}
    wanted = migrated(session, write(tmp_path, files))
    plan = planned(tmp_path, files, Config(pg_version=16), "0001_a")
    assert plan.unplanned == ()
    put(tmp_path, plan, (*originals(plan), *(name for wave in plan.waves for name in wave)))
    (left,) = (file.content.decode() for file in plan.files if file.path.endswith("0002_b.py"))
    assert left.partition("operations = [\n")[2].splitlines()[:7] == [
        "        # wider",
        "        # shop_order.total becomes bigint: "
        + ", ".join(name for wave in plan.waves for name in wave if "total_type" in name),
        "        migrations.SeparateDatabaseAndState(",
        "            state_operations=[",
        '                migrations.AlterField("Order", "total", models.BigIntegerField(default=7, db_index=True)),',
        "            ],",
        "        ),",
    ]
    assert "UPDATE" not in left.replace("UPDATE of shop_plain", "")
    assert migrated(session, tmp_path) == wanted


def test_what_a_plan_would_lose_is_left(tmp_path: Path) -> None:
    indexed = DJANGO_CHANGES.partition("        # wider")[0] + (
        '        migrations.AddField("User", "code", models.IntegerField(default=3, db_index=True)),\n    ]\n'
    )
    files = {"shop/migrations/0001_a.py": DJANGO_MODELS, "shop/migrations/0002_b.py": indexed}
    plan = planned(tmp_path, files, Config(), "0001_a")
    assert plan.files == ()
    assert [one.message for one in plan.unplanned] == [
        "not planned: its operation builds an index or a constraint as well: let --fix take that apart first"
    ]
