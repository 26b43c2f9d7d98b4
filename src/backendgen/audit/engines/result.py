"""What an engine returns."""

from __future__ import annotations

from dataclasses import dataclass

from backendgen.code.project import Hole
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Surface


@dataclass(frozen=True, slots=True)
class EngineResult:
    """Findings; files it could not analyse; why it could not run; and (rule, path, line)s that it proves harmless.

    `surfaces` are the endpoints that were found.
    """

    engine: str
    findings: tuple[Finding, ...] = ()
    holes: tuple[Hole, ...] = ()
    failures: tuple[Problem, ...] = ()
    cleared: frozenset[tuple[str, str, int]] = frozenset()
    surfaces: tuple[Surface, ...] = ()
