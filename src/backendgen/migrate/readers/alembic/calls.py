"""Alembic's operations as the SQL that `alembic upgrade --sql` would write for PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backendgen.migrate.quoting import label, literal, name
from backendgen.migrate.readers.alembic.entities import ENTITIES
from backendgen.migrate.readers.alembic.naming import Convention, named
from backendgen.migrate.readers.constants import constant
from backendgen.migrate.readers.sqlalchemy import (
    Dynamic,
    added_constraints,
    column_sql,
    columns_of,
    constraint_sql,
    default_sql,
    enum_name,
    enum_values,
    enums_in,
    optional,
    sql_text,
    type_sql,
    words,
)
from backendgen.migrate.readers.values import UNKNOWN, Batch, Call, Method, Text


def _table(call: Call, position: int = 0, *keywords: str, schema: str = "schema") -> str:
    table = words(call.arg(position, *(keywords or ("table_name",))), "the table's name")
    within = call.kwargs.get(schema)
    return f"{within.value}.{table}" if isinstance(within, Text) else table


def _if(call: Call, keyword: str, text: str) -> str:
    return text if call.kwargs.get(keyword) is True else ""


def _create_table(call: Call) -> list[str]:
    table = _table(call)
    parts = [each for each in call.args[1:] if each is not None]
    columns = [each for each in parts if isinstance(each, Call) and each.last == "Column"]
    if len([each for each in parts if isinstance(each, Call)]) != len(parts):
        raise Dynamic("its columns are not constants")
    counting = _counting(columns, parts)
    lines = [column_sql(column, alone=False, counts=column is counting) for column in columns]
    keys = [_named(column) for column in columns if column.kwargs.get("primary_key") is True]
    if keys and not any(part.last == "PrimaryKeyConstraint" and part.args for part in parts):
        lines.append(f"PRIMARY KEY ({columns_of(keys)})")
    lines += [constraint_sql(part) for part in parts if _is_written(part)]
    exists = _if(call, "if_not_exists", "IF NOT EXISTS ")
    prefixes = [each.value for each in _listed(call.kwargs.get("prefixes")) if isinstance(each, Text)]
    temporary = "TEMPORARY " if any(each.upper().startswith("TEMP") for each in prefixes) else ""
    made = f"CREATE {temporary}TABLE {exists}{name(table)} (\n  " + ",\n  ".join(lines) + "\n)"
    return [
        *enums_in(columns),
        made,
        *(_column_index(table, column) for column in columns if column.kwargs.get("index") is True),
        *(sql for part in parts if part.last == "Index" for sql in _table_index(table, part)),
    ]


_CONSTRAINTS = ("PrimaryKeyConstraint", "UniqueConstraint", "CheckConstraint", "ForeignKeyConstraint")


def _is_written(part: Call) -> bool:
    """Whether CREATE TABLE has a constraint: one with use_alter is left to another statement, which Alembic never makes."""
    return part.last in _CONSTRAINTS and bool(part.args or part.kwargs) and part.kwargs.get("use_alter") is not True


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _named(column: Call) -> Any:
    return column.kwargs.get("name", column.args[0] if column.args else None)


def _counting(columns: list[Call], parts: list[Call]) -> Call | None:
    """Return the column that is the whole key and no foreign key: an integer there is a serial."""
    given = [part for part in parts if part.last == "PrimaryKeyConstraint" and part.args]
    keys = [constant(each) for part in given for each in part.args]
    keys = keys or [constant(_named(each)) for each in columns if each.kwargs.get("primary_key") is True]
    references = [part.arg(0, "columns") for part in parts if part.last == "ForeignKeyConstraint"]
    foreign = {constant(each) for listed in references for each in _listed(listed) if isinstance(each, Text)}
    if len(keys) != 1 or keys[0] in foreign:
        return None
    found = next((each for each in columns if constant(_named(each)) == keys[0]), None)
    refers = found is not None and any(isinstance(each, Call) and each.last == "ForeignKey" for each in found.args)
    return None if refers else found


def _table_index(table: str, index: Call) -> list[str]:
    """Return the CREATE INDEX of an Index that stands in create_table."""
    schema, _, bare = table.rpartition(".")
    kwargs = {**index.kwargs, **({"schema": Text(schema)} if schema else {})}
    named = index.arg(0, "name")
    return _create_index(Call("op.create_index", (named, Text(bare), list(index.args[1:])), kwargs))


def _column_index(table: str, column: Call) -> str:
    named = words(column.kwargs.get("name", column.args[0] if column.args else None), "a column's name")
    unique = "UNIQUE " if column.kwargs.get("unique") is True else ""
    index = f"ix_{table.rpartition('.')[2]}_{named}"
    return f"CREATE {unique}INDEX {label(index)} ON {name(table)} ({label(named)})"


def _add_column(call: Call) -> list[str]:
    table, column = _table(call), call.arg(1, "column")
    if not isinstance(column, Call) or column.last != "Column":
        raise Dynamic("the column is not a constant")
    exists = _if(call, "if_not_exists", "IF NOT EXISTS ")
    added = f"ALTER TABLE {name(table)} ADD COLUMN {exists}{column_sql(column, alone=True)}"
    done = [added, *(f"ALTER TABLE {name(table)} ADD {constraint}" for constraint in added_constraints(column))]
    return [*done, _column_index(table, column)] if column.kwargs.get("index") is True else done


def _drop_column(call: Call) -> list[str]:
    column = words(call.arg(1, "column_name"), "the column's name")
    return [f"ALTER TABLE {name(_table(call))} DROP COLUMN {_if(call, 'if_exists', 'IF EXISTS ')}{name(column)}"]


def _alter_column(call: Call) -> list[str]:
    table = name(_table(call))
    column = name(words(call.arg(1, "column_name"), "the column's name"))
    alter = f"ALTER TABLE {table} ALTER COLUMN {column}"
    done = []
    nullable = call.kwargs.get("nullable")
    if isinstance(nullable, bool):
        done.append(f"{alter} {'DROP' if nullable else 'SET'} NOT NULL")
    default = call.kwargs.get("server_default", False)
    if default is None:
        done.append(f"{alter} DROP DEFAULT")
    elif default is not False and not (isinstance(default, Call) and default.last in ("Identity", "Computed")):
        done.append(f"{alter} SET DEFAULT {default_sql(default)}")
    kind = call.kwargs.get("type_")
    if kind is not None:
        using = call.kwargs.get("postgresql_using")
        written = f" USING {using.value}" if isinstance(using, Text) else ""
        done.append(f"{alter} TYPE {type_sql(kind)}{written}")
    renamed = optional(call.kwargs.get("new_column_name", call.kwargs.get("name")), "the new name")
    if renamed:
        done.append(f"ALTER TABLE {table} RENAME COLUMN {column} TO {name(renamed)}")
    if "comment" in call.kwargs:
        done.append(f"COMMENT ON COLUMN {table}.{column} IS NULL")
    return done


def existing_type(call: Call) -> str | None:
    """Return the SQL of alter_column's existing_type, None when it does not say one that is known."""
    kind = call.kwargs.get("existing_type")
    try:
        return type_sql(kind) if kind is not None else None
    except Dynamic:
        return None


