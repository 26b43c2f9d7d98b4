"""Containers: what is put in and what is taken out, by key and by index as long as these are known."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow.parts import element, entry, is_key
from backendgen.audit.flow.sources import UPLOADS
from backendgen.audit.flow.values import MAX_ITEMS, NOTHING, UNKNOWN, Value, carrying, constant, join, join_all
from backendgen.code.symbols import External

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

READS = frozenset({"get", "getlist", "getall", "get_list", "get_all", "multi_items", "setdefault", "getone"})
LISTS = frozenset({"getlist", "getall", "get_list", "get_all"})
CHANGES = frozenset(
    {"append", "add", "extend", "insert", "update", "write", "appendleft", "setdefault", "put", "put_nowait"}
)
CONFIGS = frozenset({"configparser.ConfigParser", "configparser.RawConfigParser", "configparser.SafeConfigParser"})


def method(
    frame: Frame, node: ast.Call, name: str, receiver: Value, positional: list[Value], keywords: dict[str, Value]
) -> Value | None:
    """What a method of a container gives, after it has changed it; None when it is none of a container's."""
    function = node.func
    variable = function.value.id if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) else ""
    if isinstance(receiver.kind, External) and receiver.kind.name in CONFIGS:
        return _config(frame, variable, name, receiver, positional, keywords)
    if name == "pop":
        return _popped(frame, variable, receiver, positional)
    if name in READS and positional:
        found = entry(receiver, positional[0].const)
        if name in LISTS and isinstance(found.kind, External) and found.kind.name in UPLOADS:
            return Value(items={"[]": found})
        return join(found, positional[1]) if len(positional) > 1 else found
    if name == "values" and receiver.items:
        return Value(items={"[]": join_all(receiver.items.values())})
    if name == "keys" and receiver.items and receiver.const is UNKNOWN:
        return Value(items={"[]": element(receiver)})
    if name == "items" and receiver.items:
        keys = NOTHING if "[]" in receiver.items else join_all(constant(key) for key in receiver.items)
        pair = Value(items={0: carrying(keys, replace(receiver, items=None)), 1: join_all(receiver.items.values())})
        return Value(items={"[]": pair})
    if name == "copy" and receiver.items is not None and not positional:
        return receiver
    if name in ("clear", "remove", "sort", "reverse", "insert") and variable and receiver.items is not None:
        _reordered(frame, variable, name, receiver, positional)
        return NOTHING
    if name in CHANGES and variable:
        _changed(frame, variable, receiver, name, positional, keywords)
        return NOTHING
    return None


def _is_list(value: Value) -> bool:
    return value.items is not None and all(isinstance(key, int) for key in value.items)


def _popped(frame: Frame, variable: str, receiver: Value, positional: list[Value]) -> Value:
    """`names.pop(0)`, `data.pop("name", None)`."""
    items = receiver.items
    key: Any = positional[0].const if positional else -1
    if items is None or key is UNKNOWN or not is_key(key):
        return entry(receiver, key if positional else UNKNOWN)
    if _is_list(receiver) and isinstance(key, int):
        values = list(items.values())
        if not -len(values) <= key < len(values):
            return entry(receiver, UNKNOWN)
        found = values.pop(key)
        if variable and frame.loops == 0:
            frame.names[variable] = replace(receiver, items=dict(enumerate(values)), const=UNKNOWN)
        return found
    found = entry(receiver, key)
    if variable and key in items:
        left = {name: value for name, value in items.items() if name != key}
        frame.names[variable] = replace(receiver, items=left, const=UNKNOWN)
    return join(found, positional[1]) if len(positional) > 1 else found


def _reordered(frame: Frame, variable: str, name: str, receiver: Value, positional: list[Value]) -> None:
    values = list((receiver.items or {}).values())
    index = positional[0].const if positional else UNKNOWN
    if name == "clear":
        frame.names[variable] = Value(items={})
    elif name == "reverse" and _is_list(receiver):
        frame.names[variable] = replace(receiver, items=dict(enumerate(reversed(values))), const=UNKNOWN)
    elif (
        name == "insert" and len(positional) == 2 and isinstance(index, int) and _is_list(receiver) and len(values) < 32
    ):
        values.insert(index, positional[1])
        frame.names[variable] = replace(receiver, items=dict(enumerate(values)), const=UNKNOWN)
    elif name == "remove" and _is_list(receiver) and index is not UNKNOWN and receiver.const is UNKNOWN:
        position = next((number for number, value in enumerate(values) if value.const == index), None)
        if position is not None:
            values.pop(position)
            frame.names[variable] = replace(receiver, items=dict(enumerate(values)))
    else:  # an order that is not known any more
        frame.names[variable] = carrying(Value(items={"[]": join_all(values)}), *positional)


def _changed(
    frame: Frame, variable: str, receiver: Value, name: str, positional: list[Value], keywords: Mapping[str, Value]
) -> None:
    """A container that something is put into."""
    items = receiver.items
    if name == "append" and items is not None and positional and _is_list(receiver) and len(items) < 32:
        frame.names[variable] = replace(receiver, items={**items, len(items): positional[0]}, const=UNKNOWN)
    elif name == "update" and items is not None and not positional and keywords:
        frame.names[variable] = replace(receiver, items={**items, **keywords}, const=UNKNOWN)
    elif name == "update" and items is not None and len(positional) == 1 and positional[0].items is not None:
        frame.names[variable] = replace(receiver, items={**items, **positional[0].items}, const=UNKNOWN)
    else:
        frame.names[variable] = carrying(replace(receiver, const=UNKNOWN), *positional, *keywords.values())


def _config(
    frame: Frame, variable: str, name: str, receiver: Value, positional: list[Value], keywords: Mapping[str, Value]
) -> Value | None:
    """A ConfigParser: sections of options."""
    keys = [value.const for value in positional[:2]]
    known = all(isinstance(key, str) for key in keys)
    items = receiver.items or {}
    if name == "set" and len(positional) == 3 and variable:
        if known and len(items) < MAX_ITEMS:
            section = items.get(keys[0], Value(items={}))
            section = replace(section, items={**(section.items or {}), keys[1]: positional[2]})
            frame.names[variable] = replace(receiver, items={**items, keys[0]: section})
        else:
            frame.names[variable] = carrying(receiver, positional[2])
        return NOTHING
    if name == "get" and len(positional) == 2:
        found = entry(entry(receiver, keys[0]), keys[1]) if known else carrying(NOTHING, receiver)
        return join(found, keywords["fallback"]) if "fallback" in keywords else found
    return NOTHING if name in ("read", "add_section", "read_file") else None
