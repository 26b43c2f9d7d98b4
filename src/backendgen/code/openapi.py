"""OpenAPI 2.0, 3.0 and 3.1 documents as data: operations, schemas and references, each with its line.

Source: https://spec.openapis.org/oas/. References inside a document are followed, in
circles too; those into other files are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from backendgen.code.trees import Node, Unreadable, read

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MAX_HOPS = 50
_SINGLE = (
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


Needed: TypeAlias = frozenset[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, its reference followed. `location` is path, query, header, cookie, body or formData."""

    name: str
    location: str
    line: int
    node: Node
    schema: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path. `security` are the alternatives that hold for it, each its schemes with the scopes that they ask.

    None: neither it nor the document says anything; an alternative without a scheme lets anyone in.
    """

    method: str
    path: str
    line: int
    node: Node
    parameters: tuple[Parameter, ...] = ()
    security: tuple[Needed, ...] | None = None
    responses: tuple[tuple[str, Node], ...] = ()

    @property
    def name(self) -> str:
        """As people write it: `POST /orders`."""
        return f"{self.method.upper()} {self.path}"

    @property
    def is_open(self) -> bool:
        """May anyone call it, as far as the document says?"""
        return not self.security or frozenset() in self.security


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema where it is written, and how people find it: `Order.lines[]`."""

    name: str
    node: Node

    @property
    def line(self) -> int:
        """Where it stands."""
        return self.node.line

    @property
    def types(self) -> frozenset[str]:
        """Its types: of 3.1 there may be several."""
        written = self.node.get("type")
        if written is None:
            return frozenset()
        return frozenset(one.text for one in written.items) or frozenset({written.text})

    def has(self, *keys: str) -> bool:
        """Does it have any of these keywords?"""
        return any(key in self.node.entries for key in keys)


