"""Histories read and judged by several processes: none needs another, and only what was found comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from backendgen import workers
from backendgen.migrate.history import Histories, History
from backendgen.migrate.readers import Found
from backendgen.migrate.readers.reading import Notes
from backendgen.migrate.readers.sql import Folder

_WORTHWHILE = 60  # files: reading and judging them takes as long as making a copy of this process and hearing it


class Judged(Protocol):
    """What is known of a history that was judged."""

    @property
    def migrations(self) -> int:
        """How many it has."""


J = TypeVar("J", bound=Judged)


def pays(found: Found, jobs: int) -> bool:
    """Whether sharing takes less time than it costs."""
    return jobs > 1 and len(found.parts) > 1 and sum(map(_weight, found.parts)) >= _WORTHWHILE


def shared(found: Found, judge: Callable[[History], J], jobs: int) -> tuple[list[J], Histories]:
    """Return what is found in each history, and what was noted on the way, as if one process had read them in order.

    Raises UserError when there is no migration in them, and when a process is killed.
    """
    reading = found.reading

    def work(part: Folder | History) -> tuple[J, Notes]:
        with reading.apart() as notes:
            result = judge(found.history(part))
        return result, notes

    load_parser(found)
    results = workers.shared(work, found.parts, [_weight(part) for part in found.parts], jobs)
    for _, notes in results:
        reading.take(notes)
    return [result for result, _ in results], found.ended((), sum(result.migrations for result, _ in results))


def load_parser(found: Found) -> None:
    """Load what all of them need before they part."""
    if any(isinstance(part, History) or part.scripts[0].server == "postgresql" for part in found.parts):
        from backendgen.sql import postgres  # noqa: F401


def _weight(part: Folder | History) -> int:
    return part.weight if isinstance(part, Folder) else len(part.migrations)
