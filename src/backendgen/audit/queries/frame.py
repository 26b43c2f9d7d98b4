"""One function followed: statements in order, expressions to what they come from. Branches are joined, loops run once."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries.expressions import EXPRESSIONS
from backendgen.audit.queries.model import (
    EACH,
    NOTHING,
    NOWHERE,
    USER,
    Access,
    Query,
    Root,
    Roots,
    Statement,
    Value,
    Write,
    either,
)
from backendgen.audit.queries.roles import tested
from backendgen.code.symbols import Class, Function

if TYPE_CHECKING:
    from backendgen.audit.queries.trace import Tracer

Binding = dict[str, Value]


class Frame:
    """A function with what its parameters are. `run` gives what it returns; `access` what it did."""

    def __init__(self, tracer: Tracer, function: Function, given: Binding, depth: int = 0) -> None:
        self.tracer = tracer
        self.function = function
        self.module = function.module
        self.names: Binding = dict(given)
        self.depth = depth
        self.access = Access()
        self.loops = 0
        self.privileged = False
        self.implied: Roots = NOWHERE  # what chose the branch: `if body["admin"]: admin = True`
        self.result: Value | None = None
        self.inverse: set[int] = set()  # comparisons that refuse the caller's own: `if user == current_user: raise`

    def run(self) -> Value:
        """Follow the body."""
        self.block(self.function.node.body)
        return self.result or NOTHING

    # -- statements -------------------------------------------------------------------------------------------------

    def block(self, body: list[ast.stmt]) -> None:
        """Follow statements in order."""
        for node in body:
            follow = _STATEMENTS.get(type(node))
            if follow is not None:
                follow(self, node)

    def branches(self, *blocks: list[ast.stmt], privileged: int | None = None) -> None:
        """Follow blocks of which one runs; afterwards a name is what any of those that go on made of it.

        `privileged` is the number of the block that only some users reach.
        """
        before, after, outer = dict(self.names), [], self.privileged
        for number, block in enumerate(blocks):
            self.names = dict(before)
            self.privileged = outer or number == privileged
            self.block(block)
            if not (block and isinstance(block[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)):
                after.append(self.names)
        self.privileged = outer
        self.names = dict(after[0]) if after else before
        for names in after[1:]:
            for key, value in names.items():
                known = self.names.get(key)
                self.names[key] = value if known is None else either(known, value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self.bind(target, value, node.value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.bind(node.target, self.typed(self.value(node.value), node.annotation), node.value)

    def _augmented(self, node: ast.AugAssign) -> None:
        self.bind(node.target, either(self.value(node.target), self.value(node.value)), node.value)

    def _expression(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.value(node.value)
            self.result = value if self.result is None else either(self.result, value)

    def _if(self, node: ast.If) -> None:
        chosen, implied, before = tested(self, node.test, node.body, node.orelse), self.implied, self.privileged
        if isinstance(node.test, ast.Name | ast.Attribute | ast.Subscript):
            self.implied = frozenset(root for root in self.value(node.test).roots if root.kind == "body")
        self.branches(node.body, node.orelse, privileged=chosen)
        self.implied, self.privileged = implied, before

    def _assert(self, node: ast.Assert) -> None:
        self.value(node.test)

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self.bind(node.target, self.element(node.iter), node.iter)
        self.loops += 1
        self.branches(node.body, [])
        self.loops -= 1
        self.block(node.orelse)

    def _while(self, node: ast.While) -> None:
        self.value(node.test)
        self.loops += 1
        self.branches(node.body, [])
        self.loops -= 1

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, item.context_expr)
        self.block(node.body)

    def _try(self, node: ast.Try) -> None:
        self.block(node.body)
        self.branches([], *(handler.body for handler in node.handlers))
        self.block(node.orelse)
        self.block(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        self.value(node.subject)
        self.branches([], *(case.body for case in node.cases))

    def _raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            self.value(node.exc)

    def _nested(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A function defined here sees what is known here; it runs sooner or later."""
        inner = self.module.function_of.get(id(node))
        if inner is not None:
            own = {each.arg for each in inner.parameters}
            frame = Frame(
                self.tracer, inner, {key: one for key, one in self.names.items() if key not in own}, self.depth + 1
            )
            if self.depth < self.tracer.deepest:
                frame.run()
                self.access = self.access.plus(frame.access, self.loops, privileged=self.privileged)

    def bind(self, target: ast.expr, value: Value, source: ast.expr | None = None) -> None:
        """Give a target its value; an attribute of a row is a write."""
        if USER in value.roots and not self.access.knows:
            self.access = self.access.plus(Access(knows=True))
        if isinstance(target, ast.Name):
            self.names[target.id] = Value(self.implied) if self.implied and isinstance(source, ast.Constant) else value
        elif isinstance(target, ast.Tuple | ast.List):
            for position, element in enumerate(target.elts):
                held = value.held(str(position))
                self.bind(element, held if held is not None else value, source)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, value, source)
        elif isinstance(target, ast.Attribute):
            self._set_attribute(target, value)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            known = self.names.get(target.value.id, NOTHING)
            if isinstance(target.slice, ast.Constant):
                self.names[target.value.id] = known.with_entry(str(target.slice.value), value)
            else:
                self.names[target.value.id] = either(known, Value(value.roots))

    def _set_attribute(self, target: ast.Attribute, value: Value) -> None:
        base = self.value(target.value)
        if isinstance(target.value, ast.Name) and target.value.id in self.names:
            self.names[target.value.id] = base.with_entry(target.attr, value)
        self.changed(base, target, "update", ((target.attr, value.roots),))

    def changed(
        self, base: Value, node: ast.expr, verb: str, columns: tuple[tuple[str, Roots], ...] = (),
        whole: tuple[Value, ...] = (),
    ) -> None:  # fmt: skip
        """Note a write of each table that a row may be of."""
        for root in base.roots:
            if root.kind == "row":
                model = base.kind if base.kind is not None and self.tracer.tables.of(base.kind) else None
                self.note(Write(verb, root.name, model, place(self.function.path, node), self.function, columns, whole))  # type: ignore[arg-type]

    def note(self, write: Write) -> None:
        """Remember a write."""
        self.access = self.access.plus(Access(writes=(write,)))

    # -- expressions ------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """What is known of an expression."""
        follow = EXPRESSIONS.get(type(node))
        if follow is not None:
            return follow(self, node)
        roots: Roots = NOWHERE
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                roots |= self.value(child).roots
        return Value(roots)

    # -- queries ----------------------------------------------------------------------------------------------------

    def executed(self, statement: Statement, node: ast.expr, *, many: bool) -> Value:
        """Note that a statement runs; return the rows. Rows that only the caller's own credentials find are the user's."""
        location = statement.location or place(self.function.path, node)
        query = Query(statement, location, self.function, many, self.loops, self.privileged)
        self.access = self.access.plus(Access(queries=(query,)))
        if statement.verb in ("update", "delete"):
            self.note(Write(statement.verb, statement.table, statement.model, location, self.function))
        roots: set[Root] = {Root("row", statement.table)}
        terms = [each for each in statement.terms if each.roots]
        if len(terms) == 1 and all(root.kind in ("user", "header", "cookie") for root in terms[0].roots):
            roots.add(USER)
        return Value(frozenset(roots), statement.model, row=statement)

    def element(self, node: ast.expr) -> Value:
        """What a loop over an expression gives each time."""
        value = self.value(node)
        if value.statement is not None:
            value = self.executed(value.statement, node, many=True)
        if value.row is not None:
            return Value(value.roots, value.kind, ((EACH, NOTHING),), row=value.row)
        return replace(value, holds=(), statement=None, text=None, itself=None)

    # -- types ------------------------------------------------------------------------------------------------------

    def typed(self, value: Value, annotation: ast.expr | None, module: object = None) -> Value:
        """The value as an instance of what an annotation says, when nothing better is known."""
        if annotation is None or value.kind is not None or value.statement is not None:
            return value
        found = self.tracer.types.of(annotation, module or self.module)  # type: ignore[arg-type]
        kind = found.kind if isinstance(found.kind, Class) else None
        if kind is None:
            return value
        return replace(value, kind=kind)

    def is_local(self, node: ast.expr) -> bool:
        """Does a dotted name begin with a local one?"""
        while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
            node = node.func if isinstance(node, ast.Call) else node.value
        return isinstance(node, ast.Name) and node.id in self.names


_STATEMENTS: dict[type, Callable[..., None]] = {
    ast.Assign: Frame._assign, ast.AnnAssign: Frame._annotated, ast.AugAssign: Frame._augmented, ast.Expr: Frame._expression,
    ast.Return: Frame._return, ast.If: Frame._if, ast.Assert: Frame._assert, ast.For: Frame._for, ast.AsyncFor: Frame._for,
    ast.While: Frame._while, ast.With: Frame._with, ast.AsyncWith: Frame._with, ast.Try: Frame._try, ast.Match: Frame._match,
    ast.Raise: Frame._raise, ast.FunctionDef: Frame._nested, ast.AsyncFunctionDef: Frame._nested,
}  # fmt: skip
