"""A history written from a dictionary, and what it is read as."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backendgen.config import Config
from backendgen.migrate.history import Histories, Migration
from backendgen.migrate.readers import read


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def histories(path: Path) -> Histories:
    return read(path, Config())


def only(path: Path) -> tuple[Migration, ...]:
    (history,) = histories(path).histories
    return history.migrations


def kinds(migration: Migration, *, down: bool = False) -> list[str]:
    return [type(action.operation).__name__ for action in (migration.down if down else migration.up)]
