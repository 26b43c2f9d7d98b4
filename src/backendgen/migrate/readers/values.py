"""What the reader of Python knows of a value without running anything: constants, texts with their place, calls."""

from __future__ import annotations

import ast
import io
import tokenize
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Unknown:
    """A value that only a run would tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
HOLE = "\ue000"  # stands in a Text for a part that only a run would tell (a character of private use)


@dataclass(frozen=True, slots=True)
class Text:
    """A string and where its characters come from: `spans` are (offset, line, column), ascending."""

    value: str
    path: str = ""
    spans: tuple[tuple[int, int, int], ...] = ()

    @property
    def whole(self) -> bool:
        """Whether every part of it is known."""
        return HOLE not in self.value

    def place(self, offset: int) -> tuple[int, int] | None:
        """Return the line and column of a character, None when nothing is known."""
        at = bisect_right(self.spans, (offset, 1 << 60, 0)) - 1
        if at < 0:
            return None
        start, line, column = self.spans[at]
        passed = self.value[start:offset]
        breaks = passed.count("\n")
        return (line + breaks, offset - start - passed.rfind("\n")) if breaks else (line, column + offset - start)

    def plus(self, other: Text) -> Text:
        """Join two texts."""
        spans = self.spans if other.path != self.path and self.path else self.spans + other._moved(len(self.value))
        return Text(self.value + other.value, self.path or other.path, spans)

    def derived(self, value: str) -> Text:
        """Return a changed text (stripped, dedented, replaced in) that keeps as much of its place as is certain."""
        at = self.value.find(value) if value else -1
        if at >= 0:
            first = self.place(at)
            inner = tuple((start - at, line, column) for start, line, column in self.spans if start > at)
            return Text(value, self.path, ((0, *first), *inner) if first else inner)
        old, new = self.value.split("\n"), value.split("\n")
        if len(old) != len(new) or not self.spans:
            return Text(value, self.path, ((0, *self.spans[0][1:]),) if self.spans else ())
        spans, old_at, new_at = [], 0, 0
        for before, after in zip(old, new, strict=True):
            shift = max(before.find(after), 0)
            if place := self.place(old_at + shift):
                spans.append((new_at, *place))
            old_at, new_at = old_at + len(before) + 1, new_at + len(after) + 1
        return Text(value, self.path, tuple(spans))

    def _moved(self, by: int) -> tuple[tuple[int, int, int], ...]:
        return tuple((start + by, line, column) for start, line, column in self.spans)


@dataclass(frozen=True, slots=True)
class Member(Text):
    """A member of an Enum whose value is a string; `member` is its name."""

    member: str = ""


@dataclass(frozen=True, slots=True)
class Symbol:
    """An imported name by its full path: `sqlalchemy.dialects.postgresql.UUID`."""

    name: str


REFLECTED = Symbol("reflected")  # marks a type that is known from the database


@dataclass(slots=True)
class Module:
    """A parsed file of the project and the values of its global names."""

    path: Path
    name: str
    source: str
    tree: ast.Module
    lines: list[str]
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Class(Symbol):
    """A class of the project; `bases` are their values."""

    node: ast.ClassDef
    module: Any
    bases: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Instance:
    """What `self` is in a method that is followed: the values of its attributes as far as they are known.

    `owner` is the project's class whose methods it has.
    """

    values: Mapping[str, Any]
    owner: Class | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was not carried out. `receiver` is what a method was called on, or the project's class that was called.

    `name` ends in the method's name.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    receiver: Any = None

    @property
    def last(self) -> str:
        """The function's own name."""
        return self.name.rpartition(".")[2]

    def arg(self, position: int, *keywords: str, default: Any = None) -> Any:
        """Return an argument by position or by any of its keywords."""
        if 0 <= position < len(self.args):
            return self.args[position]
        return next((self.kwargs[word] for word in keywords if word in self.kwargs), default)


@dataclass(frozen=True, slots=True)
class Method:
    """An attribute of a Call or Symbol-like value, before it is called."""

    receiver: Any
    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the project that is followed when it is called; a bound one gets `bound` as its first argument.

    `closure` are the names around a function that stands in another one.
    """

    node: ast.FunctionDef
    module: Any
    bound: tuple[Any, ...] = ()
    closure: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path that is built from `__file__` and constants."""

    path: Path


@dataclass(frozen=True, slots=True)
class Batch:
    """What `with op.batch_alter_table(...) as batch_op` binds."""

    table: str


