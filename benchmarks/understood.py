"""Reads Django and Alembic projects and prints how many of their operations are understood: `understood.py PATH ...`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from backendgen.config import Config
from backendgen.migrate.history import Migration
from backendgen.migrate.readers import read
from backendgen.sql.operation import NotUnderstood


def main(paths: list[str]) -> None:
    """Print one line for each project and tool, and below it what was not understood."""
    for path in paths:
        start = time.perf_counter()
        histories = read(Path(path), Config()).histories
        seconds = time.perf_counter() - start
        for tool in ("alembic", "django"):
            migrations = [each for history in histories for each in history.migrations if each.tool == tool]
            if migrations:
                _say(f"{Path(path).name} ({tool}, {seconds:.1f} s)", migrations)


def _say(project: str, migrations: list[Migration]) -> None:
    actions = [action for each in migrations for action in each.up]
    unknown = [action for action in actions if isinstance(action.operation, NotUnderstood)]
    understood = 100 * (1 - len(unknown) / max(len(actions), 1))
    print(f"{project}: {len(migrations)} migrations, {len(actions)} operations, {understood:.2f} % understood")
    places: dict[str, list[str]] = {}
    for action in unknown:
        assert isinstance(action.operation, NotUnderstood)
        places.setdefault(action.operation.reason, []).append(f"{action.path}:{action.operation.line}")
    for reason, found in sorted(places.items(), key=lambda item: -len(item[1])):
        print(f"  {len(found)} x {reason}  ({', '.join(found[:3])})")


if __name__ == "__main__":
    main(sys.argv[1:])
