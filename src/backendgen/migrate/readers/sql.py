"""Folders of SQL files: numbered files, up and down pairs, Flyway, goose, dbmate, golang-migrate, diesel and Prisma.

goose, golang-migrate and Flyway go by numbers, dbmate, diesel and Prisma by names (flyway.py, transactions.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import get_args

from backendgen.files import real
from backendgen.findings.finding import Location
from backendgen.migrate.history import Action, History, Migration, Tool
from backendgen.migrate.readers import flyway, psql, templates, transactions, unreadable
from backendgen.migrate.readers.naming import Script, is_release, named_script, of_release, plain_script
from backendgen.migrate.readers.reading import MIGRATION_FOLDERS, Reading
from backendgen.migrate.readers.servers import for_another, for_servers, skipped_dialect
from backendgen.sql import operation as op
from backendgen.sql.cursor import Dialect
from backendgen.sql.lexer import split
from backendgen.sql.schema import Type

ORDER_UNKNOWN = "BG905"
TOOLS = ("sql", "goose", "sql-migrate", "dbmate", "flyway", "golang-migrate", "diesel", "prisma")
FOLDERS = MIGRATION_FOLDERS
_SECTION = re.compile(
    r"^[ \t]*--[ \t]*(?:\+goose|migrate:|\+migrate)[ \t]*(up|down)\b(.*)$", re.IGNORECASE | re.MULTILINE
)
_GOOSE = re.compile(r"^[ \t]*--[ \t]*\+goose[ \t]", re.IGNORECASE | re.MULTILINE)
_SQL_MIGRATE = re.compile(r"^[ \t]*--[ \t]*\+migrate[ \t]", re.IGNORECASE | re.MULTILINE)
_DBMATE = re.compile(r"^[ \t]*--[ \t]*migrate:", re.IGNORECASE | re.MULTILINE)
_ONE_WAY = re.compile(
    r"--.*(?:irreversibl|not reversible|cannot be (?:undone|reversed|reverted|rolled back))", re.IGNORECASE
)
_DUMPS = frozenset({"schema.sql", "structure.sql"})
_DUMP = re.compile(
    r"^-- (?:Dbmate schema migrations|PostgreSQL database dump)|insert into \S*schema_migrations", re.I | re.M
)
_BY_NUMBER = ("goose", "golang-migrate", "flyway")


@dataclass(frozen=True, slots=True)
class Folder:
    """The scripts of one history, to be read in any process. `weight` says how long that takes, beside others."""

    name: str
    scripts: tuple[Script, ...]

    @property
    def weight(self) -> int:
        """The number of its files: what they hold is not known yet."""
        return len(self.scripts)

    @property
    def dialect(self) -> Dialect:
        """The database that they are for."""
        return self.scripts[0].server

    def read(self, reading: Reading) -> History:
        """Read its files."""
        return _history(self.name, list(self.scripts), reading)


def folders(reading: Reading) -> list[Folder]:
    """Return the folders that hold SQL migrations and that no Alembic revision has used, each that of one history."""
    found = [path for path in reading.found if path.suffix == ".sql"]
    if reading.used:  # to follow links costs a quarter of the time that it takes to parse the file
        found = [path for path in found if real(path) not in reading.used]
    if reading.claimed:
        found = [path for path in found if path not in reading.claimed]
    used_folders = {path.parent for path in reading.used}
    scripts: list[Script] = []
    for folder, group in groupby(found, key=lambda path: path.parent):
        paths = list(group)
        if used_folders and real(folder) in used_folders:
            for path in paths:
                reading.skip(path, "is run by no Python migration beside it, so it is not judged")
        else:
            scripts += _scripts(folder, paths, reading)
    scripts = _at_home([script for script in scripts if not _is_dump(script, len(scripts), reading)], reading)
    scripts.sort(key=lambda script: script.folder)
    together = ((folder, [*group]) for folder, group in groupby(scripts, key=lambda script: script.folder))
    scripts = [script for folder, group in together for script in for_servers(group, folder, reading)]
    scripts.sort(key=lambda script: (script.folder, script.server, script.key, script.path.name))
    found_for = Counter(folder for folder, _ in {(script.folder, script.server) for script in scripts})
    return [
        Folder(_name(folder, server, found_for[folder], reading), tuple(group))
        for (folder, server), group in groupby(scripts, key=lambda script: (script.folder, script.server))
    ]


def _name(folder: Path, server: Dialect, servers: int, reading: Reading) -> str:
    """Return a history's name: its folder, with the database where one folder has files for several."""
    name = reading.name(folder)
    return name if servers == 1 or server == "postgresql" else f"{name} ({server})"


