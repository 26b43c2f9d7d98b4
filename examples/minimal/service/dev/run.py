"""Runs the service on this machine and stops everything that it started.

With DATABASE_URL unset (ENV=dev) it brings its own PostgreSQL, in .dev/pg. The owner's address in
MIGRATION_DATABASE_URL migrates the database first. PORT=0 takes a free port.
"""

import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from app.main import create_app
from app.settings import SERVICE_NAME, Settings
from dev import environment, migrate, postgres

ROOT = Path(__file__).parent.parent
DATA = ROOT / ".dev" / "pg"
DRAIN_S = 10


class AnnouncedServer(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the addresses."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            print(f"API     {url}\nDocs    {url}/docs\nHealth  {url}/health", flush=True)


def main() -> None:
    """Run until a signal comes. Exits with 1 and a message when the service cannot start."""
    os.environ.setdefault("ENV", "dev")
    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as stack:
        try:
            stack.enter_context(listening := listen())
            if not os.environ.get("DATABASE_URL"):
                start_database(stack)
            if owner := os.environ.get("MIGRATION_DATABASE_URL"):
                migrate.upgrade(owner)
            stack.enter_context(environment.published())
            serve(listening)
        except KeyboardInterrupt:
            print("stopping", flush=True)


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End as Ctrl-C does, in an orderly way: Python's own answer to SIGTERM is sudden death."""
    raise KeyboardInterrupt


def listen() -> socket.socket:
    """Take HOST and PORT before anything slow begins."""
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        sys.exit(f"Cannot listen on {host}:{port}: {error.strerror}. PORT=0 takes a free port.")


def start_database(stack: ExitStack) -> None:
    """Start the embedded PostgreSQL and put its addresses into the environment."""
    if os.environ["ENV"] != "dev":
        sys.exit("DATABASE_URL is missing: only ENV=dev brings its own PostgreSQL.")
    try:
        admin = stack.enter_context(postgres.running(DATA))
    except RuntimeError as error:
        sys.exit(str(error))
    access = postgres.provision(admin, SERVICE_NAME)
    os.environ["DATABASE_URL"] = access.app
    os.environ["MIGRATION_DATABASE_URL"] = access.owner


def serve(listening: socket.socket) -> None:
    """Serve until a signal comes, then let requests finish."""
    config = uvicorn.Config(
        create_app(Settings.load()),
        log_config=None,
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    AnnouncedServer(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
