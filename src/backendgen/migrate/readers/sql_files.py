"""The SQL files that Python migrations read."""

from __future__ import annotations

from typing import Any

from backendgen.files import real
from backendgen.migrate.readers.constants import changed_path, constant
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.values import UNKNOWN, Call, FilePath, Text

_SQL_FILES = (".sql", ".ddl", ".pgsql")


def path_method(receiver: FilePath, name: str, args: tuple[Any, ...], reading: Reading) -> Any:
    """Return what a method of pathlib.Path returns."""
    plain = [constant(argument) for argument in args]
    match name:
        case "resolve" | "absolute" | "expanduser":
            return receiver
        case "joinpath" if all(isinstance(part, str) for part in plain):
            return FilePath(receiver.path.joinpath(*plain))
        case "with_name" | "with_suffix" if len(plain) == 1 and isinstance(plain[0], str):
            return changed_path(receiver, name, plain[0])
        case "read_text":
            return file_text(receiver, reading)
        case "open":
            return Call("open", (receiver,))
        case _:
            return UNKNOWN


def file_text(path: Any, reading: Reading) -> Any:
    """Return the text of an SQL file that the migration reads; it is noted as used, so that it is read once."""
    if not isinstance(path, FilePath) or path.path.suffix not in _SQL_FILES:
        return UNKNOWN
    text = reading.text(path.path)
    if text is None:
        return UNKNOWN
    reading.used.add(real(path.path))
    return Text(text, reading.name(path.path), ((0, 1, 1),))
