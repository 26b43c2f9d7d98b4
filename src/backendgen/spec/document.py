"""YAML text to a tree with positions: the YAML 1.2 core schema, and limits that no document can get around.

The tree is built from parser events with an explicit stack, so neither nesting nor aliases can exhaust memory or the
interpreter's stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from backendgen.errors import Problem, UserError
from backendgen.files import decode

if TYPE_CHECKING:
    from yaml import Event, Mark, ScalarEvent

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 50_000

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")  # longer ones become a float: nothing here counts that far
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value with the text it was written as. `text_line` is its first character's line, 0 when lines were folded.

    In a literal block (`|`) line n of the text is line `text_line + n - 1` of the file, shifted by `text_column - 1`.
    """

    value: str | int | float | bool | None
    text: str
    line: int
    column: int
    text_line: int = 0
    text_column: int = 1

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Return where a 1-based line and column of the text are in the file, as nearly as YAML lets us know."""
        if not self.text_line:
            return self.line, self.column
        return self.text_line + line - 1, self.text_column + max(column, 1) - 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value; the position is the key's."""

    key: str
    node: Node
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in order, each key once.

    `refused` are keys whose entry was reported and left out: they are not here, and nobody need say so a second time.
    """

    entries: tuple[Entry, ...]
    line: int
    column: int
    refused: frozenset[str] = frozenset()

    def entry(self, key: str) -> Entry | None:
        """Return the entry of a key, or None."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.entry(key)
        return entry.node if entry else None


Node: TypeAlias = Scalar | Sequence | Mapping


