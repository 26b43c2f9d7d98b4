"""The lock timeline, as it is printed."""

from __future__ import annotations

from pathlib import Path

from conftest import ROOT, Run
from on_disk import write

UNSAFE = ROOT / "examples" / "migrations" / "unsafe"


def test_locks_are_held_until_the_transaction_ends(backendgen: Run, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "m/0001_both.sql": """BEGIN;
ALTER TABLE orders ADD COLUMN note text;
ALTER TABLE customers ADD CONSTRAINT k FOREIGN KEY (o) REFERENCES orders (id) NOT VALID;
UPDATE customers SET name = lower(name);
COMMIT;
CREATE INDEX CONCURRENTLY by_note ON orders (note);
CREATE INDEX by_name ON customers (name);
"""
        },
    )
    assert (
        backendgen("migrate-check", "m", "--graph").stdout
        == """0001_both.sql
                                                               orders  customers
  2  ALTER TABLE orders ADD COLUMN note text                   X
  3  ALTER TABLE customers ADD CONSTRAINT k FOREIGN KEY (o...  |       W
  4  UPDATE customers SET name = lower(name)                   |       |
  7  CREATE INDEX by_name ON customers (name)                          W

X blocks reads and writes   W blocks writes   | held until the transaction ends
"""
    )


def test_only_what_is_pending(backendgen: Run) -> None:
    done = backendgen("migrate-check", UNSAFE, "--graph", "--applied", "0004")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "0005_tidy_up.sql")
    assert backendgen("migrate-check", UNSAFE, "--graph", "--applied", "5").stdout == "no statement blocks anybody\n"
