"""Regular expressions that take for ever on a short text.

A pattern is reported only when its own tree shows it: a repetition whose body can read one text in two ways (`(a+)+`,
`(\\w+\\s?)*`, `(.|\\s)*`), before something that may fail. Then each further letter doubles the ways that are tried.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from re import _constants as sre  # type: ignore[attr-defined]  # no stubs
from re import _parser  # type: ignore[attr-defined]  # no stubs
from typing import Any

from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.findings.finding import Hit

FUNCTIONS = ("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")
PATTERNS = tuple(f"re.{name}" for name in FUNCTIONS)
ROUTES = ("django.urls.re_path", "django.conf.urls.url", "django.core.validators.RegexValidator")
MANY = 12  # repetitions from which the ways are too many
ALPHABET = frozenset(range(256))
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
WORD = frozenset(code for code in ALPHABET if re.match(r"\w", chr(code)))
DIGIT = frozenset(code for code in ALPHABET if re.match(r"\d", chr(code)))
SPACE = frozenset(code for code in ALPHABET if re.match(r"\s", chr(code)))
CATEGORIES = {
    sre.CATEGORY_WORD: WORD, sre.CATEGORY_NOT_WORD: ALPHABET - WORD, sre.CATEGORY_DIGIT: DIGIT,
    sre.CATEGORY_NOT_DIGIT: ALPHABET - DIGIT, sre.CATEGORY_SPACE: SPACE, sre.CATEGORY_NOT_SPACE: ALPHABET - SPACE,
}  # fmt: skip
Item = tuple[Any, Any]


@check("BG521")
def catastrophic_pattern(context: Context) -> Iterator[Hit]:
    """Patterns that try more ways than there are seconds."""
    for use in context.index.calls(*PATTERNS, *ROUTES):
        pattern = context.index.value(
            use.argument("regex" if use.name in ROUTES else "pattern", 0), use.module, use.function
        )
        if isinstance(pattern, str) and is_catastrophic(pattern, whole=use.name == "re.fullmatch"):
            yield hit(
                use.module,
                use.call,
                f"{{who}} has the pattern `{pattern[:60]}`, which reads one text in many ways: where it almost fits, "
                "each further letter doubles the time, and some thirty stop this process",
                "let each repetition end before the next begins: `(?:\\w+\\s)*\\w+`; or possessive: `(?:...)*+`",
            )


def is_catastrophic(pattern: str, *, whole: bool = False) -> bool:
    """Does a pattern take exponential time on some text? `whole`: the text must fit to its end."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, ValueError):
        return False
    return _explodes(list(tree), may_fail=whole)


def _explodes(items: Sequence[Item], *, may_fail: bool) -> bool:
    for position, (kind, value) in enumerate(items):
        fails_later = may_fail or any(not _is_nullable(item) for item in items[position + 1 :])
        if kind in REPEATS:
            _, most, body = value
            if most >= MANY and fails_later and _is_ambiguous(list(body)):
                return True
        if any(_explodes(inner, may_fail=fails_later) for inner in _inside(kind, value)):
            return True
    return False


def _inside(kind: Any, value: Any) -> Iterator[list[Item]]:
    """The patterns inside an item; what is read at one go (atomic, possessive) tries no second way."""
    if kind in REPEATS:
        yield list(value[2])
    elif kind is sre.SUBPATTERN:
        yield list(value[3])
    elif kind is sre.BRANCH:
        yield from map(list, value[1])


def _is_ambiguous(body: list[Item]) -> bool:
    """Can some text be read by one round of a body, and by several?"""
    items = list(_flat(body))
    if len(items) == 1 and items[0][0] is sre.BRANCH:
        branches = [list(_flat(list(branch))) for branch in items[0][1][1]]
        letters = [_letters(branch[0]) for branch in branches if len(branch) == 1]
        known = [one for one in letters if one is not None]
        overlapping = any(one & other for at, one in enumerate(known) for other in known[at + 1 :])
        return overlapping or any(_is_ambiguous(branch) for branch in branches)
    for position, (kind, value) in enumerate(items):
        if kind not in REPEATS or value[1] < MANY or _is_nullable_all(list(value[2])):
            continue
        others = [item for at, item in enumerate(items) if at != position and not _is_nullable(item)]
        inner = list(_flat(list(value[2])))
        letters_inside = _letters(inner[0]) if len(inner) == 1 else None
        if not others or (letters_inside and all((_letters(item) or frozenset()) & letters_inside for item in others)):
            return True
    return False


def _flat(items: Sequence[Item]) -> Iterator[Item]:
    """Items with those of plain groups in their place."""
    for kind, value in items:
        if kind is sre.SUBPATTERN:
            yield from _flat(list(value[3]))
        else:
            yield kind, value


def _is_nullable_all(items: Sequence[Item]) -> bool:
    return all(map(_is_nullable, items))


def _is_nullable(item: Item) -> bool:
    """May an item read nothing? The end of the text and the like may fail, so they are not of this kind."""
    kind, value = item
    if kind in (*REPEATS, sre.POSSESSIVE_REPEAT):
        return value[0] == 0 or _is_nullable_all(list(value[2]))
    if kind is sre.SUBPATTERN:
        return _is_nullable_all(list(value[3]))
    if kind is sre.BRANCH:
        return any(_is_nullable_all(list(branch)) for branch in value[1])
    return kind in (sre.ASSERT, sre.ASSERT_NOT) or (kind is sre.AT and value is sre.AT_BEGINNING)


def _letters(item: Item) -> frozenset[int] | None:
    """The letters that an item of one letter, or a repetition of such, reads; None for others."""
    kind, value = item
    if kind in REPEATS:
        inner = list(_flat(list(value[2])))
        return _letters(inner[0]) if len(inner) == 1 else None
    if kind is sre.LITERAL:
        return frozenset((value,))
    if kind is sre.NOT_LITERAL:
        return ALPHABET - {value}
    if kind is sre.ANY:
        return ALPHABET - {10}
    return _class(value) if kind is sre.IN else None


def _class(parts: Sequence[Item]) -> frozenset[int]:
    letters: set[int] = set()
    for kind, value in parts:
        if kind is sre.LITERAL:
            letters.add(value)
        elif kind is sre.RANGE:
            letters.update(range(value[0], min(value[1], 255) + 1))
        elif kind is sre.CATEGORY:
            letters |= CATEGORIES.get(value, frozenset())
    return ALPHABET - letters if parts and parts[0][0] is sre.NEGATE else frozenset(letters)
