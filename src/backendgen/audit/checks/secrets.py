"""Secrets where they do not belong: in the code, and in logs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks import passwords
from backendgen.audit.checks.formats import kind_of, may_hold_one
from backendgen.audit.checks.walk import class_of, is_command
from backendgen.audit.flow.values import place
from backendgen.audit.registry import Context, check
from backendgen.code.nodes import plain_name, unparse
from backendgen.code.project import SourceFile, is_test
from backendgen.code.symbols import Class, External, Function, Module, Variable
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

KEY_NAME = re.compile(
    r"(?:^|_)(?:secret_?key|jwt_?(?:secret|key)|signing_?key|session_?secret|encryption_?key|app_?secret|client_?secret"
    r"|auth_?secret|token_?secret|private_?key|api_?secret|secret_?access_?key|api_?key|access_?token|auth_?token)"
    r"(?:_?(?:default|fallback|value|dev|prod|production|live|old|new|current|base64|b64|hex|raw|str|v?\d+))?$",
    re.IGNORECASE,
)
PASSWORD_NAME = re.compile(r"(?:^|_)(?:password|passwd|passphrase)$", re.IGNORECASE)
LOOKS_CHOSEN = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])\S{8,}")  # a word alone may be a placeholder, a label or a column
PLACES = frozenset({"host", "hostname", "server"})
ADDRESS = re.compile(r"\w[\w+.-]*://([^:/@\s]*):([^@/\s{}$<>%]+)@([\w.-]+)")
MAY_HOLD_ADDRESS = re.compile(r"://[^:/@\s]*:[^@/\s{}$<>%]+@")
LOCAL = frozenset({"localhost", "127.0.0.1"})
EXAMPLES = re.compile(
    r"(?:your|my|the|redis|rabbit(?:mq)?|mongo|mysql|postgres|minio|admin|guest|local|dev|test)?[-_]?"
    r"(?:pass(?:word|wd)?|pw|pwd|secret(?:[-_]key)?|change[-_]?me|example|postgres|root|user|admin|guest)[-_]?",
    re.IGNORECASE,
)
NAMING = (ast.Assign, ast.AnnAssign, ast.keyword, ast.Call, ast.BoolOp, ast.Dict)  # what gives a value to a name
MAY_NAME_KEY = re.compile(r"(?:secret|jwt|key|passw|passphrase|token)\w*[\"\']?(?:\]?\s*(?::[^=\n]*)?=|\s*,)")
NAMES_SOMETHING = re.compile(
    r"_(?:header|path|file|filename|name|env|var|variable|url|uri|id|field|param|parameter|algorithm|alg|length|size|version|type|arn"
    r"|prefix|suffix|format|regex|pattern|key_id|kid|label|title|help|description|message|error)$",
    re.IGNORECASE,
)
SIGNERS = frozenset(
    {
        "jwt.encode",
        "jwt.decode",
        "jose.jwt.encode",
        "jose.jwt.decode",
        "authlib.jose.jwt.encode",
        "authlib.jose.jwt.decode",
    }
)
ENVIRONMENT = frozenset({"os.getenv", "os.environ.get", "getenv", "environ.get", "config"})
SIGNED_COOKIES = "starlette.middleware.sessions.SessionMiddleware"
NOT_A_SECRET = re.compile(
    r"^$|^[*x.\u2022-]+$|(?i:dummy|placeholder)"
    r"|^/(?:[\w.-]+/)+[\w.-]+\.\w+$|^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$|^[a-z]+(?:[_.-][a-z]+)*(?:_|\.|-)?(?:id|name|path|file|url|header|field|param)$|\s|[{<$]"
)
PLAIN = re.compile(r"[a-z]{1,15}(?:\.[a-z]{1,6})?")  # `CA_CERT_SECRET_KEY = "ca.crt"` is the name of an entry
FOR_TESTS = re.compile(r"(?:^|[_-])(?:e2e|seed|sample|fixture|mock|fake)(?:[_-]|$)", re.IGNORECASE)
SIGNS = re.compile(r"(?:^|_)(?:secret_?key|jwt_?(?:secret|key)|signing_?key|session_?secret)$", re.IGNORECASE)
TESTING = re.compile(r"(?:^|[/._-])(?:test|tests|testing)(?:[/._-]|$)|(?:^|\.)Test")
WORDS = re.compile(r"[A-Za-z]+(?:[_.:/-][A-Za-z]+)*")


@check("BG204")
def secret_in_code(context: Context) -> Iterator[Hit]:
    """Keys that sign or encrypt, and providers' tokens, written into the code."""
    lines: set[tuple[str, int]] = set()
    for module in context.symbols.modules.values():
        if is_test(module.file.path):
            continue
        for hit in (*_formats(module.file), *_used_keys(context, module), *_named_keys(module), *_passwords(module)):
            line = (hit.location.path, hit.location.line)
            if line not in lines and not TESTING.search(hit.location.path) and not TESTING.search(hit.symbol):
                lines.add(line)
                yield hit
    yield from passwords.compared(context)


