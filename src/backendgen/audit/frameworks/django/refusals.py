"""How code of Django projects turns strangers away: 401 and 403, the sign-in page, or "not found" for who may not see it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.frameworks.outcomes import NONE, TOO_OFTEN, Outcomes, Statuses
from backendgen.code.nodes import plain_name, unparse
from backendgen.code.symbols import Class, Function, Symbols

IDENTITY = frozenset({
    "is_authenticated", "is_anonymous", "is_staff", "is_superuser", "has_perm", "has_perms", "has_module_perms", "is_active",
})  # fmt: skip
STRANGER = frozenset({"is_anonymous", "AnonymousUser"})
DENIED = re.compile(
    r"Permission|Unauthori[sz]ed|Unauthenticated|NotAuthenticated|Forbidden|AccessDenied|AuthenticationFailed"
)
REFUSES = re.compile(r"raise|deny|denied|refuse|reject|forbid|abort|permission", re.IGNORECASE)
ASKS_PERMISSION = re.compile(r"^_?(?:check|has)_(?:\w+_)?permissions?$|^has_perms?$")
SIGNATURE = re.compile(r"Signature|InvalidToken|InvalidDigest")
NOT_FOUND = frozenset({"Http404", "HttpResponseNotFound", "NotFound"})
MAX_DEPTH = 5


class Refusals:
    """Memoised. What `Outcomes` knows, and refusals that only a question about the caller makes one."""

    def __init__(self, symbols: Symbols, outcomes: Outcomes) -> None:
        self.symbols = symbols
        self.outcomes = outcomes
        self._known: dict[int, tuple[int, Statuses]] = {}  # with how deep in calls it was found

    def of(self, function: Function, depth: int = 0) -> Statuses:
        """Return what a function, or what it calls, answers callers that may not go on."""
        key = id(function.node)
        if key not in self._known or self._known[key][0] > depth:
            self._known[key] = depth, NONE
            found = self.outcomes.of(function)
            nodes = _nodes(function.node)
            for block in _blocks([function.node, *nodes]):
                found |= self._of_block(block)
            for node in nodes:
                if _is_denial(node) or (isinstance(node, ast.ExceptHandler) and _is_unsigned(node)):
                    found |= {403}
            if depth < MAX_DEPTH:
                for call in (one for one in nodes if isinstance(one, ast.Call)):
                    if isinstance(call.func, ast.Attribute) and call.func.attr == "handle_no_permission":
                        found |= {302, 403}
                    if _called(call).endswith("get_object_or_404") and self._of_caller(call, function):
                        found |= {404}
                    for callee in self._run(call, function):
                        found |= self.of(callee, depth + 1)
            self._known[key] = depth, found
        return self._known[key][1]

    def _of_caller(self, call: ast.Call, function: Function) -> bool:
        """Is an object looked for among those of the caller: `get_object_or_404(Order, owner=request.user)`?"""
        for node in (
            inner for given in [*call.args, *(one.value for one in call.keywords)] for inner in ast.walk(given)
        ):
            if isinstance(node, ast.Attribute) and node.attr == "user":
                return True
            callee = self.outcomes.callee(node, function) if isinstance(node, ast.Call) else None
            if isinstance(callee, Function) and any(
                isinstance(one, ast.Attribute) and one.attr == "user" for one in ast.walk(callee.node)
            ):
                return True
        return False

    def _run(self, call: ast.Call, function: Function) -> Iterator[Function]:
        """What a call runs: the function that is called, and those that it is given to run."""
        given = [self.symbols.value(one, function.module, function) for one in call.args if isinstance(one, ast.Name)]
        for one in (self.outcomes.callee(call, function), *given):
            if isinstance(one, Function):
                yield one

    def of_class(self, owner: Class, methods: tuple[str, ...]) -> Statuses:
        """Return what these methods of a class of the project, its own and inherited ones, refuse."""
        found: Statuses = NONE
        for one in self.symbols.lineage(owner):
            for name in methods:
                member = one.module.members.get(id(one.node), {}).get(name)
                if isinstance(member, Function):
                    found |= self.of(member)
        return found

    def _of_block(self, block: list[ast.stmt]) -> Statuses:
        found: Statuses = NONE
        for index, node in enumerate(block):
            if not isinstance(node, ast.If):
                continue
            asks, is_negative = _asks(node.test)
            if _is_denied_permission(node.test):
                found |= {403}
            if asks and not is_negative and _asks_method(node.test):  # what strangers POST is passed over
                found |= {403}
            elif asks:
                after = node.orelse or (block[index + 1 :] if _ends(node.body) else [])
                found |= _refused(node.body if is_negative else after, redirects=is_negative)
        return found - TOO_OFTEN


def _asks(test: ast.expr) -> tuple[bool, bool]:
    """Is it a question about the caller; and is the answer yes for strangers?"""
    asks = negative = False
    for node in ast.walk(test):
        name = plain_name(node)
        if name in IDENTITY or name in STRANGER:
            asks = True
            negative = negative or name in STRANGER
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = {one.attr for one in ast.walk(node.operand) if isinstance(one, ast.Attribute)}
            negative = negative or bool(inner & IDENTITY)
    return asks, negative


def _is_denied_permission(test: ast.expr) -> bool:
    """`if not cls.check_permissions(context): errors.append(...)`"""
    return any(
        isinstance(one, ast.UnaryOp)
        and isinstance(one.op, ast.Not)
        and isinstance(one.operand, ast.Call)
        and ASKS_PERMISSION.search(_called(one.operand)) is not None
        for one in ast.walk(test)
    )


def _asks_method(test: ast.expr) -> bool:
    """`request.method == "POST" and ...`"""
    return isinstance(test, ast.BoolOp) and any(
        isinstance(one, ast.Compare) and isinstance(one.left, ast.Attribute) and one.left.attr == "method"
        for one in test.values
    )


def _refused(block: list[ast.stmt], *, redirects: bool) -> Statuses:
    found: Statuses = NONE
    for node in block:
        raised = node.exc if isinstance(node, ast.Raise) else None
        answer = node.value if isinstance(node, ast.Return) else None
        for one in (raised, answer):
            if one is None:
                continue
            called = one.func if isinstance(one, ast.Call) else one
            name = plain_name(called)
            if name in NOT_FOUND:
                found |= {404}
            elif raised is not None:
                found |= {403}
            elif redirects and "redirect" in name.lower():
                found |= {302}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and REFUSES.search(_called(node.value)):
            found |= {403}  # `self.raise_permission_error()`, which a subclass defines
        if isinstance(node, ast.If):
            found |= _refused(node.body, redirects=redirects) | _refused(node.orelse, redirects=redirects)
    return found


def _is_denial(node: ast.AST) -> bool:
    """Does it raise what says by its name that the caller may not?"""
    return isinstance(node, ast.Raise) and node.exc is not None and DENIED.search(_called(node.exc)) is not None


def _is_unsigned(node: ast.ExceptHandler) -> bool:
    """Does it end what is done with a message that its sender did not sign?"""
    return node.type is not None and _ends(node.body) and SIGNATURE.search(unparse(node.type)) is not None


def _called(node: ast.expr) -> str:
    """The last name of what is called or raised."""
    called = node.func if isinstance(node, ast.Call) else node
    return plain_name(called)


def _ends(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise)


_LEAVES = (ast.expr_context, ast.Constant, ast.Name, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)


def _nodes(function: ast.AST) -> list[ast.AST]:
    """The nodes of a function's body, without names and constants."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = list(getattr(function, "body", []))
    while pending:
        node = pending.pop()
        found.append(node)
        for name in node._fields:
            child = getattr(node, name, None)
            if isinstance(child, list):
                pending.extend(one for one in child if isinstance(one, ast.AST) and not isinstance(one, _LEAVES))
            elif isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                pending.append(child)
    return found


def _blocks(nodes: list[ast.AST]) -> Iterator[list[ast.stmt]]:
    """Every list of statements among these."""
    for node in nodes:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block
