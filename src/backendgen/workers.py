"""The only place that forks: independent pieces of work, shared by this process and copies of it.

A copy has all that this process had read and imported; only what comes back is sent. Who is free takes the next piece, the
heaviest first, so that nobody waits for long. A copy that ends early is an error, never a result that is short of something.
"""

from __future__ import annotations

import gc
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, NamedTuple, NoReturn, TypeVar

from backendgen import witness
from backendgen.errors import UserError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")

_NUMBER = struct.Struct("=I")  # as long as a pipe takes at once or not at all
_MOST = 4_000  # pieces whose numbers any system's pipe holds
INTERRUPTED = 130


class _Worker(NamedTuple):
    """A copy of this process, and the pipe on which it says at the end what it has done."""

    pid: int
    results: Connection


class _Share(NamedTuple, Generic[R]):
    """What one process has done: results by the numbers of their pieces, what it asked for, and why it failed."""

    done: dict[int, R]
    record: witness.Record | None
    failure: BaseException | None = None


def cores() -> int:
    """Return how many processes can run at once."""
    with suppress(AttributeError, OSError):
        return len(os.sched_getaffinity(0))  # fewer than os.cpu_count() in a container or under taskset
    return os.cpu_count() or 1


def shared(work: Callable[[T], R], pieces: Sequence[T], weights: Sequence[int], jobs: int) -> list[R]:
    """Return the result of each piece of work, done by up to so many processes; `weights` say which take long.

    Results are plain data: they are pickled. Raises what the work raises, and UserError when a process is killed.
    """
    jobs = min(jobs, len(pieces))
    if jobs < 2 or not hasattr(os, "fork") or len(pieces) > _MOST:
        return [work(piece) for piece in pieces]
    queue = _filled(sorted(range(len(pieces)), key=lambda number: -weights[number]))
    gc.freeze()  # what is old stays untouched, so that copies share its memory
    workers: list[_Worker] = []
    try:
        workers += (_forked(work, pieces, queue, [one.results for one in workers]) for _ in range(jobs - 1))
        own = _taken(work, pieces, queue)
        shares = [own, *(_heard(worker) for worker in workers)]
    finally:
        os.close(queue)
        for worker in workers:
            _end(worker)
        gc.unfreeze()
    for share in shares:
        if share.failure:
            raise share.failure
    done = {number: result for share in shares for number, result in share.done.items()}
    if len(done) != len(pieces):
        raise UserError("a worker process ended before its work was done; run again, or with --jobs 1")
    if record := witness.current():
        for share in shares[1:]:
            record.add(share.record or witness.Record())
    return [done[number] for number in range(len(pieces))]


def _filled(numbers: Sequence[int]) -> int:
    """Return the reading end of a pipe that holds the numbers, and nothing more."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(map(_NUMBER.pack, numbers)))
    os.close(writing)
    return reading


def _taken(work: Callable[[T], R], pieces: Sequence[T], queue: int) -> _Share[R]:
    done: dict[int, R] = {}
    while number := os.read(queue, _NUMBER.size):
        at = _NUMBER.unpack(number)[0]
        done[at] = work(pieces[at])
    return _Share(done, witness.current())


def _forked(work: Callable[[T], R], pieces: Sequence[T], queue: int, others: Sequence[Connection]) -> _Worker:
    from multiprocessing.connection import Pipe

    results, said = Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if not pid:
        for each in (results, *others):
            each.close()
        _work(work, pieces, queue, said, parent)
    said.close()
    return _Worker(pid, results)


def _work(work: Callable[[T], R], pieces: Sequence[T], queue: int, said: Connection, parent: int) -> NoReturn:
    """Be a copy: do what is left, say it, and end without what this process would do at its end."""
    code = INTERRUPTED
    with suppress(BaseException):
        if witness.current():
            witness.watch()  # only what is asked here is sent

        def unless_alone(piece: T) -> R:
            if os.getppid() != parent:
                os._exit(INTERRUPTED)
            return work(piece)

        try:
            share = _taken(unless_alone, pieces, queue)
        except UserError as error:
            share = _Share({}, None, error)
        except Exception as error:  # as text: an exception of any kind may not survive being sent
            share = _Share({}, None, RuntimeError(f"{type(error).__name__}: {error}"))
        _say(said, share)
        code = 0
    os._exit(code)


def _say(said: Connection, share: _Share[R]) -> None:
    try:
        said.send(tuple(share))
    except Exception as error:
        said.send(({}, None, RuntimeError(f"a result cannot be sent: {type(error).__name__}: {error}")))


def _heard(worker: _Worker) -> _Share[R]:
    """Return what a worker says; what it left unsaid is missing in the end."""
    try:
        return _Share(*worker.results.recv())
    except (EOFError, OSError):
        return _Share({}, None)


def _end(worker: _Worker) -> None:
    """Let no worker outlive its work: one that has said all has ended, any other is stopped."""
    worker.results.close()
    with suppress(ProcessLookupError):
        os.kill(worker.pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(worker.pid, 0)
