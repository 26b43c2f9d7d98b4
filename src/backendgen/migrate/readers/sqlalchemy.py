"""SQLAlchemy's constructs as PostgreSQL text: types, columns, constraints, as the dialect itself would write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backendgen.migrate.quoting import label, literal, name, names
from backendgen.migrate.readers.values import Call, Method, Symbol, Text

_TYPES = {
    "integer": "INTEGER", "int": "INTEGER", "biginteger": "BIGINT", "bigint": "BIGINT",
    "smallinteger": "SMALLINT", "smallint": "SMALLINT", "text": "TEXT", "unicodetext": "TEXT",
    "boolean": "BOOLEAN", "date": "DATE", "interval": "INTERVAL", "largebinary": "BYTEA", "bytea": "BYTEA",
    "blob": "BYTEA", "uuid": "UUID", "guid": "UUID", "json": "JSON", "jsonb": "JSONB", "float": "FLOAT",
    "real": "REAL", "double": "DOUBLE PRECISION", "double_precision": "DOUBLE PRECISION", "inet": "INET",
    "cidr": "CIDR", "macaddr": "MACADDR", "hstore": "HSTORE", "tsvector": "TSVECTOR", "citext": "CITEXT",
    "oid": "OID", "money": "MONEY", "int4range": "INT4RANGE", "int8range": "INT8RANGE", "numrange": "NUMRANGE",
    "daterange": "DATERANGE", "tsrange": "TSRANGE", "tstzrange": "TSTZRANGE", "pickletype": "BYTEA",
    "autostring": "VARCHAR",
    # sqlalchemy_utils
    "tsvectortype": "TSVECTOR", "uuidtype": "UUID", "jsontype": "JSON", "emailtype": "VARCHAR(255)", "urltype": "TEXT",
    "ltreetype": "LTREE", "choicetype": "VARCHAR(255)", "arrowtype": "TIMESTAMP WITHOUT TIME ZONE",
    "phonenumbertype": "VARCHAR(20)", "countrytype": "VARCHAR(2)", "localetype": "VARCHAR(10)",
    "ipaddresstype": "VARCHAR(50)", "currencytype": "VARCHAR(3)", "timezonetype": "VARCHAR(50)", "encryptedtype": "BYTEA",
    "stringencryptedtype": "VARCHAR",
}  # fmt: skip
_SIZED = {
    "string": "VARCHAR", "varchar": "VARCHAR", "unicode": "VARCHAR", "nvarchar": "VARCHAR", "char": "CHAR", "bit": "BIT",
    "numeric": "NUMERIC", "decimal": "NUMERIC",
}  # fmt: skip


_LONGEST_NAME = 63


class Dynamic(Exception):
    """A part of a construct is not a constant, so that its SQL is not known; the message names it."""


def words(value: Any, what: str) -> str:
    """Return a constant string. Raises Dynamic."""
    if isinstance(value, Text) and value.whole:
        return value.value
    if isinstance(value, Call) and value.last == "quoted_name" and value.args:
        return words(value.args[0], what)
    if isinstance(value, Call) and value.last == "f" and value.args:  # op.f(): a name that is final
        return truncated(words(value.args[0], what))
    raise Dynamic(f"{what} is not a constant")


def truncated(text: str) -> str:
    """Cut a name that is made, or final, as SQLAlchemy cuts it: with a hash of the whole at its end."""
    if len(text) <= _LONGEST_NAME:
        return text
    from hashlib import md5

    return f"{text[: _LONGEST_NAME - 8]}_{md5(text.encode(), usedforsecurity=False).hexdigest()[-4:]}"


def optional(value: Any, what: str) -> str:
    """Return a constant string, empty for None. Raises Dynamic."""
    return "" if value is None else words(value, what)


def sql_text(value: Any) -> str | None:
    """Return the SQL of text(), literal_column(), func.x(), true(); None when it is no SQL expression."""
    match value:
        case Call(last="text" | "literal_column" | "DDL", args=(Text(value=sql, whole=True), *_)):
            return sql
        case Call(name=called, args=args) if ".func." in called or called.startswith("func."):
            return f"{called.rpartition('.')[2]}({', '.join(map(_argument, args))})"
        case Call(last="next_value", receiver=Call(last="Sequence") as sequence):
            return f"nextval({literal(name(words(sequence.arg(0, 'name'), 'the name of a sequence')))})"
        case Call(last="true" | "false" | "null" as word):
            return word
        case Call(last="cast", args=(inner, kind, *_)):
            return f"CAST({_argument(inner)} AS {type_sql(kind)})"
        case Call(last="desc" | "asc" | "nullslast" | "nullsfirst" as order, args=args, receiver=receiver):
            inner = sql_text(args[0] if args else receiver)
            return f"{inner} {order.upper().replace('NULLS', 'NULLS ')}" if inner else None
        case Call(last="column" | "Column", args=(Text(value=column), *_)):
            return name(column)
        case _:
            return None


def _argument(value: Any) -> str:
    if isinstance(value, Text):
        return literal(value.value)
    if isinstance(value, int | float):
        return str(value)
    sql = sql_text(value)
    if sql is None:
        raise Dynamic("an argument of an SQL function is not a constant")
    return sql


def type_sql(value: Any) -> str:
    """Return a column type as SQL; one that is not SQLAlchemy's own keeps its name. Raises Dynamic."""
    if isinstance(value, Symbol):
        return _named_type(value.name.rpartition(".")[2], Call(value.name))
    if not isinstance(value, Call):
        raise Dynamic("a column's type is not a constant")
    if value.last == "with_variant":
        variant = any(isinstance(dialect, Text) and dialect.value == "postgresql" for dialect in value.args[1:])
        return type_sql(value.args[0] if variant else value.receiver)
    if value.last.endswith("()") and value.receiver is not None:  # the project's own type, called
        return type_sql(value.receiver)
    return _named_type(value.last, value)


