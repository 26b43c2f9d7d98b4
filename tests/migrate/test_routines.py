"""Functions that migrations define and call are judged where they are called."""

from __future__ import annotations

from pathlib import Path

from backendgen import migrate
from backendgen.config import Config
from backendgen.rules import Rulebook

INIT = """
CREATE TABLE orders (id bigint PRIMARY KEY, note text);
CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  ALTER TABLE orders DROP COLUMN note;
  PERFORM fill();
  PERFORM widen();
  EXECUTE 'DROP TABLE ' || name;
END $$;
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS 'UPDATE orders SET id = 1';
CREATE FUNCTION fill_too() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM orders; END;
CREATE FUNCTION strange() RETURNS void LANGUAGE plpython3u AS 'pass';
"""


def found(tmp_path: Path, *files: str) -> list[str]:
    for number, text in enumerate(files, 1):
        (tmp_path / f"{number:04}_change.sql").write_text(text, encoding="utf-8")
    report = migrate.check(tmp_path, Config(select=("BG802", "BG806", "BG904")), Rulebook())
    return [f"{one.location.path[:4]}:{one.location.line} {one.rule_id} {one.message}" for one in report.findings]


def test_what_a_function_does_is_found_at_its_call(tmp_path: Path) -> None:
    assert found(tmp_path, INIT, "SELECT 1;\nSELECT widen();") == [
        "0002:2 BG802 in widen(): dropping orders.note loses its data, and code that still reads or writes it fails",
        "0002:2 BG806 in fill(): UPDATE changes every row of orders at once: they stay locked until it commits",
        "0002:2 BG904 in widen(): not understood, so not judged: "
        "EXECUTE runs SQL that is built at run time: DROP TABLE ...",
    ]


def test_bodies_in_other_forms(tmp_path: Path) -> None:
    assert found(tmp_path, INIT, "DO $$ BEGIN\n  PERFORM fill_too();\nEND $$;\nSELECT strange();\nCALL gone();") == [
        "0002:2 BG806 in fill_too(): DELETE changes every row of orders at once: they stay locked until it commits",
        "0002:4 BG904 in strange(): not understood, so not judged: strange() in plpython3u cannot be read",
        "0002:5 BG904 not understood, so not judged: CALL runs a procedure whose effect is not known",
    ]


def test_the_latest_definition_counts(tmp_path: Path) -> None:
    anew = "CREATE OR REPLACE FUNCTION fill() RETURNS void LANGUAGE sql AS 'SELECT 1';"
    assert found(tmp_path, INIT, anew, "SELECT fill();") == []


def test_a_function_that_is_not_called_is_not_judged(tmp_path: Path) -> None:
    assert found(tmp_path, INIT) == []


def test_calls_that_branch_or_nest_without_end(tmp_path: Path) -> None:
    body = "CREATE FUNCTION f{0}() RETURNS void LANGUAGE sql AS 'SELECT f{1}(); SELECT f{1}(); SELECT f{1}()';"
    chain = "\n".join(body.format(number, number + 1) for number in range(40))
    last = "CREATE FUNCTION f40() RETURNS void LANGUAGE sql AS 'DELETE FROM orders';"
    expected = ["0003:1 BG806 in f40(): DELETE changes every row of orders at once: they stay locked until it commits"]
    assert found(tmp_path, INIT, chain + last, "SELECT f0();") == expected
    endless = "\n".join(body.format(number, number + 1) for number in range(300))
    assert found(tmp_path, INIT, endless, "SELECT f0();") == [
        "0003:1 BG904 in f100(): not understood, so not judged: f101: calls nested too deeply"
    ]


def test_an_endless_expression(tmp_path: Path) -> None:
    links = " || ".join(["'a'"] * 4000)
    assert found(tmp_path, INIT, f"DO $$ BEGIN EXECUTE {links}; END $$;") == [
        "0002:1 BG904 not understood, so not judged: EXECUTE runs SQL that is built at run time"
    ]
