"""What a revision does to rows through a Session and its models, as far as it names the table."""

from __future__ import annotations

from typing import Any

from backendgen.migrate.quoting import label, name
from backendgen.migrate.readers.alembic.calls import table_of
from backendgen.migrate.readers.sqlalchemy import Dynamic
from backendgen.migrate.readers.values import Call, Method, Symbol, Text

_WRITES = frozenset({"add", "add_all", "merge", "delete", "bulk_save_objects"})
_BULK = {"bulk_insert_mappings": "insert", "bulk_update_mappings": "update"}
_FINISHES = frozenset({"flush", "commit"})
_LOADS = frozenset({"query", "select", "get", "get_one", "aliased"})
_READS = frozenset({"query", "get", "get_one", "scalars", "scalar", "execute"})
_RUNS = frozenset({"execute", "scalars", "scalar"})
_LIMITS = (".filter", ".where", ".get", ".first", ".one", ".limit", ".scalar")
_MADE = "sqlalchemy.table()"


def changes_rows(call: Call) -> bool:
    """Whether a call writes rows through the ORM."""
    if call.name == "setattr":
        return len(call.args) == 3 and _model(call.args[0]) is not None
    if call.last in ("update", "delete") and _query(call.receiver) is not None:
        return True
    if call.last in _WRITES and call.args and any(_model(each) or _new(each) for each in _objects(call)):
        return True
    return (call.last in _WRITES or call.last in _BULK) and is_session(call.receiver)


def finishes(call: Call) -> bool:
    """Whether a call writes what objects of a Session have become."""
    return call.last in _FINISHES and is_session(call.receiver)


def loads(call: Call) -> bool:
    """Whether a call reads objects of a Session, which may be changed afterwards."""
    return call.last in _READS and is_session(call.receiver)


def is_session(value: Any) -> bool:
    """Whether a value comes from Session(...) or sessionmaker()()."""
    while isinstance(value, Call):
        if value.name.replace("()", "").rpartition(".")[2] in ("Session", "sessionmaker", "scoped_session"):
            return True
        value = value.receiver
    return isinstance(value, Symbol) and value.name.endswith("Session")


def rows_sql(call: Call) -> str | None:
    """Return INSERT, UPDATE or DELETE of what such a call writes, None when the table is not known."""
    if call.name == "setattr":
        return _update(_model(call.args[0]), call.args[1], limited=True)
    if call.last in _BULK:
        table = _table(call.arg(0, "mapper"))
        return _insert(table) if _BULK[call.last] == "insert" else _update(table, None, limited=True)
    query = _query(call.receiver)
    if query is not None and call.last in ("update", "delete"):
        table = _named(query, 0)
        limited = any(step in call.name for step in _LIMITS)
        if call.last == "update":
            values = call.arg(0, "values")
            first = next(iter(values), None) if isinstance(values, dict) else None
            return _update(table, Text(first) if isinstance(first, str) else None, limited=limited)
        return _delete(table, limited=limited)
    for each in _objects(call):
        if call.last == "delete":
            return _delete(_model(each), limited=True)
        if (made := _new(each)) is not None:
            return _insert(made)
        if (loaded := _model(each)) is not None:
            return _update(loaded, None, limited=True)
    return None


def _objects(call: Call) -> list[Any]:
    given = call.args[0] if call.args else None
    return list(given) if isinstance(given, list | tuple) else [given]


def _new(value: Any) -> str | None:
    """Return the table of an object that the migration makes of a model."""
    return _table(value.receiver) if isinstance(value, Call) and value.name == _MADE else None


def _model(value: Any) -> str | None:
    """Return the table of an object that was loaded with query(Model), select(Model) or get(Model)."""
    query = _query(value)
    if query is None:
        return None
    at = value.args[0] if value.name.endswith("[]") and value.args and isinstance(value.args[0], int) else 0
    return _named(query, at if at < len(query.args) else 0)


def _query(value: Any) -> Call | None:
    while isinstance(value, Call | Method):
        if isinstance(value, Call) and value.last in _LOADS and value.args and _named(value, 0) is not None:
            return value
        runs = isinstance(value, Call) and value.last in _RUNS and value.args and isinstance(value.args[0], Call)
        value = value.args[0] if isinstance(value, Call) and runs else value.receiver
    return None


def _named(query: Call, at: int) -> str | None:
    return _table(query.args[at])


def _table(value: Any) -> str | None:
    try:
        return table_of(value)
    except Dynamic:
        return None


def _insert(table: str | None) -> str | None:
    return table and f"INSERT INTO {name(table)} DEFAULT VALUES"


def _update(table: str | None, column: Any, *, limited: bool) -> str | None:
    written = label(column.value) if isinstance(column, Text) and column.whole else "a"
    return table and f"UPDATE {name(table)} SET {written} = $1{' WHERE $1' if limited else ''}"


def _delete(table: str | None, *, limited: bool) -> str | None:
    return table and f"DELETE FROM {name(table)}{' WHERE $1' if limited else ''}"
