"""One PostgreSQL and one server for the whole run.

PostgreSQL is embedded; TEST_DATABASE_URL takes another server instead (a superuser's address). The
database is migrated by its owner and served by the role that owns nothing: a missing grant fails
here. The application runs under uvicorn, in a thread: what the tests see is what callers see.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from psycopg.rows import dict_row

from app.auth import keys
from app.database import Row
from app.main import create_app
from app.settings import SERVICE_NAME, Settings
from dev import migrate, postgres
from dev.postgres import Access

START_TIMEOUT_S = 20
SECRET = secrets.token_hex(32)
SIGNING_KEY = keys.generate()

Serve = Callable[..., AbstractContextManager[str]]

pytest_plugins = ["tests.auth_fixtures"]


@pytest.fixture(scope="session")
def admin() -> Iterator[str]:
    """The superuser's address of a PostgreSQL server."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    # Not below pytest's folder: another run may close that one to the server's own user.
    with TemporaryDirectory() as folder, postgres.running(Path(folder) / "pg") as address:
        with psycopg.connect(address, autocommit=True) as connection:
            # Nothing here outlives the run: do not wait for the disk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield address


@pytest.fixture(scope="session")
def database(admin: str) -> Iterator[Access]:
    """A fresh database of this run, migrated."""
    name = f"{SERVICE_NAME}_test_{os.getpid()}"
    access = postgres.provision(admin, SERVICE_NAME, name)
    migrate.upgrade(access.owner)
    yield access
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="session")
def serve(database: Access) -> Serve:
    """Start another server with other settings: `with serve(MAX_BODY_BYTES="10") as url:`."""

    @contextmanager
    def start(**environment: str) -> Iterator[str]:
        with running(create_app(load_settings(database, **environment))) as url:
            yield url

    return start


@pytest.fixture(scope="session")
def server(serve: Serve) -> Iterator[str]:
    """The address of the shared server, with limits far out of reach."""
    with serve() as url:
        yield url


@pytest.fixture
def client(server: str) -> Iterator[httpx2.Client]:
    """A client that nobody has signed in."""
    with httpx2.Client(base_url=server, timeout=10) as client:
        yield client


@pytest.fixture
def owner(database: Access) -> Iterator[psycopg.Connection[Row]]:
    """A connection as the owner of the tables, to seed rows and to look behind the API."""
    with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def load_settings(database: Access, **environment: str) -> Settings:
    """Read settings from an environment of `environment` and what a test needs."""
    defaults = {
        "ENV": "test",
        "DATABASE_URL": database.app,
        "SECRET_KEY": SECRET,
        "AUTH_SIGNING_KEY": SIGNING_KEY,
        "LOG_LEVEL": "warning",
        "DATABASE_POOL_MIN": "1",
        "DATABASE_POOL_MAX": "10",
        "DATABASE_STATEMENT_TIMEOUT_MS": "5000",
        "RATE_LIMIT_IP": "1000000/s",
        "RATE_LIMIT_USER": "1000000/s",
        "RATE_LIMIT_LOGIN": "1000000/s",
        "RATE_LIMIT_OPERATIONS": "",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**defaults, **environment}.items():
            patch.setenv(name, value)
        return Settings.load()


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve `app` on a free port, in a thread, and yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, ws="none", server_header=False, proxy_headers=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the server did not start: see the log above")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_TIMEOUT_S)
        listener.close()
