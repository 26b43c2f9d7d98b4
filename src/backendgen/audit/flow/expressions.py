"""Interpreting expressions: constants folded, texts built, containers read by key, attributes by type."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow import libraries, sources
from backendgen.audit.flow.calls import call
from backendgen.audit.flow.guards import refine
from backendgen.audit.flow.parts import attribute, element, entry, is_key
from backendgen.audit.flow.sinks import note_compared, note_membership
from backendgen.audit.flow.texts import built, interpolated
from backendgen.audit.flow.values import (
    HARMLESS,
    HOLE,
    MAX_ITEMS,
    NOTHING,
    UNKNOWN,
    Value,
    all_taints,
    carrying,
    concatenated,
    constant,
    join,
    join_all,
    place,
    sanitised,
    stepped,
    union,
)  # fmt: skip
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Module, Variable
from backendgen.findings.finding import Step

if TYPE_CHECKING:
    from backendgen.audit.flow.engine import Engine
    from backendgen.audit.flow.frame import Frame

MAX_NUMBER = 10**9
MAX_FOLDED = 100_000
FOLDED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Mod:
    operator.mod, ast.Div: operator.truediv,
}  # fmt: skip
COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip


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
    if isinstance(symbol, Function | Class):
        return Value(function=symbol)
    if isinstance(symbol, Variable):
        return engine.variable(symbol)
    if isinstance(symbol, External):
        found = sources.of_name(symbol.name)
        return Value(function=symbol) if found is None else found
    return NOTHING


def _attribute(frame: Frame, node: ast.Attribute) -> Value:
    base = node.value
    if node.attr in libraries.ADDRESS_TESTS:
        frame.checks_addresses = True
    if not (isinstance(base, ast.Name) and base.id in frame.names):
        symbol = frame.engine.symbols.resolve(node, frame.module, frame.function)
        is_deep = (
            isinstance(symbol, External) and not isinstance(base, ast.Name) and sources.is_part_of_request(symbol.name)
        )
        if symbol is not None and not is_deep:
            return read(frame, node, meaning(frame.engine, symbol))
    holder = frame.evaluate(base)
    value = read(frame, node, attribute(frame.engine, holder, node.attr))
    if value == NOTHING and node.attr.isupper() and isinstance(holder.kind, External):  # a constant of its class
        return Value(function=External(f"{holder.kind.name}.{node.attr}"))
    if node.attr in libraries.HOSTS and value.taints and value.whole is None:
        return sanitised(
            value, frozenset({"host"})
        )  # the host of an address: what is proved of it, holds for the address
    return value


def read(frame: Frame, node: ast.expr, value: Value) -> Value:
    """Note where something from outside is read: the first step of its way."""
    if not value.taints or value.taints[0].steps or value.taints[0].origin.kind == "parameter":
        return value
    if node.__class__ is ast.Attribute and value.taints[0].origin.name == sources.PATH:
        path = (
            sources.fixed_path(frame.function)
            if frame.function is not None and node.attr in ("path", "path_info")
            else None
        )
        if path is not None:
            return path
    return stepped(value, Step(place(frame.path, node), f"reads `{unparse(node)[:60]}`"))


def _called(frame: Frame, node: ast.Call) -> Value:
    return read(frame, node, call(frame, node))


def _joined(frame: Frame, node: ast.JoinedStr) -> Value:
    parts = [frame.evaluate(part) for part in node.values]
    return built(frame, node, parts, concatenated(parts))


def _formatted(frame: Frame, node: ast.FormattedValue) -> Value:
    value = frame.evaluate(node.value)
    if value.const is not UNKNOWN and node.format_spec is None and node.conversion == -1:
        return constant(str(value.const))
    if value.is_harmless and value.const is UNKNOWN:
        return value
    return carrying(Value(text=value.text), value)


def _binary(frame: Frame, node: ast.BinOp) -> Value:
    left, right = frame.evaluate(node.left), frame.evaluate(node.right)
    folded = _fold(node.op, left, right)
    if folded is not None:
        return folded
    if isinstance(node.op, ast.Add):
        if left.items is not None and right.items is not None:
            return _lists(left, right)
        return built(frame, node, [left, right], concatenated([left, right]))
    if isinstance(node.op, ast.Mod) and (isinstance(left.const, str) or left.text is not None):
        arguments = list(right.items.values()) if right.items else [right]
        template = str(left.const if left.const is not UNKNOWN else left.text)
        parts = interpolated(template, arguments, right.items)
        return built(frame, node, [left, *arguments], carrying(concatenated(parts), replace(left, const=UNKNOWN)))
    if isinstance(node.op, ast.Div):  # pathlib: base / name
        return carrying(Value(kind=left.kind), left, right)
    if isinstance(node.op, ast.BitOr):
        return join(left, right)
    return HARMLESS if left.is_harmless and right.is_harmless else carrying(NOTHING, left, right)


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
    if texts and len(one) + len(other) > MAX_FOLDED:  # a text that is doubled again and again would fill the memory
        return None
    if not (simple and abs(one) < MAX_NUMBER and abs(other) < MAX_NUMBER) and not texts:
        return None
    try:
        return constant(rule(one, other))
    except (ArithmeticError, TypeError, ValueError):
        return None


def _compare(frame: Frame, node: ast.Compare) -> Value:
    values = [frame.evaluate(each) for each in (node.left, *node.comparators)]
    if len(values) == 2 and isinstance(node.ops[0], ast.Eq | ast.NotEq):
        note_compared(frame, node, ((node.left, values[0]), (node.comparators[0], values[1])))
    if len(values) == 2:
        note_membership(frame, node, values[0], values[1])
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
        elif name is not UNKNOWN and is_key(name) and len(items) < MAX_ITEMS * 4:
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
        cut = _cut(frame, value, node.slice)
        if cut is not None:
            return cut
        if value.harmless:
            return HARMLESS
        return carrying(Value(text=HOLE if value.text else None), value)
    key = frame.evaluate(node.slice)
    if isinstance(value.kind, Class) and not value.taints:
        return NOTHING
    found = (
        join_all(entry(value, each) for each in key.either) if key.either and value.items else entry(value, key.const)
    )
    return sanitised(found, frozenset({"path"})) if found.taints and _is_segment(node.value, key.const) else found


def _cut(frame: Frame, value: Value, node: ast.Slice) -> Value | None:
    """A part of a constant, or of a list whose entries are known."""
    bounds = [frame.evaluate(each).const if each is not None else None for each in (node.lower, node.upper, node.step)]
    if not all(each is None or isinstance(each, int) for each in bounds):
        return None
    which = slice(*bounds)
    if isinstance(value.const, str | tuple):
        found = value.const[which]
        if isinstance(found, str):
            return constant(found)
        return Value(const=found, items=dict(enumerate(constant(each) for each in found)))
    if value.items and "[]" not in value.items and all(isinstance(key, int) for key in value.items):
        return replace(value, items=dict(enumerate(list(value.items.values())[which])), const=UNKNOWN)
    return None


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
        frame.assign(part.target, element(frame.evaluate(part.iter)))
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
    _comprehension, ast.Lambda: _lambda, ast.Call: _called,
}  # fmt: skip
