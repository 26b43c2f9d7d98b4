"""What Python's operators, strings, paths and collections do to constants; UNKNOWN where they are none."""

from __future__ import annotations

import ast
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import ge, gt, le, lt
from pathlib import Path, PurePath
from typing import Any

from backendgen import files
from backendgen.migrate.readers.values import HOLE, UNKNOWN, Batch, Call, FilePath, Method, Symbol, Text


def constant(value: Any) -> Any:
    """A Text as a plain string, everything else as it is."""
    return value.value if isinstance(value, Text) else value


def is_constant(value: Any) -> bool:
    """Whether a value is known; then its truth is known as well."""
    if isinstance(value, Text):
        return value.whole
    if isinstance(value, list) and value and all(each is UNKNOWN for each in value):
        return False  # what a condition that is not known left over may be nothing at all
    return value is None or isinstance(value, bool | int | float | str | list | tuple | dict)


def is_key(value: Any) -> bool:
    """Whether a value can be the key of a dictionary here."""
    return isinstance(value, str | int | float | bool | None) or type(value) is Symbol


def _or_hole(value: Any) -> str | int:
    """A constant for a format, or the mark of an unknown part."""
    plain = constant(value)
    return plain if isinstance(plain, str | int) else HOLE


# How the operators of expressions that only a database computes (Django's F and Q) are written as calls.
_OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.BitOr: "|", ast.BitAnd: "&",
}  # fmt: skip


def binary(operator: ast.operator, left: Any, right: Any) -> Any:
    """Return `left operator right`."""
    if (
        (isinstance(left, Call) or isinstance(right, Call))
        and not isinstance(left, Text)
        and not isinstance(right, Text)
    ):
        sign = _OPERATORS.get(type(operator))
        return Call(sign, (left, right)) if sign else UNKNOWN
    match operator:
        case ast.Add():
            return added(left, right)
        case ast.Div() if isinstance(left, FilePath) and isinstance(constant(right), str):
            return FilePath(left.path / constant(right))
        case ast.Mod() if isinstance(left, Text):
            values = tuple(constant(each) for each in right) if isinstance(right, list | tuple) else constant(right)
            return _formatted(left, values)
        case ast.Mult() if (
            isinstance(left, int) and isinstance(right, int) and abs(left) < 1 << 40 and abs(right) < 1 << 40
        ):
            return left * right
        case ast.Sub() if isinstance(left, int) and isinstance(right, int):
            return left - right
        case ast.Sub() | ast.BitAnd() if _is_closed(left) and _is_closed(right):
            others = [constant(each) for each in right]
            return [each for each in left if (constant(each) in others) == isinstance(operator, ast.BitAnd)]
        case ast.BitOr() if isinstance(left, list | tuple) and isinstance(right, list | tuple):
            return [*left, *right]
        case _:
            return UNKNOWN


def _is_closed(value: Any) -> bool:
    """Whether a value is a collection of which every element is known."""
    return isinstance(value, list | tuple) and all(map(is_constant, value))


def inverted(value: Any) -> Any:
    """Return `~value`."""
    return Call("~", (value,)) if isinstance(value, Call) else UNKNOWN


def added(left: Any, right: Any) -> Any:
    """Return `left + right`; a text that is known in part keeps its known part."""
    if isinstance(left, Text) or isinstance(right, Text):
        first, second = (each if isinstance(each, Text) else Text(HOLE) for each in (left, right))
        return first.plus(second)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return [*left, *right]
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return UNKNOWN


def _formatted(text: Text, values: Any) -> Any:
    plain: Any
    if isinstance(values, dict):
        plain = {key: _or_hole(each) for key, each in values.items()}
    else:
        plain = tuple(map(_or_hole, values)) if isinstance(values, tuple) else _or_hole(values)
    try:
        return text.derived(text.value % plain)
    except (TypeError, ValueError, KeyError, OverflowError, MemoryError):
        return UNKNOWN


