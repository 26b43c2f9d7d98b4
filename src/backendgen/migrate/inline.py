"""A constraint that was written inline at its column, as a statement of its own and in the same words."""

from __future__ import annotations

import re
from dataclasses import replace

from backendgen.migrate.quoting import label, name
from backendgen.sql import operation as op
from backendgen.sql.schema import Constraint

_NAME = r"""(?:\s+constraint\s+(?:\w+|"(?:[^"]|"")+"))?"""
_CLAUSES = {
    "foreign_key": re.compile(rf"(?i){_NAME}\s+(?P<what>references\b.*)$", re.DOTALL),
    "check": re.compile(rf"(?i){_NAME}\s+(?P<what>check\s*\(.*)$", re.DOTALL),
    "unique": re.compile(rf"(?i){_NAME}\s+(?P<what>unique)\b"),
}


def without_constraint(column: op.AddColumn, constraint: Constraint, sql: str) -> tuple[str, str] | None:
    """Return the statement that adds the column alone, and the one that adds the constraint.

    `sql` is the statement that does both. None when the parser does not find the same column and the same constraint in
    the two: the clause stands before others, or there is more than one.
    """
    from backendgen.sql.postgres import parse

    clause = _CLAUSES.get(constraint.kind)
    found = clause.search(sql) if clause else None
    if found is None or len(column.constraints) != 1:
        return None
    alone = f"{sql[: found.start()]}{sql[found.end() :]}"
    what = found["what"]
    if constraint.kind == "foreign_key":
        what = f"FOREIGN KEY ({label(column.definition.name)}) {what}"
    elif constraint.kind == "unique":
        what = f"UNIQUE ({label(column.definition.name)})"
    added = f"ALTER TABLE {name(column.table)} ADD CONSTRAINT {label(constraint.name)} {what}"
    match parse(alone), parse(added):
        case (op.AddColumn() as first,), (op.AddConstraint() as second,):
            same = _placeless(second.constraint) == _placeless(constraint)
            expected = replace(column, constraints=(), definition=replace(column.definition, line=0))
            kept = replace(first, definition=replace(first.definition, line=0)) == expected
            return (alone, added) if same and kept else None
        case _:
            return None


def _placeless(constraint: Constraint) -> Constraint:
    return replace(constraint, line=0, named=True)
