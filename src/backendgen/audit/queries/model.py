"""Queries, writes and checks as data, with where each value that takes part comes from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from backendgen.code.symbols import Class, Function
from backendgen.findings.finding import Location

Kind = Literal["path", "query", "header", "cookie", "body", "request", "user", "row"]
Verb = Literal["select", "insert", "update", "delete"]
OUTSIDE = frozenset({"path", "query", "body"})  # what a caller chooses freely
CREDENTIALS = frozenset({"header", "cookie"})


@dataclass(frozen=True, slots=True)
class Root:
    """Where a value comes from: a part of the request by its name, the current user, or a row of a table."""

    kind: Kind
    name: str = ""


Roots = frozenset[Root]
NOWHERE: Roots = frozenset()
USER = Root("user")


@dataclass(frozen=True, slots=True)
class Term:
    """A condition of a query. `column` is empty when the condition is more than a column compared with a value."""

    column: str
    roots: Roots
    operator: str = "=="


@dataclass(frozen=True, slots=True)
class Statement:
    """A query while it is built. `opaque`: something unknown may have added conditions. `lazy`: iterating runs it."""

    verb: Verb
    table: str
    model: Class | None = None
    location: Location | None = field(default=None, compare=False)
    terms: tuple[Term, ...] = ()
    limited: bool = False
    eager: frozenset[str] = frozenset()
    opaque: bool = False
    lazy: bool = False
    few: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A statement that runs: where, in which function, in how many loops.

    `privileged`: only when a test of what the user is lets it.
    """

    statement: Statement
    location: Location
    function: Function = field(compare=False)
    many: bool = False
    loops: int = 0
    privileged: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """A row that is made, changed or deleted.

    `columns` are names with the origin of what they get; `whole` are mappings that are put in as they are.
    """

    verb: Verb
    table: str
    model: Class | None
    location: Location
    function: Function = field(compare=False)
    columns: tuple[tuple[str, Roots], ...] = ()
    whole: tuple[Value, ...] = field(default=(), compare=False)


MOST = 1_000


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of an expression: where it comes from, the project's class it is an instance of, the statement it is.

    `holds` are attributes and entries that are known; `text` is a constant text; `row` is the statement that loaded it;
    `itself` is the class that the expression names. `dumped`: it is a mapping with the fields of `kind`, but for those
    that are `excluded`; `sent` is the class that the request's body was read as. What holds more than MOST values, each
    counted as often as it is held, is not looked into.
    """

    roots: Roots = NOWHERE
    kind: Class | None = None
    holds: tuple[tuple[str, Value], ...] = ()
    statement: Statement | None = None
    text: str | None = None
    row: Statement | None = None
    dumped: bool = False
    itself: Class | None = None
    excluded: frozenset[str] = frozenset()
    sent: Class | None = None
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        size = 1 + sum(value.size for _, value in self.holds)
        if size > MOST:
            object.__setattr__(self, "holds", ())
            size = 1
        object.__setattr__(self, "size", size)

    def held(self, name: str) -> Value | None:
        """The attribute or entry of that name, when it is known."""
        return next((value for key, value in self.holds if key == name), None)

    def with_entry(self, name: str, entry: Value) -> Value:
        """The value with an attribute or entry that is known."""
        return replace(self, holds=(*((key, each) for key, each in self.holds if key != name), (name, entry)))

    def has(self, *kinds: str) -> bool:
        """Does it come from one of these?"""
        return any(root.kind in kinds for root in self.roots)


NOTHING = Value()
EACH = "<each>"  # marks what a loop over rows gives


@dataclass(frozen=True, slots=True)
class Lazy:
    """A relationship that is loaded for each row of a loop."""

    table: str
    relation: str
    location: Location
    function: Function = field(compare=False)
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What running a function does: queries, writes, relationships loaded in loops, the tables whose rows are compared
    with the user, and the user's attributes that decide whether the caller is refused.

    `unsure`: something that cannot be followed may look at the object. `knows`: it has got hold of who calls.
    `answer` is what the handler returns.
    """

    queries: tuple[Query, ...] = ()
    writes: tuple[Write, ...] = ()
    lazy: tuple[Lazy, ...] = ()
    checked: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    unsure: bool = False
    knows: bool = False
    answer: Value = field(default=NOTHING, compare=False)

    def plus(self, other: Access, loops: int = 0, *, privileged: bool = False) -> Access:
        """Both, the other's queries in so many more loops, and perhaps only for some users."""
        queries = other.queries
        if loops or privileged:
            queries = tuple(
                replace(each, loops=each.loops + loops, privileged=each.privileged or privileged) for each in queries
            )
        return Access(
            tuple(dict.fromkeys(self.queries + queries)),
            tuple(dict.fromkeys(self.writes + other.writes)),
            tuple(dict.fromkeys(self.lazy + other.lazy)),
            self.checked | other.checked,
            self.roles | other.roles,
            self.unsure or other.unsure,
            self.knows or other.knows,
            self.answer,
        )


def either(one: Value, other: Value) -> Value:
    """What is known when a value may be one or the other."""
    if one == other:
        return one
    return Value(
        one.roots | other.roots,
        one.kind or other.kind,
        one.holds or other.holds,
        _merged(one.statement, other.statement),
        one.text if one.text is not None else other.text,
        _merged(one.row, other.row),
        one.dumped or other.dumped,
        one.itself or other.itself,
        one.excluded & other.excluded,
        one.sent or other.sent,
    )


def _merged(one: Statement | None, other: Statement | None) -> Statement | None:
    """A statement that a branch narrows: with the conditions of both."""
    if one is None or other is None or one.table != other.table:
        return one or other
    terms = tuple(dict.fromkeys(one.terms + other.terms))
    return replace(
        one,
        terms=terms,
        limited=one.limited or other.limited,
        eager=one.eager | other.eager,
        opaque=one.opaque or other.opaque,
        few=one.few or other.few,
    )
