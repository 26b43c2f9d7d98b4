"""GraphQL: the fields of Query, Mutation and Subscription of Strawberry, Graphene and Ariadne, and who may ask for them."""

from __future__ import annotations

import re

from backendgen.audit.frameworks.django.refusals import Refusals
from backendgen.audit.frameworks.graphql.ariadne import fields as ariadne_fields
from backendgen.audit.frameworks.graphql.fields import Field, parameters_of
from backendgen.audit.frameworks.graphql.guards import Guards
from backendgen.audit.frameworks.graphql.schemas import Schemas
from backendgen.audit.frameworks.outcomes import TOO_OFTEN, Outcomes
from backendgen.audit.service import Endpoint, Guard, Limit
from backendgen.code.symbols import Symbols
from backendgen.findings.finding import Location

MENTIONS = re.compile(r"^\s*(?:from|import)\s+(?:strawberry|graphene|ariadne)", re.MULTILINE)


class GraphQL:
    """Reads one project. Use `endpoints`."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return each field with what guards it, in order of file and line. Its method is the operation that it is in."""
        modules = self.symbols.mentioning(MENTIONS, "strawberry", "graphene", "ariadne")
        if not modules:
            return ()
        outcomes = Outcomes(self.symbols)
        guards = Guards(self.symbols, Refusals(self.symbols, outcomes))
        found: list[Field] = [
            *Schemas(self.symbols, self.symbols.modules.values()).fields(),
            *ariadne_fields(self.symbols, modules),
        ]
        endpoints = [self._endpoint(one, guards) for one in found]
        return tuple(sorted(endpoints, key=lambda one: (one.location.path, one.location.line, one.path, one.method)))

    def _endpoint(self, field: Field, guards: Guards) -> Endpoint:
        statuses = frozenset[int]().union(*map(guards.refused, field.resolvers))
        own: list[Guard] = list(guards.of(field))
        if statuses - TOO_OFTEN:
            own.append(Guard(field.resolvers[0].name, "body", statuses - TOO_OFTEN))
        limits = (Limit(field.resolvers[0].name, "body"),) if statuses & TOO_OFTEN else ()
        node, module = field.node, field.module
        location = Location(module.file.path, node.lineno, node.col_offset + 1, max(node.lineno, field.head_end))
        return Endpoint(
            field.operation, field.name, field.resolvers[0], location, field.owner.name if field.owner else "",
            parameters_of(field), (), tuple(dict.fromkeys(own)), limits, None, field.mounted, field.library, field.owner,
        )  # fmt: skip
