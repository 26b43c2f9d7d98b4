"""The query that finds the rows on which a change would fail, to be run before it."""

from __future__ import annotations

from backendgen.migrate.quoting import label, name, names
from backendgen.sql.schema import Constraint


def offending_rows(table: str, constraint: Constraint) -> str:
    """Return a query, on one line, for the rows that break a constraint; empty when it cannot be written down."""
    return " ".join(_query(table, constraint).split())


def _query(table: str, constraint: Constraint) -> str:
    relation = name(table)
    match constraint.kind:
        case "not_null":
            missing = " OR ".join(f"{label(column)} IS NULL" for column in constraint.columns)
            return f"SELECT count(*) FROM {relation} WHERE {missing}"
        case "unique" | "primary_key" if constraint.columns:
            columns = names(constraint.columns)
            among = f" WHERE {where}" if (where := _compared(constraint)) else ""
            return f"SELECT {columns}, count(*) FROM {relation}{among} GROUP BY {columns} HAVING count(*) > 1"
        case "check" if constraint.expression:
            return f"SELECT count(*) FROM {relation} WHERE NOT ({constraint.expression})"
        case "foreign_key" if len(constraint.columns) == len(constraint.referenced_columns):
            pairs = zip(constraint.columns, constraint.referenced_columns, strict=True)
            equal = " AND ".join(f"parent.{label(parent)} = child.{label(child)}" for child, parent in pairs)
            given = " AND ".join(f"child.{label(column)} IS NOT NULL" for column in constraint.columns)
            orphan = f"NOT EXISTS (SELECT FROM {name(constraint.references)} parent WHERE {equal})"
            return f"SELECT count(*) FROM {relation} child WHERE {given} AND {orphan}"
        case _:
            return ""


def _compared(constraint: Constraint) -> str:
    """Return the condition of the rows that a unique constraint or (partial) index compares: NULL equals nothing."""
    given = [f"{label(column)} IS NOT NULL" for column in constraint.columns if not constraint.nulls_not_distinct]
    return " AND ".join([*given, *([f"({constraint.expression})"] if constraint.expression else [])])
