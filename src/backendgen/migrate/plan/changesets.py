"""Routes as files of Liquibase's formatted SQL, a changeset in each."""

from __future__ import annotations

from collections.abc import Sequence

from backendgen.errors import Problem, UserError
from backendgen.migrate.history import History, Migration
from backendgen.migrate.plan.route import Route
from backendgen.migrate.plan.write import Written, bounded, in_order, plain
from backendgen.migrate.rewrite.naming import Folder, script_of


def changesets(history: History, routes: Sequence[Route], origin: Migration, folder: Folder) -> Written:
    """Write each phase as a changeset, numbered like the files that there are."""
    done = Written()
    author = origin.part.partition(":")[0]
    author = f'"{author}"' if " " in author else author
    with_downs = any(one.down for one in history.migrations)
    last = folder.last()
    for number, (route, phase) in enumerate(in_order(routes), 1):
        name = f"{plain(route.slug)}_{phase.word}"
        # includeAll takes the files in the order of their paths.
        unnumbered = last.path.with_name(f"{last.path.stem}_{number:02d}_{name}.sql")
        script = folder.appended(name) if last.version else script_of(unnumbered)
        if script is None:
            raise UserError(Problem("the number of the next changelog cannot be told", last.path.name))
        found = bounded(history, phase, local=True)
        # Liquibase ends a statement at each semicolon, also inside a function's body.
        whole = " splitStatements:false" if any(";" in step.sql for step in found) else ""
        outside = "" if phase.transactional else " runInTransaction:false"
        lines = ["--liquibase formatted sql", "", f"--changeset {author}:{name.replace('_', '-')}{whole}{outside}"]
        for step in found:
            lines += [f"-- backendgen: ignore[{rule}] {reason}" for rule, reason in step.accepted]
            lines.append(f"{step.sql};")
        back = ["-- irreversible: what this takes away is gone"] if phase.down is None else []
        back += [f"--rollback {sql};" for sql in phase.down or ()] or (["--rollback empty"] if phase.down == () else [])
        path = script.path.relative_to(script.folder).as_posix()
        done.files[path] = "\n".join([*lines, *(back if with_downs else []), ""])
        done.migrations.append((route, phase, path))
    return done
