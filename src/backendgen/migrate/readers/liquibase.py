"""Liquibase."""

from collections.abc import Iterator

from backendgen.migrate.history import History
from backendgen.migrate.readers.reading import Reading


def histories(reading: Reading) -> Iterator[History]:
    """Yield."""
    yield from ()