def _create_index(call: Call) -> list[str]:
    index = optional(call.arg(0, "index_name", "name"), "the index's name")
    table = _table(call, 1, "table_name", "tablename")
    columns = columns_of(call.arg(2, "columns", default=UNKNOWN))
    unique = "UNIQUE " if call.kwargs.get("unique") is True else ""
    concurrently = _if(call, "postgresql_concurrently", "CONCURRENTLY ")
    exists = _if(call, "if_not_exists", "IF NOT EXISTS ")
    method, where = call.kwargs.get("postgresql_using"), call.kwargs.get("postgresql_where")
    using = f" USING {method.value}" if isinstance(method, Text) else ""
    include = call.kwargs.get("postgresql_include")
    included = f" INCLUDE ({columns_of(include)})" if isinstance(include, list) and include else ""
    condition = (
        f" WHERE {where.value if isinstance(where, Text) else sql_text(where) or 'true'}" if where is not None else ""
    )
    named = f"{label(index)} " if index else ""
    return [
        f"CREATE {unique}INDEX {concurrently}{exists}{named}ON {name(table)}{using} ({columns}){included}{condition}"
    ]


def _drop_index(call: Call) -> list[str]:
    index = label(words(call.arg(0, "index_name", "name"), "the index's name"))
    schema = call.kwargs.get("schema")
    qualified = f"{label(schema.value)}.{index}" if isinstance(schema, Text) else index
    concurrently = _if(call, "postgresql_concurrently", "CONCURRENTLY ")
    return [f"DROP INDEX {concurrently}{_if(call, 'if_exists', 'IF EXISTS ')}{qualified}"]


def _add_constraint(call: Call, table: str, given: Any, body: str) -> list[str]:
    named = optional(given, "the constraint's name")
    constraint = f"CONSTRAINT {label(named)} " if named else ""
    not_valid = _if(call, "postgresql_not_valid", " NOT VALID")
    return [f"ALTER TABLE {name(table)} ADD {constraint}{body}{not_valid}"]


