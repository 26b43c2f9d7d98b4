"""How much code a text holds, found out before Python's parser reads it.

The parser takes a few microseconds and 250 bytes for each word and sign, what follows it about as much again, and for
formatted strings its time grows with the square of their fields: a few megabytes can take minutes. No code that people
write comes near to these bounds; generated tables may, and are then said to be left out.
"""

from __future__ import annotations

import re

MAX_TOKENS = 400_000
MAX_FIELDS = 10_000  # of one formatted string
UNSUSPICIOUS = 150_000  # characters that cannot hold too much: no token is counted
_TOKEN = re.compile(
    r"(?P<prefix>\b[a-zA-Z]{1,2})?(?:'{3}(?:[^\\']|\\.|'(?!''))*+(?:'{3})?|\"{3}(?:[^\\\"]|\\.|\"(?!\"\"))*+(?:\"{3})?"
    r"|'(?:[^\\'\n]|\\.)*+'?|\"(?:[^\\\"\n]|\\.)*+\"?)|#[^\n]*|\w+|[^\w\s]",
    re.DOTALL,
)


def too_much(text: str) -> tuple[str, int] | None:
    """Say why a text is more than can be followed, and the line where that becomes clear; None for nearly every text."""
    if len(text) <= UNSUSPICIOUS:
        return None
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number >= MAX_TOKENS:
            return f"holds more than {MAX_TOKENS:,} words and signs, too many to be followed", _line(
                text, token.start()
            )
        is_formatted = token.end() - token.start() > MAX_FIELDS and "f" in (token["prefix"] or "").lower()
        if is_formatted and text.count("{", *token.span()) > MAX_FIELDS:
            return f"a formatted string has more than {MAX_FIELDS:,} fields", _line(text, token.start())
    return None


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
