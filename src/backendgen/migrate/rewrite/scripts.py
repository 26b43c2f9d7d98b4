"""A SQL migration rewritten: its own file, and those that split off, each as its tool wants it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backendgen.findings.remedy import Remedy
from backendgen.migrate.history import Action, Migration
from backendgen.migrate.readers.naming import Script
from backendgen.migrate.readers.sql import Section, operations, sections
from backendgen.migrate.rewrite.files import Body, beside, marked, written
from backendgen.migrate.rewrite.groups import (
    Group,
    brought_back,
    grouped,
    indifferent,
    moved_away,
    subject,
    taken_back,
    word_of,
)
from backendgen.migrate.rewrite.naming import Folder, script_of
from backendgen.migrate.rewrite.pieces import Part, Piece, Unfixable, cut, pieces
from backendgen.sql import operation as op


@dataclass(frozen=True, slots=True)
class Source:
    """A migration as it stands on disk, and what its tool runs after it."""

    root: Path
    migration: Migration
    texts: Mapping[str, str]
    later: tuple[Migration, ...] = ()

    def path(self, name: str) -> Path:
        """Return where a file of the report is."""
        return self.root / name

    def actions(self, path: str, *, down: bool) -> list[tuple[int, Action]]:
        """Return what it does in one file, each with its place in the whole way up or down."""
        every = self.migration.down if down else self.migration.up
        return [(position, action) for position, action in enumerate(every) if action.path == path]


def rewrite(source: Source, remedies: Sequence[Remedy], folder: Folder, left: list[str]) -> dict[Path, str]:
    """Return the texts of the files that change and of those that are new; `left` takes why statements stay as they are.

    Raises Unfixable with the reason why a tool can change nothing.
    """
    section = _section(source.texts[source.migration.path], down=False)
    groups, own = taken_apart(source, section, remedies, left)
    return dict(_files(source, groups, own, folder, moved_away(remedies, source.migration.up)))


def taken_apart(
    source: Source, section: Section, remedies: Sequence[Remedy], left: list[str]
) -> tuple[list[Group], Way]:
    """Return the migrations that a section of a file becomes, and what stands around their statements."""
    migration = source.migration
    text = source.texts[migration.path]
    actions = source.actions(migration.path, down=False)
    if len(actions) != len(migration.up):
        raise Unfixable("it runs SQL of other files")
    parts, rest = cut(text, section.start, section.end, actions)
    opening, parts, closing = wrapped(parts)
    # psql runs each statement by itself: there, BEGIN alone makes the transaction.
    outside = all(action.transactional is False for action in migration.up) and not (
        opening and migration.tool == "sqitch"
    )
    found: list[Piece] = []
    for part in parts:
        try:
            found += pieces(part, [one for one in remedies if one.position in _places(part)])
        except Unfixable as reason:
            left.append(f"line {part.actions[0][1].operation.line} is not changed: {reason}")
            found.append(Piece(part.text, part.operations))
    groups = grouped(found, migration.tool, outside=outside)
    timeout = timeout_of(migration, remedies, wrapped=bool(opening))
    missing = any(one.place == "head" for one in remedies)
    return groups, Way(text, section, rest, opening, closing, timeout, missing, outside)


@dataclass(frozen=True, slots=True)
class Way:
    """The up section that is rewritten: what stands after its statements, and around each transaction."""

    text: str
    section: Section
    rest: str
    opening: str
    closing: str
    timeout: str
    missing: bool
    outside: bool

    def body(self, group: Group, *, first: bool) -> str:
        """Return a group's statements between BEGIN and COMMIT where the migration had them, with its lock_timeout."""
        inside = not group.outside or self.outside
        lines = [piece.text for piece in group.pieces]
        wanted = self.timeout and inside and group.locks and (self.missing if first else True)
        header, lines[0] = _header(lines[0]) if first else ("", lines[0].lstrip("\r\n"))
        begin, end = (self.opening, self.closing) if inside else ("", "")
        setting = f"{self.timeout};\n" if wanted else ""
        body = joined_texts([header, begin, setting, *lines, end, self.rest if first else ""])
        if _doings(operations(body)) != _doings(group.operations):
            raise Unfixable("its statements cannot be taken apart")
        return body


