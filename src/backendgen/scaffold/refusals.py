"""What a valid spec may ask for and no generated service could carry: refused in the user's words."""

from __future__ import annotations

from collections.abc import Iterable

from backendgen.errors import Problem, UserError
from backendgen.scaffold import domains, statements
from backendgen.scaffold.actions import operation_id
from backendgen.scaffold.views import ResourceView
from backendgen.spec.expression import read_expression
from backendgen.spec.model import Resource, Spec

# Names that the paths of the service, the query of a list or a routes module have given away already.
_PATHS = frozenset({"auth", "docs", "health", "live", "metrics", "openapi.json", "ready"})
_QUERY = frozenset({"cursor", "limit", "sort"})
_FUNCTIONS = frozenset({"list_scope"})


def refuse_unfit(resource: Resource, spec: Spec) -> None:
    """Raise UserError for what the generated service could not carry."""
    wrong: list[Problem] = []
    if resource.name in _PATHS:
        wrong.append(Problem(f"the resource '{resource.name}' would hide the service's own path /{resource.name}"))
    if not resource.table.primary_key:
        wrong.append(Problem(f"the table '{resource.table.name}' of resource '{resource.name}' has no primary key"))
    for column in resource.table.columns:
        if any(sign in column.name for sign in "()%[]{}\n\0"):
            wrong.append(Problem(f"the column name {column.name!r} cannot be used in an API", line=column.line))
        if column.name.startswith(("caller.", "key.", "page.")):
            what = "means something else in the statements of the service: rename it"
            wrong.append(Problem(f"the column name {column.name!r} {what}", line=column.line))
    listing = resource.action("list")
    for name in listing.filters if listing else ():
        if name in _QUERY:
            wrong.append(Problem(f"the filter '{name}' means something else in a list: rename the column"))
        filtered = resource.table.column(name)
        if filtered and not domains.domain(resource.table, filtered, spec.schema).sortable:
            wrong.append(Problem(f"the column '{name}' is of type {filtered.type}, by which no list can be filtered"))
    update = resource.action("update")
    for name, expression in update.sets if update else ():
        for seen in read_expression(expression, spec.schema).columns:
            if seen in resource.changes:
                message = f"{resource.name}.update: `set` of '{name}' names '{seen}', which the same update may change"
                hint = f"an UPDATE sees the row as it was: set '{seen}' too, or make '{name}' a generated column"
                wrong.append(Problem(message, line=update.line if update else 0, hint=hint))
    if wrong:
        raise UserError(*wrong)
    for column in statements.shown(resource.table):
        domains.domain(resource.table, column, spec.schema)


def refuse_twins(resources: Iterable[ResourceView]) -> None:
    """Raise UserError for resources that the generated code would call the same."""
    claimed: dict[str, str] = {}
    wrong: list[Problem] = []
    for resource in resources:
        schemas = (f"{resource.type}{part}" for part in ("", "Page", "Create", "Update"))
        operations = (operation_id(resource.name, action.name) for action in resource.actions)
        for word in (f"module {resource.module}", *schemas, *operations):
            other = claimed.setdefault(word, resource.name)
            if other != resource.name or word in _FUNCTIONS:
                whose = f"'{other}'" if other != resource.name else "the service's own code"
                message = f"the resource '{resource.name}' and {whose} would both have {word} in the service"
                hint = f"call it something else and keep its table: table: {resource.resource.table.name}"
                wrong.append(Problem(message, hint=hint))
                break
    if wrong:
        raise UserError(*wrong)
