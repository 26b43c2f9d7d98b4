"""Abstract values: what is known of a value without running the program.

A value may be a constant, a text with holes, a container by key, an instance of a class; and it may carry taints, each from
an origin: a source (part of a request) or, inside a function's summary, a parameter whose value only the caller knows.
Values are never changed after they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backendgen.code.symbols import Class, External, Function
from backendgen.findings.finding import Location, Step

HOLE: Final = "\0"  # stands in a text for a part that is not known
MAX_TEXT = 2_000
MAX_TAINTS = 12
MAX_PATH = 3
MAX_ITEMS = 64
MAX_STEPS = 12
MAX_DEPTH = 4
MAX_OTHERS = 6

HOSTS: Final = frozenset({"host", "x-forwarded-host"})
PEERS: Final = frozenset(
    {"x-forwarded-for", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip", "cf-connecting-ip"}
)
FILES: Final = ("UploadFile", "UploadedFile", "FileStorage")
TEXT: Final = frozenset({"nosql"})  # kinds of sinks that a text cannot harm, only an object
ADDRESSES: Final = frozenset({"url", "redirect"})  # kinds of sinks that a fixed host makes harmless


class _Unknown:
    """The absence of a constant; None is a constant."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a taint comes from: `kind` is `parameter` (then `name` is its index) or a source's, such as `request`."""

    kind: str
    name: str
    path: tuple[str, ...] = ()

    def at(self, part: str) -> Origin:
        """The origin of an attribute or entry of this one."""
        return self if len(self.path) >= MAX_PATH else Origin(self.kind, self.name, (*self.path, part))

    def is_from(self, kinds: frozenset[str]) -> bool:
        """Is this one of these kinds: also `host` and `peer`, headers of a request that callers write?"""
        if self.kind in kinds or (self.kind == "queue" and "request" in kinds):
            return True
        last = self.path[-1].lower().replace("_", "-").removeprefix("http-") if self.path else ""
        if self.kind != "request":
            return False
        return ("host" in kinds and (self.name == "the Host header" or last in HOSTS)) or (
            "peer" in kinds and last in PEERS
        )


@dataclass(frozen=True, slots=True)
class Taint:
    """That a value derives from an origin; `safe` are the kinds of sinks that it cannot harm any more."""

    origin: Origin
    steps: tuple[Step, ...] = ()
    safe: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What is known of a value.

    `text` is a string with HOLE for unknown parts; `items` are entries or attributes by name; `kind` is the class that it is
    an instance of; `harmless`: of a type that cannot hold an attack; `either`: one of these
    constants; `function` what calling it calls (`others`: or one of these classes, or an instance of one);
    `whole` the origin that this value is, not merely derives from; `bound` what a method is called on.
    """

    taints: tuple[Taint, ...] = ()
    const: Any = UNKNOWN
    text: str | None = None
    items: Mapping[Any, Value] | None = None
    kind: Class | External | None = None
    function: Function | Class | External | None = None
    whole: Origin | None = None
    bound: Value | None = field(default=None, repr=False)
    others: tuple[Class, ...] = ()
    harmless: bool = False
    either: tuple[Any, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Is everything about it known?"""
        if self.const is not UNKNOWN:
            return True
        return self.items is not None and not self.taints and all(each.is_constant for each in self.items.values())

    @property
    def is_harmless(self) -> bool:
        """Known not to come from outside: a constant, or a value of a type that cannot hold an attack."""
        return self.harmless or self.is_constant or (self.text is not None and HOLE not in self.text)


NOTHING: Final = Value()  # not known, and from no origin that is
HARMLESS: Final = Value(
    harmless=True
)  # a number, date, UUID ...: its text holds no quotes, slashes or dots that matter


def constant(value: Any) -> Value:
    """Return the value of a constant."""
    return Value(const=value, text=str(value)[:MAX_TEXT] if isinstance(value, str | int | float) else None)


def tainted(
    origin: Origin,
    steps: tuple[Step, ...] = (),
    kind: Class | External | None = None,
    safe: frozenset[str] = frozenset(),
) -> Value:
    """Return a value that is an origin's."""
    return Value((Taint(origin, steps, safe),), kind=kind, whole=origin)


