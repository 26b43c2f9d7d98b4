"""Folders of SQL files: numbered files, up and down pairs, Flyway, goose, dbmate, golang-migrate, diesel and Prisma."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from backendgen.findings.finding import Location
from backendgen.migrate.history import Action, History, Migration, Tool
from backendgen.migrate.readers import dialects
from backendgen.migrate.readers.reading import Reading, real
from backendgen.sql import operation as op
from backendgen.sql.schema import Type

ORDER_UNKNOWN = "BG905"
FOLDERS = frozenset({"migrations", "migration", "migrate", "changelogs"})
_FLYWAY = re.compile(r"(?P<kind>[VUB])(?P<version>\d+(?:[._]\d+)*)__.+\.sql", re.IGNORECASE)
_REPEATABLE = re.compile(r"R__.+\.sql", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<version>\d{4}([-_])\d\d\2\d\d\2\d+(?:-\d+)*|\d+(?:[.-]\d+)*)(?!\d).*\.sql", re.IGNORECASE)
_DIRECTED = re.compile(r"(?P<stem>.+)(?P<mark>[._-])(?P<direction>up|down)\.sql", re.IGNORECASE)
_SECTION = re.compile(
    r"^[ \t]*--[ \t]*(?:\+goose|migrate:|\+migrate)[ \t]*(up|down)\b(.*)$", re.IGNORECASE | re.MULTILINE
)
_GOOSE = re.compile(r"^[ \t]*--[ \t]*\+(?:goose|migrate)[ \t]", re.IGNORECASE | re.MULTILINE)
_DBMATE = re.compile(r"^[ \t]*--[ \t]*migrate:", re.IGNORECASE | re.MULTILINE)
_NO_TRANSACTION = re.compile(
    r"^[ \t]*--[ \t]*(?:\+goose NO TRANSACTION|no-transaction|atlas:txmode none|\+migrate (?:up|down) notransaction)\b",
    re.IGNORECASE | re.MULTILINE,
)
_ONE_WAY = re.compile(
    r"--.*(?:irreversibl|not reversible|cannot be (?:undone|reversed|reverted|rolled back))", re.IGNORECASE
)
_TEMPLATE = re.compile(r"\{\{[^{}\n]*\}\}|\$\{[^{}\n]*\}")
_WORD = re.compile(r"[A-Za-z_]\w*")
_RELEASE = re.compile(r"v?\d+(?:\.\d+)*", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Script:
    """One file's part in a migration: `key` orders it, `revision` pairs an up with its down."""

    path: Path
    folder: Path
    revision: str
    version: str
    key: tuple[tuple[int, int | str], ...]
    tool: Tool
    down: bool = False
    dialect: str = ""


def histories(reading: Reading) -> list[History]:
    """Return one History for each folder that holds SQL migrations and that no Alembic revision has used."""
    found = [path for path in reading.found if path.suffix == ".sql"]
    if reading.used:  # to follow links costs a quarter of the time that it takes to parse the file
        found = [path for path in found if real(path) not in reading.used]
    used_folders = {path.parent for path in reading.used}
    scripts: list[Script] = []
    for folder, group in groupby(found, key=lambda path: path.parent):
        paths = list(group)
        if used_folders and real(folder) in used_folders:
            for path in paths:
                reading.skip(path, "is run by no Alembic revision, so it is not judged")
        else:
            scripts += _scripts(folder, paths, reading)
    scripts.sort(key=lambda script: (script.folder, script.key, script.path.name))
    return [
        History(reading.name(folder), tuple(_migrations(list(group), reading)))
        for folder, group in groupby(scripts, key=lambda script: script.folder)
    ]


def operations(text: str) -> tuple[op.Operation, ...]:
    """Translate PostgreSQL text; the parser is loaded when the first text needs it.

    A template's `{{ ... }}` or `${...}` is read as the last word in it.
    """
    from backendgen.sql import postgres

    if "{{" in text or "${" in text:
        text = _TEMPLATE.sub(lambda found: (_WORD.findall(found[0]) or ["t"])[-1].lower(), text)
    return postgres.parse(text)


def column_type(sql: str) -> Type | None:
    """Return a column type that is written as SQL, None when it cannot be read."""
    found = operations(f"ALTER TABLE t ALTER c TYPE {sql}")
    return next((each.type for each in found if isinstance(each, op.AlterColumnType)), None)


