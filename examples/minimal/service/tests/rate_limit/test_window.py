"""The arithmetic of the sliding window, and the counts in memory."""

import random

import pytest

from app.rate_limit import memory
from app.rate_limit.memory import MemoryStore
from app.rate_limit.window import Count, Limit, Rate, verdict


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60/minute", Rate(60, 60)),
        ("5/10s", Rate(5, 10)),
        (" 1000 / 2 days ", Rate(1000, 172800)),
        ("1/h", Rate(1, 3600)),
        ("3/30seconds", Rate(3, 30)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "60", "0/minute", "5/0s", "-1/s", "5/fortnight", "1.5/s"])
def test_a_bad_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a rate as 60/minute"):
        Rate.parse(text)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(memory, "monotonic", clock)
    return clock


def hit(store: MemoryStore, rate: Rate, key: str = "k") -> Count:
    [count] = store.hit([(key, rate)])
    return count


def test_the_limit_is_the_limit_and_then_time_helps(clock: Clock) -> None:
    store, rate = MemoryStore(), Rate(3, 10)
    limit = Limit("ip", rate)
    verdicts = [verdict(limit, hit(store, rate)) for _ in range(4)]
    assert [each.allowed for each in verdicts] == [True, True, True, False]
    assert [each.remaining for each in verdicts] == [2, 1, 0, 0]
    assert hit(store, rate, "another").allowed
    clock.now += verdicts[-1].reset
    assert hit(store, rate).allowed


def test_the_previous_window_counts_by_its_share(clock: Clock) -> None:
    store, rate = MemoryStore(), Rate(10, 10)
    for _ in range(10):
        assert hit(store, rate).allowed
    clock.now += 15  # half of the ten have slid out
    assert [hit(store, rate).allowed for _ in range(6)] == [True] * 5 + [False]
    clock.now += 20
    assert [hit(store, rate).allowed for _ in range(11)] == [True] * 10 + [False]


def test_whoever_waits_as_told_gets_through(clock: Clock) -> None:
    generator = random.Random(7)  # noqa: S311 - nothing here is a secret
    for _ in range(2000):
        rate = Rate(generator.randint(1, 20), generator.randint(1, 60))
        limit, store = Limit("ip", rate), MemoryStore()
        clock.now += generator.random() * 100
        while True:
            count = hit(store, rate)
            if not count.allowed:
                break
            clock.now += generator.random() * rate.seconds / rate.requests / 2
        told = verdict(limit, count)
        assert 1 <= told.reset <= 2 * rate.seconds
        clock.now += told.reset
        assert hit(store, rate).allowed


def test_callers_of_long_ago_are_forgotten(clock: Clock) -> None:
    store, rate = MemoryStore(), Rate(5, 10)
    for n in range(1000):
        hit(store, rate, f"caller-{n}")
    clock.now += 20
    hit(store, rate, "one")
    [windows] = store._windows.values()
    assert (len(windows.current), len(windows.previous)) == (1, 0)
