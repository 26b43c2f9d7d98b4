"""Operations that packages add to Alembic's own: functions, triggers and views (alembic_utils), enums kept in step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backendgen.migrate.quoting import label, literal, name
from backendgen.migrate.readers.sqlalchemy import Dynamic, words
from backendgen.migrate.readers.values import Call, Text

_WITHOUT_REPLACE = frozenset({"PGTrigger", "PGMaterializedView", "PGExtension", "PGPolicy"})


def _entity(call: Call) -> Call:
    entity = call.arg(0, "target", "entity")
    if not isinstance(entity, Call):
        raise Dynamic("the entity is not a constant")
    return entity


def _parts(entity: Call) -> tuple[str, str, str]:
    """Return the schema, the signature and the definition of a PGFunction, PGView ..."""
    schema = words(entity.arg(0, "schema"), "the entity's schema")
    signature = words(entity.arg(1, "signature"), "the entity's signature")
    given = entity.arg(2, "definition")
    return schema, signature, given.value if isinstance(given, Text) else ""


def _table_of(entity: Call) -> str:
    return name(words(entity.kwargs.get("on_entity"), "the entity's table"))


def _made(entity: Call, *, replace: bool = False) -> str:
    schema, signature, definition = _parts(entity)
    create = "CREATE OR REPLACE" if replace else "CREATE"
    match entity.last:
        case "PGFunction" | "PGProcedure":
            kind = "FUNCTION" if entity.last == "PGFunction" else "PROCEDURE"
            return f"{create} {kind} {name(schema)}.{signature} {definition}"
        case "PGView":
            return f"{create} VIEW {name(schema)}.{name(signature)} AS {definition}"
        case "PGMaterializedView":
            return f"CREATE MATERIALIZED VIEW {name(schema)}.{name(signature)} AS {definition}"
        case "PGTrigger":
            return f"CREATE TRIGGER {label(signature)} {definition}"
        case "PGPolicy":
            return f"CREATE POLICY {label(signature)} ON {_table_of(entity)} {definition}"
        case "PGExtension":
            return f"CREATE EXTENSION IF NOT EXISTS {label(signature)}"
        case _:
            raise Dynamic(f"{entity.last} is not known")


def _dropped(entity: Call, *, cascade: bool = False) -> str:
    schema, signature, _ = _parts(entity)
    end = " CASCADE" if cascade else ""
    match entity.last:
        case "PGFunction" | "PGProcedure":
            kind = "FUNCTION" if entity.last == "PGFunction" else "PROCEDURE"
            return f"DROP {kind} {name(schema)}.{signature.partition('(')[0].strip()}{end}"
        case "PGView":
            return f"DROP VIEW {name(schema)}.{name(signature)}{end}"
        case "PGMaterializedView":
            return f"DROP MATERIALIZED VIEW {name(schema)}.{name(signature)}{end}"
        case "PGTrigger":
            return f"DROP TRIGGER {label(signature)} ON {_table_of(entity)}{end}"
        case "PGPolicy":
            return f"DROP POLICY {label(signature)} ON {_table_of(entity)}{end}"
        case "PGExtension":
            return f"DROP EXTENSION {label(signature)}{end}"
        case _:
            raise Dynamic(f"{entity.last} is not known")


def _replace(call: Call) -> list[str]:
    entity = _entity(call)
    if entity.last in _WITHOUT_REPLACE:
        return [_dropped(entity), _made(entity)]
    return [_made(entity, replace=True)]


def _sync_enum(call: Call) -> list[str]:
    """alembic-postgresql-enum: the type is made anew, and every column that uses it is rewritten to the new one."""
    enum = words(call.arg(1, "enum_name"), "the enum's name")
    values = call.arg(2, "new_values")
    if not isinstance(values, list | tuple):
        raise Dynamic("the enum's values are not constants")
    listed = ", ".join(literal(words(each, "an enum's value")) for each in values)
    old = f"{enum}_old"
    changed = [_cast(each, enum) for each in _references(call.arg(3, "affected_columns"))]
    renamed = f"ALTER TYPE {name(enum)} RENAME TO {label(old)}"
    return [renamed, f"CREATE TYPE {name(enum)} AS ENUM ({listed})", *changed, f"DROP TYPE {label(old)}"]


def _references(value: Any) -> list[Call]:
    return [each for each in value if isinstance(each, Call)] if isinstance(value, list | tuple) else []


def _cast(reference: Call, enum: str) -> str:
    table = words(reference.arg(1, "table_name"), "the table's name")
    column = label(words(reference.arg(2, "column_name"), "the column's name"))
    return f"ALTER TABLE {name(table)} ALTER COLUMN {column} TYPE {name(enum)} USING {column}::text::{name(enum)}"


ENTITIES: Mapping[str, Callable[[Call], list[str]]] = {
    "create_entity": lambda call: [_made(_entity(call))],
    "drop_entity": lambda call: [_dropped(_entity(call), cascade=call.kwargs.get("cascade") is True)],
    "replace_entity": _replace,
    "revert_entity": _replace,
    "sync_enum_values": _sync_enum,
}
