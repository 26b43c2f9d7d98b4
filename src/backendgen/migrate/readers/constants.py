"""What Python's operators, strings, paths and collections do to constants; UNKNOWN where they are none."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from backendgen.migrate.readers.values import HOLE, UNKNOWN, Batch, Call, FilePath, Method, Symbol, Text


def constant(value: Any) -> Any:
    """A Text as a plain string, everything else as it is."""
    return value.value if isinstance(value, Text) else value


def is_constant(value: Any) -> bool:
    """Whether a value is known; then its truth is known as well."""
    if isinstance(value, Text):
        return value.whole
    return value is None or isinstance(value, bool | int | float | str | list | tuple | dict)


def is_key(value: Any) -> bool:
    """Whether a value can be the key of a dictionary here."""
    return isinstance(value, str | int | float | bool | None)


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
        case _:
            return UNKNOWN


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
    try:
        if isinstance(value, list | tuple) and isinstance(index, int):
            return value[index]
        if isinstance(value, dict) and is_key(index):
            return value[index]
    except (IndexError, KeyError):
        pass
    return UNKNOWN


def compared(operator: ast.cmpop, left: Any, right: Any) -> Any:
    """Return `left operator right` for a comparison."""
    if not (is_constant(left) and is_constant(right)):
        return UNKNOWN
    first = constant(left)
    second = [constant(each) for each in right] if isinstance(right, list | tuple) else constant(right)
    match operator:
        case ast.Eq() | ast.Is():
            return first == second
        case ast.NotEq() | ast.IsNot():
            return first != second
        case ast.In() | ast.NotIn() if isinstance(second, list | dict) or (
            isinstance(first, str) and isinstance(second, str)
        ):
            if isinstance(second, dict) and not is_key(first):
                return UNKNOWN
            return (first in second) == isinstance(operator, ast.In)
        case _:
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
            isinstance(first, Method | Call) and first.name.endswith("dialect") and isinstance(args[1], Symbol)
        ):
            return any(word in args[1].name.lower() for word in ("postgres", "pgdialect", "psycopg"))
        case "list" if isinstance(first, list | tuple):
            return list(first)
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
    starts = parents[level - 1 : level] if level else parents[:6]
    for start in starts:
        for candidate in (
            (start / parts).with_suffix(".py") if parts.parts else start / "__init__.py",
            start / parts / "__init__.py",
        ):
            if candidate.is_file():
                return candidate
    return None


def bind(target: ast.expr, value: Any, names: dict[str, Any]) -> None:
    """Give the names of an assignment's target their values."""
    match target:
        case ast.Name(id=name):
            names[name] = value
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            fits = isinstance(value, list | tuple) and len(value) == len(elements)
            for element, each in zip(elements, value if fits else [UNKNOWN] * len(elements), strict=True):
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
    """Return what `with value as name` binds."""
    if isinstance(value, Call) and value.last == "batch_alter_table":
        table, schema = constant(value.arg(0, "table_name")), constant(value.arg(1, "schema"))
        if isinstance(table, str):
            return Batch(f"{schema}.{table}" if isinstance(schema, str) else table)
    return value
