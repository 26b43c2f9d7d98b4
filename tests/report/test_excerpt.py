"""The source lines under a finding: the caret stands under the column, in the cells of a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendgen.findings.finding import Finding, Location
from backendgen.report.excerpt import WIDTH, excerpt, printable
from backendgen.rules import Confidence, Severity


def lines(*source: str, line: int = 7, column: int = 1) -> list[str]:
    place = Location("1.sql", line, column)
    return list(excerpt(Finding("BG701", place, "m", Severity.LOW, Confidence.HIGH, ("own",), source=source)))


@pytest.mark.parametrize(
    ("source", "column", "expected"),
    [
        ("DROP TABLE t;", 1, ["7 | DROP TABLE t;", "  | ^"]),
        ("    DROP TABLE t;", 5, ["7 | DROP TABLE t;", "  | ^"]),
        ("a; DROP TABLE t;", 4, ["7 | a; DROP TABLE t;", "  |    ^"]),
        ("\tDROP TABLE t;", 2, ["7 | DROP TABLE t;", "  | ^"]),
        ("a\tDROP TABLE t;", 3, ["7 | a   DROP TABLE t;", "  |     ^"]),
        ("'日本'; DROP", 7, ["7 | '日本'; DROP", "  |         ^"]),
        ("'e\u0301'; DROP", 7, ["7 | 'e\u0301'; DROP", "  |      ^"]),
        ("a\x1b[31m; DROP", 9, ["7 | a\ufffd[31m; DROP", "  |         ^"]),
        ("a\u202e; DROP", 5, ["7 | a\ufffd; DROP", "  |     ^"]),
        ("    x = 1", 1, ["7 | x = 1"]),
        ("x = 1", 40, ["7 | x = 1"]),
        ("", 1, []),
    ],
)
def test_the_caret_stands_under_the_column(source: str, column: int, expected: list[str]) -> None:
    assert lines(source, column=column) == expected


def test_several_lines_are_numbered_and_keep_their_shape() -> None:
    shown = lines("  ALTER TABLE t", "    ADD a int,", "", line=9, column=3)
    assert shown == [" 9 | ALTER TABLE t", "   | ^", "10 |   ADD a int,", "11 |"]


def test_nothing_is_shown_of_a_finding_without_source() -> None:
    assert lines() == []


def test_a_long_line_is_cut_at_its_ends() -> None:
    start = lines("x" * 300, column=3)
    assert start == [f"7 | {'x' * 98}…", "  |   ^"]
    middle = lines("x" * 150 + "Y" + "x" * 150, column=151)
    assert middle == [f"7 | …{'x' * 50}Y{'x' * 47}…", f"  | {' ' * 51}^"]
    end = lines("x" * 299 + "Y", column=300)
    assert end == [f"7 | …{'x' * 50}Y", f"  | {' ' * 51}^"]


def test_control_characters_never_reach_a_terminal() -> None:
    assert printable("a\x1b]0;b\x07\tc\nd\x9b") == "a\ufffd]0;b\ufffd    c\nd\ufffd"


def width(text: str) -> int:
    """The cells that a terminal takes for it."""
    return sum(
        0 if unicodedata.category(mark) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(mark) in "WF" else 1
        for mark in text
    )


@given(st.text(st.characters(exclude_characters="\n\r"), max_size=300), st.integers(1, 320))
def test_any_line_fits_and_its_caret_is_inside(source: str, column: int) -> None:
    for shown in lines(source, column=column):
        assert width(shown) <= len("7 | ") + WIDTH
        assert "Cc" not in map(unicodedata.category, shown)
