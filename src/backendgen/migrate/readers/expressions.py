"""Computes expressions of a syntax tree as far as constants tell; the rest is UNKNOWN, a Symbol or a Call."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backendgen.migrate.readers.constants import (
    binary,
    bind,
    chosen,
    compared,
    constant,
    decided,
    inverted,
    is_constant,
    is_key,
    subscripted,
)
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.values import (
    HOLE,
    UNKNOWN,
    Call,
    FilePath,
    Module,
    Symbol,
    Text,
    column_of,
    pieces_at,
    string_at,
)

MAX_STEPS = 50_000
MAX_ROUNDS = 1_000
_FOLLOWED_BUILT_INS = frozenset({
    "open", "str", "list", "isinstance", "getattr", "set", "frozenset", "tuple", "sorted", "len", "dict", "enumerate",
    "zip", "any", "all", "next", "bool", "int", "float", "reversed", "setattr", "type",
})  # fmt: skip


class TooLong(Exception):
    """The function has more steps than a migration has a reason for."""


@dataclass(slots=True)
class Expressions(ABC):
    """Evaluates the expressions of the module at hand; how names are imported and what calls do is told by others."""

    reading: Reading
    steps: int = field(default=0, init=False)
    limit: int = field(default=MAX_STEPS, init=False)
    _module: Module | None = field(default=None, init=False)
    _yielded: list[Any] | None = field(default=None, init=False)
    _texts: dict[int, Text] = field(default_factory=dict, init=False)  # string literals by the identity of their nodes

    @abstractmethod
    def _attribute(self, value: Any, attribute: str) -> Any:
        """Return `value.attribute`."""

    @abstractmethod
    def _call(self, node: ast.Call, names: dict[str, Any]) -> Any:
        """Return what a call returns."""

    @abstractmethod
    def _project_value(self, name: str) -> Any:
        """Return what an import of the project's own leads to; None for other packages."""

    def value(self, node: ast.expr | None, names: dict[str, Any]) -> Any:
        """Return what an expression is as far as constants tell, else UNKNOWN, a Symbol or a Call."""
        self.steps += 1
        if self.steps > self.limit:
            raise TooLong
        match node:
            case ast.Constant(value=str()):
                assert self._module is not None
                text = self._texts.get(id(node))
                if text is None:
                    text = self._texts[id(node)] = string_at(node, self._module.lines, self._module.name)
                return text
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._name(name, names)
            case ast.Attribute(value=value, attr=attribute):
                return self._attribute(self.value(value, names), attribute)
            case ast.Call():
                return self._call(node, names)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return self._elements(elements, names)
            case ast.Dict(keys=keys, values=values):
                pairs = [(constant(self.value(key, names)), self.value(value, names))
                         for key, value in zip(keys, values, strict=True) if key is not None]  # fmt: skip
                return {key: value for key, value in pairs if is_key(key)}
            case ast.BinOp(left=left, op=operator, right=right):
                return binary(operator, self.value(left, names), self.value(right, names))
            case ast.JoinedStr():
                return self._joined(node, names)
            case ast.Subscript(value=value, slice=index):
                return subscripted(self.value(value, names), constant(self.value(index, names)))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                known = self._test(test, names)
                return self.value(body if constant(known) else orelse, names) if is_constant(known) else UNKNOWN
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return self._operator(node, names)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                return self._comprehension(node, names)
            case ast.NamedExpr(target=target, value=value):
                names[target.id] = self.value(value, names)
                return names[target.id]
            case ast.Yield(value=value):
                self._yield([self.value(value, names)])
                return UNKNOWN
            case ast.YieldFrom(value=value):
                inner = self.value(value, names)
                self._yield(inner if isinstance(inner, list) else [UNKNOWN])
                return UNKNOWN
            case _:
                return UNKNOWN

    def _yield(self, values: list[Any]) -> None:
        if self._yielded is not None:
            self._yielded += values

    def _test(self, node: ast.expr, names: dict[str, Any]) -> Any:
        """Return the truth of a condition: of `a and b` it may be known where the value is not."""
        if isinstance(node, ast.BoolOp):
            return decided(node.op, [self._test(each, names) for each in node.values])
        return self.value(node, names)

    def _operator(self, node: ast.Compare | ast.BoolOp | ast.UnaryOp, names: dict[str, Any]) -> Any:
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return compared(operator, self.value(left, names), self.value(right, names))
            case ast.BoolOp(op=operator, values=values):
                return chosen(operator, [self.value(each, names) for each in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                known = self._test(operand, names)
                return not constant(known) if is_constant(known) else UNKNOWN
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return inverted(self.value(operand, names))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self.value(operand, names)
                return -number if isinstance(number, int | float) else UNKNOWN
            case _:
                return UNKNOWN

    def _name(self, name: str, names: dict[str, Any]) -> Any:
        assert self._module is not None
        if name == "__file__":
            return FilePath(self._module.path)
        value = names[name] if name in names else self._module.names.get(name, UNKNOWN)
        if isinstance(value, Symbol):
            found = self._project_value(value.name)
            return value if found is None else found
        return Symbol(name) if value is UNKNOWN and name in _FOLLOWED_BUILT_INS else value

    def _elements(self, elements: list[ast.expr], names: dict[str, Any]) -> list[Any]:
        result: list[Any] = []
        for element in elements:
            if isinstance(element, ast.Starred):
                inner = self.value(element.value, names)
                result.extend(inner if isinstance(inner, list | tuple) else [UNKNOWN])
            else:
                result.append(self.value(element, names))
        return result

    def _joined(self, node: ast.JoinedStr, names: dict[str, Any]) -> Text:
        assert self._module is not None
        text = Text("")
        for part, piece in zip(node.values, pieces_at(node, self._module.lines, self._module.name), strict=True):
            text = text.plus(piece or self._inserted(part, names))
        return text

    def _inserted(self, part: ast.expr, names: dict[str, Any]) -> Text:
        """Return what the braces of a formatted string insert, placed at the braces."""
        assert self._module is not None
        value = self.value(part.value if isinstance(part, ast.FormattedValue) else part, names)
        text = str(constant(value)) if isinstance(value, Text | int | str) else HOLE
        return Text(text, self._module.name, ((0, part.lineno, column_of(part, self._module.lines) + 1),))

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, names: dict[str, Any]
    ) -> Any:
        """Return the elements; one whose condition is not known stands as UNKNOWN, so that the rest is not taken for all."""
        if isinstance(node, ast.DictComp):
            pairs = self._rounds(node.generators, names, lambda inner: (self.value(node.key, inner), node.value, inner))
            if pairs is UNKNOWN or UNKNOWN in pairs:
                return UNKNOWN
            found = [(constant(key), value, inner) for key, value, inner in pairs]
            return {key: self.value(value, inner) for key, value, inner in found if is_key(key)}
        element = node.elt
        return self._rounds(node.generators, names, lambda inner: self.value(element, inner))

    def _rounds(
        self, generators: list[ast.comprehension], names: dict[str, Any], made: Callable[[dict[str, Any]], Any]
    ) -> Any:
        first, *others = generators
        source = self.value(first.iter, names)
        result: list[Any] = []
        if isinstance(source, Call):  # what a query returns: at least one is followed
            source, result = [Call(f"{source.name}[]", receiver=source)], [UNKNOWN]
        if not isinstance(source, list | tuple | dict):
            return UNKNOWN
        for each in list(source)[:MAX_ROUNDS]:
            inner = dict(names)
            bind(first.target, Text(each) if isinstance(each, str) else each, inner)
            tests = [self._test(test, inner) for test in first.ifs]
            if any(is_constant(test) and not constant(test) for test in tests):
                continue
            if not all(is_constant(test) for test in tests):
                result.append(UNKNOWN)
            elif others:
                nested = self._rounds(others, inner, made)
                result += nested if isinstance(nested, list) else [UNKNOWN]
            else:
                result.append(made(inner))
        return result
