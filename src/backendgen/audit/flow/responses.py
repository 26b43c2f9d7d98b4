"""What is sent as HTML: a text from Flask, a Django HttpResponse unless it says otherwise; a FastAPI return is JSON."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from backendgen.audit.flow.values import NOTHING, UNKNOWN, Value
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function

VERBS = frozenset({"route", "get", "post", "put", "patch", "delete"})
HTML_BY_DEFAULT = frozenset({
    "flask.Response", "flask.make_response", "flask.wrappers.Response", "quart.Response", "quart.make_response",
    "werkzeug.Response", "werkzeug.wrappers.Response", "django.http.HttpResponse", "django.http.response.HttpResponse",
    "django.http.StreamingHttpResponse", "django.http.HttpResponseNotFound", "django.http.HttpResponseBadRequest",
    "django.http.HttpResponseForbidden", "django.http.HttpResponseServerError", "django.http.HttpResponseNotAllowed",
    "django.shortcuts.HttpResponse", "fastapi.responses.HTMLResponse", "starlette.responses.HTMLResponse",
    "sanic.response.html", "litestar.response.HTML", "tornado.web.RequestHandler.write", "tornado.web.RequestHandler.finish",
    "pyramid.response.Response", "webob.Response", "bottle.HTTPResponse", "django.http.response.HttpResponseBadRequest",
    "django.http.response.HttpResponseNotFound", "django.http.response.HttpResponseForbidden",
})  # fmt: skip
BY_TYPE = frozenset(
    {"fastapi.Response", "fastapi.responses.Response", "starlette.responses.Response", "aiohttp.web.Response"}
)
TYPES = ("content_type", "mimetype", "media_type")
BODIES = ("content", "response", "body", "text")


def html_body(name: str, positional: list[Value], keywords: Mapping[str, Value]) -> Value | None:
    """The body that a call sends as HTML; None when it is no response, or one of another type."""
    if name not in HTML_BY_DEFAULT and name not in BY_TYPE:
        return None
    declared = next((keywords[key] for key in TYPES if key in keywords), None)
    if declared is None and name.startswith("django.") and len(positional) > 1:
        declared = positional[1]
    if declared is None and name in BY_TYPE:
        return None
    if declared is not None and not _is_html(declared):
        return None
    if names_type(keywords.get("headers", NOTHING)):
        return None
    given = positional[0] if positional else next((keywords[key] for key in BODIES if key in keywords), None)
    if given is not None and given.items and name.endswith("make_response") and 0 in given.items:
        return None if any(names_type(part) for part in given.items.values()) else given.items[0]
    return given


def written(name: str, response: Value, positional: list[Value]) -> Value | None:
    """What `response.write(text)` of Django adds to a body that is sent as HTML."""
    made, _, method = name.rpartition(".")
    if method != "write" or not made.startswith("django.") or made not in HTML_BY_DEFAULT or not positional:
        return None
    made_with = response.items or {}
    declared = next((made_with[key] for key in TYPES if key in made_with), None)
    return positional[0] if declared is None or _is_html(declared) else None


def _is_html(declared: Value) -> bool:
    return isinstance(declared.const, str) and ("html" in declared.const or "svg" in declared.const)


def names_type(headers: Value) -> bool:
    """Do headers say what the body is, and not that it is HTML?"""
    for key, value in (headers.items or {}).items():
        if isinstance(key, str) and key.lower() == "content-type":
            return not (value.const is UNKNOWN or _is_html(value))
    return False


def sets_type(function: Function | None) -> bool:
    """Does a function set the type of a response after it is made?"""
    if function is None:
        return False
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call) and _names_type(node):
            return True
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in (*TYPES, "headers"):
                return True
            if isinstance(target, ast.Subscript) and unparse(target.slice).strip("'\"").lower() == "content-type":
                return True
    return False


def _names_type(call: ast.Call) -> bool:
    """`self.set_header("Content-Type", ...)` of Tornado."""
    is_header = isinstance(call.func, ast.Attribute) and call.func.attr == "set_header"
    name = call.args[0] if is_header and call.args else None
    return isinstance(name, ast.Constant) and str(name.value).lower() == "content-type"


def is_whole_body(value: Value) -> bool:
    """Is this a JSON body as it came, and not a part of it?"""
    return value.whole is not None and value.whole.name == "the body" and not value.whole.path


def is_view(function: Function) -> bool:
    """Is this a view of Flask or a framework like it, which sends a returned text as HTML?"""
    module = function.module
    bases = (*(base for base, _ in module.imports.values()), *module.stars)
    return bool(routes(function)) and any(base.split(".")[0] in ("flask", "quart", "bottle") for base in bases)


def routes(function: Function) -> list[str]:
    """The paths that a function's decorators say it answers."""
    found = []
    for decorator in function.node.decorator_list:
        if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute | ast.Name):
            continue
        name = decorator.func.attr if isinstance(decorator.func, ast.Attribute) else decorator.func.id
        if name in VERBS and decorator.args and isinstance(decorator.args[0], ast.Constant):
            found.append(str(decorator.args[0].value))
    return found
