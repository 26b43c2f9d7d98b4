"""What PostgreSQL writes anew for an Operation: tables and indexes, as the manual says and as it was measured on 16 and 18.

Judges nothing; the checks and the comparison with a trace ask here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from backendgen.migrate import spread
from backendgen.rules import Confidence
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Index, Table, Type, View
from backendgen.sql.types import type_change

Effect = Literal["", "rewrite", "scan", "indexes"]
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


@dataclass(frozen=True, slots=True)
class Written:
    """The tables whose rows get new files, and the indexes that are built anew though they were there before."""

    tables: frozenset[str] = frozenset()
    indexes: frozenset[str] = frozenset()


def written(operation: op.Operation, schema: Schema, pg_version: int) -> Written:
    """Return what an operation writes anew, given the Schema before it; only relations that the Schema knows."""
    match operation:
        case op.AlterColumnType(table=name):
            table = schema.tables.get(name)
            definition = table.column(operation.name) if table else None
            effect = type_effect(operation, definition.type, table, schema) if definition else ""
            if effect == "rewrite":
                return _whole(name, schema)
            return Written(indexes=frozenset(_rebuilt(operation, schema))) if effect else Written()
        case op.AddColumn(table=name, definition=column):
            return _whole(name, schema) if column_written(column, schema, pg_version)[0] else Written()
        case op.SetGenerated() if rewrite_of(operation, schema):
            return _whole(operation.table, schema)
        case op.RewriteTable(table=name, how=how) if how.startswith("SET ") and _is_partitioned(name, schema):
            return Written()  # it is about future partitions
        case op.RewriteTable(table=name, how="SET TABLESPACE"):
            return Written(_whole(name, schema, heirs=False).tables)
        case op.RewriteTable(table=name):
            return _whole(name, schema, heirs=False)
        case op.Reindex():
            return Written(indexes=frozenset(_reindexed(operation, schema)))
        case op.RefreshView(name=name, concurrently=False):
            return _whole(name, schema)
        case op.Truncate(table=name):
            emptied = (name, *spread.referring(operation, schema))
            return _union(_whole(each, schema, heirs=not operation.only) for each in emptied)
        case _:
            return Written()


def rewrite_of(operation: op.Operation, schema: Schema) -> str:
    """Return the form of ALTER TABLE, VACUUM or CLUSTER that writes the table anew, empty for any other operation."""
    if isinstance(operation, op.RewriteTable):
        return operation.how
    if isinstance(operation, op.SetGenerated) and operation.expression is not None:
        column = schema.column(operation.table, operation.name)
        return "SET EXPRESSION" if column is None or column.stored else ""
    return ""


def _whole(name: str, schema: Schema, *, heirs: bool = True) -> Written:
    """A table with its indexes, and those that inherit from it; of a partitioned one all partitions, as it has no rows."""
    if view := schema.views.get(name):
        return Written(frozenset({name}), frozenset(index.name for index in view.indexes))
    table = schema.tables.get(name)
    if table is None:
        return Written()
    own = Written() if table.partitioned else _own(table)
    below = (*schema.partitions_of(name), *(schema.heirs_of(name) if heirs else ()))
    return _union((own, *(_whole(each.name, schema) for each in below)))


def _is_partitioned(name: str, schema: Schema) -> bool:
    table = schema.tables.get(name)
    return table is not None and table.partitioned


def _own(table: Table) -> Written:
    return Written(frozenset({table.name}), frozenset(index.name for index in table.indexes))


def _union(parts: Iterable[Written]) -> Written:
    every = tuple(parts)
    return Written(
        frozenset(name for part in every for name in part.tables),
        frozenset(name for part in every for name in part.indexes),
    )


def _rebuilt(operation: op.AlterColumnType, schema: Schema) -> Iterator[str]:
    """Yield the indexes that a type change without a rewrite builds anew, those of partitions and heirs too."""
    parent = schema.tables[operation.table]
    for name in (parent.name, *spread.partitions(schema, parent.name), *spread.heirs(schema, parent.name)):
        table = schema.tables[name]
        column = table.column(operation.name)
        if column is None or table.partitioned:
            continue
        for index in table.indexes:
            if rebuilds(index, operation, column.type, parent if parent.partitioned else table, schema):
                yield index.name


def _reindexed(operation: op.Reindex, schema: Schema) -> Iterator[str]:
    """Yield the indexes of a table or schema, or the one that is named."""
    if operation.target == "index":
        yield from (index.name for index in (schema.index(operation.name),) if index)
        return
    owners: list[Table | View] = [*schema.tables.values(), *schema.views.values()]
    for table in owners:
        if operation.target != "table" or table.name == operation.name:
            yield from (index.name for index in table.indexes)


def column_written(column: Column, schema: Schema, pg_version: int) -> tuple[str, Confidence | None]:
    """Return why a new column is written to every row, empty when PostgreSQL only notes it in the catalogue."""
    reason, confidence = value_per_row(column, pg_version)
    domain = schema.domains.get(column.type.name)
    if not reason and domain is not None and domain.checked:
        return f"is of the domain {column.type}, whose check PostgreSQL makes row by row", None
    return reason, confidence


def type_effect(operation: op.AlterColumnType, was: Type, table: Table | None, schema: Schema) -> Effect:
    """Return what PostgreSQL does to the table, empty when it only changes the catalogue (all measured on 18)."""
    column, new = operation.name, operation.type
    rebuilt = table is None or any(rebuilds(index, operation, was, table, schema) for index in table.indexes)
    if was == new and not operation.collation and plain_cast(operation):
        return "indexes" if table is not None and rebuilt else ""
    change = type_change(schema.base_type(was), schema.base_type(new)) if plain_cast(operation) else "rewrite"
    domain = schema.domains.get(new.name)
    if change == "rewrite" or (domain is not None and domain.checked and was != new):
        return "rewrite"
    constraints = table.constraints if table else ()
    if was != new and any(each.kind == "check" and column in each.columns for each in constraints):
        return "scan"
    if table is None:
        return "indexes" if change == "scan" or operation.collation else ""
    return "indexes" if rebuilt else ""


def rebuilds(index: Index, operation: op.AlterColumnType, was: Type, table: Table, schema: Schema) -> bool:
    """Whether an index is built anew by a type change that leaves the rows as they are (CheckIndexCompatible).

    PostgreSQL adopts the old index for the new type, but for none with expressions or a WHERE, nor for partitions.
    """
    if operation.name not in (*index.columns, *index.expression_columns, *index.include):
        return False
    if table.partitioned or index.where or "" in index.columns:
        return True
    change = type_change(schema.base_type(was), schema.base_type(operation.type))
    return operation.name in index.columns and (change == "scan" or bool(operation.collation))


def is_known(kind: Type, schema: Schema) -> bool:
    """Whether a type is PostgreSQL's own type or an enum: nobody knows what another one is made of."""
    return " " in kind.name or kind.name in _TYPES or kind.name in schema.enums


def plain_cast(operation: op.AlterColumnType) -> bool:
    """Whether USING is absent, or nothing but the column, cast or not."""
    itself = rf'\(?"?{re.escape(operation.name)}"?\)?'
    return not operation.using or bool(
        re.fullmatch(rf"(?i){itself}(?:::[\w\s(),.\[\]\"]+)?|cast\({itself} as [^)]+\)?\)", operation.using)
    )


def value_per_row(column: Column, pg_version: int) -> tuple[str, Confidence | None]:
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
