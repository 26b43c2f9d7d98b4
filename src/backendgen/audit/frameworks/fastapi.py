"""FastAPI and Starlette: applications, routers and what they take in, dependencies at every level, handlers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.audit.frameworks.construction import Construction
from backendgen.audit.frameworks.dependencies import Attached, Dependencies
from backendgen.audit.frameworks.made import Closure, Made, Place, Value, elements, handler_of
from backendgen.audit.frameworks.outcomes import NONE, Outcomes, Statuses
from backendgen.audit.frameworks.parameters import Parameters
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
    keyword,
    limits_of,
    location_of,
    methods_of,
    prefix_of,
    sizes_of,
    text_of,
)
from backendgen.audit.frameworks.sizes import ARGUMENT, given, refuses_size, written
from backendgen.audit.frameworks.strangers import refusals
from backendgen.audit.service import ANY, Endpoint, Parameter, Scope, elsewhere
from backendgen.code.symbols import Class, External, Function, Symbols

MENTIONS = re.compile(r"\b(?:from|import) +(?:fastapi|starlette)")
ACTIONS = re.compile(
    r"FastAPI|Router|Starlette|\bMount\b|Route\b|include_router|add_(?:api_|websocket_)?route|add_middleware|\bapp\b|\brouter\b"
)
APPLICATIONS = frozenset({"fastapi.FastAPI", "fastapi.applications.FastAPI"})
BARE = frozenset({"starlette.applications.Starlette", "starlette.routing.Router"})
ROUTERS = frozenset({
    "fastapi.APIRouter", "fastapi.routing.APIRouter", "fastapi_utils.inferring_router.InferringRouter",
    "fastapi_restful.inferring_router.InferringRouter",
})  # fmt: skip
ROUTES = frozenset({"starlette.routing.Route", "starlette.routing.WebSocketRoute", "fastapi.routing.APIRoute",
                    "fastapi.routing.APIWebSocketRoute"})  # fmt: skip
MOUNTS = frozenset({"starlette.routing.Mount", "starlette.routing.Host"})
MEANT = {"app": APPLICATIONS, "application": APPLICATIONS, "api": APPLICATIONS, "router": ROUTERS}
LIMITERS = ("slowapi.", "ratelimit.", "fastapi_limiter.", "asgi_ratelimit.", "pyrate_limiter.", "fastapi_throttle.")
DECORATORS = frozenset({*VERBS, "api_route", "route", "websocket", "websocket_route"})
ADDED = {
    "add_api_route": "",
    "add_route": "",
    "add_websocket_route": "WEBSOCKET",
    "add_api_websocket_route": "WEBSOCKET",
}


class FastAPI:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.outcomes = Outcomes(symbols)
        self.dependencies = Dependencies(symbols, self.outcomes)
        self.parameters = Parameters(symbols, self.dependencies)
        self.construction = Construction(symbols, self._told)
        self.routers = Routers()
        self._stand_ins: dict[int, Made] = {}

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint with all that guards it, in order of file and line."""
        if not self.symbols.mentioning(MENTIONS, "fastapi", "starlette"):
            return ()
        self.outcomes.learn_handlers()
        build(self.construction, list(self.symbols.modules.values()), ACTIONS, self._meant)
        return in_order(
            endpoint for reached in self.routers.reached(self.symbols) for endpoint in self._endpoints_of(reached)
        )

    # -- what is built ----------------------------------------------------------------------------------------------

    @property
    def _is_optional(self) -> bool:
        return not self.construction.is_default

    def _meant(self, function: Function) -> dict[str, Value]:
        """A function that nothing calls (`install(app: FastAPI)` of a library) is given an application of its own."""
        found: dict[str, Value] = {}
        for parameter in function.parameters:
            kinds = MEANT.get(parameter.arg, frozenset()) if parameter.annotation is None else frozenset[str]()
            if parameter.annotation is not None:
                target = self.symbols.value(parameter.annotation, function.module, function.outer)
                kinds = frozenset({target.name}) if isinstance(target, External) else kinds
                kinds = self.symbols.bases(target) if isinstance(target, Class) else kinds
            if kinds & (APPLICATIONS | ROUTERS | BARE):
                found[parameter.arg] = self._stand_in(parameter)
        return found

    def _stand_in(self, parameter: ast.arg) -> Made:
        made = self._stand_ins.get(id(parameter))
        if made is None:
            made = self._stand_ins[id(parameter)] = Made(None, APPLICATIONS)
            self.routers.add(made, Router(parameter.arg, is_application=True, framework="FastAPI"))
        return made

    def _told(self, made: Made) -> None:
        """Hear of an object or call of a library."""
        if not made.member:
            self._object(made)
            return
        holder = self.routers.holder(made)
        if holder is None or made.place is None:
            return
        router, member = holder
        name, _, rest = member.removeprefix("router.").removeprefix("routes.").partition("(")
        if rest == ")":
            self._called(router, name, made, made.place)
        elif rest == ")()" and made.args and made.receiver is not None:
            self._decorated(router, name, made.receiver, made.args[0])

    def _object(self, made: Made) -> None:
        kinds = made.kinds
        if not kinds & (APPLICATIONS | ROUTERS | BARE):
            return
        is_application = bool(kinds & (APPLICATIONS | {"starlette.applications.Starlette"}))
        framework = "FastAPI" if kinds & (APPLICATIONS | ROUTERS) else "Starlette"
        router = Router(self._name(made), text_of(made.argument(-1, "prefix")), is_application, framework)
        self.routers.add(made, router)
        scope: Scope = "application" if is_application else "router"
        router.attached += self._dependencies(made, scope)
        for one in elements(made.argument(-1, "middleware")):
            if isinstance(one, Made) and one.args:
                router.attached.append(self._middleware(one.args[0]))
        position = (
            1 if "starlette.applications.Starlette" in kinds else 0 if "starlette.routing.Router" in kinds else -1
        )
        self._listed(router, made.argument(position, "routes"))

    def _name(self, made: Made) -> str:
        """The name that an object has in the code, or its file."""
        if made.place is None:
            return ""
        module = made.place.module
        names = {id(one.value): name for name, one in module.definitions.items() if hasattr(one, "value")}
        return names.get(id(made.place.node), module.file.path)

    def _listed(self, router: Router, routes: Value) -> None:
        """`routes=[Route("/", index), Mount("/orders", routes=[...])]`."""
        for one in elements(routes):
            if isinstance(one, Made) and one.place is not None and not one.member:
                self._route(router, one)

    def _route(self, router: Router, one: Made) -> None:
        path = text_of(one.argument(0, "path", "host"))
        if one.kinds & ROUTES:
            is_socket = any("WebSocket" in kind for kind in one.kinds)
            methods = ("WEBSOCKET",) if is_socket else methods_of(one)
            router.routes.append(Route(methods, path, one.argument(1, "endpoint"), one, self._is_optional))
        elif one.kinds & MOUNTS:
            self._mounted(router, "" if "starlette.routing.Host" in one.kinds else path, one)

    def _mounted(self, router: Router, prefix: str | None, made: Made) -> None:
        app, routes = made.argument(1, "app"), made.argument(-1, "routes")
        part = self.routers.of(app) if app is not None else None
        if part is None and routes is not None:
            part = Router(router.name, framework=router.framework)
            self._listed(part, routes)
        if part is not None:
            around = [self._middleware(one.args[0]) for one in elements(made.argument(-1, "middleware"))
                      if isinstance(one, Made) and one.args]  # fmt: skip
            router.take(Part(part, prefix.rstrip("/") if prefix else prefix, around, self._is_optional))

    def _called(self, router: Router, name: str, made: Made, place: Place) -> None:
        """Something that is done to an application or router."""
        if name == "include_router":
            part = self.routers.of(made.argument(0, "router"))
            if part is not None:
                prefix = prefix_of(made.argument(-1, "prefix"))
                prefix = part.prefix or None if prefix is None else prefix + part.prefix
                router.take(Part(part, prefix, self._dependencies(made, "include"), self._is_optional))
        elif name == "mount":
            self._mounted(router, prefix_of(made.argument(0, "path")), made)
        elif name in ADDED:
            methods = (ADDED[name],) if ADDED[name] else methods_of(made)
            path = text_of(made.argument(0, "path"))
            router.routes.append(Route(methods, path, made.argument(1, "endpoint", "route"), made, self._is_optional))
        elif name == "append" and made.args and isinstance(made.args[0], Made):
            self._listed(router, made.args[:1])
        elif name == "add_middleware" and made.args:
            router.attached.append(replace(self._middleware(made.args[0]), size=_size(made, self.outcomes)))

    def _decorated(self, router: Router, name: str, call: Made, view: Value) -> None:
        """`@router.get("/orders")` was put on a function."""
        if name == "middleware":
            router.attached.append(self._middleware(view))
        elif name in DECORATORS and call.place is not None:
            methods = methods_of(call) if name in ("api_route", "route") else (name.partition("_")[0].upper(),)
            router.routes.append(Route(methods, text_of(call.argument(0, "path")), view, call, self._is_optional))

    def _dependencies(self, made: Made, scope: Scope) -> list[Attached]:
        """`dependencies=[Depends(user)]`: each where it is written."""
        found = []
        for one in elements(made.argument(-1, "dependencies")):
            if isinstance(one, Made) and one.place is not None:
                found.append(self.dependencies.attached(one.place.node, scope, one.place.module, one.place.scope))
        return [one for one in found if one is not None]

    def _middleware(self, value: Value) -> Attached:
        found, _ = handler_of(value)
        statuses: Statuses = NONE
        target: Function | Class | None = None
        name = "middleware"
        if isinstance(value, Class):
            target, name = value, value.name
            runs = self.symbols.member(value, "dispatch") or self.symbols.member(value, "__call__")
            statuses = refusals(self.outcomes, runs) if isinstance(runs, Function) else self.outcomes.of_class(value)
        elif isinstance(found, Closure):
            target, name = found.function, found.function.name
            statuses = refusals(self.outcomes, target)
            made = [self.symbols.value(call.func, target.module, target) for call in target.module.calls_in(target)]
            if any(isinstance(each, External) and each.name.startswith(LIMITERS) for each in made):
                statuses |= {429}
        elif isinstance(value, External):
            name = value.name.rpartition(".")[2]
            statuses = frozenset({429}) if value.name.startswith(LIMITERS) else NONE
        return Attached("middleware", name, statuses, target=target)

    # -- endpoints --------------------------------------------------------------------------------------------------

    def _endpoints_of(self, reached: Reached) -> Iterator[Endpoint]:
        found, wraps = handler_of(reached.route.view)
        above = [*reached.attached, *(self.dependencies.wrapper(one, "route") for one in wraps)]
        module, line = reached.route.place.module, reached.route.place.node.lineno
        methods = reached.route.methods
        if isinstance(found, Class):  # HTTPEndpoint, WebSocketEndpoint
            members = [(name.upper(), self.symbols.member(found, name)) for name in VERBS]
            handlers = [
                (verb, one) for verb, one in members if isinstance(one, Function) and (not methods or verb in methods)
            ]
            receive = self.symbols.member(found, "on_receive") or self.symbols.member(found, "on_connect")
            if not handlers and isinstance(receive, Function):
                handlers = [("WEBSOCKET", receive)]
            for verb, function in handlers or [(ANY, elsewhere(found.name, module, line, found))]:
                own = [
                    self.dependencies.wrapper(Place(one, function.module, None), "route")
                    for one in function.node.decorator_list
                ]
                yield self._endpoint(reached, verb, function, [*above, *own], found)
            return
        handler = found.function if isinstance(found, Closure) else elsewhere("view", module, line)
        for method in methods or ("GET",):
            yield self._endpoint(reached, method, handler, above, None)

    def _endpoint(
        self, reached: Reached, method: str, handler: Function, above: list[Attached], view: Class | None
    ) -> Endpoint:
        place, path = reached.route.place, reached.path or "/"
        attached = above + self._dependencies(reached.route.call, "route")
        attached += self.dependencies.of_class(handler)
        parameters, called, wanted = self.parameters.of(handler, path)
        if reached.router.framework == "Starlette":
            parameters, called, wanted = tuple(_starlette(handler, method)), (), []
        attached += wanted
        attached.append(Attached("body", handler.name, self.outcomes.of(handler), target=handler))
        return Endpoint(
            method, path, handler, location_of(place, handler), reached.router.name, parameters, called,
            guards_of(attached), limits_of(attached), keyword(place, "response_model") or handler.node.returns,
            reached.mounted, reached.router.framework or "FastAPI", view, reached.optional,
            sizes_of(attached, self.outcomes),
        )  # fmt: skip


def _size(made: Made, outcomes: Outcomes) -> str:
    """`add_middleware(BodyLimit, max_bytes=1_000_000)`: the size that a middleware of the project is given."""
    numbers = [given(made, name) for name in made.keywords if ARGUMENT.search(name)]
    number = numbers[0] if len(numbers) == 1 and isinstance(made.args[0], Class) else None
    return written(number) if number is not None and refuses_size(outcomes, made.args[0]) else ""


def _starlette(handler: Function, method: str) -> Iterator[Parameter]:
    """A handler of Starlette gets the request, or the websocket, and nothing else."""
    own = handler.parameters
    for one in (own[1:] if handler.owner is not None else own)[:1]:
        kind = "starlette.websockets.WebSocket" if method == "WEBSOCKET" else "starlette.requests.Request"
        yield Parameter(one.arg, "request", one.annotation, handler.module, one.lineno, kind=kind)