def resolve(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means in the YAML 1.2 core schema (10.3.2): `no`, `1:30` and `2026-12-01` are text."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _NOT_FINITE.fullmatch(text) else text


def compose(data: bytes, path: str, problems: list[Problem]) -> Node:
    """Parse one YAML document. Duplicate and unusable keys are added to `problems`, and the first of each key is kept.

    Raises UserError when there is no tree to speak of: not UTF-8, not YAML, empty, too large, too deep, too many nodes.
    """
    return _Composer(_decode(data, path), path, problems).compose()


def _decode(data: bytes, path: str) -> str:
    if len(data) > MAX_BYTES:
        raise UserError(Problem(f"is larger than {MAX_BYTES:,} bytes", path))
    return decode(data, path).replace("\r\n", "\n").replace("\r", "\n")


@dataclass(slots=True)
class _Frame:
    """A collection that is still open: its finished children, the key that waits for its value, and its measures."""

    is_mapping: bool
    line: int
    column: int
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: tuple[str, int, int] | None = None
    nodes: int = 1
    depth: int = 1


@dataclass(frozen=True, slots=True)
class _Measured:
    """A finished node with its expanded size, so that aliases are paid for where they are used."""

    node: Node
    nodes: int = 1
    depth: int = 1


class _Composer:
    """Builds the tree of one document from the parser's events."""

    def __init__(self, text: str, path: str, problems: list[Problem]) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.path = path
        self.problems = problems
        self.stack: list[_Frame] = []
        self.anchors: dict[str, _Measured] = {}
        self.root: Node | None = None

    def compose(self) -> Node:
        """Return the only document's root."""
        import yaml

        documents = 0
        for event in self._events():
            line, column = _start(event)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error("a second document starts here; a spec is one document", line, column)
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._aliased(event.anchor, line, column), line, column)
            elif isinstance(event, yaml.ScalarEvent):
                self._refuse_tag(event.tag, line, column)
                measured = _Measured(self._scalar(event, line, column))
                self._remember(event.anchor, measured)
                self._add(measured, line, column)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._refuse_tag(event.tag, line, column)
                self._open(_Frame(isinstance(event, yaml.MappingStartEvent), line, column, event.anchor))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
        if self.root is None or (isinstance(self.root, Scalar) and self.root.value is None):
            raise UserError(Problem("the file is empty", self.path, hint="the smallest start is: backendgen: 1"))
        return self.root

    def _events(self) -> Iterator[Event]:
        import yaml
        from yaml.reader import ReaderError

        try:
            yield from yaml.parse(self.text, Loader=yaml.SafeLoader)
        except ReaderError as error:
            line, column = _position(self.text, error.position)
            code = ord(self.text[error.position])
            raise self._error(f"character U+{code:04X} is not allowed in YAML", line, column) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            raise self._error(
                _explain(error.problem or "it cannot be read", error.context_mark), line, column
            ) from None
        except (
            ValueError,
            OverflowError,
        ):  # PyYAML hands numbers in escapes and directives to chr() and int() unchecked
            raise self._error("not YAML: an escape or a directive holds a number that is out of range", 0, 0) from None

    def _error(self, message: str, line: int, column: int) -> UserError:
        return UserError(*self.problems, Problem(message, self.path, line, column))

    def _refuse_tag(self, tag: str | None, line: int, column: int) -> None:
        if tag is not None:
            written = tag.replace("tag:yaml.org,2002:", "!!", 1)
            raise self._error(f"YAML tags such as {shown(written)} are not used in a spec; remove it", line, column)

    def _scalar(self, event: ScalarEvent, line: int, column: int) -> Scalar:
        text = event.value
        if _UNUSABLE.search(text):
            raise self._error("the text holds a NUL or half a surrogate pair; remove the escape", line, column)
        value = resolve(text) if event.style is None else text
        if event.style == "|":
            return Scalar(value, text, line, column, line + 1, self._indent(text, line) + 1)
        if event.end_mark is not None and event.end_mark.line + 1 == line:
            return Scalar(value, text, line, column, line, column + (event.style is not None))
        return Scalar(value, text, line, column)

    def _indent(self, text: str, line: int) -> int:
        """Return how far a literal block is indented in the file: its first line with content tells."""
        for number, content in enumerate(text.split("\n")):
            if content.strip() and line + number < len(self.lines):
                source = self.lines[line + number]
                return max(len(source) - len(content), 0)
        return 0

    def _aliased(self, anchor: str | None, line: int, column: int) -> _Measured:
        measured = self.anchors.get(anchor or "")
        if measured is None:
            inside = any(frame.anchor == anchor for frame in self.stack)
            reason = "refers to the value that it is part of" if inside else "has no anchor above it"
            raise self._error(f"alias {shown(f'*{anchor}')} {reason}", line, column)
        return measured

    def _remember(self, anchor: str | None, measured: _Measured) -> None:
        if anchor is not None:
            self.anchors[anchor] = measured

    def _open(self, frame: _Frame) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep", frame.line, frame.column)
        if self.stack and self.stack[-1].is_mapping and self.stack[-1].key is None:
            raise self._error("a key must be a plain word, not a list or a mapping", frame.line, frame.column)
        self.stack.append(frame)

    def _close(self) -> None:
        frame = self.stack.pop()
        node: Node
        if frame.is_mapping:
            node = Mapping(tuple(frame.entries.values()), frame.line, frame.column)
        else:
            node = Sequence(tuple(frame.items), frame.line, frame.column)
        measured = _Measured(node, frame.nodes, frame.depth)
        self._remember(frame.anchor, measured)
        self._add(measured, frame.line, frame.column)

    def _add(self, measured: _Measured, line: int, column: int) -> None:
        """Put a finished node where it belongs: at the root, in a list, as a key, or as the waiting key's value."""
        if not self.stack:
            self.root = measured.node
            return
        frame = self.stack[-1]
        frame.nodes += measured.nodes
        frame.depth = max(frame.depth, measured.depth + 1)
        if frame.nodes > MAX_NODES:
            raise self._error(f"the file holds more than {MAX_NODES} values once aliases are expanded", line, column)
        if len(self.stack) + measured.depth > MAX_DEPTH + 1:
            raise self._error(f"nested more than {MAX_DEPTH} levels deep", line, column)
        if not frame.is_mapping:
            frame.items.append(measured.node)
        elif frame.key is None:
            if not isinstance(measured.node, Scalar):
                raise self._error("a key must be a plain word, not a list or a mapping", line, column)
            frame.key = (measured.node.text, line, column)
        else:
            self._enter(frame, frame.key, measured.node)

    def _enter(self, frame: _Frame, key: tuple[str, int, int], node: Node) -> None:
        name, line, column = key
        frame.key = None
        first = frame.entries.get(name)
        if first is None:
            frame.entries[name] = Entry(name, node, line, column)
        else:
            message = f"duplicate key {shown(name)} (first on line {first.line})"
            self.problems.append(Problem(message, self.path, line, column))


def shown(text: object) -> str:
    """Quote a piece of the user's text for a message, shortened when it is long."""
    word = str(text)
    return f"'{word}'" if len(word) <= 40 else f"'{word[:37]}...'"


def _start(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1


def _explain(problem: str, opened: Mark | None) -> str:
    """Say a scanner's complaint in words that lead to the mistake; `opened` is where the unfinished part began."""
    if "\\t" in problem:
        return "a tab is used for indentation; YAML takes spaces only"
    if problem == "mapping values are not allowed here":
        return "unexpected ':'; put the value in quotes when the ':' belongs to it, or check the indentation"
    if problem == "expected the node content, but found ':'":
        return "a value cannot begin with ':'; put it in quotes, as in \":user_id\""
    if opened and (closing := re.match(r"expected ',' or '([]}])'", problem)):
        bracket = {"]": "[", "}": "{"}[closing[1]]
        return f"expected ',' or '{closing[1]}' before this; the '{bracket}' on line {opened.line + 1} is not closed"
    if problem.startswith("expected <block end>"):
        return "this line does not line up with the lines above it; check the indentation"
    if "<stream end>" in problem or "end of stream" in problem:
        return "the file ends inside a list, a mapping or a quoted text; close it"
    return f"not YAML: {problem}"