def operations(
    text: str,
    values: Mapping[str, str] | None = None,
    placeholder: re.Pattern[str] | None = None,
    dialect: Dialect = "postgresql",
    spelling: dict[str, str] | None = None,
) -> tuple[op.Operation, ...]:
    """Translate SQL text, its placeholders filled (templates.py); the first text loads the parser.

    `spelling` is the history's (sql.cursor).
    """
    text = templates.fill(text, values, placeholder)
    if dialect == "postgresql":
        from backendgen.sql import postgres

        return postgres.parse(text)
    if dialect == "sqlite":
        from backendgen.sql import sqlite

        return sqlite.parse(text, spelling)
    from backendgen.sql import mysql

    return mysql.parse(text, dialect, spelling)


def column_type(sql: str) -> Type | None:
    """Return a column type that is written as SQL, None when it cannot be read."""
    found = operations(f"ALTER TABLE t ALTER c TYPE {sql}")
    return next((each.type for each in found if isinstance(each, op.AlterColumnType)), None)


def _scripts(folder: Path, paths: list[Path], reading: Reading) -> list[Script]:
    """Tell migrations from other SQL by their names; in a folder that the user named, plain names count too."""
    if skipped_dialect(folder, reading):
        return []
    if reading.reader == "sql":
        named = [replace(script, tool="sql") for path in paths if (script := named_script(path))]
    else:
        named = _as_asked(_named(folder, paths, reading), reading)
    known = {script.path for script in named}
    named = [script for script in named if not (script.tool == "flyway" and _is_left_out(script, reading))]
    named = [script for script in named if not for_another(script, reading)]
    if named and (reading.single or folder.name.lower() in FOLDERS or folder == reading.root or _is_history(named)):
        for path in paths:
            if path not in known:
                reading.skip(path, "is named like no migration, so it is not judged")
        return [of_release(script, folder) for script in named] if folder != reading.root else named
    if is_release(folder):
        return [of_release(script, folder) for script in _plain(paths, reading)]
    if reading.single or folder == reading.root or folder.name.lower() in FOLDERS:
        return _plain(paths, reading)
    return []


def _named(folder: Path, paths: list[Path], reading: Reading) -> list[Script]:
    """Return the files that are named like migrations; Flyway's settings are looked up where a name may be Flyway's."""
    may_be = reading.reader == "flyway" or any(
        "__" in path.name or path.name.startswith(("before", "after")) for path in paths
    )
    rules = flyway.settings(folder, reading) if may_be else flyway.DEFAULTS
    named = [script for path in paths if (script := named_script(path, rules))]
    if any(script.tool == "flyway" and script.kind != "C" for script in named):
        return named
    return [script for script in named if script.kind != "C"]


def _is_left_out(script: Script, reading: Reading) -> bool:
    """Whether Flyway's `migrate` does not run a file, and that is said."""
    if script.kind == "C" and not flyway.runs_with_migrate(script.revision.partition("__")[0]):
        reading.skip(script.path, "is a callback of another command than Flyway's migrate, so it is not judged")
    elif flyway.script_settings(script.path).get("shouldexecute", "").lower() == "false":
        reading.skip(script.path, "is switched off by its shouldExecute=false, so it is not judged")
    else:
        return False
    return True


def _as_asked(named: list[Script], reading: Reading) -> list[Script]:
    """Return the files as those of the tool that the user named; what it would not run is none of its migrations."""
    asked = reading.reader
    if not asked:
        return named
    if asked in ("flyway", "prisma", "diesel"):
        return [script for script in named if script.tool == asked]
    tool = next(each for each in get_args(Tool) if each == asked)
    return [replace(script, tool=tool) for script in named if script.tool not in ("flyway", "prisma", "diesel")]


def _plain(paths: list[Path], reading: Reading) -> list[Script]:
    """Return files that are ordered by their whole names, without those that another one includes (psql's `\\i`)."""
    if reading.reader not in ("", "sql"):
        return []
    inner = {target for path in paths if (text := reading.text(path)) for target in psql.included(text, path, reading)}
    return [plain_script(path) for path in paths if path not in inner]


