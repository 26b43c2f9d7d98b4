"""What holds data from outside: the request objects of frameworks, by their type, wherever a function got them.

The attributes and methods that give data are listed by the words that messages use. What else an object has (the user that a
framework signed in, the method, the session) is not from the caller.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import ADDRESSES, HARMLESS, NOTHING, TEXT, Origin, Taint, Value, constant, tainted
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Module

if TYPE_CHECKING:
    from backendgen.audit.flow.engine import Engine

QUERY, FORM, BODY, HEADERS, COOKIES = "the query string", "the form", "the body", "the headers", "the cookies"
PATH, FILES, MESSAGE, HOST, INPUT = "the path", "the uploaded files", "the message", "the Host header", "the request"
UPLOAD = "werkzeug.datastructures.FileStorage"
DJANGO_UPLOAD = "django.core.files.uploadedfile.UploadedFile"
ENVIRON = "environ"
CONTENT = frozenset({"path", *ADDRESSES, *TEXT})  # a file's content is no path or address
OBJECTS = frozenset({BODY, MESSAGE})  # what may hold objects; the rest are texts


def _parts(**labels: str) -> dict[str, str]:
    """Attribute -> label, of "label: names of attributes"."""
    return {name: label for label, names in _words(labels) for name in names.split()}


def _words(labels: dict[str, str]) -> list[tuple[str, str]]:
    known = {"query": QUERY, "form": FORM, "body": BODY, "headers": HEADERS, "cookies": COOKIES, "path": PATH,
             "files": FILES, "message": MESSAGE, "host": HOST, "input": INPUT, "environ": ENVIRON}  # fmt: skip
    return [(known[label], names) for label, names in labels.items()]


_STARLETTE = _parts(
    query="query_params", headers="headers", cookies="cookies", path="path_params url", body="json body stream",
    form="form", message="receive_text receive_json receive_bytes iter_text iter_json iter_bytes", host="base_url",
)  # fmt: skip
_FLASK = _parts(
    query="args query_string", form="form", input="values", cookies="cookies",
    headers="headers referrer user_agent authorization content_type mimetype", files="files",
    path="path full_path url view_args", body="json get_json data get_data stream",
    host="host host_url url_root base_url", environ="environ",
)  # fmt: skip
_DJANGO = _parts(
    query="GET", form="POST", headers="headers content_type", cookies="COOKIES get_signed_cookie",
    body="body read readlines", files="FILES",
    path="path path_info get_full_path get_full_path_info build_absolute_uri get_raw_uri",
    environ="META",
)  # fmt: skip
_DRF = {**_DJANGO, **_parts(body="data", query="query_params QUERY_PARAMS")}
_AIOHTTP = _parts(
    query="query query_string", headers="headers", cookies="cookies", path="match_info path path_qs raw_path rel_url url",
    body="json text read content multipart", form="post", host="host",
)  # fmt: skip
_TORNADO = _parts(
    input="get_argument get_arguments", query="get_query_argument get_query_arguments",
    body="get_body_argument get_body_arguments", cookies="get_cookie", path="path_args path_kwargs",
)  # fmt: skip
_TORNADO_REQUEST = _parts(
    input="arguments", query="query query_arguments", body="body body_arguments", headers="headers", cookies="cookies",
    path="path uri", files="files", host="host",
)  # fmt: skip
_BOTTLE = _parts(
    query="query GET query_string", form="forms POST", input="params", headers="headers", cookies="cookies get_cookie",
    body="json body", path="path url url_args fullpath", files="files", environ="environ",
)  # fmt: skip
_SANIC = _parts(
    query="args query_args query_string get_args", form="form get_form", headers="headers", cookies="cookies",
    body="json body", path="path match_info url", files="files", host="host",
)  # fmt: skip
_FALCON = _parts(
    query="params get_param get_param_as_list query_string", body="media get_media bounded_stream stream",
    headers="headers get_header",
    cookies="cookies", path="path relative_uri uri url", host="host",
)  # fmt: skip
_PYRAMID = _parts(
    query="GET query_string", form="POST", input="params", headers="headers", cookies="cookies",
    body="json_body json body text",
    path="matchdict path path_info url path_qs", host="host host_url", environ="environ",
)  # fmt: skip

_CHERRYPY = _parts(
    input="params", query="query_string", headers="headers", cookies="cookie", body="json body", path="path_info",
)  # fmt: skip
_TWISTED = _parts(
    input="args", headers="getHeader requestHeaders getAllHeaders", cookies="getCookie received_cookies", body="content",
    path="path uri prepath postpath", host="getRequestHostname",
)  # fmt: skip
_SERVER = _parts(path="path requestline", headers="headers", body="rfile")

REQUESTS: dict[str, dict[str, str]] = {
    **dict.fromkeys(
        ("fastapi.Request", "fastapi.requests.Request", "starlette.requests.Request", "fastapi.WebSocket",
         "starlette.websockets.WebSocket", "fastapi.websockets.WebSocket", "starlette.requests.HTTPConnection",
         "fastapi.requests.HTTPConnection", "litestar.Request", "starlite.Request"), _STARLETTE),
    **dict.fromkeys(
        ("flask.Request", "flask.wrappers.Request", "quart.Request", "quart.wrappers.Request", "werkzeug.Request",
         "werkzeug.wrappers.Request", "connexion.request"), _FLASK),
    **dict.fromkeys(
        ("django.http.HttpRequest", "django.http.request.HttpRequest", "django.core.handlers.wsgi.WSGIRequest",
         "django.core.handlers.asgi.ASGIRequest"), _DJANGO),
    "rest_framework.request.Request": _DRF, "ninja.request.HttpRequest": _DJANGO,
    "aiohttp.web.Request": _AIOHTTP, "aiohttp.web.BaseRequest": _AIOHTTP, "aiohttp.web_request.Request": _AIOHTTP,
    "tornado.web.RequestHandler": _TORNADO, "tornado.httputil.HTTPServerRequest": _TORNADO_REQUEST,
    "http.server.BaseHTTPRequestHandler": _SERVER, "http.server.SimpleHTTPRequestHandler": _SERVER,
    "bottle.Request": _BOTTLE, "sanic.Request": _SANIC, "sanic.request.Request": _SANIC, "falcon.Request": _FALCON,
    "falcon.asgi.Request": _FALCON, "pyramid.request.Request": _PYRAMID, "webob.Request": _PYRAMID,
    "cherrypy.request": _CHERRYPY, "twisted.web.http.Request": _TWISTED, "twisted.web.server.Request": _TWISTED,
}  # fmt: skip
TEXT_FIELD = re.compile(r"wtforms\.(?:[\w.]+\.)?(?:String|TextArea|Hidden|Password|URL|Email|Search|Tel)Field$")
GLOBALS = {
    "flask.request": "flask.Request", "flask.globals.request": "flask.Request", "quart.request": "flask.Request",
    "bottle.request": "bottle.Request", "connexion.request": "flask.Request",
    "cherrypy.request": "cherrypy.request",
}  # fmt: skip
SESSION = Value(kind=External("session"))
SESSIONS = frozenset({"flask.session", "quart.session", "flask.globals.session"})
UPLOADS = frozenset({
    "fastapi.UploadFile", "starlette.datastructures.UploadFile", "fastapi.datastructures.UploadFile", UPLOAD,
    "django.core.files.uploadedfile.UploadedFile", "django.core.files.uploadedfile.InMemoryUploadedFile",
    "django.core.files.uploadedfile.TemporaryUploadedFile", "django.core.files.base.File",
})  # fmt: skip
NAMES_OF_UPLOAD = frozenset({"filename", "name", "raw_filename", "content_type", "headers"})
CONTENT_OF_UPLOAD = frozenset({"read", "readlines", "readline", "chunks", "stream", "file", "body", "getvalue"})
META_HARMLESS = frozenset({"REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "REQUEST_METHOD", "CONTENT_LENGTH"})

# the type of the parameter that is called `request`, where a file imports the framework and an annotation does not say
CONVENTIONS = (
    ("rest_framework", "rest_framework.request.Request"), ("django", "django.http.HttpRequest"),
    ("aiohttp.web", "aiohttp.web.Request"), ("aiohttp", "aiohttp.web.Request"), ("starlette", "starlette.requests.Request"),
    ("sanic", "sanic.Request"), ("pyramid", "pyramid.request.Request"),
)  # fmt: skip
OWNERS = (  # what `self.request` is in classes with such a base
    ("rest_framework.", "rest_framework.request.Request"), ("django.contrib.auth.views", "django.http.HttpRequest"),
    ("django.views", "django.http.HttpRequest"), ("django.contrib.formtools", "django.http.HttpRequest"),
    ("aiohttp.web.View", "aiohttp.web.Request"), ("tornado.web.RequestHandler", "tornado.httputil.HTTPServerRequest"),
)  # fmt: skip
TASKS = frozenset(
    {"celery.shared_task", "celery.task", "dramatiq.actor", "django_rq.job", "huey.task", "rq.decorators.job"}
)
QUEUES = ("celery", "dramatiq", "procrastinate", "huey", "taskiq", "arq")
RESOLVERS = ("graphene", "graphene_django", "ariadne", "strawberry")


def read(kind: str, name: str) -> Value | None:
    """Return what an attribute or method of an outside object gives, or None when the type holds no data from outside."""
    if kind in UPLOADS:
        return of_upload(kind, name)
    if name == "data" and TEXT_FIELD.match(kind):
        return tainted(Origin("request", FORM), safe=TEXT)
    parts = REQUESTS.get(kind)
    if parts is None:
        return None
    if name == "session":
        return SESSION
    label = parts.get(name)
    if label is None:
        return (
            Value(kind=External("tornado.httputil.HTTPServerRequest"))
            if parts is _TORNADO and name == "request"
            else NOTHING
        )
    if label == ENVIRON:
        return an_environ()
    if label == FILES:
        return Value(items={"[]": an_upload(DJANGO_UPLOAD if "META" in parts else UPLOAD)})
    safe = frozenset() if label in OBJECTS else TEXT | ADDRESSES if label == PATH else TEXT
    return tainted(Origin("request", label), safe=safe)


def an_environ() -> Value:
    """The environment of a WSGI request."""
    origin = Origin("request", HEADERS)
    return Value((Taint(origin),), kind=External("wsgi.environ"), whole=origin)


def an_upload(kind: str) -> Value:
    """An uploaded file: given to what reads files, it is its content."""
    return replace(tainted(Origin("request", "the uploaded file"), kind=External(kind), safe=CONTENT), whole=None)


def of_upload(kind: str, name: str) -> Value:
    """What an uploaded file gives: its name and its content are the caller's. Django keeps only the name's last part."""
    if name in NAMES_OF_UPLOAD:
        origin = Origin("request", "the name of the uploaded file" if "name" in name else "the uploaded file")
        is_last = kind.startswith("django.")
        return tainted(origin, safe=frozenset({"path"}) if is_last else frozenset())
    if name in CONTENT_OF_UPLOAD:
        return tainted(Origin("request", "the uploaded file"), safe=CONTENT)
    return NOTHING


def environ(key: object) -> Value | None:
    """An entry of META or environ that the server sets itself."""
    return HARMLESS if key in META_HARMLESS else None


def of_name(name: str) -> Value | None:
    """Return what a dotted outside name means when it is, or is a part of, a framework's request of the moment."""
    if name in SESSIONS:
        return SESSION
    for known, kind in GLOBALS.items():
        if name == known:
            return Value(kind=External(kind))
        if name.startswith(known) and name[len(known)] == ".":
            first, _, rest = name[len(known) + 1 :].partition(".")
            return read(kind, first) if not rest else None
    return None


