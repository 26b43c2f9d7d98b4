"""Liquibase: changesets in formatted SQL, and changelogs in XML, YAML or JSON that say in which order files come.

As its manual has it (docs.liquibase.com: SQL format, include, includeAll, changeset attributes): each changeset runs in a
transaction of its own unless it says runInTransaction:false; its `--rollback` lines are the way back; one with runOnChange
or runAlways runs again. includeAll takes the files of a folder in the order of their paths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from backendgen import files
from backendgen.findings.finding import Location
from backendgen.migrate.history import Action, History, Migration
from backendgen.migrate.readers import changelog, dialects, liquibase_changes, unreadable
from backendgen.migrate.readers.changelog import Element
from backendgen.migrate.readers.liquibase_sql import before_changesets, changesets, delimited, is_formatted, properties
from backendgen.migrate.readers.reading import UNREADABLE, Reading
from backendgen.migrate.readers.sql import ORDER_UNKNOWN, operations, says_one_way
from backendgen.sql import operation as op
from backendgen.sql.lexer import split

_BY_ANOTHER = re.compile(r"changesetid\s*:", re.IGNORECASE)
_TREES = (".xml", ".yaml", ".yml", ".json")


@dataclass(slots=True)
class _Walk:
    """What the changelogs of one history have given so far; `values` are the parameters."""

    reading: Reading
    root: Path
    values: dict[str, str] = field(default_factory=dict)
    migrations: list[Migration] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)


def histories(reading: Reading) -> Iterator[History]:
    """Yield a History for each changelog that no other includes, then for each folder of formatted SQL that is left."""
    trees = {path: tree for path in reading.beside if path.suffix in _TREES and (tree := _tree(path, reading))}
    inner = {target for path, tree in trees.items() for target in _included(path, tree, reading)}
    for path, tree in trees.items():
        if (
            path in inner
            or not any(tree.all("changeSet", "include", "includeAll"))
            or _other_database(path.parent, reading)
        ):
            continue
        walk = _Walk(reading, path)
        _follow(walk, path, tree)
        if walk.migrations:
            yield History(reading.name(path), tuple(_unique(walk.migrations, reading)))
    _name_forgotten(reading)
    folders: dict[Path, _Walk] = {}
    for path in reading.found:
        if path.suffix == ".sql" and path not in reading.claimed and is_formatted(path, reading):
            if _other_database(path.parent, reading):
                reading.claimed.add(path)
                continue
            _formatted(folders.setdefault(path.parent, _Walk(reading, path.parent)), path)
    for folder, walk in folders.items():
        if not walk.migrations:
            reading.skip(folder, "holds formatted SQL without a changeset that would run")
            continue
        yield History(reading.name(folder), tuple(_unique(walk.migrations, reading)))


def _tree(path: Path, reading: Reading) -> Element | None:
    if b"databaseChangeLog" not in files.head(path, 100_000):
        return None
    text = reading.text(path)
    try:
        return changelog.parse(text, path.suffix) if text is not None else None
    except changelog.Unparsable as problem:
        name = reading.name(path)
        message = f"{name} is no changelog that can be read: {problem.message}"
        reading.refuse(UNREADABLE, Location(name, problem.line), message)
        return None


def _included(path: Path, tree: Element, reading: Reading) -> Iterator[Path]:
    for element in tree.all("include", "includeAll"):
        if element.tag == "include":
            target = _target(path, element.get("file"), element, reading)
            yield from (target,) if target else ()
        else:
            yield from _all_of(path, element, reading)


def _target(path: Path, name: str, element: Element, reading: Reading) -> Path | None:
    """Find what a changelog names: from its own folder, or from a root of the class path, which is some folder above."""
    name = name.removeprefix("classpath:").lstrip("/")
    relative = element.is_on("relativeToChangelogFile")
    for start in [path.parent] if relative else reading.above(path.parent):
        target = Path(os.path.normpath(start / name))
        if name and files.exists(target) and target.is_relative_to(reading.root):
            return target
    return None


def _all_of(path: Path, element: Element, reading: Reading) -> list[Path]:
    """Return the files of includeAll, in the order of their paths, those of folders beneath it too."""
    folder = _target(path, element.get("path").rstrip("/"), element, reading)
    if folder is None or not files.is_folder(folder):
        return []
    ending = element.get("endsWithFilter")
    known = (*reading.found, *reading.beside)
    inside = [each for each in known if folder in each.parents and each.suffix in (".sql", *_TREES) and each != path]
    return sorted((each for each in inside if str(each).lower().endswith(ending.lower())), key=str)


def _follow(walk: _Walk, path: Path, tree: Element) -> None:
    """Take a changelog's elements in order."""
    if path in walk.seen:
        return
    walk.seen.add(path)
    for element in tree.children:
        if element.tag == "property" and _is_for_us(element.get("dbms")):
            walk.values.setdefault(element.get("name").lower(), element.get("value"))
        elif element.tag == "include":
            target = _target(path, element.get("file"), element, walk.reading)
            if target is None:
                _refuse(walk, path, element.line, f"includes {element.get('file')}, which is not there")
            else:
                _take(walk, target)
        elif element.tag == "includeAll":
            every = _all_of(path, element, walk.reading)
            if not every and element.is_on("errorIfMissingOrEmpty", default=True):
                _refuse(walk, path, element.line, f"includes all of {element.get('path')}, where nothing is")
            for target in every:
                _take(walk, target)
        elif element.tag == "changeSet":
            _changeset(walk, path, element)


