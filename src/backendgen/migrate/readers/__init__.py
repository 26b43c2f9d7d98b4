"""Readers: a history on disk to ordered Migrations, up and down apart. They never judge."""

from __future__ import annotations

from pathlib import Path

from backendgen.config import Config
from backendgen.errors import Problem, UserError
from backendgen.migrate.history import Histories, History
from backendgen.migrate.readers import sql
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.routines import with_calls


def read(path: Path, config: Config) -> Histories:
    """Read every history at or beneath a path: Alembic's and Django's first, then SQL folders that none of them runs.

    Raises UserError when there is no migration at all, or when not one of them could be read.
    """
    if not path.exists():
        raise UserError(Problem("no such file or directory", str(path)))
    reading = Reading.of(path, config.exclude)
    histories: list[History] = []
    if any(found.suffix == ".py" for found in reading.found):
        from backendgen.migrate.readers import alembic
        from backendgen.migrate.readers.django_settings import candidates

        histories += alembic.histories(reading)
        if migrations := list(candidates(reading)):
            from backendgen.migrate.readers import django

            histories += django.histories(migrations, reading)
    histories += sql.histories(reading)
    if not any(history.migrations for history in histories):
        raise _nothing(path, reading)
    followed = tuple(map(with_calls, histories))
    return Histories(reading.root, followed, reading.sources, tuple(reading.refusals), tuple(reading.skipped))


def _nothing(path: Path, reading: Reading) -> UserError:
    unread = [Problem(one.message, one.location.path, one.location.line) for one in reading.refusals]
    if unread:
        return UserError(*unread)
    looked_for = (
        "looked for Alembic revisions (*.py with revision and down_revision), Django migrations (migrations/*.py with a "
        "class Migration) and SQL migrations: NNNN_name.sql, NNNN_name.up.sql, V1__name.sql, NNNN_name/up.sql, or "
        "any *.sql in a folder that you name"
    )
    return UserError(Problem("no migrations found", str(path), hint=looked_for), *reading.skipped)
