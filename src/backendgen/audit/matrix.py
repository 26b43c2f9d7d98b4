"""The access matrix: every endpoint with who may call it, and what holds for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendgen.audit.frameworks.sizes import of_django
from backendgen.audit.properties import REPEATED
from backendgen.audit.registry import Context
from backendgen.audit.service import ANY, Endpoint, Guard, is_declared_open
from backendgen.code.nodes import unparse
from backendgen.code.project import load
from backendgen.config import Config
from backendgen.errors import Problem
from backendgen.report.table import Table

SIGN_IN = re.compile(r"(?:^|[/_-])(?:log-?in|sign-?in|authenticate|(?:access-)?token)s?(?:$|[/_-])", re.IGNORECASE)
DJANGO = ("Django", "django-ninja")  # REST framework reads JSON past Django's limit
UNKNOWN = "unknown"
OPEN, ON_PURPOSE, GUARDED = "open", "open on purpose", "guarded"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the matrix: its title, what it says of an endpoint in words, and what it is for programs."""

    title: str
    words: Callable[[Endpoint, Context], str]
    data: Callable[[Endpoint, Context], Any]

    @property
    def key(self) -> str:
        """The title as a name."""
        return self.title.lower().replace(" ", "_").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Matrix:
    """The endpoints as a table, what they are in figures, and what could not be read."""

    table: Table
    summary: str
    holes: tuple[Problem, ...]


def matrix(path: Path, config: Config, progress: Callable[[str], None] | None = None) -> Matrix:
    """Read a project and describe its endpoints. No rule and no engine runs.

    Raises UserError when the path does not exist, or holds nothing to audit.
    """
    from backendgen.audit import unhindered
    from backendgen.audit.engines.own import describe

    with unhindered():
        project = load(path, config.exclude, progress)
        context = describe(project, config)
    endpoints = sorted(context.service.endpoints, key=lambda one: (one.path, one.method, one.location))
    rows = tuple(tuple(column.words(one, context) for column in COLUMNS) for one in endpoints)
    data = tuple({column.key: column.data(one, context) for column in COLUMNS} for one in endpoints)
    kinds = [access(one, config.public) for one in endpoints]
    counts = {kind: kinds.count(kind) for kind in (GUARDED, ON_PURPOSE, OPEN)}
    noun = "endpoint" if len(kinds) == 1 else "endpoints"
    summary = ", ".join([f"{len(kinds):,} {noun}", *(f"{number:,} {kind}" for kind, number in counts.items())])
    holes = tuple(
        Problem(one.message, str(project.root / one.path), one.line, one.column)
        for one in (*project.holes, *context.symbols.unfinished.values())
    )
    titles = tuple(column.title for column in COLUMNS)
    return Matrix(
        Table(
            titles,
            rows,
            data,
            {"endpoints": len(kinds), **{kind.replace(" ", "_"): number for kind, number in counts.items()}},
        ),
        summary,
        holes,
    )


def access(endpoint: Endpoint, public: tuple[str, ...]) -> str:
    """Is it guarded, open as the configuration's `public` declares, or just open?"""
    if any(guard.scope != "body" for guard in endpoint.guards) or (
        endpoint.guards and not SIGN_IN.search(endpoint.path)
    ):
        return GUARDED  # a sign-in that answers 401 itself is open to all who try
    return ON_PURPOSE if is_declared_open(endpoint.name, public) else OPEN


def sign_in(endpoint: Endpoint, context: Context) -> str:
    """Must a caller be known? `required`, `optional` (the endpoint looks, and refuses nobody), `none`, or `unknown`."""
    if access(endpoint, ()) == GUARDED:
        return "required" if any(guard.statuses for guard in endpoint.guards) else "unknown"
    if endpoint.is_elsewhere:
        return "unknown"  # a library answers, and may ask who calls
    return "optional" if not endpoint.guards and context.facts.looks_who_calls(endpoint) else "none"


def _authentication(endpoint: Endpoint, context: Context) -> str:
    """`required: current_user (401, router)`."""
    guards = "; ".join(map(_guard, endpoint.guards))
    return f"{sign_in(endpoint, context)}: {guards}" if guards else sign_in(endpoint, context)


def _guard(guard: Guard) -> str:
    """`current_user (401, router)`."""
    statuses = "/".join(str(status) for status in sorted(guard.statuses)) or "elsewhere"
    return f"{guard.name} ({statuses}, {guard.scope})"


def _guards(endpoint: Endpoint, context: Context) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "scope": one.scope,
            "statuses": sorted(one.statuses),
            "roles": list(one.roles),
            "place": f"{one.place.path}:{one.place.line}" if one.place else None,
        }
        for one in endpoint.guards
    ]


def _limits(endpoint: Endpoint, context: Context) -> str:
    return "; ".join(f"{one.rate or one.name} ({one.scope})" for one in endpoint.limits)


def _body_limit(endpoint: Endpoint, context: Context) -> str:
    """What bounds the body of a request that has one."""
    if not endpoint.writes and endpoint.method != ANY:
        return ""
    sizes = [f"{one.rate or one.name} ({one.scope})" for one in endpoint.sizes]
    size = of_django(context.configuration.django) if endpoint.framework in DJANGO else ""
    return "; ".join([*sizes, *([f"{size} (settings)"] if size else [])]) or UNKNOWN


def _idempotency(endpoint: Endpoint, context: Context) -> str:
    return context.facts.idempotency(endpoint) or (UNKNOWN if endpoint.method in REPEATED else "")


def _response(endpoint: Endpoint, context: Context) -> str:
    return "" if endpoint.response is None else unparse(endpoint.response)


def _handler(endpoint: Endpoint, context: Context) -> str:
    """`app/orders.py:12 create`; the route's place when a library answers."""
    place = endpoint.location if endpoint.is_elsewhere else endpoint.handler
    return f"{place.path}:{place.line} {endpoint.handler.name}"


def _framework(endpoint: Endpoint, context: Context) -> str:
    """Worth a column only when there are several."""
    several = len({one.framework for one in context.service.endpoints}) > 1
    return endpoint.framework if several else ""


def _notes(endpoint: Endpoint, context: Context) -> list[str]:
    found = [] if endpoint.mounted else ["not mounted"]
    return [*found, "depends on settings"] if endpoint.optional else found


def _same(words: Callable[[Endpoint, Context], str]) -> tuple[Callable[..., str], Callable[..., Any]]:
    return words, lambda endpoint, context: words(endpoint, context) or None


COLUMNS = (
    Column("Method", *_same(lambda endpoint, _: endpoint.method)),
    Column("Path", *_same(lambda endpoint, _: endpoint.path)),
    Column("Handler", *_same(_handler)),
    Column("Access", *_same(lambda endpoint, context: access(endpoint, context.config.public))),
    Column("Authentication", _authentication, _guards),
    Column("Sign-in", lambda *_: "", sign_in),  # in words it stands before the guards
    Column("Roles", lambda endpoint, _: ", ".join(endpoint.roles), lambda endpoint, _: list(endpoint.roles)),
    Column("Object check", *_same(lambda endpoint, context: context.facts.object_check(endpoint))),
    Column("Lists", *_same(lambda endpoint, context: context.facts.pages(endpoint))),
    Column("Rate limit", *_same(_limits)),
    Column("Body limit", *_same(_body_limit)),
    Column("Idempotency", *_same(_idempotency)),
    Column("Response model", *_same(_response)),
    Column("Framework", _framework, lambda endpoint, _: endpoint.framework),
    Column("Notes", lambda one, context: ", ".join(_notes(one, context)), _notes),
)
