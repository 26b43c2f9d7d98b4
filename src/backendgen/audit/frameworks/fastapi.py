"""FastAPI: applications, routers and what they include, dependencies at every level, handlers and their parameters."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.audit.frameworks.dependencies import Attached, Dependencies
from backendgen.audit.frameworks.made import Place
from backendgen.audit.frameworks.outcomes import NONE, Outcomes, Statuses
from backendgen.audit.frameworks.parameters import Parameters
from backendgen.audit.frameworks.routers import (
    METHODS,
    Route,
    Router,
    guards_of,
    head_end,
    keyword,
    limits_of,
    loops_over,
    methods_of,
    named,
)
from backendgen.audit.service import Endpoint, Scope
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable
from backendgen.findings.finding import Location

MENTIONS = re.compile(
    r"fastapi|APIRouter|include_router|add_middleware|add_api_route"
    r"|@[\w.]+\.(?:get|post|put|patch|delete|head|options|api_route|websocket)\(",
    re.IGNORECASE,
)
APPLICATION = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI"})
ROUTER = frozenset({"fastapi.APIRouter", "fastapi.routing.APIRouter"})


LIMITERS = ("slowapi.", "ratelimit.", "fastapi_limiter.", "asgi_ratelimit.", "pyrate_limiter.", "fastapi_throttle.")


class FastAPI:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.outcomes = Outcomes(symbols)
        self.dependencies = Dependencies(symbols, self.outcomes)
        self.parameters = Parameters(symbols, self.dependencies)
        self._routers: dict[object, Router] = {}

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint with all that guards it, in order of file and line."""
        modules = [module for module in self.symbols.modules.values() if MENTIONS.search(module.file.text)]
        calls = [(call, module, scope) for module in modules for call, scope in module.calls]
        for call, module, scope in calls:
            self._exception_handler(call, module, scope)
        for module in modules:
            for function in module.functions:
                self._decorated(function, module)
        for call, module, scope in calls:
            self._build(call, module, scope)
        return tuple(
            sorted(self._expanded(), key=lambda one: (one.location.path, one.location.line, one.path, one.method))
        )

    # -- what is written --------------------------------------------------------------------------------------------

    def _exception_handler(self, call: ast.Call, module: Module, scope: Function | None) -> None:
        """`app.add_exception_handler(AuthError, handler)`: raising AuthError is answering what the handler answers."""
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_exception_handler" and len(call.args) == 2:
            self._handled(call.args[0], call.args[1], module, scope)

    def _handled(self, raised: ast.expr, handler: ast.expr, module: Module, scope: Function | None) -> None:
        target, function = self.symbols.value(raised, module, scope), self.symbols.value(handler, module, scope)
        if isinstance(target, Class) and isinstance(function, Function):
            key = id(target.node)
            self.outcomes.handled[key] = self.outcomes.handled.get(key, NONE) | self.outcomes.of(function)

    def _decorated(self, function: Function, module: Module) -> None:
        for decorator in function.node.decorator_list:
            if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
                continue
            name = decorator.func.attr
            if name == "exception_handler" and decorator.args:
                self._handled(decorator.args[0], ast.Name(function.node.name), module, function.outer)
                continue
            if name not in METHODS and name not in ("api_route", "websocket", "middleware", "route"):
                continue
            router = self._router(decorator.func.value, module, function.outer)
            if router is None:
                continue
            if name == "middleware":
                router.attached.append(Attached("middleware", function.name, self.outcomes.of(function)))
                continue
            route = Route(
                methods_of(decorator, name), self._path(decorator, module), function, decorator, module, function.outer
            )
            router.routes.append(route)

    def _build(self, call: ast.Call, module: Module, scope: Function | None) -> None:
        """Follow what a call does to an application or router."""
        if not isinstance(call.func, ast.Attribute | ast.Name):
            return
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in ("include_router", "mount", "add_api_route", "add_middleware"):
            router = self._router(call.func.value, module, scope) if isinstance(call.func, ast.Attribute) else None
            if router is not None:
                self._change(router, name, call, module, scope)
            return
        if not call.args and not call.keywords:
            return
        self._handed_over(call, module, scope)

    def _change(self, router: Router, name: str, call: ast.Call, module: Module, scope: Function | None) -> None:
        if name == "add_middleware" and call.args:
            router.attached.append(self._middleware(call.args[0], module, scope))
        elif name == "add_api_route" and len(call.args) >= 2:
            handler = self.symbols.value(call.args[1], module, scope)
            if isinstance(handler, Function):
                route = Route(methods_of(call, "api_route"), self._path(call, module), handler, call, module, scope)
                router.routes.append(route)
        elif name in ("include_router", "mount"):
            position = 0 if name == "include_router" else 1
            given = call.args[position] if len(call.args) > position else keyword(call, "router", "app")
            prefix = self._text(
                keyword(call, "prefix", "path") or (call.args[0] if position and call.args else None), module
            )
            attached = self._attached(call, "include", module, scope)
            for child in self._included(given, module, scope):
                router.includes.append((child, prefix, attached))

    def _included(self, node: ast.expr | None, module: Module, scope: Function | None) -> Iterator[Router]:
        """The routers that an argument stands for; a loop's variable stands for all that the loop goes over."""
        if node is None:
            return
        found = self._router(node, module, scope)
        if found is not None:
            yield found
        elif isinstance(node, ast.Name):
            for loop in loops_over(scope.node if scope else module.file.tree, node.id):
                values: ast.expr = loop
                target = self.symbols.resolve(loop, module, scope)
                where = (module, scope)
                if isinstance(target, Variable):
                    values, where = target.value, (target.module, target.scope)
                for element in values.elts if isinstance(values, ast.List | ast.Tuple) else ():
                    yield from self._included(element, *where)

    def _handed_over(self, call: ast.Call, module: Module, scope: Function | None) -> None:
        """`rate_limit.install(app)`: the function's parameter is that application."""
        target: object = None
        positional = [(index, argument) for index, argument in enumerate(call.args)]
        for index, argument in positional:
            if not isinstance(argument, ast.Name | ast.Attribute):
                continue
            given = self._router(argument, module, scope)
            if given is None:
                continue
            target = target or self.symbols.value(call.func, module, scope)
            if isinstance(target, Function) and index < len(target.parameters):
                parameter = self._parameter(target, target.parameters[index].arg)
                if parameter is not given and parameter not in given.fragments:
                    given.fragments.append(parameter)

    # -- what it stands for -----------------------------------------------------------------------------------------

    def _router(self, node: ast.expr, module: Module, scope: Function | None, hops: int = 0) -> Router | None:
        if hops > 5:
            return None
        if isinstance(node, ast.Call):
            return self._made(node, module, scope, "", hops)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            return self._of_self(node.attr, module, scope)
        found = self.symbols.value(node, module, scope)
        if isinstance(found, Variable):
            if isinstance(found.value, ast.Call):
                return self._made(found.value, found.module, found.scope, found.name, hops)
            return None
        if found is None and isinstance(node, ast.Name):
            where = scope
            while where is not None:
                for parameter in where.parameters:
                    if parameter.arg == node.id and self._is_typed(parameter, where):
                        return self._parameter(where, node.id)
                where = where.outer
        return None

    def _is_typed(self, parameter: ast.arg, function: Function) -> bool:
        if parameter.annotation is None:
            return parameter.arg in ("app", "router", "application", "api")
        kind = self.symbols.value(parameter.annotation, function.module, function.outer)
        return self._kind(kind) is not None

    def _parameter(self, function: Function, name: str) -> Router:
        return self._routers.setdefault((id(function.node), name), Router(name, is_application=True))

    def _of_self(self, name: str, module: Module, scope: Function | None) -> Router | None:
        owner = scope.owner if scope else None
        if owner is None:
            return None
        for one in self.symbols.lineage(owner):
            for method in (each for each in one.module.functions if each.owner == one):
                for node in ast.walk(method.node):
                    if (
                        isinstance(node, ast.Assign)
                        and isinstance(node.value, ast.Call)
                        and any(isinstance(target, ast.Attribute) and target.attr == name for target in node.targets)
                    ):
                        return self._made(node.value, one.module, method, name, 0)
        return None

    def _kind(self, target: object) -> bool | None:
        """True for an application's class, False for a router's, None for anything else."""
        names = frozenset[str]()
        if isinstance(target, Variable) and isinstance(target.value, ast.Call):
            target = self._made_class(target.value, target.module, target.scope)
        if isinstance(target, External):
            names = frozenset({target.name})
        elif isinstance(target, Class):
            names = self.symbols.bases(target)
        if names & APPLICATION:
            return True
        return False if names & ROUTER else None

    def _made_class(self, call: ast.Call, module: Module, scope: Function | None) -> Class | None:
        """`APIRouter = router_class_for(APIRoute)`: the class that a function defines and returns."""
        maker = self.symbols.value(call.func, module, scope)
        if not isinstance(maker, Function):
            return None
        for node in ast.walk(maker.node):
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Name):
                found = self.symbols.lookup(node.value.id, maker.module, maker)
                if isinstance(found, Class):
                    return found
        return None

    def _made(self, call: ast.Call, module: Module, scope: Function | None, name: str, hops: int) -> Router | None:
        if id(call) in self._routers:
            return self._routers[id(call)]
        target = self.symbols.value(call.func, module, scope)
        if isinstance(target, Function):
            return self._returned(target, hops)
        kind = self._kind(target)
        if kind is None:
            return None
        prefix = self._text(keyword(call, "prefix"), module)
        router = Router(name or module.file.path, kind, prefix, Place(call, module, scope))
        self._routers[id(call)] = router
        router.attached = self._attached(call, "application" if kind else "router", module, scope)
        middleware = keyword(call, "middleware")
        for one in middleware.elts if isinstance(middleware, ast.List | ast.Tuple) else ():
            if isinstance(one, ast.Call) and one.args:
                router.attached.append(self._middleware(one.args[0], module, scope))
        return router

    def _returned(self, maker: Function, hops: int) -> Router | None:
        """The application that a factory returns."""
        for node in ast.walk(maker.node):
            if isinstance(node, ast.Return) and node.value is not None:
                found = self._router(node.value, maker.module, maker, hops + 1)
                if found is not None:
                    return found
        return None

    def _attached(self, call: ast.Call, scope_name: Scope, module: Module, scope: Function | None) -> list[Attached]:
        listed = keyword(call, "dependencies")
        if isinstance(listed, ast.Name | ast.Attribute):
            target = self.symbols.value(listed, module, scope)
            if isinstance(target, Variable):
                listed, module, scope = target.value, target.module, target.scope
        if not isinstance(listed, ast.List | ast.Tuple):
            return []
        found = [self.dependencies.attached(one, scope_name, module, scope) for one in listed.elts]
        return [one for one in found if one is not None]

    def _middleware(self, node: ast.expr, module: Module, scope: Function | None) -> Attached:
        target = self.symbols.value(node, module, scope)
        statuses: Statuses = NONE
        if isinstance(target, Class):
            statuses = self.outcomes.of_class(target)
        elif isinstance(target, Function):
            statuses = self.outcomes.of(target)
            made = [
                self.symbols.value(each.func, target.module, target)
                for each in ast.walk(target.node)
                if isinstance(each, ast.Call)
            ]
            if any(isinstance(each, External) and each.name.startswith(LIMITERS) for each in made):
                statuses |= {429}
        elif isinstance(target, External) and target.name.startswith(LIMITERS):
            statuses = frozenset({429})
        return Attached("middleware", named(node), statuses)

    def _path(self, call: ast.Call, module: Module) -> str:
        return self._text(keyword(call, "path") or (call.args[0] if call.args else None), module)

    def _text(self, node: ast.expr | None, module: Module) -> str:
        """A constant string, also through a name, a setting or an f-string; `{...}` for what is only known at run time."""
        if node is None:
            return ""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(self._text(part, module) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return self._text(node.value, module)
        if isinstance(node, ast.BinOp):
            return self._text(node.left, module) + self._text(node.right, module)
        target = self.symbols.value(node, module)
        if target is None and isinstance(node, ast.Attribute):
            base = self.symbols.value(node.value, module)
            if isinstance(base, Variable) and isinstance(base.value, ast.Call):
                made = self.symbols.value(base.value.func, base.module)
                target = self.symbols.member(made, node.attr) if isinstance(made, Class) else None
        if isinstance(target, Variable) and isinstance(target.value, ast.Constant | ast.JoinedStr | ast.BinOp):
            return self._text(target.value, target.module)
        return ""

    # -- endpoints --------------------------------------------------------------------------------------------------

    def _expanded(self) -> Iterator[Endpoint]:
        absorbed: set[int] = set()
        for router in self._routers.values():
            router.absorb(absorbed)
        owners: dict[int, list[Router]] = {}
        for router in self._routers.values():
            for fragment in router.fragments:
                owners.setdefault(id(fragment), []).append(router)
        routers = [router for router in self._routers.values() if id(router) not in owners]
        for router in routers:  # including a parameter is including what it is called with
            router.includes = [
                (whole, prefix, attached)
                for child, prefix, attached in router.includes
                for whole in _wholes(child, owners)
            ]
        reached: set[int] = set()
        included = {id(child) for router in routers for child, _, _ in router.includes}
        for router in routers:
            if router.is_application and id(router) not in included:
                yield from self._under(router, "", [], reached, (), True)
        for tops_only in (True, False):
            for router in routers:
                if id(router) not in reached and not (tops_only and id(router) in included):
                    yield from self._under(router, "", [], reached, (), False)

    def _under(
        self,
        router: Router,
        prefix: str,
        above: list[Attached],
        reached: set[int],
        trail: tuple[int, ...],
        mounted: bool,
    ) -> Iterator[Endpoint]:
        if id(router) in trail or len(trail) > 20:
            return
        reached.add(id(router))
        attached = above + router.attached
        prefix += router.prefix
        for route in router.routes:
            yield from self._route(route, prefix, attached, router, mounted)
        for child, at, more in router.includes:
            yield from self._under(child, prefix + at, attached + more, reached, (*trail, id(router)), mounted)

    def _route(
        self, route: Route, prefix: str, above: list[Attached], router: Router, mounted: bool
    ) -> Iterator[Endpoint]:
        handler, path = route.handler, (prefix + route.path) or "/"
        attached = above + self._attached(route.call, "route", route.module, route.scope)
        attached += self.dependencies.decorators(handler, route.call)
        attached += self.dependencies.of_class(handler)
        parameters, called, wanted = self.parameters.of(handler, path)
        attached += wanted
        own = self.outcomes.of(handler)
        attached.append(Attached("body", handler.name, own))
        location = Location(
            route.module.file.path, route.call.lineno, route.call.col_offset + 1, head_end(handler, route.call)
        )
        endpoint = Endpoint(
            "", path, handler, location, router.name, parameters, called,
            tuple(dict.fromkeys(guards_of(attached))), tuple(dict.fromkeys(limits_of(attached))),
            keyword(route.call, "response_model") or handler.node.returns, mounted,
        )  # fmt: skip
        for method in route.methods:
            yield replace(endpoint, method=method)


def _wholes(router: Router, owners: dict[int, list[Router]], trail: tuple[int, ...] = ()) -> Iterator[Router]:
    """Yield the routers that a parameter stands for; a router that is no parameter stands for itself."""
    if id(router) not in owners:
        yield router
    elif id(router) not in trail:
        for owner in owners[id(router)]:
            yield from _wholes(owner, owners, (*trail, id(router)))