def _formats(file: SourceFile) -> Iterator[Hit]:
    """Texts in a provider's own format."""
    if not may_hold_one(file.text):
        return
    for node in file.nodes:
        kind = kind_of(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if kind and isinstance(node, ast.expr):
            yield _hit(file, node, f"{kind} is written into the code", "")


def _used_keys(context: Context, module: Module) -> Iterator[Hit]:
    """Constants that tokens or cookies are signed with: reported where the constant is."""
    if "jwt" not in module.file.text and "SessionMiddleware" not in module.file.text:
        return
    for call, function in module.calls:
        target = context.symbols.value(call.func, module, function)
        key: ast.expr | None = None
        if isinstance(target, External) and target.name in SIGNERS:
            key = (
                call.args[1]
                if len(call.args) > 1
                else next((one.value for one in call.keywords if one.arg == "key"), None)
            )
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "add_middleware" and call.args:
            kind = context.symbols.value(call.args[0], module, function)
            if isinstance(kind, External) and kind.name == SIGNED_COOKIES:
                key = next((one.value for one in call.keywords if one.arg == "secret_key"), None)
        if key is not None:
            yield from _constant_key(context, module, key, function, unparse(call.func))


def _constant_key(
    context: Context, module: Module, key: ast.expr, function: Function | None, user: str
) -> Iterator[Hit]:
    file, name = module.file, unparse(key) if isinstance(key, ast.Name | ast.Attribute) else ""
    value, confidence = key, Confidence.HIGH
    found: object = context.symbols.value(key, module, function)
    if found is None and isinstance(key, ast.Attribute) and function is not None:
        # `self.secret`, `settings.SECRET_KEY`
        owner = class_of(context, key.value, function)
        found = context.symbols.member(owner, key.attr) if isinstance(owner, Class) else None
        if isinstance(owner, Class) and any("Settings" in base for base in context.symbols.bases(owner)):
            confidence = Confidence.MEDIUM  # a default, unless the environment says otherwise
    if isinstance(found, Variable):
        value, file = found.value, found.module.file
    if isinstance(value, ast.Call) and unparse(value.func) in ENVIRONMENT:
        default = (
            value.args[1]
            if len(value.args) > 1
            else next((one.value for one in value.keywords if one.arg == "default"), None)
        )
        if default is None:
            return
        value, confidence = default, Confidence.MEDIUM
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        named = f"`{name}`" if name else "the key"
        yield _hit(
            file,
            value,
            f"{named}, the key of `{user}`, is written into the code: whoever reads it can sign in as anyone",
            name,
            confidence,
        )


def _named_keys(module: Module) -> Iterator[Hit]:
    """Constants whose name says that they are a key."""
    if not MAY_NAME_KEY.search(module.file.lowered):
        return
    for node in module.file.nodes:
        for name, given in _named_values(node) if isinstance(node, NAMING) else ():
            value = _text(given)
            if value is not None and _names_key(name) and _is_secret(str(value.value), name):
                yield _hit(
                    module.file, value, f"`{name}` is written into the code: whoever reads the code has it", name
                )


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What a node gives to a name: an assignment, a keyword, an entry, or the default of an environment variable."""
    if isinstance(node, ast.Assign):
        yield from ((_name(target), node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield _name(node.target), node.value
    elif isinstance(node, ast.keyword):
        yield node.arg or "", node.value
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        defaults = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "default")]
        if defaults and unparse(node.func) in ENVIRONMENT:
            yield from ((str(node.args[0].value), given) for given in defaults)
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):  # `os.environ.get("SECRET_KEY") or "..."`
        first = node.values[0]
        named = first.args[0] if isinstance(first, ast.Call) and first.args else None
        if isinstance(first, ast.Call) and isinstance(named, ast.Constant) and unparse(first.func) in ENVIRONMENT:
            yield str(named.value), node.values[-1]
    elif isinstance(node, ast.Dict):
        for key, given in zip(node.keys, node.values, strict=True):
            chosen = _text(given)
            if isinstance(key, ast.Constant) and chosen and LOOKS_CHOSEN.fullmatch(str(chosen.value)):
                yield str(key.value), given


def _text(node: ast.expr) -> ast.Constant | None:
    """A constant text; also wrapped, as in `SecretStr("...")` and `Field(default="...")`."""
    if isinstance(node, ast.Call) and unparse(node.func).rpartition(".")[2] in ("SecretStr", "Field"):
        given = node.args[:1] or [one.value for one in node.keywords if one.arg == "default"]
        return _text(given[0]) if given else None
    return node if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _passwords(module: Module) -> Iterator[Hit]:
    """Passwords of servers: in a constant, beside a host, or in an address."""
    file = module.file
    if "passw" not in file.lowered and not MAY_HOLD_ADDRESS.search(file.text):
        return
    for node in file.nodes:
        named: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Assign | ast.AnnAssign):
            named = list(_named_values(node))
        elif isinstance(node, ast.Call) and PLACES.intersection(one.arg or "" for one in node.keywords):
            named = [pair for keyword in node.keywords for pair in _named_values(keyword)]
        for name, given in named:
            value = _text(given)
            chosen = (
                value is not None and LOOKS_CHOSEN.fullmatch(str(value.value)) and _is_secret(str(value.value), name)
            )
            if value is not None and chosen and PASSWORD_NAME.search(name):
                yield _hit(module.file, value, f"`{name}` is written into the code: whoever reads it has it", name)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = ADDRESS.match(node.value)
            if found and found[3] not in LOCAL and found[1] != found[2] and not EXAMPLES.fullmatch(found[2]):
                message = (
                    f"the password of `{found[1]}` at `{found[3]}` is written into the code: whoever reads it has it"
                )
                yield _hit(module.file, node, message, "DATABASE_URL", Confidence.MEDIUM)


def _names_key(name: str) -> bool:
    return KEY_NAME.search(name) is not None and NAMES_SOMETHING.search(name) is None


def _is_secret(text: str, name: str) -> bool:
    """Not a placeholder, a path, the name of a variable, or a word for itself (`client_secret = "client_secret_basic"`)."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower())
    key = KEY_NAME.search(name)
    is_part = key is not None and key.start() > 0 and PLAIN.fullmatch(text) is not None
    if is_part or FOR_TESTS.search(text) or (EXAMPLES.fullmatch(text) and not SIGNS.search(name)):
        return False
    is_label = WORDS.fullmatch(text) is not None and key is not None and key[0].lower().strip("_") in plain
    return len(text) >= 6 and name.lower() not in plain and not is_label and not NOT_A_SECRET.search(text)


TEST_SETTINGS = re.compile(r"(?:^|/)settings/(?:ci|tests?|testing)\.py$")


def _hit(file: SourceFile, node: ast.expr, message: str, name: str, confidence: Confidence = Confidence.HIGH) -> Hit:
    symbol = file.symbol_at(node.lineno)
    if TEST_SETTINGS.search(file.path) or re.search(r"(?:^|\.)(?:Mock|Fake|Dummy)", symbol):
        confidence = Confidence.LOW
    variable = (name.rpartition(".")[2] or "secret_key").upper()
    fix = f'read it from the environment, without a default: os.environ["{variable}"]; replace the published one'
    return Hit(place(file.path, node), message, fix, symbol, confidence=confidence)


def _name(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return target.id if isinstance(target, ast.Name) else ""


LOGGED = re.compile(
    r"^(?:\w*_)?(?:password|passwd|passphrase|secret|secret_key|api_key|apikey|private_key|access_token|refresh_token|auth_token"
    r"|id_token|session_token|reset_token|authorization|credit_card|card_number|cvv|cvc|ssn|otp_code)$",
    re.IGNORECASE,
)
MAY_LOG = re.compile(r"\.(?:debug|info|warning|warn|error|exception|critical|fatal|log|msg)\(|\bprint\(")
LEVELS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "msg"})
LOGGING_LIBRARIES = frozenset({"logging", "structlog", "loguru"})
LOGGERS = re.compile(r"^(?:_?log|_?logger|logging|LOG|LOGGER|structlog)$")
KEEPS = frozenset({"str", "repr", "format", "dict", "list"})


