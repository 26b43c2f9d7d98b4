"""Other tools' ignores, `# nosec` and `# nosemgrep`, honoured for the rules that say the same as theirs.

`# nosec` names bandit's tests (`# nosec B324, B303`) or none, which means all of them; `# nosemgrep: id` semgrep's rules.
What else stands there is the reason, and no list of tests. A card's `peers` say which of them it stands for.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backendgen.findings.finding import Finding, Ignored
from backendgen.findings.ignore import comments, line_starts
from backendgen.rules import Rulebook

COMMENT = re.compile(r"#\s*(?P<tool>nosec|nosemgrep)\b(?P<rest>[^#]*)")
TEST = re.compile(r"\bB\d{3}\b")
NAMES = re.compile(r":\s*(?P<names>[\w.-]+(?:\s*,\s*[\w.-]+)*)")


@dataclass(frozen=True, slots=True)
class Comment:
    """One such comment: the tool, what it names (nothing: all), whether it stands alone on its line, and its text."""

    tool: str
    names: frozenset[str]
    alone: bool
    text: str


def apply(
    findings: Iterable[Finding], texts: Mapping[str, str], rulebook: Rulebook
) -> tuple[list[Finding], list[Ignored]]:
    """Split findings into those that stand and those that another tool's comment hides."""
    standing: list[Finding] = []
    hidden: list[Ignored] = []
    known: dict[str, dict[int, Comment]] = {}
    for one in findings:
        path, peers = one.location.path, rulebook[one.rule_id].peers
        comment = None
        if peers and path.endswith((".py", ".pyi", ".pyw")):
            if path not in known:
                known[path] = scan(path, texts.get(path, ""))
            comment = _match(one, peers, known[path])
        if comment is None:
            standing.append(one)
        else:
            hidden.append(Ignored(one, comment.text, comment.tool))
    return standing, hidden


def scan(path: str, text: str) -> dict[int, Comment]:
    """Return the comments of other tools in a file, by line."""
    found: dict[int, Comment] = {}
    if "nosec" not in text and "nosemgrep" not in text:
        return found
    starts = line_starts(text)
    for start, end in comments(path, text):
        written = COMMENT.search(text[start:end])
        if written:
            tool, rest = written["tool"], written["rest"]
            named = NAMES.match(rest) if tool == "nosemgrep" else None
            names = TEST.findall(rest) if tool == "nosec" else re.split(r"[,\s]+", named["names"]) if named else []
            line_start = text.rfind("\n", 0, start) + 1
            alone = not text[line_start:start].strip()
            line = bisect(starts, start)
            shown = " ".join(written[0].lstrip("# ").split())
            found[line] = Comment(tool, frozenset(name.rpartition(".")[2] for name in names), alone, shown)
    return found


def _match(one: Finding, peers: tuple[str, ...], found: Mapping[int, Comment]) -> Comment | None:
    """The comment that hides a finding: on one of its lines, or, of semgrep, alone on the line above."""
    first, last = one.location.line, max(one.location.line, one.location.end_line)
    above = found.get(first - 1)
    candidates = [found[line] for line in range(first, last + 1) if line in found]
    if above is not None and above.alone and above.tool == "nosemgrep":
        candidates.append(above)
    for comment in candidates:
        meant = {peer for peer in peers if comment.tool == "nosemgrep" or TEST.fullmatch(peer)}
        if meant and (not comment.names or comment.names & meant):
            return comment
    return None
