"""Columns: changes that make PostgreSQL write the whole table anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, alter, render, update_batch
from backendgen.migrate.quoting import label, name
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Table, Type
from backendgen.sql.types import type_change

_VOLATILE = frozenset({
    "clock_timestamp", "currval", "gen_random_bytes", "gen_random_uuid", "gen_salt", "lastval", "nextval",
    "pg_sleep", "random", "random_normal", "set_config", "setval", "timeofday",
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7",
})  # fmt: skip
_STEADY = frozenset({
    "abs", "age", "and", "any", "array", "array_append", "array_fill", "array_length", "array_to_json",
    "array_to_string", "ascii", "bit", "bit_length", "btrim", "cardinality", "case", "cast", "ceil", "ceiling",
    "char", "char_length", "character", "character_length", "chr", "cidr", "coalesce", "concat", "concat_ws",
    "current_database", "current_schema", "current_schemas", "current_setting", "date_part", "date_trunc",
    "datemultirange", "daterange", "decimal", "decode", "div", "else", "encode", "exp", "extract", "floor",
    "format", "greatest", "hashtext", "hstore", "in", "inet", "inet_client_addr", "inet_server_addr", "initcap",
    "int4multirange", "int4range", "int8range", "interval", "isfinite", "json_build_array", "json_build_object",
    "json_object", "jsonb_build_array", "jsonb_build_object", "jsonb_object", "jsonb_set", "justify_days", "least",
    "left", "length", "ln", "log", "lower", "lpad", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "md5", "mod", "not", "now", "nullif", "numeric", "nummultirange", "numrange",
    "octet_length", "or", "overlay", "pg_backend_pid", "pg_current_xact_id", "pi", "plainto_tsquery", "point",
    "position", "power", "quote_ident", "quote_literal", "quote_nullable", "regexp_replace", "repeat", "replace",
    "reverse", "right", "round", "row", "row_to_json", "rpad", "setweight", "sha224", "sha256", "sha384", "sha512",
    "split_part", "sqrt", "st_geomfromtext", "st_makepoint", "statement_timestamp", "string_to_array", "strpos",
    "substr", "substring", "then", "time", "timestamp", "timestamptz", "timezone", "to_char", "to_date", "to_json",
    "to_jsonb", "to_number", "to_timestamp", "to_tsquery", "to_tsvector", "transaction_timestamp", "translate",
    "trim", "trunc", "tsrange", "tstzmultirange", "tstzrange", "txid_current", "upper", "varchar", "varying",
    "websearch_to_tsquery", "when",
})  # fmt: skip
_TYPES = frozenset({
    "bigint", "bit", "boolean", "bpchar", "bytea", "character", "cidr", "citext", "date", "hstore", "inet",
    "integer", "interval", "json", "jsonb", "macaddr", "money", "name", "numeric", "oid", "real", "smallint",
    "text", "tsvector", "uuid", "xml",
})  # fmt: skip
_CALL = re.compile(r"""(?<![\w"'.])(?:(?:\w+|"[^"]+")\.)?(\w+|"[^"]+")\s*\(""")
_STRING = re.compile(r"'(?:[^']|'')*'")
_CONSTANT_DEFAULT_SINCE = 11  # a constant default is kept in the catalogue: release notes of PostgreSQL 11


