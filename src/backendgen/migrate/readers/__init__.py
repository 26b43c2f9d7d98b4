"""Readers: a history on disk to ordered Migrations, up and down apart. They never judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from backendgen import files
from backendgen.config import Config, version_numbers
from backendgen.errors import Problem, UserError
from backendgen.migrate.history import Histories, History
from backendgen.migrate.readers import sql
from backendgen.migrate.readers.reading import Progress, Reading
from backendgen.migrate.routines import with_calls

_FIRST_LINES = 400  # characters in which formatted SQL says what it is


def read(path: Path, config: Config, progress: Progress | None = None) -> Histories:
    """Read every history at or beneath a path: Alembic's and Django's first, then SQL folders that none of them runs.

    Raises UserError when there is no migration at all, or when not one of them could be read.
    """
    return find(path, config, progress).read()


def find(path: Path, config: Config, progress: Progress | None = None) -> Found:
    """Find every history, without reading SQL folders. Raises UserError when the path does not exist."""
    if not files.exists(path):
        raise UserError(Problem("no such file or directory", str(path)))
    reading = Reading.of(path, config.exclude, config.reader, config.dialect)
    reading.progress = progress
    parts: list[sql.Folder | History] = [*_python(reading), *_planned(reading)]
    if config.reader in ("", *sql.TOOLS):
        parts += sql.folders(reading)
    _refuse_idle(config, parts)
    return Found(path, config, reading, tuple(parts))


@dataclass(frozen=True, slots=True)
class Found:
    """The histories beneath a path, in order; those of SQL folders are yet to be read, here or in another process."""

    path: Path
    config: Config
    reading: Reading
    parts: tuple[sql.Folder | History, ...]

    def history(self, part: sql.Folder | History) -> History:
        """Return one as it is judged: read, what its routines do beside their calls, its server known."""
        history = part.read(self.reading) if isinstance(part, sql.Folder) else part
        return _served(with_calls(history), self.config)

    def read(self) -> Histories:
        """Read all of them here. Raises UserError when there is no migration in them."""
        histories = tuple(self.history(part) for part in self.parts)
        return self.ended(histories, sum(len(history.migrations) for history in histories))

    def ended(self, histories: tuple[History, ...], migrations: int) -> Histories:
        """Return them, once all are read here or elsewhere, with what nobody reads noted.

        Raises UserError when there is no migration in them.
        """
        reading = self.reading
        if reading.beside and not self.config.reader:
            from backendgen.migrate.readers import foreign

            foreign.name_unread(reading)
        if not migrations:
            raise _nothing(self.path, reading)
        return Histories(reading.root, histories, reading.sources, tuple(reading.refusals), tuple(reading.skipped))


_OPTIONS = {
    "postgresql": "--pg-version", "mysql": "--mysql-version", "mariadb": "--mariadb-version",
}  # fmt: skip


def _refuse_idle(config: Config, parts: list[sql.Folder | History]) -> None:
    """Raise UserError when the version of a server is given that no history is for."""
    there = sorted({part.dialect for part in parts})
    idle = [_OPTIONS[dialect] for dialect in config.asked if dialect not in there]
    if idle and there:
        what = f"the migrations here are for {' and '.join(there)}"
        raise UserError(*(f"{option} does nothing: {what}; --dialect says otherwise" for option in idle))


def _served(history: History, config: Config) -> History:
    """Return a history with its server's version."""
    if not history.is_mysql:
        return history
    version = config.mysql_version if history.dialect == "mysql" else config.mariadb_version
    return replace(history, version=version_numbers(version))


def _python(reading: Reading) -> Iterator[History]:
    """Yield the histories that are written in Python."""
    if not any(found.suffix == ".py" for found in reading.found):
        return
    from backendgen.migrate.readers.alembic import reader as alembic
    from backendgen.migrate.readers.django.settings import candidates

    if reading.reader in ("", "alembic"):
        yield from alembic.histories(reading)
    if reading.reader in ("", "django") and (migrations := list(candidates(reading))):
        from backendgen.migrate.readers.django import reader as django

        yield from django.histories(migrations, reading)


def _planned(reading: Reading) -> Iterator[History]:
    """Yield the histories whose order stands in a file of its own: Sqitch's and Liquibase's."""
    if reading.reader in ("", "sqitch") and (reading.root.name == "deploy" or _ends(reading, ".plan")):
        from backendgen.migrate.readers import sqitch

        if sqitch.plans(reading):
            yield from sqitch.histories(reading)
    if reading.reader == "liquibase" or (not reading.reader and _may_be_liquibase(reading)):
        from backendgen.migrate.readers import liquibase

        yield from liquibase.histories(reading)


def _ends(reading: Reading, *suffixes: str) -> bool:
    return any(path.suffix in suffixes for path in reading.beside)


def _may_be_liquibase(reading: Reading) -> bool:
    """Whether there may be a changelog: most projects have none, and need not load its reader."""
    scripts = (path for path in reading.found if path.suffix == ".sql")
    return _ends(reading, ".xml", ".yaml", ".yml", ".json") or any(
        b"liquibase" in reading.head(path)[:_FIRST_LINES].lower() for path in scripts
    )


def _nothing(path: Path, reading: Reading) -> UserError:
    unread = [
        Problem(
            one.message.removeprefix(f"{one.location.path} "), one.location.path, one.location.line, one.location.column
        )
        for one in reading.refusals
    ]
    if unread:
        return UserError(*unread)
    looked_for = (
        f"looked for migrations of {reading.reader} only, as --reader says"
        if reading.reader
        else "looked for Alembic revisions (*.py with revision and down_revision), Django migrations (migrations/*.py "
        "with a class Migration), sqitch.plan, Liquibase changelogs and SQL migrations: NNNN_name.sql, NNNN_name.up.sql, "
        "V1__name.sql, NNNN_name/up.sql, or any *.sql in a folder that you name"
    )
    return UserError(Problem("no migrations found", str(path), hint=looked_for), *reading.skipped)
