"""Ways through code that several checks take."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.registry import Context
from backendgen.code.symbols import Class, External, Function, Variable

MAX_DEPTH = 4


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, not those of functions and lambdas defined in it."""
    pending: list[ast.AST] = list(function.node.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def called(context: Context, call: ast.Call, function: Function) -> Function | External | None:
    """Return what a call in a function calls: a function or method of the project, or something outside."""
    symbols = context.symbols
    found = symbols.value(call.func, function.module, function)
    if isinstance(found, Function | External):
        return found
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        owner = _class_of(context, call.func.value, function)
        if isinstance(owner, Class):
            member = symbols.member(owner, call.func.attr)
            return member if isinstance(member, Function) else None
        if isinstance(owner, External):
            return External(f"{owner.name}.{call.func.attr}")
    return None


def _class_of(context: Context, name: ast.Name, function: Function) -> Class | External | None:
    """The class of a name: `self`, what its annotation says, or what it is made with."""
    symbols = context.symbols
    if name.id == "self":
        return function.owner
    found = None
    variable = symbols.lookup(name.id, function.module, function)
    if isinstance(variable, Variable):
        if variable.annotation is not None:
            found = symbols.value(variable.annotation, variable.module, variable.scope)
        elif isinstance(variable.value, ast.Call):
            found = symbols.value(variable.value.func, variable.module, variable.scope)
    for parameter in function.parameters:
        if parameter.arg == name.id and parameter.annotation is not None:
            found = symbols.value(parameter.annotation, function.module, function.outer)
    return found if isinstance(found, Class | External) else None


def reached(context: Context, start: Function) -> list[Function]:
    """A function and the project's functions that it calls, a few calls deep, each once."""
    order, seen = [start], {id(start.node)}
    level = [start]
    for _ in range(MAX_DEPTH):
        following = []
        for function in level:
            for call in function.module.calls_in(function):
                target = called(context, call, function)
                if isinstance(target, Function) and id(target.node) not in seen:
                    seen.add(id(target.node))
                    following.append(target)
        order.extend(following)
        level = following
    return order
