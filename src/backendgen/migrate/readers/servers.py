"""Which database the SQL files of a folder are for, and which of them are left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backendgen.migrate.readers import dialects
from backendgen.migrate.readers.naming import Script
from backendgen.migrate.readers.reading import Reading
from backendgen.sql.cursor import Dialect


def skipped_dialect(folder: Path, reading: Reading) -> str:
    """Return the database that a folder is for when it is one that is not read, and note that; else nothing."""
    dialect, said_by = dialects.of_folder(folder, reading.root)
    if not dialect and not reading.dialect:
        dialect, said_by = dialects.of_tool(folder, reading.root)
    if not dialect or (dialect in dialects.READ and not _is_unwanted(dialect, reading)):
        return ""
    reading.skip(said_by, f"holds migrations for {dialect}, {_why_not(dialect, reading)}")
    return dialect


def _is_unwanted(dialect: str, reading: Reading) -> bool:
    """Whether the user named another database; MySQL's migrations may be meant for MariaDB."""
    known = {"mariadb": "mysql"}
    named, wanted = dialects.READ[dialect], reading.dialect
    return bool(wanted) and known.get(named, named) != known.get(wanted, wanted)


def _why_not(dialect: str, reading: Reading) -> str:
    return f"and {reading.dialect} is asked for" if dialect in dialects.READ else "which are not read yet"


def for_another(script: Script, reading: Reading) -> bool:
    """Whether a file is for a database that is not read, or not wanted."""
    name = script.dialect
    if not name or (name in dialects.READ and not _is_unwanted(name, reading)):
        return False
    reading.skip(script.folder, f"holds files for {name}, {_why_not(name, reading)}")
    return True


def for_servers(scripts: list[Script], folder: Path, reading: Reading) -> list[Script]:
    """Say which database each file is for. A general file beside those of certain databases is for all of them, unless one
    has a file of its own of that name: `x.sql`, `x.postgres.sql`.
    """
    general = [script for script in scripts if not script.dialect]
    rest = _server_of(folder, scripts, reading)
    found: list[Script] = []
    names = dict.fromkeys(script.dialect for script in scripts if script.dialect)
    own: dict[Dialect, list[Script]] = {}
    for name in names:
        own[dialects.READ[name]] = [script for script in scripts if script.dialect == name]
    if general:
        own.setdefault(rest, [])
    for server, files in own.items():
        taken = {(script.revision, script.down) for script in files}
        others = [script for script in general if (script.revision, script.down) not in taken]
        found += [one if one.server == server else replace(one, server=server) for one in (*files, *others)]
    return found


def _server_of(folder: Path, scripts: list[Script], reading: Reading) -> Dialect:
    """Return the database of the files that do not say it themselves."""
    if reading.dialect:
        return dialects.told(reading.dialect)
    named, _ = dialects.of_folder(folder, reading.root)
    named = named or dialects.of_tool(folder, reading.root)[0]
    if named in dialects.READ:
        return dialects.READ[named]
    if any(script.dialect for script in scripts):
        return "postgresql"
    texts = (text for script in scripts if not script.down and (text := reading.text(script.path)) is not None)
    return dialects.of_texts(texts)
