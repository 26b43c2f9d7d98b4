"""GraphQL: mutations that anyone may run, queries of any depth, schemas and consoles that are shown to everybody."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.access import OPEN_WORDS
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint, is_declared_open
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, External, Module
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
LIMITS = ("depth", "complexity", "cost_validator", "cost_directive", "query_cost", "maxtokens", "max_tokens")
LIBRARIES = ("graphql", "graphene", "strawberry", "ariadne")
VIEWS = ("GraphQLView", "AsyncGraphQLView", "GraphQLRouter", "GraphQL", "GraphQLHTTPHandler")
OFFERS = frozenset(
    {"strawberry", "graphene", "ariadne", "graphene_django", "strawberry_django", "flask_graphql", "graphql_server"}
)
MIN_SIBLINGS = 3


@check("BG375")
def mutation_without_permission(context: Context) -> Iterator[Hit]:
    """Mutations that nothing guards: neither they themselves nor the endpoint that takes GraphQL."""
    endpoints = context.service.endpoints
    mutations = [one for one in endpoints if one.method == "MUTATION"]
    if not mutations or _is_guarded(endpoints):
        return
    has_guards = any(one.guards for one in endpoints)
    for mutation in mutations:
        words = WORD.sub("-", mutation.path).replace("_", "-").lower()
        if mutation.guards or OPEN_WORDS.search(words) or is_declared_open(mutation.name, context.config.public):
            continue
        family = [one for one in mutations if one.location.path == mutation.location.path]
        is_odd = sum(bool(one.guards) for one in family) * 2 >= len(family) and len(family) >= MIN_SIBLINGS
        yield Hit(
            mutation.location,
            f"the mutation `{mutation.path}` changes state and anyone may run it: no permission class, decorator or code "
            "of it refuses callers",
            fix=_fix(mutation),
            symbol=mutation.name,
            confidence=_confidence(mutation, is_odd, has_guards),
        )


def _confidence(mutation: Endpoint, is_odd: bool, has_guards: bool) -> Confidence:
    """The odd one among guarded siblings is an oversight; where half of a file is open, that is what it is for."""
    if not mutation.mounted or mutation.is_elsewhere:
        return Confidence.LOW
    if mutation.framework == "Graphene" and not is_odd and has_guards:
        return Confidence.LOW
    return Confidence.MEDIUM


def _fix(mutation: Endpoint) -> str:
    guard = {
        "Strawberry": "@strawberry.mutation(permission_classes=[IsAuthenticated])",
        "Graphene": "@login_required above its mutate (graphql_jwt.decorators)",
    }.get(mutation.framework, "if info.context.user is None: raise PermissionError")
    return f'{guard}\nor, when it is open on purpose, in the configuration: public = ["{mutation.name}"]'


def _is_guarded(endpoints: tuple[Endpoint, ...]) -> bool:
    """Is everybody refused who is not known, before GraphQL is looked at?"""
    served = [one for one in endpoints if one.view is not None and "GraphQL" in one.view.name]
    served += [one for one in endpoints if one.is_elsewhere and "GraphQL" in one.handler.name]
    served += [one for one in endpoints if one.path.rstrip("/").endswith("graphql") and one not in served]
    asked = [one for one in served if one.method in ("POST", "*")]
    return bool(asked) and all(_asks_who(one) for one in asked)


def _asks_who(endpoint: Endpoint) -> bool:
    """Does something before the view refuse strangers, or the view by a question about the caller?"""
    if any(guard.scope not in ("body", "class") for guard in endpoint.guards):
        return True
    if endpoint.view is None:
        return bool(endpoint.guards)
    text = "\n".join(endpoint.view.module.file.lines[endpoint.view.node.lineno - 1 : endpoint.view.node.end_lineno])
    return bool(endpoint.guards) and re.search(r"is_authenticated|is_anonymous|RequiredMixin", text) is not None


@check("BG376")
def unlimited_queries(context: Context) -> Iterator[Hit]:
    """Schemas whose queries may be as deep and as expensive as a caller likes."""
    texts = (one.file.lowered for one in _modules(context))
    if any(any(word in text for word in LIBRARIES) and any(word in text for word in LIMITS) for text in texts):
        return
    for call, module, name in _calls(context):
        if name.endswith(("Schema", "make_executable_schema")):
            yield Hit(
                Location(module.file.path, call.lineno, call.col_offset + 1, call.lineno),
                "queries of this schema may be nested without end: one request can cost as much as thousands",
                fix=LIMIT[name.partition(".")[0]],
                symbol="schema",
            )


LIMIT = {
    "strawberry": "strawberry.Schema(..., extensions=[QueryDepthLimiter(max_depth=10), MaxTokensLimiter(1000)])",
    "graphene": "GraphQLView.as_view(schema=schema, validation_rules=[depth_limit_validator(max_depth=10)])",
    "ariadne": "GraphQL(schema, validation_rules=[cost_validator(maximum_cost=100)])",
}


@check("BG377")
def console_for_everybody(context: Context) -> Iterator[Hit]:
    """Consoles in which anyone explores the schema."""
    for call, module, name in _calls(context):
        view = name.removesuffix(".as_view").rpartition(".")[2]
        if view not in VIEWS:
            continue
        for word in call.keywords:
            given = word.value.value if isinstance(word.value, ast.Constant) else None
            shown = (word.arg == "graphiql" and given is True) or (word.arg == "graphql_ide" and isinstance(given, str))
            if shown or (word.arg in ("introspection", "debug") and given is True and name.startswith("ariadne")):
                yield Hit(
                    Location(module.file.path, word.value.lineno, word.value.col_offset + 1, word.value.lineno),
                    f"`{word.arg}` shows the console or the whole schema to anyone, in production too",
                    fix=f"{word.arg}={'settings.DEBUG' if word.arg != 'graphql_ide' else 'None'}",
                    symbol=view,
                )


@check("BG378")
def any_number_at_once(context: Context) -> Iterator[Hit]:
    """Endpoints that take a list of operations of any length."""
    for call, module, name in _calls(context):
        view = name.removesuffix(".as_view").rpartition(".")[2]
        for word in call.keywords:
            if (
                view in VIEWS
                and word.arg == "batch"
                and isinstance(word.value, ast.Constant)
                and word.value.value is True
            ):
                yield Hit(
                    Location(module.file.path, word.value.lineno, word.value.col_offset + 1, word.value.lineno),
                    f"`{view}` takes any number of operations in one request: a limit of requests counts a thousand "
                    "sign-ins as one",
                    fix="leave `batch` out; clients that need it may ask for several fields in one operation",
                    symbol=view,
                )


def _modules(context: Context) -> Iterator[Module]:
    for module in context.symbols.modules.values():
        if not is_test(module.file.path):
            yield module


def _calls(context: Context) -> Iterator[tuple[ast.Call, Module, str]]:
    """Calls of GraphQL libraries, and of the project's classes that are made from theirs: (call, module, dotted name)."""
    for module in _modules(context):
        if (
            "raph" not in module.file.text
            and "strawberry" not in module.file.text
            and "ariadne" not in module.file.text
        ):
            continue
        for call, scope in module.calls:
            found = context.symbols.value(call.func, module, scope)
            if found is None and isinstance(call.func, ast.Attribute) and call.func.attr == "as_view":
                found = context.symbols.value(call.func.value, module, scope)
            if isinstance(found, Class):
                found = next(
                    (External(one) for one in sorted(context.symbols.bases(found)) if one.rpartition(".")[2] in VIEWS),
                    None,
                )
            if isinstance(found, External) and found.name.partition(".")[0] in OFFERS:
                yield call, module, found.name
