"""How passwords are kept: hashes that cost too little, salts that are everybody's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import hit, own_nodes
from backendgen.audit.properties import text_of
from backendgen.audit.registry import Context, check
from backendgen.code.index import UNKNOWN, Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function, Variable
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

BCRYPT_ROUNDS = 10
PBKDF2_ITERATIONS = 100_000
SCRYPT_N = 2**14
ARGON2_WORK = 35_840  # passes x KiB: the least of OWASP's equivalent settings, 5 passes over 7 MiB
ARGON2_DEFAULTS = {"time_cost": 3, "memory_cost": 65_536}
WERKZEUG_METHOD = re.compile(
    r"(?P<plain>plain|(?:md5|sha1|sha224|sha256|sha512))$|pbkdf2(?::\w+)?(?::(?P<rounds>\d+))?$"
)
DJANGO_HASHERS = re.compile(r"django\.contrib\.auth\.hashers\.(?:Unsalted)?(?:MD5|SHA1|Crypt)PasswordHasher")
FAST = tuple(
    f"hashlib.{name}" for name in ("sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s")
)
A_PASSWORD = re.compile(r"(?:\w+_)?(?:password|passwd|passphrase|pwd)\d?", re.IGNORECASE)
SLOWED = re.compile(r"bcrypt|argon2|scrypt|pbkdf2|pwned|breach|make_password|generate_password_hash", re.IGNORECASE)
SIGN_IN = re.compile(
    r"log_?in|sign_?in|log_?on|authenticat|(?:check|verify|valid)\w*(?:user|passw|cred)", re.IGNORECASE
)
A_USER = re.compile(r"user|login|e?mail|account|name\b", re.IGNORECASE)
SETTINGS = re.compile(r"\b(?:settings|config|conf|self|cls|app|os|env)\b", re.IGNORECASE)
ABOUT_PASSWORDS = re.compile(r"passw|passphrase|pwd", re.IGNORECASE)

# What is called: the cost's keyword, its position, the least, and what people call it.
COSTS = {
    "bcrypt.gensalt": ("rounds", 0, BCRYPT_ROUNDS, "bcrypt rounds"),
    "hashlib.pbkdf2_hmac": ("iterations", 3, PBKDF2_ITERATIONS, "PBKDF2 iterations"),
    "hashlib.scrypt": ("n", None, SCRYPT_N, "as scrypt's n"),
    "cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC": (
        "iterations", 3, PBKDF2_ITERATIONS, "PBKDF2 iterations",
    ),
    "cryptography.hazmat.primitives.kdf.scrypt.Scrypt": ("n", 2, SCRYPT_N, "as scrypt's n"),
    "passlib.context.CryptContext": ("bcrypt__rounds", None, BCRYPT_ROUNDS, "bcrypt rounds"),
    "passlib.hash.bcrypt.using": ("rounds", None, BCRYPT_ROUNDS, "bcrypt rounds"),
    "passlib.hash.pbkdf2_sha256.using": ("rounds", None, PBKDF2_ITERATIONS, "PBKDF2 iterations"),
    "pwdlib.hashers.bcrypt.BcryptHasher": ("rounds", 0, BCRYPT_ROUNDS, "bcrypt rounds"),
    "Crypto.Protocol.KDF.PBKDF2": ("count", 3, PBKDF2_ITERATIONS, "PBKDF2 iterations"),
}  # fmt: skip
ARGON2 = frozenset({"argon2.PasswordHasher", "pwdlib.hashers.argon2.Argon2Hasher"})
SALTS = {
    "hashlib.pbkdf2_hmac": ("salt", 2),
    "hashlib.scrypt": ("salt", None),
    "bcrypt.hashpw": ("salt", 1),
    "cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC": ("salt", 2),
    "cryptography.hazmat.primitives.kdf.scrypt.Scrypt": ("salt", 0),
    "argon2.low_level.hash_secret": ("salt", 1),
    "argon2.low_level.hash_secret_raw": ("salt", 1),
    "django.contrib.auth.hashers.make_password": ("salt", 1),
    "crypt.crypt": ("salt", 1),
    "Crypto.Protocol.KDF.PBKDF2": ("salt", 1),
    "Crypto.Protocol.KDF.scrypt": ("salt", 1),
}


@check("BG205")
def cheap_password_hash(context: Context) -> Iterator[Hit]:
    """Password hashes with a cost that a graphics card laughs at."""
    for use in context.index.calls(*COSTS):
        keyword, position, least, unit = COSTS[use.name]
        given = context.index.value(use.argument(keyword, position), use.module, use.function)
        if isinstance(given, int) and given < least:
            yield _cheap(use, f"{given:,} {unit}", f"at least {least:,}")
    for use in context.index.calls(*ARGON2):
        costs = [
            context.index.value(use.argument(name, position), use.module, use.function)
            if use.argument(name, position)
            else default
            for position, (name, default) in enumerate(ARGON2_DEFAULTS.items())
        ]
        passes, memory = costs
        if isinstance(passes, int) and isinstance(memory, int) and passes * memory < ARGON2_WORK:
            yield _cheap(use, f"argon2 at {passes} passes over {memory:,} KiB", "the library's defaults")
    for use in context.index.calls("werkzeug.security.generate_password_hash"):
        method = context.index.value(use.argument("method", 1), use.module, use.function)
        found = WERKZEUG_METHOD.match(method) if isinstance(method, str) else None
        if found and (found["plain"] or int(found["rounds"] or PBKDF2_ITERATIONS) < PBKDF2_ITERATIONS):
            yield _cheap(use, f"the method `{method}`", "the library's default")
    for use in context.index.calls(*FAST):
        around = unparse(use.function.node) if use.function else ""
        if SLOWED.search(around):
            continue
        parts = [part for one in use.call.args for part in ast.walk(one)]
        if any(map(_is_password, parts)) or _is_handed_password(context, use, parts):
            yield _cheap(use, f"`{use.name.rpartition('.')[2]}`, once", "a hash that is made for passwords")
    yield from _django(context)


def _is_handed_password(context: Context, use: Use, parts: list[ast.AST]) -> bool:
    """Do most calls of the function hand over a password for the parameter that is hashed: `self._hash(self.password)`?"""
    function = use.function
    if function is None:
        return False
    names = [each.arg for each in function.parameters]
    hashed = {names.index(each.id) for each in parts if isinstance(each, ast.Name) and each.id in names}
    handed = others = 0
    for one in context.index.named(function.node.name) if hashed else ():
        caller = one.function
        if caller is None or context.callees.called(one.call, caller) != function or SLOWED.search(text_of(caller)):
            continue
        is_bound = function.owner is not None and isinstance(one.call.func, ast.Attribute)
        given = [one.call.args[at - is_bound] for at in hashed if 0 <= at - is_bound < len(one.call.args)]
        is_password = any(_is_password(part) for each in given for part in ast.walk(each))
        handed, others = handed + is_password, others + (not is_password)
    return handed > others


def _is_password(node: ast.AST) -> bool:
    """`password`, `user.password`, `form["password"]`"""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        name = str(node.slice.value)
    return A_PASSWORD.fullmatch(name) is not None


def _cheap(use: Use, given: str, better: str) -> Hit:
    return hit(
        use.module,
        use.call,
        f"{{who}} hashes with {given}: who gets the database tries billions of passwords a day",
        f"take {better}, or argon2 as it comes: `argon2.PasswordHasher()`",
    )


def _django(context: Context) -> Iterator[Hit]:
    """Settings that prefer a fast hasher, and hashers that are made faster."""
    for node, module, function in context.index.nodes(ast.Assign):
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        if "PASSWORD_HASHERS" in names:
            hashers = context.index.value(node.value, module, function)
            first = hashers[0] if isinstance(hashers, list) and hashers else ""
            if isinstance(first, str) and DJANGO_HASHERS.fullmatch(first):
                yield hit(
                    module,
                    node,
                    f"PASSWORD_HASHERS begins with `{first.rpartition('.')[2]}`: new passwords are kept with "
                    "a fast hash",
                    'put "django.contrib.auth.hashers.Argon2PasswordHasher" first; keep the others only to check old ones',
                )
    for module in context.index.modules:
        for owner in module.classes:
            rounds = module.members[id(owner.node)].get("iterations")
            if rounds is None or not any("PBKDF2" in base for base in context.symbols.bases(owner)):
                continue
            given = context.index.value(getattr(rounds, "value", None), module)
            if isinstance(given, int) and given < PBKDF2_ITERATIONS:
                yield hit(
                    module,
                    rounds.value,  # type: ignore[union-attr]  # a class's function has no value, and was no number
                    f"`{owner.name}` makes PBKDF2 cheap: {given:,} iterations",
                    "leave Django's own number, which grows with each release",
                )


def compared(context: Context) -> Iterator[Hit]:
    """What is sent for a password, compared with a text in the code: `name == "root" and password == "tiger"`."""
    for node, module, function in context.index.nodes(ast.Compare):
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq) or function is None:
            continue
        sides = (node.left, node.comparators[0])
        others = [other for one, other in (sides, sides[::-1]) if _is_sent_password(one)]
        is_asked = SIGN_IN.search(function.name) is not None or _names_user(function, node)
        if (is_asked and any(map(_is_chosen, others))) or any(_is_listed(context, each, function) for each in others):
            yield hit(
                module,
                node,
                "{who} lets in whoever sends the password that is written into the code: all who can read the code have it, "
                "and nobody can change it",
                "keep a hash that is made for passwords beside each user, outside of the code, and verify against that",
                Confidence.MEDIUM,
            )


def _is_sent_password(node: ast.expr) -> bool:
    """`password`, `form["password"]`, `data.get("password")`, `credentials.password`; no setting."""
    if isinstance(node, ast.Call):
        is_get = isinstance(node.func, ast.Attribute) and node.func.attr == "get" and bool(node.args)
        first = node.args[0] if is_get else None
        return isinstance(first, ast.Constant) and A_PASSWORD.fullmatch(str(first.value)) is not None
    return _is_password(node) and not SETTINGS.search(unparse(node))


def _is_chosen(node: ast.expr) -> bool:
    """A constant text that could be a password: no mask, no empty one."""
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\w{3}", node.value) is not None
    )


def _is_listed(context: Context, node: ast.expr, function: Function) -> bool:
    """`USERS[name]`, `USERS.get(name)`: an entry of a dictionary of texts in the code."""
    is_get = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    held = node.func.value if is_get else node.value if isinstance(node, ast.Subscript) else None  # type: ignore[attr-defined]
    listed = (
        context.symbols.value(held, function.module, function) if isinstance(held, ast.Name | ast.Attribute) else None
    )
    values = listed.value.values if isinstance(listed, Variable) and isinstance(listed.value, ast.Dict) else []
    return bool(values) and all(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in values)


def _names_user(function: Function, compared: ast.Compare) -> bool:
    """Does the same condition ask for a certain user: `name == "root" and ...`?"""
    for node in own_nodes(function):
        if isinstance(node, ast.BoolOp) and compared in node.values:
            others = (each for each in node.values if each is not compared and isinstance(each, ast.Compare))
            return any(A_USER.search(unparse(each.left)) and _is_chosen(each.comparators[0]) for each in others)
    return False


@check("BG206")
def static_salt(context: Context) -> Iterator[Hit]:
    """Salts that are written into the code, or empty."""
    for use in context.index.calls(*SALTS):
        keyword, position = SALTS[use.name]
        salt = context.index.value(use.argument(keyword, position), use.module, use.function)
        if salt is UNKNOWN or salt is None or not isinstance(salt, str | bytes):
            continue
        what = "an empty salt" if not salt else "a salt that is written into the code"
        around = unparse(use.function.node) if use.function else ""
        is_password = ABOUT_PASSWORDS.search(around) or use.name.startswith(("bcrypt", "django", "crypt."))
        yield hit(
            use.module,
            use.call,
            f"{{who}} calls `{use.name.rpartition('.')[2]}` with {what}: equal passwords get equal hashes, "
            "and one table of "
            "guesses fits all of them",
            "make a salt for each value and keep it beside the hash: `os.urandom(16)`; bcrypt and argon2 do "
            "it themselves",
            None if is_password else Confidence.LOW,
        )
