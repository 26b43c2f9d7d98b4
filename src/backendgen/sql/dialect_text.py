"""Makes plain SQL of what code hands to a driver for MySQL, MariaDB or SQLite: placeholders, holes, modifiers."""

from __future__ import annotations

import re

HOLE_NAME = "_hole_"
"""What stands where code puts in a name."""

_MARKS = r"""
    |--[^\n]*+ | /\*.*?(?:\*/|\Z) | ::
    |(?P<mark> %\(\w+\)s | %[sdb] | (?<![\w:\])]):[A-Za-z_]\w* | \?\d* | (?<![\w$])\$\w+ | (?<=[\s(,=])\{\w*\} )
    |\b(?:INSERT|REPLACE|UPDATE|DELETE)\b
        (?P<how>(?:\s+(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|QUICK|IGNORE|OR\s+(?:ROLLBACK|ABORT|FAIL|IGNORE|REPLACE))\b)*+)
        (?P<into>\s+INTO\b)?
    |(?P<explain>\bEXPLAIN\s+(?:(?:QUERY\s+PLAN|ANALYZE|EXTENDED|FORMAT\s*=\s*\w+)\s+)?
        (?=\(*(?:SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE)\b))
"""
_SCANNER = {
    "mysql": re.compile(r"""(?isx)'(?:[^'\\]|\\.)*+' | "(?:[^"\\]|\\.)*+" | `[^`]*+` | \#[^\n]*+""" + _MARKS),
    "sqlite": re.compile(r"""(?isx)'[^']*+' | "[^"]*+" | `[^`]*+` | \[[^\]]*+\]""" + _MARKS),
}
_WORDS = re.compile(r"\w+")
_DROPPED = re.compile(r"(?i)\bOR\s+\w+|\b(?!IGNORE\b)\w+")


def plain(sql: str, dialect: str) -> str:
    """Write placeholders as `?`, REPLACE as INSERT, and no modifiers but IGNORE; what follows stays in its place."""
    return _SCANNER["sqlite" if dialect == "sqlite" else "mysql"].sub(_plain, sql)


def _plain(match: re.Match[str]) -> str:
    text = match[0]
    if match["mark"]:
        return "?".ljust(len(text))
    if match["explain"]:
        return _blank(text)
    if match["how"]:
        dropped = _DROPPED if text[:6].upper() == "INSERT" else _WORDS
        text = text.replace(match["how"], dropped.sub(lambda word: _blank(word[0]), match["how"]), 1)
    if text[:7].upper() == "REPLACE" and (match["how"] or match["into"]):
        text = f"INSERT {text[7:]}"
    return text


def _blank(text: str) -> str:
    return re.sub(r"\S", " ", text)


def filled(text: str, hole: str) -> tuple[str, str]:
    """Return a text with its holes filled in the two ways that may be meant: as values and parts of names, or as names."""
    mark = re.escape(hole)
    partly = re.sub(rf"(?<=[\w.`\"]){mark}|{mark}(?=[\w.`\"])", HOLE_NAME, text)
    return partly.replace(hole, "?"), text.replace(hole, HOLE_NAME)
