"""django-ninja: operations of an API and of its routers, and the `auth` that stands before them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.audit.frameworks.django.paths import converted
from backendgen.audit.frameworks.django.urlconf import Urlconf
from backendgen.audit.frameworks.made import UNKNOWN, Closure, Made, Value
from backendgen.audit.service import Guard, Limit, Scope
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
REFUSED = frozenset({401})
SLASHES = re.compile(r"/{2,}")


@dataclass(frozen=True, slots=True)
class Operation:
    """A function that answers one method of a path."""

    method: str
    path: str
    handler: Function
    guards: tuple[Guard, ...]
    limits: tuple[Limit, ...]


def is_api(value: Value) -> bool:
    """Is this a NinjaAPI, or a router of one?"""
    return isinstance(value, Made) and any(one.startswith(("ninja.", "ninja_extra.")) for one in value.kinds)


def operations(urlconf: Urlconf, api: Made, prefix: str, above: Value = UNKNOWN, hops: int = 0) -> Iterator[Operation]:
    """Yield the operations of an API, and of the routers that were added to it."""
    auth = api.keywords.get("auth", above)
    throttle = api.keywords.get("throttle")
    for made in api.attributes.get(" told", ()):
        call = made.receiver
        name = made.member.partition("(")[0]
        if made.member == f"{name}()()" and call is not None and made.args and isinstance(made.args[0], Closure):
            given = call.keywords.get("auth", auth)
            methods = (name.upper(),) if name in METHODS else _methods(call) if name == "api_operation" else ()
            text = call.argument(1 if name == "api_operation" else 0, "path", default="")
            path = SLASHES.sub("/", prefix + converted(_braces(text if isinstance(text, str) else "")))
            guards = tuple(_guards(given, "route" if "auth" in call.keywords else "router"))
            limits = tuple(Limit(_name(one), "route") for one in _listed(call.keywords.get("throttle", throttle)))
            for method in methods:
                yield Operation(method, path, made.args[0].function, guards, limits)
        elif made.member == "add_router()" and hops < 10:
            router = made.argument(1, "router")
            router = urlconf.dotted(router) if isinstance(router, str) else router
            text = made.argument(0, "prefix", default="")
            if isinstance(router, Made):
                inner = f"{prefix}/{text}" if isinstance(text, str) else prefix
                yield from operations(urlconf, router, inner, made.keywords.get("auth", auth), hops + 1)


def _methods(call: Made) -> tuple[str, ...]:
    given = call.argument(0, "methods")
    return tuple(str(one).upper() for one in given) if isinstance(given, list | tuple) else ()


def _braces(route: str) -> str:
    """`/orders/{int:id}` as Django writes it, `/orders/<int:id>`."""
    return route.replace("{", "<").replace("}", ">")


def _guards(auth: Value, scope: Scope) -> Iterator[Guard]:
    """One of the listed suffices: where one takes strangers for an `AnonymousUser`, none refuses."""
    listed = _listed(auth)
    if not any(map(_is_for_all, listed)):
        for one in listed:
            yield Guard(_name(one), scope, REFUSED)


def _is_for_all(value: Value) -> bool:
    """Does a class take everybody: whatever it is asked, it answers with an `AnonymousUser`?"""
    target = value.target if isinstance(value, Made) else None
    if not isinstance(target, Class) or "AnonymousUser(" not in unparse(target.node):
        return False
    nodes = list(ast.walk(target.node))
    answers = [unparse(node.value) for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    chooses = any(isinstance(node, ast.Raise | ast.If) for node in nodes)
    return not chooses and bool(answers) and all(one in ("request.user", "AnonymousUser()") for one in answers)


def _listed(value: Value) -> list[Value]:
    if value is None or value is UNKNOWN:
        return []
    return [one for one in value if one is not UNKNOWN] if isinstance(value, list | tuple) else [value]


def _name(value: Value) -> str:
    target = value.function if isinstance(value, Closure) else value.target if isinstance(value, Made) else value
    return target.name.rpartition(".")[2] if isinstance(target, Function | Class | External) else "auth"
