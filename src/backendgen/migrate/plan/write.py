"""Routes to migrations in the format of the user's own tool, numbered after the last one that there is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backendgen.errors import Problem, UserError
from backendgen.migrate.django_fixes import literal
from backendgen.migrate.fixes import executed
from backendgen.migrate.history import History, Migration
from backendgen.migrate.plan.route import Phase, Route, Step
from backendgen.migrate.readers.naming import Script
from backendgen.migrate.readers.sql import operations, sections
from backendgen.migrate.rewrite.files import Body, written
from backendgen.migrate.rewrite.groups import locks_strongly
from backendgen.migrate.rewrite.naming import Folder

_TIMEOUT = "lock_timeout = '2s'"
_LONGEST = 100  # of 255 bytes that a file's name may have
_ONE_WAY = "-- irreversible: what this takes away is gone\n"


@dataclass(slots=True)
class Written:
    """The files of one history's plan, and the migrations of each route's phases, in the order in which they run.

    `commands` are what makes a migration known to a tool that does not look for files.
    """

    files: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    migrations: list[tuple[Route, Phase, str]] = field(default_factory=list)

    def of(self, route: Route) -> str:
        """Name the migrations of a route."""
        return ", ".join(name for one, _, name in self.migrations if one is route)


def in_order(routes: Sequence[Route]) -> Iterator[tuple[Route, Phase]]:
    """Yield the phases of all routes: those that wait for fewer releases of the code first."""
    waves = sorted({phase.wave for route in routes for phase in route.phases})
    for wave in waves:
        yield from ((route, phase) for route in routes for phase in route.phases if phase.wave == wave)


def scripts(history: History, routes: Sequence[Route], folder: Folder, origin: Script, text: str) -> Written:
    """Write each phase as a SQL migration. Raises UserError when the history's numbers cannot be continued."""
    done = Written()
    tool = next(one.tool for one in history.migrations if one.path.endswith(origin.path.name))
    section = sections(text, down=False)[0]
    mark = text[section.mark : section.start]
    with_downs = any(one.down for one in history.migrations)
    for route, phase in in_order(routes):
        script = folder.appended(f"{plain(route.slug)}_{phase.word}")
        if script is None:
            raise UserError(Problem("the number of the next migration cannot be told", folder.last().path.name))
        # Flyway and dbmate read a body between dollar quotes as one statement, goose must be told.
        frame = next((word for word in ("+goose", "+migrate") if word in mark), "")
        up = "".join(_statement(step, frame) for step in bounded(history, phase, local=tool != "sql"))
        down = _ONE_WAY if phase.down is None else "".join(f"{sql};\n" for sql in phase.down)
        body = Body(up, down if with_downs else None, not phase.transactional, operations(up))
        for path, content in written(script, tool, mark, body):
            done.files[_inside(path, script.folder)] = content
        done.migrations.append((route, phase, _inside(script.path, script.folder)))
    return done


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def plain(slug: str) -> str:
    """Return a name that every file system and tool takes."""
    return re.sub(r"\W+", "_", slug).strip("_").lower()[:_LONGEST]


def bounded(history: History, phase: Phase, *, local: bool) -> tuple[Step, ...]:
    """Return the steps of a phase after a lock_timeout, where one is wanted."""
    found = operations("".join(f"{step.sql};\n" for step in phase.steps))
    if history.sets_lock_timeout or not phase.transactional or not any(map(locks_strongly, found)):
        return phase.steps
    return (Step(f"SET {'LOCAL ' if local else ''}{_TIMEOUT}"), *phase.steps)


def _statement(step: Step, frame: str) -> str:
    ignores = "".join(f"-- backendgen: ignore[{rule}] {reason}\n" for rule, reason in step.accepted)
    if frame and ";" in step.sql:
        return f"{ignores}-- {frame} StatementBegin\n{step.sql};\n-- {frame} StatementEnd\n"
    return f"{ignores}{step.sql};\n"


