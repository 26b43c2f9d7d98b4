"""Replays Operations into a Schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backendgen.sql.operation import Operation
from backendgen.sql.schema import Index, Table


@dataclass(slots=True)
class Schema:
    """A database's tables, enums and views. The parts are frozen; `apply` advances the whole in place, in O(1) per operation.

    (A frozen whole would copy its dictionaries for each of ten thousand statements.)
    """

    tables: dict[str, Table] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def apply(self, operation: Operation) -> None:
        """Advance by one operation. One that names something unknown changes nothing."""
        raise NotImplementedError

    def index(self, name: str) -> Index | None:
        """Return the named index, or None."""
        raise NotImplementedError


def replay(operations: Iterable[Operation], onto: Schema | None = None) -> Schema:
    """Apply the operations in order to a new Schema, or to the one given, and return it."""
    schema = onto or Schema()
    for operation in operations:
        schema.apply(operation)
    return schema
