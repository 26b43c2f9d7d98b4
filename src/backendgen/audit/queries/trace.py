"""Endpoints followed into the functions they call: every dependency and guard, to a bounded depth, each call once."""

from __future__ import annotations

import ast
from dataclasses import replace

from backendgen.audit.flow.types import Types
from backendgen.audit.frameworks.dependencies import Dependencies
from backendgen.audit.frameworks.outcomes import Outcomes
from backendgen.audit.frameworks.parameters import Parameters, is_method
from backendgen.audit.queries.frame import Binding, Frame
from backendgen.audit.queries.model import NOTHING, USER, Access, Root, Statement, Value
from backendgen.audit.queries.tables import DJANGO_USER, MANAGERS, Tables
from backendgen.audit.service import Endpoint, Parameter
from backendgen.code.nodes import last
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Symbols, Variable

USERS = frozenset({
    "flask_login.current_user", "flask_login.utils.current_user", "flask.g", "flask.session",
    "flask_jwt_extended.current_user", "flask_jwt_extended.get_jwt_identity",
    "flask_jwt_extended.get_current_user", "flask_jwt_extended.get_jwt",
    "flask_security.current_user", "quart.g", "quart.session", "quart_auth.current_user",
    "flask_principal.identity", "django.contrib.auth.get_user",
})  # fmt: skip
REQUESTS = frozenset({"flask.request", "quart.request", "connexion.request"})
CALLERS = frozenset({"contextvars.ContextVar", "werkzeug.local.LocalProxy"})
IN_CLASS: dict[str, Value] = {
    "request": Value(frozenset({Root("request")})),
    "kwargs": Value(frozenset({Root("path")})),
    "current_user": Value(frozenset({USER})),
}
SOURCES = {
    "path": "path",
    "query": "query",
    "header": "header",
    "cookie": "cookie",
    "body": "body",
    "form": "body",
    "file": "body",
}
EQUIPMENT = (
    "sqlalchemy.",
    "sqlmodel.",
    "asyncpg.",
    "psycopg",
    "redis.",
    "httpx.",
    "aiohttp.",
    "logging.",
    "motor.",
    "pymongo.",
)
REFUSES = frozenset({401, 403})
MAX_FRAMES = 60_000


