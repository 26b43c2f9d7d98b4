"""Lays generated Python out as `ruff format` would, where its length depends on the user's names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

WIDTH = 100


def literal(words: Iterable[str]) -> str:
    """Return a Literal type."""
    return f"Literal[{', '.join(json.dumps(word, ensure_ascii=False) for word in words)}]"


def field(name: str, annotation: str, default: str | None, alias: str = "") -> str:
    """Return the declaration of a model's field, in as many lines as it takes."""
    indent = " " * 4
    if alias and alias != name:
        annotation = _aliased(annotation, alias)
    tail = "" if default is None else f" = {default}"
    line = f"{indent}{name}: {annotation}{tail}"
    if len(line) <= WIDTH:
        return line
    return f"{indent}{name}: {_broken(annotation, 4)}{tail}"


def _aliased(annotation: str, alias: str) -> str:
    """`int | None` becomes `Annotated[int | None, Field(alias="price[gte]")]`."""
    return f"Annotated[{annotation}, Field(alias={json.dumps(alias, ensure_ascii=False)})]"


def _broken(annotation: str, indent: int) -> str:
    """Break an annotation at its outermost bracket; each part gets a line of its own when they do not fit on one."""
    start, end = annotation.index("["), annotation.rindex("]")
    parts = split(annotation[start + 1 : end])
    inner = " " * (indent + 4)
    one = f"{inner}{', '.join(parts)}"
    if len(one) <= WIDTH:
        body = one
    else:
        body = "\n".join(
            f"{inner}{part if len(inner) + len(part) < WIDTH or '[' not in part else _broken(part, indent + 4)}," for part in parts
        )
    return f"{annotation[: start + 1]}\n{body}\n{' ' * indent}{annotation[end:]}"


def split(text: str) -> list[str]:
    """Split at the commas that are in no bracket and no string."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, sign in enumerate(text):
        if sign == '"' and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted and sign in "[(":
            depth += 1
        elif not quoted and sign in "])":
            depth -= 1
        elif not quoted and not depth and sign == ",":
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


_STANDARD = frozenset({"collections", "typing", "uuid", "decimal", "datetime", "urllib"})


def imports(wanted: Mapping[str, Iterable[str]]) -> str:
    """Return `from module import names` lines, sorted and grouped as ruff's isort rules want them."""
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for module in sorted(wanted, key=str.lower):
        words = sorted(set(wanted[module]), key=lambda word: (_case(word), word))
        root = module.partition(".")[0]
        group = 0 if root in _STANDARD else 2 if root == "app" else 1
        line = f"from {module} import {', '.join(words)}"
        if len(line) > WIDTH:
            line = f"from {module} import (\n{''.join(f'    {word},{chr(10)}' for word in words)})"
        groups[group].append(line)
    return "\n\n".join("\n".join(lines) for lines in groups.values() if lines)


def _case(word: str) -> int:
    """Constants come first, then classes, then the rest (isort's order by type)."""
    return 0 if word.isupper() and len(word) > 1 else 1 if word[:1].isupper() else 2


def call(head: str, arguments: Sequence[str], indent: int, *, tail: str = "", lead: int = 0, comma: bool = False) -> str:
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
    """Return a string literal as ruff writes it: double quotes, unless single ones save escapes."""
    if '"' in text and "'" not in text:
        return "'" + text.replace("\\", "\\\\") + "'"
    return json.dumps(text, ensure_ascii=False)


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


def words(text: str) -> frozenset[str]:
    """Return the identifiers in a piece of code, those inside strings aside."""
    return frozenset(re.findall(r"\w+", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)))
