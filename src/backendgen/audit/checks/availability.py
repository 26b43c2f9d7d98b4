"""What makes a service slow or takes it down: lists without a limit, blocking calls in asynchronous code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks import pages, viewsets
from backendgen.audit.checks.walk import called, habits, is_command, own_nodes, query_models, reached
from backendgen.audit.flow.values import place
from backendgen.audit.queries.tables import schema_fields
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint
from backendgen.code.nodes import unparse
from backendgen.code.project import is_test
from backendgen.code.symbols import External, Function, Variable
from backendgen.findings.finding import Hit, Location, Step
from backendgen.rules import Confidence

PAGED = re.compile(r"limit|page|per_page|size|cursor|paginat|offset|batch|chunk|top_?n|first|count", re.IGNORECASE)
PAGE_SIZE = re.compile(r"^(?:limit|page_?size|per_?page|page_limit|size|take|max_?results)$", re.IGNORECASE)
BOUNDED = re.compile(
    r"\.limit\(|\blimit\b|\.slice\(|fetch\s+(?:first|next)|\btop\s+\d|paginat|\.in_\(|\[:\w+\]", re.IGNORECASE
)
QUERY = re.compile(r"\bselect\(|\.query\(|\bselect\b.+\bfrom\b|\.select\(", re.IGNORECASE | re.DOTALL)
FEW = re.compile(
    r"\bgroup_by\b|\bgroup\s+by\b|\bfunc\.(?:count|sum|max|min|avg)\(|\b(?:count|sum|max|min|avg)\s*\(|\bpg_|information_schema",
    re.IGNORECASE,
)
ALL = frozenset({"all", "fetchall", "fetch_all", "fetch"})
MAX_HOPS = 5


@check("BG303")
def list_without_limit(context: Context) -> Iterator[Hit]:
    """GET endpoints that read all rows that a query finds."""
    seen: set[Location] = set()
    yield from _forgotten_limits(context, seen)
    yield from _unused_limits(context, seen)
    yield from viewsets.whole(context)
    for endpoint in context.service.endpoints:
        if endpoint.method != "GET" or any(PAGED.search(one.name) for one in endpoint.parameters):
            continue
        for function in reached(context, endpoint.handler):
            if any(PAGED.search(one.arg) for one in function.parameters):
                continue
            for call in _fetches(context, function):
                location = place(function.path, call)
                if location not in seen:
                    seen.add(location)
                    yield _unlimited(context, endpoint, function, call, location)


def _forgotten_limits(context: Context, seen: set[Location]) -> Iterator[Hit]:
    """Endpoints that take a page's size and read the rows without it."""
    facts = context.facts
    for endpoint in context.service.endpoints:
        sizes = [one.name for one in endpoint.parameters if one.source == "query" and PAGE_SIZE.match(one.name)]
        for owner in query_models(context, endpoint):
            sizes += [name for name in schema_fields(context.symbols, owner) if PAGE_SIZE.match(name)]
        if endpoint.method != "GET" or not sizes:
            continue
        lists = [one for one in facts.access(endpoint).queries if one.many and one.statement.verb == "select"]
        only = len({one.statement.table for one in lists}) == 1
        for query in lists:
            statement = query.statement
            is_whole = not (statement.few or statement.limited or statement.opaque or facts.by_one(statement))
            is_meant = (query.function.node is endpoint.handler.node or only) and not query.loops
            if is_meant and is_whole and query.location not in seen:
                seen.add(query.location)
                yield Hit(
                    query.location,
                    f"`{endpoint.name}` ({endpoint.handler.name}) takes `{sizes[0]}` and reads every row of "
                    f"`{statement.table}` that its "
                    "query finds: the answer grows with the table until it is too large for memory and time",
                    f"give it to the query: .limit({sizes[0]}), or LIMIT",
                    query.function.name,
                    (
                        Step(endpoint.location, f"`{endpoint.name}`"),
                        Step(query.location, f"`{statement.table}` without a limit"),
                    ),
                )


