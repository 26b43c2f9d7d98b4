"""The spec as frozen data. Everything here is resolved and checked: names exist, columns are known, SQL parses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backendgen.sql.replay import Schema
from backendgen.sql.schema import Table

ActionName = Literal["list", "get", "create", "update", "delete"]
TermKind = Literal["public", "user", "role", "policy"]
Idempotency = Literal["off", "optional", "required"]


@dataclass(frozen=True, slots=True)
class Service:
    """What the service is called. `name` is a Python- and DNS-safe word."""

    name: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Database:
    """Pool bounds in connections, the statement timeout in milliseconds."""

    pool_min: int = 2
    pool_max: int = 10
    statement_timeout_ms: int = 5000


@dataclass(frozen=True, slots=True)
class Role:
    """A role and every role that it includes, directly or through another, without itself."""

    name: str
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A SQL condition on a row; `parameters` are the bound names that it uses (`user_id`, `role`)."""

    name: str
    condition: str
    columns: tuple[str, ...]
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Auth:
    """Tokens' lifetimes in seconds, password rules, roles and policies."""

    access_ttl: int = 15 * 60
    refresh_ttl: int = 30 * 24 * 3600
    password_min_length: int = 12
    roles: tuple[Role, ...] = ()
    default_role: str = ""
    policies: tuple[Policy, ...] = ()

    def policy(self, name: str) -> Policy:
        """Return the named policy. Raises KeyError for an unknown one, which the loader has ruled out."""
        return {policy.name: policy for policy in self.policies}[name]


@dataclass(frozen=True, slots=True)
class Term:
    """One word of an `allow`: `public`, `user`, a role or a policy."""

    kind: TermKind
    name: str


@dataclass(frozen=True, slots=True)
class Allow:
    """Who may: an OR of grants, each grant an AND of terms. `[staff, own_order]` has two grants of one term."""

    grants: tuple[tuple[Term, ...], ...]

    @property
    def public(self) -> bool:
        """True when no sign-in is needed."""
        return any(grant == (Term("public", "public"),) for grant in self.grants)

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of all policies in it, once each, in order."""
        return tuple(dict.fromkeys(term.name for grant in self.grants for term in grant if term.kind == "policy"))


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by."""

    column: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.column}" if self.descending else self.column


@dataclass(frozen=True, slots=True)
class Action:
    """One of the five operations of a resource. `sets` are (column, SQL expression) pairs with bound `:user_id`."""

    name: ActionName
    allow: Allow
    filters: tuple[str, ...] = ()
    sorts: tuple[SortKey, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    idempotency: Idempotency = "off"
    line: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """A table under a URL. `body` and `changes` are the columns that a create and an update may carry."""

    name: str
    table: Table
    actions: tuple[Action, ...]
    body: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def action(self, name: ActionName) -> Action | None:
        """Return the named action, or None when the resource does not offer it."""
        return next((action for action in self.actions if action.name == name), None)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows per page: without `limit`, and at most."""

    default: int = 20
    max: int = 100


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits per address, per signed-in user, per login (address and account), and per operation (`orders.create`)."""

    algorithm: Literal["sliding_window"] = "sliding_window"
    ip: Rate = Rate(60, 60)
    user: Rate = Rate(600, 60)
    login: Rate = Rate(5, 60)
    operations: tuple[tuple[str, Rate], ...] = ()


@dataclass(frozen=True, slots=True)
class Assumption:
    """A default taken on a question that matters: shown, written to docs/assumptions.md, an error with `--strict`.

    `path` is the file of the line: the spec, or one of its .sql files.
    """

    code: str
    message: str
    choices: tuple[str, ...]
    taken: str
    line: int = 0
    column: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole, valid spec. `ddl` is the schema's SQL in order; `auth` and `rate_limits` are None when switched off."""

    service: Service
    ddl: str
    schema: Schema
    resources: tuple[Resource, ...]
    database: Database = Database()
    auth: Auth | None = None
    rate_limits: RateLimits | None = None
    page: Page = Page()
    assumptions: tuple[Assumption, ...] = ()
    source: bytes = field(default=b"", repr=False)
