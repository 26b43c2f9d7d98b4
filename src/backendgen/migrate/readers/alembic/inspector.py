"""What SQLAlchemy's inspector would say of the database, from the replay of the revisions before.

Only what the history itself makes is known. A table that it does not make may be there all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from backendgen.migrate.readers.values import REFLECTED, UNKNOWN, Call, Symbol, Text
from backendgen.sql.operation import Operation
from backendgen.sql.replay import Schema
from backendgen.sql.schema import ConstraintKind, Table, Type

_ASKS = frozenset({
    "get_columns", "get_indexes", "get_unique_constraints", "get_foreign_keys", "get_check_constraints",
    "get_pk_constraint", "get_table_names", "get_sorted_table_and_fkc_names", "has_table", "has_index",
})  # fmt: skip
_ON_DELETE = "ondelete"
_CLASSES = {
    "bigint": "BIGINT", "smallint": "SMALLINT", "integer": "INTEGER", "boolean": "BOOLEAN", "text": "TEXT",
    "character varying": "VARCHAR", "character": "CHAR", "json": "JSON", "jsonb": "JSONB", "uuid": "UUID",
    "timestamp without time zone": "TIMESTAMP", "timestamp with time zone": "TIMESTAMP", "numeric": "NUMERIC",
    "double precision": "DOUBLE_PRECISION", "real": "REAL", "bytea": "BYTEA", "date": "DATE",
}  # fmt: skip


# The classes that a reflected type is an instance of, besides its own.
_BASES = {
    "BIGINT": {"BigInteger", "Integer"}, "SMALLINT": {"SmallInteger", "Integer"}, "INTEGER": {"Integer"},
    "BOOLEAN": {"Boolean"}, "TEXT": {"Text", "String"}, "VARCHAR": {"String"}, "CHAR": {"String"},
    "JSONB": {"JSON"}, "UUID": {"Uuid"}, "TIMESTAMP": {"DateTime"}, "NUMERIC": {"Numeric"}, "DATE": {"Date"},
    "DOUBLE_PRECISION": {"Double", "Float", "Numeric"}, "REAL": {"Float", "Numeric"}, "BYTEA": {"LargeBinary"},
}  # fmt: skip


@dataclass(slots=True)
class Database:
    """The Schema that a migration finds, replayed only when one asks for it."""

    schema: Schema = field(default_factory=Schema)
    waiting: list[Operation] = field(default_factory=list)

    def after(self, operations: Iterable[Operation]) -> Schema:
        """Return the Schema behind what is applied and some more operations."""
        for operation in self.waiting:
            self.schema.apply(operation)
        self.waiting.clear()
        schema = self.schema.copy()
        for operation in operations:
            schema.apply(operation)
        return schema


def asks(call: Call) -> bool:
    """Whether a call asks an inspector or a dialect about tables."""
    return call.last in _ASKS and (call.receiver is not None or "." in call.name)


def answer(call: Call, schema: Schema) -> Any:
    """Return what the inspector returns, UNKNOWN where the history does not tell."""
    if call.last in ("get_table_names", "get_sorted_table_and_fkc_names"):
        return [*map(Text, schema.tables), UNKNOWN]
    texts = [each.value for each in call.args if isinstance(each, Text)]
    texts += [
        call.kwargs[word].value for word in ("table_name", "tablename") if isinstance(call.kwargs.get(word), Text)
    ]
    within = call.kwargs.get("schema")
    name = f"{within.value}.{texts[0]}" if texts and isinstance(within, Text) else "".join(texts[:1])
    table = schema.tables.get(name)
    if table is None:
        return UNKNOWN
    match call.last:
        case "has_table":
            return True
        case "has_index":
            return table.index(texts[1]) is not None if len(texts) > 1 else UNKNOWN
        case "get_columns":
            return [_column(table, position) for position in range(len(table.columns))]
        case "get_indexes":
            return _indexes(table)
        case "get_pk_constraint":
            return next(iter(_constraints(table, "primary_key")), {"name": None, "constrained_columns": []})
        case "get_unique_constraints":
            return _constraints(table, "unique")
        case "get_check_constraints":
            return _constraints(table, "check")
        case _:
            return _constraints(table, "foreign_key")


def _column(table: Table, position: int) -> dict[str, Any]:
    column = table.columns[position]
    return {
        "name": Text(column.name),
        "type": _type(column.type),
        "nullable": not (column.not_null or column.name in table.primary_key),
        "default": None if column.default is None else Text(column.default),
        "primary_key": int(column.name in table.primary_key),
    }


def _type(kind: Type) -> Any:
    """Return a type as the class that reflection makes of it, so that `isinstance(column["type"], sa.Text)` can be told."""
    known = _CLASSES.get(kind.name)
    if known is None or kind.array:
        return UNKNOWN
    sizes = {"length": kind.modifiers[0]} if kind.modifiers and "character" in kind.name else {}
    return Call(f"sqlalchemy.{known}", (), {"timezone": "with time" in kind.name, **sizes}, REFLECTED)


def is_instance(kind: Any, types: Any) -> Any:
    """Return isinstance() of a reflected type and SQLAlchemy's classes; None when it is about something else."""
    if not isinstance(kind, Call) or kind.receiver != REFLECTED:
        return None
    named = types if isinstance(types, list | tuple) else [types]
    own = {kind.last, *_BASES.get(kind.last, ())}
    if not all(isinstance(each, Symbol) and each.name.startswith("sqlalchemy") for each in named):
        return UNKNOWN
    return any(each.name.rpartition(".")[2] in own for each in named)


def _indexes(table: Table) -> list[dict[str, Any]]:
    backing = {each.name for each in table.constraints if each.kind == "primary_key"}
    return [
        {"name": Text(index.name), "unique": index.unique, "column_names": [*map(Text, index.columns)]}
        for index in table.indexes
        if index.name not in backing
    ]


def _constraints(table: Table, kind: ConstraintKind) -> list[dict[str, Any]]:
    found = []
    for each in table.constraints:
        if each.kind == kind:
            columns = [*map(Text, each.columns)]
            known: dict[str, Any] = {"name": Text(each.name), "sqltext": Text(each.expression)}
            known |= {"constrained_columns": columns, "column_names": columns, "referred_schema": None}
            known |= {
                "referred_table": Text(each.references),
                "referred_columns": [*map(Text, each.referenced_columns)],
            }
            known["options"] = {_ON_DELETE: Text(each.on_delete.upper())} if each.on_delete else {}
            found.append(known)
    return found
