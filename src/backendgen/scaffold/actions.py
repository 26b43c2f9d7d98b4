"""What each operation of a resource needs: its route, who is let in, and what its SQL is told about the caller."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

from backendgen.scaffold import domains, layout, names, statements
from backendgen.spec.model import Action, Allow, Resource, Spec
from backendgen.spec.resources import versioned

METHODS = {"list": "get", "get": "get", "create": "post", "update": "patch", "delete": "delete"}
_STATUSES = {"create": 201, "delete": 204}
_PARAMETERS = frozenset(
    {"body", "caller", "cursors", "db", "idempotency_key", "if_match", "if_none_match", "query", "request"}
)


@dataclass(frozen=True, slots=True)
class ActionView:
    """One operation. `caller` is the annotation of the parameter, empty when the handler does not need to know who calls."""

    name: str
    decorator: str
    caller: str
    secured: bool
    dependencies: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    permitted: bool
    idempotency: Literal["off", "optional", "required"]
    limit: str
    """The name of the operation's own rate limit, empty without one."""


def key_name(column: str) -> str:
    """Return the path parameter of a key column; a handler's own parameters keep their names."""
    word = names.identifier(column)
    return f"{word}_" if word in _PARAMETERS else word


def _decorator(resource: Resource, action: Action, dependencies: list[str], spec: Spec) -> str:
    collection = action.name in ("list", "create")
    path = (
        ""
        if collection
        else "".join(f"/{{{_path_parameter(resource, name, spec)}}}" for name in resource.table.primary_key)
    )
    arguments = [f'"{path}"', f'operation_id="{operation_id(resource.name, action.name)}"']
    if action.name in _STATUSES:
        arguments.append(f"status_code={_STATUSES[action.name]}")
    if dependencies:
        arguments.append(f"dependencies=[{', '.join(f'Depends({one})' for one in dependencies)}]")
    if action.name == "update" and versioned(resource.table):
        arguments.append("openapi_extra=conditional.GUARDED")
    if action.idempotency == "required":
        arguments.append("openapi_extra=REQUIRED")
    return layout.call(f"@router.{METHODS[action.name]}", arguments, 0)


def _path_parameter(resource: Resource, name: str, spec: Spec) -> str:
    """Return a key column as the router takes it: a server decodes `%2F` before it routes, and text may have slashes."""
    column = resource.table.column(name)
    assert column is not None
    values = domains.domain(resource.table, column, spec.schema)
    slashes = values.kind == "text" and (not values.choices or any("/" in word for word in values.choices))
    return f"{key_name(name)}:path" if slashes and len(resource.table.primary_key) == 1 else key_name(name)


def operation_id(resource: str, action: str) -> str:
    """Return the operation's id: `list_orders`, `create_order`."""
    word = names.identifier(resource).rstrip("_").lower()
    return f"{action}_{word if action == 'list' else names.singular(word)}"


def action_view(resource: Resource, action: Action, spec: Spec) -> ActionView:
    """Return an operation's view."""
    condition = statements.permission(action.allow, spec.auth)
    parameters = _parameters(action, condition)
    limits = dict(spec.rate_limits.operations) if spec.rate_limits else {}
    limit = operation if (operation := f"{resource.name}.{action.name}") in limits else ""
    admissions = _admissions(action.allow) if spec.auth is not None and not action.allow.public else []
    needed = bool(parameters or limit or (action.name == "create" and action.idempotency != "off"))
    caller = _annotation(admissions.pop()) if admissions and needed else ""
    return ActionView(
        name=action.name,
        decorator=_decorator(resource, action, admissions, spec),
        caller=caller,
        secured=bool(caller or admissions),
        dependencies=tuple(admissions),
        parameters=parameters,
        permitted=bool(condition),
        idempotency=action.idempotency,
        limit=limit,
    )


def _admissions(allow: Allow) -> list[str]:
    """Return the dependencies that let a caller in: one for each clause of roles, or the one for any user."""
    return [f"require({', '.join(map(layout.string, roles))})" for roles in role_clauses(allow)] or ["authenticated"]


def _annotation(admission: str) -> str:
    return "Caller" if admission == "authenticated" else f"Annotated[Principal, Depends({admission})]"


def role_clauses(allow: Allow) -> tuple[tuple[str, ...], ...]:
    """Return what a caller's roles must satisfy before any SQL runs: of each clause at least one role.

    `allow` is an OR of ANDs; this is its AND of ORs, with every policy taken as true.
    """
    if allow.public:
        return ()
    wanted = [tuple(term.name for term in grant if term.kind == "role") for grant in allow.grants]
    if not all(wanted):
        return ()
    return tuple(dict.fromkeys(tuple(dict.fromkeys(clause)) for clause in product(*wanted)))


def _parameters(action: Action, condition: str) -> tuple[tuple[str, str], ...]:
    """Return what the action's SQL is told about the caller: (parameter, Python expression)."""
    text = " ".join((condition, *(statements.for_caller(expression) for _, expression in action.sets)))
    made = [(f"caller.{name}", f"caller.{name}") for name in ("user_id", "role") if f"%(caller.{name})s" in text]
    roles = dict.fromkeys(term.name for grant in action.allow.grants for term in grant if term.kind == "role")
    for role in roles:
        if f"%(caller.is_{role})s" in condition:
            made.append((f"caller.is_{role}", f'"{role}" in caller.roles'))
    return tuple(made)