def is_part_of_request(name: str) -> bool:
    """Is this dotted outside name an attribute of a framework's request of the moment?"""
    return name.startswith(tuple(GLOBALS))


def of_parameter(function: Function, name: str) -> Value | None:
    """What a parameter without an annotation holds by a framework's convention."""
    if name == "request":
        kind = next((kind for base, kind in CONVENTIONS if imports(function.module, base)), None)
        if kind is None:
            return None
        wanted = kind
        if kind.startswith("rest_framework") and function.owner is None and not _is_api_view(function):
            wanted = "django.http.HttpRequest"
        return Value(kind=External(wanted))
    if _is_resolver(function) and name not in [each.arg for each in function.parameters[:2]]:
        return tainted(Origin("request", f"the argument `{name}` of the GraphQL field"))
    return None


def imports(module: Module, name: str) -> bool:
    """Does a file import a package or something of it?"""
    if any(base == name or base.startswith(f"{name}.") for base in module.stars):
        return True
    return any(f"{base}.{part}".startswith((f"{name}.", name)) and (base == name or base.startswith(f"{name}.")
               or f"{base}.{part}" == name) for base, part in module.imports.values())  # fmt: skip


def of_owner(engine: Engine, owner: Class, name: str) -> Value | None:
    """What a framework sets on the instances of its class-based views: `self.request`, `self.kwargs`."""
    bases = engine.symbols.bases(owner)
    for base in bases:
        if name in REQUESTS.get(base, ()):
            return read(base, name)
    if name not in ("request", "kwargs"):
        return None
    if name == "request" and imports(owner.module, "pyramid"):
        return Value(kind=External("pyramid.request.Request"))
    for start, kind in OWNERS:
        if any(base.startswith(start) for base in bases):
            if name == "request":
                return Value(kind=External(kind))
            origin = Origin("request", PATH)
            return Value((Taint(origin, (), frozenset({"path"})),), whole=origin)
    return None


def _is_api_view(function: Function) -> bool:
    return any("api_view" in unparse(each) or "action" in unparse(each) for each in function.node.decorator_list)


def _is_resolver(function: Function) -> bool:
    """`def resolve_user(root, info, id)`, `def mutate(root, info, **input)`."""
    names = [each.arg for each in function.parameters]
    if len(names) < 2 or names[1] != "info":
        return False
    return any(imports(function.module, name) for name in RESOLVERS)


def is_task(engine: Engine, function: Function) -> bool:
    """Is this run by a queue, with what somebody put into it?"""
    for decorator in function.node.decorator_list:
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        kind = engine.symbols.value(made, function.module, function.outer)
        if isinstance(kind, External) and kind.name in TASKS:
            return True
        if isinstance(made, ast.Attribute) and made.attr in ("task", "actor"):
            return any(imports(function.module, queue) for queue in QUEUES)
    return False


def fixed_path(function: Function) -> Value | None:
    """The path that a Flask view is asked for, when its routes have no variable part."""
    from backendgen.audit.flow.responses import is_view, routes

    found = routes(function) if is_view(function) else []
    if not found or any("<" in path for path in found):
        return None
    return constant(found[0]) if len(found) == 1 else HARMLESS
