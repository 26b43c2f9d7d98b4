"""What git knows of a project: what changed since a revision, and the text that a file had then.

The repository may be a stranger's: nothing that its configuration names (hooks, file-system monitors, diff drivers) is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backendgen import process
from backendgen.errors import Problem, UserError

Change = Literal["added", "modified", "deleted"]

_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false")
_TIMEOUT = 60
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

    def text(self, path: Path) -> str | None:
        """Return the text that a file had, None when it was not there or is no UTF-8."""
        name = path.relative_to(self.root).as_posix()
        done = process.run(_git(self.root, "show", "--no-textconv", f"{self.commit}:{name}"), timeout=_TIMEOUT)
        try:
            return done.stdout.decode("utf-8-sig") if done.code == 0 else None
        except UnicodeDecodeError:
            return None


def base(path: Path, revision: str) -> Base:
    """Return the point where the present work left `revision`: their merge base, or `revision` itself when there is none.

    Raises UserError when the path is in no git repository, or the revision is not known to it.
    """
    folder = (path if path.is_dir() else path.parent).resolve()
    root = process.run(_git(folder, "rev-parse", "--show-toplevel"), timeout=_TIMEOUT)
    if root.code:
        raise UserError(Problem("is in no git repository, so nothing can be compared with a revision", str(path)))
    top = Path(root.stdout.decode().rstrip("\n"))
    named = process.run(_git(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"), timeout=_TIMEOUT)
    if named.code or revision.startswith("-"):
        hint = (
            f"fetch it first (git fetch origin {revision.removeprefix('origin/')}); in CI, check out the whole history"
        )
        raise UserError(Problem(f"git knows no revision '{revision}'", str(path), hint=hint))
    commit = named.stdout.decode().strip()
    shared = process.run(_git(top, "merge-base", commit, "HEAD"), timeout=_TIMEOUT)
    return Base(top, shared.stdout.decode().strip() if shared.code == 0 else commit)


def _git(folder: Path, *arguments: str) -> list[str | Path]:
    return ["git", "-C", folder, "--no-optional-locks", *_SAFE, *arguments]


def _run(folder: Path, *arguments: str) -> str:
    done = process.run(_git(folder, *arguments), timeout=_TIMEOUT)
    if done.code:
        raise UserError(
            Problem(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}", str(folder))
        )
    return done.stdout.decode(errors="surrogateescape")


def _words(output: str) -> Iterator[str]:
    return (word for word in output.split("\0") if word)


def _pairs(output: str) -> Iterator[tuple[str, str]]:
    words = _words(output)
    return zip(words, words, strict=False)
