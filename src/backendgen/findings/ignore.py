"""Ignores: `# backendgen: ignore[BG103] constant table name` on the line, or alone on the line above (`--` in SQL)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from backendgen.findings.finding import Finding, Hit, Ignored, Location, finding
from backendgen.rules import Rulebook

COMMENT = re.compile(r"(?P<before>.*?)(?:#|--|//)\s*backendgen:\s*ignore\[(?P<ids>[^\]]*)\](?P<reason>.*)$")
UNUSED, MALFORMED = "BG902", "BG903"


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: it hides these rules on `target`, the line that it speaks of."""

    path: str
    line: int
    target: int
    ids: tuple[str, ...]
    reason: str


def scan(path: str, text: str) -> tuple[Ignore, ...]:
    """Return the ignores in a file's text."""
    if "backendgen:" not in text:
        return ()
    lines = text.splitlines()
    comments = _comment_lines(text) if path.endswith(".py") else None
    found = []
    for number, line in enumerate(lines, 1):
        comment = COMMENT.search(line)
        if not comment or (comments is not None and number not in comments):
            continue
        target = number
        if not comment["before"].strip():
            target = next((later for later in range(number + 1, len(lines) + 1) if _is_code(lines[later - 1])), number)
        ids = tuple(word.strip().upper() for word in comment["ids"].split(",") if word.strip())
        found.append(Ignore(path, number, target, ids, comment["reason"].strip(" :-")))
    return tuple(found)


def _comment_lines(text: str) -> set[int] | None:
    """The lines of a Python file with a comment: what a string only quotes is none. None when it cannot be told."""
    import io
    import tokenize

    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):  # syntax that is newer than this interpreter's
        return None
    return {token.start[0] for token in tokens if token.type == tokenize.COMMENT}


def _is_code(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith(("#", "--", "//"))


def apply(
    findings: Iterable[Finding], ignores: Iterable[Ignore], rulebook: Rulebook, judged: Callable[[str], bool]
) -> tuple[tuple[Finding, ...], tuple[Ignored, ...]]:
    """Split findings into those that stand and those that an ignore hides.

    A finding is hidden when an ignore's target lies within its lines. An ignore without an id or reason, with an unknown
    id, or that hides nothing (of the rules that ran: `judged`) becomes a finding of its own.
    """
    by_path: dict[str, list[Ignore]] = {}
    for ignore in ignores:
        by_path.setdefault(ignore.path, []).append(ignore)
    standing: list[Finding] = []
    hidden: list[Ignored] = []
    used: set[tuple[str, int, str]] = set()
    for candidate in findings:
        match = _match(candidate, by_path, rulebook)
        if match is None or not match[0].reason:
            standing.append(candidate)
            continue
        ignore, named = match
        used.add((ignore.path, ignore.line, named))
        hidden.append(Ignored(candidate, ignore.reason))
    for ignore in (one for group in by_path.values() for one in group):
        standing.extend(_complaints(ignore, used, rulebook, judged))
    return tuple(standing), tuple(hidden)


def _match(candidate: Finding, by_path: Mapping[str, list[Ignore]], rulebook: Rulebook) -> tuple[Ignore, str] | None:
    place = candidate.location
    for ignore in by_path.get(place.path, ()):
        if place.line <= ignore.target <= max(place.line, place.end_line):
            for named in ignore.ids:
                if named == candidate.rule_id or rulebook.aliases.get(named) == candidate.rule_id:
                    return ignore, named
    return None


def _complaints(
    ignore: Ignore, used: set[tuple[str, int, str]], rulebook: Rulebook, judged: Callable[[str], bool]
) -> Iterable[Finding]:
    place = Location(ignore.path, ignore.line)
    unknown = [named for named in ignore.ids if rulebook.aliases.get(named, named) not in rulebook]
    wrong = ""
    if not ignore.ids:
        wrong = "this ignore names no rule: write `ignore[BGnnn] reason`"
    elif unknown:
        wrong = f"this ignore names {', '.join(unknown)}, which is no rule"
    elif not ignore.reason:
        wrong = f"this ignore of {', '.join(ignore.ids)} gives no reason, so it hides nothing"
    if wrong:
        if judged(MALFORMED):
            yield finding(rulebook[MALFORMED], Hit(place, wrong), "own")
        return
    for named in ignore.ids:
        rule_id = rulebook.aliases.get(named, named)
        if (ignore.path, ignore.line, named) not in used and judged(rule_id) and judged(UNUSED):
            message = f"nothing of {named} is found here any more; remove this ignore"
            yield replace(finding(rulebook[UNUSED], Hit(place, message), "own"), symbol=named)
