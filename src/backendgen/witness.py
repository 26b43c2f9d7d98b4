"""What a run has learnt from the file system, so that a later one can tell whether it would learn the same.

`files` notes here whatever it is asked for: what a file held, what a folder lists, what is at a path, where a link leads.
Nothing is noted unless a run is `watched`. What cannot be noted (the answers of programs, of databases) spoils the record.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

Stamp: TypeAlias = tuple[int, int, int, int]  # size, modified, changed (both in ns), inode
ABSENT: Stamp = (-1, 0, 0, 0)
UNSURE: Stamp = (-2, 0, 0, 0)  # equals none: what was just written may be written again in the same tick
FILE, FOLDER, OTHER, NOTHING = "file", "folder", "other", ""


class Seen(NamedTuple):
    """Content that was looked at: how the file or folder was stamped just before, and a digest of what it gave."""

    stamp: Stamp
    digest: str


class Record:
    """What a run asked, and the answers. `files` are by path and by the limit up to which they were read.

    `programs` are those of them that are installed, and none of the project's.
    """

    def __init__(self) -> None:
        self.files: dict[tuple[str, int], Seen] = {}
        self.folders: dict[str, Seen] = {}
        self.kinds: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.programs: set[str] = set()
        self.spoilt = False

    def add(self, other: Record) -> None:
        """Take over what another process has noted."""
        self.files.update(other.files)
        self.folders.update(other.folders)
        self.kinds.update(other.kinds)
        self.links.update(other.links)
        self.programs |= other.programs
        self.spoilt = self.spoilt or other.spoilt


_record: Record | None = None


def watch() -> Record:
    """Note from now on, to the end of the process, all that is asked, in a new record."""
    global _record  # noqa: PLW0603 - the file system is as global
    _record = Record()
    return _record


def unwatch() -> None:
    """Note nothing any more."""
    global _record  # noqa: PLW0603
    _record = None


def current() -> Record | None:
    """Return the record of the present run, None when it is not watched."""
    return _record


def spoil() -> None:
    """Say that the run depends on what cannot be noted, or changes something: it is not to be remembered."""
    if _record:
        _record.spoilt = True


def depend(*programs: str | Path) -> None:
    """Note that the run depends on installed files: a run after they were replaced is another one."""
    if _record:
        for program in programs:
            found = stamp(program)
            _record.files[str(program), 0] = Seen(found, str(found[0]))
            _record.programs.add(str(program))


@contextmanager
def repeatable() -> Iterator[None]:
    """Within the block, programs that are started and files that are written in passing do not spoil the run.

    What they answer depends only on what is noted otherwise: files that were read, and programs that it depends on.
    """
    before = _record.spoilt if _record else False
    yield
    if _record:
        _record.spoilt = before


def stamp(path: str | Path) -> Stamp:
    """Return how a path is stamped now, links followed."""
    try:
        return stamp_of(os.stat(path))  # noqa: PTH116 - pathlib takes three times as long
    except (OSError, ValueError):
        return ABSENT


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp that a status holds."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def kind(path: str | Path) -> str:
    """Return what is at a path, links followed."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return NOTHING
    return FILE if stat.S_ISREG(mode) else FOLDER if stat.S_ISDIR(mode) else OTHER


def digest(content: bytes) -> str:
    """Return the digest of content by which it is compared."""
    from _blake2 import blake2b  # hashlib itself loads OpenSSL: 3 ms

    return blake2b(content, digest_size=16).hexdigest()


def listing(folder: str | Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries by name. Raises OSError when it cannot be listed."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def digest_of(entries: list[os.DirEntry[str]]) -> str:
    """Return the digest of a listing: names, and which of them are folders or links."""
    return digest("\0".join(map(_described, entries)).encode(errors="surrogateescape"))


def _described(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}{'/' if _is_folder(entry) else ''}{'@' if entry.is_symlink() else ''}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
