"""What the name of a SQL file says of its part in a migration: its place, its tool, up or down, its database."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from backendgen import files
from backendgen.migrate.history import Tool
from backendgen.migrate.readers import dialects, flyway
from backendgen.sql.cursor import Dialect

_NUMBERED = re.compile(r"(?P<version>\d{4}([-_])\d\d\2\d\d\2\d+(?:-\d+)*|\d+(?:[.-]\d+)*)(?!\d).*\.sql", re.IGNORECASE)
_DIRECTED = re.compile(r"(?P<stem>.+)(?P<mark>[._-])(?P<direction>up|down)\.sql", re.IGNORECASE)
_RELEASE = re.compile(r"v?\d+(?:\.\d+)*", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Script:
    """One file's part in a migration: `key` orders it, `revision` pairs an up with its down.

    `kind` is Flyway's: V, U, B, R, or C for a callback; `rules` are Flyway's settings there.
    """

    path: Path
    folder: Path
    revision: str
    version: str
    key: tuple[tuple[int, int | str], ...]
    tool: Tool
    down: bool = False
    dialect: str = ""  # as its name says
    server: Dialect = "postgresql"
    kind: str = "V"
    rules: flyway.Settings = flyway.DEFAULTS


def named_script(path: Path, rules: flyway.Settings = flyway.DEFAULTS) -> Script | None:
    """Return the part in a migration that a file's name gives it, None when it is named like none."""
    name, folder = path.name, path.parent
    if said := rules.name(name):
        return _of_flyway(path, said, rules)
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


def _of_flyway(path: Path, said: flyway.Name, rules: flyway.Settings) -> Script:
    key = {"R": ((2, said.description),), "C": ((3, path.stem),)}.get(said.kind) or _natural(said.version)
    revision = path.stem if said.kind in "RC" else said.version
    version = said.version or path.stem
    return Script(path, path.parent, revision, version, key, "flyway", said.kind == "U", kind=said.kind, rules=rules)


def _direction(path: Path) -> re.Match[str] | None:
    """Tell ups from downs: `.up.sql` always, `_up.sql` only beside its `_down.sql` (a file may just be named tidy_up)."""
    directed = _DIRECTED.fullmatch(path.name)
    if directed is None or directed["mark"] == ".":
        return directed
    other = "down" if directed["direction"].lower() == "up" else "up"
    return directed if files.is_file(path.with_name(f"{directed['stem']}{directed['mark']}{other}.sql")) else None


def is_release(folder: Path) -> bool:
    """Whether a folder is one of several that are named like versions, each with the changes of one (`versioned/v1.2/`)."""
    if not _RELEASE.fullmatch(folder.name):
        return False
    return sum(bool(_RELEASE.fullmatch(beside.name)) for beside in files.folders_in(folder.parent)) > 1


def of_release(script: Script, folder: Path) -> Script:
    """A folder that is named like a version (0.17) is one part of the history of the folder above it."""
    if script.folder != folder or script.tool == "flyway" or not _RELEASE.fullmatch(folder.name):
        return script
    key = (*_natural(folder.name), (2, ""), *script.key)
    revision = f"{folder.name}/{script.revision}"
    version = f"{folder.name}/{script.version}" if script.version else ""
    return replace(script, folder=folder.parent, key=key, revision=revision, version=version)


def plain_script(path: Path) -> Script:
    """Return the part of a file that is ordered by the whole of its name."""
    return Script(path, path.parent, path.stem, "", _natural(path.stem), "sql")


def _natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """Order numbers by value: 2 before 10, 1.9 before 1.10."""
    parts = (part for part in _DIGITS.split(text) if part)
    return tuple((0, int(part)) if part.isdigit() and part.isascii() else (1, part) for part in parts)
