"""aiohttp: applications and sub-applications, their router, tables of routes, class-based views, middlewares."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.audit.frameworks.construction import Construction
from backendgen.audit.frameworks.dependencies import Attached, Dependencies
from backendgen.audit.frameworks.made import Closure, Made, Place, Value, elements, handler_of
from backendgen.audit.frameworks.outcomes import NONE, Outcomes
from backendgen.audit.frameworks.routers import (
    VERBS,
    Part,
    Reached,
    Route,
    Router,
    Routers,
    build,
    guards_of,
    in_order,
    limits_of,
    location_of,
    prefix_of,
    sizes_of,
    text_of,
)
from backendgen.audit.frameworks.sizes import given, written
from backendgen.audit.frameworks.strangers import refusals
from backendgen.audit.service import ANY, Endpoint, Parameter, elsewhere
from backendgen.code.symbols import Class, Function, Symbols

MENTIONS = re.compile(r"from\s+aiohttp\s+import[^\n]*\bweb\b|aiohttp\.web")
ACTIONS = re.compile(
    r"Application\(|RouteTableDef|add_routes?\b|add_(?:get|post|put|patch|delete|view|subapp)\b|\bapp\b|\brouter\b"
)
MAX_SIZE = 1024**2  # what an application reads of a body when it is not told
APPLICATIONS = frozenset({"aiohttp.web.Application", "aiohttp.web_app.Application"})
TABLES = frozenset({"aiohttp.web.RouteTableDef", "aiohttp.web_routedef.RouteTableDef"})
VARIABLE = re.compile(r"{(\w+)(?::((?:[^{}]|{[^{}]*})*))?}")


class Aiohttp:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.outcomes = Outcomes(symbols)
        self.dependencies = Dependencies(symbols, self.outcomes)
        self.construction = Construction(symbols, self._told)
        self.routers = Routers()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint with all that guards it, in order of file and line."""
        if not self.symbols.mentioning(MENTIONS, "aiohttp"):
            return ()
        build(self.construction, list(self.symbols.modules.values()), ACTIONS, self._meant)
        return in_order(
            endpoint for reached in self.routers.reached(self.symbols) for endpoint in self._endpoints_of(reached)
        )

    # -- what is built ----------------------------------------------------------------------------------------------

    def _meant(self, function: Function) -> dict[str, Value]:
        """A function that a program looks for (`setup(app)`) is given the application that there is."""
        made = self.routers.application()
        return {one.arg: made for one in function.parameters if made is not None and one.arg in ("app", "application")}

    def _told(self, made: Made) -> None:
        """Hear of an object or call of a library."""
        if not made.member:
            if made.kinds & (APPLICATIONS | TABLES):
                is_application = bool(made.kinds & APPLICATIONS)
                router = self.routers.add(made, Router("", is_application=is_application, framework="aiohttp"))
                router.attached += [_size(made)] if is_application else []
                for one in elements(made.argument(-1, "middlewares")):
                    self._middleware(router, one)
            return
        holder = self.routers.holder(made)
        if holder is not None:
            router, member = holder
            name, _, rest = member.removeprefix("router.").partition("(")
            if rest == ")":
                self._called(router, name, made)
            elif rest == ")()" and made.receiver is not None and made.args:
                self._route(router, name, made.receiver, made.args[0], 0)
            elif rest in (").add_route()", ").add_view()"):  # resource = app.router.add_resource("/orders")
                self._of_resource(router, made)

    def _called(self, router: Router, name: str, made: Made) -> None:
        """Something that is done to an application, its router, or a table of routes."""
        if name == "add_routes":
            self._listed(router, made.argument(0, "routes"))
        elif name == "add_subapp":
            part = self.routers.of(made.argument(1, "subapp"))
            if part is not None:
                router.take(Part(part, prefix_of(made.argument(0, "prefix")), [], self._is_optional))
        elif name == "middlewares.append" and made.args:
            self._middleware(router, made.args[0])
        elif name.startswith("add_"):
            position = 1 if name == "add_route" else 0
            self._route(router, name.removeprefix("add_"), made, made.argument(position + 1, "handler"), position)

    def _listed(self, router: Router, routes: Value) -> None:
        """`[web.get("/", index), web.view("/orders", Orders)]`, or a table that decorators fill."""
        table = self.routers.of(routes)
        if table is not None:
            router.take(Part(table, "", [], self._is_optional))
        for one in elements(routes):
            if self.routers.of(one) is not None:
                self._listed(router, one)
            elif isinstance(one, Made) and not one.member:
                name = next(iter(one.kinds), "").rpartition(".")[2]
                position = 1 if name == "route" else 0
                self._route(router, name, one, one.argument(position + 1, "handler"), position)

    def _route(self, router: Router, name: str, made: Made, handler: Value, position: int) -> None:
        if name not in (*VERBS, "view", "route") or made.place is None:
            return
        method = text_of(made.argument(0, "method")) if name == "route" else "" if name == "view" else name
        if name == "route" and position == 0:
            position = 1  # @routes.route("GET", "/")
        path = text_of(made.argument(position, "path"))
        methods = (method.upper(),) if method else ()
        router.routes.append(Route(methods, path, handler, made, self._is_optional))

    def _of_resource(self, router: Router, made: Made) -> None:
        resource = made.receiver.receiver if made.receiver is not None else None
        if resource is not None:
            is_view = made.member.endswith("add_view()")
            method = "" if is_view else text_of(made.argument(0, "method")).upper()
            handler = made.argument(0 if is_view else 1, "handler")
            path = text_of(resource.argument(0, "path"))
            router.routes.append(Route((method,) if method else (), path, handler, made, self._is_optional))

    @property
    def _is_optional(self) -> bool:
        return not self.construction.is_default

    def _middleware(self, router: Router, value: Value) -> None:
        found, _ = handler_of(value)
        if isinstance(found, Closure):
            asks = found.function
            statuses, roles = refusals(self.outcomes, asks), self.outcomes.asks(asks)
            router.attached.append(Attached("middleware", asks.name, statuses, target=asks, roles=roles))

    # -- endpoints --------------------------------------------------------------------------------------------------

    def _endpoints_of(self, reached: Reached) -> Iterator[Endpoint]:
        route = reached.route
        found, wraps = handler_of(route.view)
        above = [*reached.attached, *(self.dependencies.wrapper(one, "route") for one in wraps)]
        if not isinstance(found, Class):
            at = route.place
            handler = found.function if isinstance(found, Closure) else elsewhere("view", at.module, at.node.lineno)
            for method in route.methods or (ANY,):
                yield self._endpoint(reached, method, handler, above, None)
            return
        members = [(name.upper(), self.symbols.member(found, name)) for name in VERBS]
        for verb, function in members:
            if isinstance(function, Function) and (verb in route.methods or not set(route.methods) - {ANY}):
                own = [Place(one, function.module, None) for one in function.node.decorator_list]
                more = [*above, *(self.dependencies.wrapper(one, "route") for one in own)]
                yield self._endpoint(reached, verb, function, more, found)

    def _endpoint(
        self, reached: Reached, method: str, handler: Function, above: list[Attached], view: Class | None
    ) -> Endpoint:
        attached = [*above, Attached("body", handler.name, self.outcomes.of(handler), target=handler)]
        path = VARIABLE.sub(
            lambda found: f"{{{found[1]}:path}}" if ".*" in (found[2] or "") else f"{{{found[1]}}}", reached.path
        )
        parameters = () if view is not None else tuple(_request(handler))
        return Endpoint(
            method, path or "/", handler, location_of(reached.route.place, handler), "", parameters, (),
            guards_of(attached), limits_of(attached), handler.node.returns, reached.mounted, "aiohttp", view,
            reached.optional, sizes_of(attached, self.outcomes),
        )  # fmt: skip


def _size(made: Made) -> Attached:
    """How large a body an application reads; zero is without a limit. Of nested ones the outermost says."""
    number = given(made, "client_max_size") if "client_max_size" in made.keywords else MAX_SIZE
    size = "client_max_size" if number is None else written(number) if number else "unlimited"
    return Attached("application", "client_max_size", NONE, size=size)


def _request(handler: Function) -> Iterator[Parameter]:
    """A handler gets the request, and nothing else."""
    own = handler.parameters
    for one in (own[1:] if handler.owner is not None else own)[:1]:
        kind = "aiohttp.web.Request"
        yield Parameter(one.arg, "request", one.annotation, handler.module, one.lineno, kind=kind)