def subscripted(value: Any, index: Any) -> Any:
    """Return `value[index]`."""
    if isinstance(value, Method) and value.name.endswith(".tables") and isinstance(index, str):
        return Call("sqlalchemy.table", (Text(index),))  # MetaData.tables["name"]
    if isinstance(value, Call):
        return Call(f"{value.name}[]", receiver=value)
    try:
        if isinstance(value, list | tuple) and isinstance(index, int):
            return value[index]
        if isinstance(value, dict) and is_key(index):
            return value[index]
    except (IndexError, KeyError):
        pass
    return UNKNOWN


_ORDERED: Mapping[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Gt: gt, ast.Lt: lt, ast.GtE: ge, ast.LtE: le,
}  # fmt: skip


def compared(operator: ast.cmpop, left: Any, right: Any) -> Any:
    """Return `left operator right` for a comparison."""
    if not (is_constant(left) and is_constant(right)):
        return UNKNOWN
    first = [constant(each) for each in left] if isinstance(left, list | tuple) else constant(left)
    opened = isinstance(right, list | tuple) and not all(map(is_constant, right))
    second = [constant(each) for each in right] if isinstance(right, list | tuple) else constant(right)
    match operator:
        case ast.Eq() | ast.Is() if not opened:
            return first == second
        case ast.NotEq() | ast.IsNot() if not opened:
            return first != second
        case ast.Gt() | ast.Lt() | ast.GtE() | ast.LtE() if isinstance(first, int) and isinstance(second, int):
            return _ORDERED[type(operator)](first, second)
        case ast.In() | ast.NotIn() if isinstance(second, list | dict) or (
            isinstance(first, str) and isinstance(second, str)
        ):
            if (isinstance(second, dict) and not is_key(first)) or (opened and first not in second):
                return UNKNOWN
            return (first in second) == isinstance(operator, ast.In)
        case _:
            return UNKNOWN


def chosen(operator: ast.boolop, values: list[Any]) -> Any:
    """Return the value of `a or b`, `a and b`: the first that decides, else the last."""
    short = isinstance(operator, ast.Or)
    if values and all(map(is_constant, values)):
        return next((value for value in values if bool(constant(value)) is short), values[-1])
    if short and isinstance(values[0], Call) and not any(map(constant, values[1:])):
        return values[0]  # what a query returns, or nothing
    return UNKNOWN


def decided(operator: ast.boolop, values: list[Any]) -> Any:
    """`and` is false as soon as one part is, `or` true; otherwise all parts must be known."""
    short = isinstance(operator, ast.Or)
    known = [bool(constant(value)) for value in values if is_constant(value)]
    if short in known:
        return short
    return (not short) if len(known) == len(values) else UNKNOWN


