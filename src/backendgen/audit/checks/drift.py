"""An OpenAPI document beside the code that it describes: which route is which operation, and what only one of them has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint
from backendgen.code.openapi import OpenAPI
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

_HOLE = re.compile(r"\{[^}]*\}|<[^>]*>|\(\?P<[^>]*>[^)]*\)")
SHOWN = 6
MANY = 10  # routes that a document lacks, and it was left behind
OWN_PAGES = re.compile(r"/(?:docs|redoc|openapi|swagger|health|healthz|ready|readyz|livez|metrics|ping|static|favicon)")


def normal(path: str) -> str:
    """Return a path as all its spellings are compared: parameters without their names, no slash at the end."""
    return _HOLE.sub("{}", path).rstrip("/$").lstrip("^") or "/"


def _routes(context: Context) -> dict[tuple[str, str], Endpoint]:
    return {(one.method, normal(one.path)): one for one in context.service.endpoints}


def prefix_of(api: OpenAPI, paths: frozenset[str]) -> tuple[str, float]:
    """Return what the code's paths have before the document's, and the share of the document's that are found so."""
    written = [normal(path) for path in api.paths]
    if not written or not paths:
        return "", 0.0
    tails: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split("/")
        for start in range(1, len(parts)):
            tails.setdefault("/" + "/".join(parts[start:]), []).append("/".join(parts[:start]))
    found = Counter(before for path in written for before in tails.get(path, ()))
    best = max(found, key=lambda before: (found[before], -len(before)), default="")
    return best, found[best] / len(written)


def _described(context: Context, api: OpenAPI) -> tuple[str, float]:
    return prefix_of(api, frozenset(normal(one.path) for one in context.service.endpoints))


def is_of_another_service(context: Context, api: OpenAPI) -> bool:
    """Does the code have endpoints, and the document none of them? Then it is of a service that is called."""
    return len(context.service.endpoints) > 3 and _described(context, api)[1] < 0.1


def routes_of(context: Context, api: OpenAPI) -> dict[str, Endpoint]:
    """Return the endpoints that a document's operations describe, by the operations' names."""
    before, _ = _described(context, api)
    routes = _routes(context)
    found = ((one.name, routes.get((one.method.upper(), before + normal(one.path)))) for one in api.operations)
    return {name: route for name, route in found if route is not None}


@check("BG617")
def undocumented_route(context: Context) -> Iterator[Hit]:
    """Routes that the service has and its document does not."""
    routes = _routes(context)
    describing = [
        (api, before) for api in context.configuration.openapi if (before := _prefix(context, api)) is not None
    ]
    if not describing:
        return
    known = {(one.method.upper(), before + normal(one.path)) for api, before in describing for one in api.operations}
    missing = [
        one for key, one in routes.items()
        if key not in known and one.mounted and one.method not in ("HEAD", "OPTIONS") and not OWN_PAGES.search(one.path)
        and any(one.path.startswith(before) for _, before in describing)
    ]  # fmt: skip
    if not missing:
        return
    paths = " and ".join(f"`{api.path}`" for api, _ in describing)
    is_old = len(missing) > min(len(routes) / 4, MANY)  # most of all a document that was left behind, or one of a part
    for one in missing[: 1 if is_old else None]:
        served = f"{len(missing)} endpoints, `{one.name}` first, are served" if is_old else f"`{one.name}` is served"
        yield Hit(
            one.location, f"{served}, and {paths} lists nothing of it: nobody reviews what is not listed",
            f"add {one.path} to the document, or take the route away", one.name,
            confidence=Confidence.LOW if is_old else None,
        )  # fmt: skip


@check("BG618")
def operation_without_route(context: Context) -> Iterator[Hit]:
    """Operations of a document that no route of the service answers."""
    routes = _routes(context)
    for api in context.configuration.openapi:
        before = _prefix(context, api)
        if before is None:
            continue
        tails = {(method, _tail(path)) for method, path in routes}
        missing = [
            one for one in api.operations
            if (one.method.upper(), before + normal(one.path)) not in routes
            and (one.method.upper(), _tail(normal(one.path))) not in tails  # mounted in a way that was not understood
        ]  # fmt: skip
        if missing:
            names = ", ".join(f"`{one.name}`" for one in missing[:SHOWN])
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            yield Hit(
                Location(api.path, missing[0].line), f"no route of the service answers {names}{more}",
                "take it out of the document, or mount its route", missing[0].name,
                confidence=Confidence.LOW if len(missing) > len(api.operations) / 4 else None,
            )  # fmt: skip


def _tail(path: str) -> str:
    """The last two parts of a path."""
    return "/".join(path.split("/")[-2:])


def _prefix(context: Context, api: OpenAPI) -> str | None:
    """What the code's paths have before the document's; None unless the document clearly describes this service."""
    before, share = _described(context, api)
    return before if share > 0.5 else None
