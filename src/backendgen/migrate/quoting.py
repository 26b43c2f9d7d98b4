"""Names as SQL, quoted where PostgreSQL wants it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from backendgen.sql.lexer import quote

_QUOTED = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*'|`[^`]*`)""")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

# Words that PostgreSQL 18 does not take as a column or table name without quotes (manual, appendix C).
_RESERVED = frozenset({
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "binary", "both", "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint",
    "create", "cross", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end",
    "except", "false", "fetch", "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike",
    "in", "initially", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like",
    "limit", "localtime", "localtimestamp", "natural", "not", "notnull", "null", "offset", "on", "only", "or",
    "order", "outer", "overlaps", "placing", "primary", "references", "returning", "right", "select",
    "session_user", "similar", "some", "symmetric", "system_user", "table", "tablesample", "then", "to",
    "trailing", "true", "union", "unique", "user", "using", "variadic", "verbose", "when", "where", "window",
    "with",
})  # fmt: skip


# Words of MySQL 8.4 and MariaDB 11 that are likely names and need backticks there (manual, Keywords and Reserved Words).
_RESERVED_IN_MYSQL = _RESERVED | {
    "accessible", "add", "alter", "before", "by", "call", "change", "character", "condition", "cube", "database",
    "describe", "div", "drop", "each", "empty", "exists", "explain", "function", "generated", "get", "groups", "if",
    "index", "insert", "interval", "key", "keys", "kill", "lag", "lead", "leave", "lines", "load", "lock", "loop", "match",
    "mod", "of", "option", "out", "over", "partition", "procedure", "purge", "range", "rank", "read", "recursive",
    "release", "rename", "repeat", "replace", "require", "return", "row", "rows", "schema", "separator", "set", "show",
    "signal", "sql", "ssl", "starting", "stored", "system", "trigger", "undo", "unlock", "update", "usage", "use",
    "values", "virtual", "while", "write",
}  # fmt: skip


def label(identifier: str) -> str:
    """Return one identifier as SQL, whatever it holds: the name of a constraint, column or index."""
    return f'"{identifier}"' if identifier in _RESERVED else quote(identifier)


def name(identifier: str) -> str:
    """Return a (possibly schema-qualified) name as SQL."""
    return ".".join(map(label, identifier.split(".")))


def in_backticks(sql: str) -> str:
    """Return a statement with its quoted names as MySQL wants them."""
    return "".join(f"`{part[1:-1]}`" if part.startswith('"') else part for part in _QUOTED.split(sql) if part)


def mysql_name(identifier: str) -> str:
    """Return a (possibly qualified) name as MySQL and MariaDB read it."""
    return ".".join(
        part if _PLAIN.fullmatch(part) and part.lower() not in _RESERVED_IN_MYSQL else f"`{part.replace('`', '``')}`"
        for part in identifier.split(".")
    )


def names(identifiers: Iterable[str]) -> str:
    """Return names as a list in SQL."""
    return ", ".join(name(one) for one in identifiers)


def literal(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("'", "''") + "'"
