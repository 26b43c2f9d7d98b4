"""Locks that PostgreSQL really took on eugene's example scripts, against what `locks` says; and its rules against ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backendgen import migrate
from backendgen.config import Config
from backendgen.migrate.locks import BLOCKS_WRITES, locks
from backendgen.rules import Rulebook
from backendgen.sql.postgres import parse
from backendgen.sql.replay import Schema

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "eugene.jsonl"
RULEBOOK = Rulebook()
MODES = {
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
}
# Theirs -> ours. No card of ours: W13 (enums), which is a matter of taste.
OURS = {
    "E4": "BG713",
    "E8": "BG707",
    "E10": "BG713",
    "E15": "BG724",
    "W12": "BG732",
    "E1": "BG705",
    "E2": "BG706",
    "E3": "BG822",
    "E5": "BG708",
    "E6": "BG701",
    "E7": "BG707",
    "E9": "BG710",
    "E11": "BG709",
    "W14": "BG706",
}
DIFFERENT = {
    ("W14", "3.sql", "good"): "its own comment says that the SET NOT NULL is unsafe and left in for the example",
    ("W14", "4.sql", "good"): "the column is NOT NULL by then: nothing is scanned",
}


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()] if CASES.exists() else []


PARAMETERS = [pytest.param(row, id=f"{row['rule']}-{row['expect']}") for row in rows()]
missing = pytest.mark.skipif(not CASES.exists(), reason="the labelled cases are not beside this checkout")


@missing
@pytest.mark.parametrize("row", PARAMETERS)
def test_locks_are_those_that_were_traced(row: dict[str, Any]) -> None:
    schema = Schema()
    for file in row["files"]:
        before, taken = set(schema.tables), set()
        for operation in parse(file["sql"]):
            taken |= {(lock.table, lock.mode) for lock in locks(operation, schema)
                      if lock.table in before and lock.mode in BLOCKS_WRITES}  # fmt: skip
            schema.apply(operation)
        traced = {(name.removeprefix("public."), MODES[mode])
                  for name, _, mode in (each.rpartition(":") for each in row["trace_locks"][file["name"]])}  # fmt: skip
        exclusive = {table for table, mode in taken if mode == "ACCESS EXCLUSIVE"}
        # A rewrite also locks the indexes, and takes SHARE on the table that it holds exclusively already.
        tables = {(table, mode) for table, mode in traced
                  if table in before and not (mode == "SHARE" and table in exclusive)}  # fmt: skip
        assert taken == tables, file["name"]


@missing
@pytest.mark.parametrize("row", [one for one in PARAMETERS if one.values[0]["rule"] in OURS])
def test_rule(row: dict[str, Any], tmp_path: Path) -> None:
    for file in row["files"]:
        (tmp_path / f"000{file['name']}").write_text(file["sql"], encoding="utf-8")
    report = migrate.check(tmp_path, Config(confidence="low"), RULEBOOK)
    wanted = OURS[row["rule"]]
    found = {one.location.path.removeprefix("000") for one in report.findings if one.rule_id == wanted}
    kind = "good" if row["expect"] == "clean" else "bad"
    allowed = {name for rule, name, which in DIFFERENT if rule == row["rule"] and which == kind}
    assert bool(found - allowed) == (row["expect"] == "hit")
