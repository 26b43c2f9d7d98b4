"""Changes of a source by place: what stands around them, comments and layout, stays as it is."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from backendgen.files import File


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Text that takes the place of what stands from `start` to `end`, both offsets in a source."""

    start: int
    end: int
    text: str


class Places:
    """Where syntax nodes stand in their source. Columns of a node count bytes, offsets count characters."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self._lines)]

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line and a column as nodes count them."""
        text = self._lines[line - 1]
        return self._starts[line - 1] + (column if text.isascii() else len(text.encode()[:column].decode()))

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        """Return where a node begins and ends."""
        end = self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return self.offset(node.lineno, node.col_offset), end

    def text(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        """Return a node as it is written."""
        start, end = self.span(node)
        return self.source[start:end]


def applied(source: str, edits: Iterable[Edit]) -> str:
    """Return the source with the edits made. Of two that overlap the later one is left out, for another run."""
    parts, at = [], 0
    for edit in sorted(set(edits)):
        if edit.start >= at:
            parts += [source[at : edit.start], edit.text]
            at = edit.end
    return "".join([*parts, source[at:]])


def diff(before: Mapping[str, bytes], planned: Iterable[File]) -> str:
    """Return what would change as a unified diff; files that `before` has not are new."""
    parts: list[str] = []
    for file in planned:
        old = before.get(file.path, b"").decode("utf-8-sig").splitlines(keepends=True)
        new = file.content.decode("utf-8-sig").splitlines(keepends=True)
        origin = f"a/{file.path}" if file.path in before else "/dev/null"
        for line in difflib.unified_diff(old, new, origin, f"b/{file.path}"):
            parts.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(parts)
