"""What a command printed, kept for the next run that would read the same.

An entry is one run: its command line and surroundings (the key), all that it asked of the file system (`witness`), the
tool's own modules, what it wrote, and its exit code. It stands for a run as long as every answer is the same: a file whose
size, times and inode are those of then, or else its content; likewise a folder and its listing. What was touched in the two
seconds before the run began is always compared by content: a file system's clock may be as coarse as that.

A run that is another one may still share pieces of work with earlier ones (`pieces`): results by the digest of all that a
piece was given, good for as long as the tool's modules, those that it loaded and the programs that it asked are the same.

Entries are text in XDG_CACHE_HOME/backendgen, never in the user's tree; one that is damaged or not ours is as none. A cache
that cannot be written is no cache.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from backendgen import files, witness
from backendgen.errors import UserError

FORMAT = 1
ENTRIES = 100
BYTES = 200_000_000
_COARSE_NS = 2_000_000_000


class Output(NamedTuple):
    """A text that a run wrote to a file; to standard output when `file` is empty."""

    file: str
    text: str


class Outcome(NamedTuple):
    """What a run left: its outputs in order, and its exit code."""

    outputs: tuple[Output, ...]
    code: int


class Run(NamedTuple):
    """A run that may be remembered: where its entry is, what makes it this run, and when it began."""

    place: Path
    key: str
    started_ns: int


def run_of(arguments: Sequence[str]) -> Run | None:
    """Return the run of a command line as it is started here and now; None where no cache can be."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - an unknown home is left
    if not os.path.isabs(home):  # noqa: PTH117 - a relative one is to be ignored, says the XDG specification
        return None
    try:
        surroundings = (
            FORMAT, list(arguments), os.getcwd(), time.strftime("%Y-%m-%d"), __file__, sys.version, sys.path,  # noqa: PTH109
            sys.stdout.isatty(), sys.stdout.encoding, os.environ.get("NO_COLOR"), os.environ.get("TERM"),
        )  # fmt: skip
    except (OSError, AttributeError, ValueError):  # no working directory, or no standard output
        return None
    key = json.dumps(surroundings)
    return Run(Path(home, "backendgen", witness.digest(key.encode())), key, time.time_ns())


