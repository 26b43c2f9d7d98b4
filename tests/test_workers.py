"""Shared work: the same results in the same order, and never a part of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backendgen import files, witness, workers
from backendgen.errors import UserError


@pytest.mark.parametrize("jobs", [1, 2, 5, 40])
def test_results_come_in_the_order_of_their_pieces(jobs: int) -> None:
    pieces = list(range(30))
    assert workers.shared(lambda piece: piece * piece, pieces, pieces, jobs) == [piece * piece for piece in pieces]


def test_several_processes_work() -> None:
    def work(_: int) -> int:
        time.sleep(0.05)
        return os.getpid()

    assert len(set(workers.shared(work, range(20), [1] * 20, 3))) == 3


def test_results_may_be_larger_than_a_pipe_holds() -> None:
    pieces = [300_000, 5, 400_000, 0]
    assert workers.shared(lambda size: "x" * size, pieces, pieces, 3) == ["x" * size for size in pieces]


def test_an_error_of_any_piece_is_raised() -> None:
    def work(piece: int) -> int:
        time.sleep(0.02)
        if piece == 7:
            raise UserError("the seventh is wrong")
        return piece

    for _ in range(5):
        with pytest.raises(UserError, match="the seventh is wrong"):
            workers.shared(work, range(8), [1] * 8, 2)


class Odd(Exception):
    """One that cannot be unpickled as it is made with two arguments."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def test_an_error_that_cannot_be_sent_is_told() -> None:
    parent = os.getpid()

    def work(piece: int) -> int:
        time.sleep(0.05)
        if os.getpid() != parent:
            raise Odd("one", "two")
        return piece

    with pytest.raises(RuntimeError, match="Odd: one two"):
        workers.shared(work, range(6), [1] * 6, 2)


def test_a_result_that_cannot_be_sent_is_an_error() -> None:
    parent = os.getpid()

    def work(piece: int) -> object:
        time.sleep(0.05)
        return piece if os.getpid() == parent else (lambda: piece)

    with pytest.raises(RuntimeError, match="pickle"):
        workers.shared(work, range(6), [1] * 6, 2)


def test_a_worker_that_is_killed_is_an_error() -> None:
    parent = os.getpid()

    def work(piece: int) -> int:
        time.sleep(0.05)
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    with pytest.raises(UserError, match="a worker process ended before its work was done"):
        workers.shared(work, range(8), [1] * 8, 2)


def test_no_worker_is_left(tmp_path: Path) -> None:
    def work(piece: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(0.02)
        return piece

    workers.shared(work, range(12), [1] * 12, 3)
    others = [int(path.name) for path in tmp_path.iterdir() if int(path.name) != os.getpid()]
    assert len(others) == 2
    for pid in others:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


SLOW = """
import os, sys, time
from pathlib import Path
from backendgen import workers
def work(piece):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(30)
workers.shared(work, range(6), [1] * 6, 3)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(sent: signal.Signals, tmp_path: Path) -> None:
    script = SLOW.replace("30", "2") if sent is not signal.SIGINT else SLOW
    started = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 3
    started.send_signal(sent)
    assert started.wait(30) != 0
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in pids if _runs(pid)] == []
    assert started.stderr is not None
    started.stderr.close()


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_what_workers_ask_is_witnessed(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text(str(number))

    def work(number: int) -> str:
        time.sleep(0.02)
        return files.read_text(tmp_path / f"{number}.txt")

    record = witness.watch()
    try:
        assert workers.shared(work, range(6), [1] * 6, 2) == list("012345")
    finally:
        witness.unwatch()
    assert sorted(Path(path).name for path, _ in record.files) == [f"{number}.txt" for number in range(6)]