def _create_foreign_key(call: Call) -> list[str]:
    table = _table(call, 1, "source_table", "source", schema="source_schema")
    parent = _table(call, 2, "referent_table", "referent", schema="referent_schema")
    local, remote = columns_of(call.arg(3, "local_cols")), columns_of(call.arg(4, "remote_cols"))
    body = f"FOREIGN KEY ({local}) REFERENCES {name(parent)} ({remote})"
    for clause, given in (("DELETE", call.kwargs.get("ondelete")), ("UPDATE", call.kwargs.get("onupdate"))):
        body += f" ON {clause} {given.value.upper()}" if isinstance(given, Text) else ""
    body += _if(call, "deferrable", " DEFERRABLE")
    return _add_constraint(call, table, call.arg(0, "constraint_name", "name"), body)


def _create_check(call: Call) -> list[str]:
    condition = call.arg(2, "condition")
    sql = condition.value if isinstance(condition, Text) and condition.whole else sql_text(condition)
    table = _table(call, 1, "table_name", "source")
    return _add_constraint(call, table, call.arg(0, "constraint_name", "name"), f"CHECK ({sql or '$1'})")


def _create_unique(call: Call) -> list[str]:
    table = _table(call, 1, "table_name", "source")
    body = f"UNIQUE ({columns_of(call.arg(2, 'columns', 'local_cols'))})"
    return _add_constraint(call, table, call.arg(0, "constraint_name", "name"), body)


def _create_primary_key(call: Call) -> list[str]:
    body = f"PRIMARY KEY ({columns_of(call.arg(2, 'columns', 'cols'))})"
    return _add_constraint(call, _table(call, 1, "table_name"), call.arg(0, "constraint_name", "name"), body)


def _drop_constraint(call: Call) -> list[str]:
    table = name(_table(call, 1, "table_name"))
    given = call.arg(0, "constraint_name", "name", default=UNKNOWN)
    if given is None:
        raise Dynamic("it names no constraint, so that Alembic cannot run it")
    named = label(words(given, "the constraint's name"))
    return [f"ALTER TABLE {table} DROP CONSTRAINT {_if(call, 'if_exists', 'IF EXISTS ')}{named}"]


def _rename_table(call: Call) -> list[str]:
    renamed = words(call.arg(1, "new_table_name"), "the new name")
    return [f"ALTER TABLE {name(_table(call, 0, 'old_table_name'))} RENAME TO {name(renamed)}"]


def _bulk_insert(call: Call) -> list[str]:
    return [f"INSERT INTO {name(table_of(call.arg(0, 'table')))} DEFAULT VALUES"]


def _create_exclude(call: Call) -> list[str]:
    keys = [each for each in call.args[2:] if isinstance(each, tuple | list) and len(each) == 2]
    written = [(sql_text(key) or words(key, "a key"), words(operator, "an operator")) for key, operator in keys]
    method = optional(call.kwargs.get("using"), "the method") or "gist"
    body = f"EXCLUDE USING {method} ({', '.join(f'{key} WITH {operator}' for key, operator in written)})"
    return _add_constraint(call, _table(call, 1, "table_name"), call.arg(0, "constraint_name", "name"), body)


_OPERATIONS: Mapping[str, Callable[[Call], list[str]]] = {
    "create_table": _create_table,
    "drop_table": lambda call: [f"DROP TABLE {_if(call, 'if_exists', 'IF EXISTS ')}{name(_table(call))}"],
    "rename_table": _rename_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": _alter_column,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_foreign_key": _create_foreign_key,
    "create_check_constraint": _create_check,
    "create_unique_constraint": _create_unique,
    "create_primary_key": _create_primary_key,
    "drop_constraint": _drop_constraint,
    "bulk_insert": _bulk_insert,
    "create_table_comment": lambda call: [f"COMMENT ON TABLE {name(_table(call))} IS ''"],
    "drop_table_comment": lambda call: [f"COMMENT ON TABLE {name(_table(call))} IS NULL"],
    "create_exclude_constraint": _create_exclude,
}
_SILENT = frozenset({
    "batch_alter_table", "f", "get_bind", "get_context", "implementation_for", "inline_literal", "register_operation",
})  # fmt: skip
# Where the table's name comes among the arguments: a batch operation leaves it out.
_TABLE_AT = {
    "create_index": 1, "create_foreign_key": 1, "create_check_constraint": 1, "create_unique_constraint": 1,
    "create_primary_key": 1, "drop_constraint": 1, "drop_index": 1,
}  # fmt: skip


def is_operation(function: str) -> bool:
    """Whether `op.<function>` changes something."""
    return function not in _SILENT


