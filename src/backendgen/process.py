"""The only starter of programs: engines, git, servers. Every program has a time limit and dies with its group."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backendgen import witness
from backendgen.errors import UserError

_STOP_S = 20


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
    witness.spoil()
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


@contextmanager
def serving(
    start: Sequence[Sequence[str | Path]],
    stop: Sequence[str | Path],
    directory: Path,
    log: Path,
    user: str | None = None,
) -> Iterator[None]:
    """Run a server until the block ends or this process does, in whatever way; its directory is removed in both cases.

    The `start` commands leave the server running in the background, `stop` ends it, both as `user` if one is given. A shell
    of its own session waits at a pipe that the system closes with this process, so kill -9 leaves nothing behind either.
    Raises UserError with the commands' errors, or the end of `log`, when the server does not start.
    """
    witness.spoil()
    begin = " && ".join(f"{_words(command)} </dev/null >&2" for command in start)
    end = f"{_words(stop)} >/dev/null 2>&1"
    script = (
        f"trap '' HUP PIPE; if {begin}; then echo ready; read -r _; else tail -n 5 {shlex.quote(str(log))} >&2; fi; "
        f"{end}; rm -rf -- {shlex.quote(str(directory))}"
    )
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        user=user,
        extra_groups=None if user is None else [],
        start_new_session=True,  # Ctrl-C is for this process: the keeper stops the server afterwards
    )
    try:
        if keeper.stdout is None or keeper.stdout.readline() != b"ready\n":
            _, errors = keeper.communicate(timeout=_STOP_S)
            raise UserError(f"the server did not start: {errors.decode(errors='replace').strip()}")
        yield
    finally:
        _end(keeper, stop, directory, user)


def _end(keeper: subprocess.Popen[bytes], stop: Sequence[str | Path], directory: Path, user: str | None) -> None:
    """Let the keeper stop its server; do it in its place when it was killed or hangs."""
    with suppress(subprocess.TimeoutExpired, ValueError):  # a ValueError: its pipes are closed, it has ended
        keeper.communicate(timeout=_STOP_S)
    if keeper.poll() is None:
        _kill(keeper)
    if directory.exists():
        subprocess.run(
            [str(part) for part in stop], cwd="/", user=user, capture_output=True, timeout=_STOP_S, check=False
        )


def _words(command: Sequence[str | Path]) -> str:
    return shlex.join(str(part) for part in command)


def _kill(started: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(started.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        started.kill()
    started.communicate()
