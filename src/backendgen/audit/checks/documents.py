"""The OpenAPI documents of a project, and findings that sum up all places of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from backendgen.audit.checks.drift import is_of_another_service
from backendgen.audit.registry import Context
from backendgen.code.openapi import OpenAPI
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

Place: TypeAlias = tuple[str, int]
SHOWN = 4


def documents(context: Context) -> Iterator[tuple[OpenAPI, Confidence | None]]:
    """The documents with the confidence that they leave: one of a service that is only called is not ours to mend."""
    for api in context.configuration.openapi:
        yield api, Confidence.LOW if is_of_another_service(context, api) else None


def summed(
    api: OpenAPI,
    places: Sequence[Place],
    message: Callable[[str], str],
    fix: str,
    severity: Severity | None = None,
    confidence: Confidence | None = None,
) -> Iterator[Hit]:
    """One finding for all places of a document, at the first of them; `message` is given their names."""
    if not places:
        return
    names = list(dict.fromkeys(name for name, _ in places))
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    listed = ", ".join(f"`{name}`" for name in names[:SHOWN]) + more
    line = min(line for _, line in places)
    yield Hit(Location(api.path, line), message(listed), fix, names[0], severity=severity, confidence=confidence)
