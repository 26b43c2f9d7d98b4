"""Applications and routers as projects build them: what is routed, what is attached, what is a part of what."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from backendgen.audit.frameworks.construction import Construction
from backendgen.audit.frameworks.dependencies import Attached
from backendgen.audit.frameworks.made import Made, Place, Value, elements, required
from backendgen.audit.frameworks.outcomes import TOO_OFTEN, Outcomes
from backendgen.audit.frameworks.sizes import refuses_size
from backendgen.audit.service import Endpoint, Guard, Limit
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, Function, Module, Symbol, Symbols
from backendgen.findings.finding import Location

VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "trace")
VIEWS = re.compile(r"route|websocket|before_|after_|preprocessor|middleware|handler|on_event")
MAX_NESTING = 20
MAX_ROUTES = 10_000
TOO_MANY = (
    f"the project has more than {MAX_ROUTES:,} routes, and those from here on were not followed: do routers take each "
    "other in again and again? Else audit its parts one by one"
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route as it is written: its methods as far as they are given, and what answers, with what wraps it."""

    methods: tuple[str, ...]
    path: str
    view: Value
    call: Made
    optional: bool = False

    @property
    def place(self) -> Place:
        """Where it is written."""
        assert self.call.place is not None  # only calls are told
        return self.call.place


@dataclass(frozen=True, slots=True)
class Part:
    """A router that another one takes in under a prefix, None when that is not known; `optional`: a setting decides it."""

    router: Router
    prefix: str | None
    attached: list[Attached]
    optional: bool = False


@dataclass(eq=False, slots=True)
class Router:
    """An application, router, blueprint or namespace: routes, what is attached to all of them, parts under their prefixes.

    `prefix` is its own, for when no other router takes it in.
    """

    name: str
    prefix: str = ""
    is_application: bool = False
    framework: str = ""
    is_joined: bool = False
    attached: list[Attached] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def join(self, prefix: str, path: str) -> str:
        """Flask's applications and blueprints put a slash between prefix and rule, others put nothing."""
        return f"{prefix.rstrip('/')}/{path.lstrip('/')}" if prefix and path and self.is_joined else prefix + path

    def take(self, part: Part) -> None:
        """Take another router in, once under each prefix; itself is no other."""
        if part.router is not self and all(
            one.router is not part.router or one.prefix != part.prefix for one in self.parts
        ):
            self.parts.append(part)


@dataclass(frozen=True, slots=True)
class Reached:
    """A route with its whole path and all that is attached above it."""

    route: Route
    path: str
    attached: list[Attached]
    router: Router
    mounted: bool
    optional: bool


