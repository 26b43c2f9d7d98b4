"""Resolvers that Ariadne binds by name: `@query.field("orders")`, where `query = QueryType()`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from backendgen.audit.frameworks.graphql.fields import Field, Operation
from backendgen.code.symbols import External, Function, Module, Symbols, Variable

TYPES: dict[str, Operation] = {"QueryType": "QUERY", "MutationType": "MUTATION", "SubscriptionType": "SUBSCRIPTION"}
NAMED: dict[str, Operation] = {"Query": "QUERY", "Mutation": "MUTATION", "Subscription": "SUBSCRIPTION"}


def fields(symbols: Symbols, modules: Iterable[Module]) -> Iterator[Field]:
    """Yield what is bound, in the order of the text."""
    for module in modules:
        for function in module.functions:
            for decorator in function.node.decorator_list:
                if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                    operation = _operation(symbols, decorator.func, module, function.outer)
                    name = _text(decorator)
                    if operation and name and decorator.func.attr in ("field", "source"):
                        yield Field(operation, name, "Ariadne", (function,), function.node, module, None, decorator)
        for statement in module.file.tree.body:
            call = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "set_field":
                operation = _operation(symbols, call.func, module, None)
                resolver = symbols.value(call.args[1], module) if len(call.args) > 1 else None
                if operation and _text(call) and isinstance(resolver, Function):
                    yield Field(operation, _text(call), "Ariadne", (resolver,), statement, module, None, call)


def _operation(symbols: Symbols, node: ast.Attribute, module: Module, scope: Function | None) -> Operation | None:
    made = symbols.value(node.value, module, scope)
    if not isinstance(made, Variable) or not isinstance(made.value, ast.Call):
        return None
    kind = symbols.value(made.value.func, made.module, made.scope)
    if not isinstance(kind, External) or not kind.name.startswith("ariadne"):
        return None
    last = kind.name.rpartition(".")[2]
    return NAMED.get(_text(made.value)) if last == "ObjectType" else TYPES.get(last)


def _text(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
