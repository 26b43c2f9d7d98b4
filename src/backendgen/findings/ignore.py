"""Ignores: `# backendgen: ignore[BG103] constant table name` on the line, or alone on the lines above.

In SQL `--` and `/* */` comments hold them, in YAML, TOML, Dockerfiles, nginx configurations and their like `#`, in templates
`{# #}` and `<!-- -->`.
`ignore[BG103 until=2027-01-01]` hides up to that day.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate

from backendgen.findings.finding import Finding, Hit, Ignored, Location, finding
from backendgen.rules import Rulebook

COMMENT = re.compile(r"(?:#|--|//|/\*)\s*backendgen:\s*ignore\[(?P<words>[^\]]*)\](?P<reason>.*)", re.DOTALL)
UNUSED, MALFORMED = "BG902", "BG903"
_END = re.compile(r"(?:\*/|#\}|--+>)\s*$")
UNTIL = "until="
_IN_SQL = re.compile(
    r"'(?:[^']++|'')*+'|(?P<comment>--[^\n]*|(?:#|//)\s*backendgen:[^\n]*|/\*.*?(?:\*/|\Z))", re.DOTALL
)
_IN_DOCUMENT = re.compile(r"(?:^|(?<=\s))(?P<comment>#[^\n]*|--\s*backendgen:[^\n]*)", re.MULTILINE)
_DOCUMENT = re.compile(
    r"\.(?:ya?ml|toml|cfg|ini|txt|in|pip|lock)$|\.(?:conf|nginx|vhost)(?:\.[\w-]+)*$|(?:^|/)(?:[^/.]+|\.env[^/]*|[^/]+\.env|(?:Docker|Container)file[^/]*)$"
)
_IN_TEMPLATE = re.compile(r"(?P<comment>\{#.*?#\}|<!--.*?-->)", re.DOTALL)
_TEMPLATE = re.compile(r"\.(?:x?html?|jinja2?)(?:\.\w+)?$", re.IGNORECASE)
_IN_PYTHON = re.compile(r"(?P<comment>#[^\n]*)")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: it hides these rules on `target`, the line that it speaks of, up to the day `until`."""

    path: str
    line: int
    target: int
    ids: tuple[str, ...]
    reason: str
    until: date | None = None
    wrong: str = ""


def scan(path: str, text: str) -> tuple[Ignore, ...]:
    """Return the ignores in a file's text."""
    if "backendgen:" not in text:
        return ()
    written_in = list(comments(path, text))
    starts = line_starts(text)
    with_code = [number for number, line in enumerate(_without(written_in, text).split("\n"), 1) if line.strip()]
    found = []
    for start, end in written_in:
        written = COMMENT.search(text[start:end])
        if written:
            line = bisect(starts, start + written.start("words"))
            first, last = bisect(starts, start), bisect(starts, end)
            target = _code_at(with_code, first) or _code_at(with_code, last) or _code_after(with_code, last) or line
            found.append(_ignore(path, line, target, written["words"], _END.sub("", written["reason"])))
    return tuple(found)


def line_starts(text: str) -> list[int]:
    """Where each line begins: `bisect(line_starts(text), offset)` is the line of an offset."""
    return [0, *accumulate(len(line) + 1 for line in text.split("\n")[:-1])]


def _code_at(lines: Sequence[int], line: int) -> int:
    place = bisect_left(lines, line)
    return line if place < len(lines) and lines[place] == line else 0


def _code_after(lines: Sequence[int], line: int) -> int:
    place = bisect(lines, line)
    return lines[place] if place < len(lines) else 0


