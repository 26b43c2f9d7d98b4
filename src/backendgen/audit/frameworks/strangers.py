"""Does a hook that runs before every handler refuse a stranger: a caller without session, token or key?

A hook that answers 401 may only refuse a token that is wrong, an address that is banned, an account that is locked: who
brings nothing passes. So its conditions are read as they are for a stranger: what asks for the caller is false, what asks
where the request goes may be either, of anything else both sides must refuse.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from backendgen.audit.frameworks.outcomes import (
    SIGN_IN,
    TOO_OFTEN,
    Outcomes,
    Statuses,
    mentions,
    names_in,
    sends_to_sign_in,
)
from backendgen.audit.frameworks.preprocessors import Branches
from backendgen.code.symbols import Function

CALLER = re.compile(
    r"user|auth|log(?:ged|in)|sign(?:ed|in|ature)|session|account|identity|member|admin|token|credential|permission|passw"
    r"|secret|jwt|bearer|header|cookie|principal|claims|caller|api_?key",
    re.IGNORECASE,
)
ROUTE = re.compile(
    r"path|endpoint|blueprint|url|method|route|view|scope|config|settings|debug|testing|public|exempt|whitelist|allow"
    r"|enabled|disabled|required",
    re.IGNORECASE,
)
MAX_DEPTH = 4


def refusals(outcomes: Outcomes, function: Function, branches: Branches | None = None) -> Statuses:
    """Return what a hook answers: its limits, and what refuses callers when it refuses a stranger.

    `branches` are those that one route takes through a hook that is told about it.
    """
    found = outcomes.of(function)
    if not found - TOO_OFTEN or _Stranger(outcomes, branches).is_refused(function.node.body, function, 0):
        return found
    return found & TOO_OFTEN


class _Stranger:
    """Follows statements as they run for a caller who brings nothing."""

    def __init__(self, outcomes: Outcomes, branches: Branches | None = None) -> None:
        self.outcomes = outcomes
        self.branches = branches

    def is_refused(self, body: Iterable[ast.stmt], function: Function, depth: int) -> bool:
        """Is the stranger refused on every way through these statements that depends on who calls?"""
        for node in body:
            if isinstance(node, ast.If):
                known = self._for_stranger(node.test)
                then = known is not False and self.is_refused(node.body, function, depth)
                other = known is not True and self.is_refused(node.orelse, function, depth)
                if (then and other) or (known is True and then) or (known is False and other):
                    return True
                if known is None and (then or other) and self._asks(node.test, ROUTE):
                    return True
                if known is True and _ends(node.body):
                    return False
            elif isinstance(node, ast.Try):
                inner = [node.body, node.orelse, node.finalbody, *(handler.body for handler in node.handlers)]
                if any(self.is_refused(block, function, depth) for block in inner):
                    return True
            elif isinstance(node, ast.With | ast.AsyncWith | ast.FunctionDef | ast.AsyncFunctionDef):
                if self.is_refused(node.body, function, depth):
                    return True
            elif self._refuses(node, function, depth):
                return True
            elif isinstance(node, ast.Return | ast.Raise):
                return False
        return False

    def _refuses(self, node: ast.stmt, function: Function, depth: int) -> bool:
        """Does a statement answer 401 or 403, or call something of the project that refuses the stranger?"""
        if self.outcomes.statement(node, function) - TOO_OFTEN:
            calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)] if depth < MAX_DEPTH else []
            inner = [
                one for one in (self.outcomes.callee(call, function) for call in calls) if isinstance(one, Function)
            ]
            followed = [one for one in inner if self.outcomes.of(one) - TOO_OFTEN]
            if not followed or isinstance(node, ast.Raise):
                return True
            inside = _Stranger(self.outcomes)
            return any(inside.is_refused(one.node.body, one, depth + 1) for one in followed)
        return SIGN_IN in self.outcomes.of(function) and sends_to_sign_in(node)

    def _for_stranger(self, test: ast.expr) -> bool | None:
        """What a condition is for a caller who brings nothing; None when that does not depend on the caller."""
        decided = self.branches.decided(test) if self.branches else None
        if decided is not None:
            return decided
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            known = self._for_stranger(test.operand)
            return True if known is None and self._may_fail(test.operand) else None if known is None else not known
        if isinstance(test, ast.BoolOp):
            return self._both(test) if isinstance(test.op, ast.And) else self._any(test)
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            if _asks_where(test) or not self._asks(test, CALLER):
                return None
            is_same = isinstance(test.ops[0], ast.Eq | ast.In | ast.Is | ast.GtE | ast.Gt)
            nothing = isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value in (None, False)
            return is_same == nothing  # `token == key` is false, `user is None` true
        if isinstance(test, ast.Attribute) and test.attr in ("is_anonymous", "anonymous"):
            return True
        return False if self._asks(test, CALLER) and not _asks_where(test) else None

    def _may_fail(self, test: ast.expr) -> bool:
        """`not valid(request)` is taken for a question about the caller; not where it is about the route's own values."""
        return isinstance(test, ast.Call) and not (self.branches and self.branches.known.keys() & set(names_in(test)))

    def _asks(self, test: ast.expr, words: re.Pattern[str]) -> bool:
        """Does a condition mention one of these words? What was looked up by the route's values is not the caller."""
        if self.branches is None or not self.branches.known.keys() & set(names_in(test)):
            return mentions(test, words)
        return any(words.search(name) for name in names_in(test) if name not in self.branches.known)

    def _both(self, test: ast.BoolOp) -> bool | None:
        """`password_set and not user` refuses a stranger; `token and not valid(token)` does not."""
        known = [self._for_stranger(one) for one in test.values]
        if True not in known or (self.branches and any(self.branches.decided(one) is False for one in test.values)):
            return False if False in known else None
        parts = list(zip(test.values, known, strict=True))
        missing = {name for one, is_so in parts if is_so is False for name in names_in(one)}
        asked = {name for one, is_so in parts if is_so is True for name in names_in(one)}
        return not missing & asked

    def _any(self, test: ast.BoolOp) -> bool | None:
        known = [self._for_stranger(one) for one in test.values]
        return True if True in known else None if None in known else False


def _asks_where(test: ast.expr) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr in ("path", "endpoint", "method") for one in ast.walk(test))


def _ends(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Return | ast.Raise)
