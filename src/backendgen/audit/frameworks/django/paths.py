"""Paths as Django writes them, `<int:pk>` or a regular expression, written as the service model does: `{pk:int}`."""

from __future__ import annotations

import re

CONVERTED = re.compile(r"<(?:(?P<converter>[^<>:]+):)?(?P<name>[^<>]+)>")
NUMBERS = re.compile(r"(?:\\d|\[0-9\])(?:[+*]|\{[\d,]+\})?")
ANYTHING = re.compile(r"(?<!\\)\.[+*]|\[(?:[^^\]][^\]]*/[^\]]*|\^[^\]/]+)\][+*]")  # also a slash
ESCAPED = re.compile(r"\\([^\w\s])")
ANCHORS = re.compile(r"\\[AbBZz]")
QUANTIFIER = re.compile(r"[?*+]\??|\{\d*,?\d*\}")


def converted(route: str) -> str:
    """Return the route of a `path()`: a converter stays, `str` is what there is without one."""

    def written(match: re.Match[str]) -> str:
        converter = (match["converter"] or "str").strip()
        return f"{{{match['name']}}}" if converter == "str" else f"{{{match['name']}:{converter}}}"

    return CONVERTED.sub(written, route)


def simplified(pattern: str) -> str:
    """Return the regular expression of a `re_path()` as a path: groups are parameters, the rest is text."""
    found: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            escape = pattern[position : position + 2]
            if not ANCHORS.match(escape):
                found.append(escape[1:] if ESCAPED.match(escape) else escape)
            position += 2
        elif character == "(":
            end = _closing(pattern, position)
            found.append(_group(pattern[position + 1 : end]))
            position = end + 1
            quantifier = QUANTIFIER.match(pattern, position)
            position = quantifier.end() if quantifier else position
        elif character in "^$?":
            position += 1
        else:
            found.append(character)
            position += 1
    return "".join(found)


def _group(inside: str) -> str:
    if inside.startswith("?P<"):
        name, _, body = inside[3:].partition(">")
        if NUMBERS.fullmatch(body):
            return f"{{{name}:int}}"
        return f"{{{name}:path}}" if ANYTHING.search(body) else f"{{{name}}}"
    if inside.startswith("?:"):
        return simplified(inside[2:])
    if inside.startswith("?"):
        return ""  # a look-around or a flag
    return "{var}"


def _closing(pattern: str, start: int) -> int:
    """Return where the group that opens at `start` ends."""
    depth, position, in_class = 0, start, False
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            if pattern[position + 1 : position + 2] == "]":
                position += 1
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return position
        position += 1
    return len(pattern)
