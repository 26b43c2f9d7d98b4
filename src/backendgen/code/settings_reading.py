"""Django's settings as they are read: assignments in order, star imports, branches, and look-ups of the environment.

What cannot be told is UNKNOWN: nothing is imported and nothing is run.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import Any

from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function, Module, Symbols

MAX_DEPTH = 12
MAX_VALUES = 8  # that a setting may have, by what conditions add
MAX_ITEMS = 10_000  # a list that is doubled again and again would fill the memory
_READERS = re.compile(
    r"^(?:os\.)?(?:getenv|environ\.get|env(?:\.\w+)?|config|decouple\.config|environ\.Env\(\)\.?\w*|values\.\w+)$"
)
_TRUE = frozenset({"true", "1", "yes", "on", "t", "y"})
_FALSE = frozenset({"false", "0", "no", "off", "f", "n", "", "none"})


class _Mark:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


UNKNOWN = _Mark("UNKNOWN")
ABSENT = _Mark("ABSENT")


@dataclass(frozen=True, slots=True)
class Value:
    """One thing that a setting may be, and where that is written. `is_default`: the environment may say otherwise."""

    value: Any
    path: str
    line: int
    is_default: bool = False

    @property
    def is_true(self) -> bool:
        """Is it surely on (of a default: when the environment says nothing)?"""
        return self.value is True or (isinstance(self.value, str) and self.value.lower() in _TRUE)

    @property
    def is_false(self) -> bool:
        """Is it surely off?"""
        if isinstance(self.value, str):
            return self.value.lower() in _FALSE
        return self.value is False or self.value == 0 or self.value is None


class Reading:
    """One pass over a settings module."""

    def __init__(self, symbols: Symbols, module: Module, above: tuple[str, ...] = ()) -> None:
        self.symbols, self.module, self.path = symbols, module, module.file.path
        self.above = (*above, self.path)
        self.values: dict[str, tuple[Value, ...]] = {}
        self.imported: set[str] = set()
        self.is_open = False
        self._block(module.file.tree.body)

    def _block(self, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, self.evaluate(node.value), node.lineno)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._assign(node.target, self.evaluate(node.value), node.lineno)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                self._grow(
                    node.target, ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value), node.lineno
                )
            elif isinstance(node, ast.ImportFrom) and any(one.name == "*" for one in node.names):
                self._star(node)
            elif isinstance(node, ast.If):
                self._if(node)
            elif isinstance(node, ast.Try):
                self._branches([[*node.body, *node.orelse], [one for handler in node.handlers for one in handler.body]])
                self._block(node.finalbody)
            elif isinstance(node, ast.With):
                self._block(node.body)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                self._call(node.value)
            elif isinstance(node, ast.For | ast.While):
                self.is_open |= _touches_names(node)

    def _assign(self, target: ast.expr, value: Value, line: int) -> None:
        if isinstance(target, ast.Name):
            self.values[target.id] = (replace(value, path=self.path, line=line),)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            if target.value.id in self.values:
                self.values[target.value.id] = tuple(
                    replace(one, value=UNKNOWN) for one in self.values[target.value.id]
                )
        elif isinstance(target, ast.Subscript):
            self.is_open |= _touches_names(target)

    def _grow(self, target: ast.Name, together: ast.expr, line: int) -> None:
        """`MIDDLEWARE += (...)`: each of the values that it may have by then, as long as they are few."""
        held = self.values.get(target.id, ())
        found = []
        for one in held if 1 < len(held) <= MAX_VALUES else ():
            self.values[target.id] = (one,)
            found.append(_hashable(replace(self.evaluate(together), path=self.path, line=line)))
        if found:
            self.values[target.id] = tuple(dict.fromkeys(found))
        else:
            self._assign(target, self.evaluate(together), line)

    def _star(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            package = (
                self.path.removesuffix("/__init__.py").split("/")
                if self.path.endswith("__init__.py")
                else self.path.split("/")[:-1]
            )
            kept = package[: len(package) - node.level + 1]
            base = ".".join([*kept, *([node.module] if node.module else [])])
        module = self.symbols.module(base, self.module)
        if module is None or module.file.path in self.above or len(self.above) > MAX_DEPTH:
            self.is_open |= module is None
            return
        self.imported.add(module.file.path)
        inner = Reading(self.symbols, module, self.above)
        self.values.update(inner.values)
        self.imported |= inner.imported
        self.is_open |= inner.is_open

    def _if(self, node: ast.If) -> None:
        condition = self.evaluate(node.test)
        if condition.value is not UNKNOWN and not condition.is_default:
            self._block(node.body if _truth(condition) else node.orelse)
        else:
            self._branches([node.body, node.orelse])

    def _branches(self, blocks: list[list[ast.stmt]]) -> None:
        """Any of these blocks may run: what they set is one of several."""
        before, results = self.values, []
        for block in blocks:
            self.values = dict(before)
            self._block(block)
            results.append(self.values)
        absent = (Value(ABSENT, self.path, 1),)
        names = dict.fromkeys(name for one in results for name in one)
        self.values = {
            name: tuple(dict.fromkeys(_hashable(one) for result in results for one in result.get(name, absent)))
            for name in names
        }

    def _call(self, call: ast.Call) -> None:
        """`MIDDLEWARE.insert(0, ...)`; anything that reaches for the names themselves."""
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            name = call.func.value.id
            if name in self.values and call.func.attr in ("append", "insert", "extend", "remove"):
                added = self.evaluate(call.args[-1]).value if call.args else UNKNOWN
                items = added if isinstance(added, list) else [added]
                if call.func.attr == "remove":
                    self.values[name] = tuple(
                        replace(one, value=_without(one.value, items)) for one in self.values[name]
                    )
                else:
                    self.values[name] = tuple(
                        replace(one, value=[*one.value, *items]) if isinstance(one.value, list) else one
                        for one in self.values[name]
                    )
        self.is_open |= _touches_names(call)

    def evaluate(self, node: ast.expr, depth: int = 0) -> Value:
        """What an expression is."""
        unknown = Value(UNKNOWN, self.path, getattr(node, "lineno", 1))
        if depth > MAX_DEPTH * 4:
            return unknown
        made = self._evaluate(node, depth)
        if made is None:
            return unknown
        value, is_default = made
        if isinstance(value, list) and len(value) > MAX_ITEMS:
            return unknown
        return Value(value, self.path, getattr(node, "lineno", 1), is_default)

    def _evaluate(self, node: ast.expr, depth: int) -> tuple[Any, bool] | None:
        def inner(one: ast.expr) -> Value:
            return self.evaluate(one, depth + 1)

        if isinstance(node, ast.Constant):
            return node.value, False
        if isinstance(node, ast.Name):
            found = self.values.get(node.id, ())
            return (found[0].value, found[0].is_default) if len(found) == 1 else None
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return self._list(node, depth)
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return {key.value: inner(value).value for key, value in pairs if isinstance(key, ast.Constant)}, False
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            one = inner(node.operand)
            return None if one.value is UNKNOWN else (not _truth(one), one.is_default)
        if isinstance(node, ast.BoolOp):
            return _either(node.op, [inner(one) for one in node.values])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = inner(node.left), inner(node.right)
            if isinstance(left.value, list) or isinstance(right.value, list):
                parts = [one.value if isinstance(one.value, list) else [UNKNOWN] for one in (left, right)]
                return [*parts[0], *parts[1]], left.is_default or right.is_default
            return None
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            return _compared(node.ops[0], inner(node.left), inner(node.comparators[0]))
        if isinstance(node, ast.IfExp):
            condition = inner(node.test)
            if condition.value is UNKNOWN:
                return None
            one = inner(node.body if _truth(condition) else node.orelse)
            return None if one.value is UNKNOWN else (one.value, one.is_default or condition.is_default)
        return self._called(node, depth) if isinstance(node, ast.Call) else None

    def _list(self, node: ast.List | ast.Tuple | ast.Set, depth: int) -> tuple[Any, bool]:
        items: list[Any] = []
        is_default = False
        for one in node.elts:
            value = self.evaluate(one.value if isinstance(one, ast.Starred) else one, depth + 1)
            is_default |= value.is_default
            items += value.value if isinstance(one, ast.Starred) and isinstance(value.value, list) else [value.value]
        return items, is_default

    def _called(self, call: ast.Call, depth: int) -> tuple[Any, bool] | None:
        name = unparse(call.func)
        if name == "getattr" and len(call.args) == 3:
            return self.evaluate(call.args[2], depth + 1).value, True
        if self._reads_environment(call, name):
            given = [*call.args[1:2], *(one.value for one in call.keywords if one.arg == "default")]
            one = self.evaluate(given[0], depth + 1) if given else None
            return (one.value, True) if one is not None and one.value is not UNKNOWN else None
        if name in ("bool", "int", "str", "list", "tuple", "strtobool") and len(call.args) == 1:
            one = self.evaluate(call.args[0], depth + 1)
            return None if one.value is UNKNOWN else (one.value, one.is_default)
        if isinstance(call.func, ast.Attribute) and call.func.attr in (
            "lower",
            "strip",
            "split",
            "title",
            "capitalize",
        ):
            one = self.evaluate(call.func.value, depth + 1)
            if isinstance(one.value, str):
                return (one.value.split(",") if call.func.attr == "split" else one.value), one.is_default
        return None

    def _reads_environment(self, call: ast.Call, name: str) -> bool:
        if not call.args or not isinstance(call.args[0], ast.Constant) or not isinstance(call.args[0].value, str):
            return False
        if _READERS.match(name):
            return True
        found = self.symbols.value(call.func, self.module)
        return isinstance(found, Function) and re.search(r"\benviron\b|\bgetenv\b", unparse(found.node)) is not None


def _touches_names(node: ast.AST) -> bool:
    """Does it reach for the module's names: globals(), vars(), exec()?"""
    calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return any(
        isinstance(one, ast.Name) and one.id in ("globals", "locals", "vars", "exec", "setattr", "include")
        for one in calls
    )


