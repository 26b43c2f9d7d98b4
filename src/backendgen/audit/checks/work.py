"""What one request costs: queries in loops, reads that write, creates that happen twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import reached
from backendgen.audit.properties import NO_KEY, text_of
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint
from backendgen.findings.finding import Hit, Location, Step
from backendgen.rules import Confidence

PAYMENT = re.compile(
    r"(?:^|[/_-])(?:payments?|charges?|checkout|orders?|transfers?|payouts?|refunds?|purchases?|withdraw(?:al)?s?|invoices?)(?:$|[/_-])",
    re.IGNORECASE,
)

AUDITS = re.compile(r"audit|record_event|activity_log|log_action", re.IGNORECASE)
SIBLINGS = 3


@check("BG560")
def relation_in_loop(context: Context) -> Iterator[Hit]:
    """A relationship that is loaded for each row of a loop."""
    seen: set[tuple[str, str, str, str]] = set()
    for endpoint in sorted(context.service.endpoints, key=lambda one: one.method != "GET"):
        for lazy in context.facts.access(endpoint).lazy:
            key = (lazy.location.path, lazy.function.name, lazy.table, lazy.relation)
            if key in seen:
                continue
            seen.add(key)
            table = context.facts.tables.of(lazy.statement.model) if lazy.statement else None
            how = (
                f'.select_related("{lazy.relation}")'
                if table and table.django
                else f".options(selectinload({lazy.table}.{lazy.relation}))"
            )
            yield Hit(
                lazy.location,
                f"`{endpoint.name}` loads `{lazy.relation}` of each `{lazy.table}` in a loop: one query more "
                "for every row",
                f"load them with the rows: {how}",
                lazy.function.name,
                (
                    Step(endpoint.location, f"`{endpoint.name}`"),
                    Step(lazy.location, f"`.{lazy.relation}` asks the database"),
                ),
                confidence=Confidence.MEDIUM if endpoint.method == "GET" else Confidence.LOW,
            )


@check("BG561")
def query_in_loop(context: Context) -> Iterator[Hit]:
    """A query for each row of another one."""
    seen: set[Location] = set()
    for endpoint in context.service.endpoints:
        if endpoint.method != "GET":
            continue
        for query in context.facts.access(endpoint).queries:
            statement = query.statement
            by_row = any(root.kind == "row" for term in statement.terms for root in term.roots)
            if not query.loops or statement.verb != "select" or not by_row or query.location in seen:
                continue
            seen.add(query.location)
            yield Hit(
                query.location,
                f"`{endpoint.name}` asks for `{statement.table}` once for every row of another query: a page "
                "of 100 takes 101 queries",
                f"ask once, for all: `{statement.table}.id.in_(ids)`, or join",
                query.function.name,
                confidence=Confidence.LOW,
            )


@check("BG562")
def read_that_writes(context: Context) -> Iterator[Hit]:
    """GET endpoints that delete what the caller names, or all there is."""
    endpoints = context.service.endpoints
    # A view of Django's that has a POST beside its GET asks by itself which it is, and deletes for the POST.
    asking = {id(one.handler.node) for one in endpoints if one.framework == "Django" and one.method == "POST"}
    for endpoint in endpoints:
        if endpoint.method != "GET" or id(endpoint.handler.node) in asking:
            continue
        access = context.facts.access(endpoint)
        deleted = [one for one in access.writes if one.verb == "delete" and one.function.path == endpoint.handler.path]
        if not deleted:
            continue
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) deletes `{deleted[0].table}`: browsers, crawlers "
            "and link previews send GET "
            "unasked, and no CSRF protection looks at it",
            f'@router.delete("{endpoint.path}")',
            endpoint.name,
            confidence=Confidence.LOW,
        )


@check("BG563")
def create_without_key(context: Context) -> Iterator[Hit]:
    """Payments and orders that a retry makes twice."""
    for endpoint in context.service.endpoints:
        if endpoint.method != "POST" or not PAYMENT.search(endpoint.path) or endpoint.path.rstrip("/").endswith("}"):
            continue
        access = context.facts.access(endpoint)
        made = next((one for one in access.writes if one.verb == "insert"), None)
        if made is None:
            continue
        if context.facts.idempotency(endpoint) != NO_KEY:
            continue
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) makes another one each time it is sent: a client "
            "that retries after a timeout "
            "pays twice",
            "take an Idempotency-Key header, keep it with a unique constraint beside the answer, and answer "
            "a repeat with that",
            endpoint.name,
        )


@check("BG566")
def unlogged_administration(context: Context) -> Iterator[Hit]:
    """Changes by administrators that leave no trace."""
    groups: dict[tuple[str, str], list[tuple[Endpoint, bool]]] = {}
    for endpoint in context.service.endpoints:
        if endpoint.writes and context.facts.is_administration(endpoint) and context.facts.access(endpoint).writes:
            notes = any(AUDITS.search(text_of(function)) for function in reached(context, endpoint.handler))
            groups.setdefault((endpoint.location.path, endpoint.router), []).append((endpoint, notes))
    for siblings in groups.values():
        if len([one for one, notes in siblings if notes]) < SIBLINGS:
            continue
        for endpoint in (one for one, notes in siblings if not notes):
            yield Hit(
                endpoint.location,
                f"`{endpoint.name}` ({endpoint.handler.name}) changes data as an administrator and writes "
                "nothing down, as its siblings "
                "do: afterwards nobody can say who did it",
                "write who, what and which row to the audit log in the same transaction",
                endpoint.name,
            )