def _doings(found: Iterable[op.Operation]) -> list[tuple[str, tuple[str, ...]]]:
    """What text and pieces must agree on: settings and transactions are put around them."""
    return [(type(one).__name__, one.tables) for one in found if not isinstance(one, op.SetSetting | op.Transaction)]


def _section(text: str, *, down: bool) -> Section:
    found = [one for one in sections(text, down) if one.down == down]
    if len(found) != 1:
        raise Unfixable("its file has several sections")
    return found[0]


def _places(part: Part) -> set[int]:
    return {position for position, _ in part.actions}


def wrapped(parts: list[Part]) -> tuple[str, list[Part], str]:
    """Take BEGIN and COMMIT off, when they stand around everything; comments before them go with what is next."""
    marks = [at for at, part in enumerate(parts) if any(isinstance(one, op.Transaction) for one in part.operations)]
    if not marks:
        return "", parts, ""
    if marks != [0, len(parts) - 1] or len(parts) < 3:
        raise Unfixable("it begins and ends transactions by itself")
    first, last = parts[0], parts[-1]
    inner = [replace(parts[1], lead=first.lead + parts[1].lead.lstrip("\r\n")), *parts[2:-1]]
    inner[-1] = replace(inner[-1], tail=inner[-1].tail + last.lead.strip("\r\n"))
    return f"{first.sql}{first.tail}", inner, f"{last.sql}{last.tail}"


def timeout_of(migration: Migration, remedies: Sequence[Remedy], *, wrapped: bool = False) -> str:
    """Return the lock_timeout that each migration should begin with: the one that is missing, or the one that it sets."""
    own = [action.operation for action in migration.up if isinstance(action.operation, op.SetSetting)]
    own = [one for one in own if one.name == "lock_timeout"]
    head = next((one for one in remedies if one.place == "head"), None)
    text = head.stages[0].statements[0] if head else own[0].sql if own else ""
    local = wrapped or migration.tool in ("golang-migrate", "prisma")  # with it, the file has several statements
    return text.replace("SET lock_timeout", "SET LOCAL lock_timeout") if local else text


def _header(text: str) -> tuple[str, str]:
    """Part the comments that belong to the file from those of its first statement: a blank line is between them."""
    lead = re.match(r"(?:[ \t]*(?:--[^\n]*)?\r?\n)*", text)
    blank = max((found.end() for found in re.finditer(r"\n[ \t]*\r?\n", lead[0])), default=0) if lead else 0
    blank = blank or (len(text) - len(text.lstrip("\r\n")))
    return text[:blank], text[blank:]


def _between(opening: str, texts: Sequence[str], closing: str) -> Sequence[str]:
    return [opening, *texts, closing] if opening and texts else texts


def joined_texts(texts: Sequence[str]) -> str:
    """Return texts one after the other, each on lines of its own."""
    joined = ""
    for text in texts:
        if joined and text and not joined.endswith("\n"):
            joined += "\n"
        joined += text
    return joined


# ---- files


def _files(
    source: Source, groups: list[Group], way: Way, folder: Folder, gone: set[tuple[str, ...]]
) -> Iterator[tuple[Path, str]]:
    migration = source.migration
    main = source.path(migration.path)
    script = script_of(main)
    first, *others = groups
    downs = downs_of(source, groups, gone)
    text = way.text
    if downs and downs.section:
        if downs.section.start < way.section.start:
            raise Unfixable("its down stands before its up")
        text = f"{text[: downs.section.start]}{downs.texts[0]}{text[downs.section.end :]}"
    body = way.body(first, first=True)
    if text[way.section.start - 1 : way.section.start] not in ("", "\n") and not body.startswith(("\n", "\r")):
        body = f"\n{body}"
    text = f"{text[: way.section.start]}{body}{_gap(body, text[way.section.end :])}{text[way.section.end :]}"
    if first.outside and not way.outside:
        text = marked(text, way.section, migration.tool)
        yield from beside(main, migration.tool, first.operations)
    yield main, text
    if downs and downs.path and (len(groups) > 1 or gone):
        yield downs.path, downs.texts[0]
    before = script
    for number, group in enumerate(others, 1):
        new = folder.following(before, word_of(group), script) or _at_the_end(
            source, others[number - 1 :], folder, script
        )
        before = new
        down = downs.texts[number] if downs else ""
        yield from _new(new, group, way, down, source, downs)


