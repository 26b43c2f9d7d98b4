"""Interpreting expressions: constants folded, texts built, containers read by key, attributes by type."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow import libraries
from backendgen.audit.flow.calls import call
from backendgen.audit.flow.guards import refine
from backendgen.audit.flow.types import Type
from backendgen.audit.flow.values import (
    HARMLESS,
    HOLE,
    MAX_ITEMS,
    NOTHING,
    UNKNOWN,
    Origin,
    Value,
    all_taints,
    carrying,
    concatenated,
    constant,
    join,
    join_all,
    sanitised,
    tainted,
    union,
)  # fmt: skip
from backendgen.code.symbols import Class, External, Function, Module, Variable

if TYPE_CHECKING:
    from backendgen.audit.flow.engine import Engine
    from backendgen.audit.flow.frame import Frame

MAX_NUMBER = 10**9
FOLDED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Mod:
    operator.mod, ast.Div: operator.truediv,
}  # fmt: skip
COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip


# -- parts of values ------------------------------------------------------------------------------------------------


def attribute(engine: Engine, value: Value, name: str) -> Value:
    """Return what is known of an attribute (or, in an origin's path, an entry) of a value."""
    if value.items is not None and name in value.items:
        return value.items[name]
    kind = value.kind
    if isinstance(kind, External):
        if kind.name in libraries.REQUESTS:
            part = libraries.REQUEST_PARTS.get(name)
            return tainted(Origin("request", part)) if part else NOTHING
        if kind.name in libraries.UPLOADS and name != "filename":
            return NOTHING
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
            return replace(part_of(value, name), kind=engine.types.of_attribute(kind, name).kind)
        if isinstance(member, Function) and _is_property(member):
            from backendgen.audit.flow.calls import applied

            return applied(engine, member, {member.parameters[0].arg: value} if member.parameters else {}, None)
    return part_of(value, name)


def walked(engine: Engine, value: Value, path: tuple[str, ...]) -> Value:
    """Return the part of a value at a path of attributes and entries."""
    for part in path:
        value = attribute(engine, value, part)
    return value


def part_of(value: Value, name: str) -> Value:
    """Return an attribute or entry of which only the whole is known."""
    if not value.taints:
        return HARMLESS if value is HARMLESS else NOTHING
    taints = tuple(
        replace(taint, origin=taint.origin.at(name)) if value.whole is not None else taint for taint in value.taints
    )
    return Value(taints, whole=value.whole.at(name) if value.whole is not None else None)


def typed(value: Value, name: str, found: Type) -> Value:
    """Return a part whose type is declared."""
    if found.harmless:
        return HARMLESS
    part = replace(part_of(value, name), kind=found.kind)
    if found.element is not None and part.taints:
        inner = HARMLESS if found.element.harmless else replace(part_of(part, "[]"), kind=found.element.kind)
        if found.element.harmless:
            return replace(part, taints=(), whole=None, items={"[]": inner})
        return replace(part, items={"[]": inner})
    return part


def entry(frame: Frame, value: Value, key: Any) -> Value:
    """Return an entry of a container, by a key that is known or UNKNOWN."""
    items = value.items
    if items is not None and key is not UNKNOWN and _hashable(key) and key in items:
        return items[key]
    if items is not None and "[]" in items:
        return items["[]"]
    if items and (key is UNKNOWN or isinstance(value.const, tuple)):
        found = join_all(items.values())
        return carrying(found, replace(value, items=None)) if value.taints else found
    if isinstance(value.const, str) and isinstance(key, int) and -len(value.const) <= key < len(value.const):
        return constant(value.const[key])
    return part_of(value, str(key)) if key is not UNKNOWN else carrying(NOTHING, value)


def element(frame: Frame, value: Value) -> Value:
    """Return what iterating over a value gives."""
    if value.items is not None:
        if "[]" in value.items:
            return value.items["[]"]
        if value.const is UNKNOWN and value.function is None and all(isinstance(key, int) for key in value.items):
            return join_all(value.items.values()) if value.items else NOTHING
        return carrying(join_all(constant(key) for key in value.items), replace(value, items=None))
    return part_of(value, "[]") if value.taints else NOTHING


def _hashable(key: Any) -> bool:
    return isinstance(key, str | int | float | bool | type(None) | tuple)


def _is_property(function: Function) -> bool:
    names = {each.id if isinstance(each, ast.Name) else each.attr if isinstance(each, ast.Attribute) else ""
             for each in function.node.decorator_list}  # fmt: skip
    return bool(names & {"property", "cached_property"})


# -- expressions ----------------------------------------------------------------------------------------------------


def _constant(frame: Frame, node: ast.Constant) -> Value:
    return constant(node.value)


def _name(frame: Frame, node: ast.Name) -> Value:
    known = frame.names.get(node.id)
    if known is not None:
        return known
    symbol = frame.engine.symbols.lookup(node.id, frame.module, frame.function)
    return meaning(frame.engine, symbol)


def meaning(engine: Engine, symbol: Function | Class | Variable | External | Module | None) -> Value:
    """Return the value of a name that is defined outside of the function."""
    if isinstance(symbol, Function):
        return Value(function=symbol)
    if isinstance(symbol, Variable):
        return engine.variable(symbol)
    return NOTHING


def _attribute(frame: Frame, node: ast.Attribute) -> Value:
    base = node.value
    if node.attr in libraries.ADDRESS_TESTS:
        frame.checks_addresses = True
    if not (isinstance(base, ast.Name) and base.id in frame.names):
        symbol = frame.engine.symbols.resolve(node, frame.module, frame.function)
        if symbol is not None:
            return meaning(frame.engine, symbol)
    value = attribute(frame.engine, frame.evaluate(base), node.attr)
    if node.attr in libraries.HOSTS and value.taints and value.whole is None:
        return sanitised(
            value, frozenset({"host"})
        )  # the host of an address: what is proved of it, holds for the address
    return value


def _joined(frame: Frame, node: ast.JoinedStr) -> Value:
    parts = [frame.evaluate(part) for part in node.values]
    return _built(frame, node, parts, concatenated(parts))


def _formatted(frame: Frame, node: ast.FormattedValue) -> Value:
    value = frame.evaluate(node.value)
    if value.const is not UNKNOWN and node.format_spec is None and node.conversion == -1:
        return constant(str(value.const))
    if value.is_harmless and value.const is UNKNOWN:
        return value
    return carrying(Value(text=value.text), value)


def _built(frame: Frame, node: ast.expr, parts: list[Value], result: Value) -> Value:
    """Remember whether a text that looks like a statement is built of harmless parts only."""
    from backendgen.audit.flow.spec import PROSE, looks_like_sql

    if looks_like_sql(result.text):
        harmless = all(part.is_harmless for part in parts) or PROSE.match(result.text or "") is not None
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
            key = (frame.path, line)
            frame.engine.built[key] = frame.engine.built.get(key, True) and harmless
    return result


def _binary(frame: Frame, node: ast.BinOp) -> Value:
    left, right = frame.evaluate(node.left), frame.evaluate(node.right)
    folded = _fold(node.op, left, right)
    if folded is not None:
        return folded
    if isinstance(node.op, ast.Add):
        if left.items is not None and right.items is not None:
            return _lists(left, right)
        return _built(frame, node, [left, right], concatenated([left, right]))
    if isinstance(node.op, ast.Mod) and (isinstance(left.const, str) or left.text is not None):
        arguments = list(right.items.values()) if right.items else [right]
        parts = (
            [Value(text=left.text), *arguments] if left.const is UNKNOWN else interpolated(str(left.const), arguments)
        )
        return _built(frame, node, [left, *arguments], carrying(concatenated(parts), replace(left, const=UNKNOWN)))
    if isinstance(node.op, ast.Div):  # pathlib: base / name
        return carrying(Value(kind=left.kind), left, right)
    if isinstance(node.op, ast.BitOr):
        return join(left, right)
    return HARMLESS if left.is_harmless and right.is_harmless else carrying(NOTHING, left, right)


def interpolated(template: str, arguments: list[Value]) -> list[Value]:
    """The parts of a %-template: text, argument, text ..."""
    import re

    pieces = re.split(r"%(?:\(\w+\))?[-+ #0-9.*]*([a-zA-Z%])", template)
    parts: list[Value] = []
    given = iter(arguments)
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            parts.append(constant(piece))
        elif piece != "%":
            value = next(given, NOTHING)
            parts.append(HARMLESS if piece in "difFeEgGxXo" else value)
    return parts


def _lists(left: Value, right: Value) -> Value:
    assert left.items is not None and right.items is not None
    values = [*left.items.values(), *right.items.values()][:MAX_ITEMS]
    return Value(union(left.taints, right.taints), items=dict(enumerate(values)))


def _fold(kind: ast.operator, left: Value, right: Value) -> Value | None:
    rule = FOLDED.get(type(kind))
    one, other = left.const, right.const
    if rule is None or one is UNKNOWN or other is UNKNOWN:
        return None
    simple = isinstance(one, int | float) and isinstance(other, int | float)
    texts = isinstance(kind, ast.Add) and isinstance(one, str) and isinstance(other, str)
    if not (simple and abs(one) < MAX_NUMBER and abs(other) < MAX_NUMBER) and not texts:
        return None
    try:
        return constant(rule(one, other))
    except (ArithmeticError, TypeError, ValueError):
        return None


def _compare(frame: Frame, node: ast.Compare) -> Value:
    values = [frame.evaluate(each) for each in (node.left, *node.comparators)]
    if len(values) == 2 and all(value.const is not UNKNOWN for value in values):
        rule = COMPARED.get(type(node.ops[0]))
        one, other = values[0].const, values[1].const
        try:
            if rule is not None:
                return constant(bool(rule(one, other)))
            if isinstance(node.ops[0], ast.In | ast.NotIn):
                return constant((one in other) == isinstance(node.ops[0], ast.In))
        except TypeError:
            return HARMLESS
    return HARMLESS


def _boolean(frame: Frame, node: ast.BoolOp) -> Value:
    values = [frame.evaluate(each) for each in node.values]
    if values[0].const is not UNKNOWN:
        first = bool(values[0].const)
        if first == isinstance(node.op, ast.Or):
            return values[0]
        return join_all(values[1:])
    return join_all(values)


def _unary(frame: Frame, node: ast.UnaryOp) -> Value:
    value = frame.evaluate(node.operand)
    if value.const is not UNKNOWN:
        if isinstance(node.op, ast.Not):
            return constant(not value.const)
        if isinstance(node.op, ast.USub) and isinstance(value.const, int | float):
            return constant(-value.const)
    return HARMLESS


def _choice(frame: Frame, node: ast.IfExp) -> Value:
    test = frame.evaluate(node.test).const
    values = []
    for part, outcome in ((node.body, True), (node.orelse, False)):
        if test is UNKNOWN or bool(test) == outcome:
            before = frame.names, frame.cleared
            frame.names, frame.cleared = dict(frame.names), dict(frame.cleared)
            refine(frame, node.test, outcome)
            values.append(frame.evaluate(part))
            frame.names, frame.cleared = before
    return join_all(values)


def _dictionary(frame: Frame, node: ast.Dict) -> Value:
    items: dict[Any, Value] = {}
    rest: list[Value] = []
    for key, value in zip(node.keys, node.values, strict=True):
        known = frame.evaluate(value)
        name = frame.evaluate(key).const if key is not None else UNKNOWN
        if key is None and known.items is not None:
            items.update(known.items)
        elif name is not UNKNOWN and _hashable(name) and len(items) < MAX_ITEMS * 4:
            items[name] = known
        else:
            rest.append(known)
    return carrying(Value(items=items), *rest) if rest else Value(items=items)


def _sequence(frame: Frame, node: ast.List | ast.Tuple | ast.Set) -> Value:
    values = [frame.evaluate(each.value if isinstance(each, ast.Starred) else each) for each in node.elts[:256]]
    if any(isinstance(each, ast.Starred) for each in node.elts):
        return carrying(NOTHING, *values)
    if (
        isinstance(node, ast.Tuple | ast.Set | ast.List)
        and values
        and all(value.const is not UNKNOWN for value in values)
    ):
        return Value(const=tuple(value.const for value in values), items=dict(enumerate(values)))
    return Value(items=dict(enumerate(values[:MAX_ITEMS])))


def _subscript(frame: Frame, node: ast.Subscript) -> Value:
    value = frame.evaluate(node.value)
    if isinstance(node.slice, ast.Slice):
        return carrying(Value(text=HOLE if value.text else None), value)
    key = frame.evaluate(node.slice)
    if isinstance(value.kind, Class) and not value.taints:
        return NOTHING
    found = entry(frame, value, key.const)
    return sanitised(found, frozenset({"path"})) if found.taints and _is_segment(node.value, key.const) else found


def _is_segment(node: ast.expr, key: Any) -> bool:
    """`name.split("/")[-1]`, `name.rsplit("/", 1)[-1]`, `name.rpartition("/")[2]`: a part between slashes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return False
    if not isinstance(node.args[0], ast.Constant) or node.args[0].value != "/" or node.keywords:
        return False
    if len(node.args) == 1:
        ends = {"rpartition": (2, -1), "partition": (0,)}.get(node.func.attr)
        return node.func.attr in ("split", "rsplit") or (ends is not None and key in ends)
    return node.func.attr == "rsplit" and key == -1


def _await(frame: Frame, node: ast.Await | ast.YieldFrom) -> Value:
    return frame.evaluate(node.value)


def _yield(frame: Frame, node: ast.Yield) -> Value:
    if node.value is not None:
        frame.returned.append(frame.evaluate(node.value))
    return NOTHING


def _starred(frame: Frame, node: ast.Starred) -> Value:
    return frame.evaluate(node.value)


def _named(frame: Frame, node: ast.NamedExpr) -> Value:
    value = frame.evaluate(node.value)
    frame.assign(node.target, value)
    return value


def _comprehension(frame: Frame, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
    before = frame.names, frame.cleared
    frame.names, frame.cleared = dict(frame.names), dict(frame.cleared)
    for part in node.generators:
        frame.assign(part.target, element(frame, frame.evaluate(part.iter)))
        for test in part.ifs:
            frame.evaluate(test)
            refine(frame, test, True)
    if isinstance(node, ast.DictComp):
        key, inner = frame.evaluate(node.key), frame.evaluate(node.value)
        result = carrying(Value(items={"[]": inner}), key)
    else:
        inner = frame.evaluate(node.elt)
        result = Value(items={"[]": inner})
    frame.names, frame.cleared = before
    return result


def _lambda(frame: Frame, node: ast.Lambda) -> Value:
    before = frame.names
    frame.names = {**frame.names, **{each.arg: NOTHING for each in (*node.args.args, *node.args.kwonlyargs)}}
    value = frame.evaluate(node.body)
    frame.names = before
    return carrying(NOTHING, Value(all_taints(value)))


EVALUATE: dict[type[ast.expr], Callable[[Frame, Any], Value]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.JoinedStr: _joined, ast.FormattedValue:
    _formatted, ast.BinOp: _binary, ast.Compare: _compare, ast.BoolOp: _boolean, ast.UnaryOp: _unary, ast.IfExp:
    _choice, ast.Dict: _dictionary, ast.List: _sequence, ast.Tuple: _sequence, ast.Set: _sequence, ast.Subscript:
    _subscript, ast.Await: _await, ast.Yield: _yield, ast.YieldFrom: _await, ast.Starred: _starred, ast.NamedExpr:
    _named, ast.ListComp: _comprehension, ast.SetComp: _comprehension, ast.GeneratorExp: _comprehension, ast.DictComp:
    _comprehension, ast.Lambda: _lambda, ast.Call: call,
}  # fmt: skip
