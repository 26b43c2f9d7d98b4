"""The routes of a Django project: its URL configurations from the root down, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from backendgen.audit.frameworks.django.ninja import Operation, is_api, operations
from backendgen.audit.frameworks.django.paths import converted, simplified
from backendgen.audit.frameworks.django.routers import Routers
from backendgen.audit.frameworks.django.tables import URLS
from backendgen.audit.frameworks.django.urlconf import Urlconf
from backendgen.audit.frameworks.django.values import OPTIONAL, REGULAR, RouterUrls, is_include, is_path
from backendgen.audit.frameworks.django.views import Answer, Decorator, Views
from backendgen.audit.frameworks.made import UNKNOWN, Made, Place, Value
from backendgen.audit.service import ANY, elsewhere
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, External, Module
from backendgen.findings.finding import Location

MAX_NESTING = 20
MAX_PATTERNS = 100_000  # lists that include each other again and again would never end
TOO_MANY = (
    f"the project has more than {MAX_PATTERNS:,} URL patterns, and those from here on were not followed: do lists "
    "include each other again and again? Else audit its parts one by one"
)


@dataclass(frozen=True, slots=True)
class Route:
    """A path with one of its answers. `above` are decorators that stand around an `include()`.

    `optional`: a setting decides whether it is there.
    """

    path: str
    answer: Answer
    location: Location
    mounted: bool
    module: Module
    above: tuple[Decorator, ...] = ()
    operation: Operation | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class _Under:
    prefix: str
    mounted: bool
    trail: tuple[int, ...]
    module: Module
    above: tuple[Decorator, ...] = ()
    optional: bool = False


class Routes:
    """Walks; see `all`."""

    def __init__(self, urlconf: Urlconf, views: Views) -> None:
        self.urlconf = urlconf
        self.symbols = urlconf.symbols
        self.views = views
        self.routers = Routers(urlconf, views)
        self._reached: set[int] = set()
        self._walked: dict[int, Made] = {}
        self._left = MAX_PATTERNS

    def all(self, modules: list[Module]) -> Iterator[Route]:
        """Yield the routes below the roots; then those of other modules, which nothing that is known includes."""
        roots = self.urlconf.settings.roots()
        self.urlconf.applications.start()
        for root in roots:
            yield from self._module(root, _Under("", True, (), root))
        others = [one for one in modules if id(one) not in self._reached and not is_test(one.file.path)]
        included = {id(one) for module in others for one in self._included(module)}
        for module in sorted(others, key=lambda one: id(one) in included):
            if id(module) not in self._reached:
                yield from self._module(module, _Under("", not roots, (), module))

    def _included(self, module: Module) -> Iterator[Module]:
        for call, _ in module.calls:
            for node in call.args[:2]:
                text = getattr(node, "value", None)
                found = self.symbols.module(text, module) if isinstance(text, str) else self.symbols.value(node, module)
                if isinstance(found, Module):
                    yield found

    def _module(self, module: Module, under: _Under) -> Iterator[Route]:
        if id(module) in under.trail or len(under.trail) > MAX_NESTING:
            return
        self._reached.add(id(module))
        trail = (*under.trail, id(module))
        yield from self._entries(self.urlconf.patterns(module), replace(under, trail=trail, module=module))

    def _entries(self, value: Value, under: _Under) -> Iterator[Route]:
        for item in value if isinstance(value, list | tuple) else ():
            if isinstance(item, list | tuple):
                yield from self._entries(item, under)
            elif isinstance(item, RouterUrls):
                yield from self._router(item, under)
            elif is_path(item) and (under.mounted or id(item) not in self._walked):
                if self._left <= 0:
                    node = item.place.node if item.place is not None else under.module.file.tree.body[0]
                    module = item.place.module if item.place is not None else under.module
                    self.symbols.cut(module.file.path, node.lineno, TOO_MANY)
                    return
                self._walked[id(item)] = item
                self._left -= 1
                yield from self._pattern(item, under)

    def _pattern(self, item: Made, under: _Under) -> Iterator[Route]:
        target = item.target.name if isinstance(item.target, External) else ""
        text = item.argument(0, "route", "regex")
        if isinstance(text, Made) and text.args and isinstance(text.args[0], str):
            text = text.args[0]  # translated
        if not isinstance(text, str):
            text = ""
        route = simplified(text) if target.rpartition(".")[2] in REGULAR else converted(text)
        optional = under.optional or OPTIONAL in item.attributes
        inner = replace(under, prefix=under.prefix + route, optional=optional)
        view = item.attributes.get("callback", item.argument(1, "view"))
        place = item.place or Place(under.module.file.tree.body[0], under.module, None)  # type: ignore[arg-type]
        yield from self._view(view, inner, place)

    def _view(self, view: Value, under: _Under, place: Place) -> Iterator[Route]:
        if is_include(view):
            yield from self._include(view.argument(0, "arg"), under, place)
        elif isinstance(view, tuple) or (isinstance(view, External) and view.name.endswith(".urls")):
            yield from self._include(view, under, place)
        elif isinstance(view, Made) and view.member == "urls" and is_api(view.root):
            yield from self._operations(view.root, under)
        elif isinstance(view, Made) and (view.member == "urls" or view.member.endswith(".urls")):
            yield from self._external(_kind(view), under, place)
        else:
            if isinstance(view, str):
                view = self.urlconf.dotted(view)
            yield from self._answers(view, under, place)

    def _include(self, given: Value, under: _Under, place: Place) -> Iterator[Route]:
        if (
            isinstance(given, tuple)
            and given
            and isinstance(given[0], str | list | tuple | Module | External | RouterUrls)
        ):
            given = given[0]
        if isinstance(given, str):
            module = self.symbols.module(given, under.module)
            given = module if module is not None else External(given)
        if isinstance(given, Made) and given.member == "urls" and is_api(given.root):
            yield from self._operations(given.root, under)
        elif isinstance(given, Module):
            yield from self._module(given, under)
        elif isinstance(given, External):
            yield from self._external(given.name, under, place)
        elif isinstance(given, Made):
            yield from self._external(_kind(given), under, place)
        elif id(given) not in under.trail and len(under.trail) <= MAX_NESTING:
            yield from self._entries(given, replace(under, trail=(*under.trail, id(given))))

    def _external(self, name: str, under: _Under, place: Place) -> Iterator[Route]:
        """What a library's URL configuration answers: by its table, else all below one path."""
        known = URLS.get(name)
        for path, view, methods in known or (("{rest:path}", name, (ANY,)),):
            for method in methods:
                handler = elsewhere(view, place.module, place.node.lineno)
                yield Route(
                    _absolute(under.prefix + path), Answer(method.upper(), handler), self._location(place), under.mounted,
                    place.module, under.above, None, under.optional,
                )  # fmt: skip

    def _answers(self, view: Value, under: _Under, place: Place) -> Iterator[Route]:
        if view is UNKNOWN or view is None:
            return
        for answer in self.views.answers(view, place):
            # a helper that makes paths stands for many: the view says more than the helper's line
            is_helper = place.scope is not None and answer.handler.node.body
            shown = Location(answer.handler.path, answer.handler.line) if is_helper else self._location(place)
            yield Route(
                _absolute(under.prefix), answer, shown, under.mounted, place.module, under.above, None, under.optional
            )

    def _router(self, urls: RouterUrls, under: _Under) -> Iterator[Route]:
        place = urls.router.place
        if place is not None and self.routers.root_view(urls.router):
            handler = elsewhere("APIRootView", place.module, place.node.lineno)
            yield Route(
                _absolute(under.prefix),
                Answer("GET", handler),
                self._location(place),
                under.mounted,
                place.module,
                under.above,
                None,
                under.optional,
            )
        for one in self.routers.routes(urls):
            for answer in self.views.of_actions(one.viewset, one.actions, None, ()):
                location = (
                    Location(answer.handler.path, answer.handler.line) if one.is_extra else self._location(one.place)
                )
                yield Route(
                    _absolute(under.prefix + one.path), answer, location, under.mounted, one.place.module, under.above,
                    None, under.optional or one.optional,
                )  # fmt: skip

    def _operations(self, api: Made, under: _Under) -> Iterator[Route]:
        """What a NinjaAPI answers."""
        for one in operations(self.urlconf, api, _absolute(under.prefix).rstrip("/")):
            handler = one.handler
            first = min([handler.line, *(node.lineno for node in handler.node.decorator_list)])
            yield Route(
                one.path, Answer(one.method, handler), Location(handler.path, first, 1, handler.line), under.mounted,
                handler.module, under.above, one, under.optional,
            )  # fmt: skip

    def _location(self, place: Place) -> Location:
        node = place.node
        return Location(place.module.file.path, node.lineno, node.col_offset + 1, node.end_lineno or node.lineno)


def _absolute(path: str) -> str:
    return "/" + path.lstrip("/")


def _kind(made: Made) -> str:
    root = made.root
    target = root.target
    if isinstance(target, Class):
        return next(iter(sorted(root.kinds)), target.name) + ".urls"
    return f"{target.name}.urls" if isinstance(target, External) else "urls"
