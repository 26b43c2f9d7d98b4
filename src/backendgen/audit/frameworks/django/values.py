"""The values that URL configurations work with: paths, includes, views within decorators, routers and registrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeGuard

from backendgen.audit.frameworks.made import Closure, Made, Place, Value, elements
from backendgen.code.symbols import External, Function

PATHS = frozenset({"django.urls.path", "django.urls.conf.path", "django.urls.re_path", "django.urls.conf.re_path",
                   "django.conf.urls.url", "django.conf.urls.re_path"})  # fmt: skip
REGULAR = frozenset({"re_path", "url"})
OPTIONAL = " optional"  # the attribute of a path that only some settings have
INCLUDES = frozenset({"django.urls.include", "django.urls.conf.include", "django.conf.urls.include"})


@dataclass(eq=False, slots=True)
class Wrapped:
    """A view within a decorator of the project that was called: `decorator(View.as_view())`."""

    value: Value
    by: Function
    place: Place


@dataclass(frozen=True, slots=True)
class Registration:
    """`router.register(prefix, viewset)`. `under` is the registration that a nested one belongs to.

    `optional`: a setting decides whether it is there.
    """

    prefix: str
    viewset: Value
    place: Place
    under: Registration | None = None
    lookups: tuple[Value, ...] = ()
    optional: bool = False


@dataclass(eq=False, slots=True)
class RouterUrls:
    """`router.urls`: all that is registered by the end."""

    router: Made
    registered: list[Registration] = field(default_factory=list)


def is_router(value: Value) -> bool:
    """Is this a router of Django REST framework, or of a class derived from one?"""
    return isinstance(value, Made) and any(
        kind.startswith(("rest_framework", "rest_framework_nested", "rest_framework_extensions"))
        and kind.rpartition(".")[2].endswith("Router")
        for kind in value.kinds
    )


def is_path(value: Value) -> TypeGuard[Made]:
    """Is this a `path(...)`, a `re_path(...)` or a `url(...)`?"""
    return isinstance(value, Made) and isinstance(value.target, External) and value.target.name in PATHS


def is_include(value: Value) -> TypeGuard[Made]:
    """Is this an `include(...)`?"""
    return isinstance(value, Made) and isinstance(value.target, External) and value.target.name in INCLUDES


def let_in(value: Value) -> None:
    """Mark the paths of a list that only some settings have."""
    for one in elements(value):
        if is_path(one):
            one.attributes[OPTIONAL] = True


def is_route(value: Value) -> bool:
    """Is this a Route or DynamicRoute of Django REST framework's routers?"""
    target = value.target if isinstance(value, Made) else None
    return isinstance(target, External) and target.name in (
        "rest_framework.routers.Route", "rest_framework.routers.DynamicRoute"
    )  # fmt: skip


def is_view(value: Value) -> bool:
    """Is this what answers a request: a function, `View.as_view()`, or one of these within decorators?"""
    if isinstance(value, Wrapped):
        return True
    if isinstance(value, Made):
        target = value.target.name if isinstance(value.target, External) else ""
        return (f"{target}{value.member}").endswith(("as_view", "as_view()")) or any(map(is_view, value.args[:1]))
    return isinstance(value, Closure)


def wraps(result: Value, view: Value, by: Function) -> bool:
    """Is this what a function that got a view gives back for it?"""
    if isinstance(result, Made):
        return result.target is None and not result.member and len(result.args) == 1 and result.args[0] is view
    if isinstance(result, Closure):
        same = isinstance(view, Closure) and view.function.node is result.function.node
        inside = result.function.outer is not None and result.function.outer.node is by.node
        return inside or (same and bool(result.wraps))
    return False


class Registry(dict[object, Value]):
    """A dictionary that the project fills as it is imported: what is not in it is nothing."""


class Defaults(Registry):
    """A defaultdict. `made` is what it makes for a new key."""

    def __init__(self, made: Callable[[], Value]) -> None:
        super().__init__()
        self.made = made


def default_routes() -> list[Value]:
    """The routes of a SimpleRouter, as values that a project's router may change."""

    def route(name: str, **keywords: Value) -> Made:
        target = f"rest_framework.routers.{name}"
        return Made(External(target), frozenset({target}), None, [], keywords)

    lookup = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
    return [
        route("Route", url="^{prefix}{trailing_slash}$", mapping={"get": "list", "post": "create"}, detail=False),
        route("DynamicRoute", url="^{prefix}/{url_path}{trailing_slash}$", detail=False),
        route("Route", url="^{prefix}/{lookup}{trailing_slash}$", mapping=lookup, detail=True),
        route("DynamicRoute", url="^{prefix}/{lookup}/{url_path}{trailing_slash}$", detail=True),
    ]
