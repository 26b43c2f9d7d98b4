"""The service model: what a backend offers, as data. Frameworks fill it, checks judge it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal

from backendgen.code.symbols import Function, Module, Symbol
from backendgen.findings.finding import Location

Scope = Literal["application", "router", "include", "route", "parameter", "body", "middleware"]
Source = Literal["path", "query", "header", "cookie", "body", "form", "file", "dependency", "request"]
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Guard:
    """Something that refuses a caller: it answers 401 or 403, or is a security scheme that does.

    `scope` is where it is attached; `statuses` what it answers.
    """

    name: str
    scope: Scope
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that answers 429 when a caller asks too often, or 423 when an account is locked for it."""

    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Parameter:
    """A handler's parameter and where its value comes from.

    `annotation` is the type, without `Annotated`, as it reads in `module`; `kind` the dotted name of the type that the
    framework passes whatever the annotation says; `dependency` what FastAPI calls for the value.
    """

    name: str
    source: Source
    annotation: ast.expr | None
    module: Module
    line: int
    default: ast.expr | None = None
    dependency: Symbol | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path with the function that answers.

    `framework` is the one that routes to it. `location` is the route's, `dependencies` are the functions that fill
    parameters, `mounted` is false when no application includes its router.
    """

    method: str
    path: str
    handler: Function
    location: Location
    router: str = ""
    parameters: tuple[Parameter, ...] = ()
    dependencies: tuple[Function, ...] = ()
    guards: tuple[Guard, ...] = ()
    limits: tuple[Limit, ...] = ()
    response: ast.expr | None = None
    mounted: bool = True
    framework: str = "FastAPI"

    @property
    def name(self) -> str:
        """As people write it: `POST /orders`."""
        return f"{self.method} {self.path}"

    @property
    def is_authenticated(self) -> bool:
        """Does anything refuse callers that are not signed in or not allowed?"""
        return bool(self.guards)


@dataclass(frozen=True, slots=True)
class Service:
    """All endpoints, in order of file and line."""

    endpoints: tuple[Endpoint, ...] = ()

    @property
    def has_authentication(self) -> bool:
        """Does any endpoint ask who calls?"""
        return any(endpoint.guards for endpoint in self.endpoints)