def union(*groups: Iterable[Taint]) -> tuple[Taint, ...]:
    """Return all taints, one for each origin: safe only where all of them are, by the shortest way."""
    merged: dict[Origin, Taint] = {}
    for group in groups:
        for taint in group:
            known = merged.get(taint.origin)
            if known is None:
                merged[taint.origin] = taint
            elif known is not taint:
                steps = known.steps if len(known.steps) <= len(taint.steps) else taint.steps
                merged[taint.origin] = Taint(taint.origin, steps, known.safe & taint.safe)
    return tuple(merged.values())[:MAX_TAINTS]


def join(one: Value, other: Value) -> Value:
    """Return what is known when either may be the case."""
    if one is other:
        return one
    items: dict[Any, Value] | None = None
    if one.items is not None and other.items is not None:
        keys = list(dict.fromkeys([*one.items, *other.items]))[:MAX_ITEMS]
        items = {key: join(one.items.get(key, NOTHING), other.items.get(key, NOTHING)) for key in keys}
    same = one.const is not UNKNOWN and type(one.const) is type(other.const) and one.const == other.const
    text = one.text if one.text == other.text else _either(one.text, other.text)
    taints = [each.taints if items is not None else all_taints(each) for each in (one, other)]
    return Value(
        union(*taints), one.const if same else UNKNOWN, text, items,
        one.kind if one.kind == other.kind else one.kind or other.kind,
        one.function if one.function == other.function else None,
        one.whole if one.whole == other.whole else None, one.bound if one.function == other.function else None,
        _others(one, other), one.is_harmless and other.is_harmless, _either_constant(one, other),
    )  # fmt: skip


def _either_constant(one: Value, other: Value) -> tuple[Any, ...]:
    """The few constants of which it is one."""
    known = [each.either or ((each.const,) if isinstance(each.const, str | int) else ()) for each in (one, other)]
    if not known[0] or not known[1]:
        return ()
    found = tuple(dict.fromkeys((*known[0], *known[1])))
    return found if len(found) <= MAX_OTHERS else ()


def _others(one: Value, other: Value) -> tuple[Class, ...]:
    """The further classes of which it may be an instance."""
    found = [*one.others, *other.others]
    if isinstance(other.kind, Class) and other.kind != one.kind and one.kind is not None:
        found.append(other.kind)
    return tuple(dict.fromkeys(found))[:MAX_OTHERS] if found else ()


def join_all(values: Iterable[Value]) -> Value:
    """Return what is known when any of them may be the case."""
    result: Value | None = None
    for value in values:
        result = value if result is None else join(result, value)
    return NOTHING if result is None else result


def _either(one: str | None, other: str | None) -> str | None:
    """Of two texts the one that says more, marked as not all of it: what it looks like still holds."""
    if one is None or other is None:
        known = one if one is not None else other
        return None if known is None else _with_hole(known)
    return _with_hole(max(one, other, key=len))


def _with_hole(text: str) -> str:
    return text if HOLE in text else text + HOLE


def carrying(value: Value, *sources: Value) -> Value:
    """Return `value` with the taints of what it was made of."""
    taints = union(value.taints, *(all_taints(source) for source in sources))
    if taints == value.taints:
        return value
    return replace(value, taints=taints, whole=None, const=UNKNOWN, harmless=False)


def all_taints(value: Value, depth: int = 0) -> tuple[Taint, ...]:
    """The taints of a value and of everything in it. An uploaded file is not its name."""
    is_file = isinstance(value.kind, External) and value.kind.name.endswith(FILES)
    if not value.items or depth > MAX_DEPTH or is_file:
        return value.taints
    return union(value.taints, *(all_taints(each, depth + 1) for each in value.items.values()))


def concatenated(parts: Iterable[Value]) -> Value:
    """Return the text that parts make together."""
    text, taints, exact, harmless = "", [], True, True
    for part in parts:
        found = all_taints(part)
        if found and not part.is_harmless:
            taints.append(_placed(found, text))
        known = part.text if part.text is not None else HOLE
        exact = exact and part.const is not UNKNOWN
        harmless = harmless and part.is_harmless
        text = (text + known)[:MAX_TEXT]
    whole: Any = text if exact and len(text) < MAX_TEXT else UNKNOWN
    return Value(union(*taints), const=whole, text=text, harmless=harmless)


