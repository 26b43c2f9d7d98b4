"""`migrate-check --trace`: runs the pending migrations on a scratch PostgreSQL and notes what each statement did there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from backendgen import witness
from backendgen.config import Config
from backendgen.errors import Problem, UserError
from backendgen.findings.finding import Report, Trace, TracedMigration
from backendgen.migrate.history import History
from backendgen.migrate.pending import EVERYTHING, Pending, Selection, select
from backendgen.migrate.readers import read
from backendgen.migrate.trace.comparison import reported
from backendgen.migrate.trace.observe import relations
from backendgen.migrate.trace.scratch import (
    Access,
    Session,
    access_of,
    nearest,
    new_database,
    place_of,
    throw_away,
)
from backendgen.migrate.trace.stubs import Stubs
from backendgen.migrate.trace.trial import Run
from backendgen.rules import Rulebook


@dataclass(frozen=True, slots=True)
class Place:
    """Where to trace: a throw-away server, or the database at `dsn`, `used` when it need not be empty."""

    dsn: str = ""
    used: bool = False
    statement_timeout: float = 30.0

    def __str__(self) -> str:
        """Name it, without a password. Raises UserError when the address is none."""
        return f"the database {place_of(access_of(self.dsn))}" if self.dsn else "a throw-away PostgreSQL"


THROW_AWAY = Place()


def with_trace(
    check: Callable[[Rulebook], Report], path: Path, config: Config, pending: Pending, place: Place, rulebook: Rulebook
) -> Report:
    """Return a check's Report with the trace of the same pending migrations."""
    return reported(check(rulebook), trace(path, config, pending, place))


def trace(path: Path, config: Config, pending: Pending = EVERYTHING, place: Place = THROW_AWAY) -> Trace:
    """Run the pending migrations at or beneath a path where `place` says; the earlier ones are replayed before them.

    Raises UserError when there is no server, when the database is not empty, or when it holds several histories.
    """
    witness.spoil()  # what a database does is no file's content
    histories = read(path, config)
    selection = select(histories, pending)
    ours = [one for one in histories.histories if one.dialect == "postgresql"]
    if not ours:
        raise UserError("--trace runs PostgreSQL migrations; these are for another database")
    chosen = [one for one in ours if any(selection.has(one, at) for at in range(len(one.migrations)))]
    if place.dsn:
        return _trace_in(access_of(place.dsn), chosen, selection, place)
    version = nearest(config.pg_version)
    with throw_away(version) as admin:
        traced: list[TracedMigration] = []
        notes: dict[str, None] = {}
        server = ""
        for number, history in enumerate(chosen):
            owner, beside = new_database(admin, f"scratch_{number}")
            with _running(owner, beside, config.pg_version, place.statement_timeout) as run:
                server = server or run.server
                traced += run.history(history, selection)
                notes.update(run.all_notes())
    if version != config.pg_version:
        notes = {f"no PostgreSQL {config.pg_version} is at hand: this is the nearest": None, **notes}
    return Trace(server, tuple(traced), tuple(notes))


def _trace_in(access: Access, histories: Sequence[History], selection: Selection, place: Place) -> Trace:
    """Trace in the user's own scratch database, and leave it as empty as it was."""
    if len(histories) > 1:
        names = ", ".join(history.name for history in histories)
        raise UserError(
            f"--trace-dsn is one database, but there are {len(histories)} histories: {names}; name one of them"
        )
    with ExitStack() as stack:
        session = stack.enter_context(_session(access, place.statement_timeout))
        version = int(session.run("SELECT pg_catalog.current_setting('server_version_num')")[0][0]) // 10000
        there = relations(session).relations
        if there and not place.used:
            some = ", ".join(sorted(one.name for one in there.values())[:3])
            hint = "name an empty one, or add --trace-anyway if all that it holds may be changed or lost"
            raise UserError(Problem(f"the database of --trace-dsn is not empty: it holds {some} ...", hint=hint))
        run = stack.enter_context(_running(access, access, version, place.statement_timeout))
        run.keeps_rows = bool(there)
        if not there:
            stack.callback(_empty, session)
        traced = tuple(one for history in histories for one in run.history(history, selection, replay=not there))
        notes = run.all_notes()
        if there:
            notes["the database was not empty: the earlier migrations are taken to be in it"] = None
        return Trace(run.server, traced, tuple(notes))


def _empty(session: Session) -> None:
    """Drop all schemas of a database that was empty before."""
    own = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
    for (name,) in session.run(f"SELECT nspname FROM pg_catalog.pg_namespace WHERE {own}"):
        session.run('DROP SCHEMA "{}" CASCADE'.format(name.replace('"', '""')))
    session.run("CREATE SCHEMA public")


@contextmanager
def _session(access: Access, timeout: float) -> Iterator[Session]:
    session = Session(access, timeout)
    try:
        yield session
    finally:
        session.close()


@contextmanager
def _running(owner: Access, beside: Access, pg_version: int, timeout: float) -> Iterator[Run]:
    with _session(owner, timeout) as session, _session(beside, timeout) as watcher:
        server = str(session.run("SELECT pg_catalog.split_part(pg_catalog.version(), ' ', 2)")[0][0])
        run = Run(
            session, watcher, owner, beside, pg_version, timeout, Stubs(watcher, owner.user), f"PostgreSQL {server}"
        )
        try:
            yield run
        finally:
            run.end()