def column_of(node: ast.expr | ast.stmt, lines: list[str]) -> int:
    """Return the 0-based column in characters; syntax trees count bytes."""
    line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
    return node.col_offset if line.isascii() else len(line.encode()[: node.col_offset].decode(errors="replace"))


def string_at(node: ast.Constant, lines: list[str], path: str) -> Text:
    """Return a string literal with the place of each of its characters that begins a line or a part."""
    value = str(node.value)
    column = column_of(node, lines)
    source = segment(node, lines)
    plain = len(source) > 1 and source[1:-1] == value and source[0] in "\"'"
    if plain and "\\" not in value:  # one literal without escapes, as most are
        return Text(value, path, ((0, node.lineno, column + 2),))
    try:
        spans = tuple(_spans(source, node.lineno, column + 1))
    except (tokenize.TokenError, SyntaxError, ValueError):
        spans = ((0, node.lineno, column + 1),)
    return Text(value, path, spans if not spans or spans[-1][0] <= len(value) else ((0, node.lineno, column + 1),))


def pieces_at(node: ast.JoinedStr, lines: list[str], path: str) -> list[Text | None]:
    """Return the literal pieces of a formatted string, each line where it stands; None for what is in braces.

    Before Python 3.12 the tree places every piece at the start of the whole, so the lines are looked for in the source.
    """
    source = segment(node, lines)
    first, at = column_of(node, lines), 0
    found: list[Text | None] = []
    for part in node.values:
        if not (isinstance(part, ast.Constant) and isinstance(part.value, str)):
            found.append(None)
            continue
        spans, offset = [], 0
        for line in part.value.split("\n"):
            start = source.find(line, at) if line.strip() else -1
            if start >= 0:
                above = source.count("\n", 0, start)
                column = start - source.rfind("\n", 0, start) - 1
                spans.append((offset, node.lineno + above, column + 1 + (0 if above else first)))
                at = start + len(line)
            offset += len(line) + 1
        found.append(Text(part.value, path, tuple(spans)))
    return found


def segment(node: ast.expr | ast.stmt, lines: list[str]) -> str:
    """Return the source of an expression."""
    column = column_of(node, lines)
    end = node.end_lineno or node.lineno
    if end == node.lineno:
        line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
        stop = len(line.encode()[: node.end_col_offset or 0].decode(errors="replace"))
        return line[column:stop]
    last = lines[end - 1] if end <= len(lines) else ""
    stop = len(last.encode()[: node.end_col_offset or 0].decode(errors="replace"))
    return "\n".join([lines[node.lineno - 1][column:], *lines[node.lineno : end - 1], last[:stop]])


def _spans(segment: str, first_line: int, first_column: int) -> list[tuple[int, int, int]]:
    """Walk the raw literal: each part of an implicit concatenation, each escape, each line starts a span."""
    spans: list[tuple[int, int, int]] = []
    offset = 0
    for token in tokenize.generate_tokens(io.StringIO(f"({segment}\n)").readline):
        if token.type != tokenize.STRING:
            continue
        row, shift = token.start
        line = first_line + row - 1
        column = shift + (first_column - 1 if row == 1 else 1)
        raw = token.string
        prefix = len(raw) - len(raw.lstrip("rRbBuUfF"))
        quotes = 3 if raw[prefix : prefix + 3] in ('"""', "'''") else 1
        body, is_raw = raw[prefix + quotes : -quotes], "r" in raw[:prefix].lower()
        column += prefix + quotes
        spans.append((offset, line, column))
        offset = _walk(body, is_raw, offset, line, column, spans)
    return spans


def _walk(body: str, is_raw: bool, offset: int, line: int, column: int, spans: list[tuple[int, int, int]]) -> int:
    at = 0
    while at < len(body):
        if body[at] == "\\" and not is_raw:
            length = _escape_length(body, at)
            at, column = at + length, column + length
            if length == 2 and body[at - 1] == "\n":
                line, column = line + 1, 1
            else:
                offset += 1
            spans.append((offset, line, column))
            continue
        if body[at] == "\n":
            line, column = line + 1, 1
            offset, at = offset + 1, at + 1
            spans.append((offset, line, column))
            continue
        at, column, offset = at + 1, column + 1, offset + 1
    return offset


def _escape_length(body: str, at: int) -> int:
    kind = body[at + 1 : at + 2]
    if kind in ("x", "u", "U"):
        return {"x": 4, "u": 6, "U": 10}[kind]
    if kind == "N":
        end = body.find("}", at)
        return end - at + 1 if end > 0 else 2
    if kind.isdigit():
        length = 2
        while length < 4 and body[at + length : at + length + 1].isdigit():
            length += 1
        return length
    return 2
