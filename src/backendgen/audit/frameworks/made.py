"""The values that code which builds applications works with: what it makes, what it wraps, and what nobody knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backendgen.code.symbols import Class, External, Function, Module


class Unknown:
    """What only a run of the program would tell."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
Value = Any  # a constant, a list, tuple or dict of values, Made, Closure, Class, External, Module, or UNKNOWN


@dataclass(frozen=True, slots=True)
class Place:
    """An expression and where it stands."""

    node: ast.expr
    module: Module
    scope: Function | None

    def called(self) -> Place:
        """Of a call, what is called."""
        return Place(self.node.func, self.module, self.scope) if isinstance(self.node, ast.Call) else self


@dataclass(eq=False, slots=True, repr=False)
class Frame:
    """The names of a module, or of one call of a function."""

    module: Module
    function: Function | None = None
    outer: Frame | None = None
    names: dict[str, Value] = field(default_factory=dict)
    returned: list[Value] = field(default_factory=list)


@dataclass(eq=False, slots=True, repr=False)
class Made:
    """An object that a call made, or what was got from one: `app`, `app.router`, `app.route("/")`, `web.get("/", index)`.

    `kinds` are the dotted names of its class and of that class's bases, as far as they are outside of the project. `member`
    is the way from `root`, the object of such a class: empty for itself, `route` for an attribute, `route()` for its result.
    """

    target: Class | External | None
    kinds: frozenset[str]
    place: Place | None = None
    args: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)
    attributes: dict[str, Value] = field(default_factory=dict)
    receiver: Made | None = None
    member: str = ""

    @property
    def root(self) -> Made:
        """The object that everything in the way was got from."""
        one = self
        while one.receiver is not None:
            one = one.receiver
        return one

    def argument(self, position: int, *names: str, default: Value = None) -> Value:
        """Return an argument by its position or one of its names."""
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        return self.args[position] if 0 <= position < len(self.args) else default


@dataclass(frozen=True, slots=True)
class Closure:
    """A function with the names around it, the object that it is a method of, and what wraps it, innermost first."""

    function: Function
    frame: Frame | None = field(default=None, compare=False)
    receiver: Value = field(default=None, compare=False)
    wraps: tuple[Place, ...] = field(default=(), compare=False)


def handler_of(value: Value) -> tuple[Closure | Made | Class | None, tuple[Place, ...]]:
    """Return what answers behind wrappers such as `login_required(view)`, and the wrappers, innermost first."""
    wraps: list[Place] = []
    while isinstance(value, Made) and value.args and isinstance(value.args[0], Closure | Made):
        if value.place is not None and isinstance(value.place.node, ast.Call):
            wraps.insert(0, value.place.called())
        value = value.args[0]
    if isinstance(value, Closure):
        return value, (*value.wraps, *wraps)
    return (value if isinstance(value, Made | Class) else None), tuple(wraps)


def elements(value: Value) -> Iterator[Value]:
    """Yield the known elements of a list or tuple, also nested ones."""
    if isinstance(value, list | tuple | set | frozenset):
        for one in value:
            if isinstance(one, list | tuple):
                yield from elements(one)
            else:
                yield one


def required(function: Function) -> list[str]:
    """The parameters that a function cannot be called without, `self` left out."""
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    asked = positional[1 if function.owner is not None else 0 : len(positional) - len(arguments.defaults)]
    asked += [one for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    return [one.arg for one in asked]
