"""The arguments of a call, and what they make of a function's parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from backendgen.audit.queries.model import NOTHING, Root, Roots, Value
from backendgen.code.nodes import last
from backendgen.code.symbols import Function

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments, each evaluated once. `spread` are the values of `**mapping`."""

    nodes: tuple[ast.expr, ...]
    values: tuple[Value, ...]
    keywords: dict[str, Value]
    spread: tuple[Value, ...]

    @property
    def all(self) -> tuple[Value, ...]:
        """Every value."""
        return (*self.values, *self.keywords.values(), *self.spread)

    @property
    def roots(self) -> Roots:
        """Where all of them come from."""
        return frozenset[Root]().union(*(deep(each) for each in self.all))


def deep(value: Value, depth: int = 0) -> Roots:
    """The roots of a value and of what it holds."""
    if not value.holds or depth > 3:
        return value.roots
    return value.roots.union(*(deep(each, depth + 1) for _, each in value.holds))


def bound(frame: Frame, function: Function, own: Value | None, arguments: Arguments) -> dict[str, Value]:
    """A function's parameters by name; what `**mapping` may give is given to all that have no value."""
    parameters = [each.arg for each in (*function.node.args.posonlyargs, *function.node.args.args)]
    result: dict[str, Value] = {}
    decorators = {last(each) for each in function.node.decorator_list}
    if function.owner is not None and "staticmethod" not in decorators and parameters:
        first, own = parameters[0], own or NOTHING
        if "classmethod" in decorators:
            owner = own.itself or own.kind or function.owner
            result[first] = Value(itself=owner)
            parameters = parameters[1:]
        elif own.itself is None:
            result[first] = own if own.kind is not None else Value(kind=function.owner)
            parameters = parameters[1:]
    for name, value in zip(parameters, arguments.values, strict=False):
        result[name] = value
    result.update(arguments.keywords)
    left = [each.arg for each in function.parameters if each.arg not in result]
    for spread in arguments.spread:
        for name in left:
            held = spread.held(name)
            result[name] = held if held is not None else Value(spread.roots) if spread.roots else NOTHING
    result.update(_collected(function, arguments, len(parameters)))
    for each in function.parameters:
        if each.arg in result:
            result[each.arg] = _typed(frame, result[each.arg], each, function)
        elif each.annotation is not None:
            result[each.arg] = _typed(frame, NOTHING, each, function)
    return {key: value for key, value in result.items() if key in _all_names(function)}


def _collected(function: Function, arguments: Arguments, positions: int) -> Iterator[tuple[str, Value]]:
    """What `*args` and `**kwargs` of a function get."""
    if function.node.args.kwarg is not None:
        names = {each.arg for each in function.parameters}
        rest = {key: each for key, each in arguments.keywords.items() if key not in names}
        whole = Value(holds=tuple(rest.items()))
        for spread in arguments.spread:
            whole = replace(spread, holds=whole.holds + spread.holds)
        yield function.node.args.kwarg.arg, whole
    if function.node.args.vararg is not None:
        extra = arguments.values[positions:]
        roots = frozenset[Root]().union(*(each.roots for each in extra))
        statement = next((each.statement for each in extra if each.statement is not None), None)
        yield function.node.args.vararg.arg, Value(roots, statement=statement)


def _typed(frame: Frame, value: Value, parameter: ast.arg, function: Function) -> Value:
    if value.kind is not None or value.statement is not None or value.itself is not None:
        return value
    return frame.typed(value, parameter.annotation, function.module)


def _all_names(function: Function) -> set[str]:
    arguments = function.node.args
    return {
        each.arg
        for each in [
            *function.parameters,
            *([arguments.vararg] if arguments.vararg else []),
            *([arguments.kwarg] if arguments.kwarg else []),
        ]
    }
