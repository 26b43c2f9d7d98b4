"""Alembic revisions: found, ordered as Alembic orders them, and read by their syntax trees."""

from __future__ import annotations

import ast
import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backendgen import files
from backendgen.code.parse import Unparsable
from backendgen.errors import UserError
from backendgen.findings.finding import Location
from backendgen.migrate.history import History, Migration
from backendgen.migrate.readers import dialects
from backendgen.migrate.readers.alembic.script import Script
from backendgen.migrate.readers.reading import UNREADABLE, Reading
from backendgen.migrate.readers.servers import skipped_dialect
from backendgen.migrate.readers.sql import ORDER_UNKNOWN
from backendgen.migrate.readers.values import Module, Text

_REVISION = re.compile(rb"^(?:down_)?revision\b[^\n=]*=", re.MULTILINE)


@dataclass(slots=True)
class Revision:
    """One revision file, its parents as they are named in it, and the lines where it names itself and them."""

    path: Path
    module: Module
    id: str
    down: tuple[str, ...]
    after: tuple[str, ...] = ()
    labels: bool = False
    line: int = 1
    down_line: int = 1
    parents: list[Revision] = field(default_factory=list)
    children: list[Revision] = field(default_factory=list)


def histories(reading: Reading) -> list[History]:
    """Return one History for each set of revisions that belong together."""
    script = Script(reading)
    revisions = [found for path in _candidates(reading) if (found := _revision(path, script, reading))]
    _link(revisions, reading)
    return [_history(group, script, reading) for group in _groups(revisions)]


def _candidates(reading: Reading) -> Iterator[Path]:
    """Yield the Python files that say `revision =` or `down_revision =` at the start of a line."""
    for path in reading.found:
        if path.suffix != ".py" or path.name == "env.py":
            continue
        if not _REVISION.search(reading.content(path, home="versions")):
            continue
        if not skipped_dialect(path.parent, reading):
            yield path


def _revision(path: Path, script: Script, reading: Reading) -> Revision | None:
    name = reading.name(path)
    try:
        module = script.load(path)
    except Unparsable as problem:
        reading.refuse(UNREADABLE, Location(name, problem.line, problem.column), f"{name} is {problem.message}")
        return None
    if module is None:
        return None
    lines = {target: node.lineno for node in module.tree.body for target in _assigned(node)}
    own = module.names.get("revision")
    if not isinstance(own, Text):
        if "down_revision" in lines:
            reading.refuse(ORDER_UNKNOWN, Location(name), f"{name} has no revision id that can be read")
        return None
    line = lines.get("revision", 1)
    if "down_revision" not in lines:
        reading.refuse(
            ORDER_UNKNOWN, Location(name, line), f"revision {own.value} has no down_revision: Alembic cannot place it"
        )
    down, after = _ids(module.names.get("down_revision")), _ids(module.names.get("depends_on"))
    labels = module.names.get("branch_labels") is not None
    return Revision(path, module, own.value, down, after, labels, line, lines.get("down_revision", line))


