"""YAML and JSON as trees whose every node knows its line. Merge keys and aliases are followed; nothing is constructed.

Trees are built from events with a stack of their own, so that neither nesting nor aliases exhaust anything: an alias is the
very node it stands for, and one that stands inside itself is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"
_WHITE = re.compile(r"[ \t\n\r]*")
_JSON_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*+"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null')
_INTEGER = re.compile(r"[-+]?\d{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
          "false": False, "False": False, "FALSE": False}  # fmt: skip


class Unreadable(Exception):
    """The text is no YAML or JSON; `line` and `column` are 1-based."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(slots=True, eq=False)
class Node:
    """A value and its place; an entry of a mapping stands at its key. Not to be changed once it is read."""

    value: Value
    line: int
    column: int = 1

    def get(self, *keys: str) -> Node | None:
        """Return what stands beneath these keys, one below the other."""
        found: Node | None = self
        for key in keys:
            found = found.value.get(key) if found is not None and isinstance(found.value, dict) else None
        return found

    @property
    def entries(self) -> dict[str, Node]:
        """The entries of a mapping; none of anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; none of anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str:
        """A scalar as text, empty for a collection and for nothing."""
        if self.value is None or isinstance(self.value, dict | list):
            return ""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    def word(self, key: str) -> str:
        """Return the scalar beneath a key as text, empty without it."""
        found = self.get(key)
        return found.text if found is not None else ""

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, each once, in the order of the text."""
        pending, seen = [self], set()
        while pending:
            node = pending.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            below = list(node.entries.values()) or node.items
            pending.extend(reversed(below))


def read(text: str, path: str) -> Node:
    """Return the tree of a YAML or JSON text (of a stream, the first document). Raises Unreadable, never anything else."""
    text = text.removeprefix("\ufeff")
    if path.endswith(".json") and text.lstrip()[:1] in ("{", "["):
        return _json(text)
    return _yaml(text)


def _scalar(text: str) -> Value:
    """What a plain scalar means in the core schema of YAML 1.2: `no` and `1:30` are text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Open:
    """A collection that is not closed yet, and the key that waits for its value."""

    __slots__ = ("key", "merged", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.key: tuple[str, int, int] | None = None
        self.merged: list[Node] = []

    def add(self, node: Node, line: int, column: int) -> None:
        """Put a finished child in its place. Collections as keys are keys without a name."""
        if isinstance(self.node.value, list):
            self.node.value.append(node)
        elif self.key is None:
            self.key = (node.text, line, column)
        elif isinstance(self.node.value, dict):
            name, key_line, key_column = self.key
            self.key = None
            if name == "<<":
                self.merged += node.items or [node]
            else:
                # An entry stands at its key. A node that an alias shares keeps its own place.
                is_shared = node.line < key_line
                if not is_shared and not isinstance(node.value, dict | list):
                    node = Node(node.value, key_line, key_column)
                elif not is_shared:
                    node.line, node.column = key_line, key_column
                self.node.value[name] = node

    def close(self) -> Node:
        """Return the node, what it merges put under what it has itself."""
        if isinstance(self.node.value, dict):
            for other in self.merged:
                for name, node in other.entries.items():
                    self.node.value.setdefault(name, node)
        return self.node


def _yaml(text: str) -> Node:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stack: list[_Open] = []
    anchors: dict[str, Node] = {}
    try:
        for event in yaml.parse(text, Loader=loader):
            mark: Any = event.start_mark
            line, column = mark.line + 1, mark.column + 1
            if isinstance(event, yaml.ScalarEvent):
                is_plain = event.style in (None, "") and event.tag is None
                node = Node(_scalar(event.value) if is_plain else event.value, line, column)
            elif isinstance(event, yaml.AliasEvent):
                node = anchors.get(event.anchor or "") or Node(None, line, column)
                if any(node is one.node for one in stack):
                    node = Node(None, line, column)
            elif isinstance(event, yaml.CollectionStartEvent):
                value: Value = {} if isinstance(event, yaml.MappingStartEvent) else []
                node = Node(value, line, column)
                if event.anchor:
                    anchors[event.anchor] = node
                stack.append(_Open(node))
                continue
            elif isinstance(event, yaml.CollectionEndEvent):
                node = stack.pop().close()
                line, column = node.line, node.column
            else:
                continue
            if isinstance(event, yaml.ScalarEvent) and event.anchor:
                anchors[event.anchor] = node
            if not stack:
                return node
            stack[-1].add(node, line, column)
    except yaml.MarkedYAMLError as error:
        place: Any = error.problem_mark or error.context_mark
        wrong = f"not valid YAML: {error.problem or error.context or 'it cannot be read'}"
        raise Unreadable(wrong, place.line + 1 if place else 1, place.column + 1 if place else 1) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Unreadable(f"not valid YAML: {str(error).splitlines()[0]}") from error
    return Node(None, 1)


def _json(text: str) -> Node:
    stack: list[_Open] = []
    at, line, start = 0, 1, 0
    expects_value = True

    def wrong(what: str) -> Unreadable:
        return Unreadable(f"not valid JSON: {what}", line, at - start + 1)

    while True:
        white = _WHITE.match(text, at)
        end = white.end() if white else at
        breaks = text.count("\n", at, end)
        if breaks:
            line, start = line + breaks, text.rfind("\n", at, end) + 1
        at = end
        mark = text[at : at + 1]
        if mark == "":
            raise wrong("it ends too early")
        if mark in "{[":
            if not expects_value:
                raise wrong(f"`{mark}` stands where a comma or an end belongs")
            stack.append(_Open(Node({} if mark == "{" else [], line, at - start + 1)))
            at += 1
            continue
        if mark in "}]":
            if not stack or isinstance(stack[-1].node.value, dict) != (mark == "}"):
                raise wrong(f"`{mark}` closes nothing")
            node = stack.pop().close()
            at += 1
        elif mark in ",:":
            if expects_value:
                raise wrong(f"a value belongs before `{mark}`")
            expects_value = True
            at += 1
            continue
        else:
            scalar = _JSON_SCALAR.match(text, at) if expects_value else None
            if scalar is None:
                raise wrong("a value, a comma or an end is missing")
            try:
                node = Node(json.loads(scalar[0], strict=False), line, at - start + 1)
            except ValueError as error:
                raise wrong(str(error)) from error
            line += scalar[0].count("\n")
            at = scalar.end()
        expects_value = False
        if not stack:
            return node
        stack[-1].add(node, node.line, node.column)
