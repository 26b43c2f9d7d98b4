"""Lays generated Python out as `ruff format` would, where its length depends on the user's names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

WIDTH = 100


def literal(words: Iterable[str]) -> str:
    """Return a Literal type on one line."""
    return f"Literal[{', '.join(map(string, words))}]"


def choices(name: str, words: Sequence[str]) -> str:
    """Return the definition of a type of choices."""
    line = f"{name} = {literal(words)}"
    if len(line) <= WIDTH:
        return line
    return "\n".join((f"{name} = Literal[", *(f"    {string(word)}," for word in words), "]"))


def field(name: str, annotation: str, default: str | None, alias: str = "") -> str:
    """Return the declaration of a model's field, in as many lines as it takes."""
    head = f"    {name}: {annotation}"
    if not alias or alias == name:
        return head if default is None else f"{head} = {default}"
    arguments = [f"alias={string(alias)}"] if default is None else [f"default={default}", f"alias={string(alias)}"]
    return call(f"{head} = Field", arguments, 4, lead=-4)


_STANDARD = frozenset(
    {"collections", "typing", "uuid", "decimal", "datetime", "itertools", "json", "operator", "urllib"}
)


def imports(wanted: Mapping[str, Iterable[str]]) -> str:
    """Return `from module import names` lines, sorted and grouped as ruff's isort rules want them."""
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for module in sorted(wanted, key=str.lower):
        words = sorted(set(wanted[module]), key=lambda word: (_case(word), word))
        root = module.replace(" ", ".").partition(".")[0]
        group = 0 if root in _STANDARD else 2 if root in ("app", "tests") else 1
        line = f"from {module} import {', '.join(words)}" if words else f"import {module}"
        if len(line) > WIDTH:
            line = f"from {module} import (\n{''.join(f'    {word},{chr(10)}' for word in words)})"
        groups[group].append(line)
    whole_first = (sorted(lines, key=lambda line: line.startswith("from ")) for lines in groups.values() if lines)
    return "\n\n".join("\n".join(lines) for lines in whole_first)


def _case(word: str) -> int:
    """Constants come first, then classes, then the rest (isort's order by type)."""
    return 0 if word.isupper() and len(word) > 1 else 1 if word[:1].isupper() else 2


def constant(name: str, values: Iterable[str]) -> str:
    """Return the definition of a tuple of strings."""
    return call(f"{name} = ", [string(value) for value in values], 0, comma=True)


def call(
    head: str, arguments: Sequence[str], indent: int, *, tail: str = "", lead: int = 0, comma: bool = False
) -> str:
    """Return `head(arguments)tail` where a line is indented by `indent`; `lead` characters stand between indent and head.

    It takes one line, or else one for all arguments, or else one for each. `comma` makes a tuple of one.
    """
    only = "," if comma and len(arguments) == 1 else ""
    listed = f"{', '.join(arguments)}{only}"
    if indent + lead + len(head) + len(listed) + len(tail) + 2 <= WIDTH:
        return f"{head}({listed}){tail}"
    pad = " " * indent
    if not comma and indent + 4 + len(listed) <= WIDTH:
        return f"{head}(\n{pad}    {listed}\n{pad}){tail}"
    lines = "".join(f"{pad}    {argument},\n" for argument in arguments)
    return f"{head}(\n{lines}{pad}){tail}"


def string(text: str) -> str:
    """Return a string literal as ruff writes it: in the quotes that need fewer escapes, else in double ones."""
    double = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return double
    inside = double[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inside}'"


def block(text: str) -> str:
    """Return a triple-quoted string of several lines; raw when the text has backslashes."""
    quotes = '"""' if '"""' not in text else "'''"
    return f"{'r' if chr(92) in text else ''}{quotes}\n{text}\n{quotes}"


def entry(key: str, value: str, indent: int = 4) -> str:
    """Return a line of a dictionary of SQL fragments."""
    pad = " " * indent
    line = f"{pad}{string(key)}: SQL({string(value)}),"
    if len(line) <= WIDTH:
        return line
    return f"{pad}{string(key)}: SQL(\n{pad}    {string(value)}\n{pad}),"


_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|#[^\n]*')


def words(text: str) -> frozenset[str]:
    """Return the identifiers in a piece of code, those inside strings and comments aside."""
    return frozenset(re.findall(r"\w+", _STRING_OR_COMMENT.sub("", text)))
