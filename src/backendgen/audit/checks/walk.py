"""Ways through code that several checks take."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.flow.libraries import returned
from backendgen.audit.flow.types import Types
from backendgen.audit.flow.values import place
from backendgen.audit.registry import Context
from backendgen.audit.service import Endpoint
from backendgen.code.project import SourceFile
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Variable
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence, Severity

MAX_DEPTH = 4
COMMANDS = re.compile(r"(?:^|/)(?:cli|scripts|commands)(?:/|\.py$)|(?:^|/)manage\.py$")
COMMAND_LINES = re.compile(r"^\s*(?:import|from)\s+(?:typer|click|argparse|cyclopts)\b", re.MULTILINE)


def is_command(file: SourceFile) -> bool:
    """Is this a program for a terminal, by its place or what it imports? What it prints is for who started it."""
    return COMMANDS.search(file.path) is not None or COMMAND_LINES.search(file.text) is not None


def hit(
    module: Module,
    node: ast.AST,
    message: str,
    fix: str = "",
    confidence: Confidence | None = None,
    severity: Severity | None = None,
) -> Hit:
    """What a check yields of a node; `{who}` in the message is the function or class that it stands in, or the file."""
    location = place(module.file.path, node)
    symbol = module.file.symbol_at(location.line)
    who = f"`{symbol}`" if symbol else module.file.path
    return Hit(location, message.replace("{who}", who), fix, symbol, severity=severity, confidence=confidence)


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
    if isinstance(call.func, ast.Attribute):
        owner = class_of(context, call.func.value, function)
        if isinstance(owner, Class):
            member = symbols.member(owner, call.func.attr)
            return member if isinstance(member, Function) else None
        if isinstance(owner, External):
            return External(f"{owner.name}.{call.func.attr}")
    return None


def class_of(context: Context, node: ast.expr, function: Function, depth: int = 0) -> Class | External | None:
    """The class of an expression: `self`, what an annotation says, what it is made with, an attribute of these."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(node, ast.Call):
        return _made(context, node, function, depth)
    types = Types(context.symbols, _proves_nothing)
    if isinstance(node, ast.Attribute):
        made = context.symbols.value(node, function.module, function)
        if isinstance(made, Variable) and isinstance(made.value, ast.Call):  # `crud.items`, where `items = CRUD(Item)`
            return _instance(context, context.symbols.value(made.value.func, made.module, made.scope))
        owner = class_of(context, node.value, function, depth + 1)
        return types.of_attribute(owner, node.attr).kind if isinstance(owner, Class) else None
    if not isinstance(node, ast.Name):
        return None
    if node.id == "self":
        return function.owner
    for parameter in function.parameters:
        if parameter.arg == node.id and parameter.annotation is not None:
            return types.of(parameter.annotation, function.module).kind
    variable = context.symbols.value(node, function.module, function)
    if isinstance(variable, Variable):
        if variable.annotation is not None:
            return types.of(variable.annotation, variable.module).kind
        if isinstance(variable.value, ast.Call):
            maker = context.symbols.value(variable.value.func, variable.module, variable.scope)
            return _instance(context, maker) or (_made(context, variable.value, function, depth) if not maker else None)
        return None
    for one in own_nodes(function):
        if (
            isinstance(one, ast.withitem)
            and isinstance(one.optional_vars, ast.Name)
            and one.optional_vars.id == node.id
        ):
            return class_of(context, one.context_expr, function, depth + 1)
    return None


def _made(context: Context, call: ast.Call, function: Function, depth: int) -> Class | External | None:
    """The class of what a call gives."""
    maker = context.symbols.value(call.func, function.module, function)
    if maker is None and isinstance(call.func, ast.Attribute):
        owner = class_of(context, call.func.value, function, depth + 1)
        return returned(f"{owner.name}.{call.func.attr}") if isinstance(owner, External) else None
    return _instance(context, maker)


def _instance(context: Context, maker: Symbol | None) -> Class | External | None:
    """What calling a class, or something outside, gives; `SessionLocal()` of a `sessionmaker(...)` too."""
    if isinstance(maker, External):
        return returned(maker.name) or maker
    if isinstance(maker, Variable) and isinstance(maker.value, ast.Call):
        factory = context.symbols.value(maker.value.func, maker.module, maker.scope)
        is_factory = isinstance(factory, External) and factory.name == "sqlalchemy.orm.sessionmaker"
        return External("sqlalchemy.orm.Session") if is_factory else None
    if isinstance(maker, Function) and maker.node.returns is not None and isinstance(maker.node, ast.FunctionDef):
        return Types(context.symbols, _proves_nothing).of(maker.node.returns, maker.module).kind
    return maker if isinstance(maker, Class) else None


def _proves_nothing(validator: Function, *, by_answer: bool) -> bool:
    return False


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


def query_models(context: Context, endpoint: Endpoint) -> Iterator[Class]:
    """The models that a query string is read as: `Annotated[OrderQuery, Query()]`, a class as a dependency."""
    for parameter in endpoint.parameters:
        kind = context.facts.tracer.types.of(parameter.annotation, parameter.module).kind
        if isinstance(kind, Class) and (parameter.source == "query" or parameter.dependency == kind):
            yield kind
        elif isinstance(parameter.dependency, Class):
            yield parameter.dependency
