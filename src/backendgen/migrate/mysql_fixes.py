"""Ways out for MySQL and MariaDB: clauses that make the server refuse what is slow, and the tools that copy online."""

from __future__ import annotations

import re

from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, written
from backendgen.migrate.mysql_algorithms import Cost
from backendgen.migrate.quoting import in_backticks, literal, mysql_name
from backendgen.sql import operation as op
from backendgen.sql.schema import Column

_CLAUSE = re.compile(r"\s*,?\s*\b(?:ALGORITHM|LOCK)\s*=?\s*(?:DEFAULT|INSTANT|INPLACE|NOCOPY|COPY|NONE|SHARED|EXCLUSIVE)\b",
                     re.IGNORECASE)  # fmt: skip
_NAME = r"(?:`[^`]+`|[\w$]+)(?:\s*\.\s*(?:`[^`]+`|[\w$]+))?"
_ALTER = re.compile(
    rf"ALTER\s+(?:ONLINE\s+|IGNORE\s+)*TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}\s*(.*)", re.IGNORECASE | re.DOTALL
)
_INDEX = re.compile(
    rf"CREATE\s+((?:UNIQUE|FULLTEXT|SPATIAL)\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?({_NAME}).*?\sON\s+{_NAME}\s*(\(.*)",
    re.IGNORECASE | re.DOTALL,
)


def pasted(context: Context, *stages: Stage) -> str:
    """Return stages whose statements are MySQL's already."""
    return written(context.migration, context.action.path, *stages)


def takes_clauses(sql: str) -> bool:
    """Whether a statement has a place for ALGORITHM and LOCK: OPTIMIZE and RENAME have none."""
    return bool(re.match(r"(?i)\s*(?:ALTER|CREATE|DROP)\b", sql))


def with_clauses(sql: str, cost: Cost) -> str:
    """Return an ALTER TABLE or CREATE INDEX that asks for the best algorithm and lock: it fails rather than blocks."""
    plain = _CLAUSE.sub("", sql)
    clauses = cost.clauses
    return f"{plain}, {clauses}" if _ALTER.match(plain) else f"{plain} {clauses.replace(',', '')}"


def alteration(operation: op.Operation) -> str:
    """Return what the statement does as ALTER TABLE has it after the table's name; empty when it cannot be said so."""
    sql = " ".join(_CLAUSE.sub("", operation.sql).split())
    if found := _ALTER.match(sql):
        return found[1]
    if found := _INDEX.match(sql):
        return f"ADD {(found[1] or '').upper()}INDEX {found[2]} {found[3]}"
    return "ENGINE=InnoDB" if isinstance(operation, op.RewriteTable) else ""


def online(context: Context, *stages: Stage) -> str:
    """Return the commands of gh-ost and pt-online-schema-change instead of the statement, after what can be done before."""
    operation = context.action.operation
    table, change = getattr(operation, "table", ""), alteration(operation)
    quoted = "'" + change.replace("'", "'\\''") + "'"
    lines = (
        "instead of this statement, with a tool that copies the table beside it while writes go on (one of them):",
        f"gh-ost --database=DATABASE --table={table} --alter={quoted} --execute",
        f"pt-online-schema-change --alter {quoted} D=DATABASE,t={table} --execute",
    )
    comment = "# " if context.action.path.endswith(".py") else "-- "
    commands = "\n".join(comment + line for line in lines)
    return f"{pasted(context, *stages)}\n{commands}" if stages else commands


def definition(column: Column) -> str:
    """Return a column as MODIFY wants it: all of it."""
    parts = [mysql_name(column.name), in_backticks(str(column.type))]
    if column.charset:
        parts.append(f"CHARACTER SET {column.charset}")
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.generated is not None:
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) {'STORED' if column.stored else 'VIRTUAL'}")
    if column.not_null:
        parts.append("NOT NULL")
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.on_update:
        parts.append(f"ON UPDATE {column.on_update}")
    if column.auto_increment:
        parts.append("AUTO_INCREMENT")
    if column.comment:
        parts.append(f"COMMENT {literal(column.comment)}")
    return " ".join(parts)


def alter(table: str, *actions: str) -> str:
    """Return `ALTER TABLE table action, action`."""
    return f"ALTER TABLE {mysql_name(table)} {', '.join(actions)}"