def _assigned(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _ids(value: object) -> tuple[str, ...]:
    if isinstance(value, Text):
        return (value.value,)
    return tuple(each.value for each in value if isinstance(each, Text)) if isinstance(value, list | tuple) else ()


def _link(revisions: list[Revision], reading: Reading) -> None:
    """Join revisions with their parents: those of the same folder first, others when the id is found only there."""
    near: dict[tuple[Path, str], Revision] = {}
    anywhere: dict[str, Revision] = {}
    for revision in revisions:
        first = near.setdefault((revision.path.parent, revision.id), revision)
        anywhere.setdefault(revision.id, revision)
        if first is not revision:
            message = f"revision {revision.id} is also the id of {first.path.name}: Alembic takes only one of them"
            reading.refuse(ORDER_UNKNOWN, Location(reading.name(revision.path), revision.line), message)
    for revision in revisions:
        for parent_id in dict.fromkeys((*revision.down, *revision.after)):
            parent = (
                near.get((revision.path.parent, parent_id))
                or anywhere.get(parent_id)
                or _abbreviated(parent_id, anywhere)
            )
            if parent is not None:
                revision.parents.append(parent)
                parent.children.append(revision)
            elif not reading.single:
                message = f"revision {revision.id} comes after {parent_id}, which is not there: Alembic cannot place it"
                reading.refuse(ORDER_UNKNOWN, Location(reading.name(revision.path), revision.down_line), message)


def _abbreviated(parent: str, known: dict[str, Revision]) -> Revision | None:
    """Alembic takes the beginning of an id for the whole when it is unique, and `label@id` for the id."""
    wanted = parent.rpartition("@")[2]
    if wanted in known:
        return known[wanted]
    starts = [revision for each, revision in known.items() if len(wanted) >= 4 and each.startswith(wanted)]
    return starts[0] if len(starts) == 1 else None


def _groups(revisions: list[Revision]) -> Iterator[list[Revision]]:
    """Yield the revisions that share a folder or are linked, each group in the order of Alembic."""
    by_folder: dict[Path, list[Revision]] = {}
    for revision in revisions:
        by_folder.setdefault(revision.path.parent, []).append(revision)
    seen: set[Path] = set()
    for folder in sorted(by_folder):
        if folder in seen:
            continue
        seen.add(folder)
        group, waiting = [], [folder]
        while waiting:
            members = by_folder[waiting.pop()]
            group += members
            for neighbour in (each for member in members for each in (*member.parents, *member.children)):
                if neighbour.path.parent not in seen:
                    seen.add(neighbour.path.parent)
                    waiting.append(neighbour.path.parent)
        yield group


def _history(group: list[Revision], script: Script, reading: Reading) -> History:
    ordered = _ordered(group, reading)
    _say_heads(group, reading)
    folder = min(revision.path.parent for revision in group)
    named, _ = dialects.of_folder(folder, reading.root)
    dialect = dialects.told(reading.dialect) if reading.dialect else dialects.READ.get(named, "postgresql")
    script.begin(folder, dialect)
    migrations = tuple(_migration(revision, script, reading) for revision in ordered)
    return History(
        reading.name(folder),
        migrations,
        sets_lock_timeout=_environment_bounds_locks(folder),
        dialect=dialect,
    )


def _ordered(group: list[Revision], reading: Reading) -> list[Revision]:
    """Sort so that parents come first (Kahn); among those that are ready, file names decide. A circle is said."""
    waiting = {id(revision): len(revision.parents) for revision in group}
    ready = [
        (revision.path.name, str(revision.path), number, revision)
        for number, revision in enumerate(group)
        if not revision.parents
    ]
    heapq.heapify(ready)
    ordered: list[Revision] = []
    while ready:
        *_, revision = heapq.heappop(ready)
        ordered.append(revision)
        for child in revision.children:
            waiting[id(child)] -= 1
            if waiting[id(child)] == 0:
                heapq.heappush(ready, (child.path.name, str(child.path), len(group) + len(ordered), child))
    if len(ordered) < len(group):
        placed = {id(revision) for revision in ordered}
        left = sorted((revision for revision in group if id(revision) not in placed), key=lambda one: one.path)
        message = f"revision {left[0].id} comes after itself: {' -> '.join(one.id for one in _circle(left[0], placed))}"
        reading.refuse(ORDER_UNKNOWN, Location(reading.name(left[0].path), left[0].down_line), message)
        ordered += left
    return ordered


def _circle(start: Revision, placed: set[int]) -> list[Revision]:
    """Walk up the parents that could not be placed until one comes again."""
    walked = [start]
    while True:
        current = next(parent for parent in walked[-1].parents if id(parent) not in placed)
        if current in walked:
            return [*walked[walked.index(current) :], current]
        walked.append(current)


def _say_heads(group: list[Revision], reading: Reading) -> None:
    """Several heads stop `alembic upgrade head`; labelled branches have them on purpose."""
    heads = sorted((revision for revision in group if not revision.children), key=lambda one: one.path.name)
    if len(heads) > 1 and not any(revision.labels for revision in group) and not reading.single:
        listed = ", ".join(head.id for head in heads)
        message = f"there are {len(heads)} heads, {listed}: join them with `alembic merge heads`"
        reading.refuse(ORDER_UNKNOWN, Location(reading.name(heads[-1].path), heads[-1].line), message)


def _migration(revision: Revision, script: Script, reading: Reading) -> Migration:
    functions = {node.name: node for node in revision.module.tree.body if isinstance(node, ast.FunctionDef)}
    up = script.up(functions.get("upgrade"), revision.module)
    down = script.actions(functions.get("downgrade"), revision.module)
    parents = tuple(parent.id for parent in revision.parents)
    one_way = any(isinstance(node, ast.Raise) for node in getattr(functions.get("downgrade"), "body", ()))
    return Migration(revision.id, reading.name(revision.path), "alembic", up, down, parents, one_way)


def _environment_bounds_locks(versions: Path) -> bool:
    """Whether env.py beside the versions folder, or the alembic.ini above it, sets lock_timeout."""
    for path in (
        versions.parent / "env.py",
        versions / "env.py",
        versions.parent / "alembic.ini",
        versions.parent.parent / "alembic.ini",
    ):
        try:
            if files.is_file(path) and "lock_timeout" in files.read_text(path):
                return True
        except UserError:
            continue
    return False