def _unused_limits(context: Context, seen: set[Location]) -> Iterator[Hit]:
    """Functions that take a limit or skip rows, and read all that is left."""
    for function, call in pages.ignored(context):
        location = place(function.path, call)
        if location not in seen:
            seen.add(location)
            yield Hit(
                location,
                f"`{function.name}` takes `{pages.LIMIT}` and makes a query without it: it reads every row, "
                "however few were asked for",
                f"give it to the query: .limit({pages.LIMIT})",
                function.name,
            )
    for function, call in pages.skipping(context):
        location = place(function.path, call)
        if location not in seen:
            seen.add(location)
            skipped = unparse(call.args[0])
            yield Hit(
                location,
                f"`{function.name}` skips `{skipped}` rows and reads every row that follows: a page has a beginning "
                "and no end",
                f"say how many: .offset({skipped}).limit(limit)",
                function.name,
            )


def _fetches(context: Context, function: Function) -> Iterator[ast.Call]:
    """Calls that fetch every row of a query that has no limit."""
    for node in function.module.calls_in(function):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ALL:
            if node.func.attr == "fetch" and not node.args:
                continue
            text = _whole(context, node, function)
            if text is not None and QUERY.search(text) and not BOUNDED.search(text) and not FEW.search(text):
                yield node


def _whole(context: Context, node: ast.expr, function: Function) -> str | None:
    """The text of an expression and of all that its names were assigned; None when a call may have changed the query."""
    texts, pending, seen = [], [(node, 0)], set()
    assigned = _assignments(function)
    while pending:
        one, hops = pending.pop()
        texts.append(unparse(one))
        for part in ast.walk(one):
            if (
                isinstance(part, ast.Call)
                and isinstance(called(context, part, function), Function)
                and _takes_query(part)
            ):
                return None
            if isinstance(part, ast.Name) and part.id not in seen and hops < MAX_HOPS:
                seen.add(part.id)
                pending.extend((value, hops + 1) for value in assigned.get(part.id, ()))
                if part.id not in assigned:
                    pending.extend((value, hops + 1) for value in _module_value(context, part, function))
            elif isinstance(part, ast.Attribute) and hops < MAX_HOPS:
                pending.extend((value, hops + 1) for value in _module_value(context, part, function))
    return "\n".join(texts)


def _takes_query(call: ast.Call) -> bool:
    """May a call of the project add a limit: does it get, or make, a statement?"""
    return bool(call.args) or isinstance(call.func, ast.Attribute)


