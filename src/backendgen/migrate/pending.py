"""Which migrations are pending: all, those that came since a git revision, or those after the last applied one.

What the others do is replayed but not judged. Pending ones of one run are one deploy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backendgen import files
from backendgen.errors import Problem, UserError, did_you_mean
from backendgen.findings.finding import Location
from backendgen.migrate.history import Histories, History, Migration, Refusal
from backendgen.sql.lexer import Statement, split

if TYPE_CHECKING:
    from backendgen.code import git

EDITED, OUT_OF_ORDER = "BG906", "BG907"

_REVISION = re.compile(r"^revision\b[^\n=]*=\s*['\"]([^'\"]+)['\"]", re.MULTILINE)
# What a tool does with a migration whose number is lower than that of one it has applied already (the tools' manuals).
_LATE = {
    "flyway": "Flyway refuses to migrate databases that have it (outOfOrder is off)",
    "goose": "goose refuses to migrate databases that have it (without -allow-missing)",
    "golang-migrate": "golang-migrate never runs it on databases that have it",
    "sqitch": "Sqitch never deploys it on databases that have it",
}
_LATE_ELSEWHERE = "databases that have it run the two in another order than new ones"
_REMEDY = {"sqitch": "move its line to the end of the plan", "liquibase": "move it behind the others"}
_BY_PARENTS = ("alembic", "django")


@dataclass(frozen=True, slots=True)
class Pending:
    """What a user says is pending: everything that came `since` a git revision, or after the `applied` migrations."""

    since: str = ""
    applied: tuple[str, ...] = ()


EVERYTHING = Pending()


@dataclass(frozen=True, slots=True)
class Selection:
    """The pending migrations of each history, by its name and their places in it; what the selection itself found."""

    chosen: frozenset[tuple[str, int]] | None
    refusals: tuple[Refusal, ...] = ()

    def has(self, history: History, position: int) -> bool:
        """Whether the migration at a position is pending."""
        return self.chosen is None or (history.name, position) in self.chosen


def select(histories: Histories, pending: Pending) -> Selection:
    """Tell which migrations are pending.

    Raises UserError when the git revision or an applied migration is not known, or an applied name fits several.
    """
    if pending.since:
        from backendgen.code import git  # few runs start programs

        return _since(histories, git.base(histories.root, pending.since), pending.since)
    if pending.applied:
        return Selection(_after(histories.histories, pending.applied))
    return Selection(None)


def _since(histories: Histories, base: git.Base, since: str) -> Selection:
    changes = base.changes(histories.root)
    root = files.real(histories.root)
    old_ids = {
        found[1]: path
        for path, change in changes.items()
        if change == "deleted" and path.suffix == ".py" and (found := _REVISION.search(base.text(path) or ""))
    }
    chosen: set[tuple[str, int]] = set()
    refusals: list[Refusal] = []
    known: set[Path] = set()
    for history in histories.histories:
        was_there: list[bool] = []
        for position, migration in enumerate(history.migrations):
            paths = [root / name for name in migration.files]
            known.update(paths)
            if migration.repeatable or migration.part or migration.tool == "sqitch":
                state = _state(migration, paths[0], changes, histories, base)
                was_there.append(state != "added")
                if state == "added" or (state == "modified" and migration.repeatable):
                    chosen.add((history.name, position))
                elif state == "modified":
                    refusals.append(_edited(paths[0], migration, histories, since))
                continue
            moved = old_ids.pop(migration.revision, None) if migration.tool == "alembic" else None
            new = changes.get(paths[0]) == "added" and moved is None
            was_there.append(not new)
            if new:
                chosen.add((history.name, position))
                continue
            edited = [path for path in paths if changes.get(path) == "modified" and _differs(path, histories, base)]
            refusals += [_edited(path, migration, histories, since) for path in edited]
        refusals += _out_of_order(history, was_there, since)
    folders = {path.parent for path in known if path.suffix == ".sql"}
    gone = [
        path
        for path, change in changes.items()
        if change == "deleted" and path.suffix == ".sql" and path.parent in folders
    ]
    gone += old_ids.values()
    refusals += [_removed(path, histories, since) for path in sorted(gone)]
    return Selection(frozenset(chosen), tuple(refusals))


def _state(
    migration: Migration, path: Path, changes: Mapping[Path, git.Change], histories: Histories, base: git.Base
) -> git.Change | None:
    """Say what became of a migration that is not told by its file's own fate; None when nothing did.

    A changeset is one of several in its file. A reworked change of Sqitch has moved to a file that is named after a tag,
    and what stands in its old file is new.
    """
    change = changes.get(path)
    if migration.tool == "sqitch":
        stem, at, _ = path.name.partition("@")
        first = path.with_name(f"{stem}{path.suffix}") if at else path
        reworked = any(
            other.name.startswith(f"{path.stem}@") and other.parent == path.parent and each == "added"
            for other, each in changes.items()
        )
        if at and change == "added" and changes.get(first) == "modified":
            return None
        if change == "modified" and reworked:
            return "added"
    if change != "modified":
        return change
    before, now = base.text(path), histories.sources.get(_name(path, histories))
    if migration.part and before is not None and now is not None and path.suffix == ".sql":
        from backendgen.migrate.readers.liquibase_sql import part

        old, new = part(before, migration.part), part(now, migration.part)
        if old is None or new is None:
            return "added"
        return None if _code(old, path) == _code(new, path) else "modified"
    if migration.part and before is not None:  # a changelog in XML, YAML or JSON
        return None if _has_changeset(before, migration.part) else "added"
    return "modified" if _differs(path, histories, base) else None


def _has_changeset(text: str, part: str) -> bool:
    """Whether a changelog names a changeset's author and id near each other."""
    author, _, own = part.partition(":")
    near = r"(?:id|author)\W+{0}\W[^<]{{0,200}}?(?:id|author)\W+{1}\W"
    pairs = ((own, author), (author, own))
    return any(re.search(near.format(re.escape(one), re.escape(other)), text) for one, other in pairs)


