"""Hashing happens off the event loop, in few threads, before a bounded queue."""

import asyncio
import threading
from typing import Any

import pytest

from app.auth.passwords import WAITING_PER_THREAD, Passwords
from app.problems import Problem


def test_a_hash_verifies_its_password_only() -> None:
    async def check() -> None:
        passwords = Passwords(1)
        stored = await passwords.hash("correct horse")
        assert await passwords.verify("correct horse", stored) == (True, None)
        assert await passwords.verify("correct house", stored) == (False, None)
        assert await passwords.verify("correct horse", None) == (False, None)
        # The decoy has a password too: it opens nothing.
        assert await passwords.verify("", None) == (False, None)

    asyncio.run(check())


class SlowHasher:
    """Stands for Argon2: says where it ran, and stays until told to go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.threads: set[str] = set()
        self.at_work = 0
        self.most_at_work = 0
        self._lock = threading.Lock()

    def hash(self, password: str) -> str:
        with self._lock:
            self.threads.add(threading.current_thread().name)
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        assert self.go_on.wait(10)
        with self._lock:
            self.at_work -= 1
        return password


def test_hashing_leaves_the_event_loop_free_and_is_bounded() -> None:
    async def check() -> None:
        passwords = Passwords(2)
        slow: Any = SlowHasher()
        passwords._argon2 = slow
        admitted = 2 * (1 + WAITING_PER_THREAD)
        waiting = [asyncio.create_task(passwords.hash(f"{n}")) for n in range(admitted)]
        await asyncio.sleep(0.05)  # the loop runs on while two threads are at work
        with pytest.raises(Problem) as refused:
            await passwords.hash("one too many")
        assert refused.value.status == 503
        assert refused.value.headers == {"Retry-After": "2"}
        slow.go_on.set()
        assert len(await asyncio.gather(*waiting)) == admitted
        assert slow.most_at_work == 2
        assert all(name.startswith("argon2") for name in slow.threads)
        assert await passwords.hash("later") == "later"

    asyncio.run(check())
