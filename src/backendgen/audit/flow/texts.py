"""Texts: templates that are filled, constants folded, methods that keep, cut or clean what they are called on."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow.parts import element
from backendgen.audit.flow.sinks import note_place
from backendgen.audit.flow.spec import PROSE, looks_like_sql
from backendgen.audit.flow.values import (
    HARMLESS,
    HOLE,
    NOTHING,
    UNKNOWN,
    Value,
    all_taints,
    carrying,
    concatenated,
    constant,
    join_all,
    sanitised,
)  # fmt: skip

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

FIELD = re.compile(r"{[^{}]*}")
MAX_FOLDED = 500
PLAIN = frozenset({
    "upper", "lower", "strip", "title", "lstrip", "rstrip", "capitalize", "casefold", "swapcase", "isdigit", "isalpha",
    "isalnum", "islower", "isupper", "startswith", "endswith", "find", "rfind", "index", "count", "split", "rsplit",
    "partition", "rpartition", "splitlines", "removeprefix", "removesuffix", "replace", "zfill", "encode", "isdecimal",
})  # fmt: skip
ANSWERS = frozenset({"startswith", "endswith", "find", "rfind", "index", "rindex", "count", "isdigit", "isalpha", "isalnum",
                     "isnumeric", "isdecimal", "islower", "isupper", "isidentifier", "isspace"})  # fmt: skip


def built(frame: Frame, node: ast.expr, parts: list[Value], result: Value) -> Value:
    """Remember whether a text that looks like a statement is built of harmless parts only."""
    if looks_like_sql(result.text):
        harmless = all(part.is_harmless for part in parts) or PROSE.match(result.text or "") is not None
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            key = (frame.path, line)
            frame.engine.built[key] = frame.engine.built.get(key, True) and harmless
    return result


def interpolated(template: str, arguments: list[Value], named: Mapping[Any, Value] | None = None) -> list[Value]:
    """The parts of a %-template: text, argument, text ..."""
    pieces = re.split(r"%(?:\((\w+)\))?[-+ #0-9.*]*([a-zA-Z%])", template)
    parts: list[Value] = []
    given = iter(arguments)
    for start in range(0, len(pieces), 3):
        parts.append(constant(pieces[start]))
        if start + 2 < len(pieces) and pieces[start + 2] != "%":
            name = pieces[start + 1]
            value = named[name] if name and named and name in named else next(given, NOTHING)
            parts.append(HARMLESS if pieces[start + 2] in "difFeEgGxXo" else value)
    return parts


def method(
    frame: Frame, node: ast.Call, name: str, receiver: Value, positional: list[Value], keywords: dict[str, Value],
    spread: list[Value],
) -> Value | None:  # fmt: skip
    """What a method of a text gives; None when it is none of a text's."""
    if name == "format_map" and positional:
        name, spread, positional = "format", positional, []
    if name == "format" and (positional or keywords or spread):
        note_place(frame, node, "format", receiver)
    if name == "format" and receiver.text is not None:
        parts = list(_filled(receiver, positional, keywords, spread))
        return built(frame, node, [receiver, *positional, *keywords.values(), *spread], concatenated(parts))
    if name == "format" and any(each.taints for each in (*positional, *keywords.values(), *spread)):
        return carrying(Value(text=HOLE), receiver, *positional, *keywords.values(), *spread)
    if name == "join" and len(positional) == 1:
        return _joined(receiver, positional[0])
    if isinstance(receiver.const, str | bytes):
        folded = _folded(receiver.const, name, positional)
        return folded if folded is not None else carrying(Value(text=HOLE), *positional)
    if name in ANSWERS and (receiver.text is not None or (receiver.taints and receiver.kind is None)):
        return HARMLESS
    if name == "replace" and len(positional) == 2:
        return _replaced(receiver, positional)
    if (
        name in ("encode", "decode", "strip", "lstrip", "rstrip", "lower", "upper", "title", "capitalize")
        and receiver.taints
    ):
        return replace(carrying(Value(text=receiver.text if name in ("encode", "decode") else HOLE), receiver))
    return None


def _replaced(receiver: Value, positional: list[Value]) -> Value | None:
    """What is replaced is not in the text any more, if what replaces it does not bring it back."""
    old, new = positional[0].const, positional[1].const
    if not isinstance(old, str) or not isinstance(new, str) or not receiver.taints:
        return None
    kept = Value(all_taints(receiver), text=HOLE)
    if old in (".", "/") and new == "":
        return sanitised(kept, frozenset({"path"}))
    if old in ("'", '"') and (old not in new or new == old * 2):
        return sanitised(kept, frozenset({f"no {old}"}))
    if old in ("\n", "\r", "\r\n") and old not in new:
        return sanitised(kept, frozenset({"log", "mail"}))
    if old == "<" and "<" not in new:
        return sanitised(kept, frozenset({"html"}))
    return None


def _joined(separator: Value, given: Value) -> Value:
    inner = element(given)
    text = HOLE
    if given.items:
        text = (separator.text or "").join(each.text or HOLE for each in given.items.values())
        if "[]" not in given.items and not given.taints and separator.const is not UNKNOWN:
            parts: list[Value] = []
            for each in given.items.values():
                parts += [separator, each] if parts else [each]
            return concatenated(parts)
    found = carrying(Value(text=text), inner, Value(all_taints(given)), separator)
    return HARMLESS if inner.is_harmless and separator.is_harmless and not found.taints else found


def _filled(
    template: Value, positional: list[Value], keywords: Mapping[str, Value], spread: list[Value]
) -> Iterator[Value]:
    """The parts of `template.format(...)`."""
    text = template.text or ""
    position = 0
    start = 0
    for field in FIELD.finditer(text):
        yield constant(text[start : field.start()])
        name = re.split(r"[.\[:!]", field[0][1:-1])[0]
        if name and not name.isdigit():
            yield keywords[name] if name in keywords else join_all(spread_part(each, name) for each in spread)
        else:
            index = int(name) if name else position
            position += 1
            yield positional[index] if index < len(positional) else NOTHING
        start = field.end()
    yield carrying(constant(text[start:]), template)


def spread_part(spread: Value, name: str) -> Value:
    """What `**spread` gives for a parameter."""
    return spread.items[name] if spread.items and name in spread.items else carrying(NOTHING, spread)


def _folded(text: str | bytes, name: str, arguments: list[Value]) -> Value | None:
    """A method of a constant text with constant arguments."""
    given = [value.const for value in arguments]
    if isinstance(text, bytes):
        return _called(text.decode) if name == "decode" and not given else None
    if name not in PLAIN or len(text) > MAX_FOLDED or not all(isinstance(each, str | int | tuple) for each in given):
        return None
    if name == "zfill" or (name == "replace" and len(given) != 2):
        return None
    return _called(getattr(text, name), *given)


def _called(function: Callable[..., Any], *given: Any) -> Value | None:
    try:
        found = function(*given)
    except (ValueError, TypeError, UnicodeError):
        return None
    if isinstance(found, list | tuple):
        values = [constant(each) for each in found]
        return Value(const=tuple(found), items=dict(enumerate(values)))
    return constant(found)