def recall(run: Run) -> Outcome | None:
    """Return what the same run left, when all that it asked would be answered in the same way; else None."""
    try:
        if not _is_own(run.place):
            return None
        head, body = run.place.read_bytes().split(b"\n", 1)
        entry = json.loads(head)
        if entry["key"] != run.key or entry["digest"] != witness.digest(body):
            return None
        touched = _touched(entry)
        if touched is None:
            return None
        outcome = Outcome(tuple(_outputs(entry["outputs"], body)), int(entry["code"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if touched:
        _write(run, entry, body)
    return outcome


def _is_own(place: Path) -> bool:
    """Whether this user has written a file: in a folder that others share, somebody could say that all is well."""
    return not hasattr(os, "getuid") or place.stat().st_uid == os.getuid()


def _outputs(sizes: Iterable[tuple[str, int]], body: bytes) -> Iterator[Output]:
    start = 0
    for file, size in sizes:
        yield Output(file, body[start : start + size].decode())
        start += size


def _touched(entry: dict[str, Any]) -> bool | None:
    """None when a question has another answer than it had; else whether anything is stamped anew, which is noted."""
    if not (
        all(witness.stamp(path) == tuple(stamped) for path, stamped in entry["modules"])
        and all(witness.kind(path) == found for path, found in entry["kinds"])
        and all(os.path.realpath(path) == found for path, found in entry["links"])
    ):
        return None
    touched = False
    for asked in (*entry["folders"], *entry["files"]):
        path, size, stamped, digest = asked
        now = witness.stamp(path)
        if now != tuple(stamped):
            if digest != (_listed(path) if size is None else _held(path, size)):
                return None
            asked[2] = now
            touched = True
    return touched


def _listed(folder: str) -> str:
    try:
        return witness.digest_of(witness.listing(folder))
    except OSError:
        return ""


def _held(path: str, size: int) -> str:
    """Return the digest of what the file holds, up to a size: as `files` notes it."""
    if size == 0:
        return str(witness.stamp(path)[0])
    if witness.kind(path) != witness.FILE:
        return "no file"
    try:
        with open(path, "rb") as handle:  # noqa: PTH123
            return witness.digest(handle.read(size))
    except OSError:
        return ""


def is_open() -> bool:
    """Whether this run may be remembered, and may use what others left."""
    return _begun is not None


def pieces(of: str) -> dict[str, Any]:
    """Return the results that earlier runs left of some kind of work, by the digest of what each piece was given."""
    try:
        if _begun is None or not _is_own(place := _place_of(_begun, of)):
            return {}
        head, body = place.read_bytes().split(b"\n", 1)
        entry = json.loads(head)
        if entry["key"] != [FORMAT, of] or entry["digest"] != witness.digest(body):
            return {}
        if not all(witness.stamp(path) == tuple(stamped) for path, stamped in entry["modules"] + entry["programs"]):
            return {}
        found = json.loads(body)
        if not isinstance(found, dict):
            return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    _borrowed.update(path for path, _ in entry["modules"])
    witness.depend(*(path for path, _ in entry["programs"]))
    return found


def keep_pieces(of: str, results: dict[str, Any]) -> None:
    """Leave results to later runs, in place of those that were left before."""
    record = witness.current()
    if _begun is None or record is None:
        return
    modules = _modules()
    programs = [(path, witness.stamp(path)) for path in sorted(record.programs)]
    if any(max(stamp[1:3]) >= _begun.started_ns - _COARSE_NS for _, stamp in modules + programs):
        return
    body = json.dumps(results).encode()
    entry = {"key": [FORMAT, of], "digest": witness.digest(body), "modules": modules, "programs": programs}
    with suppress(OSError, UserError, ValueError), witness.repeatable():
        place = _place_of(_begun, of)
        files.write(place, json.dumps(entry).encode() + b"\n" + body, private=True)
        _prune(place.parent)


def _place_of(run: Run, of: str) -> Path:
    """Where pieces of a kind of work are left: each installation and interpreter has its own."""
    return run.place.parent / "pieces" / witness.digest(json.dumps([FORMAT, __file__, sys.version, of]).encode())


_begun: Run | None = None
_borrowed: set[str] = set()  # modules that other runs had loaded, whose results this one has taken


def begin(arguments: Sequence[str]) -> Outcome | None:
    """Return what the same run left before; where nothing is remembered of it, note from now on what this one asks."""
    global _begun  # noqa: PLW0603 - a process is one run
    run = run_of(arguments)
    outcome = recall(run) if run else None
    _begun = run if outcome is None else None
    if _begun:
        witness.watch()
    return outcome


def finish(outputs: Iterable[Output], code: int) -> None:
    """Remember the present run by what it leaves, unless none has begun, or it depended on more than files."""
    if _begun and (record := witness.current()):
        keep(_begun, record, Outcome(tuple(outputs), code))


def keep(run: Run, record: witness.Record, outcome: Outcome) -> None:
    """Remember a run, unless it depended on more than files."""
    if record.spoilt:
        return
    texts = [output.text.encode() for output in outcome.outputs]
    body = b"".join(texts)
    entry = {
        "key": run.key,
        "digest": witness.digest(body),
        "code": outcome.code,
        "outputs": [(output.file, len(text)) for output, text in zip(outcome.outputs, texts, strict=True)],
        "modules": _modules(),
        "kinds": list(record.kinds.items()),
        "links": list(record.links.items()),
        "folders": [[path, None, *seen] for path, seen in record.folders.items()],
        "files": [[path, size, *seen] for (path, size), seen in record.files.items()],
    }
    _write(run, entry, body)


def _write(run: Run, entry: dict[str, Any], body: bytes) -> None:
    """Write an entry. What was stamped shortly before the run began may have changed since without another stamp."""
    oldest = run.started_ns - _COARSE_NS
    for asked in (*entry["folders"], *entry["files"]):
        if max(asked[2][1:3]) >= oldest:
            asked[2] = witness.UNSURE
    if any(max(stamp[1:3]) >= oldest for _, stamp in entry["modules"]):
        return
    with suppress(OSError, UserError, ValueError):
        files.write(run.place, json.dumps(entry).encode() + b"\n" + body, private=True)
        _prune(run.place.parent)


def _modules() -> list[tuple[str, witness.Stamp]]:
    """The tool's own modules, whether this run needed them or not, and all others that it loaded."""
    own = Path(__file__).parent
    paths = {os.path.join(folder, name) for folder, _, names in os.walk(own) for name in names if name[-3:] == ".py"}  # noqa: PTH118
    paths.update(_borrowed)
    paths.update(file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None)))
    return [(path, witness.stamp(path)) for path in sorted(paths)]


def _prune(folder: Path) -> None:
    """Let the oldest entries go when there are too many, or too large ones."""
    held = 0
    stamped = sorted(
        ((witness.stamp(path), path) for path in folder.iterdir() if path.is_file()), key=lambda each: -each[0][1]
    )
    for number, (stamp, path) in enumerate(stamped):
        held += stamp[0]
        if number and (number >= ENTRIES or held > BYTES):
            files.remove(path)
