"""One weakness in one place is one finding, whoever found it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from backendgen.findings.finding import Finding
from backendgen.rules import Rulebook

SHOWN_LINES = 3
COMPARED_LINES = 40  # of a statement: enough to tell two apart, and a body of a thousand lines is not read for it


def merge(findings: Iterable[Finding], rulebook: Rulebook, doubtful: Iterable[Finding] = ()) -> list[Finding]:
    """Merge findings. `doubtful` are others that are not shown: they only say which engines found the same.

    Findings of one rule at one line become one with all their engines: the first engine's text stands (engines are
    given best judge first), the higher grades win; what one engine says twice of a line is said on two lines. A rule
    that supersedes another removes it from its lines, and is then found by that one's engines, too.
    """
    merged: dict[tuple[str, str, int], Finding] = {}
    for one in findings:
        key = (one.rule_id, one.location.path, one.location.line)
        first = merged.get(key)
        merged[key] = one if first is None else _joined(first, one)
    engines: dict[tuple[str, str, int], tuple[str, ...]] = {}
    for one in (*merged.values(), *doubtful):
        key = (one.rule_id, one.location.path, one.location.line)
        engines[key] = engines.get(key, ()) + one.engines
    covers = {key: _covered(one, rulebook) for key, one in merged.items()}
    covered = set().union(*covers.values())
    return [
        replace(
            one, engines=tuple(dict.fromkeys(name for each in (key, *covers[key]) for name in engines.get(each, ())))
        )
        for key, one in merged.items()
        if key not in covered
    ]


def _covered(one: Finding, rulebook: Rulebook) -> list[tuple[str, str, int]]:
    """The findings that this one makes superfluous, by rule and line."""
    lines = range(one.location.line, max(one.location.line, one.location.end_line) + 1)
    return [(weaker, one.location.path, line) for weaker in rulebook[one.rule_id].supersedes for line in lines]


def _joined(first: Finding, other: Finding) -> Finding:
    same_engine = first.engines[-1:] == other.engines  # it says two things of one line: `DROP TABLE a, b`
    return replace(
        first,
        message=_both(first.message, other.message) if same_engine else first.message,
        engines=tuple(dict.fromkeys(first.engines + other.engines)),
        severity=max(first.severity, other.severity),
        confidence=max(first.confidence, other.confidence),
        steps=first.steps or other.steps,
        fix=_both(first.fix, other.fix) if same_engine else first.fix or other.fix,
        remedies=first.remedies + other.remedies,
    )


def _both(first: str, other: str) -> str:
    return first if f"\n{other}\n" in f"\n{first}\n" else f"{first}\n{other}".strip()


def numbered(findings: Iterable[Finding], texts: Mapping[str, str]) -> list[Finding]:
    """Order findings, and give each its source and its number among those of the same kind.

    `texts` are the files' texts by path.
    """
    seen: Counter[tuple[str, str, str, str]] = Counter()
    lines = _Lines(texts)
    result = []
    for one in sorted(findings, key=lambda one: (one.location, one.rule_id)):
        path, first = one.location.path, one.location.line
        last = max(first, min(one.location.end_line, first + COMPARED_LINES - 1))
        source = lines.between(path, first, last)
        statement = " ".join(" ".join(source).split())
        kind = (one.rule_id, path, one.symbol, statement)
        steps = one.steps and tuple(
            replace(
                step, code=" ".join(lines.between(step.location.path, step.location.line, step.location.line)).strip()
            )
            for step in one.steps
        )
        shown = tuple(source[:SHOWN_LINES])
        result.append(replace(one, statement=statement, source=shown, steps=steps, ordinal=seen[kind]))
        seen[kind] += 1
    return result


class _Lines:
    """The files' lines, cut once for each file. Only a line feed ends one, as for the parsers."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def between(self, path: str, first: int, last: int) -> list[str]:
        """Return these lines, as far as there are such."""
        if path not in self._lines:
            self._lines[path] = self._texts.get(path, "").split("\n")
        return [line.rstrip("\r") for line in self._lines[path][first - 1 : last]] if first > 0 else []
