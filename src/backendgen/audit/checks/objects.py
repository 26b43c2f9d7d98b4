"""Whose object: rows found by what a caller sends, without asking whether they are the caller's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from backendgen.audit.checks import viewsets
from backendgen.audit.checks.access import is_open
from backendgen.audit.properties import is_tied
from backendgen.audit.queries.model import USER, Query, Statement, Term
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint
from backendgen.findings.finding import Hit, Location, Step
from backendgen.rules import Confidence


@check("BG305")
def read_of_others(context: Context) -> Iterator[Hit]:
    """Endpoints that answer with one row, whoever it belongs to."""
    for endpoint, query, key in _unscoped(context):
        if (
            context.facts.changes(endpoint, query.statement.table)
            or endpoint.writes
            or context.facts.is_user(query.statement)
        ):
            continue
        if not any(root.kind in ("path", "query") for root in key.roots):
            continue
        everyone = _siblings(context, endpoint, query)
        siblings = [one for one in everyone if not one.writes or one is endpoint]
        if not siblings and _is_private(context, endpoint, query):
            siblings = everyone
        if siblings:
            is_near = siblings[0].handler.path == endpoint.handler.path
            is_owned = query.statement.table in context.facts.owners
            is_sure = is_near and (is_owned or _is_private(context, endpoint, query))
            confidence = Confidence.MEDIUM if is_sure else Confidence.LOW
            yield _hit(context, endpoint, query, key, siblings, "answers with", confidence)


def _is_private(context: Context, endpoint: Endpoint, query: Query) -> bool:
    """Do all others that read the table keep to the caller's rows, or ask for a role?"""
    facts, table = context.facts, query.statement.table
    others = [one for one in facts.readers.get(table, ()) if one.handler.node is not endpoint.handler.node]
    return bool(others) and all(
        facts.asked(one)
        or all(facts.is_scoped(one, each) for each in facts.access(one).queries if each.statement.table == table)
        for one in others
    )


@check("BG306")
def change_of_others(context: Context) -> Iterator[Hit]:
    """Endpoints that change or delete one row, whoever it belongs to."""
    for endpoint, query, key in _unscoped(context):
        changes = context.facts.changes(endpoint, query.statement.table)
        if not changes or _makes(context, endpoint, query.statement.table):
            continue
        siblings = _siblings(context, endpoint, query)
        does = "deletes" if any(one.verb == "delete" for one in changes) else "changes"
        if context.facts.is_user(query.statement):
            yield _hit(context, endpoint, query, key, siblings, does, Confidence.MEDIUM)
        elif siblings:
            sure = len([one for one in siblings if one.writes]) >= 1
            yield _hit(context, endpoint, query, key, siblings, does, Confidence.HIGH if sure else Confidence.MEDIUM)
        elif query.statement.table in context.facts.owners:
            confidence = Confidence.MEDIUM if does == "deletes" else Confidence.LOW
            yield _hit(context, endpoint, query, key, siblings, does, confidence)

    yield from _deletes_of_all(context)
    yield from _whoever_comes_first(context)


def _whoever_comes_first(context: Context) -> Iterator[Hit]:
    """Endpoints that take the first row of a table without any condition, where others find it by who calls."""
    facts = context.facts
    for endpoint in context.service.endpoints:
        if not _asks_who(context, endpoint):
            continue
        for query in facts.access(endpoint).queries:
            one = query.statement
            if one.verb != "select" or one.terms or one.opaque or one.few or query.many or not one.table:
                continue
            siblings = [each for each in _siblings(context, endpoint, query) if each is not endpoint]
            if siblings or one.table in facts.owners or _has_user(context, one):
                others = f", while `{siblings[0].name}` finds it by who calls" if siblings else ""
                yield Hit(
                    query.location,
                    f"`{endpoint.name}` ({endpoint.handler.name}) takes the first row of `{one.table}`, whoever it "
                    f"belongs to{others}",
                    "add who calls to the conditions of the query",
                    endpoint.name,
                    (Step(endpoint.location, f"`{endpoint.name}`"), Step(query.location, "no condition")),
                    confidence=Confidence.MEDIUM,
                )


def _has_user(context: Context, statement: Statement) -> bool:
    """Has the table a column that says which user a row belongs to?"""
    table = context.facts.tables.of(statement.model)
    return table is not None and bool(table.names & {"user", "user_id", "owner", "owner_id"})


def _deletes_of_all(context: Context) -> Iterator[Hit]:
    """Deletes of rows that other endpoints find by who calls, without that condition."""
    facts = context.facts
    for endpoint in context.service.endpoints:
        if not _asks_who(context, endpoint) or facts.access(endpoint).checked or facts.access(endpoint).unsure:
            continue
        for query in facts.access(endpoint).queries:
            statement = query.statement
            if statement.verb != "delete" or statement.opaque or not statement.terms or facts.keys(statement):
                continue
            siblings = [one for one in _siblings(context, endpoint, query) if _by_caller(context, one, statement.table)]
            sent = [
                term for term in statement.terms if any(root.kind in ("path", "query", "body") for root in term.roots)
            ]
            if siblings and sent and not any(term.roots == {USER} for term in statement.terms):
                yield _hit(context, endpoint, query, sent[0], siblings, "deletes", Confidence.MEDIUM)


