"""Merging, ignoring and the profile, on two small cards."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendgen.config import Config
from backendgen.findings import ignore
from backendgen.findings.finding import Finding, Hit, Location, Report, Step, finding
from backendgen.findings.settle import settle
from backendgen.resources import directory
from backendgen.rules import Confidence, Rulebook

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


def run(
    findings: Iterable[Finding],
    rulebook: Rulebook,
    text: str = TEXT,
    judged: Collection[str] = (),
    path: str = "app.py",
    **settings: str,
) -> Report:
    config = Config(**settings)  # type: ignore[arg-type]
    return settle(findings, {path: text}, judged, rulebook, config, Path("/project"), today=date(2026, 11, 24))


def settled(rulebook: Rulebook, *findings: Finding, text: str = TEXT, confidence: str = "low") -> list[tuple[str, int]]:
    judged = {"BG111", "BG112", "BG902", "BG903"}
    shown = run(findings, rulebook, text, judged, confidence=confidence).findings
    return [(one.rule_id, one.location.line) for one in shown]


def test_one_weakness_in_one_place_is_one_finding(rulebook: Rulebook) -> None:
    step = Step(Location("app.py", 1), "from here")
    both = [hit(rulebook, "BG111", 2, "own"), hit(rulebook, "BG111", 2, "bandit", steps=(step,))]
    (one,) = run(both, rulebook).findings
    assert (one.engines, one.steps, one.statement) == (("own", "bandit"), (replace(step, code="a = 1"),), "execute(a)")


def test_two_things_on_one_line_are_both_said(rulebook: Rulebook) -> None:
    two = [replace(hit(rulebook, "BG111", 2), message=f"table {name}", fix=f"-- {name}") for name in ("a", "b", "a")]
    (one,) = run(two, rulebook).findings
    assert (one.message, one.fix) == ("table a\ntable b", "-- a\n-- b")


def test_a_rule_replaces_the_weaker_ones_on_its_line(rulebook: Rulebook) -> None:
    found = [hit(rulebook, "BG112", 2), hit(rulebook, "BG112", 4), hit(rulebook, "BG111", 2)]
    assert settled(rulebook, *found) == [("BG111", 2), ("BG112", 4)]


def test_same_statements_have_different_fingerprints_that_move_with_them(rulebook: Rulebook) -> None:
    found = [hit(rulebook, "BG111", 2), hit(rulebook, "BG111", 4)]
    first, second = run(found, rulebook).findings
    assert first.fingerprint != second.fingerprint
    moved = [hit(rulebook, "BG111", 3), hit(rulebook, "BG111", 5)]
    shown = run(moved, rulebook, "\n" + TEXT).findings
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
        ("# backendgen: ignore[BG111] why\n# note\n\nexecute(a)\n", [("BG902", 1), ("BG111", 2)]),
    ],
)
def test_ignores_need_a_rule_a_reason_and_a_finding(
    rulebook: Rulebook, text: str, expected: list[tuple[str, int]]
) -> None:
    assert settled(rulebook, hit(rulebook, "BG111", 2), text=text) == expected


def test_an_ignore_of_a_rule_that_did_not_run_is_not_unused(rulebook: Rulebook) -> None:
    text = "a  # backendgen: ignore[BG112] because\n"
    shown = run([], rulebook, text, {"BG111", "BG902"}).findings
    assert shown == ()


def test_an_ignored_finding_keeps_its_reason(rulebook: Rulebook) -> None:
    text = "a = 1\nexecute(  # backendgen: ignore[BG111] constant table\n  a)\n"
    report = run([hit(rulebook, "BG111", 2)], rulebook, text, {"BG111"})
    assert report.findings == () and report.ignored[0].reason == "constant table"


def test_the_whole_statement_is_compared_and_its_first_lines_are_shown(rulebook: Rulebook) -> None:
    text = "\tALTER TABLE t\r\n  ADD  a int,\r\n  ADD b int,\r\n  ADD c int;\r\n"
    one = replace(hit(rulebook, "BG111", 1), location=Location("app.py", 1, 2, 4))
    (found,) = run([one], rulebook, text).findings
    assert found.statement == "ALTER TABLE t ADD a int, ADD b int, ADD c int;"
    assert found.source == ("\tALTER TABLE t", "  ADD  a int,", "  ADD b int,")


def test_a_form_feed_ends_no_line(rulebook: Rulebook) -> None:
    (found,) = run([hit(rulebook, "BG111", 2)], rulebook, "a = 1\x0c\nexecute(a)\n").findings
    assert found.statement == "execute(a)"


def test_steps_carry_their_code(rulebook: Rulebook) -> None:
    (found,) = run([hit(rulebook, "BG111", 2, steps=(Step(Location("app.py", 4), "here"),))], rulebook).findings
    assert found.steps == (Step(Location("app.py", 4), "here", "execute(a)"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;\nDROP; /* backendgen: ignore[BG111] why */\n", []),
        ("/* backendgen: ignore[BG111]\n   a reason on\n   two lines */\nDROP;\n", []),
        ("/* backendgen: ignore[BG111] why */ DROP;\n", []),
        ("/* backendgen: ignore[BG111] why */\n/* a\n   note */\n\n-- another\nDROP;\n", []),
        ("-- backendgen: ignore[BG111] it's old\nDROP;\n", []),
        ("# backendgen: ignore[BG111] why\nDROP;\n", []),
        ("DO $$ BEGIN\n  DROP; -- backendgen: ignore[BG111] why\nEND $$;\n", []),
        ("a;\nDROP; /* backendgen: ignore[BG111] */\n", [("BG111", 2), ("BG903", 2)]),
        ("SELECT '/* backendgen: ignore[BG111] why */',\n  DROP;\n", [("BG111", 2)]),
        ("SELECT 'it''s -- backendgen: ignore[BG111] why';\nDROP;\n", [("BG111", 2)]),
    ],
)
def test_sql_comments_of_either_kind_ignore(rulebook: Rulebook, text: str, expected: list[tuple[str, int]]) -> None:
    line = text[: text.index("DROP")].count("\n") + 1
    one = replace(hit(rulebook, "BG111", line), location=Location("1.sql", line))
    report = run([one], rulebook, text, {"BG111", "BG902", "BG903"}, "1.sql")
    assert [(found.rule_id, found.location.line) for found in report.findings] == expected
    assert len(report.ignored) == (not expected)


def test_the_reason_of_a_block_comment_is_folded(rulebook: Rulebook) -> None:
    text = "/* backendgen: ignore[BG111] - a reason on\n   two lines */\nDROP;\n"
    one = replace(hit(rulebook, "BG111", 3), location=Location("1.sql", 3))
    assert run([one], rulebook, text, path="1.sql").ignored[0].reason == "a reason on two lines"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("BG111 until=2026-11-24", ""),
        ("BG111, until=2026-11-24", ""),
        ("until=2027-01-01 BG111", ""),
        (
            "BG111 until=2026-11-23",
            "this ignore of BG111 ended on 2026-11-23 and hides nothing; correct what it hid, or decide anew",
        ),
        (
            "BG111 until=2026-13-01",
            "this ignore of BG111 hides nothing: `until=2026-13-01` is no date: write `until=YYYY-MM-DD`",
        ),
        ("BG111 until=", "this ignore of BG111 hides nothing: `until=` is no date: write `until=YYYY-MM-DD`"),
        ("until=2027-01-01", "this ignore names no rule: write `ignore[BGnnn] reason`"),
    ],
)
def test_an_ignore_may_end(rulebook: Rulebook, words: str, expected: str) -> None:
    text = f"a = 1\nexecute(a)  # backendgen: ignore[{words}] constant\n"
    report = run([hit(rulebook, "BG111", 2)], rulebook, text, {"BG111", "BG902", "BG903"})
    assert [one.message for one in report.findings] == (["m", expected] if expected else [])


def test_no_two_findings_share_a_fingerprint(rulebook: Rulebook) -> None:
    line = "a  # backendgen: ignore[BG111] because\n"
    doubtful = hit(rulebook, "BG112", 5, confidence=Confidence.LOW)
    found = [hit(rulebook, "BG112", 4), doubtful]
    report = run(found, rulebook, line * 3 + "execute(a)\n" * 2, {"BG111", "BG112", "BG902"}, confidence="low")
    assert [one.rule_id for one in report.findings] == ["BG902", "BG902", "BG902", "BG112", "BG112"]
    assert len({one.fingerprint for one in report.findings}) == 5


@given(
    st.lists(st.sampled_from(["'", "/*", "*/", "--", "\n", "x", "$$", "#", '"', "backendgen: ignore[BG103] why"])),
    st.sampled_from(["a.py", "a.sql", "a.xml"]),
)
def test_any_text_can_be_searched_for_ignores(words: list[str], path: str) -> None:
    text = " ".join(words)
    for found in ignore.scan(path, text):
        assert 1 <= found.line <= found.target <= text.count("\n") + 1 or found.target < found.line
        assert "backendgen: ignore[BG103]" in text.split("\n")[found.line - 1]
        assert found.ids == ("BG103",)


def test_many_comments_are_searched_in_linear_time() -> None:
    text = "x; -- backendgen: ignore[BG103] why\n" * 3 + "/* note */ y; -- it's\n" * 100_000 + "'"
    started = perf_counter()
    assert [found.target for found in ignore.scan("a.sql", text)] == [1, 2, 3]
    assert perf_counter() - started < 5
