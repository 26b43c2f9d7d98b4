"""A Liquibase changelog in XML, YAML or JSON as one kind of tree, with the line of each element.

XML that declares entities is refused, so are YAML aliases beyond any sensible number: neither can make a small file a
large tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_MOST = 200_000
_DEEPEST = 100
# YAML lists what XML puts straight into the element above.
_LISTS = frozenset({"changes", "columns"})


class Unparsable(Exception):
    """The text is no changelog that can be read; `line` is where the parser stopped."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.message, self.line = message, line


@dataclass(slots=True)
class Element:
    """An element: `attributes` are its scalars, `text` its own text, which begins in `text_line`."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    text_line: int = 0
    children: list[Element] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """Return a scalar."""
        return self.attributes.get(name, default)

    def all(self, *tags: str) -> Iterator[Element]:
        """Yield the elements right beneath this one that have one of the tags."""
        return (child for child in self.children if child.tag in tags)

    def is_on(self, name: str, *, default: bool = False) -> bool:
        """Whether a scalar is true."""
        return self.get(name, str(default)).lower() == "true"

    @property
    def padded(self) -> str:
        """Its text, in the lines in which it stands."""
        return "\n" * max(self.text_line - 1, 0) + self.text


def parse(text: str, suffix: str) -> Element | None:
    """Return a changelog's tree; None when the text is some other file. Raises Unparsable."""
    if "databaseChangeLog" not in text:
        return None
    try:
        root = _xml(text) if suffix == ".xml" else _yaml(text)
    except RecursionError:
        raise Unparsable("nested too deeply") from None
    return root if root is not None and root.tag == "databaseChangeLog" else None


def _xml(text: str) -> Element | None:
    from xml.parsers import expat

    parser = expat.ParserCreate()
    top: list[Element] = []
    open_: list[Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_) > _DEEPEST:
            raise Unparsable("nested too deeply", parser.CurrentLineNumber)
        plain = {name.rpartition(":")[2]: value for name, value in attributes.items()}
        element = Element(tag.rpartition(":")[2], parser.CurrentLineNumber, plain)
        (open_[-1].children if open_ else top).append(element)
        open_.append(element)

    def end(_tag: str) -> None:
        open_.pop()

    def data(content: str) -> None:
        element = open_[-1]
        if not element.text.strip():
            element.text, element.text_line = "", parser.CurrentLineNumber
        element.text += content

    def refuse(*_: Any) -> None:
        raise Unparsable("declares entities, which are not read", parser.CurrentLineNumber)

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise Unparsable(expat.ErrorString(error.code), error.lineno) from None
    return top[0] if top else None


def _yaml(text: str) -> Element | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text.replace("\t", "  "), Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Unparsable(error.problem or "is no YAML", line) from None
    except (yaml.YAMLError, ValueError) as error:
        raise Unparsable(str(error).splitlines()[0]) from None
    if not isinstance(node, yaml.MappingNode):
        return None
    top = Element("", 1)
    _Nodes().add(top, node)
    return next(top.all("databaseChangeLog"), None)


class _Nodes:
    """Puts YAML nodes into Elements; what aliases repeat is counted each time."""

    def __init__(self) -> None:
        self.number = 0

    def add(self, parent: Element, node: Any, depth: int = 0) -> None:
        """Add the entries of a mapping to an element."""
        for key, value in node.value:
            name = str(key.value)
            self.number += 1
            if self.number > _MOST or depth > _DEEPEST:
                raise Unparsable("is too large for a changelog", key.start_mark.line + 1)
            if value.id == "scalar":
                block = value.style in ("|", ">")
                parent.attributes[name] = value.value
                line = value.start_mark.line + (2 if block else 1)
                parent.children.append(Element(name, key.start_mark.line + 1, {}, value.value, line))
                continue
            element = parent if name in _LISTS else Element(name, key.start_mark.line + 1)
            if element is not parent:
                parent.children.append(element)
            for item in value.value if value.id == "sequence" else [value]:
                if item.id == "mapping":
                    self.add(element, item, depth + 1)
                elif item.id == "scalar":
                    element.text += f"{item.value}\n"
                    element.text_line = element.text_line or item.start_mark.line + 1
