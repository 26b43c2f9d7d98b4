"""What FastAPI dependencies do: `Depends` and `Security` resolved to the code behind them, and to what it refuses."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from backendgen.audit.frameworks.libraries import guarding, is_optional
from backendgen.audit.frameworks.made import Place
from backendgen.audit.frameworks.outcomes import NONE, TOO_OFTEN, Outcomes, Statuses, roles_in
from backendgen.audit.service import Scope
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Symbols, Variable

DEPENDS = frozenset({"fastapi.Depends", "fastapi.Security", "fastapi.params.Depends", "fastapi.params.Security",
                     "fastapi.param_functions.Depends", "fastapi.param_functions.Security"})  # fmt: skip
SCHEMES = ("OAuth2PasswordBearer", "OAuth2AuthorizationCodeBearer", "OAuth2", "HTTPBearer", "HTTPBasic", "HTTPDigest",
           "APIKeyHeader", "APIKeyCookie", "APIKeyQuery", "OpenIdConnect")  # fmt: skip
HARMLESS = (
    "fastapi.",
    "starlette.",
    "sqlalchemy.",
    "sqlmodel.",
    "dependency_injector.",
    "pydantic.",
    "builtins.",
    "httpx.",
)
ROLE_WORD = re.compile(r"role|scope|permission|group|privilege", re.IGNORECASE)
REQUIREMENT = re.compile(r"(?:\w+\.)*[A-Z]\w*")
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Attached:
    """Something that runs before a handler. `unknown`: it is not in this project, it may refuse.

    `takes` are the variables of a path without which it refuses nobody; `size` is how large a body may be, in words.
    """

    scope: Scope
    name: str
    statuses: Statuses
    unknown: bool = False
    target: Symbol | None = None
    roles: tuple[str, ...] = ()
    rate: str = ""
    takes: frozenset[str] = frozenset()
    size: str = ""


class Dependencies:
    """Memoised: a dependency is usually used by many endpoints."""

    def __init__(self, symbols: Symbols, outcomes: Outcomes) -> None:
        self.symbols = symbols
        self.outcomes = outcomes
        self._known: dict[int, tuple[Statuses, bool]] = {}

    def attached(
        self,
        node: ast.expr,
        scope_name: Scope,
        module: Module,
        scope: Function | None,
        annotation: ast.expr | None = None,
    ) -> Attached | None:
        """Return what `Depends(...)`, or a name for it, attaches; None when the expression is no dependency."""
        if isinstance(node, ast.Name | ast.Attribute):
            named = self.symbols.value(node, module, scope)
            if isinstance(named, Variable) and isinstance(named.value, ast.Call):
                return self.attached(named.value, scope_name, named.module, named.scope)
            return None
        if not isinstance(node, ast.Call):
            return None
        maker = self.symbols.value(node.func, module, scope)
        if not isinstance(maker, External) or maker.name not in DEPENDS:
            return None
        given = (
            node.args[0]
            if node.args
            else next((one.value for one in node.keywords if one.arg == "dependency"), annotation)
        )
        if given is None:
            return None
        return self.guard(given, scope_name, module, scope, keyword_roles(node))

    def guard(
        self, node: ast.expr, scope_name: Scope, module: Module, scope: Function | None, more: tuple[str, ...] = ()
    ) -> Attached:
        """Return what a dependency or decorator refuses, and whom it lets through."""
        statuses, unknown, target = self._callable(node, module, scope)
        asked = more
        if statuses - TOO_OFTEN:
            asked += self.outcomes.asks(target) if isinstance(target, Function) else ()
            asked += keyword_roles(node)
            if isinstance(node, ast.Call) and 403 in statuses:
                asked += tuple(role for one in node.args for role in roles_in(one) or _requirement(one))
        rate = rate_of(node) if statuses & TOO_OFTEN else ""
        return Attached(scope_name, unparse(node)[:60], statuses, unknown, target, tuple(dict.fromkeys(asked)), rate)

    def wrapper(self, place: Place, scope_name: Scope) -> Attached:
        """Return what a decorator of a handler, a router or a view does. One of an unknown library is no guard."""
        found = self.guard(place.node, scope_name, place.module, place.scope)
        return replace(found, name=unparse(place.called().node)[:60], unknown=False)

    def decorators(self, handler: Function, route: ast.Call) -> list[Attached]:
        """Return what a handler's other decorators do: limits, and wrappers that refuse."""
        return [
            self.wrapper(Place(decorator, handler.module, handler.outer), "route")
            for decorator in handler.node.decorator_list
            if decorator is not route
        ]

    def _callable(
        self, node: ast.expr, module: Module, scope: Function | None, depth: int = 0
    ) -> tuple[Statuses, bool, Symbol | None]:
        """What calling this expression refuses; whether it lies outside the project; and what it is."""
        if depth > MAX_DEPTH:
            return NONE, False, None
        if isinstance(node, ast.Call):
            return self._made(node, module, scope, depth)
        if isinstance(node, ast.Lambda):
            return NONE, False, None
        target = self.symbols.value(node, module, scope)
        if target is None and isinstance(node, ast.Attribute):
            target = self._method(node, module, scope)
        if isinstance(target, Function):
            return (*self.function(target, depth), target)
        if isinstance(target, Class):
            maker = self.symbols.member(target, "__init__")
            statuses = self.function(maker, depth)[0] if isinstance(maker, Function) else NONE
            return statuses, False, target
        if isinstance(target, Variable):
            return self._callable(target.value, target.module, target.scope, depth + 1)
        if isinstance(target, External):
            return guarding(target.name) or NONE, not self._is_harmless(target.name), target
        return NONE, True, None

    def _method(self, node: ast.Attribute, module: Module, scope: Function | None) -> Symbol | None:
        """`auth.verify`, where `auth = Auth()`."""
        base = self.symbols.value(node.value, module, scope)
        if isinstance(base, Variable) and isinstance(base.value, ast.Call):
            made = self.symbols.value(base.value.func, base.module, base.scope)
            if isinstance(made, Class):
                return self.symbols.member(made, node.attr)
            if isinstance(made, External):
                return External(f"{made.name}.{node.attr}")
        return None

    def _made(
        self, call: ast.Call, module: Module, scope: Function | None, depth: int
    ) -> tuple[Statuses, bool, Symbol | None]:
        """An instance whose `__call__` is the dependency, or what a factory returns."""
        target = self.symbols.value(call.func, module, scope)
        if target is None and isinstance(call.func, ast.Attribute):
            target = self._method(call.func, module, scope)
        if isinstance(target, Function):
            return self._factory(target, depth, call)
        if isinstance(target, Class):
            called = self.symbols.member(target, "__call__")
            statuses = self.function(called, depth)[0] if isinstance(called, Function) else NONE
            if not isinstance(called, Function) and _scheme(self.symbols.bases(target)) and not _is_lenient(call):
                statuses |= {401}
            return statuses, False, called
        if isinstance(target, External):
            if _scheme({target.name}):
                return (NONE if _is_lenient(call) else frozenset({401})), False, target
            if target.name.startswith("fastapi_users.") and target.name.endswith("current_user"):
                optional = any(one.arg == "optional" and _is(one.value, True) for one in call.keywords)
                return (NONE if optional else frozenset({401})), False, target
            known = NONE if is_optional(call) else guarding(target.name) or NONE
            return known, not self._is_harmless(target.name), target
        return NONE, True, None

    def of_class(self, handler: Function) -> list[Attached]:
        """The dependencies that a class-based view declares for all its handlers: `user = Depends(current_user)`."""
        found: list[Attached] = []
        for owner in self.symbols.lineage(handler.owner) if handler.owner else ():
            for member in owner.module.members.get(id(owner.node), {}).values():
                if isinstance(member, Variable):
                    plain, extras, where, scope = self.unwrapped(member.annotation, member.module, None)
                    for node, module in ((member.value, member.module), *((extra, where) for extra in extras)):
                        one = self.attached(node, "router", module, scope, plain)
                        found += [one] if one else []
        return found

    def _factory(self, maker: Function, depth: int, call: ast.Call) -> tuple[Statuses, bool, Symbol | None]:
        """`require("admin")`: the function or instance that it returns, and the dependencies that it writes down."""
        returned = [
            node.value for node in ast.walk(maker.node) if isinstance(node, ast.Return) and node.value is not None
        ]
        choices = [choice for value in returned for choice in _choices(value, maker, call)]
        if depth < MAX_DEPTH and choices and all(isinstance(one, ast.Name) for one in choices):
            answers = [self._callable(one, maker.module, maker, depth + 1) for one in choices]
            statuses = frozenset[int]().union(*(one[0] for one in answers))
            return statuses, any(one[1] for one in answers), answers[0][2]
        statuses, unknown = self.function(maker, depth)
        result: Symbol | None = None
        for value in choices:
            if isinstance(value, ast.Call):
                found = self._callable(value, maker.module, maker, depth + 1)
                result = result or found[2]
                statuses |= found[0]
        for node in ast.walk(maker.node):
            if isinstance(node, ast.Call) and depth < MAX_DEPTH:
                one = self.attached(node, "parameter", maker.module, maker)
                statuses |= one.statuses if one else NONE
        return statuses, unknown, result

    def function(self, function: Function, depth: int = 0) -> tuple[Statuses, bool]:
        """What a function refuses, with the dependencies of its parameters and of the functions defined in it."""
        key = id(function.node)
        if key not in self._known:
            self._known[key] = (NONE, False)
            statuses, unknown = self.outcomes.of(function), False
            nested = [one for one in function.module.functions if one.outer == function]
            for one in [function, *nested]:
                lenient = set()
                for name, found in self.of_parameters(one, depth + 1):
                    statuses |= found.statuses
                    unknown |= found.unknown
                    if isinstance(found.target, External) and _scheme({found.target.name}) and not found.statuses:
                        lenient.add(name)
                unknown |= self._hands_out(one, lenient)
            self._known[key] = (statuses, unknown)
        return self._known[key]

    def _hands_out(self, function: Function, credentials: set[str]) -> bool:
        """Does a function give credentials that may be missing to code outside of this project? It may refuse them."""
        if not credentials:
            return False
        for call in function.module.calls_in(function):
            given = any(isinstance(one, ast.Name) and one.id in credentials for one in call.args)
            if given and isinstance(call.func, ast.Attribute) and self.outcomes.callee(call, function) is None:
                return True
        return False

    def of_parameters(self, function: Function, depth: int = 0) -> list[tuple[str, Attached]]:
        """Return (parameter, dependency) for each parameter that FastAPI fills by calling something."""
        found = []
        defaults = parameter_defaults(function)
        for parameter in function.parameters:
            default = defaults.get(parameter.arg)
            plain, extras, where, scope = self.unwrapped(parameter.annotation, function.module, function.outer)
            one = None
            if default is not None:
                one = self.attached(default, "parameter", function.module, function.outer, plain)
            for extra in extras:
                one = one or self.attached(extra, "parameter", where, scope, plain)
            if one is not None and depth <= MAX_DEPTH:
                found.append((parameter.arg, one))
        return found

    def unwrapped(
        self, annotation: ast.expr | None, module: Module, scope: Function | None, depth: int = 0
    ) -> tuple[ast.expr | None, list[ast.expr], Module, Function | None]:
        """Follow an alias and `Annotated[T, ...]`: T, the rest, and the module and function that they are written in."""
        for hop in range(depth, MAX_DEPTH):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                try:
                    annotation = ast.parse(annotation.value, mode="eval").body
                except (SyntaxError, ValueError):
                    return None, [], module, scope
            if isinstance(annotation, ast.Subscript):
                kind = self.symbols.value(annotation.value, module, scope)
                if isinstance(kind, External) and kind.name in ("typing.Annotated", "typing_extensions.Annotated"):
                    parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
                    if not parts:
                        return None, [], module, scope
                    inner, more, where, inside = self.unwrapped(parts[0], module, scope, hop + 1)
                    if more:
                        return inner, more, where, inside
                    return parts[0], parts[1:], module, scope
                return annotation, [], module, scope
            if not isinstance(annotation, ast.Name | ast.Attribute):
                return annotation, [], module, scope
            target = self.symbols.resolve(annotation, module, scope)
            if not isinstance(target, Variable):
                return annotation, [], module, scope
            annotation, module, scope = target.value, target.module, target.scope
        return annotation, [], module, scope

    def _is_harmless(self, name: str) -> bool:
        return guarding(name) is not None or name.startswith(HARMLESS) or "." not in name


