"""Who may call: endpoints without authentication, logins without a limit."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import reached
from backendgen.audit.frameworks.dependencies import Dependencies
from backendgen.audit.frameworks.made import Place
from backendgen.audit.frameworks.outcomes import TOO_OFTEN
from backendgen.audit.registry import Context, check
from backendgen.audit.service import WRITES, Endpoint, is_declared_open
from backendgen.code.nodes import plain_name, unparse
from backendgen.code.symbols import Class, External, Function, Variable
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

DJANGO = ("Django", "Django REST framework")
CHANGES = re.compile(
    r"^(?:a?save|a?create|a?delete|a?update|a?bulk_create|a?bulk_update|a?get_or_create|a?update_or_create"
    r"|execute|send\w*|delay|apply_async|enqueue|publish|post|put|patch|write\w*|log_?in|set_password|notify\w*|ping)$"
)
OPEN_WORDS = re.compile(
    r"(?:^|[/_-])(?:log-?in|log-?out|sign-?in|sign-?up|sign-?out|register|registration|auth|oauth2?|forgot|recover|activate"
    r"|webhooks?|callback|health|healthz|ready|readyz|readiness|livez?|liveness|csp-report|robots|sitemap|favicon"
    r"|service-?worker|unsubscribe|otp|magic-link|sessions?)"
    r"|(?:^|/|(?:^|[/_-])(?:e-?mail|accounts?|users?|passwords?|phone|access|refresh|auth|csrf|request|resend|send|confirm|new|set)[_-])"
    r"(?:token|tokens|refresh|password|reset|verify|verification|confirm|ping|metrics|status|contact|manifest|subscribe)",
    re.IGNORECASE,
)
READS = re.compile(
    r"(?:^|[/_-])(?:decode|preview|validate|convert|conversion|search|query|parse|render|markdown|calculate|estimate|embed"
    r"|predict|classify|translate)(?:$|[/_-])",
    re.IGNORECASE,
)
KEYS = re.compile(r"webauthn|passkey|fido|u2f", re.IGNORECASE)  # a challenge: nothing to guess
ASKS = re.compile(r"permission|authori[sz]e|forbid|_acl\b|(?:^|_)can_|is_allowed|check_(?:\w+_)?access|check_owner")
CAPABILITY = re.compile(r"{\w*(?:token|secret|signature|nonce|hash)(?::\w+)?}", re.IGNORECASE)  # who has it may
SIGNS_UP = re.compile(
    r"(?:register|sign_?up|sign_?in|log_?in|sign_?out|log_?out)(?:_(?:new_)?(?:user|account|customer))?", re.IGNORECASE
)
LOGIN = re.compile(
    r"(?:^|[/_-])(?:log-?in|sign-?in|authenticate|access-token|token|otp|two-factor|2fa|mfa)(?:$|[/_-])", re.IGNORECASE
)
LIMITERS = {
    "Flask": "Flask-Limiter",
    "Django": "django-ratelimit, django-axes or a throttle",
    "aiohttp": "aiohttplimiter",
}
CREDENTIALS = re.compile(r"password|passwd|otp|pin_?code|OAuth2PasswordRequestForm", re.IGNORECASE)


@check("BG301")
def write_without_authentication(context: Context) -> Iterator[Hit]:
    """Endpoints that change state and that nothing guards."""
    service = context.service
    for endpoint, names in _writes(context):
        attached = "decorator, permission class" if endpoint.framework in DJANGO else "dependency"
        why = (
            f"no {attached}, middleware or code of it answers 401 or 403, while other endpoints of this service ask who "
            "calls"
            if service.has_authentication
            else "nothing in this service asks who calls"
        )
        yield Hit(
            endpoint.location,
            f"`{names}` ({endpoint.handler.name}) changes state and anyone may call it: {why}",
            fix=_guard_fix(context, endpoint),
            symbol=endpoint.name,
            confidence=_confidence(context, endpoint),
        )


def _writes(context: Context) -> Iterator[tuple[Endpoint, str]]:
    """Open endpoints that change state, with their names: one for each route, whatever its methods."""
    found: dict[tuple[Location, str], list[Endpoint]] = {}
    for endpoint in context.service.endpoints:
        if endpoint.method not in WRITES or endpoint.guards or is_open(endpoint, context.config.public):
            continue
        if _only_redirects(context, endpoint) or opened(context, endpoint):  # BG370 shows where
            continue
        if endpoint.is_elsewhere and endpoint.framework in DJANGO and not endpoint.view:
            continue
        found.setdefault((endpoint.location, endpoint.handler.name), []).append(endpoint)
    for endpoints in found.values():
        methods = ", ".join(dict.fromkeys(one.method for one in endpoints if one.path == endpoints[0].path))
        yield endpoints[0], f"{methods} {endpoints[0].path}"


def _confidence(context: Context, endpoint: Endpoint) -> Confidence:
    """Sure when the others ask who calls; a router that no application includes may be guarded where it is included.

    A page that takes its own form (GET and POST by one handler), and what is named for reading, may only search or show:
    unless it is seen to write.
    What asks for a permission by a name that leads nowhere may refuse.
    """
    service = context.service
    is_page = any(
        one.method == "GET" and one.path == endpoint.path and one.handler == endpoint.handler
        for one in service.endpoints
    )
    is_form = is_page or endpoint.framework == "Django"
    may_read = is_form or READS.search(endpoint.path) or READS.search(endpoint.handler.node.name)
    if not endpoint.mounted or (may_read and not _is_seen_to_write(context, endpoint)) or _may_ask(context, endpoint):
        return Confidence.LOW
    return Confidence.HIGH if service.has_authentication else Confidence.MEDIUM


def _may_ask(context: Context, endpoint: Endpoint) -> bool:
    """Does a handler, or what it calls, call something by whose name callers may be refused?"""
    if endpoint.is_elsewhere:
        return False
    return any(
        ASKS.search(plain_name(call.func))
        for function in reached(context, endpoint.handler)
        for call in function.module.calls_in(function)
    )


def _is_seen_to_write(context: Context, endpoint: Endpoint) -> bool:
    """Does a handler, or what it calls, write or send anything? Library code may."""
    if endpoint.is_elsewhere or context.facts.access(endpoint).writes:
        return True
    for function in reached(context, endpoint.handler):
        for call in function.module.calls_in(function):
            if call in function.node.decorator_list:  # `@router.post(...)`
                continue
            name = plain_name(call.func)
            if CHANGES.search(name):
                return True
    return False


def opened(context: Context, endpoint: Endpoint) -> Variable | None:
    """The `permission_classes` with which a view of Django REST framework says itself that anyone may call."""
    if endpoint.framework != "Django REST framework" or endpoint.view is None or endpoint.guards:
        return None
    declared = context.symbols.member(endpoint.view, "permission_classes")
    if not isinstance(declared, Variable) or not isinstance(declared.value, ast.List | ast.Tuple):
        return None
    classes = [context.symbols.value(one, declared.module) for one in declared.value.elts]
    is_open = all(isinstance(one, External) and one.name.endswith(".AllowAny") for one in classes)
    return declared if is_open else None


def is_open(endpoint: Endpoint, public: tuple[str, ...]) -> bool:
    """Is it open on purpose: declared in the configuration, or a sign-in, webhook or health endpoint by its path or name?"""
    if is_declared_open(endpoint.name, public):
        return True
    return bool(
        OPEN_WORDS.search(endpoint.path)
        or CAPABILITY.search(endpoint.path)
        or SIGNS_UP.fullmatch(endpoint.handler.node.name)
    )


def _only_redirects(context: Context, endpoint: Endpoint) -> bool:
    """Does the handler do nothing but send the caller elsewhere?"""
    body = [
        one for one in endpoint.handler.node.body if not isinstance(one, ast.Expr) or isinstance(one.value, ast.Call)
    ]
    answer = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    made = context.symbols.value(answer.func, endpoint.handler.module) if isinstance(answer, ast.Call) else None
    return isinstance(made, External) and made.name.endswith(".RedirectResponse")


def _guard_fix(context: Context, endpoint: Endpoint) -> str:
    """The change to paste, with the guard that other endpoints of this service use."""
    names = [guard.name for one in context.service.endpoints for guard in one.guards if guard.scope != "body"]
    guard = max(set(names), key=lambda name: (names.count(name), name)) if names else "current_user"
    method, path, name = endpoint.method.lower(), endpoint.path, (endpoint.view or endpoint.handler).name
    change = {
        "FastAPI": f'@router.{method}("{path}", dependencies=[Depends({guard})])',
        "Django": f"class {name}(LoginRequiredMixin, ...):" if endpoint.view else f"@login_required above {name}",
        "Django REST framework": f"permission_classes = [IsAuthenticated] in {name}",
    }.get(endpoint.framework, f"@{guard} below the route of {endpoint.handler.name}")
    return f'{change}\nor, when it is open on purpose, in the configuration: public = ["{endpoint.name}"]'


@check("BG302")
def login_without_limit(context: Context) -> Iterator[Hit]:
    """Endpoints that test a password or code, and that nothing slows down."""
    for endpoint in context.service.endpoints:
        is_guarded = any(guard.scope != "body" and guard.statuses for guard in endpoint.guards)
        if endpoint.method != "POST" or is_guarded or endpoint.limits or not _tests_credentials(context, endpoint):
            continue
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) tests credentials and nothing answers 429: "
            "passwords can be guessed without end",
            symbol=endpoint.name,
            fix="add a dependency or middleware that counts attempts per address and account and answers 429, for example\n"
            f'@limiter.limit("10/minute") above {endpoint.handler.name} ({LIMITERS.get(endpoint.framework, "slowapi")})',
        )


def _tests_credentials(context: Context, endpoint: Endpoint) -> bool:
    """A path that says login, with a password in the handler's parameters or their models."""
    if KEYS.search(f"{endpoint.path} {endpoint.handler.node.name}"):
        return False
    if not LOGIN.search(endpoint.path) and not LOGIN.search(endpoint.handler.node.name.replace("_", "-")):
        return False
    models = (
        context.symbols.value(one.annotation, one.module)
        for one in endpoint.parameters
        if one.annotation is not None and not isinstance(one.dependency, Function)  # what that gives was not sent
    )
    fields = [
        name
        for model in models
        if isinstance(model, Class)
        for owner in context.symbols.lineage(model)
        for name in owner.module.members.get(id(owner.node), {})
    ]
    return any(map(CREDENTIALS.search, [unparse(endpoint.handler.node), *fields]))