def _scripts(folder: Path, paths: list[Path], reading: Reading) -> list[Script]:
    """Tell migrations from other SQL by their names; in a folder that the user named, plain names count too."""
    if skipped_dialect(folder, reading):
        return []
    named = [script for path in paths if (script := _named(path))]
    known = {script.path for script in named}
    own = {(script.revision, script.down) for script in named if script.dialect == dialects.POSTGRESQL}
    named = [script for script in named if not _for_another(script, own, reading)]
    if named and (reading.single or folder.name.lower() in FOLDERS or folder == reading.root or _is_history(named)):
        for path in paths:
            if path not in known:
                reading.skip(path, "is named like no migration, so it is not judged")
        return [_of_release(script, folder) for script in named] if folder != reading.root else named
    if _is_release(folder):
        return [_of_release(_plain(path), folder) for path in paths]
    if reading.single or folder == reading.root or folder.name.lower() in FOLDERS:
        return [_plain(path) for path in paths]
    return []


def _for_another(script: Script, own: Collection[tuple[str, bool]], reading: Reading) -> bool:
    """Whether a file is for another database, or the general one beside PostgreSQL's `own`: `x.sql`, `x.postgres.sql`."""
    if script.dialect not in ("", dialects.POSTGRESQL):
        reading.skip(script.folder, f"holds files for {script.dialect}, which are not read yet")
        return True
    return not script.dialect and (script.revision, script.down) in own


def _is_release(folder: Path) -> bool:
    """Whether a folder is one of several that are named like versions, each with the changes of one (`versioned/v1.2/`)."""
    if not _RELEASE.fullmatch(folder.name):
        return False
    return sum(bool(_RELEASE.fullmatch(beside.name)) for beside in folder.parent.iterdir() if beside.is_dir()) > 1


def _is_history(named: list[Script]) -> bool:
    """A folder of any name is a history when its first migration says so, or when it has the first of a series."""
    return (
        named[0].tool != "sql"
        or any(int(re.sub(r"\D", "", script.version) or 0) <= 1 for script in named)
        or len(named) > 1
    )


def skipped_dialect(folder: Path, reading: Reading) -> str:
    """Return the database that a folder is for when it is one that is not read, and note that; else nothing."""
    dialect, said_by = dialects.of_folder(folder, reading.root)
    if dialect in ("", dialects.POSTGRESQL):
        return ""
    reading.skip(said_by, f"holds migrations for {dialect}, which are not read yet")
    return dialect


def _named(path: Path) -> Script | None:
    name, folder = path.name, path.parent
    if flyway := _FLYWAY.fullmatch(name):
        version = flyway["version"].replace("_", ".")
        return Script(path, folder, version, version, _natural(version), "flyway", down=flyway["kind"] in "Uu")
    if _REPEATABLE.fullmatch(name):
        return Script(path, folder, path.stem, path.stem, ((2, path.stem),), "flyway")
    if name in ("up.sql", "down.sql", "migration.sql") and (numbered := _NUMBERED.fullmatch(f"{folder.name}.sql")):
        tool: Tool = "prisma" if name == "migration.sql" else "diesel"
        key = ((1, folder.name if tool == "prisma" else folder.name.replace("-", "")),)
        return Script(path, folder.parent, folder.name, numbered["version"], key, tool, down=name == "down.sql")
    directed = _direction(path)
    if numbered := _NUMBERED.fullmatch(f"{directed['stem']}.sql" if directed else name):
        stem, dialect = dialects.of_stem(directed["stem"] if directed else path.stem)
        down = bool(directed) and directed["direction"].lower() == "down" if directed else False
        tool = "golang-migrate" if directed else "sql"
        return Script(path, folder, stem, numbered["version"], _natural(stem), tool, down, dialect)
    return None


def _direction(path: Path) -> re.Match[str] | None:
    """Tell ups from downs: `.up.sql` always, `_up.sql` only beside its `_down.sql` (a file may just be named tidy_up)."""
    directed = _DIRECTED.fullmatch(path.name)
    if directed is None or directed["mark"] == ".":
        return directed
    other = "down" if directed["direction"].lower() == "up" else "up"
    return directed if path.with_name(f"{directed['stem']}{directed['mark']}{other}.sql").is_file() else None


