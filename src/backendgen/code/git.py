"""What git knows of a project: what changed since a revision, and the text that a file had then.

The repository may be a stranger's: nothing that its configuration names (hooks, file-system monitors, diff drivers, remotes
that hold what a partial clone lacks) is run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backendgen import process
from backendgen.errors import Problem, UserError
from backendgen.files import is_folder

Change = Literal["added", "modified", "deleted"]

_SAFE = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false",
    "-c", "protocol.allow=never",
)  # fmt: skip
_TIMEOUT = 60
_HUNK = re.compile(r"@@ -\d+(?:,(?P<gone>\d+))? \+(?P<first>\d+)(?:,(?P<count>\d+))? @@")
_DEEPEN = "fetch the rest (git fetch --unshallow); in CI, check out the whole history (fetch-depth: 0)"
_BATCH = 16_000_000  # bytes of files held at once
_STATUS: dict[str, Change] = {"A": "added", "M": "modified", "T": "modified", "D": "deleted"}


@dataclass(frozen=True, slots=True)
class Base:
    """A project's state at a revision. `root` is the repository's top folder, `commit` the full id."""

    root: Path
    commit: str

    def changes(self, folder: Path) -> dict[Path, Change]:
        """Return what differs now beneath a folder, committed or not: real absolute path to what happened to the file."""
        inside = str(folder.resolve())
        names = _run(
            self.root, "diff", "--name-status", "--no-renames", "--no-ext-diff", "-z", self.commit, "--", inside
        )
        untracked = _run(self.root, "ls-files", "--others", "--exclude-standard", "-z", "--", inside)
        found = {self.root / name: _STATUS.get(status[:1], "modified") for status, name in _pairs(names)}
        found.update({self.root / name: "added" for name in _words(untracked)})
        return found

    def lines(self, folder: Path) -> dict[Path, frozenset[int] | None]:
        """Return the lines of each file beneath a folder that differ now: new, changed, and those beside what is gone.

        None for a file that git does not know: all of its lines are new.
        """
        inside = str(folder.resolve())
        options = ("--unified=0", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--diff-filter=d")
        prefixes = ("--src-prefix=a/", "--dst-prefix=b/")
        shown = _run(self.root, "diff", *options, *prefixes, self.commit, "--", inside)
        untracked = _run(self.root, "ls-files", "--others", "--exclude-standard", "-z", "--", inside)
        found: dict[Path, frozenset[int] | None] = {self.root / name: lines for name, lines in _hunks(shown)}
        return found | {self.root / name: None for name in _words(untracked)}

    def text(self, path: Path) -> str | None:
        """Return the text that a file had, None when it was not there or is no UTF-8."""
        name = path.relative_to(self.root).as_posix()
        done = process.run(_git(self.root, "show", "--no-textconv", f"{self.commit}:{name}"), timeout=_TIMEOUT)
        try:
            return done.stdout.decode("utf-8-sig") if done.code == 0 else None
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder as it was at a revision. `root` is the repository's top folder, `folder` the path in it, or `.`."""

    root: Path
    commit: str
    folder: str

    def files(self, wanted: Callable[[str, int], bool]) -> Iterator[tuple[str, bytes]]:
        """Yield (path relative to the folder, content) of the regular files that are wanted by path and size."""
        listed = _run(
            self.root, "ls-tree", "-r", "-z", "--long", f"{self.commit}:{'' if self.folder == '.' else self.folder}"
        )
        batch: dict[str, str] = {}
        held = 0
        for line in _words(listed):
            about, _, name = line.partition("\t")
            mode, _, identity, size = about.split()
            if mode.startswith("100") and size.isdigit() and wanted(name, int(size)):
                batch[name] = identity
                held += int(size)
            if held > _BATCH:
                yield from self._contents(batch)
                batch, held = {}, 0
        yield from self._contents(batch)

    def _contents(self, batch: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
        asked = "".join(f"{identity}\n" for identity in batch.values()).encode()
        done = process.run(_git(self.root, "cat-file", "--batch"), timeout=_TIMEOUT, stdin=asked)
        output, at = done.stdout, 0
        for name in batch:
            end = output.find(b"\n", at)
            head = output[at:end].split()
            if end < 0 or len(head) != 3:  # "<id> missing": a partial clone
                raise UserError(
                    Problem(f"git has no content of {name} at {self.commit[:12]}; fetch it first", str(self.root))
                )
            size = int(head[2])
            yield name, output[end + 1 : end + 1 + size]
            at = end + size + 2


def standing(path: Path) -> Literal["tracked", "ignored", "untracked", "outside"]:
    """Tell what git knows of a file; `outside` when it is in no repository, or there is no git."""
    try:
        if process.run(_git(path.parent, "rev-parse", "--is-inside-work-tree"), timeout=_TIMEOUT).code:
            return "outside"
        if not process.run(_git(path.parent, "ls-files", "--error-unmatch", "--", path.name), timeout=_TIMEOUT).code:
            return "tracked"
        ignored = process.run(_git(path.parent, "check-ignore", "--quiet", "--", path.name), timeout=_TIMEOUT).code == 0
    except UserError:
        return "outside"
    return "ignored" if ignored else "untracked"


def snapshot(path: Path, revision: str) -> Snapshot:
    """Return a folder as it was at a revision.

    Raises UserError when it is in no git repository, the revision is not known to it, or had no such folder.
    """
    top, commit = _resolved(path, revision)
    folder = Path(os.path.relpath(path.resolve(), top)).as_posix()
    if folder != "." and process.run(_git(top, "cat-file", "-e", f"{commit}:{folder}"), timeout=_TIMEOUT).code:
        raise UserError(Problem(f"was not there at {revision}", str(path)))
    return Snapshot(top, commit, folder)


def base(path: Path, revision: str) -> Base:
    """Return the point where the present work left `revision`: their merge base, or `revision` itself when there is none.

    Raises UserError when the path is in no git repository, the revision is not known to it, or the clone is too shallow.
    """
    top, commit = _resolved(path, revision)
    shared = process.run(_git(top, "merge-base", commit, "HEAD"), timeout=_TIMEOUT)
    if shared.code == 0:
        return Base(top, shared.stdout.decode().strip())
    if _is_shallow(top):  # what came to `revision` since would look as if it were gone here
        raise UserError(
            Problem(f"the clone is too shallow to tell where the present work left {revision}", str(path), hint=_DEEPEN)
        )
    return Base(top, commit)


def _is_shallow(top: Path) -> bool:
    return _run(top, "rev-parse", "--is-shallow-repository").strip() == "true"


def _resolved(path: Path, revision: str) -> tuple[Path, str]:
    """Return the top folder of the repository around a path, and the full id of a revision."""
    folder = next(each for each in (path.resolve(), *path.resolve().parents) if is_folder(each))
    root = process.run(_git(folder, "rev-parse", "--show-toplevel"), timeout=_TIMEOUT)
    if root.code:
        raise UserError(Problem("is in no git repository, so nothing can be compared with a revision", str(path)))
    top = Path(root.stdout.decode().rstrip("\n"))
    named = process.run(_git(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"), timeout=_TIMEOUT)
    if named.code or revision.startswith("-"):
        raise UserError(Problem(f"git knows no revision '{revision}'", str(path), hint=_advice(top, revision)))
    return top, named.stdout.decode().strip()


def _advice(top: Path, revision: str) -> str:
    if ".." in revision:
        return "give one revision, not a range: what came since is what HEAD and the working tree have more"
    if not re.fullmatch(r"\w[\w./-]*", revision) or revision.startswith("HEAD"):
        return _DEEPEN if _is_shallow(top) else "give a branch, a tag or a commit"
    return f"fetch it first (git fetch origin {revision.removeprefix('origin/')}); in CI, check out the whole history"


def _git(folder: Path, *arguments: str) -> list[str | Path]:
    return ["git", "-C", folder, "--no-optional-locks", *_SAFE, *arguments]


def _run(folder: Path, *arguments: str) -> str:
    done = process.run(_git(folder, *arguments), timeout=_TIMEOUT)
    if done.code:
        raise UserError(
            Problem(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}", str(folder))
        )
    return done.stdout.decode(errors="surrogateescape")


def _hunks(shown: str) -> Iterator[tuple[str, frozenset[int]]]:
    """Yield the files of a diff without context, each with its lines that differ."""
    name, lines, skip = "", set[int](), 0
    for line in shown.split("\n"):
        if skip:  # a line of the text, whatever it looks like
            skip -= not line.startswith("\\")
            continue
        if line.startswith("diff --git "):
            if name:
                yield name, frozenset(lines)
            name, lines = "", set()
        elif line.startswith("+++ "):
            name = _unquoted(line[4:].rstrip("\t")).removeprefix("b/")
        elif hunk := _HUNK.match(line):
            gone, first, count = int(hunk["gone"] or 1), int(hunk["first"]), int(hunk["count"] or 1)
            skip = gone + count
            lines.update(range(first, first + count) if count else (first, first + 1))
    if name:
        yield name, frozenset(lines)


def _unquoted(name: str) -> str:
    """Return a name as it is: git puts one with quotes or control characters between quotes."""
    if not name.startswith('"'):
        return name
    return name[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")


def _words(output: str) -> Iterator[str]:
    return (word for word in output.split("\0") if word)


def _pairs(output: str) -> Iterator[tuple[str, str]]:
    words = _words(output)
    return zip(words, words, strict=False)