def _gap(body: str, after: str) -> str:
    return "\n" if after and not body.endswith("\n") else ""


def _at_the_end(source: Source, groups: Sequence[Group], folder: Folder, origin: Script) -> Script:
    last = folder.last()
    passed = [action.operation for each in source.later for action in each.up]
    moved = [each for group in groups for each in group.operations]
    if not all(group.floats for group in groups) or not indifferent(passed, moved):
        raise Unfixable(f"it must be split in two, and no number is left before {_next(source)}")
    new = folder.following(last, word_of(groups[0]), origin)
    if new is None:
        raise Unfixable(f"it must be split in two, and no number is left after {last.revision}")
    return new


def _next(source: Source) -> str:
    return source.later[0].revision if source.later else "the next"


def _new(
    script: Script, group: Group, way: Way, down: str, source: Source, downs: Downs | None
) -> Iterator[tuple[Path, str]]:
    mark = way.text[way.section.mark : way.section.start]
    body = Body(way.body(group, first=False), down if downs else None, group.outside, group.operations)
    return written(script, source.migration.tool, mark, body)


# ---- the way back


@dataclass(frozen=True, slots=True)
class Downs:
    """The way back of each new migration: in a `section` of the same file, or in a file of its own at `path`."""

    texts: tuple[str, ...]
    section: Section | None = None
    path: Path | None = None


def downs_of(source: Source, groups: Sequence[Group], gone: set[tuple[str, ...]]) -> Downs | None:
    """Let each statement of the down go where what it takes back has gone."""
    migration = source.migration
    if not migration.down:
        return None
    path = migration.down[0].path
    text = source.texts[path]
    section = _section(text, down=True)
    actions = source.actions(path, down=True)
    if len(actions) != len(migration.down):
        raise Unfixable("its down runs SQL of several files")
    parts, rest = cut(text, section.start, section.end, actions)
    header, opening, closing = "", "", ""
    if len(groups) > 1:
        opening, parts, closing = wrapped(parts)
        if opening:
            header, lead = _header(parts[0].lead)
            parts[0] = replace(parts[0], lead=lead)
    homes = [[subject(one) for one in group.operations] for group in groups]
    texts: list[list[str]] = [[] for _ in groups]
    for part in parts:
        keys = [subject(one) for one in part.operations]
        if keys and gone.issuperset(keys):
            continue
        at = max((at for at, home in enumerate(homes) if keys and all(key and key in home for key in keys)), default=0)
        texts[at].append(part.text if at == 0 else part.text.lstrip("\r\n"))
    every = [each for group in groups for each in group.operations]
    for at, group in enumerate(groups):
        before = [each for one in groups[:at] for each in one.operations]
        texts[at] += [f"{sql};\n" for each in reversed(group.operations) if (sql := taken_back(each, every))]
        texts[at] += [f"{sql};\n" for each in group.operations if (sql := brought_back(each, before))]
    joined = [
        joined_texts([header if at == 0 else "", *_between(opening, each, closing), rest if at == 0 else ""])
        for at, each in enumerate(texts)
    ]
    if path == migration.path:
        joined[0] = joined[0] if joined[0].startswith(("\n", "\r")) or not section.mark else f"\n{joined[0]}"
        return Downs(tuple(joined), section)
    own = (f"{text[: section.start]}{joined[0]}{text[section.end :]}", *joined[1:])
    return Downs(own, None, source.path(path))
