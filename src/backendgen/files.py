"""The only writer, and the safe reader: sizes are bounded, writes are atomic, nothing is left half-written.

Whatever is asked here of the file system, `witness` takes note of.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backendgen import witness
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
        content = _content(path, limit + 1)
    except OSError as error:
        raise UserError(Problem(f"cannot be read: {error.strerror or error}", str(path))) from error
    if content is None:
        kind = witness.kind(path)
        told = {witness.FOLDER: "is a directory, not a file", witness.NOTHING: "no such file"}
        raise UserError(Problem(told.get(kind, "is not a regular file"), str(path)))
    if len(content) > limit:
        raise UserError(Problem(f"is larger than {limit:,} bytes", str(path)))
    return content


def head(path: Path, size: int) -> bytes:
    """Return the first bytes of a regular file, none of anything else or of a file that cannot be read."""
    try:
        return _content(path, size) or b""
    except OSError:
        return b""


def _content(path: Path, size: int) -> bytes | None:
    """Return up to so many bytes of a regular file, None where there is none. What is no file is never opened."""
    record = witness.current()
    try:
        status = os.stat(path)  # noqa: PTH116 - pathlib takes three times as long, and this is asked most
    except (OSError, ValueError) as error:
        if record:
            record.kinds[str(path)] = witness.NOTHING
        if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        return None
    if not stat.S_ISREG(status.st_mode):
        if record:
            record.kinds[str(path)] = witness.FOLDER if stat.S_ISDIR(status.st_mode) else witness.OTHER
        return None
    if record:
        record.files[str(path), size] = witness.Seen(witness.stamp_of(status), "")  # should it not open
    with open(path, "rb", buffering=0) as handle:  # noqa: PTH123
        content = handle.read(size)
        while len(content) < min(size, status.st_size) and (more := handle.read(size - len(content))):
            content += more
    if record:
        record.files[str(path), size] = witness.Seen(witness.stamp_of(status), witness.digest(content))
    return content


def kind(path: Path) -> str:
    """Return what is at a path, links followed: `file`, `folder`, `other`, or nothing."""
    found = witness.kind(path)
    if record := witness.current():
        record.kinds[str(path)] = found
    return found


def size(path: Path) -> int:
    """Return the size of what is at a path, 0 of nothing."""
    found = witness.stamp(path)
    if record := witness.current():
        record.files[str(path), 0] = witness.Seen(found, str(found[0]))
    return max(found[0], 0)


def is_file(path: Path) -> bool:
    """Whether a regular file is at a path."""
    return kind(path) == witness.FILE


def is_folder(path: Path) -> bool:
    """Whether a folder is at a path."""
    return kind(path) == witness.FOLDER


def exists(path: Path) -> bool:
    """Whether anything is at a path."""
    return kind(path) != witness.NOTHING


def real(path: Path) -> Path:
    """Return a path without links; one that runs in a circle is returned as far as it goes (Path.resolve would raise)."""
    found = os.path.realpath(path)
    if record := witness.current():
        record.links[str(path)] = found
    return Path(found)


def is_link(path: Path) -> bool:
    """Whether what a walked folder lists is a symbolic link: the listing holds that already."""
    try:
        return path.is_symlink()
    except OSError:  # a path that is too long
        return False


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name; none when it cannot be listed."""
    try:
        return [folder / entry.name for entry in _entries(folder) if entry.is_dir()]
    except OSError:
        return []


def walk(root: Path, refused: Callable[[OSError], None] | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield (folder, names of folders, names of files) from the root down, names in order, as os.walk does.

    Who walks may take folders out of the list. Links to folders are named and not followed.
    """
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        try:
            entries = _entries(folder)
        except OSError as error:
            if refused:
                refused(error)
            continue
        links, folders, names = set[str](), list[str](), list[str]()
        for entry in entries:
            if _leads_to_folder(entry):
                folders.append(entry.name)
                links.update([entry.name] if entry.is_symlink() else ())
            else:
                names.append(entry.name)
        yield folder, folders, names
        inside = (os.path.join(folder, name) for name in reversed(folders) if name not in links)  # noqa: PTH118
        waiting.extend(inside)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    record = witness.current()
    if record is None:
        return witness.listing(folder)
    stamp = witness.stamp(folder)
    record.folders[str(folder)] = witness.Seen(stamp, "")
    entries = witness.listing(folder)
    record.folders[str(folder)] = witness.Seen(stamp, witness.digest_of(entries))
    record.kinds.update((entry.path, witness.kind(entry.path)) for entry in entries if entry.is_symlink())
    return entries


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 file's text, without a byte order mark. Raises UserError with the place of the first wrong byte."""
    return decode(read_bytes(path, limit), str(path))


def text_of(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return a UTF-8 file's text, empty when there is none that can be read."""
    try:
        content = _content(path, limit + 1)
    except OSError:
        return ""
    if not content or len(content) > limit:
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
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


def write(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write one file atomically: readers see the old content or the new. Raises UserError when it cannot.

    Only its owner may read a `private` one. A device or a pipe (/dev/stdout, `>(less)`) is written to as it is, and a
    symbolic link stays one.
    """
    import tempfile

    witness.spoil()
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
        if not private:  # as it is made
            Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def remove(path: Path) -> None:
    """Remove a file, if it is there. Raises OSError when it stays."""
    path.unlink(missing_ok=True)


def write_tree(target: Path, files: Iterable[File], *, force: bool = False) -> None:
    """Write a whole directory at once: it is complete or it was not touched.

    The tree is built in a folder of its own and renamed into place. An existing directory stays the same one (somebody may
    stand in it, or have mounted it) and, with `force`, keeps the files that the tree does not name. Raises UserError when
    `target` is a file, or a non-empty directory without `force`, or cannot be written (the message says why; nothing is left
    behind).
    """
    import tempfile

    refuse_occupied(target, force=force)
    witness.spoil()
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
        _discard(staging)


def _discard(folder: Path) -> None:
    """Remove a folder of our own, whole, also when an interrupt comes meanwhile."""
    import shutil

    try:
        shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise


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
                _as_before(staging / "tree" / file.path, place.stat())
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


def _as_before(staged: Path, before: os.stat_result) -> None:
    """Give a file that takes another's place its permissions and its owner, as far as one may."""
    staged.chmod(stat.S_IMODE(before.st_mode) | (staged.stat().st_mode & 0o111))
    if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
        with suppress(OSError):
            os.chown(staged, before.st_uid, before.st_gid)


def is_locked(path: Path) -> bool:
    """Did somebody take the right to write a file from everybody? Then it is not to be replaced either."""
    return not path.stat().st_mode & 0o222


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
