"""squawk's own labelled cases against ours, rule by rule. Where we differ on purpose, the reason stands beside the case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from squawk_rules import NOT_WANTED, OURS

from backendgen import migrate
from backendgen.config import Config
from backendgen.rules import Rulebook

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "squawk.jsonl"
RULEBOOK = Rulebook()

# Cases that we answer the other way round, and why we are right.
DIFFERENT = {
    "default_random_with_args_err": "now() is stable; there is no now(123), so PostgreSQL refuses the statement",
    "err_missing_statement_timeout": "it sets lock_timeout, which is what BG710 asks for",
    "err_other_ddl_operations": "CREATE TYPE locks no table",
    "ban_alter_domain_with_add_constraint::ok": "SET NOT NULL and VALIDATE of a domain read its tables under SHARE (traced)",
    "ban_create_domain_with_constraint::err": "no table has a column of it yet, nothing is locked; such a column is BG709's",
    "cluster_below_pg19_ok": "CLUSTER writes the table anew under ACCESS EXCLUSIVE in every version, REPACK or not",
    "reindex_system_ok": "it blocks whoever writes the catalog; only that CONCURRENTLY is refused for it",
    "err_reindex_concurrently_false_uses_non_concurrent_lock": "the index is on no table that the history knows",
    "err_vacuum_full_false_uses_non_full_lock": "VACUUM blocks neither reads nor writes",
    "ban_char_field::all_the_types": "`int array[]` is no PostgreSQL: the statement is named as not understood",
    "ban_truncate_cascade::ok": "TRUNCATE loses all rows, with CASCADE or without",
    "prefer_bigint_over_int::fix_array_types": "an array is no key",
    "prefer_bigint_over_int::ok": "smallint keys end still earlier",
    "prefer_bigint_over_smallint::fix_array_types": "an array is no key",
    "prefer_bigint_over_smallint::ok": "integer keys end as well",
    "err_lock_access_share_uses_correct_article": "ACCESS SHARE blocks neither reads nor writes",
}


def rows() -> list[dict[str, object]]:
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()] if CASES.exists() else []


def wrapped(row: dict[str, object]) -> str:
    """squawk's `assume_in_transaction` is our goose file, whose tool opens the transaction.

    Without it squawk takes a file to run outside of one, which we do only where the file says so.
    """
    sql = str(row["sql"])
    if row["rule"] == "prefer-robust-stmts" and not row["assume_in_transaction"]:
        return f"-- +goose NO TRANSACTION\n-- +goose Up\n{sql}"
    assumed = row["assume_in_transaction"] and "squawk-disable-assume-in-transaction" not in sql
    return f"-- +goose Up\n{sql}" if assumed and sql.count(";") > 1 else sql


@pytest.mark.skipif(not CASES.exists(), reason="the labelled cases are not beside this checkout")
@pytest.mark.parametrize("row", [pytest.param(row, id=str(row["test"])) for row in rows() if row["rule"] in OURS])
def test_case(row: dict[str, object], tmp_path: Path) -> None:
    wanted = (row["expect"] == "hit") != (
        bool(DIFFERENT.keys() & {str(row["test"]), str(row["test"]).rpartition("::")[2]})
    )
    (tmp_path / "0001_case.sql").write_text(wrapped(row), encoding="utf-8")
    version = row["pg_version"]
    config = Config(pg_version=int(str(version))) if version else Config()
    report = migrate.check(tmp_path, config, RULEBOOK)
    found = {one.rule_id for one in report.findings} & OURS[str(row["rule"])]
    assert bool(found) == wanted


@pytest.mark.skipif(not CASES.exists(), reason="the labelled cases are not beside this checkout")
def test_every_rule_of_theirs_is_placed() -> None:
    assert {str(row["rule"]) for row in rows()} == OURS.keys() | NOT_WANTED.keys()
