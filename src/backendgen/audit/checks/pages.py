"""Limits of queries that a function takes, or skips rows for, and does not apply."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.checks.walk import is_command
from backendgen.audit.registry import Context
from backendgen.code.nodes import plain_name
from backendgen.code.symbols import Function

LIMIT = "limit"
BUILDS = frozenset({"select", "where", "filter", "filter_by", "order_by"})
LIMITS = frozenset({"limit", "slice", "fetch", "paginate"})
RUNS = frozenset({"execute", "scalars", "scalar", "stream", "stream_scalars", "exec", "all", "fetch_all", "fetchall"})


def ignored(context: Context) -> Iterator[tuple[Function, ast.Call]]:
    """Functions that take `limit`, make a query, and do nothing with the limit but test whether it was given."""
    for module in context.index.modules:
        if LIMIT not in module.file.text or is_command(module.file):
            continue
        for function in module.functions:
            if any(one.arg == LIMIT for one in function.parameters) and not _uses(function, LIMIT):
                makes = [one for one in module.calls_in(function) if plain_name(one.func) in BUILDS]
                made = min(makes, key=lambda one: (plain_name(one.func) != "select", one.lineno), default=None)
                if made is not None:
                    yield function, made


def skipping(context: Context) -> Iterator[tuple[Function, ast.Call]]:
    """Functions that run a query with an offset, and give none a limit: what is skipped changes, the rest is read whole."""
    for module in context.index.modules:
        if ".offset(" not in module.file.text or is_command(module.file):
            continue
        for function in module.functions:
            calls = module.calls_in(function)
            names = {plain_name(one.func) for one in calls}
            if (
                "offset" not in names or names & LIMITS or not names & RUNS or "delete" in names
            ):  # all but the newest go
                continue
            for call in calls:
                if (
                    plain_name(call.func) == "offset"
                    and len(call.args) == 1
                    and not isinstance(call.args[0], ast.Constant)
                ):
                    yield function, call
                    break


def _uses(function: Function, name: str) -> bool:
    """Is a parameter read anywhere but in a question whether it is None?"""
    tests = {
        id(node.left)
        for node in ast.walk(function.node)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot)
    }
    return any(
        isinstance(node, ast.Name) and node.id == name and id(node) not in tests for node in ast.walk(function.node)
    )
