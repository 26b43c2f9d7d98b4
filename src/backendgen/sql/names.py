"""The names that PostgreSQL makes for what a statement leaves unnamed (makeObjectName and ChooseIndexName in its source)."""

from __future__ import annotations

from collections.abc import Container, Iterable

from backendgen.sql.schema import Constraint

_LIMIT = 63  # NAMEDATALEN - 1, in bytes
_LABELS = {"primary_key": "pkey", "unique": "key", "exclude": "excl", "foreign_key": "fkey", "check": "check"}


def object_name(table: str, columns: str, label: str) -> str:
    """Return `table_columns_label`, the longer of the first two cut until it fits in 63 bytes (makeObjectName)."""
    first, second = table.encode(), columns.encode()
    available = _LIMIT - len(label.encode()) - 1 - (1 if second else 0)
    if len(first) + len(second) > available:
        while len(first) + len(second) > available:
            if len(first) > len(second):
                first = first[:-1]
            else:
                second = second[:-1]
    parts = [first.decode(errors="ignore"), second.decode(errors="ignore"), label]
    return "_".join(part for part in parts if part)


def free_name(table: str, columns: str, label: str, taken: Container[str]) -> str:
    """Return the object name, its label numbered from 1 while the name is taken."""
    name, number = object_name(table, columns, label), 0
    while name in taken:
        number += 1
        name = object_name(table, columns, f"{label}{number}")
    return name


def joined(columns: Iterable[str]) -> str:
    """Join column names as ChooseIndexNameAddition does: repeated ones are numbered, and it stops after 63 bytes."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            suffix = str(number)
            name = column.encode()[: _LIMIT - len(suffix)].decode(errors="ignore") + suffix
        names.append(name)
    text = ""
    for name in names:
        text = f"{text}_{name}" if text else name
        if len(text.encode()) > _LIMIT:
            break
    return text


def generated_name(table: str, constraint: Constraint, taken: Container[str]) -> str:
    """Return the name that PostgreSQL gives to this unnamed constraint of the (possibly qualified) table."""
    bare = table.rpartition(".")[2]
    columns = (constraint.keys or constraint.columns) + constraint.include
    if constraint.kind == "primary_key" or (constraint.kind == "check" and len(columns) != 1):
        columns = ()
    return free_name(bare, joined(columns), _LABELS.get(constraint.kind, "not_null"), taken)


def numbered(table: str, name: str, label: str, taken: Container[str]) -> str:
    """Return the first free one of the names that follow `name`, an object name of the table, when it is taken."""
    stem = name.removesuffix(f"_{label}")
    bare = table.rpartition(".")[2]
    first = next(stem[:end] for end in range(len(stem), -1, -1) if bare.startswith(stem[:end]))
    return free_name(first, stem[len(first) + 1 :], label, taken)
