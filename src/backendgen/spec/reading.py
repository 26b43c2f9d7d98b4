"""Takes values out of a tree that conforms to the language: what is absent has its default."""

from __future__ import annotations

import re

from backendgen.spec.document import Entry, Mapping, Node, Scalar, Sequence
from backendgen.spec.model import Rate
from backendgen.spec.shape import FREQUENCY, SECONDS


def entries(node: Node | None) -> tuple[Entry, ...]:
    """Return a mapping's entries, none for what is absent."""
    return node.entries if isinstance(node, Mapping) else ()


def scalars(node: Node | None) -> tuple[Scalar, ...]:
    """Return a list's values, none for what is absent."""
    return tuple(item for item in node.items if isinstance(item, Scalar)) if isinstance(node, Sequence) else ()


def text(node: Node | None, key: str, default: str = "") -> str:
    """Return the text under a key."""
    value = node.get(key) if isinstance(node, Mapping) else None
    return value.text if isinstance(value, Scalar) else default


def number(node: Node | None, key: str, default: int) -> int:
    """Return the whole number under a key; a duration is in the unit of its shape."""
    value = node.get(key) if isinstance(node, Mapping) else None
    return value.value if isinstance(value, Scalar) and isinstance(value.value, int) else default


def rate(node: Node | None, default: Rate) -> Rate:
    """Return a rate such as `60/minute`."""
    match = re.fullmatch(FREQUENCY, node.text) if isinstance(node, Scalar) else None
    return Rate(int(match[1]), SECONDS[match[2]]) if match else default
