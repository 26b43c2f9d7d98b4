"""Tables: as plain text for pipes, as Markdown, as JSON for programs; columns that are empty everywhere are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
MIN_ROOM = 20  # columns, for words: with fewer nobody could read them


@dataclass(frozen=True, slots=True)
class Table:
    """Titles and rows of words; `data` are the same rows for programs, `counts` their figures."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: tuple[Mapping[str, Any], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def filled(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Return titles and rows without the columns that say nothing."""
        kept = [index for index in range(len(self.titles)) if any(row[index] for row in self.rows)]
        return tuple(self.titles[index] for index in kept), tuple(tuple(row[i] for i in kept) for row in self.rows)


def text(table: Table, summary: str) -> str:
    """One line for each row, two spaces between the columns: for pipes, grep and diff."""
    titles, rows = table.filled()
    lines = [*([titles] if rows else []), *rows]
    widths = _widths(lines)
    written = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
    return "\n".join([*written, *([""] if written else []), summary]) + "\n"


def width_of(table: Table) -> int:
    """How many columns of a terminal the lines of `text` take."""
    titles, rows = table.filled()
    widths = _widths([titles, *rows])
    return sum(widths) + 2 * max(len(widths) - 1, 0)


def _widths(lines: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def blocks(table: Table, width: int, heads: int = 2) -> Iterator[tuple[str, ...]]:
    """For each row a few lines that fit into so many columns: its first cells, then the others with their titles.

    A line is one text, or the title and the words of one cell, the title padded.
    """
    titles, rows = table.filled()
    indent = max((len(title) for title in titles[heads:]), default=0) + 4
    room = max(width - indent, MIN_ROOM)
    for row in rows:
        yield from ((line,) for line in _wrapped("  ".join(row[:heads]), max(width, MIN_ROOM)))
        for title, cell in zip(titles[heads:], row[heads:], strict=True):
            for number, line in enumerate(_wrapped(cell, room)):
                yield f"  {'' if number else title}".ljust(indent), line
        yield ("",)


def _wrapped(words: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(words, width)


def markdown(table: Table, summary: str) -> str:
    """A table of GitHub's Markdown."""
    titles, rows = table.filled()
    lines = [f"**{summary}**", ""]
    if rows:
        lines += [_row(titles), _row(["---"] * len(titles)), *(_row([_cell(one) for one in row]) for row in rows)]
    return "\n".join(lines).rstrip() + "\n"


def json(table: Table, summary: str) -> str:
    """One object with `endpoints` and `summary`."""
    from json import dumps

    return dumps({"format": FORMAT, "summary": dict(table.counts), "endpoints": list(table.data)}, indent=2) + "\n"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(words: str) -> str:
    """Words that Markdown shows as they are."""
    plain = words.replace("|", "\\|").replace("\n", " ")
    return f"`{plain}`" if any(mark in plain for mark in "_*{}<>[]") else plain


FORMATS: Mapping[str, Callable[[Table, str], str]] = {"text": text, "json": json, "markdown": markdown}
