"""What an API lets happen by its shape: guards that never run, bounds that are not set, endpoints nobody should reach."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.audit.checks.access import is_open
from backendgen.audit.checks.walk import query_models, reached
from backendgen.audit.flow.values import place
from backendgen.audit.frameworks.dependencies import DEPENDS, parameter_defaults
from backendgen.audit.properties import CAPABILITY
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint
from backendgen.code.nodes import last
from backendgen.code.project import is_test
from backendgen.code.symbols import External, Function, Module, Variable
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

PAGE_SIZE = re.compile(
    r"^(?:limit|page_?size|per_?page|page_limit|size|take|max_?results|num_?results|batch_?size|itemsPerPage)$",
    re.IGNORECASE,
)
BOUNDS = frozenset({"le", "lt", "multiple_of", "enum"})
GUARDED_SIBLINGS = 3
FEW = 2
NEARLY_ALL, MANY = 0.9, 20
OWN = re.compile(r"(?:^|[/_-])(?:me|self|profile|preferences|my-\w+|account)(?:$|[/_-])")  # whoever calls
ADMINISTRATORS = re.compile(r"(?:^|[/_-])(?:admin|backoffice|back-office|superuser|staff)(?:$|[/_-])", re.IGNORECASE)


@check("BG107")
def dependencies_ignored(context: Context) -> Iterator[Hit]:
    """`Depends` where FastAPI does not look: in a list that is a parameter's default, or as a statement."""
    handlers = {id(one.handler.node): one for one in context.service.endpoints}
    for module in context.symbols.modules.values():
        if ("Depends" not in module.file.text and "Security" not in module.file.text) or is_test(module.file.path):
            continue
        for function in module.functions:
            endpoint = handlers.get(id(function.node))
            name = f"`{endpoint.name}`" if endpoint else f"`{function.name}`"
            for argument, default in parameter_defaults(function).items():
                if (
                    isinstance(default, ast.List | ast.Tuple)
                    and default.elts
                    and all(_is_depends(context, each, module) for each in default.elts)
                ):
                    yield _ignored(default, function, name, f"the default of the parameter `{argument}`")
            for statement in function.node.body:
                value = getattr(statement, "value", None)
                if isinstance(statement, ast.Expr | ast.Assign) and _is_depends(context, value, module) and endpoint:
                    yield _ignored(statement, function, name, "a statement of the handler")


def _is_depends(context: Context, node: object, module: Module) -> bool:
    if not isinstance(node, ast.Call):
        return False
    made = context.symbols.value(node.func, module)
    return isinstance(made, External) and made.name in DEPENDS


def _ignored(node: ast.AST, function: Function, name: str, where: str) -> Hit:
    return Hit(
        place(function.path, node),
        f"{name} has Depends(...) as {where}: FastAPI never runs it, so it guards nothing",
        "put it into the decorator, `@router.get(..., dependencies=[Depends(guard)])`, or make it a "
        "parameter of its own: "
        "`user: Annotated[User, Depends(guard)]`",
        function.name,
    )


@check("BG307")
def outlier(context: Context) -> Iterator[Hit]:
    """An endpoint that anyone may call, among siblings that ask who calls."""
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    said: set[int] = set()
    for endpoint in context.service.endpoints:
        groups.setdefault((endpoint.location.path, endpoint.router), []).append(endpoint)
    for siblings in groups.values():
        guarded = [one for one in siblings if one.guards]
        handlers = {id(one.handler.node) for one in guarded}
        open_ones = [one for one in siblings if not one.guards]
        is_many = len({id(one.handler.node) for one in open_ones}) * 3 > len(handlers)
        is_few = len(handlers) < GUARDED_SIBLINGS or all(one.writes for one in guarded)
        if (is_few or is_many) and not _is_only_one(siblings, len(handlers), open_ones):
            continue
        for endpoint in open_ones:
            if _is_read(context, endpoint):
                is_page = endpoint.framework == "Django"  # a site's pages are public more often than an API's
                sure = _reads(context, endpoint, siblings) and not is_page
                confidence = Confidence.MEDIUM if sure else Confidence.LOW
                yield _open(endpoint, f"{len(handlers)} other endpoints of its router ask who calls", confidence)
                said.add(id(endpoint.handler.node))
    mounted = [one for one in context.service.endpoints if one.mounted]
    guarded = [one for one in mounted if one.guards]
    is_rare = len(guarded) >= max(MANY, NEARLY_ALL * len(mounted))
    for endpoint in mounted:
        if endpoint.guards or id(endpoint.handler.node) in said or not _is_read(context, endpoint):
            continue
        table = _private(context, endpoint)
        if table:
            yield _open(endpoint, f"all others that read `{table}` do not, and tie it to who calls", Confidence.MEDIUM)
        elif is_rare and _reads(context, endpoint, guarded):
            yield _open(endpoint, f"{len(guarded)} other endpoints of the service ask who calls", Confidence.MEDIUM)


