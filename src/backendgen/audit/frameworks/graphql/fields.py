"""A field of a GraphQL schema, as it is declared."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal

from backendgen.audit.frameworks.dependencies import parameter_defaults
from backendgen.audit.service import Parameter
from backendgen.code.symbols import Class, Function, Module

Operation = Literal["QUERY", "MUTATION", "SUBSCRIPTION"]
INFO = "graphql.GraphQLResolveInfo"
NOT_GIVEN = frozenset(
    {"self", "cls", "root", "parent", "obj", "_", "__", "_root", "_obj", "_parent", "_info", "source"}
)


@dataclass(frozen=True, slots=True)
class Field:
    """`declared` is the call or decorator that makes it one; `resolvers` run for it, the main one first."""

    operation: Operation
    name: str
    library: str
    resolvers: tuple[Function, ...]
    node: ast.stmt
    module: Module
    owner: Class | None = None
    declared: ast.Call | None = None
    mutation: Class | None = None
    mounted: bool = True

    @property
    def head_end(self) -> int:
        """The last line of its head: an ignore may stand at any of its lines."""
        if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return self.node.lineno
        return self.node.end_lineno or self.node.lineno


def camel(name: str) -> str:
    """`order_items` as GraphQL has it: `orderItems`."""
    first, *rest = name.split("_")
    return first + "".join(one.capitalize() if one else "_" for one in rest)


def parameters_of(field: Field) -> tuple[Parameter, ...]:
    """Return the arguments of a field: what callers give."""
    function = field.resolvers[0]
    defaults = parameter_defaults(function)
    found = []
    for one in function.parameters:
        if one.arg == "info":
            found.append(Parameter(one.arg, "request", one.annotation, function.module, one.lineno, None, None, INFO))
        elif one.arg not in NOT_GIVEN:
            found.append(Parameter(one.arg, "body", one.annotation, function.module, one.lineno, defaults.get(one.arg)))
    return tuple(found)
