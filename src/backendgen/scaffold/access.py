"""Who may do what to which row, decided from the spec alone: the expected answers of the generated access tests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from backendgen.scaffold import actions, seeds
from backendgen.spec.model import Action, Auth, Policy, Resource, Spec, Term
from backendgen.sql.schema import Table

Whose = Literal["own", "foreign"]
SUCCESS = {"list": 200, "get": 200, "create": 201, "update": 200, "delete": 204}
# Only ownership can be told without running the SQL: equality, membership and joins, no constants and no negation.
_UNDECIDABLE = re.compile(r"['\"<>!+*/|]|\d|\b(?:not|or|case|is|like|now|current_\w+|coalesce)\b", re.IGNORECASE)
_RELATION = re.compile(r"\b(?:from|join)\s+(\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """A caller (a role, empty for nobody) meets a row: the expected status. A row that a list hides is 404."""

    operation: str
    role: str
    whose: Whose
    status: int


def cells(spec: Spec) -> tuple[Cell, ...]:
    """Return every cell that can be decided: resource x action x role x own or foreign row."""
    pairs = ((resource, action) for resource in spec.resources for action in resource.actions)
    return tuple(cell for resource, action in pairs for cell in _cells(resource, action, spec))


def _cells(resource: Resource, action: Action, spec: Spec) -> Iterable[Cell]:
    auth = spec.auth
    if auth is None:
        return
    operation = actions.operation_id(resource.name, action.name)
    nobody = SUCCESS[action.name] if action.allow.public else 401
    yield Cell(operation, "", "foreign", nobody)
    own_only = action.name == "create" and (_once_each(resource, action) or _tied(resource, action))
    decidable: tuple[Whose, ...] = ("own",) if own_only else _WHOSE
    for role in auth.roles:
        for whose in decidable:
            status = expected(resource, action, frozenset((role.name, *role.includes)), whose, spec)
            if status:
                yield Cell(operation, role.name, whose, status)


_WHOSE: tuple[Whose, ...] = ("own", "foreign")


def _once_each(resource: Resource, action: Action) -> bool:
    """True when `set` alone fills a unique key: the caller's second row is refused, whosever the test's row is."""
    given = {name for name, _ in action.sets}
    return any(index.unique and index.columns and given >= set(index.columns) for index in resource.table.indexes)


def _tied(resource: Resource, action: Action) -> bool:
    """True when a foreign key holds a `set` column and one of the body: the database refuses what is not the caller's."""
    given = {name for name, _ in action.sets}
    return any(given & set(key.columns) and set(key.columns) - given for key in seeds.foreign_keys(resource.table))


def expected(resource: Resource, action: Action, roles: frozenset[str], whose: Whose, spec: Spec) -> int:
    """Return the status that a caller with these roles gets, 0 when only the database can tell."""
    if spec.auth is None or action.allow.public:
        return SUCCESS[action.name]
    open_grants = [grant for grant in action.allow.grants if _role_names(grant) <= roles]
    if not open_grants:
        return 403
    truths = [_grant(resource, action, grant, whose, spec) for grant in open_grants]
    if True in truths:
        return SUCCESS[action.name]
    if None in truths:
        return 0
    return 403 if action.name == "create" else 404


def _role_names(grant: tuple[Term, ...]) -> frozenset[str]:
    return frozenset(term.name for term in grant if term.kind == "role")


def _grant(resource: Resource, action: Action, grant: tuple[Term, ...], whose: Whose, spec: Spec) -> bool | None:
    assert spec.auth is not None
    names = [term.name for term in grant if term.kind == "policy"]
    truths = [_policy(resource, action, spec.auth.policy(name), whose, spec) for name in names]
    if False in truths:
        return False
    return None if None in truths else True


def _policy(resource: Resource, action: Action, policy: Policy, whose: Whose, spec: Spec) -> bool | None:
    """Tell whether a row of the factories satisfies the policy: all of its users are the same one."""
    if policy.parameters != ("user_id",) or _UNDECIDABLE.search(policy.condition):
        return None
    sets = dict(action.sets)
    if action.name == "create" and set(policy.columns) <= sets.keys():
        return True if all(sets[name].strip() == ":user_id" for name in policy.columns) else None
    if not {name.lower() for name in _RELATION.findall(policy.condition)} <= ancestors(resource.table, spec):
        return None
    keys = {name for key in seeds.foreign_keys(resource.table) for name in key.columns}
    return whose == "own" if set(policy.columns) <= keys else None


def ancestors(table: Table, spec: Spec) -> frozenset[str]:
    """Return the tables that a row cannot be made without."""
    found: set[str] = set()
    open_tables = [table]
    while open_tables:
        for key in seeds.needed_keys(open_tables.pop()):
            parent = spec.schema.tables.get(key.references)
            if parent is not None and parent.name not in found:
                found.add(parent.name)
                open_tables.append(parent)
    return frozenset(found)


def able_role(resource: Resource, action: Action, spec: Spec) -> str | None:
    """Return a role that may do it to any row, else to its own rows; empty when nobody signs in, None when unknown."""
    if spec.auth is None or action.allow.public:
        return ""
    for whose in reversed(_WHOSE):
        for role in _weakest_first(spec.auth):
            roles = frozenset((role, *_includes(spec.auth, role)))
            if expected(resource, action, roles, whose, spec) == SUCCESS[action.name]:
                return role
    return None


def _weakest_first(auth: Auth) -> list[str]:
    return [role.name for role in sorted(auth.roles, key=lambda role: len(role.includes))]


def _includes(auth: Auth, name: str) -> tuple[str, ...]:
    return next(role.includes for role in auth.roles if role.name == name)
