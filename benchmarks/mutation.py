"""One change to a file's text, made where a syntax node stands."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from backendgen.code.project import SourceFile


@dataclass(frozen=True, slots=True)
class Mutation:
    """A part of a file's text and what it becomes."""

    kind: str
    path: str
    line: int
    start: int
    end: int
    text: str
    note: str = ""
    needs: str = ""


class Text:
    """A file's text by syntax nodes."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.starts = [0]
        for line in file.text.split("\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def at(self, line: int, column: int) -> int:
        """The position of a line and a column in bytes."""
        row = self.file.lines[line - 1]
        return self.starts[line - 1] + len(row.encode()[:column].decode(errors="ignore"))

    def start(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> int:
        """Where a node begins."""
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> int:
        """Where a node ends."""
        return self.at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def of(self, node: ast.expr) -> str:
        """A node as it is written."""
        return self.file.text[self.start(node) : self.end(node)]

    def of_block(self, node: ast.stmt) -> str:
        """A statement as it is written."""
        return self.file.text[self.start(node) : self.end(node)]

    def without(self, kind: str, node: ast.expr | ast.keyword | ast.arg, note: str = "") -> Mutation:
        """The text without an element of a list of arguments, and without its comma."""
        start, end = self.start(node), self.end(node)
        rest = re.match(r"\s*,[ \t]*", self.file.text[end:])
        if rest:
            end += rest.end()
        else:
            before = re.search(r",\s*$", self.file.text[:start])
            start = before.start() if before else start
        return Mutation(kind, self.file.path, node.lineno, start, end, "", note)

    def swapped(self, kind: str, node: ast.expr | ast.stmt | ast.keyword, text: str, note: str = "") -> Mutation:
        """The text with other code in a node's place."""
        return Mutation(kind, self.file.path, node.lineno, self.start(node), self.end(node), text, note)