def revisions(history: History, routes: Sequence[Route]) -> Written:
    """Write each phase as an Alembic revision, one after the other, the first after the head."""
    done = Written()
    parents = {parent for one in history.migrations for parent in one.parents}
    parent = [one.revision for one in history.migrations if one.revision not in parents][-1]
    for route, phase in in_order(routes):
        slug = f"{plain(route.slug)}_{phase.word}"
        revision = hashlib.sha256(f"{parent}\0{slug}".encode()).hexdigest()[:12]
        path = f"{revision}_{slug}.py"
        done.files[path] = _revision(history, route, phase, revision, parent)
        done.migrations.append((route, phase, path))
        parent = revision
    return done


def _revision(history: History, route: Route, phase: Phase, revision: str, parent: str) -> str:
    indent = "    " if phase.transactional else "        "
    lines = [] if phase.transactional else ["    with op.get_context().autocommit_block():"]
    for step in bounded(history, phase, local=True):
        lines += [f"{indent}# backendgen: ignore[{rule}] {reason}" for rule, reason in step.accepted]
        lines.append(f"{indent}{executed(step.sql)}")
    back = [f"    {executed(sql)}" for sql in phase.down or ()] or ["    pass"]
    if phase.down is None:
        back = ['    raise NotImplementedError("irreversible: what this takes away is gone")']
    return "\n".join([
        f'"""{route.title.replace(chr(34), chr(39))}: {phase.word}"""', "", "from alembic import op", "",
        f'revision = "{revision}"', f'down_revision = "{parent}"', "branch_labels = None", "depends_on = None", "", "",
        "def upgrade() -> None:", *lines, "", "", "def downgrade() -> None:", *back, "",
    ])  # fmt: skip


def modules(history: History, routed: Sequence[tuple[Route, Migration]]) -> Written:
    """Write each phase as a Django migration, after the last one of the app whose migration it comes from."""
    done = Written()
    apps = {id(route): _app(migration) for route, migration in routed}
    last = dict(_leaves(history))
    for route, phase in in_order([route for route, _ in routed]):
        app = apps[id(route)]
        parent = last[app]
        number = re.match(r"\d+", parent.stem)
        stem = f"{int(number[0]) + 1 if number else 1:04d}_{plain(route.slug)}_{phase.word}"
        last[app] = path = parent.with_name(f"{stem}.py")
        done.files[path.as_posix()] = _module(history, route, phase, (app, parent.stem))
        done.migrations.append((route, phase, path.as_posix()))
    return done


def _app(migration: Migration) -> str:
    return migration.revision.partition(".")[0]


def _leaves(history: History) -> Iterator[tuple[str, Path]]:
    """Yield each app with the path of its last migration."""
    followed = {(parent, _app(one)) for one in history.migrations for parent in one.parents}
    for one in history.migrations:
        if (one.revision, _app(one)) not in followed:
            yield _app(one), Path(one.path)


def _module(history: History, route: Route, phase: Phase, parent: tuple[str, str]) -> str:
    lines: list[str] = []
    *first, last = bounded(history, phase, local=True)
    if phase.down is None:
        last = Step(last.sql, (*last.accepted, ("BG911", "what this takes away is gone")))
    way_back = f", [{', '.join(map(literal, phase.down))}]" if phase.down else ", migrations.RunSQL.noop"
    for step in (*first, last):
        lines += [f"        # backendgen: ignore[{rule}] {reason}" for rule, reason in step.accepted]
        back = ", migrations.RunSQL.noop" if step is not last else "" if phase.down is None else way_back
        lines.append(f"        migrations.RunSQL({literal(step.sql)}{back}),")
    return "\n".join([
        f'"""{route.title.replace(chr(34), chr(39))}: {phase.word}"""', "", "from django.db import migrations", "", "",
        "class Migration(migrations.Migration):", *([] if phase.transactional else ["    atomic = False", ""]),
        "    dependencies = [", f'        ("{parent[0]}", "{parent[1]}"),', "    ]", "",
        "    operations = [", *lines, "    ]", "",
    ])  # fmt: skip