def _is_only_one(siblings: list[Endpoint], reads: int, open_ones: list[Endpoint]) -> bool:
    """Is one handler open among two guarded reads and many guarded writes?"""
    guarded = {id(one.handler.node) for one in siblings if one.guards}
    reading = {id(one.handler.node) for one in open_ones if not one.writes}
    return reads >= FEW and len(guarded) > 2 * GUARDED_SIBLINGS and len(reading) == 1


def _is_read(context: Context, endpoint: Endpoint) -> bool:
    """Is it a read with code of its own here, that no name and no secret in its path opens on purpose?"""
    if endpoint.method not in ("GET", "WEBSOCKET", "*") or endpoint.is_elsewhere:
        return False
    return not CAPABILITY.search(endpoint.path) and not is_open(endpoint, context.config.public)


def _open(endpoint: Endpoint, others: str, confidence: Confidence) -> Hit:
    return Hit(
        endpoint.location,
        f"`{endpoint.name}` ({endpoint.handler.name}) answers anyone, while {others}",
        "attach their guard to it, or to the whole router; when it is open on purpose, in the configuration: "
        f'public = ["{endpoint.name}"]',
        endpoint.name,
        confidence=confidence,
    )


def _private(context: Context, endpoint: Endpoint) -> str:
    """A table that it reads and nobody else reads unasked, of which others read only the caller's rows."""
    for query in context.facts.access(endpoint).queries:
        table = query.statement.table
        readers = context.facts.readers.get(table, ())
        others = [one for one in readers if one.handler.node is not endpoint.handler.node]
        if (
            query.statement.verb == "select"
            and (query.statement.terms or not query.statement.few)
            and others
            and all(one.guards for one in others)
        ):
            scoped = [one for one in context.facts.scoped.get(table, ()) if not one.writes and one in others]
            if scoped and not context.facts.is_scoped(endpoint, query):
                return table
    return ""


def _reads(context: Context, endpoint: Endpoint, siblings: list[Endpoint]) -> bool:
    """Does it read tables that its guarded siblings read?"""
    own = {one.statement.table for one in context.facts.access(endpoint).queries}
    return any(
        one.statement.table in own for each in siblings if each.guards for one in context.facts.access(each).queries
    )


@check("BG308")
def administration_without_role(context: Context) -> Iterator[Hit]:
    """Endpoints for administrators that every user may call."""
    facts = context.facts
    asks = [one for one in context.service.endpoints if ADMINISTRATORS.search(one.path) and facts.roles(one)]
    for endpoint in context.service.endpoints:
        if (
            not ADMINISTRATORS.search(endpoint.path)
            or not endpoint.guards
            or facts.roles(endpoint)
            or facts.access(endpoint).unsure
        ):
            continue
        if is_open(endpoint, context.config.public) or any(guard.scope == "body" for guard in endpoint.guards):
            continue
        if any(not guard.statuses or not guard.function for guard in endpoint.guards):
            continue
        sibling = f", while `{asks[0].name}` asks for {', '.join(sorted(facts.roles(asks[0]))[:2])}" if asks else ""
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) asks only that the caller is signed in{sibling}: "
            "by its path it is for "
            "administrators",
            "attach a guard that asks for the role: dependencies=[Depends(require_admin)]",
            endpoint.name,
            confidence=Confidence.MEDIUM if asks else Confidence.LOW,
        )