def text_method(text: Text, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what a string method makes of a text."""
    plain = [constant(argument) for argument in args]
    if name in ("strip", "lstrip", "rstrip", "upper", "lower", "replace", "removeprefix", "removesuffix") and all(
        isinstance(argument, str) for argument in plain
    ):
        try:
            return text.derived(getattr(text.value, name)(*plain))
        except TypeError:
            return UNKNOWN
    if name == "format":
        try:
            return text.derived(
                text.value.format(*map(_or_hole, args), **{key: _or_hole(value) for key, value in kwargs.items()})
            )
        except (IndexError, KeyError, ValueError, TypeError, AttributeError, MemoryError, OverflowError):
            return UNKNOWN
    if name in ("startswith", "endswith") and plain and isinstance(plain[0], str) and text.whole:
        return text.value.startswith(plain[0]) if name == "startswith" else text.value.endswith(plain[0])
    if name == "join" and len(plain) == 1 and isinstance(plain[0], list | tuple):
        parts = [constant(part) for part in plain[0]]
        return Text(text.value.join(parts)) if all(isinstance(part, str) for part in parts) else UNKNOWN
    if name in ("split", "splitlines") and all(isinstance(argument, str) for argument in plain) and plain != [""]:
        pieces = text.value.split(*plain[:1]) if name == "split" else text.value.splitlines()
        return [text.derived(piece) for piece in pieces]
    return UNKNOWN


def collection_method(value: Any, name: str, args: tuple[Any, ...]) -> Any:
    """Return what a method of a list or dictionary returns."""
    if isinstance(value, dict) and name in ("items", "keys", "values"):
        keys = [Text(key) if isinstance(key, str) else key for key in value]
        return {
            "items": list(map(list, zip(keys, value.values(), strict=True))),
            "keys": keys,
            "values": list(value.values()),
        }[name]
    if isinstance(value, list) and name == "append" and args:
        value.append(args[0])
        return None
    if name in ("issubset", "issuperset", "isdisjoint") and args and _is_closed(value) and _is_closed(args[0]):
        own, others = ({constant(each) for each in part if is_key(constant(each))} for part in (value, args[0]))
        return bool(getattr(own, name)(others))
    if isinstance(value, list) and name in ("extend", "update") and args and isinstance(args[0], list | tuple):
        value.extend(args[0])
        return None
    if isinstance(value, list) and name == "add":
        value.extend(args)
        return None
    if isinstance(value, list | dict) and name == "copy":
        return value.copy()
    if isinstance(value, dict) and name == "get" and args and is_key(constant(args[0])):
        return value.get(constant(args[0]), args[1] if len(args) > 1 else None)
    return UNKNOWN


def built_in(name: str, args: tuple[Any, ...]) -> Any:
    """Carry out what only moves constants: paths and texts. None when it is something else."""
    plain = [constant(argument) for argument in args]
    first = args[0] if args else None
    match name:
        case "pathlib.Path" | "pathlib.PurePath" if isinstance(first, FilePath):
            return FilePath(first.path.joinpath(*[part for part in plain[1:] if isinstance(part, str)]))
        case "os.path.dirname" if isinstance(first, FilePath):
            return FilePath(first.path.parent)
        case "os.path.abspath" | "os.path.realpath" | "str" | "os.fspath" if isinstance(first, FilePath | Text):
            return first
        case "os.path.join" if isinstance(first, FilePath) and all(isinstance(part, str) for part in plain[1:]):
            return FilePath(first.path.joinpath(*plain[1:]))
        case "textwrap.dedent" | "inspect.cleandoc" if isinstance(first, Text):
            return first.derived(textwrap.dedent(first.value))
        case "isinstance" if (
            len(args) == 2
            and isinstance(first, Method | Call)
            and first.name.endswith("dialect")
            and isinstance(args[1], Symbol)
        ):
            return any(word in args[1].name.lower() for word in ("postgres", "pgdialect", "psycopg"))
        case "isinstance" if len(args) == 2 and is_constant(first):
            return _is_instance(first, args[1] if isinstance(args[1], list | tuple) else [args[1]])
        case "list" | "tuple" | "set" | "frozenset" | "sorted" | "reversed" | "dict" if not args:
            return {} if name == "dict" else []
        case "list" | "tuple" | "set" | "frozenset" | "sorted" | "reversed" if isinstance(first, list | tuple | dict):
            return _collected(name, first)
        case "dict" if isinstance(first, dict):
            return dict(first)
        case "list" | "tuple" | "set" | "sorted" | "reversed" if isinstance(first, Call):
            return first
        case "enumerate" if isinstance(first, Call):
            return [[UNKNOWN, Call(f"{first.name}[]", receiver=first)]]
        case "bool" if args and is_constant(first) and not isinstance(first, list | tuple | dict):
            return bool(constant(first))
        case "json.dumps" if args:
            return _dumped(first)
        case _:
            return _counted(name, args)


def _dumped(value: Any) -> Any:
    """Return a constant as JSON. None when a part of it is not known."""
    try:
        return Text(json.dumps(value, default=_plain))
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: Any) -> str:
    if isinstance(value, Text) and value.whole:
        return value.value
    raise TypeError


_BUILT_IN_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "str": Text, "list": (list, tuple), "tuple": (list, tuple), "set": (list, tuple), "dict": dict, "int": int,
    "float": float, "bool": bool,
}  # fmt: skip


def _is_instance(value: Any, types: Iterable[Any]) -> Any:
    """Return isinstance() of a constant; a set is held as a list here. UNKNOWN for a type that is not built in."""
    known = [_BUILT_IN_TYPES.get(each.name) if isinstance(each, Symbol) else None for each in types]
    if any(isinstance(value, each) for each in known if each is not None):
        return True
    return False if all(each is not None for each in known) else UNKNOWN


def _collected(name: str, values: Any) -> list[Any]:
    found = [Text(each) if isinstance(each, str) else each for each in values]
    if name == "sorted" and all(isinstance(each, Text) for each in found):
        return sorted(found, key=lambda each: each.value)
    return found[::-1] if name == "reversed" else found


def _counted(name: str, args: tuple[Any, ...]) -> Any:
    """Carry out what counts, pairs or tests the elements of a collection. None when it is something else."""
    if not args or not isinstance(args[0], list | tuple | dict):
        return None
    first = args[0]
    match name:
        case "enumerate":
            return [[number, each] for number, each in enumerate(first)]
        case "zip" if all(isinstance(each, list | tuple) for each in args):
            return [list(each) for each in zip(*args, strict=False)]
        case "len" | "bool" if isinstance(first, dict) or _is_closed(first):
            return len(first) if name == "len" else bool(first)
        case "any" | "all":
            return decided(ast.Or() if name == "any" else ast.And(), list(first)) if first else name == "all"
        case "next" if first and is_constant(next(iter(first))):
            return next(iter(first))
        case "next" if not first and len(args) > 1:
            return args[1]
        case "len" | "bool" | "next":
            return UNKNOWN
        case _:
            return None


def changed_path(path: FilePath, name: str, argument: str) -> Any:
    """Return a path with another name or suffix."""
    try:
        return FilePath(path.path.with_name(argument) if name == "with_name" else path.path.with_suffix(argument))
    except ValueError:
        return UNKNOWN


@lru_cache(maxsize=4096)
def module_file(dotted: str, folder: Path) -> Path | None:
    """Find a module that a file in `folder` imports: beside it, or from one of the folders above it."""
    level = len(dotted) - len(dotted.lstrip("."))
    parts = PurePath(*dotted.lstrip(".").split(".")) if dotted.strip(".") else PurePath()
    parents = (folder, *folder.parents)
    starts = parents[level - 1 : level] if level else parents[:10]
    for start in starts:
        for candidate in (
            (start / parts).with_suffix(".py") if parts.parts else start / "__init__.py",
            start / parts / "__init__.py",
        ):
            if files.is_file(candidate):
                return candidate
    return None


def bind(target: ast.expr, value: Any, names: dict[str, Any]) -> None:
    """Give the names of an assignment's target their values."""
    match target:
        case ast.Name(id=name):
            names[name] = value
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            fits = isinstance(value, list | tuple) and len(value) == len(elements)
            parts = value if fits else [UNKNOWN] * len(elements)
            if isinstance(value, Call):
                parts = [Call(f"{value.name}[]", (position,), receiver=value) for position in range(len(elements))]
            for element, each in zip(elements, parts, strict=True):
                bind(element, each, names)
        case _:
            pass


def imported(statement: ast.Import | ast.ImportFrom) -> dict[str, Symbol]:
    """Return the names that an import binds."""
    names = {}
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            bound = alias.asname or alias.name.partition(".")[0]
            names[bound] = Symbol(alias.name if alias.asname else bound)
        else:
            package = "." * statement.level + (f"{statement.module}." if statement.module else "")
            names[alias.asname or alias.name] = Symbol(f"{package}{alias.name}")
    return names


def entered(value: Any) -> Any:
    """Return what `with value as name` binds; a context manager that is a generator of the project gives what it yields."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Call) and value.last == "batch_alter_table":
        table, schema = constant(value.arg(0, "table_name")), constant(value.arg(1, "schema"))
        if isinstance(table, str):
            return Batch(f"{schema}.{table}" if isinstance(schema, str) else table)
    return value
