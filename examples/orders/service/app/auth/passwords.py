"""Passwords, as NIST SP 800-63B-4 section 3.1.1 asks: length counts, composition rules do not.

Every character is accepted, spaces included; the text is normalised to NFC, so that two keyboards
agree, and never truncated. Hashes are Argon2id, salted, and renewed at the next sign-in when the
recommended cost has risen.
"""

import asyncio
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from pwdlib import PasswordHash

from app.problems import Problem

MAX_LENGTH: Final = 256  # code points, so at most 1024 bytes
WAITING_PER_THREAD: Final = 40  # about two seconds of work


class Passwords:
    """Hashes and verifies off the event loop, `threads` at a time (64 MiB of memory each)."""

    def __init__(self, threads: int) -> None:
        """Start the threads and make the decoy."""
        self._argon2 = PasswordHash.recommended()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._capacity = threads * (1 + WAITING_PER_THREAD)
        self._admitted = 0
        # Verified when there is no such user, so that the answer takes as long as for a real one.
        self._decoy = self._argon2.hash("")

    async def hash(self, password: str) -> str:
        """Return the hash to store. Raises a 503 `Problem` when too many are waiting."""
        loop = asyncio.get_running_loop()
        with self._place():
            return await loop.run_in_executor(self._pool, self._argon2.hash, _normalised(password))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Return whether the password is right, and a better hash to store if there is one.

        `stored` is None for an unknown user: the answer is False, after the same work.
        Raises a 503 `Problem` when too many are waiting.
        """
        loop = asyncio.get_running_loop()
        with self._place():
            right, better = await loop.run_in_executor(
                self._pool,
                self._argon2.verify_and_update,
                _normalised(password),
                stored or self._decoy,
            )
        return (right, better) if stored else (False, None)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold a place in the queue: an endless one would make everybody time out in a flood."""
        if self._admitted >= self._capacity:
            detail = "Too many sign-ins at this moment: try again shortly."
            raise Problem(503, detail, headers={"Retry-After": "2"})
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1


def _normalised(password: str) -> str:
    return unicodedata.normalize("NFC", password)
