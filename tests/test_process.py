from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from backendgen import process
from backendgen.errors import UserError


def test_run_returns_code_and_both_outputs() -> None:
    script = "import sys; print(sys.stdin.read()); print('bad', file=sys.stderr); sys.exit(3)"
    done = process.run([sys.executable, "-c", script], timeout=20, stdin=b"hello")
    assert (done.code, done.stdout, done.stderr) == (3, b"hello\n", b"bad\n")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(UserError, match=r"cannot start /no/such/program: No such file"):
        process.run(["/no/such/program"], timeout=1)
    assert process.find("no-such-program-anywhere") is None


def test_a_slow_program_is_stopped_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    script = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    with pytest.raises(UserError, match="did not finish within 1 s and was stopped"):
        process.run([sys.executable, "-c", script], timeout=1)
    time.sleep(2)
    assert not mark.exists()