@dataclass(frozen=True)
class OpenAPI:
    """One document. `version` is (2, 0), (3, 0) or (3, 1) and later ones."""

    path: str
    version: tuple[int, int]
    root: Node = field(repr=False)

    def resolve(self, node: Node) -> Node:
        """Follow a reference; a node without one, or one that leads nowhere, is itself."""
        for _ in range(MAX_HOPS):
            reference = node.get("$ref")
            if reference is None:
                return node
            target = self.at(reference.text)
            if target is None:
                return node
            node = target
        return node

    def at(self, pointer: str) -> Node | None:
        """Return what a reference `#/components/schemas/Order` points to."""
        if not pointer.startswith("#"):
            return None
        found: Node | None = self.root
        for part in pointer[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if found is not None and key.isdigit() and found.items:
                found = found.items[int(key)] if int(key) < len(found.items) else None
            else:
                found = found.get(key) if found is not None else None
        return found

    @cached_property
    def security_schemes(self) -> dict[str, Node]:
        """The schemes by name, references followed."""
        where = ("securityDefinitions",) if self.version[0] == 2 else ("components", "securitySchemes")
        found = self.root.get(*where)
        return {name: self.resolve(node) for name, node in found.entries.items()} if found else {}

    @cached_property
    def servers(self) -> tuple[tuple[str, Node], ...]:
        """The addresses that it is served at, everywhere in the document."""
        if self.version[0] == 2:
            schemes = self.root.get("schemes")
            address = f"{self.root.word('host')}{self.root.word('basePath')}"
            return tuple((f"{one.text}://{address}", one) for one in (schemes.items if schemes else []))
        holders = [self.root]
        for path in self.paths.values():
            holders += [path, *(node for method, node in path.entries.items() if method in METHODS)]
        lists = [servers.items for one in holders if (servers := one.get("servers"))]
        return tuple((url.text, url) for items in lists for one in items if (url := one.get("url")))

    @property
    def base(self) -> str:
        """The path that all paths are beneath, as the first server says it."""
        if self.version[0] == 2:
            return self.root.word("basePath").rstrip("/")
        servers = self.root.get("servers")
        urls = [url.text for one in (servers.items if servers else []) if (url := one.get("url"))]
        try:
            path = urlsplit(re.sub(r"^\{[^}]*\}", "http://host", urls[0])).path if urls else ""
        except ValueError:
            path = ""
        return path.rstrip("/") if "{" not in path else ""

    @cached_property
    def paths(self) -> dict[str, Node]:
        """The path items by path, references followed."""
        found = self.root.get("paths")
        return {name: self.resolve(one) for name, one in found.entries.items() if name.startswith("/")} if found else {}

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations, in the order of the document."""
        overall = self._security(self.root.get("security"))
        found = []
        for path, item in self.paths.items():
            shared = self._parameters(item)
            for method, node in item.entries.items():
                if method not in METHODS or not node.entries:
                    continue
                own = self._parameters(node)
                named = {(one.name, one.location) for one in own}
                parameters = (*(one for one in shared if (one.name, one.location) not in named), *own)
                security = self._security(node.get("security"))
                responses = node.get("responses")
                listed = (
                    tuple((code, self.resolve(one)) for code, one in responses.entries.items()) if responses else ()
                )
                found.append(
                    Operation(
                        method, path, node.line, node, parameters, overall if security is None else security, listed
                    )
                )
        return tuple(found)

    def _parameters(self, holder: Node) -> tuple[Parameter, ...]:
        listed = holder.get("parameters")
        found = []
        for written in listed.items if listed else []:
            one = self.resolve(written)
            name, place = one.get("name"), one.get("in")
            if name is not None and place is not None:
                schema = one.get("schema") or next(
                    (each for media in self._media(one) if (each := media.get("schema"))), one
                )
                found.append(Parameter(name.text, place.text, written.line, one, schema))
        return tuple(found)

    def _media(self, holder: Node) -> list[Node]:
        content = holder.get("content")
        return list(content.entries.values()) if content else []

    @staticmethod
    def _security(node: Node | None) -> tuple[Needed, ...] | None:
        if node is None:
            return None
        return tuple(
            frozenset((name, tuple(one.text for one in scopes.items)) for name, scopes in alternative.entries.items())
            for alternative in node.items
        )

    def request_schemas(self, operation: Operation) -> list[Node]:
        """The schemas of an operation's body, as they are written."""
        if self.version[0] == 2:
            return [one.schema for one in operation.parameters if one.location == "body"]
        body = operation.node.get("requestBody")
        return [schema for media in self._media(self.resolve(body)) if (schema := media.get("schema"))] if body else []

    def response_schemas(self, operation: Operation) -> list[Node]:
        """The schemas of an operation's responses, as they are written."""
        found = []
        for _, response in operation.responses:
            holders = [response] if self.version[0] == 2 else self._media(response)
            found += [schema for one in holders if (schema := one.get("schema"))]
        return found

    @cached_property
    def inputs(self) -> tuple[Schema, ...]:
        """Every schema of what callers send, each once: bodies and parameters."""
        roots = []
        for operation in self.operations:
            roots += [
                (self._named(one, f"the body of {operation.name}"), one) for one in self.request_schemas(operation)
            ]
            roots += [
                (f"{one.name} of {operation.name}", one.schema)
                for one in operation.parameters
                if one.location not in ("body",)
            ]
        return tuple(self._below(roots))

    @cached_property
    def schemas(self) -> tuple[Schema, ...]:
        """Every schema of the document, each once: those with names first."""
        named = self.root.get("definitions") if self.version[0] == 2 else self.root.get("components", "schemas")
        roots = list(named.entries.items()) if named else []
        for operation in self.operations:
            roots += [(f"the body of {operation.name}", one) for one in self.request_schemas(operation)]
            roots += [(f"the answer of {operation.name}", one) for one in self.response_schemas(operation)]
            roots += [
                (f"{one.name} of {operation.name}", one.schema)
                for one in operation.parameters
                if one.location != "body"
            ]
        return tuple(self._below(roots))

    def _named(self, node: Node, otherwise: str) -> str:
        reference = node.get("$ref")
        return reference.text.rpartition("/")[2] if reference else otherwise

    def _below(self, roots: list[tuple[str, Node]]) -> Iterator[Schema]:
        pending, seen = list(reversed(roots)), set()
        while pending:
            name, written = pending.pop()
            node = self.resolve(written)
            if id(node) in seen or not node.entries or node.get("$ref") is not None:  # it leads nowhere, or in a circle
                continue
            seen.add(id(node))
            yield Schema(name if node is written else self._named(written, name), node)
            pending.extend(reversed(list(_children(name if node is written else self._named(written, name), node))))


def _children(name: str, node: Node) -> Iterator[tuple[str, Node]]:
    for key in _SINGLE:
        one = node.get(key)
        if one is not None and one.entries:
            yield f"{name}[]" if key == "items" else name, one
    for key in _LISTS:
        listed = node.get(key)
        yield from ((name, one) for one in (listed.items if listed else []))
    for key in _MAPS:
        mapped = node.get(key)
        yield from ((f"{name}.{inner}", one) for inner, one in (mapped.entries.items() if mapped else ()))


def load(text: str, path: str) -> OpenAPI | None:
    """Read a document; None when it is YAML or JSON of something else. Raises Unreadable when it is neither."""
    root = read(text, path)
    written = root.get("openapi") or root.get("swagger")
    found = re.match(r"(\d+)\.(\d+)", written.text) if written else None
    if not found or not (root.get("info") or root.get("paths")):
        return None
    return OpenAPI(path, (int(found[1]), int(found[2])), root)


__all__ = ["METHODS", "OpenAPI", "Operation", "Parameter", "Schema", "Unreadable", "load"]