def _truth(one: Value) -> bool:
    return not one.is_false if isinstance(one.value, str) else bool(one.value) and one.value is not ABSENT


def _hashable(one: Value) -> Value:
    """Values are compared by what is written where; lists are not hashable themselves."""
    return _Listed(one.value, one.path, one.line, one.is_default) if isinstance(one.value, list | dict) else one


class _Listed(Value):
    __slots__ = ()

    def __hash__(self) -> int:
        return hash((self.path, self.line))


def _without(value: Any, items: list[Any]) -> Any:
    return [one for one in value if one not in items] if isinstance(value, list) else value


def _either(operator: ast.boolop, values: list[Value]) -> tuple[Any, bool] | None:
    is_or = isinstance(operator, ast.Or)
    is_default = False
    for one in values[:-1]:
        if one.value is UNKNOWN:
            return None
        is_default |= one.is_default
        if _truth(one) == is_or:
            return one.value, is_default
    last = values[-1]
    return None if last.value is UNKNOWN else (last.value, is_default or last.is_default)


def _compared(operator: ast.cmpop, left: Value, right: Value) -> tuple[Any, bool] | None:
    if UNKNOWN in (left.value, right.value) or (isinstance(right.value, list) and UNKNOWN in right.value):
        return None
    is_default = left.is_default or right.is_default
    try:
        if isinstance(operator, ast.Eq):
            return left.value == right.value, is_default
        if isinstance(operator, ast.NotEq):
            return left.value != right.value, is_default
        if isinstance(operator, ast.In):
            return left.value in right.value, is_default
    except TypeError:
        return None
    return None
