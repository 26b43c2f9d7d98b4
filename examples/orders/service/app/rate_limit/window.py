"""The sliding window counter: two numbers for each caller, whatever the traffic.

Time is cut into windows. The requests of the last full window are taken as evenly spread, and count
by the share of it that the sliding window still covers:

    estimate = previous * (1 - elapsed / seconds) + current

A request that is refused is not counted, so whoever waits as long as told gets through.
"""

import math
import re
from dataclasses import dataclass
from typing import Final, Self

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RATE: Final = re.compile(r"\s*(\d+)\s*/\s*(\d*)\s*(?:([smhd])|(second|minute|hour|day)s?)\s*")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `60/minute`, `5/10s` or `1000/day`. Raises ValueError for anything else."""
        match = RATE.fullmatch(text)
        if match:
            unit = UNITS[match[3] or match[4][0]]
            rate = cls(int(match[1]), int(match[2] or 1) * unit)
            if rate.requests and rate.seconds:
                return rate
        raise ValueError("write a rate as 60/minute or 5/10s")


@dataclass(frozen=True, slots=True)
class Count:
    """A caller's two windows after a request, `elapsed` seconds into the current one."""

    allowed: bool
    previous: int
    current: int
    elapsed: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A named limit; the name is what callers see in `RateLimit-Policy`."""

    name: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a limit says about a request: `remaining` requests, `reset` in seconds."""

    limit: Limit
    allowed: bool
    remaining: int
    reset: int


def fits(rate: Rate, previous: int, current: int, elapsed: float) -> bool:
    """Return whether one more request stays within the rate."""
    return previous * (1 - elapsed / rate.seconds) + current + 1 <= rate.requests


def verdict(limit: Limit, count: Count) -> Verdict:
    """Return what a count means. `reset`: when the window ends or, if refused, one more fits."""
    rate = limit.rate
    if not count.allowed:
        return Verdict(limit, False, 0, max(1, math.ceil(_wait(rate, count))))
    used = count.previous * (1 - count.elapsed / rate.seconds) + count.current
    reset = max(1, math.ceil(rate.seconds - count.elapsed))
    return Verdict(limit, True, max(0, math.floor(rate.requests - used)), reset)


def _wait(rate: Rate, count: Count) -> float:
    """Return the seconds until `fits` is true again: the estimate only falls as time passes."""
    spare = rate.requests - 1 - count.current
    if spare >= 0:  # when enough of the previous window has slid out
        return rate.seconds * (1 - spare / count.previous) - count.elapsed
    # Not before the next window, in which the current one slides out.
    share = 1 - (rate.requests - 1) / count.current
    return rate.seconds - count.elapsed + rate.seconds * share
