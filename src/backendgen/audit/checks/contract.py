"""OpenAPI documents: who may call, what is promised, what is bounded. One weakness of a document is one finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from backendgen.audit.checks.access import OPEN_WORDS
from backendgen.audit.checks.drift import is_of_another_service, routes_of
from backendgen.audit.registry import Context, check
from backendgen.audit.service import is_declared_open
from backendgen.code.openapi import OpenAPI, Operation, Schema
from backendgen.code.trees import Node
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

Place: TypeAlias = tuple[str, int]
SHOWN = 4
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
RATE_HEADERS = ({"ratelimit"}, {"ratelimit-limit", "ratelimit-reset"}, {"x-ratelimit-limit"}, {"x-rate-limit-limit"})
PROBE = re.compile(r"/(?:health\w*|live(?:z|ness)?|ready(?:z)?|readiness|metrics|ping|status)/?$", re.IGNORECASE)
BOUNDED = frozenset({"uuid", "date", "date-time", "time", "duration", "ipv4", "ipv6"})
ENVIRONMENT = re.compile(r"local|sandbox|alpha|beta|test|stag|prod|next|dev|demo|preview", re.IGNORECASE)


def _documents(context: Context) -> Iterator[tuple[OpenAPI, Confidence | None]]:
    """The documents with the confidence that they leave: one of a service that is only called is not ours to mend."""
    for api in context.configuration.openapi:
        yield api, Confidence.LOW if is_of_another_service(context, api) else None


def _summed(
    api: OpenAPI,
    places: Sequence[Place],
    message: Callable[[str], str],
    fix: str,
    severity: Severity | None = None,
    confidence: Confidence | None = None,
) -> Iterator[Hit]:
    """One finding for all places of a document, at the first of them; `message` is given their names."""
    if not places:
        return
    names = list(dict.fromkeys(name for name, _ in places))
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    listed = ", ".join(f"`{name}`" for name in names[:SHOWN]) + more
    line = min(line for _, line in places)
    yield Hit(Location(api.path, line), message(listed), fix, names[0], severity=severity, confidence=confidence)


@check("BG601")
def operation_without_security(context: Context) -> Iterator[Hit]:
    """Operations for which the document asks nobody who calls."""
    for api, confidence in _documents(context):
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
            yield from _summed(
                api, [(one.name, one.line) for one in writes],
                lambda names: f"the document says that anyone may call {names}; the code asks who calls",
                fix, Severity.LOW, confidence or Confidence.LOW,
            )  # fmt: skip
        elif writes:
            why = "" if api.security_schemes else ": the document declares no security scheme at all"
            yield from _summed(
                api, [(one.name, one.line) for one in writes],
                lambda names, why=why: f"anyone may call {names}, which changes state{why}",  # type: ignore[misc]
                fix, None, confidence,
            )  # fmt: skip
        yield from _summed(
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
    for api, confidence in _documents(context):
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
    for api, confidence in _documents(context):
        for name, scheme in api.security_schemes.items():
            kind, place = scheme.word("type"), scheme.word("in")
            if kind == "apiKey" and place in ("query", "path"):
                message = (
                    f"security scheme `{name}` takes the key from the {place}: logs, histories and referrers keep it"
                )
                yield Hit(
                    Location(api.path, scheme.line), message, "in: header\nname: X-API-Key", name, confidence=confidence
                )
        found: list[Place] = [
            (f"{one.name} of {operation.name}", one.line)
            for operation in api.operations
            for one in operation.parameters
            if one.location in ("query", "path") and SECRET_NAME.search(one.name)
        ]
        sure = [place for place in found if not NO_SECRET.search(place[0])]
        yield from _summed(
            api, sure or found,
            lambda names: f"a secret is sent in the URL: {names}; logs, histories and referrers keep it",
            "take it from a header or the body", None, confidence or (None if sure else Confidence.LOW),
        )  # fmt: skip


@check("BG604")
def token_practices(context: Context) -> Iterator[Hit]:
    """JWT schemes that do not say which practices they keep, OAuth flows without refresh."""
    for api, _ in _documents(context):
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
    for api, _ in _documents(context):
        places = [
            (f"{one.name} of {operation.name}", one.line)
            for operation in api.operations
            for one in operation.parameters
            if ID_NAME.fullmatch(one.name) and api.resolve(one.schema).word("type") == "integer"
        ]
        yield from _summed(
            api,
            places,
            lambda names: f"identifiers that anyone can count through: {names}",
            "type: string\nformat: uuid",
        )


@check("BG606")
def served_without_tls(context: Context) -> Iterator[Hit]:
    """Servers whose addresses begin with http:// or ws://."""
    for api, confidence in _documents(context):
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


