"""OpenAPI documents: who may call, how callers show who they are, and what can be guessed or read on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

from backendgen.audit.checks.access import OPEN_WORDS
from backendgen.audit.checks.documents import Place, documents, summed
from backendgen.audit.checks.drift import routes_of
from backendgen.audit.registry import Context, check
from backendgen.audit.service import is_declared_open
from backendgen.code.openapi import OpenAPI, Operation, Parameter
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

WRITES = ("post", "put", "patch", "delete")
SECRET_NAME = re.compile(
    r"client_?secret|(?:^|_)token$|access_?token|refresh_?token|id_?token|password|(?:^|[_-])secret|api[_-]?key|auth_?token",
    re.IGNORECASE,
)
NO_SECRET = re.compile(r"page|cursor|next|continuation|sync|delta|reset|verif|invit|confirm|unsubscribe", re.IGNORECASE)
ID_NAME = re.compile(r"id|.*(?:_id|Id|-id)")
URL_NAME = re.compile(r"^(?:callback|redirect)|(?:_url|Url|-url|_uri|Uri|-uri)$")
LOCAL = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0|\[::1\]|host\.docker\.internal|.*\.(?:local|test|internal|example)$)"
)
CLEAR = {"http": "https", "ws": "wss", "ftp": "sftp"}


@check("BG601")
def operation_without_security(context: Context) -> Iterator[Hit]:
    """Operations for which the document asks nobody who calls."""
    for api, confidence in documents(context):
        open_ones = [one for one in api.operations if one.is_open and not _is_public(context, one)]
        writes = [one for one in open_ones if one.method in WRITES]
        reads = [one for one in open_ones if one.method in ("get", "head")]
        scheme = next(iter(api.security_schemes), "bearerAuth")
        fix = f"security:\n  - {scheme}: []" + (
            "" if api.security_schemes else "   # and the scheme in components.securitySchemes"
        )
        routes = routes_of(context, api) if writes else {}
        guarded = [one for one in writes if one.name in routes and routes[one.name].is_authenticated]
        if writes and len(guarded) * 2 >= len(writes):
            yield from summed(
                api, [(one.name, one.line) for one in writes],
                lambda names: f"the document says that anyone may call {names}; the code asks who calls",
                fix, Severity.LOW, confidence or Confidence.LOW,
            )  # fmt: skip
        elif writes:
            why = "" if api.security_schemes else ": the document declares no security scheme at all"
            yield from summed(
                api, [(one.name, one.line) for one in writes],
                lambda names, why=why: f"anyone may call {names}, which changes state{why}",  # type: ignore[misc]
                fix, None, confidence,
            )  # fmt: skip
        yield from summed(
            api, [(one.name, one.line) for one in reads],
            lambda names: f"anyone may read {names}, as the document says", fix, Severity.LOW, Confidence.LOW,
        )  # fmt: skip


def _is_public(context: Context, operation: Operation) -> bool:
    """Open on purpose, by the configuration, by its path, or because it says so itself: `security: []`."""
    says_so = operation.node.get("security") is not None
    return says_so or bool(OPEN_WORDS.search(operation.path)) or is_declared_open(operation.name, context.config.public)


@check("BG602")
def insecure_scheme(context: Context) -> Iterator[Hit]:
    """HTTP Basic, Negotiate, OAuth 1 and the flows that OAuth 2.1 takes away."""
    for api, confidence in documents(context):
        for name, scheme in api.security_schemes.items():
            kind, way = scheme.word("type").lower(), scheme.word("scheme").lower()
            wrong = ""
            if kind == "basic" or way == "basic":
                wrong = "HTTP Basic: the password goes with every request, and cannot be limited or taken back"
            elif way in ("negotiate", "oauth", "digest"):
                wrong = f"`{way}`, which is outdated"
            flows = scheme.get("flows")
            old = [flow for flow in ("implicit", "password") if flows is not None and flows.get(flow)]
            old += [flow for flow in ("implicit", "password") if scheme.word("flow") == flow]
            if not wrong and old:
                yield Hit(
                    Location(api.path, scheme.line),
                    f"security scheme `{name}` uses OAuth 2's {old[0]} flow, which RFC 9700 says must not be used",
                    "flows:\n  authorizationCode: ...   # with PKCE", name, severity=Severity.LOW, confidence=Confidence.LOW,
                )  # fmt: skip
            if wrong:
                fix = "type: http\nscheme: bearer"
                place = Location(api.path, scheme.line)
                yield Hit(place, f"security scheme `{name}` is {wrong}", fix, name, confidence=confidence)


@check("BG603")
def credential_in_url(context: Context) -> Iterator[Hit]:
    """API keys, tokens and passwords in paths and query strings."""
    for api, confidence in documents(context):
        for name, scheme in api.security_schemes.items():
            kind, place = scheme.word("type"), scheme.word("in")
            if kind == "apiKey" and place in ("query", "path"):
                message = (
                    f"security scheme `{name}` takes the key from the {place}: logs, histories and referrers keep it"
                )
                yield Hit(
                    Location(api.path, scheme.line), message, "in: header\nname: X-API-Key", name, confidence=confidence
                )
        found = _parameters(api, lambda one: one.location in ("query", "path") and bool(SECRET_NAME.search(one.name)))
        sure = [place for place in found if not NO_SECRET.search(place[0])]
        yield from summed(
            api, sure or found,
            lambda names: f"a secret is sent in the URL: {names}; logs, histories and referrers keep it",
            "take it from a header or the body", None, confidence or (None if sure else Confidence.LOW),
        )  # fmt: skip


def _parameters(api: OpenAPI, is_wanted: Callable[[Parameter], bool]) -> list[Place]:
    return [
        (f"{one.name} of {operation.name}", one.line)
        for operation in api.operations
        for one in operation.parameters
        if is_wanted(one)
    ]


@check("BG604")
def token_practices(context: Context) -> Iterator[Hit]:
    """JWT schemes that do not say which practices they keep, OAuth flows without refresh."""
    for api, _ in documents(context):
        for name, scheme in api.security_schemes.items():
            kind, form, text = scheme.word("type"), scheme.word("bearerFormat"), scheme.word("description")
            place = Location(api.path, scheme.line)
            if (kind == "oauth2" or form.lower() == "jwt") and "RFC8725" not in text.replace(" ", ""):
                message = (
                    f"security scheme `{name}` uses tokens, and its description does not say that RFC 8725 is kept"
                )
                yield Hit(
                    place,
                    message,
                    "description: Tokens are signed with one algorithm and verified as RFC8725 says.",
                    name,
                )
            flows = scheme.get("flows")
            for flow, node in flows.entries.items() if flows and kind == "oauth2" else ():
                if flow != "clientCredentials" and not node.get("refreshUrl"):
                    message = (
                        f"flow `{flow}` of `{name}` has no refreshUrl: access tokens that cannot be renewed live long"
                    )
                    yield Hit(Location(api.path, node.line), message, "refreshUrl: https://.../token", name)


@check("BG605")
def numeric_id(context: Context) -> Iterator[Hit]:
    """Identifiers that can be counted through."""
    for api, _ in documents(context):
        yield from summed(
            api,
            _parameters(api, partial(_is_counted, api)),
            lambda names: f"identifiers that anyone can count through: {names}",
            "type: string\nformat: uuid",
        )


def _is_counted(api: OpenAPI, parameter: Parameter) -> bool:
    return bool(ID_NAME.fullmatch(parameter.name)) and api.resolve(parameter.schema).word("type") == "integer"


@check("BG606")
def served_without_tls(context: Context) -> Iterator[Hit]:
    """Servers whose addresses begin with http:// or ws://."""
    for api, confidence in documents(context):
        for url, node in api.servers:
            scheme, separator, rest = url.partition("://")
            if not separator or scheme.lower() not in CLEAR or _is_local(rest):
                continue
            message = f"server `{url}` is reached without TLS: tokens and data can be read on the way"
            fix = f"{CLEAR[scheme.lower()]}://{rest}"
            yield Hit(Location(api.path, node.line), message, fix, url, confidence=confidence)


def _is_local(rest: str) -> bool:
    try:
        host = urlsplit(f"//{rest}").hostname or ""
    except ValueError:
        return False
    return bool(LOCAL.match(host)) or (bool(rest) and "." not in host and "{" not in host)


@check("BG613")
def url_parameter(context: Context) -> Iterator[Hit]:
    """Parameters that carry an address which the server may call or send people to."""
    for api, _ in documents(context):
        yield from summed(
            api,
            _parameters(api, lambda one: bool(URL_NAME.search(one.name))),
            lambda names: f"addresses chosen by callers: {names}",
            "compare the address with a list of allowed hosts",
        )


@check("BG615")
def admin_like_everyone(context: Context) -> Iterator[Hit]:
    """Administration that asks for no more than everything else."""
    for api, _ in documents(context):
        admin = [one for one in api.operations if "/admin" in one.path.lower() and one.security]
        others = {needed for one in api.operations if one not in admin for needed in one.security or () if needed}
        places = [(one.name, one.line) for one in admin if any(needed in others for needed in one.security or ())]
        yield from summed(
            api, places, lambda names: f"whoever may call the rest may call {names}, as the document says",
            "security:\n  - oauth2: [admin]",
        )  # fmt: skip
