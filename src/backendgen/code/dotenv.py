"""Files of environment variables: `.env` and its kin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*"
    r"""(?:"((?:\\.|[^"\\])*)"|'([^']*)'|([^\n]*?))[ \t]*(?:[ \t]#[^\n]*)?$""",
    re.MULTILINE,
)
_COMMENT = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Variable:
    """A name and its value, without its quotes."""

    name: str
    value: str
    line: int


def read(text: str) -> Iterator[Variable]:
    """Yield the variables in a text; what is none is passed over."""
    line, counted = 1, 0
    for found in _LINE.finditer(text):
        line, counted = line + text.count("\n", counted, found.start(1)), found.start(1)
        bare = found[4]
        value = _COMMENT.sub("", bare).strip() if bare is not None else found[2] if found[2] is not None else found[3]
        yield Variable(found[1], value, line)