def _differs(path: Path, histories: Histories, base: git.Base) -> bool:
    """Whether more than comments and white space changed."""
    before, now = base.text(path), histories.sources.get(_name(path, histories))
    if before is None or now is None:
        return True
    return _code(before, path) != _code(now, path)


def _code(text: str, path: Path) -> object:
    if path.suffix == ".py":
        import ast

        try:
            return ast.dump(ast.parse(text))
        except (SyntaxError, ValueError):  # newer syntax than this interpreter's
            return text.split()
    return [_without_comments(statement) for statement in split(text)]


def _without_comments(statement: Statement) -> str:
    text = statement.text
    for comment in reversed(statement.comments):
        text = f"{text[: comment.start]} {text[comment.start + len(comment.text) :]}"
    return " ".join(text.split())


def _name(path: Path, histories: Histories) -> str:
    return path.relative_to(files.real(histories.root)).as_posix()


def _edited(path: Path, migration: Migration, histories: Histories, since: str) -> Refusal:
    name = _name(path, histories)
    message = (
        f"{name} was there at {since} and has been edited since: databases that ran it keep what it did then, new ones get "
        f"this; put it back (git checkout {since} -- {name}) and make the change in a new migration"
    )
    return Refusal(EDITED, Location(name, migration.up[0].location.line if migration.up else 1), message)


def _removed(path: Path, histories: Histories, since: str) -> Refusal:
    name = _name(path, histories)
    message = (
        f"{name} was there at {since} and is gone: databases that ran it and new ones differ; "
        f"put it back (git checkout {since} -- {name}) and undo it in a new migration"
    )
    return Refusal(EDITED, Location(name), message)


def _out_of_order(history: History, was_there: Sequence[bool], since: str) -> Iterable[Refusal]:
    """A new migration that stands before one that was there; tools that follow parents mind no file names."""
    late = {} if history.takes_late else _LATE
    ordered = [not migration.repeatable for migration in history.migrations]
    last = max((position for position, old in enumerate(was_there) if old and ordered[position]), default=-1)
    for position, migration in enumerate(history.migrations[:last]):
        if was_there[position] or migration.tool in _BY_PARENTS or not ordered[position]:
            continue
        later = history.migrations[last]
        message = (
            f"{migration.revision} comes before {later.revision}, which was there at {since}: "
            f"{late.get(migration.tool, _LATE_ELSEWHERE)}; {_REMEDY.get(migration.tool, 'give it a higher number')}"
        )
        yield Refusal(OUT_OF_ORDER, Location(migration.path), message)


def _after(histories: Iterable[History], applied: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Return what is not applied; a history in which none of the names is found is pending as a whole."""
    found: dict[str, list[tuple[History, int]]] = {}
    every = list(histories)
    for name in applied:
        found[name] = [
            (history, position)
            for history in every
            for position, migration in enumerate(history.migrations)
            if _is_called(migration, name)
        ]
    _refuse_unclear(found, every)
    done = {
        (history.name, each)
        for matches in found.values()
        for history, position in matches
        for each in _with_parents(history, position)
    }
    return frozenset(
        (history.name, position)
        for history in every
        for position in range(len(history.migrations))
        if (history.name, position) not in done
    )


def _is_called(migration: Migration, name: str) -> bool:
    """Whether it is meant by its revision, its path, its file's name, or its number with or without leading zeros.

    Django takes the number as well, here after the app (`shop.0001`) where several have it.
    """
    stem = migration.path.rpartition("/")[2]
    if name in (migration.revision, migration.path, stem, stem.rpartition(".")[0]):
        return True
    if migration.tool == "django":
        app, _, own = migration.revision.partition(".")
        return name in (own.partition("_")[0], f"{app}.{own.partition('_')[0]}")
    number = re.match(r"[Vv]?0*(\d[\d.]*)", migration.revision)
    return migration.tool not in _BY_PARENTS and number is not None and name.lstrip("0") == number[1]


def _refuse_unclear(found: dict[str, list[tuple[History, int]]], histories: Sequence[History]) -> None:
    problems = []
    for name, matches in found.items():
        paths = [history.migrations[position].path for history, position in matches]
        if not matches:
            known = [migration.revision for history in histories for migration in history.migrations]
            problems.append(Problem(f"no migration is called '{name}'{did_you_mean(name, known)}"))
        elif len(matches) > 1:
            problems.append(
                Problem(f"'{name}' is the name of {len(matches)} migrations: {', '.join(paths)}; give one's path")
            )
    if problems:
        raise UserError(*problems)


def _with_parents(history: History, position: int) -> Iterable[int]:
    """The migration at a position and all that its tool has applied before it."""
    if history.migrations[position].tool not in _BY_PARENTS:
        return range(position + 1)
    places = {migration.revision: place for place, migration in enumerate(history.migrations)}
    done, waiting = set[int](), [position]
    while waiting:
        place = waiting.pop()
        if place not in done:
            done.add(place)
            waiting += [places[parent] for parent in history.migrations[place].parents if parent in places]
    return done
