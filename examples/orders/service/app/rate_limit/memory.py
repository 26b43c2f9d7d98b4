"""Counts in this process. Each worker counts for itself: with several, share them through Redis."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from app.rate_limit.window import Count, Rate, fits


@dataclass(slots=True)
class Windows:
    """All callers' counts for one window length, in the current and in the previous window."""

    index: int = 0
    previous: dict[str, int] = field(default_factory=dict)
    current: dict[str, int] = field(default_factory=dict)

    def advance(self, index: int) -> None:
        """Move on to a window. Whoever has not called for two windows is forgotten with it."""
        if index != self.index:
            self.previous = self.current if index == self.index + 1 else {}
            self.current = {}
            self.index = index


class MemoryStore:
    """Counts requests: constant time and no cleanup, however many callers there are."""

    def __init__(self) -> None:
        """Start with no counts."""
        self._windows: dict[int, Windows] = {}

    def hit(self, hits: Sequence[tuple[str, Rate]]) -> list[Count]:
        """Count one request against each key. A key that is over its rate is not counted."""
        now = monotonic()
        return [self._hit(key, rate, now) for key, rate in hits]

    def _hit(self, key: str, rate: Rate, now: float) -> Count:
        windows = self._windows.get(rate.seconds)
        if windows is None:
            windows = self._windows[rate.seconds] = Windows()
        index, elapsed = divmod(now, rate.seconds)
        windows.advance(int(index))
        previous = windows.previous.get(key, 0)
        current = windows.current.get(key, 0)
        allowed = fits(rate, previous, current, elapsed)
        if allowed:
            current += 1
            windows.current[key] = current
        return Count(allowed, previous, current, elapsed)