def _take(walk: _Walk, path: Path) -> None:
    if path.suffix != ".sql":
        tree = _tree(path, walk.reading)
        if tree is not None:
            _follow(walk, path, tree)
    elif path not in walk.seen:
        walk.seen.add(path)
        if is_formatted(path, walk.reading):
            _formatted(walk, path)
        else:
            walk.reading.claimed.add(path)
            actions = tuple(_actions(walk, walk.reading.text(path) or "", path, transactional=True))
            walk.migrations.append(Migration(walk.reading.name(path), walk.reading.name(path), "liquibase", actions))


def _formatted(walk: _Walk, path: Path) -> None:
    """Read the changesets of a formatted SQL file."""
    walk.reading.claimed.add(path)
    text = walk.reading.text(path)
    if text is None:
        return
    name = walk.reading.name(path)
    for given in properties(text):
        if _is_for_us(given.get("dbms", "")):
            walk.values.setdefault(given.get("name", "").lower(), given.get("value", ""))
    if any(True for _ in split(before_changesets(text))):
        walk.reading.skip(path, "has statements before its first --changeset, which Liquibase does not run")
    for one in changesets(text):
        if not _is_for_us(one.attributes.get("dbms", "")):
            walk.reading.skip(path, f"has changesets for other databases ({one.attributes['dbms']}), not read")
            continue
        if one.attributes.get("ignore", "").lower() == "true":
            walk.reading.skip(path, f"has a changeset that is switched off (ignore): {one.name}")
            continue
        inside = one.attributes.get("runintransaction", "").lower() != "false"
        up = tuple(_actions(walk, one.up, path, transactional=inside))
        down = tuple(_actions(walk, one.down, path, transactional=inside))
        again = "true" in (one.attributes.get("runonchange", "").lower(), one.attributes.get("runalways", "").lower())
        migration = Migration(one.name, name, "liquibase", up, down, repeatable=again, part=one.name, line=one.line)
        walk.migrations.append(replace(migration, one_way=says_one_way(one.up)))


def _changeset(walk: _Walk, path: Path, element: Element) -> None:
    """Read a changeSet of XML, YAML or JSON: its SQL, its SQL files, and the changes that can be written as SQL."""
    name = f"{element.get('author')}:{element.get('id')}"
    where = walk.reading.name(path)
    if not _is_for_us(element.get("dbms")):
        walk.reading.skip(path, f"has changesets for other databases ({element.get('dbms')}), not read")
        return
    if element.is_on("ignore"):
        walk.reading.skip(path, f"has a changeset that is switched off (ignore): {name}")
        return
    inside = element.is_on("runInTransaction", default=True)
    changes = [child for child in element.children if child.tag in liquibase_changes.CHANGES]
    up = _numbered(_change(walk, path, change, transactional=inside) for change in changes)
    ways_back = list(element.all("rollback"))
    if ways_back:
        down = _numbered(each for way in ways_back for each in _way_back(walk, path, way, transactional=inside))
    else:
        texts = [liquibase_changes.inverse(change) for change in reversed(changes)]
        known = [(change.line, text) for change, text in zip(reversed(changes), texts, strict=True) if text]
        # Liquibase takes all of a changeset back, or none of it.
        down = _numbered(
            _stamped(walk, text, path, line, transactional=inside) for line, text in known if len(known) == len(changes)
        )
    again = element.is_on("runOnChange") or element.is_on("runAlways")
    migration = Migration(name, where, "liquibase", up, down, repeatable=again, part=name, line=element.line)
    walk.migrations.append(migration)


