"""What psql's own commands do in a file of SQL: `\\i` reads another file, `\\connect` leaves the database."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from backendgen import files
from backendgen.files import real
from backendgen.migrate.readers.reading import Reading
from backendgen.sql import operation as op

Translate = Callable[[str], tuple[op.Operation, ...]]

_INCLUDE = re.compile(r"\\(ir?|include(?:_relative)?)\s+(?:'([^']+)'|(\S+))\s*$")
_INCLUDED = re.compile(r"^[ \t]*\\(?:ir?|include(?:_relative)?)[ \t]", re.MULTILINE)
_DEEPEST = 20


def includes(text: str) -> bool:
    """Whether a text has another file read."""
    return "\\i" in text and bool(_INCLUDED.search(text))


def followed(
    found: tuple[op.Operation, ...], path: Path, reading: Reading, translate: Translate, within: tuple[Path, ...] = ()
) -> Iterator[tuple[op.Operation, Path]]:
    """Yield operations and the files that hold them; those of an included file stand where it is included.

    `\\ir` starts at the folder of the file, `\\i` at the one that psql was started in: the file's, one above it, or the
    scanned root. A file outside of the root is not followed.
    """
    for operation in found:
        include = _INCLUDE.fullmatch(operation.sql)
        if include is None or not isinstance(operation, op.NotUnderstood):
            yield operation, path
            continue
        name = include[2] or include[3]
        target = _target(name, path, reading, relative="r" in include[1])
        text = reading.text(target) if target else None
        if target is None or text is None:
            reason = f"{operation.reason}: {name} is not beneath {reading.root.name}"
            yield replace(operation, reason=reason), path
        elif target in within or target == path or len(within) > _DEEPEST:
            yield replace(operation, reason=f"{operation.reason}: {name} includes itself"), path
        else:
            reading.claimed.add(target)
            yield from followed(translate(text), target, reading, translate, (*within, path))


def included(text: str, path: Path, reading: Reading) -> Iterator[Path]:
    """Yield the files that a text's `\\i` commands name, where they are there."""
    for line in text.splitlines() if includes(text) else ():
        include = _INCLUDE.fullmatch(line.strip())
        target = include and _target(include[2] or include[3], path, reading, relative="r" in include[1])
        if target:
            yield target


def _target(name: str, path: Path, reading: Reading, *, relative: bool) -> Path | None:
    starts = [path.parent] if relative else [path.parent, path.parent.parent, reading.root]
    for start in starts:
        target = Path(os.path.normpath(start / name))
        if (
            target.is_relative_to(reading.root)
            and files.is_file(target)
            and real(target).is_relative_to(real(reading.root))
        ):
            return target
    return None
