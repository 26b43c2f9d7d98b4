"""What frameworks without a model of their endpoints put into the parameters of the functions that answer requests.

Known by what makes a function a handler: the decorator with a path, the base class and the method's name, the names of the
parameters where these are the whole contract (`event, context` of a cloud function, `environ, start_response` of WSGI).
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from backendgen.audit.flow import sources
from backendgen.audit.flow.responses import routes
from backendgen.audit.flow.values import TEXT, Origin, Taint, Value, tainted
from backendgen.code.symbols import External, Function

if TYPE_CHECKING:
    from backendgen.audit.flow.engine import Engine

SEGMENT = TEXT | {"path", "redirect"}  # it is a text that holds no slash
GIVEN = frozenset({"request", "state", "scope", "socket", "headers", "cookies", "query"})  # by Litestar, as objects
METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
IN_PATH = {"bottle": re.compile(r"<(\w+)(?::(\w+))?[^>]*>"), "sanic": re.compile(r"<(\w+)(?::(\w+))?[^>]*>")}
NUMBERS = frozenset({"int", "float", "number", "uuid", "ymd"})
RESPONDER = re.compile(r"on_(?:get|post|put|patch|delete|head|options)(?:_\w+)?")
LAMBDA = ("event", "context")
WSGI = ("environ", "start_response")
DJANGO_ONLY = re.compile(r"\.(?:GET|POST|COOKIES|FILES|META)\b")
DJANGO, DRF = "django.http.HttpRequest", "rest_framework.request.Request"


def of_parameter(engine: Engine, function: Function, name: str) -> Value | None:
    """What a parameter of a handler holds; None when the function is no handler, or nothing is known of the parameter."""
    names = [each.arg for each in function.parameters]
    if function.owner is None:
        return _of_function(function, name, names)
    return _of_method(engine, function, name, names)


def of_rest(engine: Engine, function: Function) -> Value | None:
    """What `**kwargs` of a Django view's method holds: the parts of the path."""
    if function.owner is None or function.node.name not in METHODS:
        return None
    return sources.of_owner(engine, function.owner, "kwargs")


def _of_function(function: Function, name: str, names: list[str]) -> Value | None:
    bare = tuple(each.lstrip("_") for each in names)
    if bare == LAMBDA:
        return tainted(Origin("request", "the event")) if name == names[0] else None
    if bare == WSGI:
        return sources.an_environ() if name == names[0] else None
    if name == names[0] and _is_decorated(function, "api_view"):
        return Value(kind=External(DRF))
    if name == names[0] and name in ("request", "req") and DJANGO_ONLY.search(_text(function)):
        return Value(kind=External(DJANGO))
    if name not in GIVEN and routes(function) and sources.imports(function.module, "litestar"):
        return tainted(Origin("request", f"the parameter `{name}`"), safe=TEXT)
    return _in_path(function, name)


def _of_method(engine: Engine, function: Function, name: str, names: list[str]) -> Value | None:
    assert function.owner is not None
    place = names.index(name)
    if place == 0:
        return None
    if _is_decorated(function, "expose") and sources.imports(function.module, "cherrypy"):
        return tainted(Origin("request", f"the parameter `{name}`"), safe=TEXT)
    if RESPONDER.fullmatch(function.node.name) and sources.imports(function.module, "falcon"):
        return Value(kind=External("falcon.Request")) if place == 1 else _segment(name) if place > 2 else None
    bases = engine.symbols.bases(function.owner)
    if function.node.name in METHODS:
        if "tornado.web.RequestHandler" in bases:
            return _segment(name)
        if place == 1 and any(base.startswith(("rest_framework.", "django.views")) for base in bases):
            is_rest = any(base.startswith("rest_framework.") for base in bases)
            return Value(kind=External(DRF if is_rest else DJANGO))
    if place == 1 and function.node.name.startswith("render_") and "twisted.web.resource.Resource" in bases:
        return Value(kind=External("twisted.web.http.Request"))
    return None


def _in_path(function: Function, name: str) -> Value | None:
    """A part of the path that a decorator names: `@route("/users/<name>")`."""
    for framework, pattern in IN_PATH.items():
        if not sources.imports(function.module, framework):
            continue
        for path in routes(function):
            found = next((each for each in pattern.finditer(path) if each[1] == name), None)
            if found is not None and found[2] not in NUMBERS:
                whole = tainted(Origin("request", f"the path parameter `{name}`"), safe=TEXT)
                return whole if found[2] == "path" else _segment(name)
    return None


def _segment(name: str) -> Value:
    origin = Origin("request", f"the path parameter `{name}`")
    return Value((Taint(origin, (), SEGMENT),), whole=origin)


def _is_decorated(function: Function, *names: str) -> bool:
    made = (each.func if isinstance(each, ast.Call) else each for each in function.node.decorator_list)
    return any((each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "")) in names for each in made)


def _text(function: Function) -> str:
    return "\n".join(function.module.file.lines[function.node.lineno - 1 : function.node.end_lineno])