@check("BG402")
def secret_in_log(context: Context) -> Iterator[Hit]:
    """Passwords, tokens and card numbers given to a logger."""
    for module, node, _ in logged(context):
        name = next(filter(None, map(_secret_in, written(node))), "")
        if name:
            symbol = module.file.symbol_at(node.lineno)
            who = f"`{symbol}`" if symbol else module.file.path
            yield Hit(
                place(module.file.path, node),
                f"{who} writes `{name}` to the log, where all who may read logs have it, and every copy keeps it",
                f"leave `{name}` out, or log something that identifies without revealing: an id, or a hash of it",
                symbol,
            )


def logged(context: Context) -> Iterator[tuple[Module, ast.Call, Function | None]]:
    """Yield the calls that write to a log or to standard output, with where they stand."""
    for module in context.symbols.modules.values():
        if is_test(module.file.path) or not MAY_LOG.search(module.file.text):
            continue
        for node, function in module.calls:
            if _is_logger(node.func) or _writes(context, node.func, module, function):
                yield module, node, function


def written(call: ast.Call) -> list[ast.expr]:
    """Return what such a call is given."""
    return [*call.args, *(one.value for one in call.keywords)]


def _writes(context: Context, node: ast.expr, module: Module, function: Function | None) -> bool:
    """Is this `print`, or a method of what a logging library made?"""
    if isinstance(node, ast.Name):
        return context.symbols.value(node, module, function) == External("print") and not is_command(module.file)
    if not isinstance(node, ast.Attribute) or node.attr not in LEVELS:
        return False
    made = context.symbols.value(node.value, module, function)
    if isinstance(made, Variable) and isinstance(made.value, ast.Call):
        made = context.symbols.value(made.value.func, made.module, made.scope)
    return isinstance(made, External) and made.name.partition(".")[0] in LOGGING_LIBRARIES


