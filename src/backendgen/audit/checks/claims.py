"""What callers say of themselves: rights that are read from cookies and headers, which callers write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from backendgen.audit.checks.walk import hit, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

HOLDER = re.compile(r"(?:^|\.)request\.(?P<kind>cookies|COOKIES|headers|META)$")
RIGHT = re.compile(
    r"(?:http_)?(?:x_)?(?:user_?|account_?)?(?:roles?|is_?admin|admin|is_?staff|is_?superuser|superuser|access_?level|privileges?"
    r"|permissions?|is_?authenticated|authenticated|(?:is_?)?logged_?in)",
    re.IGNORECASE,
)
TESTS = (ast.If, ast.IfExp, ast.While, ast.Assert)


@check("BG243")
def right_that_callers_write(context: Context) -> Iterator[Hit]:
    """Tests of a role or a flag that came in a cookie or a header as it is."""
    for module in context.index.modules:
        if not any(map(module.file.mentions, ("cookies", "COOKIES", "headers"))):
            continue
        for function in module.functions:
            yield from _tested(function)
    for endpoint in context.service.endpoints:
        claimed = {
            each.name: (each.name, each.source)
            for each in endpoint.parameters
            if each.source in ("cookie", "header") and _is_right(each.name)
        }
        if claimed:
            yield from _of(endpoint.handler, claimed)


def _tested(function: Function) -> Iterator[Hit]:
    """The tests of what a function reads from the request's cookies and headers."""
    kept = {}
    for node in own_nodes(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            claim = _claim(node.value)
            if claim:
                kept[node.targets[0].id] = claim
    yield from _of(function, kept)


def _of(function: Function, kept: Mapping[str, tuple[str, str]]) -> Iterator[Hit]:
    """The tests in a function of names that hold a claim, and of claims themselves."""
    for node in own_nodes(function):
        if not isinstance(node, TESTS):
            continue
        for part in ast.walk(node.test):
            claim = kept.get(part.id) if isinstance(part, ast.Name) else _claim(part)
            if claim:
                name, kind = claim
                yield hit(
                    function.module,
                    node.test,
                    f"{{who}} decides by `{name}` of the {kind}s what a caller may, who writes there what he wants",
                    "look the role up beside the user whose session or token was verified: `current_user.role`",
                    Confidence.HIGH if kind == "cookie" else Confidence.MEDIUM,
                )
                break


def _claim(node: ast.AST) -> tuple[str, str] | None:
    """`request.cookies.get("role")`, `request.headers["X-Role"]`: the name of the right, and what it came in."""
    key: ast.expr | None = None
    holder: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        key, holder = node.args[0], node.func.value
    elif isinstance(node, ast.Subscript):
        key, holder = node.slice, node.value
    if (
        not isinstance(key, ast.Constant)
        or not isinstance(key.value, str)
        or holder is None
        or not _is_right(key.value)
    ):
        return None
    found = HOLDER.search(unparse(holder))
    if found is None:
        return None
    return key.value, "cookie" if found["kind"].lower() == "cookies" else "header"


def _is_right(name: str) -> bool:
    return RIGHT.fullmatch(name.replace("-", "_")) is not None
