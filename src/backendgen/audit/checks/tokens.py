"""JSON Web Tokens: which algorithms count, when they end, whom they are for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import named, snake
from backendgen.audit.checks.walk import hit, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.index import UNKNOWN, Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function, Module
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

DECODE = ("jwt.decode", "jose.jwt.decode", "jwt.api_jwt.decode")
ENCODE = ("jwt.encode", "jose.jwt.encode", "jwt.api_jwt.encode")
UNCHECKED = ("jose.jwt.get_unverified_claims",)
UNVERIFIED = frozenset({
    "jwt.get_unverified_header", "jose.jwt.get_unverified_header", "jose.jws.get_unverified_header",
})  # fmt: skip
ACCESS_LIFETIME = re.compile(
    r"^(?:jwt_)?access_?token_?(?:expire|expires|expiration|expiry|lifetime|ttl|duration|validity|valid)(?:_?(?:in|time|delta|after))?"
    r"(?:_?(?P<unit>seconds|secs?|minutes|mins?|hours|days))?$"
)
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
PARTS = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
DAY = 86_400


@check("BG202")
def not_verified(context: Context) -> Iterator[Hit]:
    """Tokens that are read without a look at their signature."""
    for use in context.index.calls(*DECODE, *UNCHECKED):
        verify = context.index.value(use.argument("verify"), use.module, use.function)
        allowed = context.index.value(use.argument("algorithms", 2), use.module, use.function)
        accepts_none = isinstance(allowed, list) and any(str(one).lower() == "none" for one in allowed)
        off = _option(context, use, "verify_signature") is False or verify is False
        if use.name in UNCHECKED or accepts_none or off:
            yield hit(
                use.module,
                use.call,
                f"{{who}} reads a token with `{unparse(use.call.func)}` and does not check its signature: anyone "
                "may have written it",
                'jwt.decode(token, key, algorithms=["EdDSA"], audience=..., options={"require": ["exp", "sub"]})',
                Confidence.LOW if _says_so(use) else None,
            )


def _says_so(use: Use) -> bool:
    """`unverified = jwt.decode(...)`: the author knows, and looks for the key that verifies."""
    return any(
        "unverified" in unparse(node.targets[0]).lower()
        for node, _ in use.module.nodes(ast.Assign)
        if node.value is use.call
    )


@check("BG216")
def any_algorithm(context: Context) -> Iterator[Hit]:
    """Tokens whose own header says how they are checked."""
    for use in context.index.calls(*DECODE):
        algorithms = use.argument("algorithms", 2)
        if _option(context, use, "verify_signature") is False or use.argument("verify") is not None:
            continue  # another rule's matter
        if algorithms is None or (isinstance(algorithms, ast.Constant) and algorithms.value is None):
            if not use.is_open:
                yield _algorithm(use, "with whatever algorithm the token names")
            continue
        allowed = context.index.value(algorithms, use.module, use.function)
        words = [str(one).upper() for one in allowed] if isinstance(allowed, list) else []
        if "NONE" in words:
            yield _algorithm(use, "and accepts `none`, which is no signature at all")
        elif any(one.startswith("HS") for one in words) and any(one[:2] in ("RS", "ES", "PS") for one in words):
            yield _algorithm(
                use, "with shared and with public keys alike: a public key, which all know, signs as a shared one"
            )
        elif _from_token(context, algorithms, use):
            yield _algorithm(use, "with the algorithm that the token's own header names")


def _algorithm(use: Use, how: str) -> Hit:
    return hit(
        use.module, use.call, f"{{who}} checks tokens {how}: they can be forged", 'name the one: `algorithms=["HS256"]`'
    )


def _option(context: Context, use: Use, name: str) -> object:
    """The value of an entry of `options=`."""
    options = use.argument("options", 3)
    if isinstance(options, ast.Name):
        found = context.symbols.value(options, use.module, use.function)
        options = context.index.assigned_above(options, use.module, use.function) or getattr(found, "value", None)
    if isinstance(options, ast.Call) and isinstance(options.func, ast.Name) and options.func.id == "dict":
        given = next((one.value for one in options.keywords if one.arg == name), None)
        return context.index.value(given, use.module, use.function)
    if isinstance(options, ast.Dict):
        for key, value in zip(options.keys, options.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                return context.index.value(value, use.module, use.function)
    return UNKNOWN


def _from_token(context: Context, node: ast.expr, use: Use, hops: int = 0) -> bool:
    """Does an expression hold what `get_unverified_header` gave?"""
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and context.index.name_of(part.func, use.module, use.function) in UNVERIFIED:
            return True
        if isinstance(part, ast.Name) and hops < 3:
            found = context.symbols.lookup(part.id, use.module, use.function)
            value = getattr(found, "value", None)
            if isinstance(value, ast.expr) and _from_token(context, value, use, hops + 1):
                return True
    return False


@check("BG218")
def endless_token(context: Context) -> Iterator[Hit]:
    """Tokens without an end, or whose end is not looked at."""
    for use in context.index.calls(*ENCODE):
        claims = _claims(use)
        if claims is not None and "exp" not in claims:
            yield hit(
                use.module,
                use.call,
                "{who} signs a token without `exp`: who gets hold of one has it for ever",
                '"exp": datetime.now(UTC) + timedelta(minutes=15)',
            )
    for use in context.index.calls(*DECODE):
        if _option(context, use, "verify_exp") is False and _option(context, use, "verify_signature") is not False:
            message = "{who} does not look at the end of a token (`verify_exp` is False): who has an old one is let in"
            yield hit(use.module, use.call, message, "leave `verify_exp` out")


def _claims(use: Use) -> set[str] | None:
    """The claims that are signed; None when they cannot all be seen."""
    payload = use.argument("payload", 0) or use.argument("claims")
    nodes = list(own_nodes(use.function)) if use.function else []
    claims: set[str] = set()
    if isinstance(payload, ast.Name):
        made = [
            node.value for node in nodes if isinstance(node, ast.Assign | ast.AnnAssign) and _assigns(node, payload.id)
        ]
        if len(made) != 1 or _goes_elsewhere(nodes, payload.id, use.call):
            return None
        for node in nodes:  # payload["exp"] = ..., payload.update({"exp": ...}), payload.update(exp=...)
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == payload.id:
                claims.add(named(node))
        payload = made[0]
    if not isinstance(payload, ast.Dict) or None in payload.keys:
        return None
    claims |= {str(key.value) if isinstance(key, ast.Constant) else "exp" for key in payload.keys if key is not None}
    return claims


def _assigns(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _goes_elsewhere(nodes: list[ast.AST], name: str, but: ast.Call) -> bool:
    """Is the name given to something that may add to it, or asked to (`payload.update(...)`)?"""
    for node in nodes:
        if isinstance(node, ast.Call) and node is not but:
            if any(isinstance(one, ast.Name) and one.id == name for one in node.args):
                return True
            if (
                isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == name
            ):
                return True
    return False


@check("BG219")
def audience_not_checked(context: Context) -> Iterator[Hit]:
    """Tokens that were made for another service."""
    for use in context.index.calls(*DECODE):
        if _option(context, use, "verify_signature") is False:
            continue
        off = [name for name in ("verify_aud", "verify_iss") if _option(context, use, name) is False]
        if off:
            message = f"{{who}} switches {' and '.join(off)} off: a token that was made for another service is let in"
            yield hit(
                use.module,
                use.call,
                message,
                'say whom it is for: `audience="orders", issuer="https://login.example.com"`',
            )


@check("BG220")
def long_lived_token(context: Context) -> Iterator[Hit]:
    """Access tokens that live longer than a day."""
    for each in context.index.assigned():
        yield from _lifetime(context, named(each.target), each.value, each.node, each.module, each.function)
    for module in context.index.modules:
        if "ACCESS_TOKEN_LIFETIME" in module.file.text:
            for one in ast.walk(module.file.tree):
                if isinstance(one, ast.Dict):
                    for key, value in zip(one.keys, one.values, strict=True):
                        if isinstance(key, ast.Constant) and key.value == "ACCESS_TOKEN_LIFETIME":
                            yield from _lifetime(context, str(key.value), value, value, module, None)


def _lifetime(
    context: Context, name: str, value: ast.expr, node: ast.AST, module: Module, function: Function | None
) -> Iterator[Hit]:
    found = ACCESS_LIFETIME.match(snake(name))
    if not found:
        return
    unit = found["unit"]
    seconds = _duration(context, value, module, function)
    if seconds is None and unit:
        number = context.index.value(value, module, function)
        seconds = number * UNITS[unit[0]] if isinstance(number, int | float) else None
    if seconds is not None and seconds > DAY:
        yield hit(
            module,
            node,
            f"`{name}` lets an access token live {seconds / DAY:g} days: it cannot be taken back meanwhile",
            "let it live for minutes, and renew it with a refresh token that is kept and can be revoked",
        )


def _duration(context: Context, node: ast.expr, module: Module, function: Function | None) -> float | None:
    """The seconds of a `timedelta(...)` of constants."""
    if not isinstance(node, ast.Call) or context.index.name_of(node.func, module, function) != "datetime.timedelta":
        return None
    given = [("days", one) for one in node.args[:1]] + [(one.arg or "", one.value) for one in node.keywords]
    total = 0.0
    for part, value in given:
        number = context.index.value(value, module, function)
        if part not in PARTS or not isinstance(number, int | float):
            return None
        total += number * PARTS[part]
    return total
