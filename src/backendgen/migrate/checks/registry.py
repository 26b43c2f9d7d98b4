"""The registers of checks: pure functions under the id of the card that they serve.

`@check("BG701")` judges one Operation with the Schema before it and its Context; it is asked about Operations of the
kinds that its parameter is annotated with. `@check_down("BG908")` judges a migration's way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeAlias

from backendgen.findings.finding import Hit
from backendgen.migrate.context import Context
from backendgen.migrate.rollback import Rollback
from backendgen.rules import Checks
from backendgen.sql.operation import Operation
from backendgen.sql.replay import Schema

Check: TypeAlias = Callable[[Any, Schema, Context], Iterator[Hit]]
DownCheck: TypeAlias = Callable[[Rollback], Iterator[Hit]]
# What holds in any database, with messages and fixes that fit; the other rules speak of PostgreSQL.
_EVERYWHERE = frozenset({"BG801", "BG802", "BG803", "BG807", "BG814", "BG840", "BG908", "BG909"})
_PROCESS = frozenset({"BG901", "BG904", "BG905"})
_OF_MYSQL, _OF_SQLITE = range(750, 770), range(770, 780)
_ALSO_OF_MYSQL = frozenset({"BG804", "BG806", "BG811", "BG841"})
CHECKS: Checks[Check] = Checks()
DOWN_CHECKS: Checks[DownCheck] = Checks()
ONCE: set[Check] = set()
check = CHECKS
check_down = DOWN_CHECKS


@cache
def _kinds(function: Check) -> frozenset[str]:
    """The kinds of Operations that a check is about, as its parameter's annotation says."""
    return frozenset(name.strip().removeprefix("op.") for name in function.__annotations__["operation"].split("|"))


def is_concerned(function: Check, kind: type[Operation]) -> bool:
    """Whether a check is to be asked about Operations of a kind, or of one that it is a special case of."""
    kinds = _kinds(function)
    return any(base.__name__ in kinds for base in kind.__mro__)


class Concerned(dict[type[Operation], tuple[tuple[str, Check], ...]]):
    """The checks, each under its rule, that are to be asked about Operations of a kind."""

    def __init__(self, checks: Iterable[tuple[str, Check]]) -> None:
        super().__init__()
        self._checks = tuple(checks)

    def __missing__(self, kind: type[Operation]) -> tuple[tuple[str, Check], ...]:
        found = self[kind] = tuple(pair for pair in self._checks if is_concerned(pair[1], kind))
        return found


def serves(rule_id: str, dialect: str) -> bool:
    """Whether a rule judges the histories of a database."""
    if rule_id in _EVERYWHERE or rule_id in _PROCESS:
        return True
    number = int(rule_id[2:]) if rule_id[2:].isdigit() else 0
    if number in _OF_MYSQL or number in _OF_SQLITE:
        return dialect in ("mysql", "mariadb") if number in _OF_MYSQL else dialect == "sqlite"
    return dialect == "postgresql" or (rule_id in _ALSO_OF_MYSQL and dialect != "sqlite")


def once(function: Check) -> Check:
    """Let a check speak once in each migration: its first hit is enough, and more of it would drown danger."""
    ONCE.add(function)
    return function
