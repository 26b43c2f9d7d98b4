"""A change that a tool can make by itself, beside the text that a person pastes: both are written from the same stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Stage:
    """Statements of one migration; `transactional` False when they must run outside a transaction.

    `note` says when, or what belongs between; `call` is the Alembic call to use instead of op.execute.
    """

    statements: tuple[str, ...]
    transactional: bool = True
    note: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Stages that take the place of one operation, or go to the `head` of the migration or to a migration `after` it.

    `path` and `position` say which: the `position`-th that the up of the migration with that path performs, or of the
    `part` of that file which is a migration of its own.
    """

    path: str
    position: int
    stages: tuple[Stage, ...]
    place: Literal["here", "head", "after"] = "here"
    part: str = ""