def _change(walk: _Walk, path: Path, change: Element, *, transactional: bool) -> Iterator[Action]:
    if not _is_for_us(change.get("dbms")):
        return
    if change.tag == "sqlFile" or (change.tag == "createProcedure" and change.get("path")):
        target = _target(path, change.get("path"), change, walk.reading)
        if target is None or not files.is_file(target):
            _refuse(walk, path, change.line, f"runs {change.get('path')}, which is not there")
            return
        walk.reading.claimed.add(target)
        text = delimited(walk.reading.text(target) or "", change.get("endDelimiter"))
        yield from _actions(walk, text, target, transactional=transactional)
    elif change.tag == "sql":
        text = next((child.padded for child in change.all("sql") if child.text), change.padded)
        yield from _actions(walk, delimited(text, change.get("endDelimiter")), path, transactional=transactional)
    elif (written := liquibase_changes.as_sql(change)) is not None:
        yield from _stamped(walk, written, path, change.line, transactional=transactional)
    else:
        reason = f"Liquibase's {change.tag} is not read here; check what `liquibase update-sql` prints"
        unread = op.NotUnderstood(reason=reason, line=change.line, column=1, end_line=change.line)
        yield Action(unread, walk.reading.name(path))


def _way_back(walk: _Walk, path: Path, way: Element, *, transactional: bool) -> Iterator[Iterator[Action]]:
    for change in way.children:
        if change.tag in liquibase_changes.CHANGES:
            yield _change(walk, path, change, transactional=transactional)
    if way.text.strip() and not any(child.tag in liquibase_changes.CHANGES for child in way.children):
        yield _actions(walk, way.padded, path, transactional=transactional)


def _numbered(changes: Iterable[Iterable[Action]]) -> tuple[Action, ...]:
    """Number the statements through all changes: the text of each begins again with the first."""
    actions: list[Action] = []
    first = 0
    for change in changes:
        for action in change:
            operation = replace(action.operation, statement=first + action.operation.statement)
            actions.append(replace(action, operation=operation))
        first = actions[-1].operation.statement + 1 if actions else 0
    return tuple(actions)


def _stamped(walk: _Walk, text: str, path: Path, line: int, *, transactional: bool) -> Iterator[Action]:
    """Yield what SQL that was written for a change does, all of it in the change's line."""
    for action in _actions(walk, text, path, transactional=transactional):
        yield replace(action, operation=replace(action.operation, line=line, column=1, end_line=line))


def _actions(walk: _Walk, text: str, path: Path, *, transactional: bool) -> Iterator[Action]:
    name = walk.reading.name(path)
    if _BY_ANOTHER.match(text.strip()):
        line = text[: len(text) - len(text.lstrip())].count("\n") + 1
        reason = "rolls back by running another changeset, which is not followed"
        yield Action(op.NotUnderstood(reason=reason, sql=text.strip(), line=line, column=1, end_line=line), name)
        return
    for operation in unreadable.condensed(operations(text, walk.values)):
        yield Action(operation, name, transactional)


def _is_for_us(dbms: str) -> bool:
    """Whether `postgresql,h2` or `!oracle` means PostgreSQL too."""
    names = [name.strip().lower() for name in dbms.split(",") if name.strip()]
    wanted = [name for name in names if not name.startswith("!")]
    if "!postgresql" in names or "none" in names:
        return False
    return not wanted or bool({"postgresql", "all"} & set(wanted))


def _other_database(folder: Path, reading: Reading) -> bool:
    named, said_by = dialects.of_folder(folder, reading.root)
    if named in ("", dialects.POSTGRESQL):
        return False
    reading.skip(said_by, f"holds migrations for {named}, which are not read yet")
    return True


def _unique(migrations: list[Migration], reading: Reading) -> Iterator[Migration]:
    """Tell changesets of different files apart by their files; twice in one file, Liquibase refuses them."""
    first: dict[tuple[str, str], Migration] = {}
    names: dict[str, int] = {}
    for migration in migrations:
        names[migration.revision] = names.get(migration.revision, 0) + 1
    for migration in migrations:
        key = (migration.path, migration.revision)
        if migration.part and first.setdefault(key, migration) is not migration:
            message = f"{migration.revision} is a changeset of this file already: Liquibase refuses both"
            reading.refuse(ORDER_UNKNOWN, Location(migration.path, migration.line), message)
        path = migration.path
        yield (
            replace(migration, revision=f"{path}::{migration.revision}") if names[migration.revision] > 1 else migration
        )


def _name_forgotten(reading: Reading) -> None:
    """Say which files lie among those of a changelog and are in none."""
    folders = {path.parent for path in reading.claimed if is_formatted(path, reading)}
    for path in reading.found:
        if (
            path.suffix == ".sql"
            and path.parent in folders
            and path not in reading.claimed
            and is_formatted(path, reading)
        ):
            reading.claimed.add(path)
            reading.skip(path, "is included by no changelog, so Liquibase never runs it")


def _refuse(walk: _Walk, path: Path, line: int, message: str) -> None:
    name = walk.reading.name(path)
    walk.reading.refuse(UNREADABLE, Location(name, line), f"{name} {message}")
