"""What operators, methods and builtins give of values that are known. Nothing grows without end."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from backendgen.audit.frameworks.made import UNKNOWN, Closure, Made, Value
from backendgen.code.symbols import Class, External, Module

TEXT = frozenset({
    "format", "join", "strip", "lstrip", "rstrip", "lower", "upper", "replace", "split", "removeprefix", "removesuffix",
    "startswith", "endswith", "title", "capitalize",
})  # fmt: skip
LISTS = frozenset(
    {"append", "extend", "insert", "items", "keys", "values", "get", "copy", "update", "setdefault", "add"}
)
PLAIN: dict[str, Callable[..., Value]] = {
    "str": str, "int": int, "bool": bool, "len": len, "list": list, "tuple": tuple, "dict": dict, "range": range,
    "enumerate": lambda values, *start: list(enumerate(values, *start)), "sorted": sorted, "set": list,
    "reversed": lambda values: list(reversed(values)), "zip": lambda *values: list(zip(*values, strict=False)),
    "frozenset": list,
}  # fmt: skip
MAX_TEXT = 10_000
MAX_ITEMS = 10_000
WIDE = re.compile(r"\d{4}")  # "{:>99999999}" would fill the memory


def truth(value: Value) -> bool | None:
    """Is a value true? None when that is not known."""
    if value is None or isinstance(value, str | int | float | list | tuple | dict | set):
        return bool(value)
    if isinstance(value, Closure | Class | Module):
        return True
    if isinstance(value, Made) and not value.member and value.target is not None:
        return True if value.target.name.rpartition(".")[2][:1].isupper() else None  # what a function gives may be None
    return None


def added(left: Value, right: Value) -> Value:
    """`left + right`: of texts the known part, when the other is not known. Nothing grows without end."""
    if any(isinstance(one, str | list | tuple) and len(one) > MAX_ITEMS for one in (left, right)):
        return UNKNOWN
    if isinstance(left, str) or isinstance(right, str):
        if isinstance(left, int | float | None) or isinstance(right, int | float | None):
            return UNKNOWN
        return (left if isinstance(left, str) else "") + (right if isinstance(right, str) else "")
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return [*left, *right] if isinstance(left, list) else (*left, *right)
    if isinstance(left, list | tuple):
        return left
    return right if isinstance(right, list | tuple) else UNKNOWN


def interpolated(text: str, given: Value) -> Value:
    """`text % given`."""
    values = given.values() if isinstance(given, dict) else given if isinstance(given, tuple) else (given,)
    if WIDE.search(text) or not all(isinstance(one, str | int) for one in values):
        return UNKNOWN
    try:
        return text % given
    except (TypeError, ValueError, KeyError):
        return UNKNOWN


def compared(operator: ast.cmpop, left: Value, right: Value) -> Value:
    """What a comparison gives."""
    if isinstance(operator, ast.Is | ast.IsNot) and right is None:
        if left is UNKNOWN or (isinstance(left, Made) and left.member) or isinstance(left, External):
            return UNKNOWN
        return (left is None) is isinstance(operator, ast.Is)
    if not isinstance(left, str | int):
        return UNKNOWN
    if isinstance(operator, ast.Eq | ast.NotEq) and isinstance(right, str | int):
        return (left == right) is isinstance(operator, ast.Eq)
    if isinstance(operator, ast.In | ast.NotIn) and isinstance(right, list | tuple | dict | str):
        if isinstance(right, str) and not isinstance(left, str):
            return UNKNOWN
        if (
            left not in right
            and not isinstance(right, str | dict)
            and not all(isinstance(one, str | int) for one in right)
        ):
            return UNKNOWN
        return (left in right) is isinstance(operator, ast.In)
    return UNKNOWN


def builtin(name: str, args: list[Value]) -> Value:
    """What a call of one of `PLAIN` gives."""
    if not all(isinstance(one, str | int | list | tuple | dict | range) for one in args):
        return UNKNOWN
    if any(isinstance(one, range) and len(one) > MAX_ITEMS for one in args):
        return UNKNOWN
    try:
        return PLAIN[name](*args)
    except (TypeError, ValueError):
        return UNKNOWN


def method(base: Value, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A method of a text, list or dict that is known; a text of unknown parts is made of the known ones."""
    if isinstance(base, str) and name in TEXT:
        if WIDE.search(base) or len(base) > MAX_TEXT:
            return UNKNOWN
        if name == "format":
            args = [one if isinstance(one, str | int) else "" for one in args]
            keywords = {key: one if isinstance(one, str | int) else "" for key, one in keywords.items()}
        elif name == "join":
            args = [[one for one in given if isinstance(one, str)] for given in args if isinstance(given, list | tuple)]
        elif not all(isinstance(one, str | int | tuple) for one in args):
            return UNKNOWN
    elif not isinstance(base, list | dict) or name not in LISTS or len(base) > MAX_ITEMS:
        return UNKNOWN
    if isinstance(base, dict) and name in ("get", "setdefault") and not (args and isinstance(args[0], str | int)):
        return UNKNOWN
    if isinstance(base, list) and name == "add":
        name = "append"
    if name == "extend" and args and (not isinstance(args[0], list | tuple) or len(args[0]) > MAX_ITEMS):
        return None
    try:
        result = getattr(base, name)(*args, **keywords)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return UNKNOWN
    if isinstance(result, str) and len(result) > MAX_TEXT:
        return UNKNOWN
    return list(result) if type(result).__name__.startswith("dict_") else result
