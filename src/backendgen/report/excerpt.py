"""A finding's lines of source as a terminal shows them: numbered, a caret under the column, long lines cut.

Control characters and marks that turn the reading order are shown as U+FFFD: a terminal must not obey the text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from backendgen.findings.finding import Finding

WIDTH = 100  # of the code, in the terminal's cells
TAB = 4
CUT = "…"
_INVISIBLE = dict.fromkeys((*range(32), *range(127, 160), *range(8234, 8239), *range(8294, 8298)), "�")
_BUT_LINES = {code: mark for code, mark in _INVISIBLE.items() if code != 0x0A}


def printable(text: str) -> str:
    """Return text without what a terminal would obey; line feeds stay, tabs become spaces."""
    return text if text.isprintable() else text.replace("\t", " " * TAB).translate(_BUT_LINES)


def printable_path(path: str) -> str:
    """Return a file's path on one line: its name, too, may hold anything."""
    return path if path.isprintable() else path.translate(_INVISIBLE)


def excerpt(one: Finding) -> Iterator[str]:
    """Yield the source lines of a finding, each as `number | code`, and a line with a caret under the first."""
    if not any(line.strip() for line in one.source):
        return
    indent = min(len(line) - len(line.lstrip()) for line in one.source if line.strip())
    lines = [line[indent:] for line in one.source]
    column = one.location.column - 1 - indent
    numbers = [str(one.location.line + offset) for offset in range(len(lines))]
    margin = len(numbers[-1])
    for offset, line in enumerate(lines):
        shown, caret = _window(line, column if offset == 0 else 0)
        yield f"{numbers[offset]:>{margin}} | {shown}".rstrip()
        if offset == 0 and 0 <= column < len(line):
            yield f"{'':>{margin}} | {' ' * caret}^"


def _window(line: str, column: int) -> tuple[str, int]:
    """Return what is shown of a line, at most WIDTH cells about a column, and the cells before that column."""
    if len(line) <= WIDTH and line.isascii() and line.isprintable():  # most lines
        return line, max(column, 0)
    cells = list(_cells(line))
    before = sum(width for _, width in cells[: max(column, 0)])
    total = sum(width for _, width in cells)
    if total <= WIDTH:
        return "".join(text for text, _ in cells), before
    start = 0 if before < WIDTH * 3 // 4 else before - WIDTH // 2
    shown, position, first = "", 0, None
    for text, width in cells:
        if position >= start and position + width <= start + WIDTH - 2:
            first = position if first is None else first
            shown += text
        position += width
    left = CUT if start else ""
    right = CUT if start + WIDTH - 2 < total else ""
    return f"{left}{shown}{right}", len(left) + before - (first or 0)


def _cells(line: str) -> Iterator[tuple[str, int]]:
    """Yield each character as it is shown, and how many cells it takes."""
    position = 0
    for character in line:
        if character == "\t":
            width = TAB - position % TAB
            yield " " * width, width
        elif unicodedata.combining(character) or unicodedata.category(character) in ("Me", "Mn"):
            width = 0
            yield character, width
        else:
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            yield character.translate(_INVISIBLE), width
        position += width
