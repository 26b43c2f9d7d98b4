"""The service model: what a backend offers, as data. Frameworks fill it, checks judge it."""

from __future__ import annotations

import ast
import fnmatch
from dataclasses import dataclass
from typing import Literal

from backendgen.code.symbols import Class, Function, Module, Symbol
from backendgen.findings.finding import Location

Scope = Literal["settings", "application", "middleware", "router", "include", "class", "route", "parameter", "body"]
Source = Literal["path", "query", "header", "cookie", "body", "form", "file", "dependency", "request"]
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANY = "*"  # the method of an endpoint that answers all of them


@dataclass(frozen=True, slots=True)
class Guard:
    """Something that refuses a caller: it answers 401 or 403, sends to the sign-in page (302), or is a scheme that does.

    `scope` is where it is attached; `statuses` what it answers, empty when that lies outside of the project; `roles` what
    it asks of the caller beyond being known (a role, scope or permission as it is written); `place` where it refuses.
    `function` is the project's that does it, when that is known.
    """

    name: str
    scope: Scope
    statuses: frozenset[int]
    roles: tuple[str, ...] = ()
    place: Location | None = None
    function: Function | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that answers 429 when a caller asks too often, or 423 when an account is locked for it.

    `rate` is how often that is, as it is written: `10/minute`. Of a limit of sizes, which answers 413, it is the size.
    """

    name: str
    scope: Scope
    rate: str = ""


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

    `framework` is the one that routes to it. `path` has `{name}` for what varies, with a converter when there is one
    (`{id:int}`, `{rest:path}`). `location` is the route's, `dependencies` are the functions that fill parameters, `mounted`
    is false when no application includes its router, `view` is the class that a class-based handler was routed through,
    `optional`: a setting decides whether it is there, and by default it is not, or nobody knows. `sizes` bound its body.
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
    view: Class | None = None
    optional: bool = False
    sizes: tuple[Limit, ...] = ()

    @property
    def name(self) -> str:
        """As people write it: `POST /orders`."""
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Does it change state, by its method?"""
        return self.method in WRITES

    @property
    def is_authenticated(self) -> bool:
        """Does anything refuse callers that are not signed in or not allowed?"""
        return bool(self.guards)

    @property
    def roles(self) -> tuple[str, ...]:
        """What its guards ask of the caller beyond being known, each once."""
        return tuple(dict.fromkeys(role for guard in self.guards for role in guard.roles))

    @property
    def is_elsewhere(self) -> bool:
        """Does a library answer, so that no code of the handler is here? See `elsewhere`."""
        return not self.handler.node.body


def is_declared_open(name: str, public: tuple[str, ...]) -> bool:
    """Does the configuration say that this endpoint, `POST /orders`, is open on purpose?"""
    names = (name, name.partition(" ")[2])
    return any(fnmatch.fnmatchcase(one, pattern.strip()) for pattern in public for one in names)


def elsewhere(name: str, module: Module, line: int, owner: Class | None = None) -> Function:
    """Return a function without a body that stands for a library's: an inherited method, `StaticFiles`, `admin.site`."""
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    node = ast.FunctionDef(name.rpartition(".")[2], arguments, [], [], lineno=line, col_offset=0, end_lineno=line)
    return Function(module, name, node, module.file.path, line, owner)


@dataclass(frozen=True, slots=True)
class Service:
    """All endpoints, in order of file and line."""

    endpoints: tuple[Endpoint, ...] = ()

    @property
    def has_authentication(self) -> bool:
        """Does any endpoint ask who calls?"""
        return any(endpoint.guards for endpoint in self.endpoints)
