"""What the routers of Django REST framework make of their registrations: a path with actions by method for each route."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from backendgen.audit.frameworks.django.paths import simplified
from backendgen.audit.frameworks.django.urlconf import Urlconf
from backendgen.audit.frameworks.django.values import Registration, RouterUrls
from backendgen.audit.frameworks.django.views import Views
from backendgen.audit.frameworks.made import Frame, Made, Place, Value
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Variable

ACTION = (
    "rest_framework.decorators.action",
    "rest_framework.decorators.list_route",
    "rest_framework.decorators.detail_route",
)
MAPPING = re.compile(r"\w+\.mapping\.(get|post|put|patch|delete)")


@dataclass(frozen=True, slots=True)
class Registered:
    """A path of a viewset with the action of each method."""

    path: str
    viewset: Class
    actions: dict[str, str]
    place: Place
    is_extra: bool = False
    optional: bool = False


class Routers:
    """Expands `router.urls`; see `routes`."""

    def __init__(self, urlconf: Urlconf, views: Views) -> None:
        self.urlconf = urlconf
        self.views = views
        self.symbols = urlconf.symbols

    def routes(self, urls: RouterUrls) -> Iterator[Registered]:
        """Yield the routes of all that is registered."""
        router = urls.router
        frame = self._frame(router)
        slash = self._slash(router)
        for one in urls.registered:
            if not isinstance(one.viewset, Class):
                continue
            prefix = self._above(one) + simplified(one.prefix)
            parent = self._nested(router)
            for route in self._listed(router, one.viewset, frame):
                if isinstance(route, Made):
                    for found in self._of_route(route, parent + prefix, one.viewset, one.place, slash):
                        yield replace(found, optional=one.optional)

    def _listed(self, router: Made, viewset: Class, frame: Frame) -> list[Value]:
        """The routes that a router has for a viewset, by its own `get_routes` when it has one."""
        before = self.urlconf.attribute(router, "routes", frame)
        if isinstance(router.target, Class) and isinstance(self.symbols.member(router.target, "get_routes"), Function):
            method = self.urlconf.attribute(router, "get_routes", frame)
            result = self.urlconf.call(method, [viewset], {}, router.place)
            router.attributes["routes"] = before
            if isinstance(result, Made):
                result = result.attributes.get(" routes", before)
            if isinstance(result, list | tuple):
                return list(result)
        return list(before) if isinstance(before, list | tuple) else []

    def root_view(self, router: Made) -> bool:
        """Does a router answer at its own root?"""
        if not any(kind.endswith("DefaultRouter") for kind in router.kinds):
            return False
        given = router.keywords.get("include_root_view")
        if given is None and isinstance(router.target, Class):
            member = self.symbols.member(router.target, "include_root_view")
            given = (
                member.value.value if isinstance(member, Variable) and isinstance(member.value, ast.Constant) else None
            )
        return given is not False

    def _frame(self, router: Made) -> Frame:
        module = router.place.module if router.place else next(iter(self.symbols.modules.values()))
        return self.urlconf.run(module)

    def _slash(self, router: Made) -> str:
        given = router.keywords.get(
            "trailing_slash", router.args[0] if router.args and isinstance(router.args[0], bool) else True
        )
        own = router.attributes.get("trailing_slash")
        if isinstance(own, str):
            return "/" if own in ("/", "/?") else own
        if given is True and isinstance(router.target, Class):
            member = self.symbols.member(router.target, "trailing_slash")
            if isinstance(member, Variable) and isinstance(member.value, ast.Constant):
                given = member.value.value
        return "" if given is False else "/"

    def _above(self, one: Registration) -> str:
        """`projects/(?P<parent_lookup_project__slug>...)/` of drf-extensions' nested registrations."""
        if one.under is None or not isinstance(one.under.viewset, Class):
            return ""
        names = [name for name in one.lookups if isinstance(name, str)]
        depth, above = 0, one.under.under
        while above is not None:
            depth, above = depth + 1, above.under
        name = names[depth] if depth < len(names) else "pk"
        # the lookups of a registration name all of its ancestors, from the outermost
        outer = Registration(one.under.prefix, one.under.viewset, one.place, one.under.under, one.lookups)
        return f"{self._above(outer)}{simplified(one.under.prefix)}/{{parent_lookup_{name}}}/"

    def _nested(self, router: Made) -> str:
        """`domains/{domain_pk}/` of drf-nested-routers."""
        if not any(kind.rpartition(".")[2].startswith("Nested") and "Mixin" not in kind for kind in router.kinds):
            return ""
        parent, prefix = router.argument(0, "parent_router"), router.argument(1, "parent_prefix")
        lookup = router.argument(2, "lookup", default="nested_0")
        if not isinstance(prefix, str) or not isinstance(parent, Made):
            return ""
        above = next(
            (
                one
                for one in parent.attributes.get(" registered", [])
                if isinstance(one, Registration) and one.prefix == prefix
            ),
            None,
        )
        name = self._lookup(above.viewset)[0] if above is not None and isinstance(above.viewset, Class) else "pk"
        return f"{self._nested(parent)}{prefix}/{{{lookup}_{name}}}/"

    def _of_route(self, route: Made, prefix: str, viewset: Class, place: Place, slash: str) -> Iterator[Registered]:
        frame = self._frame(route)
        url = self.urlconf.attribute(route, "url", frame)
        detail = self.urlconf.attribute(route, "detail", frame)
        if not isinstance(url, str):
            return
        name, pattern = self._lookup(viewset)
        lookup = simplified(f"(?P<{name}>{pattern})")

        def path(url_path: str = "") -> str:
            text = url.replace("{url_path}", simplified(url_path)).replace("{lookup}", lookup)
            text = text.replace("{trailing_slash}", slash).replace("{prefix}", prefix)
            text = text.removeprefix("^").removesuffix("$")
            return text.removeprefix("/") if not prefix else text

        if isinstance(route.target, External) and route.target.name.endswith("DynamicRoute"):
            for url_path, is_detail, actions in self._extra(viewset):
                if is_detail is detail:
                    yield Registered(path(url_path), viewset, actions, place, is_extra=True)
            return
        mapping = self.urlconf.attribute(route, "mapping", frame)
        actions = {
            str(method).lower(): str(action)
            for method, action in (mapping.items() if isinstance(mapping, dict) else ())
            if self.views.has_action(viewset, str(action))
        }
        if actions:
            yield Registered(path(), viewset, actions, place)

    def _lookup(self, viewset: Class) -> tuple[str, str]:
        def text(name: str, default: str) -> str:
            member = self.symbols.member(viewset, name)
            if isinstance(member, Variable):
                value = self.urlconf.evaluate(member.value, self.urlconf.run(member.module))
                return value if isinstance(value, str) else default
            return default

        name = text("lookup_url_kwarg", "") or text("lookup_field", "pk")
        return name, text("lookup_value_regex", "[^/.]+")

    def _extra(self, viewset: Class) -> Iterator[tuple[str, bool, dict[str, str]]]:
        """The `@action` methods of a viewset: (url path, whether on one object, action by method)."""
        extra: dict[str, dict[str, str]] = {}
        found: dict[str, tuple[str, bool]] = {}
        for owner in self.symbols.lineage(viewset):
            for name, member in owner.module.members.get(id(owner.node), {}).items():
                if not isinstance(member, Function) or name in found:
                    continue
                for decorator in member.node.decorator_list:
                    mapped = MAPPING.fullmatch(unparse(decorator)) if isinstance(decorator, ast.Attribute) else None
                    if mapped:
                        base = unparse(decorator).partition(".")[0]
                        extra.setdefault(base, {})[mapped[1]] = name
                    if not isinstance(decorator, ast.Call):
                        continue
                    target = self.symbols.value(decorator.func, owner.module)
                    if isinstance(target, External) and target.name in ACTION:
                        url_path, is_detail, methods = self._action(decorator, target.name, owner, name)
                        found[name] = (url_path, is_detail)
                        extra.setdefault(name, {}).update(dict.fromkeys(methods, name))
        for name, (url_path, is_detail) in found.items():
            yield url_path, is_detail, extra[name]

    def _action(self, call: ast.Call, target: str, owner: Class, name: str) -> tuple[str, bool, list[str]]:
        frame = self.urlconf.run(owner.module)
        given = {word.arg: self.urlconf.evaluate(word.value, frame) for word in call.keywords if word.arg}
        position = self.urlconf.evaluate(call.args[0], frame) if call.args else None
        methods = given.get("methods", position if isinstance(position, list | tuple) else None)
        listed = [str(one).lower() for one in methods] if isinstance(methods, list | tuple) else ["get"]
        url_path = given.get("url_path")
        is_detail = (
            target.endswith("detail_route")
            or given.get("detail", position if isinstance(position, bool) else False) is True
        )
        return url_path if isinstance(url_path, str) else name, is_detail, listed
