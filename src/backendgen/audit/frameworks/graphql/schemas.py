"""Schemas of Strawberry and Graphene: the classes that `Schema(query=..., mutation=...)` gets, and their fields."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendgen.audit.frameworks.graphql.fields import Field, Operation, camel
from backendgen.audit.service import elsewhere
from backendgen.code.nodes import plain_name, unparse
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable

OPERATIONS: tuple[tuple[str, Operation], ...] = (
    ("query", "QUERY"), ("mutation", "MUTATION"), ("subscription", "SUBSCRIPTION"),
)  # fmt: skip
STRAWBERRY = ("strawberry", "strawberry_django")
FIELDS = frozenset(
    {"field", "mutation", "subscription", "node", "connection", "offset_paginated", "create", "update", "delete"}
)
HOOKS = ("mutate", "mutate_and_get_payload", "perform_mutation", "resolve_mutation", "check_permissions", "clean_input")
MAX_HOPS = 8


class Schemas:
    """Reads one project; see `fields`."""

    def __init__(self, symbols: Symbols, modules: Iterable[Module]) -> None:
        self.symbols = symbols
        self.modules = list(modules)

    def fields(self) -> Iterator[Field]:
        """Yield the fields of all schemas, each once."""
        seen: set[tuple[str, int, str]] = set()
        for call, module, scope in self._made():
            plain = _is_plain(call)
            for position, (word, operation) in enumerate(OPERATIONS):
                given = next((one.value for one in call.keywords if one.arg == word), None)
                if given is None and position < len(call.args):
                    given = call.args[position]
                for owner in self._classes(given, module, scope) if given is not None else ():
                    for field in self._of_class(owner, operation, plain):
                        key = (operation, id(field.node), field.name)
                        if key not in seen:
                            seen.add(key)
                            yield field

    def _made(self) -> Iterator[tuple[ast.Call, Module, Function | None]]:
        for module in self.modules:
            if "chema(" not in module.file.text or is_test(module.file.path):
                continue
            for call, scope in module.calls:
                if any(one.arg in ("query", "mutation") for one in call.keywords) or call.args:
                    name = plain_name(call.func)
                    if "chema" in name and self._is_schema(call.func, module, scope):
                        yield call, module, scope

    def _is_schema(self, node: ast.expr, module: Module, scope: Function | None) -> bool:
        found = self.symbols.value(node, module, scope)
        if isinstance(found, External):
            return found.name.startswith(("strawberry", "graphene")) and found.name.endswith("Schema")
        if isinstance(found, Class):
            return any(base.startswith(("strawberry", "graphene")) for base in self.symbols.bases(found))
        return isinstance(found, Function) and any(  # a factory of the project
            isinstance(one, External) and one.name.endswith("Schema")
            for one in (self.symbols.value(call.func, found.module, found) for call in found.module.calls_in(found))
        )

    def _classes(self, node: ast.expr, module: Module, scope: Function | None, hops: int = 0) -> Iterator[Class]:
        """The classes behind a name, also of `merge_types("Query", (A, B))`."""
        found = self.symbols.value(node, module, scope)
        if isinstance(found, Class):
            yield found
        elif isinstance(found, Variable) and hops < MAX_HOPS:
            yield from self._classes(found.value, found.module, found.scope, hops + 1)
        elif isinstance(node, ast.Call) and hops < MAX_HOPS:
            for one in node.args[1:]:
                yield from self._classes(one, module, scope, hops + 1)
        elif isinstance(node, ast.Tuple | ast.List) and hops < MAX_HOPS:
            for one in node.elts:
                yield from self._classes(one, module, scope, hops + 1)

    def _of_class(self, owner: Class, operation: Operation, plain: bool) -> Iterator[Field]:
        named: set[str] = set()
        is_graphene = any(base.startswith("graphene") for base in self.symbols.bases(owner))
        for one in self.symbols.lineage(owner):
            of_body = self._graphene(one, owner, operation) if is_graphene else self._strawberry(one, operation)
            for field in of_body:
                if field.name not in named:
                    named.add(field.name)
                    yield field if plain else _renamed(field)

    # -- Strawberry -------------------------------------------------------------------------------------------------

    def _strawberry(self, owner: Class, operation: Operation) -> Iterator[Field]:
        module = owner.module
        for node in owner.node.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    call = decorator if isinstance(decorator, ast.Call) else None
                    if self._makes_field(call.func if call else decorator, module):
                        function = module.function_of[id(node)]
                        yield Field(
                            operation,
                            _given_name(call) or node.name,
                            "Strawberry",
                            (function,),
                            node,
                            module,
                            owner,
                            call,
                        )
                        break
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                call = node.value if isinstance(node.value, ast.Call) else None
                resolver = self._resolver(call, module) or elsewhere(node.target.id, module, node.lineno, owner)
                yield Field(
                    operation, _given_name(call) or node.target.id, "Strawberry", (resolver,), node, module, owner, call
                )
            elif (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and isinstance(node.targets[0], ast.Name)
            ):
                call = node.value
                if self._makes_field(call.func, module):
                    name = node.targets[0].id
                    resolver = self._resolver(call, module) or elsewhere(name, module, node.lineno, owner)
                    yield Field(
                        operation, _given_name(call) or name, "Strawberry", (resolver,), node, module, owner, call
                    )

    def _makes_field(self, node: ast.expr, module: Module) -> bool:
        found = self.symbols.value(node, module)
        if isinstance(found, External):
            root, last = found.name.partition(".")[0], found.name.rpartition(".")[2]
            return root in STRAWBERRY and last in FIELDS
        return isinstance(found, Function) and found.node.name in FIELDS

    def _resolver(self, call: ast.Call | None, module: Module) -> Function | None:
        if call is None:
            return None
        given = next((one.value for one in call.keywords if one.arg == "resolver"), call.args[0] if call.args else None)
        found = self.symbols.value(given, module) if given is not None else None
        return found if isinstance(found, Function) else None

    # -- Graphene ---------------------------------------------------------------------------------------------------

    def _graphene(self, owner: Class, whole: Class, operation: Operation) -> Iterator[Field]:
        module = owner.module
        for node in owner.node.body:
            if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                continue
            call = node.value if isinstance(node.value, ast.Call) else None
            if call is None:
                continue
            name = node.targets[0].id
            made = self._mutation(call, module)
            resolvers = tuple(self._mutating(made)) if made is not None else ()
            if not resolvers:
                resolver = self.symbols.member(whole, f"resolve_{name}")
                given = self._resolver(ast.Call(call.func, [], call.keywords), module)
                found = resolver if isinstance(resolver, Function) else given
                resolvers = (found or elsewhere(name, module, node.lineno, owner),)
            if made is None and not self._is_field(call, module):
                continue
            yield Field(operation, _given_name(call) or name, "Graphene", resolvers, node, module, owner, call, made)

    def _is_field(self, call: ast.Call, module: Module) -> bool:
        found = self.symbols.value(call.func, module)
        if isinstance(found, Class):
            return any(base.startswith(("graphene", "graphql")) for base in self.symbols.bases(found))
        return isinstance(found, External) and found.name.startswith("graphene")

    def _mutation(self, call: ast.Call, module: Module) -> Class | None:
        """`CreateOrder.Field()`."""
        if isinstance(call.func, ast.Attribute) and call.func.attr == "Field":
            found = self.symbols.value(call.func.value, module)
            return found if isinstance(found, Class) else None
        return None

    def _mutating(self, mutation: Class) -> Iterator[Function]:
        """What runs for a mutation: the hooks, the class's own before those that it inherits."""
        for name in HOOKS:
            member = self.symbols.member(mutation, name)
            if isinstance(member, Function):
                yield member
        for one in self.symbols.lineage(mutation)[:1]:
            for member in one.module.members.get(id(one.node), {}).values():
                if isinstance(member, Function) and member.node.name not in HOOKS:
                    yield member


def _is_plain(call: ast.Call) -> bool:
    """Does a schema keep the names as they are written?"""
    return "auto_camel_case=False" in (text := unparse(call)) or "auto_camelcase=False" in text


def _renamed(field: Field) -> Field:
    return replace(field, name=camel(field.name)) if _given_name(field.declared) != field.name else field


def _given_name(call: ast.Call | None) -> str:
    for one in call.keywords if call is not None else ():
        if one.arg == "name" and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str):
            return one.value.value
    return ""
