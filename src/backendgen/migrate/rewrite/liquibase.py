"""A changeset of formatted SQL rewritten: what must stand alone becomes a changeset after it, in the same file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backendgen.findings.remedy import Remedy
from backendgen.migrate.history import Action, Migration
from backendgen.migrate.readers.liquibase_sql import Changeset, changesets, heads, rollbacks
from backendgen.migrate.readers.sql import Section, operations
from backendgen.migrate.rewrite.groups import Group, moved_away, subject, ways_back, word_of
from backendgen.migrate.rewrite.naming import Folder
from backendgen.migrate.rewrite.pieces import Unfixable
from backendgen.migrate.rewrite.scripts import Source, taken_apart
from backendgen.sql.lexer import split

_MARK = "-- a line of the rollback: "
_MARKED = re.compile(rf"[ \t]*{_MARK}(\d+)[^\n]*(?:\n|$)")
_PRECONDITION = re.compile(r"^[ \t]*--[ \t]*precondition", re.IGNORECASE | re.MULTILINE)
_TRANSACTION = re.compile(r"[ \t]+runInTransaction:\S+", re.IGNORECASE)
_AGAIN = re.compile(r"[ \t]+(?:runOnChange|runAlways):true", re.IGNORECASE)


def rewrite(source: Source, remedies: Sequence[Remedy], folder: Folder, left: list[str]) -> dict[Path, str]:
    """Return the file's text with other changesets in the place of one. Raises Unfixable when nothing can be changed."""
    path = source.migration.path
    text = source.texts[path]
    one = next((each for each in changesets(text) if each.name == source.migration.part), None)
    if one is None:
        raise Unfixable("it is no changeset of formatted SQL")
    if one.attributes.get("enddelimiter") or one.attributes.get("splitstatements", "").lower() == "false":
        raise Unfixable("its statements end in a way of their own")
    mark, end = next((mark, end) for mark, end in heads(text) if text.count("\n", 0, mark.start()) + 1 == one.line)
    start = min(mark.end() + 1, end)
    gone = moved_away(remedies, source.migration.up)
    kept = [_without(found[0], gone) for found in rollbacks(text[start:end])]
    moved = _moved(source.migration, one.line - source.migration.line)
    hidden = f"{text[:start]}{_hidden(text[start:end])}"
    groups, way = taken_apart(
        replace(source, migration=moved, texts={path: hidden}),
        Section(False, mark.start(), start, len(hidden)),
        remedies,
        left,
    )
    bodies = [way.body(group, first=number == 0) for number, group in enumerate(groups)]
    head = mark[0]
    if groups[0].outside and not way.outside:
        head = f"{_TRANSACTION.sub('', head)} runInTransaction:false"
    if len(groups) == 1:
        return {source.path(path): f"{text[: mark.start()]}{head}\n{_shown(bodies[0], kept)}{text[end:]}"}
    if _PRECONDITION.search(text[start:end]) or source.migration.repeatable:
        raise Unfixable("it must be split in two, and what is said of the whole changeset cannot be said of both")
    back = _ways_back(one, groups, bool(kept))
    ids = {each.name for each in changesets(text)}
    parts = [f"{head}\n{_changeset(bodies[0], back[0])}"]
    for group, body, way_back in zip(groups[1:], bodies[1:], back[1:], strict=True):
        own = _free(one, word_of(group), ids)
        ids.add(f"{one.author}:{own}")
        said = _AGAIN.sub("", _TRANSACTION.sub("", mark[3])).rstrip()
        line = mark[0][: mark.start(2) - mark.start()] + (f'"{own}"' if mark[2].startswith('"') else own) + said
        parts.append(f"{line}{' runInTransaction:false' if group.outside else ''}\n{_changeset(body, way_back)}")
    after = text[end:]
    return {source.path(path): f"{text[: mark.start()]}{chr(10).join(parts)}{chr(10) if after else ''}{after}"}


def _moved(migration: Migration, lines: int) -> Migration:
    """Return the migration as it stands when changesets before it have become longer."""

    def placed(action: Action) -> Action:
        return replace(action, operation=replace(action.operation, line=action.operation.line + lines))

    return replace(migration, up=tuple(map(placed, migration.up)), down=())


def _hidden(body: str) -> str:
    """Return a changeset with its rollback lines as comments that are found again."""
    for number, found in reversed([*enumerate(rollbacks(body))]):
        marks = "\n".join(f"{_MARK}{number}" for _ in found[0].split("\n"))
        body = f"{body[: found.start()]}{marks}{body[found.end() :]}"
    return body


def _shown(body: str, kept: Sequence[str]) -> str:
    """Return a changeset with its rollback lines where they were."""
    shown: set[int] = set()

    def line(found: re.Match[str]) -> str:
        number = int(found[1])
        if number in shown:
            return ""
        shown.add(number)
        return f"{kept[number]}\n" if kept[number] else ""

    body = _MARKED.sub(line, body)
    return body + "".join(f"{one}\n" for number, one in enumerate(kept) if one and number not in shown)


def _without(line: str, gone: set[tuple[str, ...]]) -> str:
    """Return a line of the rollback, empty when what it takes back is another changeset's by now."""
    sql = re.sub(r"(?i)^[ \t]*--[ \t]*rollback[ \t]", "", line)
    keys = [subject(one) for one in operations(sql)] if gone else []
    return "" if keys and gone.issuperset(keys) else line


def _changeset(body: str, back: Sequence[str]) -> str:
    body = _MARKED.sub("", body).strip("\n")
    return "\n".join([body, *(f"--rollback {line}" for sql in back for line in sql.split("\n")), ""])


def _ways_back(one: Changeset, groups: Sequence[Group], wanted: bool) -> list[list[str]]:
    """Return the rollback of each new changeset: the statements that take back what it does."""
    if not wanted:
        return [[] for _ in groups]
    shares = ways_back((statement.text for statement in split(one.down)), [group.operations for group in groups])
    return [[f"{sql};" for sql in each] or ["empty"] for each in shares]


def _free(one: Changeset, word: str, known: set[str]) -> str:
    names = (f"{one.id}-{word}", *(f"{one.id}-{word}-{more}" for more in range(2, 1000)))
    return next(each for each in names if f"{one.author}:{each}" not in known)
