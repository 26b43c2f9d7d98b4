"""The registers of checks: pure functions under the id of the card that they serve.

`@check("BG701")` judges one Operation with the Schema before it and its Context; it is asked about Operations of the
kinds that its parameter is annotated with. `@check_down("BG908")` judges a migration's way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

from backendgen.findings.finding import Hit
from backendgen.migrate.context import Context
from backendgen.migrate.rollback import Rollback
from backendgen.rules import Checks
from backendgen.sql.replay import Schema

Check: TypeAlias = Callable[[Any, Schema, Context], Iterator[Hit]]
DownCheck: TypeAlias = Callable[[Rollback], Iterator[Hit]]
CHECKS: Checks[Check] = Checks()
DOWN_CHECKS: Checks[DownCheck] = Checks()
ONCE: set[Check] = set()
check = CHECKS
check_down = DOWN_CHECKS


@cache
def is_concerned(function: Check, kind: str) -> bool:
    """Whether a check is to be asked about Operations of a kind (`CreateIndex`), as its parameter's annotation says."""
    annotated = {name.strip().removeprefix("op.") for name in function.__annotations__["operation"].split("|")}
    return bool(annotated & {kind, "Operation"})


def once(function: Check) -> Check:
    """Let a check speak once in each migration: its first hit is enough, and more of it would drown danger."""
    ONCE.add(function)
    return function
