"""Values that nobody may guess, made from what can be guessed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import is_secret, makes_secret, named
from backendgen.audit.checks.walk import hit, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.findings.finding import Hit

FUNCTIONS = (
    "random", "randint", "randrange", "choice", "choices", "sample", "getrandbits", "randbytes", "uniform", "gauss",
    "normalvariate", "betavariate", "expovariate", "triangular", "shuffle",
)  # fmt: skip
RANDOM = (
    *(f"random.{name}" for name in FUNCTIONS),
    *(f"numpy.random.{name}" for name in ("randint", "choice", "random", "rand")),
)
CLOCKS = (
    "time.time", "time.time_ns", "time.ctime", "time.strftime", "datetime.datetime.now", "datetime.datetime.utcnow",
    "django.utils.timezone.now",
)  # fmt: skip
DIGESTS = tuple(f"hashlib.{name}" for name in ("new", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b"))
PICKS = frozenset({"random.choice", "random.sample", "random.choices", "numpy.random.choice"})
LETTERS = re.compile(r"ascii|digits|letters|alphabet|char|punctuation|string\.|range\(|['\"]", re.IGNORECASE)
KEEPERS = frozenset({"set", "add", "put", "get", "pop"})  # what they return is not what they are given
COOKIES = frozenset({"set_cookie", "set_signed_cookie"})


@check("BG211")
def guessable_secret(context: Context) -> Iterator[Hit]:
    """Tokens, passwords and codes from `random`."""
    for use, what in _secrets(context, *RANDOM):
        yield hit(
            use.module,
            use.call,
            f"{{who}} makes {what} with `{unparse(use.call.func)}`: who has seen some of its values computes the next",
            "take `secrets`: `secrets.token_urlsafe(32)`, `secrets.choice(...)`, `secrets.randbelow(10**6)`",
        )


@check("BG212")
def clock_as_secret(context: Context) -> Iterator[Hit]:
    """Tokens and codes from the clock: uuid1, which is that and the network card's address, and hashes of the time."""
    for use, what in _secrets(context, "uuid.uuid1"):
        yield hit(
            use.module,
            use.call,
            f"{{who}} makes {what} with `uuid1()`, the time and this machine's address: few guesses find it",
            "take `secrets.token_urlsafe(32)`; `uuid4()` for what only has to be unique",
        )
    digests = [use.call for use in context.index.calls(*DIGESTS)]
    hashed = {id(node) for call in digests for one in call.args for node in ast.walk(one)}
    for use, what in _secrets(context, *CLOCKS):
        if id(use.call) in hashed:  # a time as it is may be a stamp; who hashes it means to hide it
            yield hit(
                use.module,
                use.call,
                f"{{who}} makes {what} of the time, `{unparse(use.call)}`: a hash of it is found by trying the "
                "moments around it",
                "take `secrets.token_urlsafe(32)`",
            )


def _secrets(context: Context, *makers: str) -> Iterator[tuple[Use, str]]:
    """Yield the calls whose value becomes a secret, and which."""
    for use in context.index.calls(*makers):
        picked = use.call.args[0] if use.name in PICKS and use.call.args else None
        if picked is not None and not LETTERS.search(unparse(picked)):
            continue  # one of what is there already: the secret is not made here
        what = _becomes(use)
        if what:
            yield use, f"`{what}`"


def _becomes(use: Use) -> str:
    """The name of the secret that a call's value, through local names, becomes; nothing when there is none."""
    nodes = list(own_nodes(use.function)) if use.function else list(_outside(use.module.file.tree))
    holders: set[str] = set()
    holding = {id(use.call)}
    for _ in range(3):  # each round follows one more local name
        before = len(holders)
        for node in nodes:
            for target, value in _given(node):
                if not _holds(value, holding, holders):
                    continue
                name = named(target)
                if is_secret(name):
                    return unparse(target) if not isinstance(target, ast.Constant) else name
                if isinstance(target, ast.Name):
                    holders.add(target.id)
        if len(holders) == before:
            break
    if use.function and makes_secret(use.function.name):
        returns = (node for node in nodes if isinstance(node, ast.Return) and node.value is not None)
        if any(_holds(node.value, holding, holders) for node in returns if node.value is not None):
            return use.function.name
    return ""


def _given(node: ast.AST) -> Iterator[tuple[ast.AST, ast.expr]]:
    """Yield what a node gives to a name: assignments, keywords, entries, cookies."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.Dict):
        yield from ((key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None)
    elif isinstance(node, ast.Call):
        yield from ((ast.Constant(one.arg), one.value) for one in node.keywords if one.arg)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if method in COOKIES and len(node.args) > 1:
            yield node.args[0], node.args[1]
        elif method in ("append", "extend") and isinstance(node.func, ast.Attribute) and node.args:
            yield node.func.value, node.args[0]


def _holds(value: ast.expr, calls: set[int], names: set[str]) -> bool:
    """Is the value made of one of the calls or names, not only looked up or compared with them?"""
    pending: list[ast.AST] = [value]
    while pending:
        node = pending.pop()
        if id(node) in calls or (isinstance(node, ast.Name) and node.id in names):
            return True
        if isinstance(node, ast.Compare | ast.Lambda):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KEEPERS:
            continue
        if isinstance(node, ast.IfExp):
            pending += [node.body, node.orelse]
        elif isinstance(node, ast.Subscript):
            pending.append(node.value)
            pending += [node.slice] if not isinstance(node.slice, ast.Slice) else []
        else:
            pending.extend(ast.iter_child_nodes(node))
    return False


def _outside(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes of a module that stand in no function."""
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            pending.extend(ast.iter_child_nodes(node))
