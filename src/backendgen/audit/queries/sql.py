"""A query's text as far as conditions need it: verb, table, and which placeholder is compared with which column.

Read with patterns, not with a parser: templates with holes are no SQL, and only `column = placeholder` is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

STARTS = re.compile(r"\s*(?:with\b.*?\)\s*)?(select|insert|update|delete)\b", re.IGNORECASE | re.DOTALL)
BEGINNINGS = frozenset({"with", "sele", "inse", "upda", "dele"})
TABLE = {
    "select": re.compile(r"\bfrom\s+(?:only\s+)?\"?([\w.]+)", re.IGNORECASE),
    "insert": re.compile(r"\binto\s+\"?([\w.]+)", re.IGNORECASE),
    "update": re.compile(r"\bupdate\s+(?:only\s+)?\"?([\w.]+)", re.IGNORECASE),
    "delete": re.compile(r"\bfrom\s+(?:only\s+)?\"?([\w.]+)", re.IGNORECASE),
}
COMPARED = re.compile(
    r"\"?(\w+)\"?\s*(=|<>|!=|<=|>=|<|>|\bin\b|\blike\b|\bilike\b|=\s*any\s*\()\s*\(?\s*"
    r"(%\((?P<named>[^)]+)\)s|:(?P<colon>\w+)|\$(?P<number>\d+)|(?P<mark>\?|%s)|@(?P<at>\w+))",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(
    r"%\((?P<named>[^)]+)\)s|(?<!:):(?P<colon>[a-z]\w*)|\$(?P<number>\d+)|(?P<mark>\?|%s)|@(?P<at>\w+)", re.IGNORECASE
)
WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
LIMIT = re.compile(r"\blimit\b|\bfetch\s+(?:first|next)\b|\btop\s+\d", re.IGNORECASE)
FEW = re.compile(r"\b(?:count|sum|max|min|avg|exists)\s*\(|\bgroup\s+by\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """`conditions` are (column or empty, placeholder): the placeholder's name, or its position."""

    verb: str
    table: str
    conditions: tuple[tuple[str, str | int], ...]
    limited: bool
    few: bool


def read(text: str) -> Text | None:
    """Return what a text says, None when it is no query."""
    if text.lstrip()[:4].lower() not in BEGINNINGS:
        return None
    found = STARTS.match(text)
    if found is None:
        return None
    verb = found[1].lower()
    table = TABLE[verb].search(text, found.start(1))
    if table is None:
        return None
    where = WHERE.search(text)
    after = where.start() if where else len(text)
    named = {match.start(3): match[1] for match in COMPARED.finditer(text, after)}
    conditions = tuple((named.get(start, ""), key) for start, key in _placeholders(text) if start >= after)
    return Text(verb, table[1].rpartition(".")[2].lower(), conditions, bool(LIMIT.search(text)), bool(FEW.search(text)))


def _placeholders(text: str) -> Iterator[tuple[int, str | int]]:
    marks = 0
    for match in PLACEHOLDER.finditer(text):
        name = match["named"] or match["colon"] or match["at"]
        if name:
            yield match.start(), name
        elif match["number"]:
            yield match.start(), int(match["number"]) - 1
        else:
            yield match.start(), marks
            marks += 1
