"""Cookies, and what keeps them to the browser and the site that they are for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import named, snake
from backendgen.audit.checks.walk import called, hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import UNKNOWN, Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function, Module
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

SIGNS_IN = re.compile(
    r"sess|auth|token|jwt|(?:^|_)sid(?:_|$)|remember|log_?in|signed_?in|user(?:_?id|name)?(?:_|$)|credential|identity|account|refresh"
)
FOR_SCRIPTS = re.compile(
    r"csrf|xsrf|theme|lang|locale|time_?zone|(?:^|_)tz(?:_|$)|consent|banner|sidebar|last_|color|currency"
)
SETTING = re.compile(
    r"^(?:SESSION|REMEMBER|CSRF|JWT(?:_ACCESS|_REFRESH)?)_COOKIE_(?P<what>SECURE|HTTPONLY|HTTP_ONLY|SAMESITE)$"
)
DEVELOPMENT = re.compile(
    r"(?:^|[/_.-])(?:dev|develop|development|local|test|testing|tests|ci|debug|demo|example)(?:[/_.-]|$)", re.I
)
DEVELOPMENT_CLASS = re.compile(r"dev|local|test|debug", re.IGNORECASE)
SECURE, HTTP_ONLY, SAME_SITE = ("secure", 6), ("httponly", 7), ("samesite", 8)
STARLETTE = re.compile(r"^\s*(?:from|import)\s+(?:fastapi|starlette)\b", re.MULTILINE)
SESSIONS = frozenset({
    "starlette.middleware.sessions.SessionMiddleware", "fastapi.middleware.sessions.SessionMiddleware",
})  # fmt: skip


def _is_flag(use: Use) -> bool:
    """Is the value a constant, which everybody has?"""
    return isinstance(use.argument("value", 1), ast.Constant)


@check("BG227")
def cookie_over_http(context: Context) -> Iterator[Hit]:
    """Cookies that are sent without encryption."""
    for use, name, named_so in _cookies(context):
        signs_in = named_so and not _is_flag(use)
        given = use.argument(*SECURE)
        value = False if given is None else context.index.value(given, use.module, use.function)
        if value is False or value is None:
            sure = Confidence.MEDIUM if signs_in or given is not None else Confidence.LOW
            yield hit(
                use.module,
                use.call,
                f"{{who}} sets the cookie {name} without Secure: one request over http, and everybody on the "
                "way has it",
                "secure=True",
                Confidence.HIGH if signs_in and given is not None else sure,
            )


@check("BG228")
def cookie_for_scripts(context: Context) -> Iterator[Hit]:
    """Cookies that sign somebody in and that scripts may read."""
    for use, name, named_so in _cookies(context):
        signs_in = named_so and not _is_flag(use)
        if FOR_SCRIPTS.search(snake(name)):
            continue
        given = use.argument(*HTTP_ONLY)
        value = False if given is None else context.index.value(given, use.module, use.function)
        if value is False or value is None:
            yield hit(
                use.module,
                use.call,
                f"{{who}} sets the cookie {name} without HttpOnly: any script on the page, an injected one "
                "too, reads it",
                "httponly=True",
                Confidence.MEDIUM if signs_in else Confidence.LOW,
            )


@check("BG229")
def cookie_of_all_sites(context: Context) -> Iterator[Hit]:
    """Cookies that other sites' requests carry."""
    for use, name, signs_in in _cookies(context):
        given = use.argument(*SAME_SITE)
        value = context.index.value(given, use.module, use.function) if given is not None else None
        if given is None and use.module.file.mentions(STARLETTE):
            continue  # Lax by default
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            says_none = isinstance(value, str)
            how = "with SameSite=None" if says_none else "without SameSite"
            yield hit(
                use.module,
                use.call,
                f"{{who}} sets the cookie {name} {how}: requests that other sites make carry it",
                'samesite="lax"',
                Confidence.MEDIUM if says_none and signs_in else Confidence.LOW,
            )


