"""Parts of values: attributes by the type of their owner, entries by key, what iterating gives."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow import declared, libraries, sources
from backendgen.audit.flow.types import Type
from backendgen.audit.flow.values import (
    HARMLESS,
    NOTHING,
    TEXT,
    UNKNOWN,
    Taint,
    Value,
    carrying,
    constant,
    join_all,
    sanitised,
)  # fmt: skip
from backendgen.code.symbols import Class, External, Function, Variable

if TYPE_CHECKING:
    from backendgen.audit.flow.engine import Engine


def attribute(engine: Engine, value: Value, name: str) -> Value:
    """Return what is known of an attribute (or, in an origin's path, an entry) of a value."""
    if value.items is not None and name in value.items:
        return value.items[name]
    kind = value.kind
    if isinstance(kind, External):
        read = sources.read(kind.name, name)
        if read is not None:
            return read
        held = libraries.HOLDS.get(f"{kind.name}.{name}")
        if held is not None:
            return Value(kind=External(held))
        if kind.name == "pathlib.Path" and name in ("name", "stem", "suffix"):
            return sanitised(value, frozenset({"path"}))
    if isinstance(kind, Class):
        member = engine.symbols.member(kind, name)
        if isinstance(member, Variable) and member.annotation is not None:
            if value.taints and engine.is_validated(kind, name):
                return HARMLESS
            return typed(value, name, engine.types.of(member.annotation, member.module))
        if isinstance(member, Variable):
            return engine.variable(member)
        if member is None:
            given = sources.of_owner(engine, kind, name)
            if given is not None:
                return given
            return replace(part_of(value, name), kind=engine.types.of_attribute(kind, name).kind)
        if isinstance(member, Function) and _is_property(member):
            return _computed(engine, member, value, name)
        if isinstance(member, Function):
            return Value(function=member, bound=value)
    return part_of(value, name)


def _computed(engine: Engine, member: Function, value: Value, name: str) -> Value:
    """Return what a property makes of its object; one that reads itself has no other value than its name's."""
    from backendgen.audit.flow.calls import applied

    key = id(member.node)
    if key in engine.reading:
        return part_of(value, name)
    engine.reading.add(key)
    try:
        return applied(engine, member, {member.parameters[0].arg: value} if member.parameters else {}, None)
    finally:
        engine.reading.discard(key)


def walked(engine: Engine, value: Value, path: tuple[str, ...]) -> Value:
    """Return the part of a value at a path of attributes and entries."""
    for part in path:
        value = attribute(engine, value, part)
    return value


def part_of(value: Value, name: str) -> Value:
    """Return an attribute or entry of which only the whole is known."""
    if not value.taints:
        return HARMLESS if value.harmless else NOTHING
    taints = tuple(
        Taint(taint.origin.at(name), taint.steps, taint.safe) if value.whole is not None else taint
        for taint in value.taints
    )
    return Value(taints, whole=value.whole.at(name) if value.whole is not None else None)


def typed(value: Value, name: str, found: Type) -> Value:
    """Return a part whose type is declared."""
    if found.harmless:
        return HARMLESS
    part = replace(part_of(value, name), kind=found.kind)
    if found.is_text:
        return sanitised(part, TEXT)
    if found.element is not None and part.taints:
        inner = HARMLESS if found.element.harmless else replace(part_of(part, "[]"), kind=found.element.kind)
        if found.element.harmless:
            return replace(part, taints=(), whole=None, items={"[]": inner})
        return replace(part, items={"[]": inner})
    return part


def entry(value: Value, key: Any) -> Value:
    """Return an entry of a container, by a key that is known or UNKNOWN."""
    items = value.items
    if isinstance(value.kind, External) and value.kind.name == "wsgi.environ":
        return sources.environ(key) or part_of(value, str(key))
    if items is not None and key is not UNKNOWN and is_key(key) and key in items:
        return items[key]
    if items is not None and "[]" in items:
        return items["[]"]
    if value.harmless:
        return HARMLESS
    if items and isinstance(key, int) and key < 0 and len(items) + key in items:
        return items[len(items) + key]
    if items and (key is UNKNOWN or isinstance(value.const, tuple)):
        found = join_all(items.values())
        return carrying(found, replace(value, items=None)) if value.taints else found
    if isinstance(value.const, str) and isinstance(key, int) and -len(value.const) <= key < len(value.const):
        return constant(value.const[key])
    return part_of(value, str(key)) if key is not UNKNOWN else carrying(NOTHING, value)


def element(value: Value) -> Value:
    """Return what iterating over a value gives."""
    if isinstance(value.kind, External) and value.kind.name == declared.ITERATED and declared.is_sent(value):
        return declared.member()
    if value.items is not None:
        if "[]" in value.items:
            return value.items["[]"]
        if value.const is UNKNOWN and value.function is None and all(isinstance(key, int) for key in value.items):
            return join_all(value.items.values()) if value.items else NOTHING
        return carrying(join_all(constant(key) for key in value.items), replace(value, items=None))
    return part_of(value, "[]") if value.taints else NOTHING


def is_key(key: Any) -> bool:
    """Can this constant be a key?"""
    return isinstance(key, str | int | float | bool | type(None) | tuple)


def _is_property(function: Function) -> bool:
    names = {each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
             for each in function.node.decorator_list}  # fmt: skip
    return bool(names & {"property", "cached_property"})
