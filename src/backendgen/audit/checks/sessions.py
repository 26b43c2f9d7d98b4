"""Signing in and out, passwords, webhooks: who is it really?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import reached
from backendgen.audit.flow.values import place
from backendgen.audit.queries.tables import schema_fields
from backendgen.audit.registry import Context, check
from backendgen.audit.service import Endpoint
from backendgen.code.nodes import last, unparse
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, External
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence

COSTLY = re.compile(
    r"(?:^|[/_-])(?:reset|forgot|recover|recovery|otp|verify|verification|resend|sign-?up|register|registration|magic-link|invite)"
    r"(?:$|[/_-])",
    re.IGNORECASE,
)
MAILS = re.compile(r"forgot|recover|otp|resend|sign-?up|regist|magic-link", re.IGNORECASE)
KEY_IN_QUERY = re.compile(r"^(?:x_)?(?:api_?key|auth_?key|access_?key|secret_?key|client_?secret)$", re.IGNORECASE)
WEBHOOK = re.compile(r"(?:^|[/_-])(?:web-?hooks?|callback-hook|stripe|github-hook|ipn)(?:$|[/_-])", re.IGNORECASE)
BY_CODE = re.compile(
    r"reset|forgot|recover|activat|confirm|invit|first_?-?install|set-?up", re.IGNORECASE
)  # that was sent
OF_CALLERS = re.compile(r"user|account|member|person|people|customer|client|staff|admin|profile|author", re.IGNORECASE)
NEW_PASSWORD = re.compile(r"^(?:new_?)?(?:password|passwd|pwd|hashed_password|password_hash)$", re.IGNORECASE)
OLD_PASSWORD = re.compile(
    r"(?:current|old|previous|existing)_?passw|passw\w*_(?:current|old)|reset_?token|^token$|^code$|^otp", re.IGNORECASE
)
VERIFIES = re.compile(r"verify|check_password|checkpw|authenticate|compare|reset_token|decode", re.IGNORECASE)
LOGOUT = re.compile(r"(?:^|[/_-])(?:log-?out|sign-?out)(?:$|[/_-])", re.IGNORECASE)
ENDS = re.compile(
    r"revoke|blacklist|blocklist|denylist|delete_cookie|logout|sign_?out|invalidate|expire|destroy|\.delete\(|\.pop\(|\.clear\(|forget|unset_"
    r"|DELETE\s|UPDATE\s|\.remove\(|set_cookie",
    re.IGNORECASE,
)


@check("BG317")
def costly_without_limit(context: Context) -> Iterator[Hit]:
    """Endpoints that send mail or test codes for anyone, as often as he likes."""
    limits = any(one.limits for one in context.service.endpoints)
    for endpoint in context.service.endpoints:
        is_guarded = any(guard.scope != "body" for guard in endpoint.guards)
        named = COSTLY.search(endpoint.path) or COSTLY.search(endpoint.handler.node.name.replace("_", "-"))
        if (
            endpoint.method != "POST"
            or is_guarded
            or endpoint.limits
            or not named
            or context.facts.verifies_signature(endpoint)
        ):
            continue
        is_certain = limits and MAILS.search(endpoint.path + "-" + endpoint.handler.node.name.replace("_", "-"))
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) answers anyone as often as he asks: it can be made "
            "to send mail without end, "
            "to try codes, or to fill the table of users",
            f'add a limit per address, for example @limiter.limit("5/hour") above {endpoint.handler.name} (slowapi)',
            endpoint.name,
            confidence=Confidence.MEDIUM if is_certain else Confidence.LOW,
        )


@check("BG319")
def key_in_query(context: Context) -> Iterator[Hit]:
    """Keys that stand in addresses, where every log keeps them."""
    fix = 'take it from a header: APIKeyHeader(name="X-API-Key")'
    for module in context.symbols.modules.values():
        if "APIKeyQuery" not in module.file.text or is_test(module.file.path):
            continue
        for call, scope in module.calls:
            made = context.symbols.value(call.func, module, scope)
            if isinstance(made, External) and made.name.endswith(".APIKeyQuery"):
                name = module.file.symbol_at(call.lineno)
                message = (
                    "the key is read from the query string: addresses are kept in logs, histories and Referer headers"
                )
                yield Hit(place(module.file.path, call), message, fix, name)
    for endpoint in context.service.endpoints:
        for parameter in endpoint.parameters:
            if parameter.source == "query" and KEY_IN_QUERY.match(parameter.name):
                yield Hit(
                    Location(endpoint.handler.path, parameter.line, 1, parameter.line),
                    f"`{endpoint.name}` reads `{parameter.name}` from the query string: addresses are kept "
                    "in logs, histories and Referer "
                    "headers",
                    fix,
                    endpoint.name,
                )


@check("BG320")
def webhook_without_signature(context: Context) -> Iterator[Hit]:
    """Webhooks that believe whoever calls."""
    for endpoint in context.service.endpoints:
        named = WEBHOOK.search(endpoint.path) or "webhook" in endpoint.handler.node.name.lower()
        if endpoint.method != "POST" or not named or endpoint.guards or context.facts.verifies_signature(endpoint):
            continue
        if any(SECRET_SEGMENT.search(one.name) for one in endpoint.parameters):
            continue
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) takes whatever anyone posts for a message of the "
            "sender: no signature is checked",
            "compute HMAC-SHA256 of the raw body with the sender's secret and compare it with the header by "
            "hmac.compare_digest before "
            "the body is read",
            endpoint.name,
            confidence=Confidence.MEDIUM if context.facts.access(endpoint).writes else Confidence.LOW,
        )


SECRET_SEGMENT = re.compile(r"token|secret|signature|key|hmac", re.IGNORECASE)


@check("BG321")
def password_without_the_old(context: Context) -> Iterator[Hit]:
    """A new password for whoever sits at a signed-in browser."""
    facts = context.facts
    for endpoint in context.service.endpoints:
        if not endpoint.guards or not endpoint.writes or facts.roles(endpoint) or facts.is_administration(endpoint):
            continue
        if BY_CODE.search(endpoint.path):
            continue
        for write in facts.access(endpoint).writes:
            if not OF_CALLERS.search(write.table):
                continue
            names = [
                name
                for name, roots in write.columns
                if name and NEW_PASSWORD.match(name) and any(one.kind == "body" for one in roots)
            ]
            if write.verb != "update" or not names or _asks_for_the_old(context, endpoint):
                continue
            yield Hit(
                write.location,
                f"`{endpoint.name}` ({endpoint.handler.name}) sets `{names[0]}` without asking for the "
                "current one: a stolen token or an "
                "open browser takes the account over for good",
                "ask for the current password and verify it first; end the user's other sessions afterwards",
                endpoint.name,
            )
            break


def _asks_for_the_old(context: Context, endpoint: Endpoint) -> bool:
    names = {one.name for one in endpoint.parameters}
    for parameter in endpoint.parameters:
        kind = context.facts.tracer.types.of(parameter.annotation, parameter.module).kind
        if isinstance(kind, Class):
            names |= set(schema_fields(context.symbols, kind))
    if any(OLD_PASSWORD.search(name) for name in names):
        return True
    for function in reached(context, endpoint.handler):
        for node in ast.walk(function.node):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and len(node.value) < 40
                and OLD_PASSWORD.search(node.value)
            ):
                return True
            if isinstance(node, ast.Call) and re.search(
                r"(?:verify|check)_?(?:password|passwd|pw|hash)|checkpw|authenticate", last(node.func)
            ):
                return True
    return False


@check("BG322")
def logout_that_ends_nothing(context: Context) -> Iterator[Hit]:
    """A sign-out after which the token still works."""
    for endpoint in context.service.endpoints:
        if not (LOGOUT.search(endpoint.path)) or endpoint.is_elsewhere:
            continue
        access = context.facts.access(endpoint)
        if access.writes or any(one.statement.verb != "select" for one in access.queries):
            continue
        statements = [each for function in reached(context, endpoint.handler) for each in function.node.body]
        if any(ENDS.search(unparse(each)) for each in statements):
            continue
        yield Hit(
            endpoint.location,
            f"`{endpoint.name}` ({endpoint.handler.name}) ends nothing: whoever has the token may use it "
            "until it expires",
            "keep sessions or token ids in the database, and mark them as ended here",
            endpoint.name,
        )
