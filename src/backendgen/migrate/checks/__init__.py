"""The checks, by topic. Importing this package registers all of them."""

from backendgen.migrate.checks import (
    columns,
    compatibility,
    constraints,
    downs,
    index_choice,
    indexes,
    keys,
    objects,
    partitions,
    rows,
    timeouts,
    transactions,
)
from backendgen.migrate.checks.registry import CHECKS, DOWN_CHECKS

__all__ = [
    "CHECKS",
    "DOWN_CHECKS",
    "columns",
    "compatibility",
    "constraints",
    "downs",
    "index_choice",
    "indexes",
    "keys",
    "objects",
    "partitions",
    "rows",
    "timeouts",
    "transactions",
]