@check("BG325")
def write_without_its_siblings_role(context: Context) -> Iterator[Hit]:
    """A change that every user may make, among changes that ask for a role."""
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for endpoint in context.service.endpoints:
        if endpoint.writes and endpoint.guards:
            groups.setdefault((endpoint.location.path, endpoint.router), []).append(endpoint)
    for siblings in groups.values():
        asking = [one for one in siblings if context.facts.asked(one)]
        if len(asking) < GUARDED_SIBLINGS or (len(siblings) - len(asking)) * 3 > len(asking):
            continue
        for endpoint in siblings:
            if context.facts.roles(endpoint) or context.facts.access(endpoint).unsure or _is_own(context, endpoint):
                continue
            writes = endpoint.is_elsewhere or context.facts.access(endpoint).writes
            role = min(context.facts.asked(asking[0]))
            yield Hit(
                endpoint.location,
                f"`{endpoint.name}` ({endpoint.handler.name}) asks for no role, while {len(asking)} other "
                "changes of its router do, "
                f"as `{asking[0].name}` for `{role}`",
                "attach the guard that they have, or, when everybody may, keep it in a router of its own",
                endpoint.name,
                confidence=Confidence.MEDIUM if writes else Confidence.LOW,
            )


def _is_own(context: Context, endpoint: Endpoint) -> bool:
    """Does it keep to what is the caller's, by its path or by what it finds?"""
    if OWN.search(endpoint.path):
        return True
    access = context.facts.access(endpoint)
    return bool(access.checked) or any(context.facts.is_scoped(endpoint, one) for one in access.queries)


@dataclass(frozen=True, slots=True)
class Size:
    """A page's size as a request gives it: a parameter, or a field of a model of the query."""

    name: str
    location: Location
    annotation: ast.expr | None
    default: ast.expr | None
    module: Module
    scope: Function | None = None


@check("BG314")
def page_without_bound(context: Context) -> Iterator[Hit]:
    """Page sizes that a caller may set as high as he likes."""
    seen: set[Location] = set()
    sizes = [
        (endpoint, size)
        for endpoint in context.service.endpoints
        if endpoint.method == "GET"
        for size in _sizes(context, endpoint)
    ]
    bounded = {size.location for _, size in sizes if _says_bound(size)}
    for endpoint, size in sizes:
        if size.location in seen or not _is_unbounded(context, size) or _is_capped(context, endpoint, size.name):
            continue
        seen.add(size.location)
        pages = any(one.statement.limited for one in context.facts.access(endpoint).queries)
        is_rare = len(bounded) >= GUARDED_SIBLINGS and len(seen) * 3 <= len(bounded)  # others of the service have one
        yield Hit(
            size.location,
            f"`{size.name}` of `{endpoint.name}` has no upper bound: `?{size.name}=1000000000` reads the "
            "whole table "
            "into memory",
            f"{size.name}: Annotated[int, Query(ge=1, le=100)] = 20",
            endpoint.name,
            confidence=Confidence.MEDIUM if pages or is_rare else Confidence.LOW,
        )


def _says_bound(size: Size) -> bool:
    """Does it have an upper bound where it is declared?"""
    return any(
        one.arg in BOUNDS
        for each in (size.annotation, size.default)
        if each is not None
        for call in ast.walk(each)
        if isinstance(call, ast.Call)
        for one in call.keywords
    )


def _sizes(context: Context, endpoint: Endpoint) -> Iterator[Size]:
    for function in (endpoint.handler, *endpoint.dependencies):
        defaults = parameter_defaults(function)
        for argument in function.parameters:
            if PAGE_SIZE.match(argument.arg):
                location = Location(function.path, argument.lineno, argument.col_offset + 1, argument.lineno)
                default = defaults.get(argument.arg)
                yield Size(argument.arg, location, argument.annotation, default, function.module, function.outer)
    for owner in query_models(context, endpoint):
        for one in context.symbols.lineage(owner):
            for name, member in one.module.members.get(id(one.node), {}).items():
                if isinstance(member, Variable) and member.annotation is not None and PAGE_SIZE.match(name):
                    location = Location(member.path, member.line, 1, member.line)
                    yield Size(name, location, member.annotation, member.value, member.module)