class Routers:
    """The routers of a project, by the objects that code makes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Made, Router]] = {}

    def add(self, made: Made, router: Router) -> Router:
        """Let an object be a router."""
        self._known[id(made)] = (made, router)
        return router

    def of(self, made: Value) -> Router | None:
        """Return the router that an object is."""
        known = self._known.get(id(made))
        return known[1] if known is not None else None

    def holder(self, made: Made) -> tuple[Router, str] | None:
        """Return the router that a member was got from, and the way from there: `route()()`."""
        one = made.receiver
        while one is not None:
            router = self.of(one)
            if router is not None:
                return router, made.member[len(one.member) :].lstrip(".")
            one = one.receiver
        return None

    def application(self) -> Made | None:
        """Return the first application."""
        return next((made for made, router in self._known.values() if router.is_application), None)

    def reached(self, symbols: Symbols) -> Iterator[Reached]:
        """Yield every route, as `_reached` does; routers that take each other in again and again come to an end."""
        for number, one in enumerate(self._reached()):
            if number == MAX_ROUTES:
                place = one.route.place
                symbols.cut(place.module.file.path, place.node.lineno, TOO_MANY)
                return
            yield one

    def _reached(self) -> Iterator[Reached]:
        """Yield every route: those of applications first, then of routers that no application takes in.

        What one call of a factory makes and something takes in does not stand for itself after another call of it.
        """
        self._let_stand()
        routers = [router for _, router in self._known.values()]
        inner = {id(part.router) for router in routers for part in router.parts}
        calls = {id(made.place.node) for made, router in self._known.values() if id(router) in inner and made.place}
        parts = inner | {
            id(router) for made, router in self._known.values() if made.place and id(made.place.node) in calls
        }
        seen: set[int] = set()
        for router in routers:
            if router.is_application and id(router) not in parts:
                yield from _under(router, router.prefix, [], seen, (), True, False)
        for tops_only in (True, False):
            for router in routers:
                if id(router) not in seen and not (tops_only and id(router) in parts):
                    yield from _under(router, router.prefix, [], seen, (), False, False)

    def _let_stand(self) -> None:
        """An application of a module stands for itself where only an application that nobody hands over takes it in.

        `def mount(app: FastAPI)` of a library is for other projects: where they put it is theirs to say.
        """
        own = {
            id(router)
            for made, router in self._known.values()
            if router.is_application and made.place is not None and made.place.scope is None
        }
        for made, router in self._known.values():
            if made.target is None and made.place is None:
                router.parts = [part for part in router.parts if id(part.router) not in own]


def _under(
    router: Router,
    prefix: str,
    above: list[Attached],
    seen: set[int],
    trail: tuple[int, ...],
    mounted: bool,
    optional: bool,
) -> Iterator[Reached]:
    if id(router) in trail or len(trail) > MAX_NESTING:
        return
    seen.add(id(router))
    attached = above + router.attached
    for route in router.routes:
        yield Reached(route, router.join(prefix, route.path), attached, router, mounted, optional or route.optional)
    sure = {id(part.router) for part in router.parts if part.prefix is not None}
    for part in router.parts:
        if part.prefix is None and id(part.router) in sure:
            continue
        at, more = router.join(prefix, part.prefix or ""), attached + part.attached
        inside = (*trail, id(router))
        yield from _under(part.router, at, more, seen, inside, mounted, optional or part.optional)


def build(
    construction: Construction,
    modules: list[Module],
    actions: re.Pattern[str],
    meant: Callable[[Function], dict[str, Value]],
) -> None:
    """Run modules, then the functions that nothing called: of those, first what asks for nothing, it may call the others."""
    modules = [one for one in modules if not is_test(one.file.path)]
    for module in modules:
        construction.run(module)
    functions = [
        one
        for module in modules
        for one in module.functions
        if one.outer is None and not _is_view(one) and _matches(one, actions)
    ]
    for is_asking in (False, True):
        for function in functions:
            given = meant(function)
            if is_asking or not set(required(function)) - set(given):
                construction.uncalled(function, given)


def _matches(function: Function, actions: re.Pattern[str]) -> bool:
    text = "\n".join(function.module.file.lines[function.node.lineno - 1 : function.node.end_lineno])
    return actions.search(text) is not None


def _is_view(function: Function) -> bool:
    """Is it decorated as a view or a hook? Requests call it, the code that builds an application does not."""
    called = (one.func if isinstance(one, ast.Call) else one for one in function.node.decorator_list)
    return any(isinstance(one, ast.Attribute) and (one.attr in VERBS or VIEWS.search(one.attr)) for one in called)


def in_order(endpoints: Iterator[Endpoint]) -> tuple[Endpoint, ...]:
    """Each endpoint once, in order of file and line; optional only when it is not there otherwise."""
    every = list(dict.fromkeys(endpoints))
    always = {(one.location, one.name) for one in every if not one.optional}
    found = [one for one in every if not one.optional or (one.location, one.name) not in always]
    return tuple(sorted(found, key=lambda one: (one.location.path, one.location.line, one.path, one.method)))


def guards_of(attached: list[Attached]) -> tuple[Guard, ...]:
    """Return what refuses callers, each once."""
    found: dict[Guard, None] = {}
    for one in attached:
        refusals = one.statuses - TOO_OFTEN
        if refusals or one.unknown:
            function = one.target if isinstance(one.target, Function) else None
            found[Guard(one.name, one.scope, refusals, one.roles, place_of(one.target), function)] = None
    return tuple(found)


def limits_of(attached: list[Attached]) -> tuple[Limit, ...]:
    """Return what answers 429, or 423, each once."""
    return tuple(dict.fromkeys(Limit(one.name, one.scope, one.rate) for one in attached if one.statuses & TOO_OFTEN))


def sizes_of(attached: list[Attached], outcomes: Outcomes) -> tuple[Limit, ...]:
    """Return what bounds the size of bodies, each once."""
    found: dict[str, Limit] = {}
    for one in attached:
        if one.name not in found and (one.size or refuses_size(outcomes, one.target)):
            found[one.name] = Limit(one.name, one.scope, one.size)
    return tuple(found.values())


def place_of(symbol: Symbol | None) -> Location | None:
    """Return where a function or class of the project stands."""
    return Location(symbol.path, symbol.line) if isinstance(symbol, Function | Class) else None


def location_of(place: Place, handler: Function) -> Location:
    """Return a route's place; its last line is that of the route's head, so that an ignore may stand at any of them."""
    node = place.node
    end = node.end_lineno or node.lineno
    if any(node is decorator or getattr(node, "func", None) is decorator for decorator in handler.node.decorator_list):
        end = max(handler.node.lineno, end)
    return Location(place.module.file.path, node.lineno, node.col_offset + 1, end)


def methods_of(made: Made) -> tuple[str, ...]:
    """Return the HTTP methods that a call lists; none when it leaves them to the view."""
    listed = made.argument(-1, "methods")
    return tuple(dict.fromkeys(one.upper() for one in elements(listed) if isinstance(one, str)))


def text_of(value: Value) -> str:
    """A text; nothing for what is not known."""
    return value if isinstance(value, str) else ""


def prefix_of(value: Value) -> str | None:
    """A prefix: none is the empty one; None for what is not known."""
    return "" if value is None else value if isinstance(value, str) else None


def keyword(place: Place | None, name: str) -> ast.expr | None:
    """Return a keyword argument of a call as it is written."""
    call = place.node if place is not None else None
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((one.value for one in keywords if one.arg == name), None)