def _of_release(script: Script, folder: Path) -> Script:
    """A folder that is named like a version (0.17) is one part of the history of the folder above it."""
    if script.folder != folder or not _RELEASE.fullmatch(folder.name):
        return script
    key = (*_natural(folder.name), (2, ""), *script.key)
    revision = f"{folder.name}/{script.revision}"
    version = f"{folder.name}/{script.version}" if script.version else ""
    return replace(script, folder=folder.parent, key=key, revision=revision, version=version)


def _plain(path: Path) -> Script:
    return Script(path, path.parent, path.stem, "", _natural(path.stem), "sql")


def _natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """Order numbers by value: 2 before 10, 1.9 before 1.10."""
    parts = (part for part in _DIGITS.split(text) if part)
    return tuple((0, int(part)) if part.isdigit() and part.isascii() else (1, part) for part in parts)


def _migrations(scripts: list[Script], reading: Reading) -> Iterator[Migration]:
    """Pair ups and downs by revision and read each file."""
    versions: dict[str, Script] = {}
    for revision, group in groupby(scripts, key=lambda script: script.revision):
        migration: Migration | None = None
        for script in sorted(group, key=lambda one: one.down):
            text = reading.text(script.path)
            if text is None:
                continue
            if not script.down:
                _same_version(script, versions, reading)
            read = _read(script, text, reading)
            if migration is None:
                migration = Migration(revision, reading.name(script.path), read.tool)
            migration = replace(
                migration,
                up=migration.up + read.up,
                down=migration.down + read.down,
                one_way=migration.one_way or bool(_ONE_WAY.search(text)) or (script.down and not text.strip()),
            )
        if migration:
            yield migration


def _same_version(script: Script, versions: dict[str, Script], reading: Reading) -> None:
    # Prisma knows a migration by the whole name of its folder.
    first = versions.setdefault(script.version, script) if script.version and script.tool != "prisma" else script
    if first is not script:
        message = (
            f"{script.revision} has the version {script.version} of {first.revision}: "
            "which of them runs first, or at all, is up to the tool"
        )
        reading.refuse(ORDER_UNKNOWN, Location(reading.name(script.path)), message)


def _read(script: Script, text: str, reading: Reading) -> Migration:
    name = reading.name(script.path)
    tool: Tool = "goose" if _GOOSE.search(text) else "dbmate" if _DBMATE.search(text) else script.tool
    up: list[Action] = []
    down: list[Action] = []
    for is_down, body, options in _sections(text, script.down):
        found = operations(body)
        transactional = _transactional(tool, script, text, options, found)
        (down if is_down else up).extend(Action(operation, name, transactional) for operation in found)
    return Migration(script.revision, name, tool, tuple(up), tuple(down))


def _sections(text: str, down: bool) -> Iterator[tuple[bool, str, str]]:
    """Yield (is down, text, options of the marker) for each section, line numbers kept."""
    marks = list(_SECTION.finditer(text))
    if not marks:
        yield down, text, ""
        return
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        yield mark[1].lower() == "down", "\n" * text.count("\n", 0, mark.end()) + text[mark.end() : end], mark[2]


def _transactional(tool: Tool, script: Script, text: str, options: str, found: Iterable[op.Operation]) -> bool | None:
    """Say whether the tool runs these operations in a transaction, as its own manual has it; None when nobody knows."""
    if f"{dialects.AUTOCOMMIT}." in script.path.name:
        return False
    if _NO_TRANSACTION.search(text) or re.search(r"transaction:\s*false|notransaction", options):
        return False
    if tool in ("goose", "dbmate"):
        return True
    statements = {operation.statement for operation in found if not isinstance(operation, op.Transaction)}
    if tool in ("golang-migrate", "prisma"):
        # The whole file is sent as one query: several statements make an implicit transaction block.
        return True if len(statements) > 1 else None
    if tool == "diesel":
        return not _metadata_says_no(script.path.parent / "metadata.toml")
    if tool == "flyway":
        # Flyway runs a script without a transaction when all of its statements demand that, and refuses a mixture.
        alone = all(getattr(operation, "concurrently", False) for operation in found)
        return not (alone or _metadata_says_no(script.path.with_name(f"{script.path.name}.conf")))
    return None


def _metadata_says_no(path: Path) -> bool:
    """Whether diesel's metadata.toml or Flyway's script configuration switches the transaction off."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(re.search(r"(?im)^\s*(?:run_in_transaction|executeInTransaction)\s*=\s*false\b", text))
