"""Hands the environment of the running development service to other commands.

The embedded database's passwords are new at each start; this file is how a command learns them.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = Path(__file__).parent.parent / ".dev" / "environment.json"
SHARED = ("ENV", "DATABASE_URL", "MIGRATION_DATABASE_URL")


@contextmanager
def published(file: Path = FILE) -> Iterator[None]:
    """Let this user's commands read the environment while the block runs."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {name: os.environ[name] for name in SHARED if name in os.environ}
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it holds passwords
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(content, handle)
        handle.flush()
        fcntl.flock(handle, fcntl.LOCK_EX)  # held until we end, in whatever way
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def read(file: Path = FILE) -> dict[str, str] | None:
    """Return the environment of the running service; None when the service ended or crashed."""
    try:
        with file.open(encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                content: dict[str, str] = json.load(handle)
                return content
    except FileNotFoundError:
        pass
    return None


def main() -> None:
    """Become the command that the arguments name, in the service's environment."""
    if not sys.argv[1:]:
        sys.exit("usage: scripts/exec COMMAND [ARGUMENT ...]")
    environment = read()
    if environment is None:
        sys.exit("The service is not running: start it with scripts/run.")
    os.execvpe(sys.argv[1], sys.argv[1:], {**os.environ, **environment})


if __name__ == "__main__":
    main()
