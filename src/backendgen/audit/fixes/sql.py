"""SQL that is built from values: placeholders in their place, the values beside it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.audit.checks.walk import class_of
from backendgen.audit.fixes.site import Site, fixer
from backendgen.code.edits import Edit
from backendgen.code.symbols import External, Function

EXECUTES = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval", "raw"})
WRITTEN = re.compile(r"[fF](?P<quotes>\"\"\"|'''|\"|')(?P<body>.*)(?P=quotes)", re.DOTALL)
PIECE = re.compile(r"\{\{|\}\}|(?P<before>'?)\{(?P<value>[^{}!:'\"\\]+)\}(?P<after>'?)")
BEFORE_VALUE = re.compile(
    r"(?:=|<|>|!=|<>|\bLIKE|\bILIKE|\bLIMIT|\bOFFSET|\bBETWEEN|\bAND|\bVALUES\s*\(|\bIN\s*\(|,)\s*$", re.IGNORECASE
)
IN_VALUES = re.compile(r"\bVALUES\s*\([^)]*$|\bIN\s*\([^)]*$|\bSET\s[^;]*$", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z_]\w*$")
STYLES = {
    "sqlite3": "?", "aiosqlite": "?", "psycopg": "%s", "psycopg2": "%s", "pymysql": "%s", "MySQLdb": "%s", "mysql": "%s",
    "django": "%s", "asyncpg": "$",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement with placeholders, and the source of its values."""

    text: str
    values: tuple[str, ...]


@fixer("BG103", "BG104")
def bound(site: Site) -> list[Edit]:
    """Bound parameters in the place of values that stand in an f-string."""
    for call, function in _executions(site):
        statement = call.args[0]
        wrapped = isinstance(statement, ast.Call) and site.name_of(statement.func, function).endswith(".text")
        literal = statement.args[0] if isinstance(statement, ast.Call) and wrapped and statement.args else statement
        style = ":" if wrapped else _style(site, call, function)
        if not isinstance(literal, ast.JoinedStr) or len(call.args) > 1 or call.keywords or not style:
            continue
        made = _parted(site.text(literal), style)
        if made is None:
            continue
        end = site.places.span(statement)[1]
        return [site.replaced(literal, made.text), Edit(end, end, f", {_given(made, style)}")]
    return []


def _executions(site: Site) -> Iterator[tuple[ast.Call, Function | None]]:
    """The calls around the finding that run a statement."""
    for call, function in site.module.calls:
        inside = call.lineno <= site.location.line <= (call.end_lineno or call.lineno)
        if inside and isinstance(call.func, ast.Attribute) and call.func.attr in EXECUTES and call.args:
            yield call, function


def _style(site: Site, call: ast.Call, function: Function | None) -> str:
    """How the driver writes placeholders: by the type of what executes, else by the only driver that the file imports."""
    if function is not None and isinstance(call.func, ast.Attribute):
        owner = class_of(site.context, call.func.value, function)
        if isinstance(owner, External):
            return STYLES.get(owner.name.partition(".")[0], "")
    roots = {dotted.partition(".")[0] for dotted, _ in site.module.imports.values()} & set(STYLES)
    styles = {STYLES[root] for root in roots}
    return styles.pop() if len(styles) == 1 else ""


def _parted(written: str, style: str) -> Bound | None:
    """Part an f-string into a statement and its values; None when one of them is no value, or cannot be read."""
    literal = WRITTEN.fullmatch(written)
    if literal is None or "\\" in literal["body"]:
        return None
    body, parts, values, at = literal["body"], [], [], 0
    for piece in PIECE.finditer(body):
        parts.append(_plain(body[at : piece.start()], style))
        at = piece.end()
        if piece["value"] is None:
            parts.append(piece[0][0])
            continue
        before = "".join(parts)
        quoted = (piece["before"], piece["after"])
        if quoted not in (("", ""), ("'", "'")) or not BEFORE_VALUE.search(before) or not _is_value_place(before):
            return None
        values.append(piece["value"].strip())
        parts.append(_placeholder(style, values))
    rest = body[at:]
    if not values or "{" in rest or "}" in rest:
        return None
    text = "".join([*parts, _plain(rest, style)])
    return Bound(f"{literal['quotes']}{text}{literal['quotes']}", tuple(values))


def _plain(text: str, style: str) -> str:
    return text.replace("%", "%%") if style == "%s" else text


def _is_value_place(before: str) -> bool:
    """After a comma only in VALUES (...), IN (...) or SET ...: elsewhere it may be a column's place."""
    return not before.rstrip().endswith(",") or IN_VALUES.search(before) is not None


def _placeholder(style: str, values: list[str]) -> str:
    if style == "$":
        return f"${len(values)}"
    return f":{_name(values, len(values) - 1)}" if style == ":" else style


def _name(values: list[str] | tuple[str, ...], position: int) -> str:
    found = NAME.search(values[position])
    name = found[0].lower() if found else f"value_{position + 1}"
    earlier = [other for other in range(position) if _name(values, other) == name]
    return f"{name}_{position + 1}" if earlier else name


def _given(made: Bound, style: str) -> str:
    if style == "$":
        return ", ".join(made.values)
    if style == ":":
        return "{" + ", ".join(f'"{_name(made.values, at)}": {value}' for at, value in enumerate(made.values)) + "}"
    return f"({', '.join(made.values)}{',' if len(made.values) == 1 else ''})"