def _is_logger(node: ast.expr) -> bool:
    if not isinstance(node, ast.Attribute) or node.attr not in LEVELS:
        return False
    holder = node.value
    if (
        isinstance(holder, ast.Call)
        and isinstance(holder.func, ast.Attribute)
        and holder.func.attr in ("bind", "getLogger", "get_logger")
    ):
        return True
    return bool(LOGGERS.match(plain_name(holder)))


def _holds_credentials(node: ast.expr) -> bool:
    """Are these all of a request's headers or cookies, the Authorization header and the session among them?"""
    if not isinstance(node, ast.Attribute) or node.attr not in ("headers", "cookies", "COOKIES", "META"):
        return False
    return unparse(node.value) in ("request", "req", "self.request")


def _secret_in(node: ast.expr) -> str:
    """The secret's name when the text that is logged holds its value."""
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return unparse(node) if LOGGED.match(name) or _holds_credentials(node) else ""
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
        return unparse(node) if isinstance(key, str) and LOGGED.match(key) else ""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in KEEPS:
            return next(filter(None, map(_secret_in, node.args)), "")
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "get_secret_value"):
            inner = (
                [*node.args, *(one.value for one in node.keywords)] if node.func.attr == "format" else [node.func.value]
            )
            return next(filter(None, map(_secret_in, inner)), "")
        return ""
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.FormattedValue | ast.Tuple | ast.List | ast.Dict):
        return next(
            filter(None, (_secret_in(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))), ""
        )
    return ""
