"""The vocabulary that the spec language is written in: plain data, read by the validation and by the JSON Schema alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Word:
    """Text that matches a pattern; `what` names it in messages. `later` are patterns of words that are not built yet."""

    what: str
    pattern: str
    later: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prose:
    """Any text that is not empty. `numbers` admits numbers and booleans too, which are taken as they are written."""

    what: str
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, both included."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Duration:
    """A time span such as `15m`, read as a number of `unit`s; the bounds are in that unit and included."""

    unit: Literal["ms", "s"]
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Frequency:
    """So many in a time: `60/minute`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; `later` are words of the language that are not built yet."""

    words: tuple[str | int, ...]
    later: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, with at least one item when `required`. With `single`, an item alone stands for a list of one."""

    item: Shape
    single: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names of the user's own choice, each with a value."""

    name: Word
    value: Shape
    required: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a section: what it holds, what it is for, and an example for editors."""

    name: str
    shape: Shape
    doc: str
    example: object = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping with known keys; empty is the same as `{}`. `later` are patterns of keys that are not built yet."""

    what: str
    keys: tuple[Key, ...]
    later: tuple[str, ...] = field(default=())

    def key(self, name: str) -> Key | None:
        """Return the named key, or None."""
        return next((key for key in self.keys if key.name == name), None)


@dataclass(frozen=True, slots=True)
class Either:
    """One of several shapes, told apart by whether a value, a list or a mapping is written."""

    shapes: tuple[Shape, ...]


Shape: TypeAlias = Word | Prose | Whole | Duration | Frequency | Choice | ListOf | MapOf | Section | Either

MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
DURATION = r"([1-9][0-9]{0,8})(ms|s|m|h|d)"
FREQUENCY = r"([1-9][0-9]{0,8})/(second|minute|hour|day)"
