"""Routes as changes of a Sqitch plan: a deploy, a revert and a verify script for each phase."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backendgen.migrate.history import History
from backendgen.migrate.plan.route import Route
from backendgen.migrate.plan.write import Written, bounded, in_order, plain

_NOTHING = "-- nothing to take back: the change before this one does\nSELECT 1;\n"
_GONE = "-- irreversible: what this takes away is gone\nDO $$ BEGIN RAISE EXCEPTION 'its rows are gone'; END $$;\n"


def changes(history: History, routes: Sequence[Route]) -> Written:
    """Write each phase as a change; `sqitch add` puts it into the plan and leaves scripts that are there alone."""
    done = Written()
    known = {one.revision for one in history.migrations}
    before = history.migrations[-1].revision
    extension = history.migrations[-1].path.rpartition(".")[2]
    for route, phase in in_order(routes):
        name = _free(f"{plain(route.slug)}_{phase.word}", {*known, *(Path(path).stem for path in done.files)})
        lines: list[str] = []
        for step in bounded(history, phase, local=True):
            lines += [f"-- backendgen: ignore[{rule}] {reason}" for rule, reason in step.accepted]
            lines.append(f"{step.sql};")
        up = "\n".join(["BEGIN;", *lines, "COMMIT;"] if phase.transactional else lines)
        back = "".join(f"{sql};\n" for sql in phase.down or ())
        path = f"deploy/{name}.{extension}"
        done.files[path] = f"-- Deploy {name} to pg\n\n{up}\n"
        done.files[f"revert/{name}.{extension}"] = f"-- Revert {name} from pg\n\n" + (
            _GONE
            if phase.down is None
            else f"BEGIN;\n{back}COMMIT;\n"
            if back and phase.transactional
            else back or _NOTHING
        )
        done.migrations.append((route, phase, path))
        title = route.title.replace("'", "")
        done.commands[path] = f"sqitch add {name} --requires {before} -n '{title}: {phase.word}'"
        before = name
    return done


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with a number when it is taken: a column with two indexes has two phases of a word."""
    return next(one for one in (name, *(f"{name}_{more}" for more in range(2, 1000))) if one not in taken)
