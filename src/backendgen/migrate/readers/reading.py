"""The files beneath a path: found once, read once, never written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from backendgen import files
from backendgen.errors import Problem, UserError
from backendgen.findings.finding import Location
from backendgen.migrate.history import Refusal

Progress = Callable[[str], None]

UNREADABLE = "BG901"
PASSED_OVER = frozenset(
    {"node_modules", "venv", "env", "site-packages", "__pycache__", "vendor", "dist", "build", "target"}
)
MIGRATION_FOLDERS = frozenset({"migrations", "migration", "migrate", "changelogs"})
_READ = (".sql", ".py")
_SMALL = 16_384  # bytes
_LANGUAGES = (".go", ".ts", ".js", ".mjs", ".cjs", ".rb", ".exs", ".java", ".kt", ".php", ".cs")
_CHANGELOGS = (".xml", ".yaml", ".yml", ".json")
_CHANGELOG = re.compile(r"change[-_.]?(?:log|set)|liquibase", re.IGNORECASE)


class Notes(NamedTuple):
    """What was read: the texts by name, what could not be, and what was left out."""

    sources: dict[str, str]
    refusals: list[Refusal]
    skipped: list[Problem]


@dataclass(slots=True)
class Reading:
    """What a run has found and read so far. `root` is the scanned folder, or the folder of the one scanned file.

    `beside` are files of other kinds that may say what the SQL means (a plan, a changelog), or be migrations that are not
    read. `used` are the SQL files that Python migrations run, `claimed` those that another reader has taken. `reader` is
    the one that the user named, `dialect` the database.
    """

    root: Path
    found: tuple[Path, ...]
    single: bool = False
    beside: tuple[Path, ...] = ()
    reader: str = ""
    dialect: str = ""
    progress: Progress | None = None
    sources: dict[str, str] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)
    used: set[Path] = field(default_factory=set)
    claimed: set[Path] = field(default_factory=set)
    _tops: set[Path] = field(default_factory=set)
    _small: dict[Path, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, exclude: tuple[str, ...] = (), reader: str = "", dialect: str = "") -> Reading:
        """Find the files at or beneath a path that readers know, links to folders and excluded files left out."""
        path = path.absolute()
        if not files.is_folder(path):
            alone = (path,)
            is_beside = _is_beside(str(path.parent), path.name)
            kept = alone if is_beside else ()
            return cls(path.parent, alone, single=True, beside=kept, reader=reader, dialect=dialect)
        found = _found(path)
        if exclude:
            import pathspec

            spec = pathspec.GitIgnoreSpec.from_lines(exclude)
            found = (file for file in found if not spec.match_file(file.relative_to(path).as_posix()))
        every = tuple(found)
        beside = tuple(file for file in every if file.suffix not in _READ)
        read = tuple(file for file in every if file.suffix in _READ) if beside else every
        return cls(path, read, beside=beside, reader=reader, dialect=dialect)

    def above(self, folder: Path) -> Iterator[Path]:
        """Yield a folder and those above it, up to the project's own (it holds .git), or to the scanned root."""
        chain = (folder, *folder.parents)
        if not self._tops:
            root = next((each for each in (self.root, *self.root.parents) if files.exists(each / ".git")), self.root)
            self._tops.add(root)
        for each in chain if any(top in chain for top in self._tops) else (folder,):
            yield each
            if each in self._tops:
                return

    def name(self, path: Path) -> str:
        """Return a path as reports show it: relative to the root, with forward slashes."""
        inside = str(path).removeprefix(f"{self.root}{os.sep}")
        return (inside if inside != str(path) else os.path.relpath(path, self.root)).replace(os.sep, "/")

    def text(self, path: Path) -> str | None:
        """Return a file's text; None, with a refusal noted, when it cannot be read."""
        name = self.name(path)
        if name in self.sources:
            return self.sources[name]
        try:
            small = self._small.pop(path, None)
            text = files.read_text(path) if small is None else files.decode(small, str(path))
        except UserError as error:
            problem = error.problems[0]
            self.refuse(UNREADABLE, Location(name, problem.line or 1, problem.column or 1), f"{name} {problem.message}")
            return None
        self.sources[name] = text
        if self.progress and len(self.sources) % 200 == 0:
            self.progress(f"reading files: {len(self.sources)}")
        return text

    def head(self, path: Path) -> bytes:
        """Return how a file begins, nothing of one that cannot be read; a small one is kept until its text is wanted."""
        if path in self._small:
            return self._small[path]
        begin = files.head(path, _SMALL)
        if 0 < len(begin) < _SMALL:
            self._small[path] = begin
        return begin

    def content(self, path: Path, home: str) -> bytes:
        """Return a file's bytes, none when it cannot be read; in a folder named `home` that is noted as a refusal."""
        try:
            return files.read_bytes(path)
        except UserError:
            if path.parent.name == home:
                self.text(path)
            return b""

    def refuse(self, rule_id: str, location: Location, message: str) -> None:
        """Note what could not be read or ordered, once for each place."""
        refusal = Refusal(rule_id, location, message)
        if refusal not in self.refusals:
            self.refusals.append(refusal)

    @contextmanager
    def apart(self) -> Iterator[Notes]:
        """Keep apart what the block notes, as if nothing had been noted before; the texts are those that it reads first."""
        refusals, skipped, known = self.refusals, self.skipped, len(self.sources)
        notes = Notes({}, [], [])
        self.refusals, self.skipped = notes.refusals, notes.skipped
        try:
            yield notes
        finally:
            self.refusals, self.skipped = refusals, skipped
            notes.sources.update(islice(self.sources.items(), known, None))

    def take(self, notes: Notes) -> None:
        """Note what was read apart."""
        self.sources.update(notes.sources)
        self.refusals += (one for one in notes.refusals if one not in self.refusals)
        self.skipped += (one for one in notes.skipped if one not in self.skipped)

    def skip(self, path: Path, reason: str) -> None:
        """Note a file or folder that was left out on purpose, once."""
        problem = Problem(reason, self.name(path))
        if problem not in self.skipped:
            self.skipped.append(problem)


def _found(root: Path) -> Iterator[Path]:
    """Walk without following links to folders, so that a loop of links ends."""
    for folder, names, leaves in files.walk(root):
        names[:] = (name for name in names if not name.startswith(".") and name not in PASSED_OVER)
        yield from (Path(folder, leaf) for leaf in leaves if leaf.endswith(_READ) or _is_beside(folder, leaf))


def _is_beside(folder: str, leaf: str) -> bool:
    """Whether a file may be a plan, a changelog, or a migration in a language that is not read."""
    if leaf.endswith(".plan"):
        return True
    if leaf.endswith(_CHANGELOGS):
        return bool(_CHANGELOG.search(folder) or _CHANGELOG.search(leaf))
    return leaf.endswith(_LANGUAGES) and Path(folder).name.lower() in MIGRATION_FOLDERS


def setting_text(path: Path) -> str:
    """Return the text of a configuration file beside migrations, empty when there is none that can be read."""
    return files.text_of(path, limit=1_000_000)