@check("BG607")
def open_object(context: Context) -> Iterator[Hit]:
    """Objects that take properties nobody declared."""
    for api, _ in _documents(context):
        keys = ("unevaluatedProperties",) if api.version >= (3, 1) else ("additionalProperties",)
        places = []
        for schema in api.schemas:
            for key in (*keys, "additionalProperties"):
                node = schema.node.get(key)
                if node is None or node.value is False or "object" not in schema.types:
                    continue
                if node.value is True or not schema.has("maxProperties"):
                    places.append((schema.name, node.line))
        yield from _summed(
            api, list(dict.fromkeys(places)),
            lambda names: f"objects that take any number of undeclared properties: {names}",
            "additionalProperties: false   # or maxProperties: a bound",
        )  # fmt: skip


def _of_type(api: OpenAPI, kind: str, is_wrong: Callable[[Schema], bool]) -> list[Place]:
    sent = {id(schema.node) for schema in api.inputs}
    found = [one for one in api.schemas if kind in one.types and is_wrong(one)]
    found.sort(key=lambda one: id(one.node) not in sent)  # what callers send first
    return [(one.name, one.line) for one in found]


@check("BG608")
def array_without_limit(context: Context) -> Iterator[Hit]:
    """Lists of any length."""
    for api, _ in _documents(context):
        places = _of_type(api, "array", lambda one: not one.has("maxItems"))
        yield from _summed(api, places, lambda names: f"lists of any length: {names}", "maxItems: 100")


@check("BG609")
def string_without_limit(context: Context) -> Iterator[Hit]:
    """Texts of any length or any form."""
    for api, _ in _documents(context):
        places = _of_type(api, "string", lambda one: not one.has("maxLength", "enum", "const") and not _is_bounded(one))
        yield from _summed(api, places, lambda names: f"texts of any length: {names}", "maxLength: 200")
        places = _of_type(api, "string", lambda one: not one.has("format", "pattern", "enum", "const"))
        yield from _summed(api, places, lambda names: f"texts of any form: {names}", "pattern: ...")


def _is_bounded(schema: Schema) -> bool:
    return schema.node.word("format") in BOUNDED


@check("BG610")
def integer_without_limit(context: Context) -> Iterator[Hit]:
    """Whole numbers without bounds or format."""
    for api, _ in _documents(context):
        is_open = _lacks_exact_bounds if api.version >= (3, 1) else _lacks_bounds
        places = _of_type(api, "integer", is_open)
        yield from _summed(api, places, lambda names: f"numbers without bounds: {names}", "minimum: 0\nmaximum: 1000")
        places = _of_type(api, "integer", lambda one: not one.has("format"))
        yield from _summed(api, places, lambda names: f"numbers of any size: {names}", "format: int32")


def _lacks_bounds(schema: Schema) -> bool:
    return not (schema.has("minimum") and schema.has("maximum"))


def _lacks_exact_bounds(schema: Schema) -> bool:
    lower, upper = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
    return any(schema.has(one) == schema.has(other) for one, other in (lower, upper))


@check("BG611")
def no_rate_limit_promised(context: Context) -> Iterator[Hit]:
    """No 429, no Retry-After, no rate limit headers."""
    for api, _ in _documents(context):
        limited = [one for one in api.operations if not PROBE.search(one.path)]  # a platform asks these, all the time
        missing = [(one.name, one.line) for one in limited if not _describes(api, one, "429")]
        yield from _summed(
            api,
            missing,
            lambda names: f"no answer 429 is described for {names}",
            'responses:\n  "429":\n    description: ...',
        )
        for code, wrong in (("429", _lacks_retry_after), ("", _lacks_rate_headers)):
            places = [
                (f"{one.name} {status}", node.line)
                for one in limited
                for status, node in one.responses
                if (status == code if code else status[:1] in "24") and wrong(node)
            ]
            header = "Retry-After" if code else "RateLimit"
            yield from _summed(
                api, places,
                lambda names, header=header: f"no header {header} is described for {names}",  # type: ignore[misc]
                f"headers:\n  {header}:\n    schema: ...",
            )  # fmt: skip


