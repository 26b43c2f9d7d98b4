"""The database's constraints in the words of the API: what a violation is about, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backendgen.scaffold import layout, names
from backendgen.spec.expression import read_expression
from backendgen.spec.model import Resource, Spec
from backendgen.sql.schema import Constraint, Index


@dataclass(frozen=True, slots=True)
class ConstraintView:
    """A database constraint in the words of the API."""

    name: str
    fields: tuple[str, ...]
    message: str

    @property
    def source(self) -> str:
        """Its entry in CONSTRAINTS."""
        fields = ", ".join(map(layout.string, self.fields)) + ("," if len(self.fields) == 1 else "")
        arguments = [f"({fields})", layout.string(self.message)]
        head = f"    {layout.string(self.name)}: Constraint"
        return layout.call(head, arguments, 4, tail=",", lead=-4)


def constraints(spec: Spec) -> tuple[ConstraintView, ...]:
    """Return every named constraint of the resources' tables that a request can violate, in the order of the schema."""
    tables = {resource.table.name: resource.table for resource in spec.resources}
    made: dict[str, ConstraintView] = {}
    for table in tables.values():
        for constraint in table.constraints:
            if constraint.kind != "not_null":
                made.setdefault(
                    constraint.name, ConstraintView(constraint.name, constraint.columns, _message(constraint))
                )
        backed = {constraint.name for constraint in table.constraints}
        for index in table.indexes:
            if index.unique and index.name not in backed:
                made.setdefault(index.name, _unique(index))
    for resource in spec.resources:
        for derived in _derived(resource, spec):
            made.setdefault(derived.name, derived)
    return tuple(made[name] for name in sorted(made))


def _unique(index: Index) -> ConstraintView:
    """Return what a unique index says: it may be over expressions, and for some rows only."""
    keys = tuple(key.column or _in_one_line(key.expression) for key in index.keys)
    fields = tuple(dict.fromkeys((*filter(None, index.columns), *index.expression_columns)))
    where = f" where {_in_one_line(index.where)}" if index.where else ""
    return ConstraintView(index.name, fields, f"This {' and '.join(keys)} is already taken{where}.")


def _derived(resource: Resource, spec: Spec) -> Iterator[ConstraintView]:
    """Yield what is to be said when a `set` finds nothing: the caller can only mend what its expression reads."""
    table = resource.table
    for name, expression in (pair for action in resource.actions for pair in action.sets):
        column = table.column(name)
        fields = tuple(used for used in read_expression(expression, spec.schema).columns if used in resource.body)
        if column and column.not_null and fields:
            message = f"No {name} can be found for this {' and '.join(fields)}."
            yield ConstraintView(f"{table.name}.{name}", fields, message)


def _message(constraint: Constraint) -> str:
    match constraint.kind:
        case "foreign_key":
            return f"There is no {names.phrase(constraint.references.rpartition('.')[2])} with this key."
        case "check":
            return f"Must satisfy: {_in_one_line(constraint.expression)}"
        case "exclude":
            return f"This {' and '.join(constraint.columns)} is in conflict with another's."
    return _taken(constraint.columns)


def _taken(columns: tuple[str, ...]) -> str:
    return f"This {' and '.join(columns)} is already taken." if columns else "This already exists."


def _in_one_line(sql: str) -> str:
    return " ".join(sql.split())
