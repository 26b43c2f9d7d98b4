"""The only starter of programs: engines, git, servers. Every program has a time limit and dies with its group."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backendgen.errors import UserError


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished program left: its exit code and both outputs as bytes."""

    code: int
    stdout: bytes
    stderr: bytes


def find(program: str) -> Path | None:
    """Return the program's path, looking beside this interpreter first (a venv that is not activated), then on PATH."""
    import sys

    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    return Path(found) if found else None


def run(
    command: Sequence[str | Path],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Result:
    """Run a program to its end and return what it left, whatever its exit code.

    `env` is added to this process's environment. Raises UserError when the program cannot be started or takes longer
    than `timeout` seconds; its whole process group is killed then, and also when this process is interrupted.
    """
    try:
        started = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    except OSError as error:
        raise UserError(f"cannot start {command[0]}: {error.strerror or error}") from error
    try:
        stdout, stderr = started.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        _kill(started)
        raise UserError(f"{command[0]} did not finish within {timeout:g} s and was stopped") from error
    except BaseException:
        _kill(started)
        raise
    return Result(started.returncode, stdout, stderr)


def _kill(started: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(started.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        started.kill()
    started.communicate()
