"""Values that are used when nobody gave one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import named, snake
from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import assigned_in
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Module
from backendgen.findings.finding import Hit

SIGNING = re.compile(
    r"(?:^|_)(?:secret|secret_key|jwt_key|jwt_secret(?:_key)?|signing_key|signing_secret|session_secret|session_key|cookie_secret"
    r"|encryption_key|fernet_key|app_secret|auth_secret|token_secret|password_salt|hash_salt)$"
)
OTHERS = re.compile(
    r"(?:^|_)(?:client|stripe|aws|s3|github|google|slack|oauth|oidc|webhook|recaptcha|captcha|access_key)_",
    re.IGNORECASE,
)
METHODS = re.compile(r"(?:^|\.)(?:environ\.get|getenv|env|config|env\.str|config\.get|env\.get)$")
SETTINGS = ("BaseSettings", "Settings")


@check("BG221")
def known_fallback(context: Context) -> Iterator[Hit]:
    """Keys that sign or encrypt, with a default that everybody knows."""
    compared = _compared(context)
    for module in context.index.modules:
        text = module.file.text.lower()
        if "secret" not in text and "_key" not in text and "_salt" not in text:
            continue
        for name, default, node in (*_read(module), *_either(module), *_fields(context, module)):
            if not SIGNING.search(snake(name)) or OTHERS.search(name):
                continue
            if isinstance(default, ast.Constant) and isinstance(default.value, str) and default.value:
                if default.value in compared or default.value.startswith("$") or _names(name, default.value):
                    continue
                yield hit(
                    module,
                    node,
                    f"`{name}` is {default.value[:40]!r} when nothing else is set: a deployment that forgets "
                    "it signs with "
                    "a key that everybody can read here",
                    f'refuse to start without it: os.environ["{name.upper()}"], or a settings field without a default',
                )


def _names(name: str, value: str) -> bool:
    """Is the value the name of what holds the secret: `PROXY_CA_SECRET = "proxy-ca"`?"""
    plain = re.sub(r"[^a-z0-9]+", "_", value.lower())
    return "_" in plain and plain in snake(name) and not SIGNING.search(plain)


def _compared(context: Context) -> set[str]:
    """The texts that something is compared with: a default that is refused in production is one of these."""
    found = set()
    for node, _, _ in context.index.nodes(ast.Compare):
        for one in (node.left, *node.comparators):
            parts = one.elts if isinstance(one, ast.Tuple | ast.List | ast.Set) else [one]
            found |= {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    return found


def _read(module: Module) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """`os.getenv("SECRET_KEY", "dev")`, `config("SECRET_KEY", default="dev")`."""
    for call, _ in module.calls:
        if call.args and isinstance(call.args[0], ast.Constant) and METHODS.search(unparse(call.func)):
            defaults = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "default")]
            yield from ((str(call.args[0].value), default, call) for default in defaults)


def _either(module: Module) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """`os.environ.get("SECRET_KEY") or "dev"`."""
    for one in assigned_in(module):
        value = one.value
        if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) and isinstance(value.values[0], ast.Call):
            call = value.values[0]
            if call.args and isinstance(call.args[0], ast.Constant) and METHODS.search(unparse(call.func)):
                yield str(call.args[0].value), value.values[-1], value


def _fields(context: Context, module: Module) -> Iterator[tuple[str, ast.expr, ast.AST]]:
    """Fields of settings that the environment may fill."""
    for owner in module.classes:
        if not any(base.endswith(SETTINGS) for base in context.symbols.bases(owner)):
            continue
        for node in owner.node.body:
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                value = node.value
                if isinstance(value, ast.Call):
                    given = [*value.args[:1], *(one.value for one in value.keywords if one.arg == "default")]
                    value = given[0] if given else value
                yield named(node.target), value, node
