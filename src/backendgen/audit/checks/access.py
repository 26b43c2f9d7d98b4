"""Who may call: endpoints without authentication, logins without a limit."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator

from backendgen.audit.registry import Context, check
from backendgen.audit.service import WRITES, Endpoint, Service
from backendgen.code.symbols import Class, External
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

OPEN_WORDS = re.compile(
    r"(?:^|[/_-])(?:log-?in|log-?out|sign-?in|sign-?up|sign-?out|register|registration|token|tokens|refresh|auth|oauth2?|password"
    r"|reset|forgot|recover|verify|verification|confirm|activate|webhooks?|callback|health|healthz|ready|readyz|readiness|livez?|liveness|ping|metrics|status|csp-report"
    r"|contact|subscribe|unsubscribe|otp|session|sessions|magic-link)",
    re.IGNORECASE,
)
SIGNS_UP = re.compile(
    r"(?:register|sign_?up|sign_?in|log_?in|sign_?out|log_?out)(?:_(?:new_)?(?:user|account|customer))?", re.IGNORECASE
)
LOGIN = re.compile(
    r"(?:^|[/_-])(?:log-?in|sign-?in|authenticate|access-token|token|otp|two-factor|2fa|mfa)(?:$|[/_-])", re.IGNORECASE
)
CREDENTIALS = re.compile(r"password|passwd|otp|pin_?code|OAuth2PasswordRequestForm", re.IGNORECASE)


@check("BG301")
def write_without_authentication(context: Context) -> Iterator[Hit]:
    """Endpoints that change state and that nothing guards."""
    service = context.service
    for endpoint in service.endpoints:
        if endpoint.method not in WRITES or endpoint.guards or is_open(endpoint, context.config.public):
            continue
        if _only_redirects(context, endpoint):
            continue
        why = (
            "no dependency, middleware or code of it answers 401 or 403, while other endpoints of this "
            "service ask who calls"
            if service.has_authentication
            else "nothing in this service asks who calls"
        )
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) changes state and anyone may call it: {why}",
            fix=_guard_fix(context, endpoint),
            symbol=endpoint.name,
            confidence=_confidence(endpoint, service),
        )


def _confidence(endpoint: Endpoint, service: Service) -> Confidence:
    """Sure when the others ask who calls; a router that no application includes may be guarded where it is included."""
    if not endpoint.mounted:
        return Confidence.LOW
    return Confidence.HIGH if service.has_authentication else Confidence.MEDIUM


def is_open(endpoint: Endpoint, public: tuple[str, ...]) -> bool:
    """Is it open on purpose: declared in the configuration, or a sign-in, webhook or health endpoint by its path or name?"""
    if is_declared_open(endpoint.name, public):
        return True
    return bool(OPEN_WORDS.search(endpoint.path) or SIGNS_UP.fullmatch(endpoint.handler.node.name))


def is_declared_open(name: str, public: tuple[str, ...]) -> bool:
    """Does the configuration say that this endpoint, `POST /orders`, is open on purpose?"""
    names = (name, name.partition(" ")[2])
    return any(fnmatch.fnmatchcase(one, pattern.strip()) for pattern in public for one in names)


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
    method = endpoint.method.lower()
    return (
        f'@router.{method}("{endpoint.path}", dependencies=[Depends({guard})])\n'
        f'or, when it is open on purpose, in the configuration: public = ["{endpoint.name}"]'
    )


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
            f'@limiter.limit("10/minute") above {endpoint.handler.name} (slowapi)',
        )


def _tests_credentials(context: Context, endpoint: Endpoint) -> bool:
    """A path that says login, with a password in the handler's parameters or their models."""
    if not LOGIN.search(endpoint.path) and not LOGIN.search(endpoint.handler.node.name.replace("_", "-")):
        return False
    models = (
        context.symbols.value(one.annotation, one.module) for one in endpoint.parameters if one.annotation is not None
    )
    fields = [
        name
        for model in models
        if isinstance(model, Class)
        for owner in context.symbols.lineage(model)
        for name in owner.module.members.get(id(owner.node), {})
    ]
    return any(map(CREDENTIALS.search, [ast.unparse(endpoint.handler.node), *fields]))
