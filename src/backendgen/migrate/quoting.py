"""Names as SQL, quoted where PostgreSQL wants it."""

from __future__ import annotations

from collections.abc import Iterable

from backendgen.sql.lexer import quote

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


def label(identifier: str) -> str:
    """Return one identifier as SQL, whatever it holds: the name of a constraint, column or index."""
    return f'"{identifier}"' if identifier in _RESERVED else quote(identifier)


def name(identifier: str) -> str:
    """Return a (possibly schema-qualified) name as SQL."""
    return ".".join(map(label, identifier.split(".")))


def names(identifiers: Iterable[str]) -> str:
    """Return names as a list in SQL."""
    return ", ".join(name(one) for one in identifiers)


def literal(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("'", "''") + "'"
