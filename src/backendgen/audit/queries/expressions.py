"""Expressions of a function that is followed: what each kind comes from."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from backendgen.audit.queries.attributes import attribute, named
from backendgen.audit.queries.calls import called
from backendgen.audit.queries.model import NOTHING, Root, Value, either
from backendgen.audit.queries.roles import compared
from backendgen.code.symbols import External, Variable

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame


def _constant(frame: Frame, node: ast.Constant) -> Value:
    return Value(text=node.value) if isinstance(node.value, str) else NOTHING


def _name(frame: Frame, node: ast.Name) -> Value:
    known = frame.names.get(node.id)
    if known is not None:
        return known
    if any(each.arg == node.id for each in frame.function.parameters):
        return NOTHING
    return frame.tracer.symbol(frame.tracer.symbols.value(node, frame.module, frame.function))


def _attribute(frame: Frame, node: ast.Attribute) -> Value:
    if not frame.is_local(node):
        found = frame.tracer.symbols.value(node, frame.module, frame.function)
        if isinstance(found, Variable | External):
            known = frame.tracer.symbol(found)
            if known != NOTHING:
                return known
        manager = frame.tracer.manager(frame.tracer.symbols.value(node.value, frame.module, frame.function), node.attr)
        if manager is not None:
            return Value(statement=manager)
    return attribute(frame, frame.value(node.value), node)


def _subscript(frame: Frame, node: ast.Subscript) -> Value:
    base = frame.value(node.value)
    frame.value(node.slice)
    if base.statement is not None:
        if isinstance(node.slice, ast.Slice):
            return replace(base, statement=replace(base.statement, limited=True))
        return frame.executed(base.statement, node, many=False)
    if isinstance(node.slice, ast.Constant):
        held = base.held(str(node.slice.value))
        return held if held is not None else Value(named(base.roots, str(node.slice.value)), row=base.row)
    return Value(base.roots, base.kind, row=base.row)


def _call(frame: Frame, node: ast.Call) -> Value:
    return called(frame, node)


def _await(frame: Frame, node: ast.Await | ast.Starred | ast.YieldFrom) -> Value:
    return frame.value(node.value)


def _yield(frame: Frame, node: ast.Yield) -> Value:
    value = frame.value(node.value) if node.value is not None else NOTHING
    frame.result = value if frame.result is None else either(frame.result, value)
    return NOTHING


def _walrus(frame: Frame, node: ast.NamedExpr) -> Value:
    value = frame.value(node.value)
    frame.bind(node.target, value, node.value)
    return value


def _compare(frame: Frame, node: ast.Compare) -> Value:
    sides = [frame.value(node.left), *(frame.value(each) for each in node.comparators)]
    for left, right in pairwise(sides):
        if id(node) not in frame.inverse:
            compared(frame, left, right)
    return Value(frozenset().union(*(each.roots for each in sides)))


def _either(frame: Frame, node: ast.BoolOp) -> Value:
    values = [frame.value(each) for each in node.values]
    result = values[0]
    for each in values[1:]:
        result = either(result, each)
    return result


def _choice(frame: Frame, node: ast.IfExp) -> Value:
    frame.value(node.test)
    return either(frame.value(node.body), frame.value(node.orelse))


def _dict(frame: Frame, node: ast.Dict) -> Value:
    result = NOTHING
    for key, each in zip(node.keys, node.values, strict=True):
        value = frame.value(each)
        if isinstance(key, ast.Constant):
            result = result.with_entry(str(key.value), value)
        elif key is None:
            result = replace(value, roots=result.roots | value.roots, holds=result.holds + value.holds, dumped=True)
        else:
            result = Value(result.roots | value.roots, result.kind, result.holds, dumped=result.dumped)
    return result


def _sequence(frame: Frame, node: ast.Tuple | ast.List | ast.Set) -> Value:
    values = [frame.value(each) for each in node.elts]
    roots = frozenset[Root]().union(*(each.roots for each in values))
    return Value(roots, holds=tuple((str(position), each) for position, each in enumerate(values)))


def _comprehension(frame: Frame, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
    before = dict(frame.names)
    for each in node.generators:
        frame.bind(each.target, frame.element(each.iter), each.iter)
    frame.loops += len(node.generators)
    for each in node.generators:
        for test in each.ifs:
            frame.value(test)
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    values = [frame.value(part) for part in parts]
    frame.loops -= len(node.generators)
    frame.names = before
    last = values[-1]
    return Value(frozenset[Root]().union(*(each.roots for each in values)), last.kind, last.holds, row=last.row)


def _lambda(frame: Frame, node: ast.Lambda) -> Value:
    frame.value(node.body)
    return NOTHING


def _formatted(frame: Frame, node: ast.FormattedValue) -> Value:
    return Value(frame.value(node.value).roots)


EXPRESSIONS: dict[type, Callable[..., Value]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.Subscript: _subscript,
    ast.Call: _call, ast.Await: _await, ast.Starred: _await, ast.Yield: _yield,
    ast.YieldFrom: _await, ast.NamedExpr: _walrus, ast.Compare: _compare, ast.BoolOp: _either,
    ast.IfExp: _choice, ast.Dict: _dict, ast.Tuple: _sequence, ast.List: _sequence,
    ast.Set: _sequence, ast.ListComp: _comprehension, ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension, ast.DictComp: _comprehension, ast.Lambda: _lambda,
    ast.FormattedValue: _formatted,
}  # fmt: skip