def _is_dump(script: Script, scripts: int, reading: Reading) -> bool:
    """Whether a file is the dump of the schema that dbmate or Rails keeps beside the migrations."""
    if reading.single or scripts < 2 or script.path.name not in _DUMPS:
        return False
    if script.tool != "sql" or not _DUMP.search(reading.text(script.path) or ""):
        return False
    reading.skip(script.path, "is the dump of a schema, not a migration")
    return True


def _at_home(scripts: list[Script], reading: Reading) -> list[Script]:
    """Put what Flyway finds beneath one location into one history, and the files that dbmate reads in its order."""
    names: dict[Path, list[flyway.Name]] = {}
    for script in scripts:
        if script.tool == "flyway":
            names.setdefault(script.folder, []).append(flyway.Name(script.kind, script.version, script.revision))
    home = flyway.homes(names, reading.root)
    scripts = [
        replace(one, folder=home.get(one.folder, one.folder)) if one.tool == "flyway" else one for one in scripts
    ]
    by_name: dict[Path, bool] = {}
    for script in scripts:
        if script.tool == "sql" and script.folder not in by_name:
            by_name[script.folder] = bool(_DBMATE.search(reading.text(script.path) or ""))
    return [
        replace(one, key=((1, one.path.name),)) if one.tool == "sql" and by_name.get(one.folder) else one
        for one in scripts
    ]


def _history(name: str, scripts: list[Script], reading: Reading) -> History:
    scripts = _from_baseline(scripts, reading)
    rules = scripts[0].rules
    migrations = tuple(_migrations(scripts, reading))
    if scripts[0].tool != "flyway":
        return History(name, migrations, dialect=scripts[0].server)
    bounded = rules.sets_lock_timeout or any(
        isinstance(action.operation, op.SetSetting)
        and (action.operation.name, action.operation.value not in (None, "0")) == ("lock_timeout", True)
        for migration in migrations
        if migration.repeatable and migration.revision.startswith("before")
        for action in migration.up
    )
    return History(
        name, migrations, bounded, takes_late=rules.is_on("outOfOrder"),
        tool_holds_transaction=rules.holds_transaction, dialect=scripts[0].server,
    )  # fmt: skip


def _from_baseline(scripts: list[Script], reading: Reading) -> list[Script]:
    """Databases that are there have run the versions, not the baseline: it counts where those before it are gone."""
    baselines = [script for script in scripts if script.kind == "B"]
    if not baselines:
        return scripts
    last = max(baselines, key=lambda script: script.key)
    older = [one for one in scripts if one.kind == "V" and one.tool == "flyway" and one.key <= last.key]
    for script in baselines:
        if older or script is not last:
            others = f"the versions up to {script.version}" if older else last.path.name
            reading.skip(script.path, f"is where new databases start; {others} are read instead")
    if older:
        return [script for script in scripts if script.kind != "B"]
    return [one for one in scripts if one is last or one.kind in "RC" or (one.kind in "VU" and one.key > last.key)]


def _is_history(named: list[Script]) -> bool:
    """A folder of any name is a history when its first migration says so, or when it has the first of a series."""
    return (
        named[0].tool != "sql"
        or any(int(re.sub(r"\D", "", script.version) or 0) <= 1 for script in named)
        or len(named) > 1
    )


def _migrations(scripts: list[Script], reading: Reading) -> Iterator[Migration]:
    """Pair ups and downs by revision and read each file."""
    versions: dict[str, Script] = {}
    spelling: dict[str, str] = {}
    alone = scripts[0].tool == "golang-migrate" and transactions.multi_statement(scripts[0].path.parent, reading)
    for _, group in groupby(scripts, key=lambda script: script.revision):
        migration: Migration | None = None
        for script in sorted(group, key=lambda one: one.down):
            text = reading.text(script.path)
            if text is None:
                continue
            read = _read(script, text, reading, spelling, multi_statement=alone)
            if not script.down:
                _same_version(
                    script if script.tool == read.tool else replace(script, tool=read.tool), versions, reading
                )
            one_way = says_one_way(text) or (script.down and not text.strip())
            first = migration or read
            if migration or one_way:
                read = replace(
                    first,
                    up=first.up + read.up if migration else read.up,
                    down=first.down + read.down if migration else read.down,
                    one_way=first.one_way or one_way,
                )
            migration = read
        if migration:
            yield migration


