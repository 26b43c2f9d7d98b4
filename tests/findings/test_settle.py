"""Merging, ignoring and the profile, on two small cards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backendgen.config import Config
from backendgen.findings.finding import Finding, Hit, Location, Step, finding
from backendgen.findings.settle import settle
from backendgen.resources import directory
from backendgen.rules import Rulebook

CARD = (
    "---\ntitle: T\nseverity: {}\nconfidence: {}\ndetect: python\nsince: 0.1.0\nsupersedes: {}\n---\nW.\n\n## Fix\nF.\n"
)
TEXT = "a = 1\nexecute(a)\n\nexecute(a)\n"


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / "BG111-strong.md").write_text(CARD.format("high", "high", "[BG112]"))
    (folder / "BG112-weak.md").write_text(CARD.format("low", "medium", "[]"))
    return Rulebook(tmp_path, directory("rules") / "process")


def hit(rulebook: Rulebook, rule_id: str, line: int, engine: str = "own", **more: object) -> Finding:
    return finding(rulebook[rule_id], Hit(Location("app.py", line), "m", **more), engine)  # type: ignore[arg-type]


def settled(rulebook: Rulebook, *findings: Finding, text: str = TEXT, confidence: str = "low") -> list[tuple[str, int]]:
    judged = {"BG111", "BG112", "BG902", "BG903"}
    shown, _ = settle(findings, {"app.py": text}, judged, rulebook, Config(confidence=confidence))
    return [(one.rule_id, one.location.line) for one in shown]


def test_one_weakness_in_one_place_is_one_finding(rulebook: Rulebook) -> None:
    step = Step(Location("app.py", 1), "from here")
    both = [hit(rulebook, "BG111", 2, "own"), hit(rulebook, "BG111", 2, "bandit", steps=(step,))]
    (one,), _ = settle(both, {"app.py": TEXT}, set(), rulebook, Config())
    assert (one.engines, one.steps, one.statement) == (("own", "bandit"), (step,), "execute(a)")


def test_two_things_on_one_line_are_both_said(rulebook: Rulebook) -> None:
    two = [replace(hit(rulebook, "BG111", 2), message=f"table {name}", fix=f"-- {name}") for name in ("a", "b", "a")]
    (one,), _ = settle(two, {"app.py": TEXT}, set(), rulebook, Config())
    assert (one.message, one.fix) == ("table a\ntable b", "-- a\n-- b")


def test_a_rule_replaces_the_weaker_ones_on_its_line(rulebook: Rulebook) -> None:
    found = [hit(rulebook, "BG112", 2), hit(rulebook, "BG112", 4), hit(rulebook, "BG111", 2)]
    assert settled(rulebook, *found) == [("BG111", 2), ("BG112", 4)]


def test_same_statements_have_different_fingerprints_that_move_with_them(rulebook: Rulebook) -> None:
    found = [hit(rulebook, "BG111", 2), hit(rulebook, "BG111", 4)]
    (first, second), _ = settle(found, {"app.py": TEXT}, set(), rulebook, Config())
    assert first.fingerprint != second.fingerprint
    moved = [hit(rulebook, "BG111", 3), hit(rulebook, "BG111", 5)]
    shown, _ = settle(moved, {"app.py": "\n" + TEXT}, set(), rulebook, Config())
    assert [one.fingerprint for one in shown] == [first.fingerprint, second.fingerprint]


def test_the_profile_leaves_doubtful_findings_out(rulebook: Rulebook) -> None:
    assert settled(rulebook, hit(rulebook, "BG112", 2), confidence="medium") == [("BG112", 2)]
    assert settled(rulebook, hit(rulebook, "BG112", 2), confidence="high") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nexecute(a)  # backendgen: ignore[BG111] constant\n", []),
        ("# backendgen: ignore[BG111]: constant\nexecute(a)\n", []),
        ("a = 1\nexecute(a)  # backendgen: ignore[BG111]\n", [("BG111", 2), ("BG903", 2)]),
        ("a = 1\nexecute(a)  # backendgen: ignore[] because\n", [("BG111", 2), ("BG903", 2)]),
        ("a = 1\nexecute(a)  # backendgen: ignore[BG999] because\n", [("BG111", 2), ("BG903", 2)]),
        ("a = 1\nexecute(a)  # backendgen: ignore[BG112] because\n", [("BG111", 2), ("BG902", 2)]),
        ("a = 1\nexecute(a)  # backendgen: ignore[BG111,BG112] because\n", [("BG902", 2)]),
        ("# backendgen: ignore[BG111] why\n-- note\n\nexecute(a)\n", [("BG902", 1), ("BG111", 2)]),
    ],
)
def test_ignores_need_a_rule_a_reason_and_a_finding(
    rulebook: Rulebook, text: str, expected: list[tuple[str, int]]
) -> None:
    assert settled(rulebook, hit(rulebook, "BG111", 2), text=text) == expected


def test_an_ignore_of_a_rule_that_did_not_run_is_not_unused(rulebook: Rulebook) -> None:
    text = "a  # backendgen: ignore[BG112] because\n"
    shown, _ = settle([], {"app.py": text}, {"BG111", "BG902"}, rulebook, Config())
    assert shown == ()


def test_an_ignored_finding_keeps_its_reason(rulebook: Rulebook) -> None:
    text = "a = 1\nexecute(  # backendgen: ignore[BG111] constant table\n  a)\n"
    shown, ignored = settle([hit(rulebook, "BG111", 2)], {"app.py": text}, {"BG111"}, rulebook, Config())
    assert shown == () and ignored[0].reason == "constant table"
