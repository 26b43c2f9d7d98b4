"""The source files of an application in any language: as they are in a folder, or as they were at a git revision.

Left out: tests, migrations, and what a project leaves out (see `project`). Nothing is parsed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backendgen.code import git
from backendgen.code.project import BUILT, LEFT_OUT, TEST_FOLDERS, Hole, is_test, walk
from backendgen.errors import Problem, UserError
from backendgen.files import MAX_TEXT_BYTES, exists, is_folder, read_bytes

SUFFIXES = frozenset({
    "py", "sql", "prisma", "ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs", "go", "rb", "java", "kt", "scala", "rs",
    "php", "cs", "ex", "exs",
})  # fmt: skip
_TEST = re.compile(r".*(?:_test\.go|[._-](?:test|spec)s?\.\w+|(?:Test|Tests|Spec|IT)\.(?:java|kt|scala|cs|php))")
_TESTS = TEST_FOLDERS | {"__tests__", "__mocks__", "testdata", "fixtures"}
_MIGRATIONS = frozenset({"migrations", "migration", "migrate", "alembic"})


@dataclass(frozen=True, slots=True)
class Source:
    """A file: `path` is relative to the code's folder, with forward slashes."""

    path: str
    content: bytes


@dataclass(slots=True)
class Code:
    """The code beneath a folder; at a git revision when one is named. `skipped` is what could not be read."""

    folder: Path
    revision: str = ""
    exclude: tuple[str, ...] = ()
    skipped: list[Problem] = field(default_factory=list)

    def sources(self) -> Iterator[Source]:
        """Read the files, one after the other. Raises UserError when the folder or the revision is not there."""
        if self.revision:
            return self._committed()
        if not is_folder(self.folder):
            what = "is no folder; name the one that holds the code" if exists(self.folder) else "no such folder"
            raise UserError(Problem(what, str(self.folder)))
        return self._present()

    def _present(self) -> Iterator[Source]:
        holes: list[Hole] = []
        for path in walk(self.folder, self.exclude, _is_source, self.skipped, holes):
            name = path.relative_to(self.folder).as_posix()
            if not is_searched(name):
                continue
            try:
                yield Source(name, read_bytes(path))
            except UserError as error:
                self.skipped += error.problems
        self.skipped += [Problem(hole.message, str(self.folder / hole.path)) for hole in holes]

    def _committed(self) -> Iterator[Source]:
        left_out = _excluded(self.exclude)

        def wanted(name: str, size: int) -> bool:
            if not is_searched(name) or left_out(name):
                return False
            if size > MAX_TEXT_BYTES:
                self.skipped.append(Problem(f"is larger than {MAX_TEXT_BYTES:,} bytes", name))
            return size <= MAX_TEXT_BYTES

        for name, content in git.snapshot(self.folder, self.revision).files(wanted):
            yield Source(name, content)


def is_searched(path: str) -> bool:
    """Is this a source file that runs in production: no test, no migration, nobody else's code?"""
    *folders, name = path.split("/")
    if not _is_source(name) or is_test(path) or _TEST.fullmatch(name):
        return False
    if folders and folders[0] in BUILT:
        return False
    return not any(each in LEFT_OUT or each in _TESTS or each in _MIGRATIONS or each[:1] == "." for each in folders)


def _is_source(name: str) -> bool:
    return name.rpartition(".")[2] in SUFFIXES and not name.endswith((".min.js", ".d.ts"))


def _excluded(patterns: Iterable[str]) -> Callable[[str], bool]:
    lines = [line for line in patterns if line.strip()]
    if not lines:
        return lambda _: False
    import pathspec

    return pathspec.GitIgnoreSpec.from_lines(lines).match_file
