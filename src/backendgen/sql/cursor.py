"""Reads a statement's tokens from left to right: what the grammars of MySQL and SQLite have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from backendgen.sql.schema import Type
from backendgen.sql.tokens import Sentence, Token

Dialect = Literal["postgresql", "mysql", "mariadb", "sqlite"]

_END = Token("sign", "", 0, 0)


class Unreadable(Exception):
    """The tokens are not what the grammar wants here."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset


class Cursor:
    """A place in a statement. `accept` moves on when the next tokens are those wanted, `expect` insists on them.

    `spelling` holds how a name was written first: MySQL and SQLite do not mind the case of columns, a Schema does.
    """

    __slots__ = ("at", "dialect", "ordinal", "sentence", "spelling", "tokens")

    def __init__(self, sentence: Sentence, ordinal: int, dialect: Dialect, spelling: dict[str, str]) -> None:
        self.sentence, self.ordinal, self.dialect, self.spelling = sentence, ordinal, dialect, spelling
        self.tokens, self.at = sentence.tokens, 0

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that all Operations of the statement share."""
        whole = self.sentence
        return {
            "sql": whole.sql,
            "line": whole.line,
            "column": whole.column,
            "end_line": whole.end_line,
            "statement": self.ordinal,
        }

    @property
    def next(self) -> Token:
        """The token that comes next, an empty sign at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.tokens)

    def peek(self, *words: str) -> bool:
        """Whether these unquoted words or signs come next."""
        if self.at + len(words) > len(self.tokens):
            return False
        for token, word in zip(self.tokens[self.at :], words, strict=False):
            if token.value != word or token.kind not in ("word", "sign"):
                return False
        return True

    def accept(self, *words: str) -> bool:
        """Move over these words or signs if they come next."""
        if self.peek(*words):
            self.at += len(words)
            return True
        return False

    def accept_any(self, *words: str) -> str:
        """Move over one of these words if it comes next, and return it; empty if none does."""
        if self.next.kind in ("word", "sign") and self.next.value in words:
            self.at += 1
            return self.tokens[self.at - 1].value
        return ""

    def expect(self, *words: str) -> None:
        """Move over these words or signs. Raises Unreadable when something else comes."""
        for word in words:
            if not self.accept(word):
                raise self.unreadable(word)

    def unreadable(self, wanted: str = "") -> Unreadable:
        """Return the refusal of what comes next."""
        token = self.next
        found = self.raw(token) if token.end else "the end"
        expected = f", expected {wanted}" if wanted else ""
        return Unreadable(f"syntax error at or near {found[:40]}{expected}", token.start if token.end else -1)

    def raw(self, token: Token) -> str:
        """Return a token as it is written."""
        return self.sentence.text[token.start : token.end]

    def since(self, start: int) -> str:
        """Return the text from a token to the one before the cursor."""
        if self.at <= start:
            return ""
        return self.sentence.text[self.tokens[start].start : self.tokens[self.at - 1].end]

    def identifier(self) -> str:
        """Read a name, quoted or not, and return it as it was first spelt. In SQLite a string may stand for one."""
        name = self._name()
        return self.spelling.setdefault(name.lower(), name)

    def _name(self) -> str:
        token = self.next
        if token.kind == "name" or (token.kind == "string" and self._string_is_name(token)):
            self.at += 1
            return token.value
        if token.kind == "word":
            self.at += 1
            return self.raw(token)
        raise self.unreadable("a name")

    def _string_is_name(self, token: Token) -> bool:
        return self.dialect == "sqlite" or self.raw(token).startswith('"')  # MySQL's ANSI_QUOTES

    def word(self) -> str:
        """Read an unquoted word and return it in capitals."""
        if self.next.kind != "word":
            raise self.unreadable("a word")
        self.at += 1
        return self.tokens[self.at - 1].value

    def qualified(self) -> str:
        """Read a table's name, with its database if that is given; SQLite's `main` goes without saying."""
        # On Linux MySQL minds the case of tables.
        read = self.identifier if self.dialect == "sqlite" else self._name
        parts = [read()]
        while self.accept("."):
            parts.append(read())
        if self.dialect == "sqlite" and parts[0].lower() == "main":
            parts = parts[1:]
        return ".".join(parts)

    def string(self) -> str:
        """Read a string; neighbouring ones are one."""
        if self.next.kind != "string":
            raise self.unreadable("a string")
        parts = []
        while self.next.kind == "string":
            parts.append(self.next.value)
            self.at += 1
        return "".join(parts)

    def skip_parentheses(self) -> str:
        """Move over `( ... )` and return what is inside, as it is written."""
        self.expect("(")
        start, depth = self.at, 1
        while depth:
            if self.done:
                raise self.unreadable(")")
            depth += {"(": 1, ")": -1}.get(self.next.value, 0) if self.next.kind == "sign" else 0
            self.at += 1
        self.at -= 1
        inside = self.since(start)
        self.at += 1
        return inside

    def names(self) -> tuple[str, ...]:
        """Read `(a, b)`."""
        self.expect("(")
        found = [self.identifier()]
        while self.accept(","):
            found.append(self.identifier())
        self.expect(")")
        return tuple(found)

    def items(self) -> Iterator[None]:
        """Yield before each item of a list that commas part; the caller reads the item."""
        yield
        while self.accept(","):
            yield

    def skip_to(self, *words: str) -> str:
        """Move to the next of these words or signs outside parentheses, or to the end; return the text on the way."""
        start = self.at
        while not self.done and not (self.next.kind in ("word", "sign") and self.next.value in words):
            if self.peek("("):
                self.skip_parentheses()
            else:
                self.at += 1
        return self.since(start)

    def skip_rest(self) -> str:
        """Move to the end and return the text on the way."""
        start, self.at = self.at, len(self.tokens)
        return self.since(start)

    def words_in(self, start: int, end: int) -> tuple[str, ...]:
        """Return the names between two tokens, as columns that an expression may name."""
        found = (t for t in self.tokens[start:end] if t.kind in ("word", "name"))
        names = (t.value if t.kind == "name" else self.raw(t) for t in found)
        return tuple(dict.fromkeys(self.spelling.get(name.lower(), name) for name in names))


def type_arguments(cursor: Cursor) -> tuple[tuple[int, ...], str]:
    """Read `(10, 2)`; modifiers that are no numbers come back as text."""
    inside = cursor.skip_parentheses()
    parts = [part.strip() for part in inside.split(",")]
    if all(part.lstrip("+-").isdigit() for part in parts):
        return tuple(int(part) for part in parts), ""
    return (), inside


def plain_type(name: str, modifiers: tuple[int, ...] = (), other: str = "") -> Type:
    """Return a type; modifiers that are no numbers are part of its name."""
    return Type(f"{name}({other})" if other else name, modifiers)