def _same_version(script: Script, versions: dict[str, Script], reading: Reading) -> None:
    # Prisma and sql-migrate know a migration by its whole name, the others that are known by a number.
    version = script.version
    if script.tool in _BY_NUMBER and script.kind == "V":
        version = re.sub(r"\b0+(?=\d)", "", version)
    first = versions.setdefault(version, script) if version and script.tool not in ("prisma", "sql-migrate") else script
    if first is not script:
        message = (
            f"{script.revision} has the version {script.version} of {first.revision}: "
            "which of them runs first, or at all, is up to the tool"
        )
        reading.refuse(ORDER_UNKNOWN, Location(reading.name(script.path)), message)


def _read(script: Script, text: str, reading: Reading, spelling: dict[str, str], *, multi_statement: bool) -> Migration:
    name = reading.name(script.path)
    tool = script.tool if reading.reader else _tool(text) or script.tool
    actions: dict[bool, list[Action]] = {False: [], True: []}
    values, placeholder = script.rules.placeholders, script.rules.placeholder
    plain = tool == "sql"

    def translate(body: str) -> tuple[op.Operation, ...]:
        body = templates.fill_variables(body) if plain else body
        found = operations(body, values, placeholder, script.server, spelling)
        return unreadable.condensed(found)

    for section in [Section(script.down, 0, 0, len(text))] if reading.reader == "sql" else sections(text, script.down):
        body = "\n" * text.count("\n", 0, section.start) + text[section.start : section.end]
        found = translate(body)
        mode = transactions.Mode(tool, script.path, text, section.options, script.rules, multi_statement)
        inside = transactions.transactional(mode, found)
        together = frozenset[int]()
        if inside is False and script.server == "postgresql":
            together = transactions.sent_together(body, found)
        for operation, path in psql.followed(found, script.path, reading, translate):
            where = name if path is script.path else reading.name(path)
            alone = inside if operation.statement not in together else True
            actions[section.down].append(Action(operation, where, alone))
    outside = _outside_sections(tool, text)
    actions[False][:0] = [Action(operation, name) for operation in outside]
    return Migration(
        script.revision, name, tool, tuple(actions[False]), tuple(actions[True]), repeatable=script.kind in "RC"
    )


def _may_have_marks(text: str) -> bool:
    """Whether a file may have a tool's markers: most have none, and to look for each of them costs ten times as much."""
    folded = text.lower()
    return "goose" in folded or "migrate" in folded


def _tool(text: str) -> Tool | None:
    """Return the tool whose markers a file has."""
    if not _may_have_marks(text):
        return None
    if _GOOSE.search(text):
        return "goose"
    return "dbmate" if _DBMATE.search(text) else "sql-migrate" if _SQL_MIGRATE.search(text) else None


def _outside_sections(tool: Tool, text: str) -> Iterator[op.Operation]:
    """Yield what stands before the first marker: goose and dbmate refuse such a file."""
    first = _SECTION.search(text) if tool in ("goose", "dbmate") else None
    for statement in split(text[: first.start()]) if first else ():
        reason = f"stands before `{first[0].strip() if first else ''}`: {tool} refuses the file"
        yield op.NotUnderstood(
            reason=reason, sql=statement.text, line=statement.line, column=statement.column, end_line=statement.end_line
        )


def says_one_way(text: str) -> bool:
    """Whether a comment says that what is done cannot be taken back."""
    return bool(_ONE_WAY.search(text))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a file that goes one way: its text from `start` to `end`, after the marker that begins at `mark`."""

    down: bool
    mark: int
    start: int
    end: int
    options: str = ""


def sections(text: str, down: bool) -> list[Section]:
    """Return the sections that goose's and dbmate's markers make; without any, the whole text is one."""
    marks = list(_SECTION.finditer(text)) if _may_have_marks(text) else []
    if not marks:
        return [Section(down, 0, 0, len(text))]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Section(mark[1].lower() == "down", mark.start(), mark.end(), end, mark[2])
        for mark, end in zip(marks, ends, strict=True)
    ]
