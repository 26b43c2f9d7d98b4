"""Hashes that can be made to collide."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import snake
from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

WEAK = (
    {"hashlib.md5": "MD5", "hashlib.sha1": "SHA-1", "hashlib.md4": "MD4"}
    | {
        f"{package}.Hash.{name}.new": shown
        for package in ("Crypto", "Cryptodome")
        for name, shown in (("MD5", "MD5"), ("SHA1", "SHA-1"), ("SHA", "SHA-1"), ("MD4", "MD4"), ("MD2", "MD2"))
    }
    | {f"cryptography.hazmat.primitives.hashes.{name}": shown for name, shown in (("MD5", "MD5"), ("SHA1", "SHA-1"))}
)
NAMED = re.compile(r"md[245]|sha-?1?|sha", re.IGNORECASE)
IDENTIFIES = re.compile(
    r"cache|etag|check_?sum|finger_?print|dedup|gravatar|avatar|colou?r|bucket|shard|partition|hash_?key|key_?hash|version|cluster|slug"
    r"|short|uid|unique|make_key|memo|bust|file|upload|static|asset|media|icon|image|img|url|uri|host|path|args|params|metadata|schema"
    r"|preview|loader|content"
)
TELLS_APART = re.compile(r"identif|mail|thread|thumb_?print|attach|pwned")
PROTECTS = re.compile(r"passw|secret|token|sign(?:ature|ed)|session|csrf|nonce|salt|auth")
SHORTENED = re.compile(r"digest\(\)\s*\[")


@check("BG201")
def weak_hash(context: Context) -> Iterator[Hit]:
    """MD5 and SHA-1, unless they are said to protect nothing."""
    for use in context.index.calls(*WEAK):
        if not _harmless(context, use):
            yield _weak(use, WEAK[use.name])
    for use in context.index.calls("hashlib.new"):
        name = context.index.value(use.argument("name", 0), use.module, use.function)
        if isinstance(name, str) and NAMED.fullmatch(name) and not _harmless(context, use):
            yield _weak(use, name.upper())


def _harmless(context: Context, use: Use) -> bool:
    given = use.argument("usedforsecurity")
    return given is not None and context.index.value(given, use.module, use.function) is not True


def _weak(use: Use, name: str) -> Hit:
    """What only identifies something, by the names around it or because it is shortened, is doubtful."""
    line = use.module.file.lines[(use.call.end_lineno or use.call.lineno) - 1]
    around = _around(use)
    tells_apart = TELLS_APART.search(around) is not None and not PROTECTS.search(around)
    identifies = tells_apart or IDENTIFIES.search(around) is not None or SHORTENED.search(line) is not None
    return hit(
        use.module,
        use.call,
        f"{{who}} hashes with {name}, which can be made to collide: it proves nothing about who wrote a value",
        "hashlib.sha256(...); for passwords argon2; `usedforsecurity=False` where it protects nothing, such as a cache key",
        Confidence.LOW if identifies else None,
    )


def _around(use: Use) -> str:
    """The names around a hash: of the file and the function, of what it is assigned to, of what it is made of."""
    names = [use.module.file.path, use.function.name if use.function else ""]
    names += [unparse(argument)[:80] for argument in use.call.args]
    for node, function in use.module.nodes(ast.Assign):
        inside = node.lineno <= use.call.lineno <= (node.end_lineno or node.lineno)
        if inside and function is use.function:
            names += [unparse(target)[:80] for target in node.targets]
    return " ".join(map(snake, names))