def _placed(taints: tuple[Taint, ...], before: str) -> tuple[Taint, ...]:
    """What its place in a text does for a value.

    After a fixed host, or after anything that is not from outside, it cannot choose where a URL leads; behind a folder it is
    no absolute path; between quotes it stays as long as it holds none.
    """
    marks: set[str] = set()
    scheme, found, rest = before.partition("://")
    if before not in ("", "/", "//", "/\\") and not (found and "/" not in rest and HOLE not in scheme):
        marks |= ADDRESSES
    if before:
        marks.add("csv")
    if "\n\n" in before:  # a mail's headers end there
        marks.add("mail")
    if before.endswith(("/", "\\")):
        marks.add("rooted")
    marks.update(f"in {quote}" for quote in "'\"" if before.count(quote) % 2)
    if not marks:
        return taints
    return tuple(Taint(taint.origin, taint.steps, taint.safe | marks) for taint in taints)


IMPLIED: Final = {
    "redirect": (frozenset({"local", "no host"}), frozenset({"local", "rooted"})),
    "path": (frozenset({"rooted", "no dots"}), frozenset({"relative", "no dots"})),
    "code": tuple(frozenset({f"starts {quote}", f"ends {quote}", f"no {quote} inside"}) for quote in "'\""),
    **{kind: tuple(frozenset({f"in {quote}", f"no {quote}"}) for quote in "'\"") for kind in ("sql", "xpath")},
}


def is_safe(taint: Taint, kind: str) -> bool:
    """Can a taint not harm this kind of sink: because it is proved, or because of what is known of it taken together?"""
    return kind in taint.safe or any(needed <= taint.safe for needed in IMPLIED.get(kind, ()))


def sanitised(value: Value, kinds: frozenset[str]) -> Value:
    """Return the value, harmless to these kinds of sinks (`*`: to all)."""
    if "*" in kinds or value.is_harmless:
        return HARMLESS
    taints = tuple(Taint(taint.origin, taint.steps, taint.safe | kinds) for taint in all_taints(value))
    return replace(value, taints=taints, items=None, const=UNKNOWN)


def undone(value: Value) -> Value:
    """Return a value that has been decoded: what made its text harmless may be undone."""
    if not any(taint.safe for taint in value.taints):
        return value
    return replace(value, taints=tuple(Taint(taint.origin, taint.steps) for taint in value.taints))


def resolved_path(value: Value) -> bool:
    """Is this a path from outside whose `..` and links have been followed?"""
    return bool(value.taints) and all("resolved" in taint.safe for taint in value.taints)


def stepped(value: Value, step: Step) -> Value:
    """Return the value with one more step on the way of each taint."""
    if not value.taints:
        return value
    return replace(
        value,
        taints=tuple(Taint(taint.origin, (*taint.steps, step)[-MAX_STEPS:], taint.safe) for taint in value.taints),
    )


def substituted(value: Value, resolve: Callable[[Origin], Value], step: Step | None, depth: int = 0) -> Value:
    """Return a summary's value as the caller sees it: its parameters replaced by what they are there."""
    if value.whole is not None and value.whole.kind == "parameter" and len(value.taints) == 1:
        given = resolve(value.whole)
        return sanitised(given, value.taints[0].safe) if value.taints[0].safe else given
    items = value.items
    if items is not None and depth < MAX_DEPTH:
        items = {key: substituted(each, resolve, step, depth + 1) for key, each in items.items()}
    if not value.taints and items is value.items:
        return value
    return replace(value, taints=resolved(value.taints, resolve, step), items=items)


def resolved(taints: Iterable[Taint], resolve: Callable[[Origin], Value], step: Step | None) -> tuple[Taint, ...]:
    """Replace each parameter's taint by those of the value that the caller gives."""
    found: list[Taint] = []
    for taint in taints:
        if taint.origin.kind != "parameter":
            found.append(taint)
            continue
        for given in all_taints(resolve(taint.origin)):
            between = (step,) if step else ()
            steps = (*given.steps, *between, *taint.steps)[-MAX_STEPS:]
            found.append(Taint(given.origin, steps, given.safe | taint.safe))
    return union(found)


def place(path: str, node: Any) -> Location:
    """The location of a syntax node."""
    return Location(path, node.lineno, node.col_offset + 1, node.end_lineno or node.lineno)