def _by_caller(context: Context, endpoint: Endpoint, table: str) -> bool:
    """Does it find rows of the table by a column that is who calls, and nothing else?"""
    return any(
        term.roots == {USER} and term.operator in ("==", "exact")
        for query in context.facts.access(endpoint).queries
        if query.statement.table == table and query.statement.verb == "delete"
        for term in query.statement.terms
    )


def _unscoped(context: Context) -> Iterator[tuple[Endpoint, Query, Term]]:
    """Queries by a key of the caller's choice, of endpoints that know who calls and ask for no role."""
    facts = context.facts
    seen: set[Location] = set()
    for endpoint in context.service.endpoints:
        if not _asks_who(context, endpoint):
            continue
        for query in facts.access(endpoint).queries:
            statement = query.statement
            if statement.verb == "insert" or statement.few or not statement.table or query.location in seen:
                continue
            if query.privileged:
                continue
            keys = facts.keys(statement)
            if keys and not facts.is_scoped(endpoint, query):
                seen.add(query.location)
                yield endpoint, query, keys[0]


def _asks_who(context: Context, endpoint: Endpoint) -> bool:
    """Does it know who calls, and serve everybody who is signed in?"""
    is_asked = any(guard.scope != "body" for guard in endpoint.guards)
    if not endpoint.guards or context.facts.is_administration(endpoint):
        return False
    if not is_asked and is_open(endpoint, context.config.public):
        return False
    return not context.facts.roles(endpoint) and context.facts.knows_caller(endpoint)


def _makes(context: Context, endpoint: Endpoint, table: str) -> bool:
    """Does it make a row of the table? Then it looks first whether there is one."""
    return any(one.verb == "insert" and one.table == table for one in context.facts.access(endpoint).writes)


def _siblings(context: Context, endpoint: Endpoint, query: Query) -> list[Endpoint]:
    """Endpoints that tie rows of the table to the caller, those nearby first; also this one, in another branch."""
    found = [
        one
        for one in context.facts.scoped.get(query.statement.table, ())
        if one.name != endpoint.name and one.guards and not is_open(one, context.config.public)
    ]
    table = query.statement.table
    if any(one.statement.table == table and is_tied(one) for one in context.facts.access(endpoint).queries):
        found.append(endpoint)
    near = endpoint.handler.path
    return sorted(found, key=lambda one: (one.handler.path != near, -_shared(one.path, endpoint.path)))


def _shared(one: str, other: str) -> int:
    """How many leading segments two paths share."""
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _hit(
    context: Context,
    endpoint: Endpoint,
    query: Query,
    key: Term,
    siblings: list[Endpoint],
    does: str,
    confidence: Confidence,
) -> Hit:
    table = query.statement.table
    sent = next((root.name for root in sorted(key.roots, key=str) if root.name), key.column)
    columns = sorted(context.facts.owners.get(table, ()))
    owner = columns[0] if columns else "owner_id"
    others = f", while `{siblings[0].name}` does" if siblings else ""
    if siblings and siblings[0] is endpoint:
        others = ", while it does so elsewhere"
    return Hit(
        query.location,
        f"`{endpoint.name}` ({endpoint.handler.name}) {does} the `{table}` that `{sent}` names without "
        "asking whether it is the "
        f"caller's{others}: whoever is signed in reaches everybody's by counting",
        f"add the owner to the conditions of the query, for example `{table}.{owner} == current_user.id`, "
        "and answer 404 when "
        "nothing is found; or compare it after loading and answer 403",
        endpoint.name,
        (Step(endpoint.location, f"`{endpoint.name}`"), Step(query.location, f"`{table}` by `{sent}` alone")),
        confidence=confidence,
    )


@check("BG313")
def rows_of_all(context: Context) -> Iterator[Hit]:
    """Endpoints that list the rows of every owner or tenant, where other endpoints keep to the caller's."""
    facts = context.facts
    seen: set[Location] = set()
    for endpoint in context.service.endpoints:
        if not _asks_who(context, endpoint) or any(one.statement.opaque for one in facts.access(endpoint).queries):
            continue
        for query in facts.access(endpoint).queries:
            statement = query.statement
            if (
                statement.verb != "select"
                or not query.many
                or statement.few
                or query.privileged
                or query.location in seen
            ):
                continue
            if facts.is_scoped(endpoint, query) or facts.is_user(statement) or facts.by_one(statement):
                continue
            siblings = [
                one
                for one in _siblings(context, endpoint, query)
                if one.handler.path == endpoint.handler.path and one is not endpoint
            ]
            if siblings and statement.table in facts.owners:
                seen.add(query.location)
                yield _everybodys(context, endpoint, query, siblings[0])
    yield from viewsets.everybodys(context)


def _everybodys(context: Context, endpoint: Endpoint, query: Query, sibling: Endpoint) -> Hit:
    table = query.statement.table
    owner = min(context.facts.owners[table])
    return Hit(
        query.location,
        f"`{endpoint.name}` ({endpoint.handler.name}) reads the `{table}` rows of everybody, while "
        f"`{sibling.name}` keeps to the "
        f"caller's: new rows get `{owner}` from who calls",
        f"add the condition `{table}.{owner} == current_user.id` to the query",
        endpoint.name,
        (Step(endpoint.location, f"`{endpoint.name}`"), Step(query.location, f"`{table}` without its owner")),
        confidence=Confidence.MEDIUM,
    )
