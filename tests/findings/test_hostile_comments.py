"""Ignores of every form, in every kind of file: they hide what they name or are complained of, and end no run."""

from __future__ import annotations

import re
from datetime import date

from hypothesis import example, given, settings
from hypothesis import strategies as st

from backendgen.findings import foreign, ignore
from backendgen.findings.finding import Hit, Location, finding
from backendgen.rules import Rulebook

RULEBOOK = Rulebook()
TODAY = date(2026, 11, 25)
IDS = ("BG103", "bg103", "BG109", "BG999", "BG10", "B103", "")
PLACES = ("a.py", "a.pyi", "a.sql", "a.yaml", "a.html", "Dockerfile", ".env", "nginx.conf", "requirements.txt")
WORDS = st.sampled_from(
    ("backendgen:", "ignore[", "]", "BG103", "until=", "2027-01-01", "2026-02-30", ",", " ", "why", "#", "--", "/*", "*/",
     "{#", "#}", "<!--", "-->", "\n", "'", '"', "'''", "x = 1", "(", ")", "nosec", "nosemgrep", ": B324", "\t", "\\", "é",
     "\x0c", "\r")
)  # fmt: skip


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str, bool]:
    """An ignore, the rule that it is for, and whether it is in force."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=0, max_size=3))
    until = draw(
        st.sampled_from(("", "until=2027-01-01", "until=2026-11-25", "until=2026-11-24", "until=soon", "until="))
    )
    words = draw(st.permutations([*ids, *([until] if until else [])]))
    reason = draw(st.sampled_from(("", "a constant table", ": a constant table", " - ", "because # of this", "ß ]")))
    inside = draw(st.sampled_from((", ", " ", ","))).join(words)
    holds = any(one.upper() == "BG103" for one in ids)
    is_said = bool(reason.strip(" :-"))
    text = f"# backendgen: ignore[{inside}]{' ' if reason else ''}{reason}"
    return text, until, holds and is_said and until not in ("until=2026-11-24", "until=soon", "until=")


@settings(max_examples=300, deadline=None)
@given(written(), st.booleans())
@example(("# backendgen: ignore[BG103 until=2027-01-01] why", "", True), True)
def test_an_ignore_hides_or_is_complained_of(comment: tuple[str, str, bool], above: bool) -> None:
    text, _, in_force = comment
    source = f"x = (\n    1)\n{text}\ny = 2\n" if above else f"x = 1\nx = 3\n\ny = 2  {text}\n"
    found = finding(RULEBOOK["BG103"], Hit(Location("a.py", 4), "a finding"), "own")
    applied = ignore.apply([found], ignore.scan("a.py", source), RULEBOOK, lambda _: True, TODAY)
    assert (applied.standing, len(applied.hidden)) == (((), 1) if in_force else ((found,), 0))
    is_known = {"BG999", "BG10", "B103"}.isdisjoint(re.findall(r"\w+", text.partition("]")[0]))
    assert (in_force and is_known) or applied.complaints


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), st.lists(WORDS, max_size=40).map("".join))
def test_any_text_can_be_searched_for_ignores(path: str, text: str) -> None:
    lines = text.count("\n") + 1
    for one in ignore.scan(path, text):
        assert 1 <= one.line <= lines
        assert 1 <= one.target <= lines
    for line, comment in foreign.scan(path, text).items():
        assert 1 <= line <= lines
        assert comment.tool in ("nosec", "nosemgrep")
    assert "".join(ignore._without(list(ignore.comments(path, text)), text)).count("\n") == lines - 1


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("B0123 ,:=-abcnosecmgrp.#_"), max_size=30))
def test_what_is_named_is_no_more_than_what_is_written(rest: str) -> None:
    for comment in foreign.scan("a.py", f"f()  # nosec{rest}\n").values():
        if comment.tool == "nosec":
            assert len(comment.names) <= len(re.findall(r"\w+", rest))
