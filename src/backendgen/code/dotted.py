"""What a file is called when it is imported: its dotted names, from the root and from folders that may be roots."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from backendgen import files
from backendgen.code.project import Project


def packages_above(project: Project) -> tuple[str, ...]:
    """When the root is itself inside a package: the packages' names, outermost first."""
    folder = files.real(project.root)
    names: list[str] = []
    while files.is_file(folder / "__init__.py") and folder.name:
        names.insert(0, folder.name)
        folder = folder.parent
    return tuple(names)


def names_of(path: str, above: tuple[str, ...], packages: set[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the dotted names that a file may be imported by, and the parts of its package's whole name.

    `above` are the packages that the root stands in; `packages` are the folders with an `__init__.py`.
    """
    parts = list(PurePosixPath(path).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    folders = list(PurePosixPath(path).parts[:-1])
    whole = [*above, *parts]
    names = [".".join(whole)] if above else []
    return (*names, *_suffixes(parts, folders, packages)), whole if is_package else whole[:-1]


def _suffixes(parts: list[str], folders: list[str], packages: set[str]) -> Iterator[str]:
    """Yield the dotted names that a file may be imported by: from the root, and from each folder that is no package.

    A folder from which `manage.py` is started is not only a package: imports begin there.
    A folder's `logging.py` is not what `import logging` means, so names of the standard library only count from the root.
    """
    yield ".".join(parts)
    for start in range(1, len(folders) + 1):
        is_root = start < len(parts) and "/".join(folders[:start]) not in packages
        if is_root and parts[start] not in sys.stdlib_module_names:
            yield ".".join(parts[start:])


def shared(one: str, other: str) -> tuple[int, int]:
    """How many leading folders two paths share; with a tie, the shorter path wins."""
    left, right = PurePosixPath(one).parts, PurePosixPath(other).parts
    count = 0
    for mine, theirs in zip(left[:-1], right[:-1], strict=False):
        if mine != theirs:
            break
        count += 1
    return count, -len(left)
