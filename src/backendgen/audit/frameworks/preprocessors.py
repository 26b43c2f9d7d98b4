"""Flask's `url_value_preprocessor`: a hook that is handed the variables of a route's path, and may refuse who calls.

What it asks of a variable that it takes (`values.pop("project_id", None)`) is known for each route, and so is the endpoint's
name: they decide which of its branches a request to that route runs through.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.frameworks.outcomes import names_in
from backendgen.code.symbols import Function

READERS = frozenset({"pop", "get"})
CALLER = re.compile(r"^(?:session|request|current_\w+)$|jwt|logged|signed")
EITHER = None  # what only the request tells


def taken(function: Function) -> frozenset[str]:
    """Return the variables of the path that a hook takes from the values that it is handed."""
    values = _parameter(function, 1)
    found = (_variable(one, values) for one in ast.walk(function.node) if isinstance(one, ast.expr))
    return frozenset(one for one in found if one)


class Branches:
    """What a hook's conditions are for requests to one route: its endpoint's name, empty when unknown, and its variables."""

    def __init__(self, function: Function, endpoint: str, variables: frozenset[str]) -> None:
        self.endpoint = endpoint
        self.variables = variables
        self.known: dict[str, bool | None] = {}
        self._values, self._endpoint = _parameter(function, 1), _parameter(function, 0)
        for target, value in _assignments(function):
            name = target.id if isinstance(target, ast.Name) else target.attr
            answer = self.decided(value)
            if answer is not None or (self._is_of_route(value) and not any(map(CALLER.search, names_in(value)))):
                self.known[name] = answer

    def decided(self, test: ast.expr) -> bool | None:
        """Return what a condition, or the truth of a value, is for the route; None when the route does not decide it."""
        if isinstance(test, ast.NamedExpr):
            return self.decided(test.value)
        if isinstance(test, ast.Name):
            return self.known.get(test.id)
        variable = _variable(test, self._values)
        if variable:
            is_negative = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.NotIn)
            return (variable in self.variables) != is_negative
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return self._compared(test.left, test.ops[0], test.comparators[0])
        return EITHER

    def _compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
        if isinstance(right, ast.Constant) and right.value is None:
            answer = self.decided(left)
            return EITHER if answer is None else answer == isinstance(operator, ast.IsNot | ast.NotEq)
        names = _texts(right)
        if self.endpoint and names and self._is_endpoint(left) and isinstance(operator, ast.Eq | ast.In):
            return self.endpoint in names
        if self.endpoint and names and self._is_endpoint(left) and isinstance(operator, ast.NotEq | ast.NotIn):
            return self.endpoint not in names
        return EITHER

    def _is_endpoint(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr == "endpoint"
        return isinstance(node, ast.Name) and node.id == self._endpoint

    def _is_of_route(self, value: ast.expr) -> bool:
        """Does a value come from the route: its variables, its name, what was looked up by them?"""
        return any(name in self.known or name in (self._values, self._endpoint) for name in names_in(value))


def _assignments(function: Function) -> Iterator[tuple[ast.Name | ast.Attribute, ast.expr]]:
    """Yield what a hook assigns, in order: `project_id = values.pop("project_id")`, `if name := values.get("name")`."""
    values = _parameter(function, 1)
    kinds = (ast.Assign, ast.NamedExpr)
    for node in sorted((one for one in ast.walk(function.node) if isinstance(one, kinds)), key=lambda one: one.lineno):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) or (isinstance(target, ast.Name) and target.id != values):
                yield target, node.value


def _variable(node: ast.expr, values: str) -> str:
    """The variable that `values.pop("id", None)`, `values["id"]` or `"id" in values` is about; empty for anything else."""
    key: ast.expr | None = None
    holder: ast.expr | None = None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS and node.args:
        key, holder = node.args[0], node.func.value
    elif isinstance(node, ast.Subscript):
        key, holder = node.slice, node.value
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
        key, holder = node.left, node.comparators[0]
    is_named = isinstance(holder, ast.Name) and holder.id == values
    return key.value if is_named and isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _texts(node: ast.expr) -> frozenset[str]:
    elements = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return frozenset(one.value for one in elements if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _parameter(function: Function, position: int) -> str:
    names = [one.arg for one in function.parameters if not (function.owner is not None and one.arg in ("self", "cls"))]
    return names[position] if position < len(names) else ""
