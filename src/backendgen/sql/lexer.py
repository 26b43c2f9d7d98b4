"""Cuts SQL text into statements by its tokens alone, so that one bad statement cannot hide its neighbours.

Follows the lexical rules of PostgreSQL (manual, 4.1) and of psql: nested comments, dollar quotes, E'' strings, BEGIN ATOMIC
bodies, backslash commands and COPY data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

_SPACE = " \t\n\r\f\v"
_LEAD = re.compile(r"(?:[ \t\n\r\f\v\ufeff]++|--[^\n\r]*+)++")
_TOKEN = re.compile(r"""[;'"$\\]|--|/\*""")
_QUOTED = re.compile(r"""['"$]|--|/\*""")
_PUNCTUATION = re.compile(r"""[,()\[\]'"$]|--|/\*""")
_LINE_END = re.compile(r"[\n\r]")
_BLOCK_COMMENT = re.compile(r"/\*|\*/")
_ESCAPE_STRING = re.compile(r"'(?:[^'\\]++|\\.|'')*+'", re.DOTALL)
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*+)?\$")
_ROUTINE = re.compile(r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\b", re.IGNORECASE)
_RULE = re.compile(r"create\s+(?:or\s+replace\s+)?rule\b", re.IGNORECASE)
_ATOMIC = re.compile(r"\bbegin\s+atomic\b", re.IGNORECASE)
_BLOCK_WORD = re.compile(r"\b(?:(begin|case)|end)\b", re.IGNORECASE)
_COPY = re.compile(r"copy\b.*\bfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)
_COPY_END = re.compile(r"^\\\.\s*$", re.MULTILINE)
_COMMENT_AFTER = re.compile(r"[ \t]*(--[^\n\r]*)")
_PARAMETER = re.compile(r"(?<![:\w\])]):([^\W\d]\w*)")
_IDENTIFIER = re.compile(r"""[^\W\d][\w$]*|"(?:[^"]|"")*"|'[^']*'""")
_SIMPLE = re.compile(r"[a-z_][a-z0-9_$]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment inside a statement, `start` characters after its first token."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement's text from its first token to its last, without the semicolon, and its place, 1-based.

    `after` is the `--` comment that follows the semicolon on its line. `form` is `meta` for a psql command and `literal`
    for SQL inside a string, whose lines are not those of the text.
    """

    text: str
    line: int
    column: int
    end_line: int
    comments: tuple[Comment, ...] = ()
    after: str = ""
    form: Literal["sql", "meta", "literal"] = "sql"

    def line_at(self, offset: int) -> int:
        """Return the line of the character `offset` characters after the first token."""
        return self.line if self.form == "literal" else self.line + self.text.count("\n", 0, offset)


def split(text: str) -> Iterator[Statement]:
    """Yield the statements and psql commands of the text, in order. Accepts any text; empty statements yield nothing."""
    line, line_start, counted, at = 1, 0, 0, 0
    while (start := _skip_blank(text, at)) < len(text):
        meta = text[start] == "\\"
        stop, comments = (_line_end(text, start), []) if meta else _statement_end(text, start)
        end = _code_end(text, start, stop, comments)
        at = stop + 1 if text.startswith(";", stop) else stop
        after = _COMMENT_AFTER.match(text, at)
        if end > start:
            line += text.count("\n", counted, start)
            line_start = max(line_start, text.rfind("\n", counted, start) + 1)
            counted = start
            yield Statement(
                text[start:end],
                line,
                start - line_start + 1,
                line + text.count("\n", start, end),
                tuple(Comment(a - start, text[a:b]) for a, b in comments if a < stop),
                after[1] if after else "",
                "meta" if meta else "sql",
            )
            if text[start] in "cC" and _COPY.match(text, start, end):
                at = _copy_data_end(text, at)


def _skip_blank(text: str, at: int) -> int:
    """Skip white space and comments."""
    while at < len(text):
        if lead := _LEAD.match(text, at):
            at = lead.end()
        elif text.startswith("/*", at):
            at = _token_end(text, at)
        else:
            break
    return at


def _statement_end(text: str, start: int) -> tuple[int, list[tuple[int, int]]]:
    """Find the statement's semicolon, a psql command or the end of the text; also return the comments on the way."""
    comments: list[tuple[int, int]] = []
    routine, rule = bool(_ROUTINE.match(text, start)), bool(_RULE.match(text, start))
    blocks, parentheses, seen, at = 0, 0, start, start
    while token := _TOKEN.search(text, at):
        position, kind = token.start(), token[0]
        if kind == "\\":
            return position, comments
        if kind != ";":
            at = _token_end(text, position)
            if kind in ("--", "/*"):
                comments.append((position, at))
            continue
        if routine:
            words = text[seen:position]
            if blocks or _ATOMIC.search(words):
                blocks += sum(1 if word[1] else -1 for word in _BLOCK_WORD.finditer(words))
        elif rule:
            parentheses += text.count("(", seen, position) - text.count(")", seen, position)
        if blocks <= 0 and parentheses <= 0:
            return position, comments
        seen = at = position + 1
    return len(text), comments


def _token_end(text: str, at: int) -> int:
    """Return the end of the quoted token or comment that begins here; one that never ends takes the rest of the text."""
    char = text[at]
    if char == "'":
        if text[at - 1 : at] in ("e", "E") and not _in_word(text, at - 1):
            match = _ESCAPE_STRING.match(text, at)
            return match.end() if match else len(text)
        return _after(text, "'", at + 1)
    if char == '"':
        return _after(text, '"', at + 1)
    if char == "$":
        opening = None if _in_word(text, at) else _DOLLAR.match(text, at)
        return _after(text, opening[0], opening.end()) if opening else at + 1
    if char == "-":
        return _line_end(text, at)
    depth = 0
    for bound in _BLOCK_COMMENT.finditer(text, at):
        depth += 1 if bound[0] == "/*" else -1
        if depth == 0:
            return bound.end()
    return len(text)


def _line_end(text: str, at: int) -> int:
    end = _LINE_END.search(text, at)
    return end.start() if end else len(text)


def _in_word(text: str, at: int) -> bool:
    """Whether the character before this one continues an identifier."""
    before = text[at - 1 : at] if at else ""
    return before.isalnum() or before in ("_", "$")


def _after(text: str, wanted: str, at: int) -> int:
    found = text.find(wanted, at)
    return len(text) if found < 0 else found + len(wanted)


def _code_end(text: str, start: int, stop: int, comments: list[tuple[int, int]]) -> int:
    """Return where the statement's last token ends: before trailing comments and white space."""
    end = start + len(text[start:stop].rstrip(_SPACE))
    for comment_start, comment_end in reversed(comments):
        if comment_end < end:
            break
        end = start + len(text[start:comment_start].rstrip(_SPACE))
    return end


def _copy_data_end(text: str, at: int) -> int:
    """Skip the lines of COPY data up to `\\.`; without that mark there are none."""
    end = _COPY_END.search(text, at)
    return end.end() if end else at


def _chunks(sql: str) -> Iterator[tuple[bool, str]]:
    """Yield the SQL in pieces: (True, code) and (False, a string, quoted identifier or comment)."""
    at = 0
    while token := _QUOTED.search(sql, at):
        end = _token_end(sql, token.start())
        yield True, sql[at : token.start()]
        yield token[0] == "$" and end == token.start() + 1, sql[token.start() : end]
        at = end
    yield True, sql[at:]


def parameters(sql: str) -> tuple[str, ...]:
    """Return the names of the `:name` parameters, each once, in order; not casts, nor what strings and comments hold."""
    found = (match[1] for code, chunk in _chunks(sql) if code for match in _PARAMETER.finditer(chunk))
    return tuple(dict.fromkeys(found))


def replace_parameters(sql: str, replacement: Callable[[str], str]) -> str:
    """Replace each `:name` with what `replacement(name)` returns."""
    return "".join(
        _PARAMETER.sub(lambda m: replacement(m[1]), chunk) if code else chunk for code, chunk in _chunks(sql)
    )


def bind(sql: str) -> str:
    """Rewrite `:name` as psycopg's `%(name)s` and double each literal `%`, also inside strings, as psycopg wants it."""
    return "".join(
        _PARAMETER.sub(r"%(\1)s", chunk.replace("%", "%%")) if code else chunk.replace("%", "%%")
        for code, chunk in _chunks(sql)
    )


def between_commas(sql: str, start: int) -> Iterator[tuple[int, int]]:
    """Yield the spans between the commas that stand in no parentheses, from `start` on."""
    depth, at, begin = 0, start, start
    while found := _PUNCTUATION.search(sql, at):
        position, mark = found.start(), found[0]
        if mark in "([":
            depth += 1
        elif mark in ")]":
            depth -= 1
        elif mark == ",":
            if depth == 0:
                yield begin, position
                begin = position + 1
        else:
            at = _token_end(sql, position)
            continue
        at = position + 1
    yield begin, len(sql)


def quote(identifier: str) -> str:
    """Return the identifier as SQL, quoted only when its letters need it."""
    return identifier if _SIMPLE.fullmatch(identifier) else '"' + identifier.replace('"', '""') + '"'


def rename_identifier(expression: str, name: str, new_name: str) -> str:
    """Rename a column in an expression, leaving strings and function names alone."""

    def renamed(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("'") or expression[match.end() : match.end() + 1] == "(":
            return word
        return quote(new_name) if name in (word.lower(), word[1:-1].replace('""', '"')) else word

    return _IDENTIFIER.sub(renamed, expression)
