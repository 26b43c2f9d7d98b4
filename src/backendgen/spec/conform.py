"""Holds a YAML tree against the language's shapes: reports all that does not fit, and returns the part that does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from backendgen.errors import did_you_mean
from backendgen.spec.document import Entry, Mapping, Node, Scalar, Sequence, resolve, shown
from backendgen.spec.shape import (
    DURATION,
    FREQUENCY,
    MILLISECONDS,
    Choice,
    Duration,
    Either,
    Frequency,
    ListOf,
    MapOf,
    Prose,
    Section,
    Shape,
    Whole,
    Word,
)

Report = Callable[[Node | Entry, str], None]
"""Takes what a message is about, for its position, and the message."""


def conform(node: Node, shape: Shape, path: str, report: Report) -> Node | None:
    """Return the node without the parts that do not fit, each of which is reported, or None when nothing is left.

    `path` is the key's own (`api.resources.orders`). Lists and mappings that may be left out are normalised: a single item
    becomes a list, an empty section an empty mapping.
    """
    match shape:
        case Section():
            return _section(node, shape, path, report)
        case MapOf():
            return _map(node, shape, path, report)
        case ListOf():
            return _list(node, shape, path, report)
        case Either():
            return _either(node, shape, path, report)
        case _:
            return _scalar(node, shape, path, report)


def expected(shape: Shape) -> str:
    """Say what a shape wants, for "expected ..." messages."""
    match shape:
        case Word() | Prose():
            return shape.what
        case Whole():
            return f"a whole number from {shape.minimum} to {shape.maximum}"
        case Duration():
            least, most = span(shape.minimum, shape.unit), span(shape.maximum, shape.unit)
            return f"a duration such as 5s or 15m, from {least} to {most}"
        case Frequency():
            return "a rate such as 60/minute (second, minute, hour, day)"
        case Choice():
            return " or ".join(map(str, shape.words))
        case ListOf():
            return "a list"
        case Either():
            return " or ".join(expected(option) for option in shape.shapes)
        case _:
            return "a mapping"


def span(amount: int, unit: str) -> str:
    """Write a duration in its largest whole unit: 900 s is `15m`."""
    milliseconds = amount * MILLISECONDS[unit]
    largest = next(name for name in ("d", "h", "m", "s", "ms") if milliseconds % MILLISECONDS[name] == 0)
    return f"{milliseconds // MILLISECONDS[largest]}{largest}"


def _found(node: Node) -> str:
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return "nothing" if node.value is None else shown(node.text)


def _mismatch(node: Node, shape: Shape, path: str, report: Report) -> None:
    prefix = f"{path}: " if path else ""
    report(node, f"{prefix}expected {expected(shape)}, found {_found(node)}{_quotes(node, shape)}")


def _quotes(node: Node, shape: Shape) -> str:
    """Say when it is the quotes, or their absence, that makes the value a wrong one."""
    if not isinstance(node, Scalar) or node.value is None:
        return ""
    if isinstance(shape, Prose) and not isinstance(node.value, str):
        return "; put it in quotes"
    bare = Scalar(resolve(node.text), node.text, node.line, node.column)
    quoted = isinstance(node.value, str) and bare.value != node.value
    return " as text; remove the quotes" if quoted and _value(bare, shape) is not None else ""


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _matches(word: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(pattern, word) for pattern in patterns)


def _section(node: Node, shape: Section, path: str, report: Report) -> Node | None:
    if _is_null(node):
        node = Mapping((), node.line, node.column)
    if not isinstance(node, Mapping):
        _mismatch(node, shape, path, report)
        return None
    kept, refused = [], set()
    names = [key.name for key in shape.keys]
    for entry in node.entries:
        place = f"{path}.{entry.key}" if path else entry.key
        key = shape.key(entry.key)
        value = conform(entry.node, key.shape, place, report) if key else None
        if value is not None:
            kept.append(Entry(entry.key, value, entry.line, entry.column))
        elif key:
            refused.add(key.name)
        elif _matches(entry.key, shape.later):
            report(entry, f"{place} is not built yet; remove it")
        else:
            report(entry, _unknown(entry.key, path, names))
            refused.update(name for name in names if len(names) == 1 or did_you_mean(entry.key[:40], [name]))
    for key in shape.keys:
        if key.required and node.entry(key.name) is None and key.name not in refused:
            report(node, f"{path}: {key.name} is missing" if path else f"{key.name} is missing")
    return Mapping(tuple(kept), node.line, node.column, frozenset(refused))


def _unknown(word: str, path: str, known: list[str]) -> str:
    prefix = f"{path}: " if path else ""
    return f"{prefix}unknown key {shown(word)}{suggestion(word, known)}"


def suggestion(word: str, known: list[str]) -> str:
    """Return the closest known word as a question, or the first known words when none is close."""
    listed = [*known[:12], "..."] if len(known) > 12 else known
    return did_you_mean(word[:40], known) or f" (known: {', '.join(listed) or 'none'})"


def _map(node: Node, shape: MapOf, path: str, report: Report) -> Node | None:
    if _is_null(node):
        node = Mapping((), node.line, node.column)
    if not isinstance(node, Mapping):
        _mismatch(node, shape, path, report)
        return None
    kept = []
    for entry in node.entries:
        name = shown(entry.key)
        if re.fullmatch(shape.name.pattern, entry.key):
            value = conform(entry.node, shape.value, f"{path}.{entry.key}", report)
            if value is not None:
                kept.append(Entry(entry.key, value, entry.line, entry.column))
        elif _matches(entry.key, shape.name.later):
            report(entry, f"{path}: {name} is not built yet; remove it")
        else:
            report(entry, f"{path}: {name} is not {shape.name.what}")
    if shape.required and not node.entries:
        report(node, f"{path}: name at least one")
    refused = {entry.key for entry in node.entries} - {entry.key for entry in kept}
    refused |= {key.lower() for key in refused}  # `Staff` is no name, and elsewhere it will be `staff`
    return Mapping(tuple(kept), node.line, node.column, frozenset(refused))


def _list(node: Node, shape: ListOf, path: str, report: Report) -> Node | None:
    if shape.single and not isinstance(node, Sequence):
        node = Sequence((node,), node.line, node.column)
    if not isinstance(node, Sequence):
        _mismatch(node, shape, path, report)
        return None
    if shape.required and not node.items:
        report(node, f"{path}: the list is empty; name at least one, or leave the key out")
        return None
    kept = [conform(item, shape.item, path, report) for item in node.items]
    if node.items and not any(kept):
        return None
    seen: set[str] = set()
    for item in kept:
        if isinstance(item, Scalar) and item.text in seen:
            report(item, f"{path}: {shown(item.text)} is listed twice")
        seen |= {item.text} if isinstance(item, Scalar) else set()
    return Sequence(tuple(item for item in kept if item is not None), node.line, node.column)


def _either(node: Node, shape: Either, path: str, report: Report) -> Node | None:
    for option in shape.shapes:
        match option:
            case Section():
                optional = not any(key.required for key in option.keys)
                fits = isinstance(node, Mapping) or (_is_null(node) and optional)
            case MapOf():
                fits = isinstance(node, Mapping) or _is_null(node)
            case ListOf():
                fits = isinstance(node, Sequence)
            case Choice():
                fits = isinstance(node, Scalar) and _value(node, option) is not None
            case _:
                fits = isinstance(node, Scalar) and node.value is not None
        if fits:
            return conform(node, option, path, report)
    _mismatch(node, shape, path, report)
    return None


def _scalar(node: Node, shape: Shape, path: str, report: Report) -> Scalar | None:
    if not isinstance(node, Scalar):
        _mismatch(node, shape, path, report)
        return None
    if isinstance(shape, Word | Choice) and _matches(node.text, shape.later):
        report(node, f"{path}: {shown(node.text)} is not built yet; remove it")
        return None
    value = _value(node, shape)
    if value is None:
        _mismatch(node, shape, path, report)
        return None
    return Scalar(value, node.text, node.line, node.column, node.text_line, node.text_column)


def _value(node: Scalar, shape: Shape) -> str | int | None:
    """Return what the scalar means in this place, or None when it does not fit."""
    match shape:
        case Word():
            return node.text if isinstance(node.value, str) and re.fullmatch(shape.pattern, node.text) else None
        case Prose():
            fits = isinstance(node.value, str) or (shape.numbers and node.value is not None)
            return node.text if fits and node.text.strip() else None
        case Whole():
            fits = isinstance(node.value, int) and not isinstance(node.value, bool)
            return int(node.text) if fits and shape.minimum <= int(node.text) <= shape.maximum else None
        case Choice():
            return next((word for word in shape.words if word == node.value and type(word) is type(node.value)), None)
        case Duration():
            return _duration(node.text, shape)
        case _:
            return node.text if isinstance(node.value, str) and re.fullmatch(FREQUENCY, node.text) else None


def _duration(text: str, shape: Duration) -> int | None:
    match = re.fullmatch(DURATION, text)
    if match is None:
        return None
    amount, rest = divmod(int(match[1]) * MILLISECONDS[match[2]], MILLISECONDS[shape.unit])
    return amount if not rest and shape.minimum <= amount <= shape.maximum else None
