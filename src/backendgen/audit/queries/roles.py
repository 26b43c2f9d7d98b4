"""Tests of who calls: what is asked about the user before a branch refuses, and rows compared with the user."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from backendgen.audit.queries.model import USER, Access, Value
from backendgen.code.nodes import unparse

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame

ACTIVITY = frozenset({
    "is_active", "active", "disabled", "is_disabled", "verified", "is_verified", "email_verified",
    "is_email_verified",
    "banned", "is_banned", "blocked", "is_blocked", "deleted", "is_deleted", "deleted_at", "is_authenticated",
    "is_anonymous", "sub", "error", "user_id", "id", "email", "username", "hashed_password", "password",
    "confirmed", "blocked_at",
})  # fmt: skip
NO_QUESTION = frozenset({"isinstance", "bool", "str", "len", "getattr", "hasattr", "int", "set", "list"})
NO_ROLE = re.compile(r"(?:^|_)ids?$|(?:^|\.)(?:exists|count|filter|get|first|items|keys|values|append|add)$")


def tested(frame: Frame, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> int | None:
    """A test on what the user is, with a branch that refuses, is a role; rows compared with the user are checked.

    Return which branch is for users with a role: 0 for `if user.is_admin:`, 1 for `if not user.is_admin:`.
    """
    if body and isinstance(body[-1], ast.Raise):
        frame.inverse |= {id(each) for each in _conjuncts(test) if _is_equality(each)}
    if USER not in frame.value(test).roots:
        return None
    roles = frozenset(_role_words(frame, test))
    if roles and (_refuses(body) or _refuses(orelse)):
        frame.access = frame.access.plus(Access(roles=roles))
    if not roles:
        return None
    is_denied = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    return 1 if is_denied or (isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.NotEq | ast.NotIn)) else 0


def _role_words(frame: Frame, test: ast.expr) -> Iterator[str]:
    compared = {
        id(part)
        for node in ast.walk(test)
        if isinstance(node, ast.Compare) and any(_speaks_of_rows(frame, one) for one in (node.left, *node.comparators))
        for part in ast.walk(node)
    }
    for node in ast.walk(test):
        word = _role_word(frame, node) if id(node) not in compared else ""
        if word and word not in ACTIVITY and not NO_ROLE.search(word):
            yield word


def _role_word(frame: Frame, node: ast.AST) -> str:
    """The attribute of the user that is tested, or what is asked about the user: `is_admin`, `has_permission`."""
    if isinstance(node, ast.Attribute):
        return node.attr if USER in frame.value(node.value).roots else ""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value) if USER in frame.value(node.value).roots else ""
    if isinstance(node, ast.Call) and any(USER in frame.value(one).roots for one in node.args):
        return "" if isinstance(node.func, ast.Name) and node.func.id in NO_QUESTION else unparse(node.func)
    return ""


def _speaks_of_rows(frame: Frame, node: ast.expr) -> bool:
    value = frame.value(node)
    return value.has("row", "path", "body", "query") and USER not in value.roots


def compared(frame: Frame, left: Value, right: Value) -> None:
    """A row compared with the user."""
    tables = {
        root.name
        for one, other in ((left, right), (right, left))
        for root in one.roots
        if root.kind in ("row", "path") and USER in other.roots and one.roots != other.roots
    }
    if tables:
        frame.access = frame.access.plus(Access(checked=frozenset(tables)))


def _conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for each in test.values:
            yield from _conjuncts(each)
    else:
        yield test


def _is_equality(node: ast.expr) -> bool:
    return isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.Is)


def _refuses(body: list[ast.stmt]) -> bool:
    """Does a block end in refusing: it raises, aborts, or returns an answer with 401, 403 or 404?"""
    for statement in body:
        if isinstance(statement, ast.Raise):
            return True
        if isinstance(statement, ast.Return) and statement.value is not None:
            numbers = {each.value for each in ast.walk(statement.value) if isinstance(each, ast.Constant)}
            words = {each.attr for each in ast.walk(statement.value) if isinstance(each, ast.Attribute)}
            calls = {each.id for each in ast.walk(statement.value) if isinstance(each, ast.Name)}
            if numbers & {401, 403, 404} or any("FORBIDDEN" in word or "UNAUTHORIZED" in word for word in words):
                return True
            if any(name.endswith(("Forbidden", "Unauthorized", "NotFound")) for name in calls):
                return True
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            func = statement.value.func
            if (func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")) == "abort":
                return True
    return False