def _assignments(function: Function) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in own_nodes(function):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            found.setdefault(node.optional_vars.id, []).append(node.context_expr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            if isinstance(holder, ast.Name) and node.func.attr in (
                "execute",
                "append",
                "extend",
            ):  # cursor.execute(sql)
                found.setdefault(holder.id, []).extend(node.args)
    return found


def _module_value(context: Context, node: ast.expr, function: Function) -> list[ast.expr]:
    found = context.symbols.resolve(node, function.module, function)
    return [found.value] if isinstance(found, Variable) and found.scope is None else []


def _shown(node: ast.expr) -> str:
    """A chain of calls by its names: `session.scalars(...).all`."""
    if isinstance(node, ast.Attribute):
        return f"{_shown(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{_shown(node.func)}(...)"
    return node.id if isinstance(node, ast.Name) else "..."


def _unlimited(context: Context, endpoint: Endpoint, function: Function, call: ast.Call, location: Location) -> Hit:
    """What administrators keep, as settings and providers, is mostly a handful: a doubt only."""
    shown = _shown(call.func)
    return Hit(
        location,
        f"`{endpoint.name}` ({endpoint.handler.name}) reads every row that its query finds (`{shown}(...)`): "
        "the answer grows with the table until it is too large for memory and time",
        "take `limit: Annotated[int, Query(ge=1, le=100)] = 20` and give it to the query: LIMIT, or .limit(limit)",
        function.name,
        (Step(endpoint.location, f"`{endpoint.name}`"), Step(location, f"`{shown}(...)` without a limit")),
        confidence=Confidence.LOW if context.facts.is_administration(endpoint) else None,
    )


BLOCKING = {
    "time.sleep": "await asyncio.sleep(...)",
    "requests.": "httpx.AsyncClient, or await asyncio.to_thread(...)",
    "urllib.request.urlopen": "httpx.AsyncClient, or await asyncio.to_thread(...)",
    "httpx.get": "httpx.AsyncClient",
    "httpx.post": "httpx.AsyncClient",
    "httpx.put": "httpx.AsyncClient",
    "httpx.patch": "httpx.AsyncClient",
    "httpx.delete": "httpx.AsyncClient",
    "httpx.request": "httpx.AsyncClient",
    "subprocess.run": "await asyncio.create_subprocess_exec(...)",
    "subprocess.call": "await asyncio.create_subprocess_exec(...)",
    "subprocess.check_call": "await asyncio.create_subprocess_exec(...)",
    "subprocess.check_output": "await asyncio.create_subprocess_exec(...)",
    "os.system": "await asyncio.create_subprocess_exec(...)",
    "psycopg2.connect": "psycopg.AsyncConnection",
    "bcrypt.hashpw": "await asyncio.to_thread(bcrypt.hashpw, ...)",
    "bcrypt.checkpw": "await asyncio.to_thread(bcrypt.checkpw, ...)",
}
DATABASES = frozenset({
    "sqlalchemy.orm.Session", "sqlmodel.Session", "sqlalchemy.engine.Connection", "psycopg.Connection", "psycopg.Cursor",
    "psycopg2.extensions.connection", "psycopg2.extensions.cursor", "pymysql.connections.Connection",
    "pymysql.cursors.Cursor",
})  # fmt: skip
LOCAL = frozenset({"close", "pipeline", "lock", "build_request", "register_script"})  # these ask no server
QUERIES = ("execute", "exec", "scalars", "scalar", "query", "get", "commit", "flush", "refresh", "executemany")
CLIENTS = {
    "redis.Redis": "redis.asyncio.Redis",
    "redis.StrictRedis": "redis.asyncio.Redis",
    "httpx.Client": "httpx.AsyncClient",
}
REQUESTS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request"})


@check("BG501")
def blocking_call_in_async(context: Context) -> Iterator[Hit]:
    """Calls that stop the event loop: every other request waits."""
    yield from habits(_blocking_calls(context))


def _blocking_calls(context: Context) -> Iterator[Hit]:
    handlers = {id(endpoint.handler.node): endpoint for endpoint in context.service.endpoints}
    lifespans = _lifespans(context)
    for function in context.symbols.functions():
        is_served = isinstance(function.node, ast.AsyncFunctionDef) and id(function.node) not in lifespans
        if function.path.endswith("alembic/env.py") or function.node.name == "lifespan":
            continue
        if not is_served or is_test(function.path):
            continue
        endpoint = handlers.get(id(function.node))
        if endpoint is None and is_command(function.module.file):
            continue
        who = f"`{endpoint.name}` ({function.name})" if endpoint else f"`{function.name}`"
        awaited = {id(node.value) for node in own_nodes(function) if isinstance(node, ast.Await)}
        said: set[tuple[str, str]] = set()
        for node in function.module.calls_in(function):
            found = _blocks(context, node, function, 0) if id(node) not in awaited else None
            if found and (found[0], found[2]) not in said:  # once for each function: the same change mends them
                said.add((found[0], found[2]))
                name, instead, through = found
                via = f" through `{through}`" if through else ""
                yield Hit(
                    place(function.path, node),
                    f"{who} is asynchronous and calls `{name}`{via}: until it returns, this process answers no request",
                    f"use {instead}",
                    function.name,
                )


def _lifespans(context: Context) -> set[int]:
    """Functions that run before the first request and after the last."""
    found = set()
    for module in context.symbols.modules.values():
        if "lifespan" in module.file.text:
            for call, scope in module.calls:
                for keyword in call.keywords:
                    target = context.symbols.value(keyword.value, module, scope) if keyword.arg == "lifespan" else None
                    if isinstance(target, Function):
                        found.add(id(target.node))
    return found


def _blocks(context: Context, call: ast.Call, function: Function, depth: int) -> tuple[str, str, str] | None:
    """Return (blocking call, what to use instead, through which function)."""
    target = called(context, call, function)
    if isinstance(target, External):
        name = target.name
        if name.startswith("requests."):
            return (name, BLOCKING["requests."], "") if name.rpartition(".")[2] in REQUESTS else None
        owner, _, method = name.rpartition(".")
        if owner in DATABASES and method in QUERIES:
            return name, "an asynchronous session or connection, or a plain `def`, which runs in a thread", ""
        if owner in CLIENTS and method not in LOCAL:
            return name, CLIENTS[owner], ""
        return (name, BLOCKING[name], "") if name in BLOCKING else None
    if isinstance(target, Function) and isinstance(target.node, ast.FunctionDef) and depth < 3:
        for node in target.module.calls_in(target):
            found = _blocks(context, node, target, depth + 1)
            if found:
                return found[0], found[1], target.name
    return None
