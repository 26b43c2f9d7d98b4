"""Names of new migrations: after the one that they come from, before the next, in the style of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from backendgen.migrate.readers.naming import Script, named_script, plain_script

_LAST_NUMBER = re.compile(r"\d+$")
_STAMP = 14  # digits of a version that is a time to the second


@dataclass(slots=True)
class Folder:
    """The migrations of one folder, and those that are about to be written there."""

    scripts: list[Script] = field(default_factory=list)

    @classmethod
    def of(cls, script: Script) -> Folder:
        """Read the names beside a migration."""
        paths = script.folder.glob("*/*.sql" if _has_a_folder(script) else "*.sql")
        return cls([found for path in sorted(paths) if (found := script_of(path)).folder == script.folder])

    def last(self) -> Script:
        """Return the migration with the highest number, or the last one where they have none."""
        ups = [one for one in self.scripts if not one.down]
        return max([one for one in ups if one.version[:1].isdigit()] or ups, key=lambda one: one.key)

    def following(self, script: Script, word: str, origin: Script) -> Script | None:
        """Return a new migration right after another one, None when no number is left between it and the next.

        It is called as `origin` is, with a word more.
        """
        slug = _slug(origin)
        like = script if script.version else origin
        return self._first_free(script, like, _versions(script, origin), f"{slug}_{word}" if slug else word)

    def appended(self, slug: str) -> Script | None:
        """Return a new migration after the last one, None when its number cannot be told."""
        last = self.last()
        # Names without a number would grow with each that is appended: the first of them is the model.
        stem = last.path.stem
        model = min((one for one in self.scripts if stem.startswith(one.path.stem)), key=lambda one: len(one.path.stem))
        return self._first_free(last, last if last.version else model, _next_versions(last), slug)

    def _first_free(self, script: Script, like: Script, versions: Iterable[str], slug: str) -> Script | None:
        later = [one for one in self.scripts if one.key > script.key]
        bound = min((one.key for one in later if one.version != script.version), default=None)
        taken = {one.version for one in self.scripts if one.version}
        for version in versions:
            new = _renamed(like, version, slug)
            if (new.version and new.version in taken) or new.path.exists():
                continue
            if script.key < new.key and (bound is None or new.key < bound):
                self.scripts.append(new)
                return new
        return None


def script_of(path: Path) -> Script:
    """Return what a migration's file says by its name."""
    return named_script(path) or plain_script(path)


def down_of(script: Script) -> Path | None:
    """Return where the down of a migration stands that has a file of its own for it."""
    if script.tool == "diesel":
        return script.path.with_name("down.sql")
    name = re.sub(r"(?i)([._-])up\.sql$", lambda found: f"{found[1]}down.sql", script.path.name)
    return script.path.with_name(name) if name != script.path.name else None


def _has_a_folder(script: Script) -> bool:
    return script.tool in ("diesel", "prisma")


def _versions(script: Script, origin: Script) -> Iterator[str]:
    """Yield the next few numbers, written as the tool reads them; Flyway has room between any two."""
    version = script.version
    if script.tool == "flyway":
        for parent in dict.fromkeys((origin.version, version)):
            yield from (f"{parent}.{more}" for more in range(1, 100))
            yield from (f"{parent}.0.{more}" for more in range(1, 100))
        return
    digits = re.sub(r"\D", "", version)
    if not version:
        yield from (str(more) for more in range(2, 100))
    elif len(digits) == _STAMP and (moment := _moment(digits)):
        for more in range(1, 60):
            moved = iter((moment + timedelta(seconds=more)).strftime("%Y%m%d%H%M%S"))
            yield "".join(next(moved) if one.isdigit() else one for one in version)
    elif last := _LAST_NUMBER.search(version):
        for more in range(1, 10):
            yield version[: last.start()] + str(int(last[0]) + more).zfill(len(last[0]))


def _next_versions(script: Script) -> Iterator[str]:
    """Yield the next few numbers after the last one: its last part grows."""
    if script.tool != "flyway" or len(script.version) == _STAMP:
        yield from _versions(script, script)
        return
    major, dot, last = script.version.rpartition(".")
    yield from (f"{major}{dot}{int(last) + more}" for more in range(1, 100))


def _moment(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _renamed(script: Script, version: str, slug: str) -> Script:
    """Return the script under another version and name, in the same style."""
    stem, ending = (script.path.parent.name, "") if _has_a_folder(script) else _split(script.path)
    if not script.version:
        new = f"{stem}_{version}_{slug}"
    elif script.tool == "flyway":
        number = stem.partition("__")[0]
        shown = version.replace(".", "_") if "_" in number else version
        new = f"{number[0]}{shown}__{slug}"
    else:
        rest = stem[len(script.version) :]
        new = f"{version}{rest[: len(rest) - len(rest.lstrip('_-.'))] or '_'}{slug}"
    if _has_a_folder(script):
        return script_of(script.path.parent.with_name(new) / script.path.name)
    return script_of(script.path.with_name(f"{new}{ending}"))


def _slug(script: Script) -> str:
    """Return what a script is called after its number."""
    stem = script.path.parent.name if _has_a_folder(script) else _split(script.path)[0]
    if script.tool == "flyway":
        return stem.partition("__")[2]
    return stem[len(script.version) :].lstrip("_-.") if script.version else ""


def _split(path: Path) -> tuple[str, str]:
    """Cut a file's name before `.sql`, `.up.sql`, `.postgres.up.sql`, and `_up.sql` where a `_down.sql` stands beside it."""
    found = re.fullmatch(r"(?i)(.+?)((?:\.[a-z]{2,})?([._-]up)?\.sql)", path.name)
    if found is None:
        return path.stem, path.suffix
    if found[3] and not found[3].startswith("."):
        down = path.with_name(re.sub(r"(?i)up(\.sql)$", r"down\1", path.name))
        if not down.exists():
            return path.stem, path.suffix
    return found[1], found[2]
