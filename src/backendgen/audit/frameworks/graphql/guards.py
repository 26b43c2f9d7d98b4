"""What refuses callers of a GraphQL field: permission classes, extensions, decorators, permissions that a class lists."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from backendgen.audit.frameworks.django.refusals import Refusals
from backendgen.audit.frameworks.graphql.fields import Field
from backendgen.audit.frameworks.libraries import guarding
from backendgen.audit.frameworks.outcomes import NONE, TOO_OFTEN, Statuses, roles_in
from backendgen.audit.service import Guard
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable

WORDS = frozenset({"permission_classes", "permissions", "extensions", "directives"})
REFUSED = frozenset({401, 403})


class Guards:
    """Finds guards of fields."""

    def __init__(self, symbols: Symbols, refusals: Refusals) -> None:
        self.symbols = symbols
        self.refusals = refusals

    def of(self, field: Field) -> Iterator[Guard]:
        """Yield the guards that are declared for a field."""
        for word in field.declared.keywords if field.declared is not None else ():
            if word.arg in WORDS:
                yield from self._listed(word.value, field.module, word.arg)
        for function in field.resolvers:
            for decorator in function.node.decorator_list:
                if decorator is not field.declared:
                    yield from self._decorator(decorator, function)
        if field.mutation is not None:
            yield from self._of_meta(field.mutation)

    def refused(self, function: Function) -> Statuses:
        """What a resolver refuses. A base's that asks for the permissions which a class lists refuses by these alone."""
        lines = function.module.file.lines[function.node.lineno - 1 : function.node.end_lineno]
        return NONE if any("_meta.permissions" in line for line in lines) else self.refusals.of(function)

    def _listed(self, node: ast.expr, module: Module, word: str) -> Iterator[Guard]:
        """`permission_classes=[IsAuthenticated]`: each by what it does; of enumerations, all ask for one of them."""
        target = self.symbols.value(node, module)
        if isinstance(target, Variable):
            node, module = target.value, target.module
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            return
        if word == "permissions":
            if node.elts:
                yield Guard("permissions", "route", REFUSED, tuple(unparse(one)[:60] for one in node.elts))
            return
        for element in node.elts:
            one = element
            while isinstance(one, ast.Call):
                yield from self._listed(one.args[0], module, word) if one.args else ()
                one = one.func
            found = self.symbols.value(one, module)
            if isinstance(found, Class):
                if self._refuses(found):
                    yield Guard(found.name, "route", REFUSED)
            elif isinstance(found, External) and (word == "permission_classes" or "permission" in found.name):
                yield Guard(found.name.rpartition(".")[2], "route", frozenset())

    def _refuses(self, owner: Class) -> bool:
        """Does a permission class, or an extension, ever say no?"""
        for name in ("has_permission", "has_object_permission", "has_node_permission"):
            check = self.symbols.member(owner, name)
            if isinstance(check, Function):
                returned = [one.value for one in ast.walk(check.node) if isinstance(one, ast.Return)]
                return any(not (isinstance(one, ast.Constant) and one.value is True) for one in returned)
        for name in ("resolve", "resolve_async", "on_operation", "resolve_permissions"):
            check = self.symbols.member(owner, name)
            if isinstance(check, Function) and self.refusals.of(check) - TOO_OFTEN:
                return True
        return any(
            "permission" in base.lower() and not base.endswith("BasePermission") for base in self.symbols.bases(owner)
        )

    def _decorator(self, node: ast.expr, function: Function) -> Iterator[Guard]:
        call = node if isinstance(node, ast.Call) else None
        while isinstance(node, ast.Call):
            node = node.func
        found = self.symbols.value(node, function.module, function.outer)
        statuses = frozenset[int]()
        if isinstance(found, Function):
            statuses = self.refusals.of(found)
        elif isinstance(found, External):
            statuses = guarding(found.name) or (
                REFUSED if found.name.startswith("graphql_jwt.decorators.") else frozenset()
            )
        if statuses - TOO_OFTEN:
            roles = tuple(role for one in (call.args if call else ()) for role in roles_in(one))
            yield Guard(unparse(node)[:60], "route", statuses - TOO_OFTEN, roles)

    def _of_meta(self, mutation: Class) -> Iterator[Guard]:
        """`class Meta: permissions = (...)`, where a base of the project asks for them."""
        for owner in self.symbols.lineage(mutation):
            for node in owner.node.body:
                if isinstance(node, ast.ClassDef) and node.name == "Meta":
                    for one in node.body:
                        if isinstance(one, ast.Assign) and unparse(one.targets[0]).endswith("permissions"):
                            yield from self._listed(one.value, owner.module, "permissions")
                    return
