"""The types that every engine, both commands and every report share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from backendgen.errors import Problem
from backendgen.rules import Confidence, Rule, Severity


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file. Lines and columns are 1-based; `path` is relative to the scanned root, with forward slashes."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a data flow, from its source to its sink."""

    location: Location
    note: str


@dataclass(frozen=True, slots=True)
class Hit:
    """What a check yields: where, what is wrong in the user's own names, and the change to paste.

    `symbol` is the function, endpoint or table it is in; `severity` and `confidence` grade the card's own when given.
    """

    location: Location
    message: str
    fix: str = ""
    symbol: str = ""
    steps: tuple[Step, ...] = ()
    severity: Severity | None = None
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A Hit of a rule, found by one engine or more. Title, OWASP, CWE and default grades stay in the Rulebook.

    `statement` is the source line, white space folded; with `ordinal` (the n-th of the same kind) it makes a fingerprint
    that moves with the code.
    """

    rule_id: str
    location: Location
    message: str
    severity: Severity
    confidence: Confidence
    engines: tuple[str, ...]
    fix: str = ""
    symbol: str = ""
    steps: tuple[Step, ...] = ()
    statement: str = ""
    ordinal: int = 0

    @property
    def fingerprint(self) -> str:
        """Stable over moves and reformatting of other lines: 16 hex digits."""
        parts = (self.rule_id, self.location.path, self.symbol, self.statement, str(self.ordinal))
        return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that a comment in the code hides, and the reason given there."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run. `failures` are engines that could not run: the exit code is 2 then, findings or not."""

    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    skipped: tuple[Problem, ...] = ()
    failures: tuple[Problem, ...] = ()
    files: int = 0


def finding(rule: Rule, hit: Hit, engine: str) -> Finding:
    """Make a Finding of a check's Hit, with the rule's grades where the hit has none of its own."""
    return Finding(
        rule.id, hit.location, hit.message,
        rule.severity if hit.severity is None else hit.severity,
        rule.confidence if hit.confidence is None else hit.confidence,
        (engine,), hit.fix, hit.symbol, hit.steps,
    )  # fmt: skip
