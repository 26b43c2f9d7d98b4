"""One weakness in one place is one finding, whoever found it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from backendgen.findings.finding import Finding
from backendgen.rules import Rulebook


def merge(findings: Iterable[Finding], rulebook: Rulebook, texts: Mapping[str, str]) -> tuple[Finding, ...]:
    """Merge, order and number findings.

    Findings of one rule at one line become one with all their engines: the first engine's text stands (engines are
    given best judge first), the higher grades win; what one engine says twice of a line is said on two lines. A rule
    that supersedes another removes it from its lines.
    `texts` are the files' texts by path, for the fingerprints.
    """
    merged: dict[tuple[str, str, int], Finding] = {}
    for one in findings:
        key = (one.rule_id, one.location.path, one.location.line)
        first = merged.get(key)
        merged[key] = one if first is None else _joined(first, one)
    covered = {
        (weaker, one.location.path, line)
        for one in merged.values()
        for weaker in rulebook[one.rule_id].supersedes
        for line in range(one.location.line, max(one.location.line, one.location.end_line) + 1)
    }
    standing = [one for key, one in merged.items() if key not in covered]
    standing.sort(key=lambda one: (one.location.path, one.location.line, one.location.column, one.rule_id))
    return _numbered(standing, texts)


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
    )


def _both(first: str, other: str) -> str:
    return first if f"\n{other}\n" in f"\n{first}\n" else f"{first}\n{other}".strip()


def _numbered(findings: Iterable[Finding], texts: Mapping[str, str]) -> tuple[Finding, ...]:
    seen: Counter[tuple[str, str, str, str]] = Counter()
    lines: dict[str, list[str]] = {}
    numbered = []
    for one in findings:
        path, number = one.location.path, one.location.line
        if path not in lines:
            lines[path] = texts.get(path, "").splitlines()
        source = lines[path]
        statement = " ".join(source[number - 1].split()) if 0 < number <= len(source) else ""
        kind = (one.rule_id, path, one.symbol, statement)
        numbered.append(replace(one, statement=statement, ordinal=seen[kind]))
        seen[kind] += 1
    return tuple(numbered)
