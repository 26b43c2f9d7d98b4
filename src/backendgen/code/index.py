"""Where things are used in the code that is judged: calls by what they call, nodes by their kind, names by what they hold.

Calls are found by the last part of their name first, and only then is that name followed: most calls are never looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from backendgen.code.project import is_test
from backendgen.code.symbols import External, Function, Module, Node, Symbols, Variable

MAX_HOPS = 5
CONSTANTS = {f"{package}.Cipher.AES.block_size": 16 for package in ("Crypto", "Cryptodome")}  # of libraries


class Unknown:
    """The value of what is not a constant."""


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Use:
    """A call with where it stands. `name` is the dotted name of what it calls, or the method's alone."""

    call: ast.Call
    name: str
    module: Module
    function: Function | None

    def argument(self, keyword: str, position: int | None = None) -> ast.expr | None:
        """Return an argument by its name or its place; None when it is not given."""
        for one in self.call.keywords:
            if one.arg == keyword:
                return one.value
        if position is None or position >= len(self.call.args):
            return None
        return self.call.args[position]

    @property
    def is_open(self) -> bool:
        """Are there arguments that cannot be seen: `*values` or `**options`?"""
        return any(one.arg is None for one in self.call.keywords) or any(
            isinstance(one, ast.Starred) for one in self.call.args
        )


@dataclass(frozen=True, slots=True)
class Assigned:
    """One target of an assignment, with where it stands."""

    target: ast.expr
    value: ast.expr
    node: ast.stmt
    module: Module
    function: Function | None


class Index:
    """The uses of names in a project's files, tests left out; collected when they are first asked for."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self.modules = [module for module in symbols.modules.values() if not is_test(module.file.path)]
        self._by_last: dict[str, list[tuple[ast.Call, Module, Function | None]]] | None = None
        self._assigned: dict[int, dict[tuple[int, str], list[Assigned]]] = {}

    def calls(self, *dotted: str) -> Iterator[Use]:
        """Yield the calls of functions and classes outside the project, by their dotted names."""
        wanted: dict[str, set[str]] = {}
        for name in dotted:
            wanted.setdefault(name.rpartition(".")[2], set()).add(name)
        for last, names in wanted.items():
            for call, module, function in self._called(last):
                found = self._symbols.value(call.func, module, function)
                if isinstance(found, External) and found.name in names:
                    yield Use(call, found.name, module, function)

    def methods(self, *names: str) -> Iterator[Use]:
        """Yield the calls that are written as `something.name(...)`, whatever the something is."""
        for name in names:
            for call, module, function in self._called(name):
                if isinstance(call.func, ast.Attribute):
                    yield Use(call, name, module, function)

    def named(self, *names: str) -> Iterator[Use]:
        """Yield the calls of what has one of these names where it comes from, whatever that is."""
        for name in names:
            for call, module, function in self._called(name):
                yield Use(call, name, module, function)

    def nodes(self, kind: type[Node]) -> Iterator[tuple[Node, Module, Function | None]]:
        """Yield the syntax nodes of a kind, of those that symbols collect."""
        for module in self.modules:
            for node, function in module.nodes(kind):
                yield node, module, function

    def assigned(self) -> Iterator[Assigned]:
        """Yield what is assigned to names, attributes and entries, annotated or not."""
        for module in self.modules:
            yield from assigned_in(module)

    def name_of(self, node: ast.expr, module: Module, function: Function | None = None) -> str:
        """Return the dotted name of something outside the project; nothing for anything else."""
        found = self._symbols.value(node, module, function)
        return found.name if isinstance(found, External) else ""

    def value(self, node: ast.expr | None, module: Module, function: Function | None = None, hops: int = 0) -> object:
        """Return the value of a constant expression, names followed to what they are assigned; UNKNOWN for others."""
        if node is None or hops > MAX_HOPS:
            return UNKNOWN
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name | ast.Attribute):
            above = self.assigned_above(node, module, function)
            if above is not None:
                return self.value(above, module, function, hops + 1)
            found = self._symbols.value(node, module, function)
            if isinstance(found, Variable):
                return self.value(found.value, found.module, found.scope, hops + 1)
            return CONSTANTS.get(found.name, UNKNOWN) if isinstance(found, External) else UNKNOWN
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "encode":
            text = self.value(node.func.value, module, function, hops + 1)
            return text.encode(errors="replace") if isinstance(text, str) else UNKNOWN
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = [self.value(one, module, function, hops + 1) for one in node.elts]
            return UNKNOWN if UNKNOWN in parts else parts
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            return self._reckoned(node, module, function, hops)
        return UNKNOWN

    def assigned_above(self, node: ast.expr, module: Module, function: Function | None) -> ast.expr | None:
        """Return what a name that is assigned several times holds here: what it was given last, in its scope."""
        found = self._symbols.lookup(node.id, module, function) if isinstance(node, ast.Name) else None
        if not isinstance(found, Variable) or found.module is not module:
            return None
        known = self._assigned.get(id(module))
        if known is None:
            known = self._assigned[id(module)] = {}
            for one in assigned_in(module):
                if isinstance(one.target, ast.Name):
                    known.setdefault((id(one.function and one.function.node), one.target.id), []).append(one)
        several = known.get((id(found.scope and found.scope.node), found.name), ())
        is_here = found.scope is function  # elsewhere all of them have run
        above = [one for one in several if not is_here or one.node.lineno < node.lineno]
        return max(above, key=lambda one: one.node.lineno).value if len(several) > 1 and above else None

    def _reckoned(self, node: ast.BinOp | ast.UnaryOp, module: Module, function: Function | None, hops: int) -> object:
        if isinstance(node, ast.UnaryOp):
            inner = self.value(node.operand, module, function, hops + 1)
            return -inner if isinstance(node.op, ast.USub) and isinstance(inner, int | float) else UNKNOWN
        left = self.value(node.left, module, function, hops + 1)
        right = self.value(node.right, module, function, hops + 1)
        if isinstance(left, int | float) and isinstance(right, int | float):
            try:
                return _number(left, node.op, right)
            except OverflowError:
                return UNKNOWN
        if isinstance(node.op, ast.Mult) and isinstance(left, str | bytes) and isinstance(right, int):
            return left * right if len(left) * right < 1_000 else UNKNOWN
        if isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str):
            return left + right
        return UNKNOWN

    def _called(self, last: str) -> Collection[tuple[ast.Call, Module, Function | None]]:
        if self._by_last is None:
            self._by_last = {}
            for module in self.modules:
                for call, function in module.calls:
                    name = _last(call.func, module)
                    if name:
                        self._by_last.setdefault(name, []).append((call, module, function))
        return self._by_last.get(last, ())


def assigned_in(module: Module) -> Iterator[Assigned]:
    """Yield what a file assigns to names, attributes and entries."""
    for node, function in module.nodes(ast.Assign):
        yield from (Assigned(target, node.value, node, module, function) for target in node.targets)
    for each, function in module.nodes(ast.AnnAssign):
        if each.value is not None:
            yield Assigned(each.target, each.value, each, module, function)


def _last(called: ast.expr, module: Module) -> str:
    """The last part of what is called, as it is named where it comes from."""
    if isinstance(called, ast.Attribute):
        return called.attr
    if isinstance(called, ast.Name):
        dotted, name = module.imports.get(called.id, ("", ""))
        return name or dotted.rpartition(".")[2] or called.id
    return ""


def _number(left: float, operator: ast.operator, right: float) -> object:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    if isinstance(operator, ast.Pow) and 0 <= right <= 64 and abs(left) <= 1_000_000:
        return left**right
    return UNKNOWN
