"""Liquibase's formatted SQL as text: its changesets, their attributes, and the lines that take them back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backendgen.migrate.readers.reading import Reading

_FORMATTED = re.compile(r"\ufeff?\s*--\s*liquibase\s+formatted\s+sql", re.IGNORECASE)
_CHANGESET = re.compile(
    r"^[ \t]*--[ \t]*changeset[ \t]+(\"[^\"\n]+\"|[^:\n]+):[ \t]*(\"[^\"\n]+\"|\S+)(.*)$", re.IGNORECASE | re.MULTILINE
)
_ATTRIBUTE = re.compile(r"(\w+):(\"[^\"]*\"|\S*)")
_ROLLBACK = re.compile(r"[ \t]*--[ \t]*rollback[ \t](.*)", re.IGNORECASE)
_ROLLBACK_LINE = re.compile(r"^[ \t]*--[ \t]*rollback[ \t].*", re.IGNORECASE | re.MULTILINE)
_ROLLBACK_BLOCK = re.compile(r"/\*[ \t]*liquibase[ \t]+rollback[ \t]*\n(.*?)\*/", re.IGNORECASE | re.DOTALL)
_IGNORED = re.compile(r"^[ \t]*--[ \t]*ignoreLines:start\b.*?^[ \t]*--[ \t]*ignoreLines:end\b", re.I | re.M | re.S)
_PROPERTY = re.compile(r"^[ \t]*--[ \t]*property[ \t]+(.*)$", re.IGNORECASE | re.MULTILINE)
_NOT_NEEDED = re.compile(r"(?:empty|not\s+required)\s*;?", re.IGNORECASE)
_HEAD = 400


@dataclass(frozen=True, slots=True)
class Changeset:
    """A changeset of a formatted SQL file: the attributes of its line, its SQL and that of its rollback, lines kept."""

    author: str
    id: str
    line: int
    attributes: Mapping[str, str]
    up: str
    down: str

    @property
    def name(self) -> str:
        """Return `author:id`."""
        return f"{self.author}:{self.id}"


def is_formatted(path: Path, reading: Reading) -> bool:
    """Whether a file begins with `--liquibase formatted sql`."""
    return bool(_FORMATTED.match(reading.head(path)[:_HEAD].decode("utf-8", "replace")))


def changesets(text: str) -> Iterator[Changeset]:
    """Yield the changesets of a formatted SQL file; what `--ignoreLines` leaves out is blank."""
    text = _IGNORED.sub(lambda found: "\n" * found[0].count("\n"), text)
    for mark, end in heads(text):
        before = text.count("\n", 0, mark.end())
        body = text[mark.end() : end]
        attributes = _attributes(mark[3])
        up = _ROLLBACK_BLOCK.sub(lambda found: "\n" * found[0].count("\n"), body)
        yield Changeset(
            mark[1].strip().strip('"'), mark[2].strip('"'), before + 1, attributes,
            "\n" * before + delimited(up, attributes.get("enddelimiter", "")),
            "\n" * before + delimited(_rollback(body), attributes.get("rollbackenddelimiter", "")),
        )  # fmt: skip


def heads(text: str) -> Iterator[tuple[re.Match[str], int]]:
    """Yield the line that begins each changeset, and where its text ends."""
    marks = [*_CHANGESET.finditer(text)]
    yield from zip(marks, [*(mark.start() for mark in marks), len(text)][1:], strict=True)


def rollbacks(body: str) -> Iterator[re.Match[str]]:
    """Yield the comments of a changeset's body that say how it is taken back."""
    found = [*_ROLLBACK_LINE.finditer(body), *_ROLLBACK_BLOCK.finditer(body)]
    yield from sorted(found, key=lambda one: one.start())


def part(text: str, name: str) -> str | None:
    """Return the text of the changeset that is called so, None when there is none (any more, or yet)."""
    return next((f"{one.up.lstrip()}\n{one.down.lstrip()}" for one in changesets(text) if one.name == name), None)


def properties(text: str) -> Iterator[Mapping[str, str]]:
    """Yield the attributes of each `--property` line."""
    for found in _PROPERTY.finditer(text):
        yield _attributes(found[1])


def before_changesets(text: str) -> str:
    """Return what stands before the first changeset, all of a text without one."""
    first = _CHANGESET.search(text)
    return text[: first.start()] if first else text


def _attributes(text: str) -> dict[str, str]:
    return {found[1].lower(): found[2].strip('"') for found in _ATTRIBUTE.finditer(text)}


def _rollback(body: str) -> str:
    """Return the SQL of the rollback lines and blocks where it stands, and nothing else."""
    lines = []
    for line in body.split("\n"):
        found = _ROLLBACK.match(line)
        lines.append(" " * found.start(1) + found[1] if found and not _NOT_NEEDED.fullmatch(found[1].strip()) else "")
    for block in _ROLLBACK_BLOCK.finditer(body):
        first = body.count("\n", 0, block.start(1))
        for number, line in enumerate(block[1].split("\n")):
            lines[first + number] = line
    return "\n".join(lines)


def delimited(text: str, delimiter: str) -> str:
    """Put semicolons where another delimiter ends a statement: at the end of a line."""
    if delimiter in ("", ";"):
        return text
    ends = re.compile(rf"{re.escape(delimiter)}[ \t]*$", re.IGNORECASE | re.MULTILINE)
    return ends.sub(";", text)
