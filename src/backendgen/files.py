"""The only writer, and the safe reader: sizes are bounded, writes are atomic, nothing is left half-written."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backendgen.errors import Problem, UserError

MAX_TEXT_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class File:
    """A file to write: `path` is relative, with forward slashes."""

    path: str
    content: bytes
    executable: bool = False


def read_bytes(path: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Return a regular file's bytes. Raises UserError for anything else, an unreadable file, or more than `limit` bytes."""
    try:
        if path.is_dir():
            raise UserError(Problem("is a directory, not a file", str(path)))
        if not path.exists():
            raise UserError(Problem("no such file", str(path)))
        if not path.is_file():
            raise UserError(Problem("is not a regular file", str(path)))
        with path.open("rb") as handle:
            content = handle.read(limit + 1)
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", str(path))) from error
    if len(content) > limit:
        raise UserError(Problem(f"is larger than {limit:,} bytes", str(path)))
    return content


def head(path: Path, size: int) -> bytes:
    """Return the first bytes of a regular file, none of anything else or of a file that cannot be read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as handle:
            return handle.read(size)
    except OSError:
        return b""


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 file's text, without a byte order mark. Raises UserError with the place of the first wrong byte."""
    return decode(read_bytes(path, limit), str(path))


def text_of(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 file's text, empty when there is none that can be read."""
    try:
        return read_text(path, limit)
    except UserError:
        return ""


def decode(content: bytes, name: str) -> str:
    """Decode UTF-8 text; `name` is for the error. Raises UserError with the line and column of the first wrong byte."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        wrong = f"is not UTF-8: byte 0x{content[error.start]:02x} cannot be decoded"
        raise UserError(Problem(wrong, name, line, column, "save the file as UTF-8")) from error


def write(path: Path, content: bytes) -> None:
    """Write one file atomically: readers see the old content or the new. Raises UserError when it cannot.

    A device or a pipe (/dev/stdout, `>(less)`) is written to as it is, and a symbolic link stays one.
    """
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(content)
        except OSError as error:
            raise UserError(Problem(f"cannot be written: {error.strerror or error}", str(path))) from error
        return
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def write_tree(target: Path, files: Iterable[File], *, force: bool = False) -> None:
    """Write a whole directory at once: it is complete or it was not touched.

    The tree is built in a folder of its own and renamed into place. An existing directory stays the same one (somebody may
    stand in it, or have mounted it) and, with `force`, keeps the files that the tree does not name. Raises UserError when
    `target` is a file, or a non-empty directory without `force`, or cannot be written (the message says why; nothing is left
    behind).
    """
    refuse_occupied(target, force=force)
    planned = tuple(files)
    try:
        target = target.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=target if target.is_dir() else target.parent, prefix=f".{target.name}."))
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        for file in planned:
            _place(staging / "tree", file)
        if target.is_dir():
            _replace(target, staging, planned)
        else:
            (staging / "tree").rename(target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(target: Path, staging: Path, files: tuple[File, ...]) -> None:
    """Move the staged files to their places in an existing directory; whatever interrupts it, all moves are undone."""
    for file in files:
        if not (target / file.path).resolve().is_relative_to(target):
            raise UserError(Problem("leads out of the target through a symbolic link; remove the link", file.path))
        if (target / file.path).is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{file.path} is a directory")
    moved: list[tuple[Path, Path, bool]] = []
    made: list[Path] = []
    try:
        for number, file in enumerate(files):
            place, old = target / file.path, staging / f"old{number}"
            missing = [folder for folder in place.parents if folder.is_relative_to(target) and not folder.exists()]
            for folder in reversed(missing):
                made.append(folder)
                folder.mkdir()
            moved.append((place, old, place.exists()))
            if place.exists():
                place.rename(old)
            (staging / "tree" / file.path).rename(place)
    except BaseException:
        for place, old, existed in reversed(moved):
            if old.exists():
                old.replace(place)
            elif not existed:
                place.unlink(missing_ok=True)
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise


def refuse_occupied(target: Path, *, force: bool = False) -> None:
    """Raise UserError when `target` cannot take a new tree: a file, or a non-empty directory without `force`."""
    if target.is_symlink() and not target.exists():
        raise UserError(Problem("is a dangling symbolic link", str(target)))
    if target.exists() and not target.is_dir():
        raise UserError(Problem("is a file; name a directory to write to", str(target)))
    if not force and target.is_dir() and any(target.iterdir()):
        hint = (
            "choose another directory with -o, or pass --force to write into it (files of the same name are replaced)"
        )
        raise UserError(Problem("is not empty", str(target), hint=hint))


def _place(tree: Path, file: File) -> None:
    destination = tree / file.path
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_bytes(file.content)
    destination.chmod((0o777 if file.executable else 0o666) & ~_umask())


def _cannot_write(path: Path, error: OSError) -> UserError:
    return UserError(Problem(f"cannot be written: {error.strerror or error}; nothing was changed", str(path)))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
