"""The string literals of a source file, whatever its language: by syntax tree in Python, by their quotes elsewhere.

A part that is only known at run time (`{name}`, `${name}`, `#{name}`, what `+` adds) is the mark HOLE.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

HOLE = "\x00"

_LINE_COMMENT = {"py": "#", "rb": "#", "ex": "#", "exs": "#", "sql": "--"}
_SINGLE_IS_NO_STRING = frozenset({"rs", "go", "java", "kt", "scala", "cs"})
_OVER_LINES = frozenset({"rs", "rb", "php"})  # whose quoted strings may hold line breaks
_CHARACTER = r"'(?:[^'\\\n]|\\[^\n])'"
_STRINGS = r'''"""(?P<triple>.*?)(?:"""|\Z)|"(?P<double>(?:[^"\\\n]|\\.)*+)"|`(?P<tick>(?:[^`\\]|\\.)*+)`'''
_RAW = r"""r(?P<hash>\#+)"(?P<raw>.*?)(?:"(?P=hash)|\Z)"""
_SINGLE = r"""'(?P<single>(?:[^'\\\n]|\\.)*+)'"""
_HEREDOC = r"<<[-~]?(?P<quote>['\"]?)(?P<tag>[A-Z_]+)(?P=quote)[^\n]*\n(?P<heredoc>.*?)(?:^[ \t]*(?P=tag)\b|\Z)"
_VALUES = ("triple", "double", "tick", "raw", "single", "heredoc")
_HOLES = {"rb": r"#\{[^{}]*\}", "ex": r"#\{[^{}]*\}", "exs": r"#\{[^{}]*\}", "php": r"\{?\$\w+(?:->\w+)*\}?",
          "kt": r"\$\{[^{}]*\}|\$[A-Za-z]\w*", "scala": r"\$\{[^{}]*\}|\$[A-Za-z]\w*"}  # fmt: skip
_JOINED = re.compile(r"\s*[+.]\s*(?:(?P<hole>[\w.()]+)\s*[+.]\s*)?")
_TEMPLATE_HOLE = r"\$\{(?:[^{}]|\{[^{}]*\})*\}"


@dataclass(frozen=True, slots=True)
class Literal:
    """A text and the line that it begins on. `verbatim`: its line breaks are those of the file."""

    text: str
    line: int
    verbatim: bool = True


def in_python(tree: ast.Module) -> Iterator[Literal]:
    """Yield the strings of a module; docstrings are none. What `+` joins is one string."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        leaves = _leaves(node)
        if any(_is_string(leaf) for leaf in leaves):
            text = "".join(_text(leaf) for leaf in leaves)
            lines = (node.end_lineno or 0) - node.lineno if isinstance(node, ast.expr) else 0
            yield Literal(text, getattr(node, "lineno", 1), lines == text.count("\n"))
        for leaf in leaves:
            if isinstance(leaf, ast.JoinedStr):  # what stands inside its braces may hold strings of its own
                pending.extend(each.value for each in leaf.values if isinstance(each, ast.FormattedValue))
            elif leaf is node:
                pending.extend(ast.iter_child_nodes(leaf))
            elif not _is_string(leaf):
                pending.append(leaf)


def _leaves(node: ast.AST) -> list[ast.AST]:
    """What `+` joins, in order; the node alone when there is no `+`."""
    leaves: list[ast.AST] = []
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            pending += [part.right, part.left]
        else:
            leaves.append(part)
    return leaves


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _text(node: ast.AST) -> str:
    """Return a leaf as text, a hole for what is known at run time only."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else HOLE


def in_text(text: str, language: str) -> Iterator[Literal]:
    """Yield the strings between quotes in a file of another language; comments are passed over. `+` joins, as in Python."""
    starts = _line_starts(text)
    open_literal: Literal | None = None
    end = 0
    holes = re.compile(_HOLES.get(language, _TEMPLATE_HOLE))
    for match in _pattern(language).finditer(text):
        kind = next((each for each in _VALUES if match.groupdict().get(each) is not None), None)
        if kind is None:
            continue
        value = match[kind]
        if kind in ("double", "single"):
            value = value.replace("\\n", " ").replace("\\t", " ").replace('\\"', '"').replace("\\'", "'")
        elif kind == "tick":
            value = value.replace("\\`", "`")
        value = holes.sub(HOLE, value)
        joined = _JOINED.fullmatch(text, end, match.start()) if open_literal else None
        if open_literal and joined:
            hole = HOLE if joined["hole"] else ""
            open_literal = Literal(f"{open_literal.text}{hole}{value}", open_literal.line, verbatim=False)
        else:
            if open_literal:
                yield open_literal
            open_literal = Literal(value, bisect_right(starts, match.start(kind)))
        end = match.end()
    if open_literal:
        yield open_literal


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _pattern(language: str) -> re.Pattern[str]:
    """Comments and strings of a language. A quote in a comment opens nothing, a comment in a string is none."""
    found = _PATTERNS.get(language)
    if found is None:
        comment = rf"{_LINE_COMMENT.get(language, '//')}[^\n]*|/\*.*?(?:\*/|\Z)"
        parts = [comment, _STRINGS.replace(r'[^"\\\n]', r'[^"\\]') if language in _OVER_LINES else _STRINGS]
        if language == "rs":
            parts.insert(1, _RAW)
        if language in ("rb", "php"):
            parts.insert(1, _HEREDOC)
        if language in _SINGLE_IS_NO_STRING:
            parts.insert(0, _CHARACTER)
        else:
            parts.append(_SINGLE)
        found = _PATTERNS[language] = re.compile("|".join(parts), re.DOTALL | re.MULTILINE)
    return found


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]