def _without(spans: Iterable[tuple[int, int]], text: str) -> str:
    """Return the text without its comments; every line stays where it is."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], "\n" * text.count("\n", start, end)]
        at = end
    return "".join([*parts, text[at:]])


def _ignore(path: str, line: int, target: int, written: str, reason: str) -> Ignore:
    words = written.replace(",", " ").split()
    ids = tuple(word.upper() for word in words if not word.lower().startswith(UNTIL))
    until, wrong = None, ""
    for word in words:
        if word.lower().startswith(UNTIL):
            try:
                until = date.fromisoformat(word[len(UNTIL) :])
            except ValueError:
                wrong = f"`{word}` is no date: write `until=YYYY-MM-DD`"
    return Ignore(path, line, target, ids, " ".join(reason.split()).strip(" :-"), until, wrong)


def comments(path: str, text: str) -> Iterator[tuple[int, int]]:
    """Where comments stand, from offset to offset: what a string only quotes is none."""
    spans = _python_comments(text) if path.endswith((".py", ".pyi")) else None
    if spans is not None:
        yield from spans
        return
    pattern = (
        _IN_PYTHON if path.endswith((".py", ".pyi"))
        else _IN_TEMPLATE if _TEMPLATE.search(path)
        else _IN_DOCUMENT if _DOCUMENT.search(path)
        else _IN_SQL
    )  # fmt: skip
    for token in pattern.finditer(text):
        if token["comment"]:
            yield token.span()


def _python_comments(text: str) -> list[tuple[int, int]] | None:
    """The comments of a Python file; None when it cannot be told."""
    import io
    import tokenize

    starts = [*line_starts(text), len(text)]
    try:
        return [
            (starts[token.start[0] - 1] + token.start[1], starts[token.end[0] - 1] + token.end[1])
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        ]
    except (tokenize.TokenError, SyntaxError):  # syntax that is newer than this interpreter's
        return None


@dataclass(frozen=True, slots=True)
class Applied:
    """Findings that stand, those that an ignore hides, and what is to be said of the ignores themselves."""

    standing: tuple[Finding, ...]
    hidden: tuple[Ignored, ...]
    complaints: tuple[Finding, ...]


def apply(
    findings: Iterable[Finding],
    ignores: Iterable[Ignore],
    rulebook: Rulebook,
    judged: Callable[[str], bool],
    today: date,
) -> Applied:
    """Split findings into those that stand and those that an ignore hides.

    A finding is hidden when an ignore's target lies within its lines. An ignore without an id or reason, with an unknown
    id, that has ended, or that hides nothing (of the rules that ran: `judged`) becomes a finding of its own.
    """
    by_path: dict[str, list[Ignore]] = {}
    for ignore in ignores:
        by_path.setdefault(ignore.path, []).append(ignore)
    for group in by_path.values():
        group.sort(key=lambda one: one.target)
    standing: list[Finding] = []
    hidden: list[Ignored] = []
    used: set[tuple[str, int, str]] = set()
    for candidate in findings:
        match = _match(candidate, by_path, rulebook, today)
        if match is None:
            standing.append(candidate)
            continue
        ignore, named = match
        used.add((ignore.path, ignore.line, named))
        hidden.append(Ignored(candidate, ignore.reason))
    complaints = tuple(
        complaint
        for group in by_path.values()
        for ignore in group
        for complaint in _complaints(ignore, used, rulebook, judged, today)
    )
    return Applied(tuple(standing), tuple(hidden), complaints)


def _match(
    candidate: Finding, by_path: Mapping[str, list[Ignore]], rulebook: Rulebook, today: date
) -> tuple[Ignore, str] | None:
    place = candidate.location
    group = by_path.get(place.path, [])
    first = bisect_left(group, place.line, key=lambda one: one.target)
    for ignore in group[first : bisect(group, max(place.line, place.end_line), key=lambda one: one.target)]:
        if ignore.reason and not ignore.wrong and not (ignore.until and today > ignore.until):
            for named in ignore.ids:
                if named == candidate.rule_id or rulebook.aliases.get(named) == candidate.rule_id:
                    return ignore, named
    return None


def _complaints(
    ignore: Ignore,
    used: set[tuple[str, int, str]],
    rulebook: Rulebook,
    judged: Callable[[str], bool],
    today: date,
) -> Iterable[Finding]:
    place = Location(ignore.path, ignore.line)
    wrong = _malformed(ignore, rulebook)
    if wrong:
        if judged(MALFORMED):
            yield finding(rulebook[MALFORMED], Hit(place, wrong), "own")
        return
    for named in ignore.ids:
        rule_id = rulebook.aliases.get(named, named)
        if (ignore.path, ignore.line, named) in used or not judged(rule_id) or not judged(UNUSED):
            continue
        message = f"nothing of {named} is found here any more; remove this ignore"
        if ignore.until and today > ignore.until:
            message = (
                f"this ignore of {named} ended on {ignore.until} and hides nothing; correct what it hid, or decide anew"
            )
        yield replace(finding(rulebook[UNUSED], Hit(place, message), "own"), symbol=named)


def _malformed(ignore: Ignore, rulebook: Rulebook) -> str:
    """Say what is wrong with the way an ignore is written, or nothing."""
    unknown = [named for named in ignore.ids if rulebook.aliases.get(named, named) not in rulebook]
    if not ignore.ids:
        return "this ignore names no rule: write `ignore[BGnnn] reason`"
    if unknown:
        return f"this ignore names {', '.join(unknown)}, which is no rule"
    if ignore.wrong:
        return f"this ignore of {', '.join(ignore.ids)} hides nothing: {ignore.wrong}"
    if not ignore.reason:
        return f"this ignore of {', '.join(ignore.ids)} gives no reason, so it hides nothing"
    return ""
