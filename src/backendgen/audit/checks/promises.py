"""OpenAPI documents: answers, headers and servers that are not described."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.audit.checks.documents import documents, summed
from backendgen.audit.registry import Context, check
from backendgen.code.openapi import OpenAPI, Operation
from backendgen.code.trees import Node
from backendgen.findings.finding import Hit, Location

RATE_HEADERS = ({"ratelimit"}, {"ratelimit-limit", "ratelimit-reset"}, {"x-ratelimit-limit"}, {"x-rate-limit-limit"})
PROBE = re.compile(r"/(?:health\w*|live(?:z|ness)?|ready(?:z)?|readiness|metrics|ping|status)/?$", re.IGNORECASE)
ENVIRONMENT = re.compile(r"local|sandbox|alpha|beta|test|stag|prod|next|dev|demo|preview", re.IGNORECASE)


@check("BG611")
def no_rate_limit_promised(context: Context) -> Iterator[Hit]:
    """No 429, no Retry-After, no rate limit headers."""
    for api, _ in documents(context):
        limited = [one for one in api.operations if not PROBE.search(one.path)]  # a platform asks these, all the time
        missing = [(one.name, one.line) for one in limited if not _describes(one, "429")]
        yield from summed(
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
            yield from summed(
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


def _describes(operation: Operation, *codes: str) -> bool:
    """Is one of these answers described, and what is in it (OpenAPI 3 calls that content, 2.0 schema)?"""
    listed = dict(operation.responses)
    found = next((listed[code] for code in codes if code in listed), None)
    return found is not None and bool(found.get("content") or found.get("schema"))


@check("BG612")
def no_error_answers(context: Context) -> Iterator[Hit]:
    """Answers to wrong, refused and failed requests that nobody described."""
    for api, _ in documents(context):
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
                if not (_describes(one, *codes) if needs_content else set(codes) & dict(one.responses).keys())
            ]
            yield from summed(
                api, places,
                lambda names, what=what: f"the answer to {what} is not described for {names}",  # type: ignore[misc]
                f'responses:\n  "{codes[0]}":\n    description: ...\n    content: ...',
            )  # fmt: skip


@check("BG614")
def no_cors_promised(context: Context) -> Iterator[Hit]:
    """Answers with headers, and no word on which websites may read them."""
    for api, _ in documents(context):
        places = [
            (f"{one.name} {status}", node.line)
            for one in api.operations
            for status, node in one.responses
            if node.get("headers") and "access-control-allow-origin" not in _headers(node)
        ]
        yield from summed(
            api, places, lambda names: f"no header Access-Control-Allow-Origin is described for {names}",
            "headers:\n  Access-Control-Allow-Origin:\n    schema: {type: string}",
        )  # fmt: skip


@check("BG616")
def servers_not_described(context: Context) -> Iterator[Hit]:
    """Servers of which nobody knows whom they are for."""
    for api, _ in documents(context):
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
