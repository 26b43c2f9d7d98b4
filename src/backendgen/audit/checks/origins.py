"""Which websites may call with a user's credentials."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from backendgen.audit.checks.walk import hit, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function
from backendgen.findings.finding import Hit

CORS = frozenset({"fastapi.middleware.cors.CORSMiddleware", "starlette.middleware.cors.CORSMiddleware"})
ORIGIN = re.compile(
    r"(?:\w+\.)*request\.(?:(?:headers|META|environ)(?:\.get\(['\"](?:HTTP_)?ORIGIN['\"].*\)|\[['\"](?:HTTP_)?ORIGIN['\"]\])|origin)",
    re.IGNORECASE,
)
OPEN_DOT = re.compile(r"(?<!\\)\.(?=[A-Za-z0-9-])")
CLASSES = re.compile(r"\[[^\]]*\]|\(\?[a-zA-Z:=!<]+")


@check("BG304")
def any_origin(context: Context) -> Iterator[Hit]:
    """Every website let in, with the user's credentials."""
    for use in (*_middlewares(context), *_described(context)):
        origins = context.index.value(use.argument("allow_origins"), use.module, use.function)
        pattern = context.index.value(use.argument("allow_origin_regex"), use.module, use.function)
        if (isinstance(origins, list) and "*" in origins) or pattern == ".*":
            yield hit(
                use.module,
                use.call,
                "{who} lets every website call with the user's cookies: any page that a signed-in user visits acts as them",
                'allow_origins=["https://app.example.com"]; without cookies, leave allow_credentials off',
            )
    for module in context.index.modules:
        if module.file.mentions("Access-Control-Allow-Credentials"):
            for function in module.functions:
                yield from _echoed(function)


def _echoed(function: Function) -> Iterator[Hit]:
    """A function that answers with the caller's own Origin and lets credentials through, and asks nothing about it."""
    nodes = list(own_nodes(function))
    headers = dict(_headers(nodes))
    origin = headers.get("access-control-allow-origin")
    if origin is None or "access-control-allow-credentials" not in headers:
        return
    read = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and ORIGIN.fullmatch(unparse(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    is_echo = ORIGIN.fullmatch(unparse(origin)) is not None or (isinstance(origin, ast.Name) and origin.id in read)
    asks = (node for node in nodes if isinstance(node, ast.Compare) or (isinstance(node, ast.Call) and node.args))
    if is_echo and not any(_asks(node, read) for node in asks):
        yield hit(
            function.module,
            origin,
            "{who} lets every website call with the user's cookies: it answers with whatever Origin a request names",
            "if origin in ALLOWED_ORIGINS: before the header is set, with the addresses written out",
        )


def _headers(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """The headers that are set: `response["Name"] = value`, `response.headers["Name"] = value`."""
    for node in nodes:
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                assert isinstance(node, ast.Assign)
                yield str(target.slice.value).lower(), node.value


def _asks(node: ast.AST, origins: set[str]) -> bool:
    """Is the origin compared, or handed to something that may judge it?"""
    parts = [node] if isinstance(node, ast.Compare) else node.args if isinstance(node, ast.Call) else []
    names = (one for part in parts for one in ast.walk(part))
    return any(
        (isinstance(one, ast.Name) and one.id in origins)
        or (isinstance(one, ast.Call) and ORIGIN.fullmatch(unparse(one)))
        for one in names
    )


@check("BG331")
def loose_origin(context: Context) -> Iterator[Hit]:
    """Patterns of origins that others fit too, and the origin `null`."""
    for use in _middlewares(context):
        origins = context.index.value(use.argument("allow_origins"), use.module, use.function)
        pattern = context.index.value(use.argument("allow_origin_regex"), use.module, use.function)
        if isinstance(origins, list) and "null" in origins:
            message = (
                "{who} lets the origin `null` call with the user's cookies: any page sends it from a sandboxed frame"
            )
            yield hit(use.module, use.call, message, "take `null` out of allow_origins")
        if isinstance(pattern, str) and pattern != ".*" and OPEN_DOT.search(CLASSES.sub("", pattern)):
            yield hit(
                use.module,
                use.call,
                f"{{who}} lets origins call that fit `{pattern}`: a `.` stands for any letter, so others' names fit too",
                'escape the dots: r"https://[a-z0-9-]+\\.example\\.com"',
            )


def _middlewares(context: Context) -> Iterator[Use]:
    """Yield the CORS middlewares that let credentials through, or as one of the project's own classes was told to."""
    is_told = any(True for _ in _described(context))
    for use in (
        *context.index.methods("add_middleware"),
        *context.index.calls("starlette.middleware.Middleware", *CORS),
    ):
        kind = context.index.name_of(use.call.args[0], use.module, use.function) if use.call.args else ""
        given = use.argument("allow_credentials")
        allows = context.index.value(given, use.module, use.function)
        is_passed_on = is_told and isinstance(given, ast.Attribute) and given.attr == "allow_credentials"
        if (kind in CORS or use.name in CORS) and (allows is True or is_passed_on):
            yield use


def _described(context: Context) -> Iterator[Use]:
    """Yield what the project's own classes are told in the middleware's words, to make one of it."""
    for module in context.index.modules:
        if "allow_credentials" not in module.file.text:
            continue
        for owner in module.classes:
            fields = module.members.get(id(owner.node), {})
            if {"allow_origins", "allow_credentials"} <= fields.keys():
                for use in context.index.named(owner.name):
                    if context.index.value(use.argument("allow_credentials"), use.module, use.function) is True:
                        yield use
