"""Applications and routers as FastAPI projects build them, and the small readings of their calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from backendgen.audit.frameworks.dependencies import Attached
from backendgen.audit.frameworks.made import Place
from backendgen.audit.frameworks.outcomes import TOO_OFTEN
from backendgen.audit.service import Guard, Limit
from backendgen.code.symbols import Class, Function, Module, Symbol
from backendgen.findings.finding import Location

METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})


@dataclass(frozen=True, slots=True)
class Route:
    """A decorated handler, or one that was added by a call."""

    methods: tuple[str, ...]
    path: str
    handler: Function
    call: ast.Call
    module: Module
    scope: Function | None


@dataclass(eq=False, slots=True)
class Router:
    """An application or router as it is built: routes, included routers, what is attached to all of them."""

    name: str
    is_application: bool = False
    prefix: str = ""
    call: Place | None = None
    attached: list[Attached] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    includes: list[tuple[Router, str, list[Attached]]] = field(default_factory=list)
    fragments: list[Router] = field(default_factory=list)

    def absorb(self, absorbed: set[int]) -> None:
        """Take over what functions do to this router under the name of a parameter; once for each of `absorbed`."""
        if id(self) in absorbed:
            return
        absorbed.add(id(self))
        for fragment in self.fragments:
            fragment.absorb(absorbed)
            self.attached += [one for one in fragment.attached if one not in self.attached]
            self.routes += fragment.routes
            self.includes += fragment.includes


def guards_of(attached: list[Attached]) -> Iterator[Guard]:
    """Return what refuses callers."""
    for one in attached:
        refusals = one.statuses - TOO_OFTEN
        if refusals or one.unknown:
            function = one.target if isinstance(one.target, Function) else None
            yield Guard(one.name, one.scope, refusals, one.roles, place_of(one.target), function)


def limits_of(attached: list[Attached]) -> Iterator[Limit]:
    """Return what answers 429, or 423."""
    for one in attached:
        if one.statuses & TOO_OFTEN:
            yield Limit(one.name, one.scope, one.rate)


def place_of(symbol: Symbol | None) -> Location | None:
    """Return where a function or class of the project stands."""
    return Location(symbol.path, symbol.line) if isinstance(symbol, Function | Class) else None


def head_end(handler: Function, call: ast.Call) -> int:
    """Return the last line of the route's head, so that an ignore may stand at any of its lines."""
    node = handler.node
    if any(call is decorator for decorator in node.decorator_list):
        return max(node.lineno, call.end_lineno or call.lineno)
    return call.end_lineno or call.lineno


def methods_of(call: ast.Call, name: str) -> tuple[str, ...]:
    """Return the HTTP methods that a decorator or call names."""
    if name in METHODS:
        return (name.upper(),)
    if name == "websocket":
        return ("WEBSOCKET",)
    listed = keyword(call, "methods")
    if isinstance(listed, ast.List | ast.Tuple | ast.Set):
        return tuple(str(one.value).upper() for one in listed.elts if isinstance(one, ast.Constant)) or ("GET",)
    return ("GET",)


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """Return the first keyword argument with one of these names."""
    return next((keyword.value for keyword in call.keywords if keyword.arg in names), None)


def named(node: ast.expr) -> str:
    """Return an expression as it is written, shortened."""
    return ast.unparse(node)[:60]


def loops_over(tree: ast.AST, name: str) -> Iterator[ast.expr]:
    """Yield what the loops with this variable go over."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and isinstance(node.target, ast.Name) and node.target.id == name:
            yield node.iter