def _named_type(written: str, call: Call) -> str:
    kind = written.lower()
    if kind in ("datetime", "timestamp", "time"):
        zone = call.arg(-1, "timezone") is True or (bool(call.args) and call.args[0] is True)
        precision = call.kwargs.get("precision")
        digits = f"({precision})" if isinstance(precision, int) else ""
        return f"{'TIME' if kind == 'time' else 'TIMESTAMP'}{digits} {'WITH' if zone else 'WITHOUT'} TIME ZONE"
    if kind == "enum":
        return _enum_type(call)
    if kind == "array":
        return f"{type_sql(call.arg(0, 'item_type'))}[]"
    if kind in _SIZED:
        sizes = [each for each in (call.arg(0, "length", "precision"), call.arg(1, "scale")) if isinstance(each, int)]
        return f"{_SIZED[kind]}({', '.join(map(str, sizes))})" if sizes else _SIZED[kind]
    if kind in ("geometry", "geography", "vector"):
        return kind
    return _TYPES.get(kind) or name(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", written).lower())


def _enum_type(call: Call) -> str:
    if call.kwargs.get("native_enum") is False:
        lengths = [len(each.value) for each in call.args if isinstance(each, Text)]
        return f"VARCHAR({max(lengths, default=255)})"
    return name(_qualified(call, enum_name(call)))


def enum_name(call: Call) -> str:
    """Return an Enum's name; a Python enum class gives its own in lower case. Raises Dynamic."""
    given = call.kwargs.get("name")
    if isinstance(given, Text):
        return given.value
    if given is None and call.args and isinstance(call.args[0], Symbol | Method):
        return call.args[0].name.rpartition(".")[2].lower()
    raise Dynamic("an enum's name is not a constant")


def enum_values(call: Call) -> list[str]:
    """Return an Enum's values; those of a Python enum class are not looked up. Raises Dynamic."""
    if call.args and isinstance(call.args[0], Symbol | Method):
        return []
    return [words(each, "an enum's value") for each in call.args]


def enums_in(columns: list[Call]) -> Iterator[str]:
    """Yield CREATE TYPE for the enums that CREATE TABLE makes on its way."""
    for kind in (part for column in columns for part in column.args if isinstance(part, Call)):
        if kind.last not in ("Enum", "ENUM") or False in (
            kind.kwargs.get("create_type"),
            kind.kwargs.get("native_enum"),
        ):
            continue
        if all(isinstance(each, Text) for each in kind.args):
            yield f"CREATE TYPE {_enum_type(kind)} AS ENUM ({', '.join(map(literal, enum_values(kind)))})"


def default_sql(value: Any) -> str:
    """Return a server default as SQL. Raises Dynamic."""
    if isinstance(value, Text) and value.whole:
        return literal(value.value)
    if isinstance(value, Call) and value.last == "DefaultClause" and value.args:
        return default_sql(value.args[0])
    if isinstance(value, bool | int | float):
        return str(value).lower()
    sql = sql_text(value)
    if sql is None:
        raise Dynamic("a column's server_default is not a constant")
    return sql


def column_sql(column: Call, *, alone: bool, counts: bool = False) -> str:
    """Return a column definition. `alone`: of ADD COLUMN, where no key makes an integer a serial and constraints are
    statements of their own. `counts`: it is the one integer of the table's key that counts up. Raises Dynamic.
    """
    parts = [each for each in column.args if not isinstance(each, Text)]
    named = words(column.kwargs.get("name", column.args[0] if column.args else None), "a column's name")
    given = column.kwargs.get("type_", next((each for each in parts if _is_type(each)), None))
    primary = column.kwargs.get("primary_key") is True
    sql = type_sql(given) if given is not None else _TYPES["integer"]
    identity = any(isinstance(each, Call) and each.last in ("Identity", "Computed") for each in parts)
    default = column.kwargs.get("server_default")
    increments = column.kwargs.get("autoincrement", counts)
    increments = counts if isinstance(increments, Text) else increments  # "auto", "ignore_fk"
    if not alone and increments and not identity and default is None and sql in ("INTEGER", "BIGINT", "SMALLINT"):
        sql = {"INTEGER": "SERIAL", "BIGINT": "BIGSERIAL", "SMALLINT": "SMALLSERIAL"}[sql]
    text = f"{label(named)} {sql}"
    if isinstance(default, Call) and default.last in ("Identity", "Computed"):
        parts.append(default)
    elif default is not None and not (isinstance(default, Call) and default.last == "FetchedValue"):
        text += f" DEFAULT {default_sql(default) if alone else _any_default(default)}"
    if column.kwargs.get("nullable") is False and not primary:
        text += " NOT NULL"
    text += " PRIMARY KEY" if primary and alone else ""
    if alone:
        return text + "".join(f" {inline}" for inline in _inline(parts) if inline.startswith("GENERATED"))
    text += " UNIQUE" if is_unique(column) else ""
    return text + "".join(f" {inline}" for inline in _inline(parts))


def _any_default(value: Any) -> str:
    """Return the default of a column of a new table, NULL for one that is not known: no row needs it yet."""
    try:
        return default_sql(value)
    except Dynamic:
        return "NULL"


def is_unique(column: Call) -> bool:
    """Whether a column has a unique constraint (with index=True it is a unique index instead)."""
    return column.kwargs.get("unique") is True and column.kwargs.get("index") is not True


def added_constraints(column: Call) -> Iterator[str]:
    """Yield what Alembic adds by statements of its own after ADD COLUMN: its foreign keys, checks and unique constraint."""
    named = label(words(column.kwargs.get("name", column.args[0] if column.args else None), "a column's name"))
    for inline in _inline(list(column.args)):
        prefix, references, rest = inline.partition("REFERENCES ")
        if references:
            yield f"{prefix}FOREIGN KEY ({named}) REFERENCES {rest}"
        elif not inline.startswith("GENERATED"):
            yield inline
    if is_unique(column):
        yield f"UNIQUE ({named})"


def _is_type(value: Any) -> bool:
    if isinstance(value, Symbol):
        return True
    return isinstance(value, Call) and value.last not in (
        "ForeignKey", "Identity", "Computed", "CheckConstraint", "Sequence", "FetchedValue", "text", "Column",
    )  # fmt: skip


def _inline(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        match part:
            case Call(last="ForeignKey") if part.kwargs.get("use_alter") is not True:
                named = optional(part.kwargs.get("name"), "a foreign key's name")
                prefix = f"CONSTRAINT {label(named)} " if named else ""
                yield f"{prefix}REFERENCES {_target(_referred(part.arg(0, 'column')))}{_actions(part)}"
            case Call(last="Identity"):
                yield f"GENERATED {'ALWAYS' if part.arg(2, 'always') is True else 'BY DEFAULT'} AS IDENTITY"
            case Call(last="Computed"):
                stored = "VIRTUAL" if part.kwargs.get("persisted") is False else "STORED"
                yield f"GENERATED ALWAYS AS ({_expression(part.arg(0, 'sqltext'))}) {stored}"
            case Call(last="CheckConstraint"):
                yield constraint_sql(part)
            case _:
                pass


def _referred(value: Any) -> str:
    """Return what a foreign key refers to: a text, or a column of a model."""
    if isinstance(value, Method) and isinstance(value.receiver, Call) and value.receiver.last == "table":
        table = words(value.receiver.arg(0), "the table of a foreign key")
        return f"{table}.{value.name.rpartition('.')[2]}"
    return words(value, "a foreign key")


def _target(column: str) -> str:
    table, _, key = column.rpartition(".")
    return f"{name(table)} ({name(key)})" if table else name(key)


def _actions(call: Call) -> str:
    text = "".join(
        f" {words_} {value.value.upper()}"
        for words_, value in (("ON DELETE", call.kwargs.get("ondelete")), ("ON UPDATE", call.kwargs.get("onupdate")))
        if isinstance(value, Text)
    )
    text += " DEFERRABLE" if call.kwargs.get("deferrable") is True else ""
    return (
        f"{text} INITIALLY {initially.value.upper()}"
        if isinstance(initially := call.kwargs.get("initially"), Text)
        else text
    )


def _expression(value: Any) -> str:
    sql = value.value if isinstance(value, Text) and value.whole else sql_text(value)
    if sql is None:
        raise Dynamic("an expression is not a constant")
    return sql


def columns_of(values: Any) -> str:
    """Return a list of column names or expressions as SQL. Raises Dynamic."""
    if not isinstance(values, list | tuple):
        values = [values]
    parts = []
    for value in values:
        if isinstance(value, Text) and value.whole:
            parts.append(name(value.value))
        elif (sql := sql_text(value)) is not None:
            parts.append(sql if re.fullmatch(r'[\w".]+(?: (?:DESC|ASC|NULLS \w+))*', sql) else f"({sql})")
        else:
            raise Dynamic("a column's name is not a constant")
    return ", ".join(parts)


def constraint_sql(call: Call) -> str:
    """Return a constraint construct of create_table as SQL, with its name. Raises Dynamic."""
    named = optional(call.kwargs.get("name"), "a constraint's name")
    prefix = f"CONSTRAINT {label(named)} " if named else ""
    not_valid = " NOT VALID" if call.kwargs.get("postgresql_not_valid") is True else ""
    match call.last:
        case "PrimaryKeyConstraint":
            return f"{prefix}PRIMARY KEY ({columns_of(call.args)})"
        case "UniqueConstraint":
            return f"{prefix}UNIQUE ({columns_of(call.args)})"
        case "CheckConstraint":
            return f"{prefix}CHECK ({_expression(call.arg(0, 'sqltext'))}){not_valid}"
        case "ForeignKeyConstraint":
            targets = call.arg(1, "refcolumns")
            if not isinstance(targets, list | tuple) or not targets:
                raise Dynamic("a foreign key's target is not a constant")
            pairs = [_referred(target).rpartition(".") for target in targets]
            remote = f"{name(pairs[0][0])} ({names(pair[2] for pair in pairs)})"
            local = columns_of(call.arg(0, "columns"))
            return f"{prefix}FOREIGN KEY ({local}) REFERENCES {remote}{_actions(call)}{not_valid}"
        case _:
            raise Dynamic(f"{call.last} is not known")


def _qualified(call: Call, identifier: str) -> str:
    schema = call.kwargs.get("schema")
    return f"{schema.value}.{identifier}" if isinstance(schema, Text) else identifier
