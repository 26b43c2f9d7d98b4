"""Reads Django projects and prints how many of their operations are understood: `django_histories.py PATH ...`."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from backendgen.config import Config
from backendgen.migrate.readers import read
from backendgen.sql.operation import NotUnderstood


def main(paths: list[str]) -> None:
    """Print one line for each project, and below it what was not understood."""
    for path in paths:
        start = time.perf_counter()
        histories = read(Path(path), Config()).histories
        seconds = time.perf_counter() - start
        migrations = [each for history in histories for each in history.migrations if each.tool == "django"]
        operations = [action.operation for each in migrations for action in each.up]
        reasons = Counter(each.reason for each in operations if isinstance(each, NotUnderstood))
        understood = 100 * (1 - reasons.total() / max(len(operations), 1))
        print(
            f"{Path(path).name}: {len(migrations)} migrations, {len(operations)} operations, "
            f"{understood:.2f} % understood, {seconds:.1f} s"
        )
        for reason, count in reasons.most_common():
            print(f"  {count} x {reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
