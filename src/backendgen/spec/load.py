"""Reads a spec: YAML in, the frozen Spec or all of its errors out."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from backendgen.errors import Problem, UserError, did_you_mean
from backendgen.files import read_bytes
from backendgen.spec.access import Access, read_auth
from backendgen.spec.check import Check
from backendgen.spec.conform import conform
from backendgen.spec.ddl import Data, Ddl, build, gather
from backendgen.spec.document import MAX_BYTES, Mapping, Node, Scalar, compose, shown
from backendgen.spec.language import SPEC
from backendgen.spec.model import Database, Idempotency, Page, RateLimits, Resource, Service, Spec
from backendgen.spec.questions import Notes
from backendgen.spec.reading import entries, number, rate, text
from backendgen.spec.resources import Reader

MAX_PROBLEMS = 100


def load(path: Path) -> Spec:
    """Read the spec in a file. Raises UserError with every problem, each with file, line and column."""
    return load_text(read_bytes(path, MAX_BYTES), path)


def load_text(content: str | bytes, path: Path) -> Spec:
    """Read a spec; `path` names it in messages, and its folder is where .sql files are looked for. Raises UserError."""
    source = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    notes = Notes(str(path))
    root = compose(source, notes.path, notes.problems)
    spec = _Loader(conform(root, SPEC, "", notes.error), path, notes).spec(source)
    if notes.problems:
        raise UserError(*_told(notes.problems))
    return spec


def _told(problems: list[Problem]) -> list[Problem]:
    """Order the problems by file and place; an alias repeats what is wrong with its anchor, so each is told once."""
    files = {path: number for number, path in enumerate(dict.fromkeys(problem.path for problem in problems))}
    found = sorted(set(problems), key=lambda one: (files[one.path], one.line, one.column, one.message))
    more = len(found) - MAX_PROBLEMS
    return [*found[:MAX_PROBLEMS], Problem(f"and {more} more problems", found[-1].path)] if more > 0 else found


def _crossed(node: Node, low: str, least: int, high: str, most: int) -> str:
    """Say that two bounds are the wrong way round, and which of them is not written there but a default."""
    absent = [key for key in (low, high) if isinstance(node, Mapping) and node.get(key) is None]
    note = f"; {absent[0]} is absent, so it has its default" if absent else ""
    return f"{low} is {least}, more than {high}, which is {most}{note}"


class _Loader:
    """Reads the sections of one conforming tree; what is missing from it has been reported already."""

    def __init__(self, root: Node | None, path: Path, notes: Notes) -> None:
        self.root = root if isinstance(root, Mapping) else Mapping((), 1, 1)
        self.path = path
        self.notes = notes

    def spec(self, source: bytes) -> Spec:
        auth_node = self.root.get("auth")
        auth_on = not isinstance(auth_node, Scalar)
        ddl = gather(self.root.get("schema"), self.path, self.notes)
        data = build(ddl, auth=auth_on, notes=self.notes)
        access = read_auth(auth_node, data, self.notes, refused="auth" in self.root.refused)
        resources = self._resources(access, data, ddl)
        self._ask_absent()
        return Spec(
            service=self._service(),
            ddl=ddl.text,
            schema=data.schema,
            resources=resources,
            database=self._database(),
            auth=access.auth,
            rate_limits=self._rate_limits(resources, auth_on=auth_on),
            page=self._page(),
            assumptions=tuple(sorted(self.notes.assumptions, key=lambda one: (one.path != self.notes.path, one.line))),
            source=source,
        )

    def _ask_absent(self) -> None:
        for key, code in (("auth", "S401"), ("rate_limits", "S402")):
            if self.root.entry(key) is None:
                self.notes.ask(code, self.root)

    def _service(self) -> Service:
        node = self.root.get("service")
        name = text(node, "name")
        return Service(name, text(node, "title", f"{name.capitalize()} API"), text(node, "description"))

    def _database(self) -> Database:
        node = self.root.get("database")
        pool = node.get("pool") if isinstance(node, Mapping) else None
        defaults = Database()
        minimum, maximum = number(pool, "min", defaults.pool_min), number(pool, "max", defaults.pool_max)
        if pool and minimum > maximum:
            self.notes.error(pool, f"database.pool: {_crossed(pool, 'min', minimum, 'max', maximum)}")
        return Database(minimum, maximum, number(node, "statement_timeout", defaults.statement_timeout_ms))

    def _page(self) -> Page:
        api = self.root.get("api")
        node = api.get("page") if isinstance(api, Mapping) else None
        page = Page(number(node, "default", Page().default), number(node, "max", Page().max))
        if node and page.default > page.max:
            self.notes.error(node, f"api.page: {_crossed(node, 'default', page.default, 'max', page.max)}")
        return page

    def _reported(self, name: str, resources: tuple[Resource, ...]) -> bool:
        """True for a resource that is in the spec, but not as it should be: what it offers cannot be told."""
        api = self.root.get("api")
        section = api.get("resources") if isinstance(api, Mapping) else None
        if not isinstance(section, Mapping):
            return True
        node = section.get(name)
        declared = name in section.refused or node is not None
        return declared and (
            not any(one.name == name for one in resources) or (isinstance(node, Mapping) and bool(node.refused))
        )

    def _resources(self, access: Access, data: Data, ddl: Ddl) -> tuple[Resource, ...]:
        api = self.root.get("api")
        section = api.get("resources") if isinstance(api, Mapping) else None
        idempotency = cast(Idempotency, text(api, "idempotency", "optional"))
        resources = Reader(data, access, self.notes, idempotency).resources(section)
        check = Check(data, access, section, self.notes)
        for resource in resources:
            check.resource(resource)
        check.foreign_keys(ddl)
        check.unused_policies(self.root.get("auth"), resources)
        return resources

    def _rate_limits(self, resources: tuple[Resource, ...], *, auth_on: bool) -> RateLimits | None:
        node = self.root.get("rate_limits")
        if isinstance(node, Scalar):
            return None
        section = node if isinstance(node, Mapping) else Mapping((), 0, 0)
        for key in ("user", "login"):
            if not auth_on and (entry := section.entry(key)):
                self.notes.error(entry, f"rate_limits.{key}: auth is off, so nobody signs in; remove it")
        offered = {f"{resource.name}.{action.name}" for resource in resources for action in resource.actions}
        operations = entries(section.get("operations"))
        for entry in operations:
            if entry.key not in offered and not self._reported(entry.key.partition(".")[0], resources):
                guess = did_you_mean(entry.key[:64], offered)
                self.notes.error(entry, f"rate_limits.operations: unknown operation {shown(entry.key)}{guess}")
        defaults = RateLimits()
        return RateLimits(
            ip=rate(section.get("ip"), defaults.ip),
            user=rate(section.get("user"), defaults.user),
            login=rate(section.get("login"), defaults.login),
            operations=tuple((entry.key, rate(entry.node, defaults.ip)) for entry in operations),
        )