def statements(call: Call, convention: Convention) -> list[str]:
    """Return the SQL of a call of `op.*` or of a batch operation. Raises Dynamic when it cannot be known."""
    function = call.last
    if isinstance(call.receiver, Batch):
        call = _of_batch(call, call.receiver.table)
    translate = _OPERATIONS.get(function) or ENTITIES.get(function)
    if translate is None:
        raise Dynamic(f"op.{function} is not known")
    return translate(named(call, convention))


def _of_batch(call: Call, table: str) -> Call:
    schema, _, bare = table.rpartition(".")
    function = call.last
    at = min(_TABLE_AT.get(function, 0), len(call.args))
    args = (*call.args[:at], Text(bare), *call.args[at:])
    if len(call.args) < _TABLE_AT.get(function, 0):
        args, extra = call.args, {"table_name": Text(bare), "source_table": Text(bare)}
    else:
        extra = {}
    if schema:
        extra |= {"schema": Text(schema), "source_schema": Text(schema)}
    return Call(call.name, args, {**call.kwargs, **extra})


def construct_sql(value: Any) -> str | None:
    """Return the SQL of an executable construct other than text: CreateSchema, insert(), update() ... None if unknown."""
    if not isinstance(value, Call):
        return None
    if value.last in ("CreateSchema", "DropSchema") and value.args and isinstance(value.args[0], Text):
        exists = _if(value, "if_not_exists", "IF NOT EXISTS ") + _if(value, "if_exists", "IF EXISTS ")
        return f"{'CREATE' if value.last == 'CreateSchema' else 'DROP'} SCHEMA {exists}{name(value.args[0].value)}"
    if value.last in ("CreateSequence", "DropSequence") and value.args and isinstance(value.args[0], Call | Text):
        inner = value.args[0].arg(0) if isinstance(value.args[0], Call) else value.args[0]
        if isinstance(inner, Text):
            return f"{'CREATE' if value.last == 'CreateSequence' else 'DROP'} SEQUENCE {name(inner.value)}"
    return _change(value)


_VERBS = ("insert", "update", "delete")
_READS = ("select", "exists", "query", "union", "union_all")


def _change(value: Call) -> str | None:
    """Return INSERT, UPDATE, DELETE or SELECT with as much as is known: the verb, the table, whether there is a WHERE."""
    called, step = value.name, value
    while isinstance(step.receiver, Call) and step.last not in (*_VERBS, *_READS):
        step = step.receiver
    if step.last in _READS:
        return "SELECT 1"
    if step.last not in _VERBS:
        return None
    target = step.args[0] if step.args and not isinstance(step.receiver, Call) else step.receiver
    try:
        table = name(table_of(target))
    except Dynamic:
        return None
    where = " WHERE $1" if ".where" in called or "filter" in called else ""
    return {
        "insert": f"INSERT INTO {table} DEFAULT VALUES",
        "update": f"UPDATE {table} SET a = $1{where}",
        "delete": f"DELETE FROM {table}{where}",
    }[step.last]


def table_of(value: Any) -> str:
    """Return the name of a table() or Table() construct. Raises Dynamic."""
    if isinstance(value, Call) and value.last in ("table", "Table", "TableClause"):
        return _table(value, 0, "name")
    if isinstance(value, Call) and value.last == "create_table":
        return _table(value)
    if isinstance(value, Call) and value.last in ("alias", "aliased"):
        return table_of(value.args[0] if value.args and value.last == "aliased" else value.receiver)
    if isinstance(value, Method) and isinstance(value.receiver, Call):  # a column: Model.name, table.c.name
        return table_of(value.receiver)
    if isinstance(value, Method) and isinstance(value.receiver, Method):
        return table_of(value.receiver)
    raise Dynamic("the table is not a constant")


def created(call: Call, convention: Convention) -> list[str]:
    """Return what `.create(bind)` and `.drop(bind)` of an Enum, a Table or an Index do; nothing for anything else."""
    made = call.receiver
    if not isinstance(made, Call) or call.last not in ("create", "drop"):
        return []
    if made.last in ("Enum", "ENUM"):
        named_ = name(enum_name(made))
        if call.last == "drop":
            return [f"DROP TYPE IF EXISTS {named_}"]
        return [f"CREATE TYPE {named_} AS ENUM ({', '.join(literal(each) for each in enum_values(made))})"]
    soft = call.kwargs.get("checkfirst", True) is True
    if made.last == "Table" and len(made.args) > 2:
        table = Call("op.create_table", (made.args[0], *made.args[2:]), made.kwargs)
        if call.last == "drop":
            return [f"DROP TABLE {'IF EXISTS ' if soft else ''}{name(_table(table))}"]
        return statements(replace(table, kwargs={**table.kwargs, "if_not_exists": soft}), convention)
    return []
