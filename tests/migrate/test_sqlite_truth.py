"""What the cards say of SQLite, run on SQLite itself: what they call refused is refused, what they call lost is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from backendgen.rules import Example, Rulebook
from backendgen.sql.sqlite import parse

RULEBOOK = Rulebook()
SEED = "INSERT INTO users (id, email, age) VALUES (1, 'a', 3); INSERT INTO orders (id, user_id) VALUES (1, 1), (2, 1);"


def cases(*ids: str) -> list[object]:
    return [
        pytest.param(rule_id, example, id=f"{rule_id}-{'bad' if example.bad else 'good'}-line-{example.line}")
        for rule_id in ids
        for example in RULEBOOK[rule_id].examples
    ]


def begin(example: Example, foreign_keys: bool) -> tuple[sqlite3.Connection, str]:
    """Return a database after the first migration, with rows, and the text of the second."""
    first, second = (text for _, text in example.files)
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute(f"PRAGMA foreign_keys = {foreign_keys:d}")
    database.executescript(first + SEED)
    return database, second


@pytest.mark.parametrize(("rule_id", "example"), cases("BG770", "BG771"))
def test_what_is_refused(rule_id: str, example: Example) -> None:
    database, text = begin(example, foreign_keys=True)
    marked = {line for _, line in example.marked}
    with closing(database):
        for operation in parse(text):
            if operation.line in marked:
                with pytest.raises(sqlite3.OperationalError):
                    database.execute(operation.sql)
            else:
                database.execute(operation.sql)


@pytest.mark.parametrize(("rule_id", "example"), cases("BG772"))
def test_whose_rows_are_lost(rule_id: str, example: Example) -> None:
    database, text = begin(example, foreign_keys=True)
    with closing(database):
        database.executescript(text)
        there = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'orders'").fetchone() == (1,)
        rows = database.execute("SELECT count(*) FROM orders").fetchone() if there else None
        assert rows == ((0,) if example.bad else (2,) if there else None)


@pytest.mark.parametrize(("rule_id", "example"), cases("BG773"))
def test_where_foreign_keys_go(rule_id: str, example: Example) -> None:
    database, text = begin(example, foreign_keys=False)
    with closing(database):
        database.executescript(text)
        parents = {row[2] for row in database.execute("PRAGMA foreign_key_list(orders)")}
        assert parents <= ({"old_users"} if example.bad else {"users"})
        assert bool(parents) or not example.bad


@pytest.mark.parametrize(("rule_id", "example"), cases("BG775"))
def test_when_the_pragma_counts(rule_id: str, example: Example) -> None:
    database, text = begin(example, foreign_keys=True)
    with closing(database):
        if "+goose" in text and not example.bad:
            text = text.replace("COMMIT", "")
        elif "+goose" in text:
            text = f"BEGIN; {text}; COMMIT"
        # Up to the first COMMIT, where the switch has to be off.
        seen = []
        for operation in parse(text):
            database.execute(operation.sql)
            seen.append(database.execute("PRAGMA foreign_keys").fetchone()[0])
        assert (0 in seen) is not example.bad


@pytest.mark.parametrize(("rule_id", "example"), cases("BG776"))
def test_which_index_is_lost(rule_id: str, example: Example) -> None:
    database, text = begin(example, foreign_keys=False)
    with closing(database):
        database.executescript(text)
        columns = {row[1] for row in database.execute("PRAGMA table_info(users)")}
        indexes = {row[1] for row in database.execute("PRAGMA index_list(users)")}
        assert ("users_by_age" not in indexes and "age" in columns) is example.bad
