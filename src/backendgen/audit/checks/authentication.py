"""How callers are told apart: asserts, comparisons, messages, sessions, and the way back from another service."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import is_secret, named, snake
from backendgen.audit.checks.walk import hit, is_command, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.index import UNKNOWN
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function, Module, Variable
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

DECIDES = re.compile(
    r"\.(?:is_authenticated|is_admin|is_superuser|is_staff)\b|\b(?:has_perm\w*|has_role|has_scope|has_access|check_password\w*"
    r"|verify_password\w*|check_token|verify_token|verify_signature|compare_digest|can_access|can_edit|can_delete)\("
)
MACS = frozenset({"hmac.new", "hmac.digest", "hmac.HMAC"})
GUARDS = re.compile(
    r"(?:^|_)(?:secret|signature|hmac|api_?key|auth_?token|access_?token|csrf_?token|webhook_?(?:secret|token)|shared_?secret|bearer"
    r"|verify_?token|verification_?token|client_?secret|internal_?token|admin_?token|service_?token|token|sig|authorization)$"
)
CODES = frozenset({"encode", "decode", "hex", "hexdigest", "strip", "lower", "upper"})
SCHEME = re.compile(r"(?:Bearer|Token|Basic|ApiKey|sha\d+|v\d)[ =:]", re.IGNORECASE)
HEADER = re.compile(r"\.headers\b|\.META\b")
SENT = re.compile(
    r"^(?:credentials?|(?:given|provided|received|supplied|presented|submitted|sent|candidate)(?:_\w+)?)$"
)
KEPT = re.compile(
    r"(?:^|_)(?:access|auth|api|webhook|client|signing|shared|bearer|registration)_?(?:token|key|secret)$"
)
TWICE = re.compile(
    r"confirm|repeat|again|retype|password_?2|new_|old_|current_|prev|next|page|cursor|type|kind|expected_tokens?_"
)
CONFIGURED = re.compile(
    r"^(?:\w+\.)*(?:settings|config|conf|environ|app_settings|Config)\b|\bgetenv\(|environ\b|^[A-Z][A-Z0-9_]{3,}$"
)
LOGIN = re.compile(r"log_?in|sign_?in|authenticate|forgot|reset|recover|token", re.IGNORECASE)
TELLS_PASSWORD = re.compile(r"\bpassword\b", re.IGNORECASE)
TELLS = re.compile(
    r"(?:user|account|email|e-mail|username)[^.]{0,25}(?:not found|does(?:n't| not) exist|not "
    r"registered|unknown|no such)"
    r"|(?:no such|unknown|no) (?:user|account)|(?:wrong|incorrect|invalid) password$"
    r"|^(?:the |your )?password (?:is|was) (?:not correct|wrong|incorrect|invalid)\b",
    re.IGNORECASE,
)
IDENTITY = re.compile(r"^(?:user|user_?id|uid|username|logged_in|account_?id|email|is_admin|authenticated|_user_id)$")
TESTS_PASSWORD = re.compile(r"check_password|verify_password|\.verify\(|checkpw|authenticate\(|compare_digest")
RENEWS = re.compile(r"\.(?:clear|flush|cycle_key|regenerate|new_session|invalidate)\(|login_user\(|(?<!def )\blogin\(")


@check("BG222")
def asserted_authority(context: Context) -> Iterator[Hit]:
    """Authority that is only asserted."""
    for node, module, _ in context.index.nodes(ast.Assert):
        test = unparse(node.test)
        if DECIDES.search(test) and not is_command(module.file):
            narrows = test.endswith("user.is_authenticated")  # how type checkers are told, behind a guard
            yield hit(
                module,
                node,
                f"{{who}} lets in whom `assert {test}` lets in: under `python -O` that is everybody",
                f"if not ({test}):\n    raise HTTPException(403)",
                Confidence.LOW if narrows else None,
            )


@check("BG223")
def slow_comparison(context: Context) -> Iterator[Hit]:
    """Secrets compared character by character."""
    for node, module, function in context.index.nodes(ast.Compare):
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        written = (node.left, node.comparators[0])
        sides = (_bare(written[0]), _bare(written[1]))
        if any(isinstance(side, ast.Constant | ast.List | ast.Dict | ast.Compare) for side in sides):
            continue
        confidence = _secret_comparison(context, sides, module, function)
        if confidence is not None:
            left, right = map(unparse, written)
            negated = "not " if isinstance(node.ops[0], ast.NotEq) else ""
            yield hit(
                module,
                node,
                f"{{who}} compares `{left}` with `{right}` character by character: the time tells how many are right",
                f"{negated}hmac.compare_digest({left}, {right})",
                confidence,
            )


def _bare(side: ast.expr) -> ast.expr:
    """What is compared, without its encoding and without the name of its scheme: `x` of `f"Bearer {x}".encode()`."""
    while True:
        if isinstance(side, ast.Call) and isinstance(side.func, ast.Attribute) and side.func.attr in CODES:
            side = side.func.value
        elif isinstance(side, ast.JoinedStr) and len(side.values) == 2 and _is_scheme(side.values[0]):
            last = side.values[1]
            if not isinstance(last, ast.FormattedValue):
                return side
            side = last.value
        elif isinstance(side, ast.BinOp) and isinstance(side.op, ast.Add) and _is_scheme(side.left):
            side = side.right
        else:
            return side


def _is_scheme(node: ast.expr) -> bool:
    """Is this what stands before a token or digest: `Bearer `, `sha256=`?"""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes):
        return False
    text = node.value if isinstance(node.value, str) else node.value.decode(errors="replace")
    return SCHEME.fullmatch(text) is not None


def _secret_comparison(
    context: Context, sides: tuple[ast.expr, ast.expr], module: Module, function: Function | None
) -> Confidence | None:
    """How sure it is that a secret is compared with what somebody sent; None when it is not."""
    if any(map(_is_column, sides)):
        return None
    if any(_is_mac(context, side, module, function) for side in sides):
        return Confidence.HIGH
    if any(context.index.value(side, module, function) is not UNKNOWN for side in sides):
        return None  # known to all who read the code
    names = [snake(_told(_given(context, side, module, function))) for side in sides]
    if not any(map(GUARDS.search, names)) or any(map(TWICE.search, names)):
        return None
    if not all(isinstance(side, ast.Name | ast.Attribute | ast.Subscript | ast.Call) for side in sides):
        return None
    shown = [_origin(context, side, module, function) for side in sides]
    configured = [CONFIGURED.search(text) is not None for text in shown]
    if any(HEADER.search(text) for text in shown) and "authorization" in names:
        return Confidence.MEDIUM
    if any(map(SENT.search, names)) and any(map(KEPT.search, names)):
        return Confidence.MEDIUM
    if sum(configured) == 1 and any(is_secret(name) or GUARDS.search(name) for name in names):
        return Confidence.MEDIUM
    return Confidence.LOW if all(is_secret(name) for name in names) else None


def _told(side: ast.expr) -> str:
    """The name of a value; of `headers.get("X-Token")` that of what is asked for."""
    if isinstance(side, ast.Call) and isinstance(side.func, ast.Attribute):
        if side.func.attr in ("get", "getenv") and side.args:
            return named(side.args[0]).replace("-", "_")
        if side.func.attr == "get_secret_value":
            return named(side.func.value)
    return named(side).replace("-", "_")


def _given(context: Context, side: ast.expr, module: Module, function: Function | None) -> ast.expr:
    """What a name was given when that is a header: it says what the value is, whatever the name."""
    found = context.symbols.lookup(side.id, module, function) if isinstance(side, ast.Name) else None
    is_header = isinstance(found, Variable) and found.scope is not None and HEADER.search(unparse(found.value))
    return found.value if is_header and isinstance(found, Variable) else side


def _origin(context: Context, side: ast.expr, module: Module, function: Function | None) -> str:
    """The text of a value; of a name, that of what it was assigned."""
    if isinstance(side, ast.Name):
        found = context.symbols.lookup(side.id, module, function)
        if isinstance(found, Variable) and found.scope is not None:
            return unparse(found.value)
    return unparse(side)


def _is_mac(context: Context, side: ast.expr, module: Module, function: Function | None, depth: int = 0) -> bool:
    """Is it made with a key: here, by a function of the project, or by what a name in it was given?"""
    side = _bare(side)
    if isinstance(side, ast.Name) and depth < 3:
        found = context.symbols.lookup(side.id, module, function)
        is_local = isinstance(found, Variable) and found.scope is not None
        return is_local and isinstance(found, Variable) and _is_mac(context, found.value, module, function, depth + 1)
    if isinstance(side, ast.JoinedStr):
        inner = [part.value for part in side.values if isinstance(part, ast.FormattedValue)]
        return any(_is_mac(context, one, module, function, depth + 1) for one in inner)
    for part in ast.walk(side):
        if isinstance(part, ast.Call):
            if context.index.name_of(part.func, module, function) in MACS:
                return True
            callee = context.facts.tracer.outcomes.callee(part, function) if function is not None else None
            if isinstance(callee, Function) and _gives_mac(context, callee):
                return True
    return False


def _gives_mac(context: Context, function: Function) -> bool:
    """Does a function of the project return what it signs, also through a local name? Who hashes a token signs nothing."""
    if "hash" in snake(function.node.name):
        return False
    for node in own_nodes(function):
        value = _bare(node.value) if isinstance(node, ast.Return) and node.value is not None else None
        found = context.symbols.lookup(value.id, function.module, function) if isinstance(value, ast.Name) else None
        if isinstance(found, Variable) and found.scope is not None:
            value = found.value
        for part in ast.walk(value) if value is not None else ():
            if isinstance(part, ast.Call) and context.index.name_of(part.func, function.module, function) in MACS:
                return True
    return False


def _is_column(side: ast.expr) -> bool:
    """Is this `User.token`, of which a comparison makes SQL?"""
    root = side
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(side, ast.Attribute) and isinstance(root, ast.Name):
        return root.id[:1].isupper() and not root.id.isupper()
    return isinstance(side, ast.Attribute) and isinstance(side.value, ast.Attribute) and side.value.attr == "c"


@check("BG224")
def enumerable_users(context: Context) -> Iterator[Hit]:
    """Sign-ins that say which half was wrong."""
    seen: set[int] = set()
    for endpoint in context.service.endpoints:
        function = endpoint.handler
        if (
            id(function.node) in seen
            or endpoint.method != "POST"
            or not (LOGIN.search(endpoint.path) or LOGIN.search(function.node.name))
        ):
            continue
        seen.add(id(function.node))
        told = list(_told_apart(function))
        of_password = [TELLS_PASSWORD.search(said) is not None for _, said in told]
        is_both = any(of_password) and not all(of_password)  # one answer for each half: nothing is left to guess
        for node, said in told:
            yield hit(
                function.module,
                node,
                f"`{endpoint.name}` answers {said!r}: it tells which addresses have an account",
                'one answer for both, and the same time for both: "wrong user name or password"',
                Confidence.MEDIUM if is_both else None,
            )


def _told_apart(function: Function) -> Iterator[tuple[ast.AST, str]]:
    """Yield the answers that say which half was wrong, and what they say."""
    for node in own_nodes(function):
        answer = node.exc if isinstance(node, ast.Raise) else node.value if isinstance(node, ast.Return) else None
        for part in ast.walk(answer) if answer is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and TELLS.search(part.value.strip(" .!")):
                yield node, part.value
                break


@check("BG225")
def kept_session(context: Context) -> Iterator[Hit]:
    """Sessions that keep their id at sign-in."""
    for each in context.index.assigned():
        target, function = each.target, each.function
        if function is None or not isinstance(target, ast.Subscript) or not IDENTITY.match(named(target)):
            continue
        holder = target.value
        is_session = named(holder) == "session"
        if not is_session:
            continue
        text = unparse(function.node)
        if TESTS_PASSWORD.search(text) and not RENEWS.search(text):
            yield hit(
                each.module,
                each.node,
                "{who} signs in the session that was there before: who planted its id in the browser is signed in too",
                f"`{unparse(holder)}.clear()` (Django: `request.session.cycle_key()`) before it is written",
            )


@check("BG226")
def oauth_without_state(context: Context) -> Iterator[Hit]:
    """Ways to an identity provider that anyone's answer fits."""
    for module in context.index.modules:
        if "response_type" not in module.file.text:
            continue
        for node in ast.walk(module.file.tree):
            if _asks(node) and not _has_state(module, node):
                yield hit(
                    module,
                    node,
                    "{who} sends people to sign in without `state`: an attacker's own answer, opened by "
                    "them, ties the "
                    "attacker's account to their session",
                    'state = secrets.token_urlsafe(32), kept in the session, sent as "state", compared when they come back',
                )


def _asks(node: ast.AST) -> bool:
    """Is this what an authorisation endpoint is asked: parameters, or an address with them?"""
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        return None not in node.keys and {"client_id", "redirect_uri", "response_type"} <= keys and "state" not in keys
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        return (
            all(f"{word}=" in text for word in ("client_id", "redirect_uri", "response_type")) and "state=" not in text
        )
    return False


def _has_state(module: Module, node: ast.AST) -> bool:
    """Does the function around add it later?"""
    line = getattr(node, "lineno", 1)
    for function in module.functions:
        if function.line <= line <= (function.node.end_lineno or function.line):
            return re.search(r"['\"]state['\"]|\bstate=", unparse(function.node)) is not None
    return False
