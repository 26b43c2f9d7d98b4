"""MySQL's, MariaDB's and SQLite's text as tokens, cut into statements.

Follows the lexical rules of MySQL's manual (9.1 to 9.7), of its client's DELIMITER, and of SQLite's tokenizer: comments in
three styles, versioned comments, which are code, four kinds of quotes, and the bodies of triggers and routines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "name", "string", "number", "sign"]

_DELIMITER = re.compile(r"[ \t]*delimiter[ \t]+(\S+)[^\n]*", re.IGNORECASE)
_ROUTINE = ("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT")
_BLOCKS = ("BEGIN", "CASE")
_INNER_ENDS = ("IF", "LOOP", "WHILE", "REPEAT")  # END IF ends no BEGIN
_COMMON = r"""
    (?P<space>[\s\ufeff\x00-\x20]+)
  | (?P<number>0x[0-9a-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?(?![\w$]))
  | (?P<word>@{{0,2}}[\w$]+)
  | (?P<name>`(?:[^`]|``)*`{names})
  | (?P<string>{strings})
  | (?P<comment>{comments})
  | (?P<versioned>{versioned})
  | (?P<sign>:=|<=>|<<|>>|->>?|<=|>=|<>|!=|\|\||&&|.)
"""
_FLAGS = re.IGNORECASE | re.DOTALL | re.VERBOSE
_NEVER = r"(?!)"
_MYSQL = re.compile(
    _COMMON.format(
        names="",
        strings=r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\"""",
        comments=r"--(?!\d)[^\n]*|\#[^\n]*|/\*(?!M?!).*?(?:\*/|\Z)",
        versioned=r"/\*M?!\d*|\*/",
    ),
    _FLAGS,
)
_SQLITE = re.compile(
    _COMMON.format(
        names=r"""|"(?:[^"]|"")*"|\[[^\]]*\]""",
        strings=r"""'(?:[^']|'')*'""",
        comments=r"--[^\n]*|/\*.*?(?:\*/|\Z)",
        versioned=_NEVER,
    ),
    _FLAGS,
)
_ESCAPE = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


@dataclass(frozen=True, slots=True)
class Token:
    """A token between `start` and `end` of the text. `value` is a word in capitals, a name or string without its quotes."""

    kind: Kind
    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement's tokens, and its place in the text: its first token's line and column, its last one's line."""

    tokens: tuple[Token, ...]
    text: str
    line: int
    column: int
    end_line: int

    @property
    def sql(self) -> str:
        """The statement as it is written, without what ends it."""
        return self.text[self.tokens[0].start : self.tokens[-1].end]


def sentences(text: str, backslashes: bool) -> Iterator[Sentence]:
    """Yield the statements of the text in order; empty ones yield nothing. Accepts any text.

    `backslashes` says that they escape in strings and that double quotes are strings too, as in MySQL; else they are names.
    """
    lexer = _MYSQL if backslashes else _SQLITE
    delimiter, found, blocks = ";", list[Token](), 0
    line, counted = 1, 0
    at = 0
    while at < len(text):
        if not found and backslashes and (changed := _DELIMITER.match(text, at)) and _starts_line(text, at):
            delimiter, at = changed[1], changed.end()
            continue
        if (blocks <= 0 or delimiter != ";") and text.startswith(delimiter, at):
            at += len(delimiter)
            if found:
                line, counted = line + text.count("\n", counted, found[0].start), found[0].start
                yield _sentence(text, found, line)
            found, blocks = [], 0
            continue
        match = lexer.match(text, at)
        assert match is not None, "any character is a sign"
        at = match.end()
        if delimiter in match[0] and match.lastgroup == "word":  # END$$
            at = match.start() + match[0].index(delimiter)
            match = lexer.match(text, match.start(), at)
            assert match is not None, "what comes before the delimiter is a word too"
        token = _token(match)
        if token is None:
            continue
        if delimiter == ";" and _is_routine(found):
            blocks += _block_change(token, found)
        found.append(token)
    if found:
        yield _sentence(text, found, line + text.count("\n", counted, found[0].start))


def _starts_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip()


def _sentence(text: str, found: list[Token], line: int) -> Sentence:
    start, end = found[0].start, found[-1].end
    column = start - text.rfind("\n", 0, start)
    return Sentence(tuple(found), text, line, column, line + text.count("\n", start, end))


def _token(match: re.Match[str]) -> Token | None:
    kind, text = match.lastgroup, match[0]
    if kind in ("space", "comment", "versioned"):
        return None
    if kind == "word":
        return Token("word", text.upper(), match.start(), match.end())
    if kind == "name":
        last = text[-1]
        return Token("name", text[1:-1].replace(last * 2, last), match.start(), match.end())
    if kind == "string":
        return Token("string", _unquoted(text), match.start(), match.end())
    return Token("number" if kind == "number" else "sign", text, match.start(), match.end())


def _unquoted(text: str) -> str:
    quote = text[-1]
    inside = text[text.index(quote) + 1 : -1]
    if "\\" not in inside:
        return inside.replace(quote * 2, quote)
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]) if m[1] else m[0][0], inside)


def _is_routine(found: list[Token]) -> bool:
    if not found or found[0].value not in ("CREATE", "ALTER"):
        return False
    return any(token.kind == "word" and token.value in _ROUTINE for token in found[1:8])


def _block_change(token: Token, found: list[Token]) -> int:
    """Return by how many the open blocks of a routine's body change: BEGIN and CASE open one, their END closes it."""
    if token.kind != "word":
        return 0
    after_end = found[-1].kind == "word" and found[-1].value == "END"
    if after_end:
        return 1 if token.value in _INNER_ENDS else 0
    return 1 if token.value in _BLOCKS else -1 if token.value == "END" else 0
