"""Connexion: an OpenAPI document routes to the functions that its operations name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.audit.frameworks.dependencies import Attached
from backendgen.audit.frameworks.outcomes import Outcomes
from backendgen.audit.frameworks.routers import guards_of, limits_of
from backendgen.audit.service import Endpoint, Parameter, Source
from backendgen.code.configuration import Configuration
from backendgen.code.openapi import OpenAPI, Operation
from backendgen.code.symbols import Class, Function, Module, Symbols
from backendgen.findings.finding import Location

MENTIONS = re.compile(r"^\s*(?:import|from)\s+connexion\b", re.MULTILINE)
ADDS = re.compile(r"\badd_api\(")
CONTROLLERS = ("x-openapi-router-controller", "x-swagger-router-controller")
CHECKS = ("x-bearerInfoFunc", "x-tokenInfoFunc", "x-basicInfoFunc", "x-apikeyInfoFunc", "x-tokenInfoUrl")
SOURCES: dict[str, Source] = {
    "path": "path", "query": "query", "header": "header", "cookie": "cookie", "formData": "form", "body": "body",
}  # fmt: skip
IN_CALLER = frozenset({"user", "token_info"})  # what Connexion passes of who calls
IN_BODY = frozenset({"body"})


class Connexion:
    """Reads one project's documents. Use `endpoints`."""

    def __init__(self, symbols: Symbols, configuration: Configuration) -> None:
        self.symbols = symbols
        self.configuration = configuration
        self.outcomes = Outcomes(symbols)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return an endpoint for each operation whose function is found, in the order of the documents."""
        modules = self.symbols.mentioning(MENTIONS, "connexion")
        users = [one for one in modules if ADDS.search(one.file.text)]
        if not users:
            return ()
        return tuple(found for document in self.configuration.openapi for found in self._of(document, users[0]))

    def _of(self, document: OpenAPI, user: Module) -> Iterator[Endpoint]:
        for operation in document.operations:
            named = operation.node.word("operationId")
            controller = next(filter(None, (operation.node.word(key) for key in CONTROLLERS)), "")
            dotted = f"{controller}.{named}" if controller else named
            handler = self._function(dotted, user)
            if handler is not None:
                yield self._endpoint(document, operation, handler)

    def _function(self, dotted: str, user: Module) -> Function | None:
        """`api.users.create`, or a method of a class: `api.Users.create`."""
        names = dotted.split(".")
        for at in range(len(names) - 1, 0, -1):
            module = self.symbols.module(".".join(names[:at]), user)
            if module is None:
                continue
            found = module.definitions.get(names[at])
            for name in names[at + 1 :]:
                found = self.symbols.member(found, name) if isinstance(found, Class) else None
            return found if isinstance(found, Function) else None
        return None

    def _endpoint(self, document: OpenAPI, operation: Operation, handler: Function) -> Endpoint:
        attached = [self._scheme(document, name) for needed in operation.security or () for name, _ in sorted(needed)]
        is_optional = operation.is_open
        every = [one for one in attached if one is not None and not is_optional]
        every.append(Attached("body", handler.name, self.outcomes.of(handler), target=handler))
        location = Location(handler.path, handler.line, handler.node.col_offset + 1, handler.line)
        return Endpoint(
            operation.method.upper(),
            document.base + operation.path,
            handler,
            location,
            document.path,
            tuple(self._parameters(operation, handler)),
            guards=tuple(dict.fromkeys(guards_of(every))),
            limits=tuple(dict.fromkeys(limits_of(every))),
            framework="Connexion",
        )

    def _scheme(self, document: OpenAPI, name: str) -> Attached | None:
        """A scheme guards when the document names the function that looks at what it got."""
        scheme = document.security_schemes.get(name)
        checked = scheme is not None and any(scheme.word(key) for key in CHECKS)
        return Attached("application", name, frozenset({401})) if checked else None

    def _parameters(self, operation: Operation, handler: Function) -> Iterator[Parameter]:
        places = {re.sub(r"\W", "_", one.name): one.location for one in operation.parameters}
        for argument in handler.parameters:
            source: Source | None = SOURCES.get(places.get(argument.arg, ""))
            if argument.arg in IN_CALLER:
                source = "dependency"
            elif source is None and argument.arg in IN_BODY:
                source = "body"
            if source is not None:
                yield Parameter(argument.arg, source, argument.annotation, handler.module, argument.lineno)