def parameter_defaults(function: Function) -> dict[str, ast.expr]:
    """Return each parameter's default, by its name."""
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    pairs: list[tuple[ast.arg, ast.expr | None]] = list(zip(with_default, arguments.defaults, strict=True))
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {parameter.arg: default for parameter, default in pairs if default is not None}


def _requirement(node: ast.expr) -> tuple[str, ...]:
    """The class, or instance of one, that says what is asked: `allows.requires(IsModerator())`."""
    name = unparse(node.func if isinstance(node, ast.Call) else node)
    return (name,) if REQUIREMENT.fullmatch(name) else ()


def keyword_roles(node: ast.expr) -> tuple[str, ...]:
    """`Security(user, scopes=["orders:write"])`, `login_required(role="admin")`."""
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return tuple(role for one in keywords if one.arg and ROLE_WORD.search(one.arg) for role in roles_in(one.value))


def rate_of(node: ast.expr) -> str:
    """`limiter.limit("10/minute")`: how often one may call."""
    texts = [one.value for one in node.args if isinstance(one, ast.Constant)] if isinstance(node, ast.Call) else []
    return next((one for one in texts if isinstance(one, str)), "")


def _choices(value: ast.expr, maker: Function, call: ast.Call) -> list[ast.expr]:
    """`strict if required else lenient`: the branch that the call's own argument, or the default, takes."""
    if not isinstance(value, ast.IfExp):
        return [value]
    test = value.test
    given: ast.expr | None = None
    if isinstance(test, ast.Name):
        given = parameter_defaults(maker).get(test.id)
        names = [each.arg for each in maker.parameters]
        if test.id in names and names.index(test.id) < len(call.args):
            given = call.args[names.index(test.id)]
        given = next((one.value for one in call.keywords if one.arg == test.id), given)
    if isinstance(given, ast.Constant):
        return _choices(value.body if given.value else value.orelse, maker, call)
    return _choices(value.body, maker, call) + _choices(value.orelse, maker, call)


def _scheme(names: frozenset[str] | set[str]) -> bool:
    return any(name.startswith("fastapi.security.") and name.endswith(SCHEMES) for name in names)


def _is_lenient(call: ast.Call) -> bool:
    return any(one.arg == "auto_error" and _is(one.value, False) for one in call.keywords)


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