def _is_unbounded(context: Context, size: Size) -> bool:
    """Is it a plain number of the query, without `le=` anywhere?"""
    default, scope = size.default, size.scope
    plain, extras, module, _ = context.facts.tracer.dependencies.unwrapped(size.annotation, size.module, scope)
    if plain is None or not any(isinstance(each, ast.Name) and each.id == "int" for each in ast.walk(plain)):
        return False
    if isinstance(default, ast.Name | ast.Attribute):
        found = context.symbols.value(default, size.module, scope)
        default = found.value if isinstance(found, Variable) else default
    for each in (default, *extras):
        for call in ast.walk(each) if each is not None else ():
            is_bounded = isinstance(call, ast.Call) and any(one.arg in BOUNDS for one in call.keywords)
            if is_bounded or _is_depends(context, call, module):
                return False
    return not isinstance(default, ast.Constant) or default.value is None or isinstance(default.value, int)


def _is_capped(context: Context, endpoint: Endpoint, name: str) -> bool:
    """Does code on the way take the smaller of it and something, or compare it with a number or a setting?"""
    for function in (*reached(context, endpoint.handler), *endpoint.dependencies):
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call) and last(node.func) in ("min", "clamp", "clip", "clamp_limit"):
                if any(_speaks_of(each, name) for each in node.args):
                    return True
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Gt | ast.GtE | ast.Lt | ast.LtE):
                sides = (node.left, node.comparators[0])
                bounds = [one for one in sides if not _speaks_of(one, name)]
                if len(bounds) == 1 and isinstance(bounds[0], ast.Constant | ast.Name | ast.Attribute):
                    return True
    return False


def _speaks_of(node: ast.expr, name: str) -> bool:
    return any(name in (getattr(each, "id", ""), getattr(each, "attr", "")) for each in ast.walk(node))


DEBUG = re.compile(
    r"(?:^|/)_*(?:debug|createdb|create-?db|init-?db|reset-?db|drop-?db|seed(?:-?db)?|populate|phpinfo|dump|wipe)(?:$|/)",
    re.IGNORECASE,
)
INTERNAL = re.compile(r"(?:^|/)_*(?:tests?|internal|dev|private|playground|sandbox)(?:$|/)", re.IGNORECASE)


@check("BG318")
def debug_route(context: Context) -> Iterator[Hit]:
    """Routes for development that anyone may call."""
    for endpoint in context.service.endpoints:
        is_debug = DEBUG.search(endpoint.path)
        if endpoint.guards or not (is_debug or INTERNAL.search(endpoint.path)) or not endpoint.mounted:
            continue
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) is there for development by its path, and anyone may call it",
            "mount it only in development, `if settings.debug: app.include_router(...)`, or guard it",
            endpoint.name,
            confidence=Confidence.MEDIUM if is_debug else Confidence.LOW,
        )


VERSION = re.compile(r"(?:^|/)v(\d+)(?:/|$)")


@check("BG565")
def old_version(context: Context) -> Iterator[Hit]:
    """Versions of an API of which every path has a newer one; said once for each."""
    newest: dict[tuple[str, str], int] = {}
    versioned = [
        (one, found) for one in context.service.endpoints if one.mounted and (found := VERSION.search(one.path))
    ]
    for endpoint, found in versioned:
        key = (endpoint.method, VERSION.sub("/v*/", endpoint.path))
        newest[key] = max(newest.get(key, 0), int(found[1]))
    old: dict[str, list[Endpoint]] = {}
    for endpoint, found in versioned:
        if newest[(endpoint.method, VERSION.sub("/v*/", endpoint.path))] > int(found[1]):
            old.setdefault(endpoint.path[: found.end(1)], []).append(endpoint)
    for prefix, endpoints in old.items():
        yield Hit(
            endpoints[0].location,
            f"`{prefix}` is still mounted beside its newer version, with {len(endpoints)} of its endpoints: "
            "what is mended "
            "there may be open here",
            "say when it ends (Deprecation and Sunset headers), and take it away then",
            endpoints[0].name,
        )


@check("BG564")
def no_health(context: Context) -> Iterator[Hit]:
    """Services that nobody can ask whether they are ready."""
    mounted = [one for one in context.service.endpoints if one.mounted]
    word = re.compile(r"health|ready|readiness|alive|liveness|live$|ping|status|heartbeat", re.IGNORECASE)
    if len(mounted) < 5 or any(word.search(one.path) for one in context.service.endpoints):
        return
    first = mounted[0]
    yield Hit(
        first.location,
        f"none of the {len(mounted)} endpoints says whether the service is alive or ready: a balancer sends "
        "requests to a process "
        "that cannot reach its database",
        '@app.get("/ready") answers 200 when the database answers, 503 when not',
    )