def _headers(response: Node) -> set[str]:
    headers = response.get("headers")
    return {name.lower() for name in headers.entries} if headers else set()


def _lacks_retry_after(response: Node) -> bool:
    return "retry-after" not in _headers(response)


def _lacks_rate_headers(response: Node) -> bool:
    return not any(wanted <= _headers(response) for wanted in RATE_HEADERS)


def _describes(api: OpenAPI, operation: Operation, *codes: str) -> bool:
    """Is one of these answers described, and what is in it (OpenAPI 3 calls that content, 2.0 schema)?"""
    listed = dict(operation.responses)
    found = next((listed[code] for code in codes if code in listed), None)
    return found is not None and bool(found.get("content") or found.get("schema"))


@check("BG612")
def no_error_answers(context: Context) -> Iterator[Hit]:
    """Answers to wrong, refused and failed requests that nobody described."""
    for api, _ in _documents(context):
        promised = [one for one in api.operations if not PROBE.search(one.path)]
        asked = [one for one in promised if one.security is None or not one.is_open]
        sent = [one for one in promised if one.parameters or one.node.get("requestBody")]
        wanted = (
            ("a refused caller (401)", asked, ("401",), True),
            ("a wrong request (400 or 422)", sent, ("400", "422", "4XX"), False),
            ("a failure (500)", promised, ("500",), True),
        )
        for what, operations, codes, needs_content in wanted:
            places = [
                (one.name, one.line)
                for one in operations
                if not (_describes(api, one, *codes) if needs_content else set(codes) & dict(one.responses).keys())
            ]
            yield from _summed(
                api, places,
                lambda names, what=what: f"the answer to {what} is not described for {names}",  # type: ignore[misc]
                f'responses:\n  "{codes[0]}":\n    description: ...\n    content: ...',
            )  # fmt: skip


@check("BG613")
def url_parameter(context: Context) -> Iterator[Hit]:
    """Parameters that carry an address which the server may call or send people to."""
    for api, _ in _documents(context):
        places = [
            (f"{one.name} of {operation.name}", one.line)
            for operation in api.operations
            for one in operation.parameters
            if URL_NAME.search(one.name)
        ]
        yield from _summed(
            api,
            places,
            lambda names: f"addresses chosen by callers: {names}",
            "compare the address with a list of allowed hosts",
        )


@check("BG614")
def no_cors_promised(context: Context) -> Iterator[Hit]:
    """Answers with headers, and no word on which websites may read them."""
    for api, _ in _documents(context):
        places = [
            (f"{one.name} {status}", node.line)
            for one in api.operations
            for status, node in one.responses
            if node.get("headers") and "access-control-allow-origin" not in _headers(node)
        ]
        yield from _summed(
            api, places, lambda names: f"no header Access-Control-Allow-Origin is described for {names}",
            "headers:\n  Access-Control-Allow-Origin:\n    schema: {type: string}",
        )  # fmt: skip


@check("BG615")
def admin_like_everyone(context: Context) -> Iterator[Hit]:
    """Administration that asks for no more than everything else."""
    for api, _ in _documents(context):
        admin = [one for one in api.operations if "/admin" in one.path.lower() and one.security]
        others = {needed for one in api.operations if one not in admin for needed in one.security or () if needed}
        places = [(one.name, one.line) for one in admin if any(needed in others for needed in one.security or ())]
        yield from _summed(
            api, places, lambda names: f"whoever may call the rest may call {names}, as the document says",
            "security:\n  - oauth2: [admin]",
        )  # fmt: skip


@check("BG616")
def servers_not_described(context: Context) -> Iterator[Hit]:
    """Servers of which nobody knows whom they are for."""
    for api, _ in _documents(context):
        listed = api.root.get("servers")
        for server in listed.items if listed else []:
            address, text = server.word("url"), server.word("description")
            if "://" not in address:
                continue  # wherever the document is read from: what that is, the document cannot say
            if server.get("x-internal") is None:
                yield _server(api, server, address, "does not say whom it is for", "x-internal: false")
            if not ENVIRONMENT.search(text):
                yield _server(api, server, address, "does not say which environment it is", "description: production")


def _server(api: OpenAPI, server: Node, address: str, wrong: str, fix: str) -> Hit:
    return Hit(Location(api.path, server.line), f"server `{address}` {wrong}", fix, address)
