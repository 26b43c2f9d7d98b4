"""Alembic."""
from __future__ import annotations
from backendgen.migrate.history import History
from backendgen.migrate.readers.reading import Reading


def histories(reading: Reading) -> list[History]:
    """Read."""
    return []
