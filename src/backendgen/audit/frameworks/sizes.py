"""How large a request's body may be: what answers 413, and the limits that frameworks are told."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from backendgen.audit.frameworks.made import Made
from backendgen.audit.frameworks.outcomes import Outcomes
from backendgen.code.project import is_test
from backendgen.code.settings import Settings
from backendgen.code.settings_reading import ABSENT, UNKNOWN
from backendgen.code.symbols import Class, Function, Symbols

NAMES = frozenset({
    "HTTP_413_REQUEST_ENTITY_TOO_LARGE", "HTTP_413_CONTENT_TOO_LARGE", "REQUEST_ENTITY_TOO_LARGE", "CONTENT_TOO_LARGE",
    "RequestEntityTooLarge", "HTTPRequestEntityTooLarge",
})  # fmt: skip
MENTIONS = re.compile(r"\b413\b|TOO_LARGE|EntityTooLarge")
ARGUMENT = re.compile(r"size|bytes|body|length|limit|max", re.IGNORECASE)
FLASK = "MAX_CONTENT_LENGTH"
DJANGO, DJANGO_DEFAULT = "DATA_UPLOAD_MAX_MEMORY_SIZE", 2_621_440
UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1000**2, "MB"), (1024, "KiB"), (1000, "kB"))


def written(number: int) -> str:
    """`1 MiB`, `2.5 MiB`, `10 MB`, `1,234 bytes`."""
    for unit, name in UNITS:
        if number >= unit and number * 10 % unit == 0:
            return f"{number / unit:g} {name}"
    return f"{number:,} bytes"


def refuses_size(outcomes: Outcomes, target: object) -> bool:
    """Does a function or a middleware's class, or a function that it calls, answer 413?"""
    if not isinstance(target, Function | Class):
        return False
    key = id(target.node)
    if key not in outcomes.sized:
        found = _answers(target)
        if not found and isinstance(target, Function):
            callees = (outcomes.callee(call, target) for call in target.module.calls_in(target))
            found = any(isinstance(one, Function) and _answers(one) for one in callees)
        outcomes.sized[key] = found
    return outcomes.sized[key]


def _answers(target: Function | Class) -> bool:
    lines = target.module.file.lines[target.node.lineno - 1 : target.node.end_lineno]
    return any(map(MENTIONS.search, lines)) and any(
        (isinstance(one, ast.Constant) and one.value == 413 and type(one.value) is int)
        or (isinstance(one, ast.Attribute) and one.attr in NAMES)
        or (isinstance(one, ast.Name) and one.id in NAMES)
        for one in ast.walk(target.node)
    )


def given(made: Made, name: str) -> int | None:
    """The whole number that a call is given under a name; None for what is not known."""
    value = made.keywords.get(name)
    call = made.place.node if made.place is not None else None
    node = next((one.value for one in call.keywords if one.arg == name), None) if isinstance(call, ast.Call) else None
    return value if type(value) is int else whole(node) if node is not None else None


def of_flask(symbols: Symbols) -> str:
    """What a project's MAX_CONTENT_LENGTH is: its size, its name when that is not known or differs, empty without one."""
    found: list[ast.expr] = []
    for module in symbols.modules.values():
        if FLASK in module.file.text and not is_test(module.file.path):
            for node in ast.walk(module.file.tree):
                found += _given(node)
    numbers = {whole(one) for one in found if not (isinstance(one, ast.Constant) and one.value is None)}
    if not numbers:
        return ""
    number = next(iter(numbers)) if len(numbers) == 1 else None
    return FLASK if number is None else written(number)


def of_django(settings: Iterable[Settings]) -> str:
    """How large a body Django reads, files apart; empty when that is not known, or not the same everywhere."""
    found: set[str] = set()
    for one in settings:
        value = one.only(DJANGO)
        number = value.value if value is not None else UNKNOWN
        number = DJANGO_DEFAULT if number is ABSENT else number
        found.add("unlimited" if number is None else written(number) if type(number) is int else "")
    return found.pop() if len(found) == 1 else ""


def _given(node: ast.AST) -> list[ast.expr]:
    """The values that one node of a tree gives to MAX_CONTENT_LENGTH."""
    if isinstance(node, ast.Assign):
        return [node.value] if any(_is_it(one) for one in node.targets) else []
    if isinstance(node, ast.AnnAssign):
        return [node.value] if node.value is not None and _is_it(node.target) else []
    if isinstance(node, ast.keyword):
        return [node.value] if node.arg == FLASK else []
    if isinstance(node, ast.Dict):
        return [value for key, value in zip(node.keys, node.values, strict=True) if key is not None and _names_it(key)]
    return []


def _is_it(target: ast.expr) -> bool:
    """`MAX_CONTENT_LENGTH`, `self.MAX_CONTENT_LENGTH` or `app.config["MAX_CONTENT_LENGTH"]`."""
    if isinstance(target, ast.Subscript):
        return _names_it(target.slice)
    return (isinstance(target, ast.Name) and target.id == FLASK) or (
        isinstance(target, ast.Attribute) and target.attr == FLASK
    )


def _names_it(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == FLASK


def whole(node: ast.expr) -> int | None:
    """A whole number as people write sizes: `16 * 1024 * 1024`, `1024 ** 2`, `1 << 20`."""
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.BinOp):
        left, right = whole(node.left), whole(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Pow) and 0 <= right <= 64 and abs(left) <= 1024:
            return int(left**right)
        if isinstance(node.op, ast.LShift) and 0 <= right <= 64:
            return left << right
    return None