@check("BG360")
def guard_above_the_route(context: Context) -> Iterator[Hit]:
    """Decorators that refuse callers, written above the route: the framework calls the function without them."""
    dependencies = Dependencies(context.symbols, context.facts.tracer.outcomes)
    seen: set[Location] = set()
    for endpoint in context.service.endpoints:
        handler, line = endpoint.handler, endpoint.location.line
        listed = handler.node.decorator_list
        if (
            endpoint.view is not None
            or endpoint.location.path != handler.path
            or line not in [one.lineno for one in listed]
        ):
            continue
        for decorator in (one for one in listed if one.lineno < line):
            location = Location(handler.path, decorator.lineno, decorator.col_offset + 1)
            guard = dependencies.wrapper(Place(decorator, handler.module, handler.outer), "route")
            if guard.statuses and location not in seen:
                seen.add(location)
                does = "counts calls" if guard.statuses <= TOO_OFTEN else "asks who calls"
                yield Hit(
                    location,
                    f"`{guard.name}` {does}, but stands above the route of `{endpoint.name}`: "
                    f"{endpoint.framework} has `{handler.node.name}` as it is below the route, and calls it without",
                    f"move @{guard.name} below the route, directly above {handler.node.name}",
                    endpoint.name,
                )


@check("BG361")
def socket_without_authentication(context: Context) -> Iterator[Hit]:
    """WebSockets that anyone may open, in a service that asks who calls."""
    if not context.service.has_authentication:
        return
    for endpoint in context.service.endpoints:
        if endpoint.method == "WEBSOCKET" and not endpoint.guards and not is_open(endpoint, context.config.public):
            yield Hit(
                endpoint.location,
                f"`{endpoint.name}` ({endpoint.handler.name}) is open to anyone, also to scripts of other websites: "
                "nothing refuses the connection, while other endpoints of this service ask who calls",
                "look at the caller's token or session, and at the Origin, before `accept()`; refuse with close(code=1008)",
                endpoint.name,
                confidence=Confidence.MEDIUM if endpoint.mounted else Confidence.LOW,
            )
