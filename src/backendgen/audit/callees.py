"""What the calls of a project call, and the classes that their objects are of. Each function is looked at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.flow.libraries import returned
from backendgen.audit.flow.types import Types
from backendgen.code.symbols import Class, External, Function, Symbol, Symbols, Variable

MAX_DEPTH = 4


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, not those of functions and lambdas defined in it."""
    pending: list[ast.AST] = list(function.node.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


class Callees:
    """One project's calls."""

    def __init__(self, symbols: Symbols, types: Types) -> None:
        self.symbols = symbols
        self.types = types
        self._called: dict[int, list[Function]] = {}
        self._held: dict[int, dict[str, ast.expr]] = {}

    def called(self, call: ast.Call, function: Function) -> Function | External | None:
        """Return what a call in a function calls: a function or method of the project, or something outside."""
        symbols = self.symbols
        found = symbols.value(call.func, function.module, function)
        if isinstance(found, Function | External):
            return found
        if isinstance(call.func, ast.Attribute):
            owner = self.class_of(call.func.value, function)
            if isinstance(owner, Class):
                member = symbols.member(owner, call.func.attr)
                return member if isinstance(member, Function) else None
            if isinstance(owner, External):
                return External(f"{owner.name}.{call.func.attr}")
        return None

    def class_of(self, node: ast.expr, function: Function, depth: int = 0) -> Class | External | None:
        """The class of an expression: `self`, what an annotation says, what it is made with, an attribute of these."""
        if depth > MAX_DEPTH:
            return None
        if isinstance(node, ast.Call):
            return self._made(node, function, depth)
        if isinstance(node, ast.Attribute):
            made = self.symbols.value(node, function.module, function)
            if isinstance(made, Variable) and isinstance(
                made.value, ast.Call
            ):  # `crud.items`, where `items = CRUD(Item)`
                return self._instance(self.symbols.value(made.value.func, made.module, made.scope))
            owner = self.class_of(node.value, function, depth + 1)
            return self.types.of_attribute(owner, node.attr).kind if isinstance(owner, Class) else None
        if not isinstance(node, ast.Name):
            return None
        if node.id == "self":
            return function.owner
        for parameter in function.parameters:
            if parameter.arg == node.id and parameter.annotation is not None:
                return self.types.of(parameter.annotation, function.module).kind
        variable = self.symbols.value(node, function.module, function)
        if isinstance(variable, Variable):
            if variable.annotation is not None:
                return self.types.of(variable.annotation, variable.module).kind
            if isinstance(variable.value, ast.Call):
                maker = self.symbols.value(variable.value.func, variable.module, variable.scope)
                return self._instance(maker) or (self._made(variable.value, function, depth) if not maker else None)
            return None
        held = self._managed(function).get(node.id)
        return self.class_of(held, function, depth + 1) if held is not None else None

    def _managed(self, function: Function) -> dict[str, ast.expr]:
        """What the names stand for that `with ... as name` gives in a function."""
        key = id(function.node)
        if key not in self._held:
            names = self._held[key] = {}
            for one in own_nodes(function):
                if isinstance(one, ast.withitem) and isinstance(one.optional_vars, ast.Name):
                    names.setdefault(one.optional_vars.id, one.context_expr)
        return self._held[key]

    def _made(self, call: ast.Call, function: Function, depth: int) -> Class | External | None:
        """The class of what a call gives."""
        maker = self.symbols.value(call.func, function.module, function)
        if maker is None and isinstance(call.func, ast.Attribute):
            owner = self.class_of(call.func.value, function, depth + 1)
            return returned(f"{owner.name}.{call.func.attr}") if isinstance(owner, External) else None
        return self._instance(maker)

    def _instance(self, maker: Symbol | None) -> Class | External | None:
        """What calling a class, or something outside, gives; `SessionLocal()` of a `sessionmaker(...)` too."""
        if isinstance(maker, External):
            return returned(maker.name) or maker
        if isinstance(maker, Variable) and isinstance(maker.value, ast.Call):
            factory = self.symbols.value(maker.value.func, maker.module, maker.scope)
            is_factory = isinstance(factory, External) and factory.name == "sqlalchemy.orm.sessionmaker"
            return External("sqlalchemy.orm.Session") if is_factory else None
        if isinstance(maker, Function) and maker.node.returns is not None and isinstance(maker.node, ast.FunctionDef):
            return self.types.of(maker.node.returns, maker.module).kind
        return maker if isinstance(maker, Class) else None

    def reached(self, start: Function) -> list[Function]:
        """A function and the project's functions that it calls, a few calls deep, each once."""
        order, seen = [start], {id(start.node)}
        level = [start]
        for _ in range(MAX_DEPTH):
            following = []
            for function in level:
                for target in self._callees(function):
                    if id(target.node) not in seen:
                        seen.add(id(target.node))
                        following.append(target)
            order.extend(following)
            level = following
        return order

    def _callees(self, function: Function) -> list[Function]:
        """The project's functions that a function calls, in order."""
        key = id(function.node)
        if key not in self._called:
            found = (self.called(call, function) for call in function.module.calls_in(function))
            self._called[key] = [each for each in found if isinstance(each, Function)]
        return self._called[key]
