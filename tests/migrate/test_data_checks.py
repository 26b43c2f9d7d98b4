"""What the checks of data, compatibility and transactions say, and how they grade it."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_disk import write

from backendgen import migrate
from backendgen.config import Config
from backendgen.migrate.context import milliseconds
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
INIT = """
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE users (id bigint CONSTRAINT users_pkey PRIMARY KEY, email text CONSTRAINT users_email_key UNIQUE);
CREATE TABLE orders (
  id bigserial PRIMARY KEY, user_id bigint CONSTRAINT orders_user REFERENCES users,
  status text NOT NULL DEFAULT 'new', note varchar(40) DEFAULT '', price numeric(10, 4), mood mood,
  CONSTRAINT priced CHECK (price > 0)
);
CREATE INDEX orders_by_note ON orders (status) WHERE note IS NOT NULL;
CREATE VIEW notes AS SELECT note FROM orders;
"""


def found(tmp_path: Path, change: str, *rules: str, confidence: str = "medium") -> list[tuple[str, str]]:
    path = write(tmp_path, {"0001_init.sql": INIT, "0002_change.sql": change})
    report = migrate.check(path, Config(select=rules, confidence=confidence), RULEBOOK)
    return [(one.severity.word, one.message) for one in report.findings if one.location.path == "0002_change.sql"]


@pytest.mark.parametrize(
    ("rule", "change", "severity", "message"),
    [
        ("BG801", "DROP DATABASE shop", "critical", "dropping a database loses all of its tables"),
        ("BG801", "DROP TABLE users; CREATE TABLE users AS SELECT 1 AS id", "medium",
         "dropping users loses its rows: the new users has only what this migration puts into it; orders refers to it"),
        ("BG802", "ALTER TABLE orders DROP COLUMN note", "high",
         "dropping orders.note loses its data, and code that still reads or writes it fails; orders_by_note goes with it; "
         "the view notes reads it and makes this fail"),
        ("BG802", "ALTER TABLE orders DROP COLUMN price", "high",
         "dropping orders.price loses its data, and code that still reads or writes it fails; priced goes with it"),
        ("BG808", "ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE", "high",
         "the primary key users_pkey is gone: logical replication refuses UPDATE and DELETE of users, "
         "and ON CONFLICT on it fails"),
        ("BG808", "ALTER TABLE users DROP CONSTRAINT users_email_key", "medium",
         "the unique users_email_key is gone: duplicates get into users, and ON CONFLICT on it fails"),
        ("BG808", "ALTER TABLE orders DROP CONSTRAINT orders_user", "low",
         "the foreign key orders_user is not enforced any more: rows of orders may point to nothing"),
        ("BG811", "ALTER TABLE orders ALTER status DROP DEFAULT", "medium",
         "orders.status is NOT NULL and loses its default: INSERTs that leave it out fail"),
        ("BG811", "ALTER TABLE orders ALTER note DROP DEFAULT", "low",
         "orders.note loses its default: INSERTs that leave it out write NULL"),
        ("BG812", "ALTER TABLE orders ALTER note TYPE varchar(5)", "medium",
         "orders.note from character varying(40) to character varying(5): longer values make it fail"),
        ("BG812", "ALTER TABLE orders ALTER note TYPE varchar(5) USING note::varchar(5)", "high",
         "orders.note from character varying(40) to character varying(5): "
         "values are cut to its length, without an error"),
        ("BG812", "ALTER TABLE orders ALTER price TYPE numeric(6, 4)", "medium",
         "orders.price from numeric(10,4) to numeric(6,4): greater values make it fail"),
        ("BG812", "ALTER TABLE orders ALTER price TYPE numeric(10, 2)", "high",
         "orders.price from numeric(10,4) to numeric(10,2): values are rounded to 2 decimals"),
        ("BG813", "CREATE TYPE m AS ENUM ('calm'); ALTER TABLE orders ALTER mood TYPE m USING mood::text::m", "high",
         "orders.mood loses 'wild': rows that hold it make this fail, and so does code that still writes it"),
        ("BG815", "DROP TABLE users CASCADE", "high", "CASCADE drops with users: the foreign key orders_user of orders"),
        ("BG815", "DROP SEQUENCE numbers CASCADE", "low",
         "CASCADE drops whatever depends on numbers, which this history does not show"),
        ("BG817", "ALTER TABLE orders DISABLE TRIGGER USER", "medium",
         "the triggers of orders stay off after this migration"),
        ("BG826", "ALTER SEQUENCE orders_id_seq RESTART", "medium",
         "orders_id_seq goes on from a fixed number: where rows already have the numbers that follow, INSERTs fail"),
    ],
)  # fmt: skip
def test_says_and_grades(tmp_path: Path, rule: str, change: str, severity: str, message: str) -> None:
    assert found(tmp_path, f"{change};", rule) == [(severity, message)]


def test_prisma_moves_an_enum_without_a_word_on_its_default(tmp_path: Path) -> None:
    change = """
    CREATE TYPE mood_new AS ENUM ('calm', 'wild', 'sad');
    ALTER TABLE orders ALTER COLUMN status DROP DEFAULT;
    ALTER TABLE orders ALTER COLUMN mood TYPE mood_new USING (mood::text::mood_new);
    ALTER TYPE mood RENAME TO mood_old;
    ALTER TYPE mood_new RENAME TO mood;
    DROP TYPE mood_old;
    ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'new';
    """
    assert found(tmp_path, change, "BG811", "BG813", "BG815", "BG816", confidence="low") == []


def test_a_sequence_is_set_from_the_table_that_uses_it(tmp_path: Path) -> None:
    files = {"0001_init.sql": INIT, "0002_change.sql": "SELECT setval('orders_id_seq', 1);"}
    (one,) = migrate.check(write(tmp_path, files), Config(select=("BG826",)), RULEBOOK).findings
    assert one.fix.splitlines()[-1] == "SELECT setval('orders_id_seq', (SELECT max(id) FROM orders));"


def test_columns_added_earlier_in_the_same_deploy(tmp_path: Path) -> None:
    from backendgen.migrate.pending import Pending

    files = {
        "0001_init.sql": INIT,
        "0002_add.sql": "ALTER TABLE orders ADD COLUMN memo text;",
        "0003_require.sql": "ALTER TABLE orders ALTER COLUMN memo SET NOT NULL;",
    }
    path, config = write(tmp_path, files), Config(select=("BG804",))
    (one,) = migrate.check(path, config, RULEBOOK, Pending(applied=("0001_init",))).findings
    expected = "orders.memo becomes NOT NULL in the deploy that adds it: INSERTs of the code that runs now fail"
    assert (one.location.path, one.message) == ("0003_require.sql", expected)
    assert migrate.check(path, config, RULEBOOK, Pending(applied=("0002_add",))).findings == ()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("SET LOCAL lock_timeout = '2s';", "", "; SET LOCAL of line 3 has no effect outside a transaction"),
        ("SET lock_timeout = '1h';", "", "; the lock_timeout of line 3, 1h, is longer than others can wait"),
        ("", "SET lock_timeout = '2s';", "; line 5 sets it, which is too late for this"),
        ("SET lock_timeout = 0;", "", ""),
    ],
)
def test_why_a_lock_timeout_bounds_nothing(tmp_path: Path, before: str, after: str, why: str) -> None:
    change = f"-- +goose NO TRANSACTION\n-- +goose Up\n{before}\nALTER TABLE orders ADD COLUMN memo text;\n{after}\n"
    ((_, message),) = found(tmp_path, change, "BG710")
    assert message == (
        "orders is locked (ACCESS EXCLUSIVE) without a lock_timeout: while this waits for a long query, "
        f"all other queries on orders wait too{why}"
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("2000", 2000), ("2s", 2000), ("'1.5 min'", 90_000), ("1h", 3_600_000), ("250us", 0.25), ("default", 0), ("", 0)],
)
def test_milliseconds(setting: str, expected: float) -> None:
    assert milliseconds(setting) == expected
