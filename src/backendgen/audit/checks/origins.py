"""Which websites may call with a user's credentials."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.findings.finding import Hit

CORS = frozenset({"fastapi.middleware.cors.CORSMiddleware", "starlette.middleware.cors.CORSMiddleware"})
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