@check("BG708")
def type_change_rewrites(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """ALTER COLUMN TYPE: what it costs depends on the old type, which the replay knows."""
    if not isinstance(operation, op.AlterColumnType) or context.is_new(operation.table):
        return
    table, column, new = operation.table, operation.name, operation.type
    known = schema.tables.get(table)
    definition = known.column(column) if known else None
    what, confidence = f"{table}.{column} from an unknown type to {new}", Confidence.MEDIUM
    effect = "most such changes write the whole table anew"
    was = definition.type if definition else operation.was
    if was is not None:
        effect = _effect(operation, was, known, schema)
        if not effect:
            return
        old, base = _base(was, schema), _base(new, schema)
        what = f"{table}.{column} from {was} to {new}"
        confidence = Confidence.HIGH if _is_known(old, schema) and _is_known(base, schema) else Confidence.LOW
    relatives = sorted({lock.table for lock in context.locks(schema) if lock.parent and lock.table != table})
    consequence = f"; {', '.join(relatives)} is locked as well, and the foreign key checked again" if relatives else ""
    message = f"changing {what}: {effect} while reads and writes of {table} are blocked{consequence}"
    yield Hit(
        context.action.location, message, _new_column_fix(operation, schema, context), table, confidence=confidence
    )


def _effect(operation: op.AlterColumnType, was: Type, table: Table | None, schema: Schema) -> str:
    """Return what PostgreSQL does to the table, empty when it only changes the catalogue (all measured on 18)."""
    column, new = operation.name, operation.type
    if was == new and not operation.collation and _plain_cast(operation):
        return ""
    change = type_change(_base(was, schema), _base(new, schema)) if _plain_cast(operation) else "rewrite"
    domain = schema.domains.get(new.name)
    if change == "rewrite" or (domain is not None and domain.checked and was != new):
        return "writes the whole table and its indexes anew"
    constraints = table.constraints if table else ()
    if was != new and any(each.kind == "check" and column in each.columns for each in constraints):
        return "reads every row to check the column's constraint again"
    indexes = table.indexes if table else ()
    indexed = table is None or any(column in (*each.columns, *each.expression_columns) for each in indexes)
    return "builds the column's indexes anew" if indexed and (change == "scan" or operation.collation) else ""


def _base(kind: Type, schema: Schema) -> Type:
    return schema.base_type(kind)


def _is_known(kind: Type, schema: Schema) -> bool:
    """Whether it is PostgreSQL's own type or an enum: nobody knows what another one is made of."""
    return " " in kind.name or kind.name in _TYPES or kind.name in schema.enums


def _plain_cast(operation: op.AlterColumnType) -> bool:
    """Whether USING is absent, or nothing but the column, cast or not."""
    itself = rf'\(?"?{re.escape(operation.name)}"?\)?'
    return not operation.using or bool(
        re.fullmatch(rf"(?i){itself}(?:::[\w\s(),.\[\]\"]+)?|cast\({itself} as [^)]+\)?\)", operation.using)
    )


def _new_column_fix(operation: op.AlterColumnType, schema: Schema, context: Context) -> str:
    old, new = label(operation.name), label(f"{operation.name}_new")
    new_type = _base(operation.type, schema)  # a domain's check would be made row by row
    value = operation.using or f"{old}::{new_type}"
    batch = update_batch(operation.table, f"{new} = {value}", f"{new} IS NULL AND {old} IS NOT NULL")
    swap = (
        alter(operation.table, f"RENAME COLUMN {old} TO {label(operation.name + '_old')}"),
        alter(operation.table, f"RENAME COLUMN {new} TO {old}"),
    )
    return render(
        context,
        Stage(
            (alter(operation.table, f"ADD COLUMN {new} {new_type}"),),
            note=f"then write both {old} and {new} (in code, or by a trigger)",
        ),
        Stage((batch,), note="repeat and commit until no row is left", transactional=False),
        Stage(swap, note="when all rows are copied; drop the old column in a later release"),
    )


@check("BG709")
def column_written_to_all_rows(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """A default that differs from row to row, a stored expression, a serial or identity: each row gets its value now."""
    if not isinstance(operation, op.AddColumn) or context.is_new(operation.table):
        return
    table, column = operation.table, operation.definition
    reason, confidence = _written_now(column, context.pg_version)
    domain = schema.domains.get(column.type.name)
    if not reason and domain is not None and domain.checked:
        reason = f"is of the domain {column.type}, whose check PostgreSQL makes row by row"
        column = replace(column, type=_base(column.type, schema))
    if not reason:
        return
    message = f"{table}.{column.name} {reason}: {table} is written anew while reads and writes are blocked"
    yield Hit(context.action.location, message, _later_fix(table, column, context), table, confidence=confidence)


def _written_now(column: Column, pg_version: int) -> tuple[str, Confidence | None]:
    """Return why each row gets a value of its own, empty when PostgreSQL only notes the default."""
    if column.generated is not None:
        return ("is generated and stored", None) if column.stored else ("", None)
    if column.identity:
        return "is an identity column", None
    if column.default is None or column.default.strip().lower() == "null":
        return "", None
    calls = {call.lower() for call in _CALL.findall(_STRING.sub("''", column.default))}
    if volatile := sorted(calls & _VOLATILE):
        return (
            ("is a serial column", None)
            if volatile == ["nextval"]
            else (f"has a new {volatile[0]}() for each row", None)
        )
    if unknown := sorted(calls - _STEADY):
        return f"has a default of {unknown[0]}(), which is volatile unless it is declared otherwise", Confidence.MEDIUM
    if pg_version < _CONSTANT_DEFAULT_SINCE:
        return f"has a default, which PostgreSQL {pg_version} writes to each row", None
    return "", None


def _later_fix(table: str, column: Column, context: Context) -> str:
    added_name = label(column.name)
    added = alter(table, f"ADD COLUMN {added_name} {column.type}")
    if column.generated is not None:
        note = f"keep it up to date with a trigger, then fill the old rows in batches with {column.generated}"
        return render(context, Stage((added,), note=note))
    if column.default is None and not column.identity:
        note = (
            f"{column.type} is what the domain is made of; add its check to the table, NOT VALID, and validate it later"
        )
        return render(context, Stage((added,), note=note))
    fill = update_batch(table, f"{added_name} = DEFAULT", f"{added_name} IS NULL")
    before: tuple[str, ...] = ()
    if column.identity:
        sequence = name(f"{table.rpartition('.')[2]}_{column.name}_seq")
        default, before = f"nextval('{sequence}')", (f"CREATE SEQUENCE {sequence}",)
    elif (column.default or "").startswith("nextval("):
        sequence = name(f"{table.rpartition('.')[2]}_{column.name}_seq")
        default, before = str(column.default), (f"CREATE SEQUENCE {sequence}",)
    else:
        default = str(column.default)
    stages = [
        Stage(
            (*before, added, alter(table, f"ALTER COLUMN {added_name} SET DEFAULT {default}")),
            note="new rows get it at once",
        ),
        Stage((fill,), note="repeat and commit until no row is left", transactional=False),
    ]
    return render(context, *stages)