def _cookies(context: Context) -> Iterator[tuple[Use, str, bool]]:
    """Yield the cookies that are set: the call, the cookie's name, and whether it signs somebody in."""
    for use in context.index.methods("set_cookie", "set_signed_cookie"):
        key = use.argument("key", 0) or use.argument("name")
        value = use.argument("value", 1)
        own = called(context, use.call, use.function) if use.function else None
        if key is None or value is None or use.is_open or isinstance(own, Function) or _deletes(context, use, value):
            continue
        name = context.index.value(key, use.module, use.function)
        shown = repr(name) if isinstance(name, str) else f"`{unparse(key)}`"
        told = f"{name if isinstance(name, str) else unparse(key)} {named(value)}"
        plain = snake(re.sub(r"[^A-Za-z0-9]+", "_", told))
        yield use, shown, SIGNS_IN.search(plain) is not None and FOR_SCRIPTS.search(plain) is None


def _deletes(context: Context, use: Use, value: ast.expr) -> bool:
    ends = (use.argument("max_age", 2), use.argument("expires", 3))
    return context.index.value(value, use.module, use.function) in ("", None) or any(
        context.index.value(end, use.module, use.function) == 0 for end in ends
    )


@check("BG230")
def session_cookie_unprotected(context: Context) -> Iterator[Hit]:
    """Settings that take the protection of a framework's own cookies away."""
    for each in context.index.assigned():
        name = named(each.target)
        if SETTING.match(name) and not _is_development(each.module, each.node):
            yield from _setting(context, name, each.value, each.module, each.node)
    for use in context.index.methods("update", "from_mapping"):
        if named(use.call.func.value) == "config":  # type: ignore[attr-defined]  # a method's call is an attribute's
            for one in use.call.keywords:
                if one.arg and SETTING.match(one.arg):
                    yield from _setting(context, one.arg, one.value, use.module, one.value)
    for use in context.index.methods("add_middleware"):
        kind = context.index.name_of(use.call.args[0], use.module, use.function) if use.call.args else ""
        if kind in SESSIONS and not use.is_open:
            yield from _middleware(context, use)
    yield from (one for use in context.index.calls(*SESSIONS) if not use.is_open for one in _middleware(context, use))


def _setting(context: Context, name: str, value: ast.expr, module: Module, node: ast.AST) -> Iterator[Hit]:
    given = context.index.value(value, module)
    found = SETTING.match(name)
    what = found["what"] if found else ""
    if what == "SAMESITE":
        is_off = given is not UNKNOWN and str(given).lower() == "none" and isinstance(given, str)
    else:
        is_off = given is False and not (what.startswith("HTTP") and name.startswith("CSRF"))
    if is_off:
        yield hit(
            module,
            node,
            f"`{name}` is {given!r}: {RISKS[what]}",
            f"`{name} = {'Lax' if what == 'SAMESITE' else True!r}`",
        )


RISKS = {
    "SECURE": "one request over http, and everybody on the way has the session",
    "HTTPONLY": "any script on a page, an injected one too, reads the session",
    "HTTP_ONLY": "any script on a page, an injected one too, reads the session",
    "SAMESITE": "requests that other sites make carry the session",
}


def _middleware(context: Context, use: Use) -> Iterator[Hit]:
    given = use.argument("https_only")
    value = False if given is None else context.index.value(given, use.module, use.function)
    if value is False:
        yield hit(
            use.module,
            use.call,
            "{who} installs SessionMiddleware without `https_only`: one request over http, and everybody on "
            "the way has the "
            "session",
            "https_only=True, or `https_only=settings.is_production`",
            Confidence.MEDIUM if given is None else Confidence.HIGH,
        )


def _is_development(module: Module, node: ast.AST) -> bool:
    """Is this a setting for development only, by its file or class?"""
    symbol = module.file.symbol_at(getattr(node, "lineno", 1))
    return DEVELOPMENT.search(module.file.path) is not None or DEVELOPMENT_CLASS.search(symbol) is not None