class Tracer:
    """One project's accesses. `access` is the one to ask."""

    deepest = 9

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.tables = Tables(symbols)
        self.types = Types(symbols, _proves_nothing)
        self.outcomes = Outcomes(symbols)
        self.dependencies = Dependencies(symbols, self.outcomes)
        self.parameters = Parameters(symbols, self.dependencies)
        self._calls: dict[object, tuple[Value, Access]] = {}
        self._symbols: dict[int, Value] = {}
        self._endpoints: dict[tuple[int, str, str], Access] = {}
        self._solved: dict[
            tuple[int, int], Value
        ] = {}  # the dependencies of the request that is followed, by their types
        self.frames = 0

    def access(self, endpoint: Endpoint) -> Access:
        """All that an endpoint does before, in and after its handler."""
        key = (id(endpoint.handler.node), endpoint.path, endpoint.method)
        if key not in self._endpoints:
            self._solved = {}
            self._endpoints[key] = self._access(endpoint)
        return self._endpoints[key]

    def _access(self, endpoint: Endpoint) -> Access:
        handler = endpoint.handler
        collected = Access()
        given: Binding = {}
        for parameter in endpoint.parameters:
            given[parameter.name], done = self.parameter(parameter, endpoint, 0)
            collected = collected.plus(done)
        if is_method(handler) and handler.parameters:
            own, done = self._own(handler, endpoint)
            given[handler.parameters[0].arg] = own
            collected = collected.plus(done)
        if any(USER in value.roots for value in given.values()):
            collected = collected.plus(Access(knows=True))
        frame = Frame(self, handler, given)
        result = frame.run()
        if result.statement is not None:
            frame.executed(result.statement, handler.node.body[-1], many=True)  # type: ignore[arg-type]
        collected = collected.plus(frame.access)
        known = {one.dependency.node for one in endpoint.parameters if isinstance(one.dependency, Function)}
        for guard in endpoint.guards:
            function = guard.function
            if function is not None and function.node is not handler.node and function.node not in known:
                collected = collected.plus(self._guard(function, endpoint))
        return replace(collected, answer=result)

    def _guard(self, function: Function, endpoint: Endpoint) -> Access:
        """A guard that no parameter holds. With the whole request in hand it may look at the object."""
        value, done = self._filled(function, endpoint, 0)
        hands_over = any(each.kind == "request" for each in value.roots) or self._hands_request_on(function)
        return Access(checked=done.checked, roles=done.roles, unsure=hands_over,
                      queries=tuple(each for each in done.queries if _is_chosen(each.statement)))  # fmt: skip

    def _hands_request_on(self, function: Function) -> bool:
        """`permission(request)`: does code that cannot be followed get the request, or its path's parameters?"""
        lines = function.module.file.lines[function.line - 1 : function.node.end_lineno]
        if any("path_params" in line or "view_kwargs" in line for line in lines[1:]):
            return True
        requests = {each.arg for each in function.parameters if each.arg == "request"}
        for call in function.module.calls_in(function) if requests else ():
            given = [*call.args, *(each.value for each in call.keywords)]
            is_given = any(isinstance(each, ast.Name) and each.id in requests for each in given)
            target = self.symbols.value(call.func, function.module, function) if is_given else None
            if is_given and not isinstance(target, Function | External):
                return True
        return False

    def parameter(self, parameter: Parameter, endpoint: Endpoint, depth: int) -> tuple[Value, Access]:
        """What a framework puts into a parameter, and what it did for it."""
        found = self.types.of(parameter.annotation, parameter.module)
        kind = found.kind if isinstance(found.kind, Class) else None
        if isinstance(found.kind, External) and found.kind.name.startswith(EQUIPMENT):
            return NOTHING, Access()
        if parameter.source == "dependency":
            return self._dependency(parameter, endpoint, kind, depth)
        if parameter.source == "request":
            return Value(frozenset({Root("request")})), Access()
        name = parameter.name if parameter.source != "body" or kind is None else ""
        roots = frozenset({Root(SOURCES[parameter.source], name)})  # type: ignore[arg-type]
        return Value(roots, kind, sent=kind if parameter.source == "body" else None), Access()

    def _dependency(
        self, parameter: Parameter, endpoint: Endpoint, kind: Class | None, depth: int
    ) -> tuple[Value, Access]:
        """A dependency's result, and what was done for it: once a request, however many ask for it."""
        key = (id(getattr(parameter.dependency, "node", None)), id(kind))
        if isinstance(parameter.dependency, Function | Class) and key in self._solved:
            return self._solved[key], Access()
        value, done = self._solve(parameter, endpoint, kind, depth)
        self._solved[key] = value
        return value, done

    def _solve(self, parameter: Parameter, endpoint: Endpoint, kind: Class | None, depth: int) -> tuple[Value, Access]:
        target = parameter.dependency
        if isinstance(target, Function):
            refuses, unknown = self.dependencies.function(target)
            value, done = self._filled(target, endpoint, depth)
            if any(_is_chosen(each.statement) for each in done.queries):
                return value if value.kind or not kind else Value(value.roots, kind, value.holds, row=value.row), done
            refuses |= self._refused(target)
            if refuses & REFUSES or unknown or USER in value.roots or value.has("header", "cookie"):
                return Value(frozenset({USER}), kind or value.kind), Access(roles=done.roles)
            return (value if value != NOTHING else Value(kind=kind)), Access(roles=done.roles, checked=done.checked)
        if isinstance(target, Class):
            return self._instance(target, endpoint, depth)
        if isinstance(target, External) and target.name.endswith(("PasswordRequestForm", "PasswordRequestFormStrict")):
            return Value(frozenset({Root("body")})), Access()
        is_harmless = isinstance(target, External) and target.name.startswith(
            ("sqlalchemy", "sqlmodel", "fastapi_pagination")
        )
        return (Value(kind=kind) if is_harmless else Value(frozenset({USER}), kind)), Access()

    def _refused(self, target: Function) -> frozenset[int]:
        return self.outcomes.of(target)

    def _instance(self, owner: Class, endpoint: Endpoint, depth: int) -> tuple[Value, Access]:
        """A class as a dependency: its `__init__` is filled, or its fields are the query's."""
        maker = self.symbols.member(owner, "__init__")
        if not isinstance(maker, Function):
            return Value(frozenset({Root("query")}), owner), Access()
        given, done = self._filling(maker, endpoint, depth)
        given[maker.parameters[0].arg] = Value(kind=owner)
        frame = Frame(self, maker, given, depth + 1)
        frame.run()
        return frame.names.get(maker.parameters[0].arg, Value(kind=owner)), done.plus(frame.access)

    def _filled(self, function: Function, endpoint: Endpoint, depth: int) -> tuple[Value, Access]:
        """A dependency's result, with its own parameters filled by the framework."""
        if depth > 6:
            return NOTHING, Access()
        given, done = self._filling(function, endpoint, depth)
        if is_method(function) and function.parameters:
            given[function.parameters[0].arg] = Value(kind=function.owner)
        frame = Frame(self, function, given, depth + 1)
        value = frame.run()
        return frame.typed(value, function.node.returns), done.plus(frame.access)

    def _filling(self, function: Function, endpoint: Endpoint, depth: int) -> tuple[Binding, Access]:
        given: Binding = {}
        done = Access()
        for parameter in self.parameters.of(function, endpoint.path)[0]:
            given[parameter.name], more = self.parameter(parameter, endpoint, depth + 1)
            done = done.plus(more)
        return given, done

    def _own(self, handler: Function, endpoint: Endpoint) -> tuple[Value, Access]:
        """The instance of a class-based view: what the framework sets on it, and what its class declares as dependencies."""
        own = Value(kind=handler.owner, holds=tuple(IN_CLASS.items()))
        done = Access()
        for one in self.symbols.lineage(handler.owner) if handler.owner else ():
            for name, member in one.module.members.get(id(one.node), {}).items():
                if not isinstance(member, Variable):
                    continue
                plain, extras, where, scope = self.dependencies.unwrapped(member.annotation, member.module, None)
                for node, module in ((member.value, member.module), *((extra, where) for extra in extras)):
                    attached = self.dependencies.attached(node, "router", module, scope, plain)
                    if attached is not None:
                        parameter = Parameter(name, "dependency", plain, where, member.line, None, attached.target)
                        value, more = self.parameter(parameter, endpoint, 1)
                        own, done = own.with_entry(name, value), done.plus(more)
        return own, done

    # -- for frames -------------------------------------------------------------------------------------------------

    def call(self, frame: Frame, function: Function, given: Binding) -> Value:
        """Enter a function; what it does is what the frame does."""
        value, done = self._entered(function, given, frame.depth + 1)
        if not done.unsure and self._asserts(function, given, done):
            done = replace(done, unsure=True)
        frame.access = frame.access.plus(done, frame.loops, privileged=frame.privileged)
        return frame.typed(value, function.node.returns, function.module)

    def _asserts(self, function: Function, given: Binding, done: Access) -> bool:
        """`assert_member(user, organization_id)`: refuses by who calls and what is asked for, and loads nothing unasked."""
        users = any(USER in value.roots for value in given.values())
        chosen = any(value.has("path", "query", "body") and USER not in value.roots for value in given.values())
        if not users or not chosen or not self.outcomes.of(function) & REFUSES:
            return False
        return all(
            any(USER in term.roots for term in query.statement.terms)
            for query in done.queries
            if _is_chosen(query.statement)
        )

    def made(self, frame: Frame, owner: Class, maker: Function, given: Binding) -> Value:
        """An instance with what its `__init__` sets."""
        first = maker.parameters[0].arg if maker.parameters else "self"
        given[first] = Value(kind=owner)
        if frame.depth >= self.deepest:
            return Value(kind=owner)
        inner = Frame(self, maker, given, frame.depth + 1)
        inner.run()
        frame.access = frame.access.plus(inner.access, frame.loops, privileged=frame.privileged)
        return inner.names.get(first, Value(kind=owner))

    def _entered(self, function: Function, given: Binding, depth: int) -> tuple[Value, Access]:
        key = (id(function.node), tuple(sorted(given.items(), key=lambda one: one[0])))
        known = self._calls.get(key)
        if known is not None:
            return known
        roots = frozenset[Root]().union(*(value.roots for value in given.values())) if given else frozenset[Root]()
        self.frames += 1
        if depth > self.deepest or self.frames > MAX_FRAMES:
            rows = frozenset(root.name for root in roots if root.kind == "row") if USER in roots else frozenset[str]()
            return Value(roots), Access(checked=rows)
        self._calls[key] = (Value(roots), Access())
        inner = Frame(self, function, given, depth)
        value = inner.run()
        self._calls[key] = (value, inner.access)
        return self._calls[key]

    def manager(self, symbol: Symbol | None, name: str) -> Statement | None:
        """`Item.objects`, `Item.query`: the statement that finds all rows."""
        if name in MANAGERS and self.is_django_user(symbol):
            return self.of_django_user()
        if not isinstance(symbol, Class) or name.startswith("__"):
            return None
        table = self.tables.of(symbol)
        if table is None:
            return None
        member = self.symbols.member(symbol, name)
        is_manager = name in MANAGERS or (
            isinstance(member, Variable) and isinstance(member.value, ast.Call)
            and last(member.value.func).endswith(("Manager", "as_manager", "from_queryset"))
        )  # fmt: skip
        return Statement("select", table.name, symbol, lazy=True) if is_manager else None

    def is_django_user(self, symbol: Symbol | None) -> bool:
        """Is it Django's own model of who signs in, or the one that the settings name: `get_user_model()`?"""
        if isinstance(symbol, Variable) and isinstance(symbol.value, ast.Call):
            symbol = self.symbols.value(symbol.value.func, symbol.module)
            return isinstance(symbol, External) and symbol.name == "django.contrib.auth.get_user_model"
        return isinstance(symbol, External) and symbol.name == "django.contrib.auth.models.User"

    def of_django_user(self) -> Statement:
        """What finds all of Django's users: rows of the project's own model, when it has one."""
        table = self.tables.named(DJANGO_USER)
        return Statement("select", table.name if table else DJANGO_USER, table.model if table else None, lazy=True)

    def symbol(self, symbol: Symbol | None) -> Value:
        """What a name of a module stands for: a class, a constant text, an instance, the request, the user."""
        if isinstance(symbol, Class):
            return Value(itself=symbol)
        if isinstance(symbol, External):
            if symbol.name in USERS:
                return Value(frozenset({USER}))
            return Value(frozenset({Root("request")})) if symbol.name in REQUESTS else NOTHING
        if not isinstance(symbol, Variable) or symbol.scope is not None:
            return NOTHING
        key = id(symbol.value)
        if key not in self._symbols:
            self._symbols[key] = NOTHING
            self._symbols[key] = self._variable(symbol)
        return self._symbols[key]

    def _variable(self, variable: Variable) -> Value:
        node = variable.value
        if isinstance(node, ast.Constant):
            return Value(text=node.value) if isinstance(node.value, str) else NOTHING
        if isinstance(node, ast.Name | ast.Attribute):
            return self.symbol(self.symbols.value(node, variable.module))
        if not isinstance(node, ast.Call):
            return NOTHING
        maker = self.symbols.value(node.func, variable.module)
        if isinstance(maker, External) and maker.name in CALLERS:
            return Value(frozenset({USER}))
        if isinstance(maker, Class) and self.tables.of(maker) is None:
            return self._singleton(maker, node, variable.module)
        first = node.args[0] if node.args else None
        if (
            isinstance(first, ast.Constant)
            and isinstance(first.value, str)
            and last(node.func) in ("SQL", "text", "dedent")
        ):
            return Value(text=first.value)
        return NOTHING

    def _singleton(self, owner: Class, call: ast.Call, module: Module) -> Value:
        """`items = CRUD(Item)`: the instance, with the classes that it was given."""
        maker = self.symbols.member(owner, "__init__")
        if not isinstance(maker, Function) or not maker.parameters:
            return Value(kind=owner)
        own = maker.parameters[0].arg
        names = [each.arg for each in maker.parameters[1:]]
        given: Binding = {own: Value(kind=owner)}
        for name, node in zip(names, call.args, strict=False):
            given[name] = (
                self.symbol(self.symbols.value(node, module)) if isinstance(node, ast.Name | ast.Attribute) else NOTHING
            )
        for each in call.keywords:
            if each.arg in names and isinstance(each.value, ast.Name | ast.Attribute):
                given[each.arg] = self.symbol(self.symbols.value(each.value, module))
        frame = Frame(self, maker, given, self.deepest - 2)
        frame.run()
        return frame.names.get(own, Value(kind=owner))


def _is_chosen(statement: Statement) -> bool:
    """Does a caller choose which rows it finds?"""
    return any(root.kind in ("path", "query", "body") for term in statement.terms for root in term.roots)


def _proves_nothing(validator: Function, *, by_answer: bool) -> bool:
    return False
