"""Passwords, keys and tokens that are sent where everybody on the way can read them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import is_secret, named, snake
from backendgen.audit.checks.transport import METHODS, REQUESTS
from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.symbols import Variable
from backendgen.findings.finding import Hit

PLAIN = re.compile(r"http://(?:[^/@\s]+@)?(?P<host>[\w.-]+)(?=[/:?#]|$)")
NEAR = re.compile(
    r"[^.]+|(?:127|10|0)\..*|192\.168\..*|172\.(?:1[6-9]|2\d|3[01])\..*|169\.254\..*|.*\.(?:local|localhost|internal|lan|svc|test|home|docker)"
)
IN_QUERY = re.compile(r"[?&](?P<name>api_?key|key|(?:access_?)?token|password|secret|client_secret)=", re.IGNORECASE)
HEADERS = frozenset(
    {"authorization", "proxy_authorization", "cookie", "x_api_key", "api_key", "apikey", "x_auth_token"}
)


@check("BG232")
def credentials_in_clear(context: Context) -> Iterator[Hit]:
    """Requests with credentials to an http:// address of another machine."""
    seen: set[int] = set()
    for use in (*context.index.methods(*METHODS), *context.index.calls(*REQUESTS)):
        if id(use.call) in seen or not use.call.keywords:
            continue
        seen.add(id(use.call))
        address = _beginning(context, use.argument("url", 1 if use.name.endswith("request") else 0), use)
        found = PLAIN.match(address)
        sent = _sent(context, use, address) if found and not NEAR.fullmatch(found["host"]) else ""
        if found and sent:
            yield hit(
                use.module,
                use.call,
                f"{{who}} sends {sent} to `{found['host']}` over http: everybody on the way reads it",
                f"call `https://{found['host']}`, and make a new credential: this one was readable",
            )


def _beginning(context: Context, node: ast.expr | None, use: Use) -> str:
    """What an address certainly begins with."""
    value = context.index.value(node, use.module, use.function)
    if isinstance(value, str):
        return value
    if isinstance(node, ast.BinOp):
        return _beginning(context, node.left, use)
    if isinstance(node, ast.JoinedStr) and node.values:
        first = node.values[0]
        begin = _beginning(context, first.value if isinstance(first, ast.FormattedValue) else first, use)
        rest = "".join(str(one.value) for one in node.values[1:] if isinstance(one, ast.Constant))
        return f"{begin}{rest}" if PLAIN.match(begin) else ""
    return ""


def _sent(context: Context, use: Use, address: str) -> str:
    """The credential that a call sends, in words."""
    query = IN_QUERY.search(address)
    if query:
        return f"`{query['name']}` in its address"
    for one in use.call.keywords:
        if one.arg == "auth" and not (isinstance(one.value, ast.Constant) and one.value.value is None):
            return "the password in `auth`"
        if one.arg not in ("headers", "data", "json", "params", "cookies"):
            continue
        for key in _keys(context, one.value, use):
            if (one.arg == "headers" and snake(key).replace("-", "_") in HEADERS) or (
                one.arg != "headers" and is_secret(key)
            ):
                return f"`{key}` of its `{one.arg}`"
    return ""


def _keys(context: Context, node: ast.expr, use: Use) -> list[str]:
    """The names in a mapping that is written here, or that a name holds."""
    if isinstance(node, ast.Name | ast.Attribute):
        found = context.symbols.value(node, use.module, use.function)
        node = found.value if isinstance(found, Variable) and found.value is not None else node
    return [named(key) for key in node.keys if key is not None] if isinstance(node, ast.Dict) else []
