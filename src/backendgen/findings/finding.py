"""The types that every engine, both commands and every report share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath

from backendgen.errors import Problem
from backendgen.findings.remedy import Remedy
from backendgen.rules import Confidence, Rule, Severity


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file. Lines and columns are 1-based; `path` is relative to the scanned root, with forward slashes."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 0

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as a call: what dataclasses do takes four times as long."""
        return Location, (self.path, self.line, self.column, self.end_line)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a data flow, from its source to its sink. `code` is the source line."""

    location: Location
    note: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a check yields: where, what is wrong in the user's own names, and the change to paste.

    `symbol` is the function, endpoint or table it is in; `severity` and `confidence` grade the card's own when given.
    `remedy` is the change where a tool can make it.
    """

    location: Location
    message: str
    fix: str = ""
    symbol: str = ""
    steps: tuple[Step, ...] = ()
    severity: Severity | None = None
    confidence: Confidence | None = None
    remedy: Remedy | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A Hit of a rule, found by one engine or more. Title, OWASP, CWE and default grades stay in the Rulebook.

    `source` are its lines as they stand in the file, the first few; `statement` is the text of all of them, white space
    folded. With `ordinal` (the n-th of the same kind) that makes a fingerprint which moves with the code.
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
    source: tuple[str, ...] = ()
    remedies: tuple[Remedy, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as a call: what dataclasses do takes four times as long."""
        return Finding, (
            self.rule_id, self.location, self.message, self.severity, self.confidence, self.engines, self.fix, self.symbol,
            self.steps, self.statement, self.ordinal, self.source, self.remedies,
        )  # fmt: skip

    @property
    def fingerprint(self) -> str:
        """Unique in a report, stable over moves and reformatting of other lines: 16 hex digits."""
        return _digest(self.rule_id, self.location.path, self.symbol, self.statement, str(self.ordinal))

    @property
    def content(self) -> str:
        """What it is about, wherever that stands: 16 hex digits that a renamed file keeps."""
        return _digest(self.symbol, self.statement or self.message)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that a comment in the code hides, and the reason given there. `by`: another tool that it is for."""

    finding: Finding
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Known:
    """One entry of a baseline: a finding that a project has already. `path` is relative to the baseline's folder."""

    path: str
    rule_id: str
    content: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run against a baseline: what it hides, entries that hide nothing any more, and those beyond what the run judged."""

    baseline: Path
    hidden: tuple[Finding, ...] = ()
    stale: tuple[Known, ...] = ()
    beyond: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True)
class TracedStatement:
    """What one statement did on a scratch database to what was there before its migration.

    `locks` are (table, mode), `held` those that its transaction kept from earlier, `rewritten` tables and indexes with new
    files. `differences` say where the static verdict
    was another one. `failure` is PostgreSQL's message; with `on_rows` the statement failed on rows and passed without.
    """

    location: Location
    statement: str
    milliseconds: float = 0.0
    locks: tuple[tuple[str, str], ...] = ()
    rewritten: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    failure: str = ""
    on_rows: bool = False
    note: str = ""
    held: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TracedMigration:
    """The statements of one pending migration, and the tables that held rows when they ran."""

    path: str
    statements: tuple[TracedStatement, ...]
    rows_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of the pending migrations: where, what of them was seen, and what could not be as it is in production."""

    server: str
    migrations: tuple[TracedMigration, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surface:
    """The endpoints that one framework routes to, and how many of them ask who calls."""

    framework: str
    endpoints: int
    guarded: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an audit looked at: the rules and engines that ran, the files by kind, and the endpoints."""

    rules: tuple[str, ...]
    engines: tuple[str, ...]
    kinds: tuple[tuple[str, int], ...] = ()
    surfaces: tuple[Surface, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run. `failures` are engines that could not run: the exit code is 2 then, findings or not.

    `histories` names what was read as one history each, where there are several. `root` leads from where the report is
    read to the scanned root, to which every path is relative. `elsewhere` counts findings left out for their lines, which
    have not changed since a revision; None when that was not asked. `coverage` is an audit's.
    """

    findings: tuple[Finding, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    skipped: tuple[Problem, ...] = ()
    failures: tuple[Problem, ...] = ()
    files: int = 0
    comparison: Comparison | None = None
    root: str = ""
    trace: Trace | None = None
    histories: tuple[str, ...] = ()
    elsewhere: int | None = None
    coverage: Coverage | None = None

    @property
    def known(self) -> tuple[Finding, ...]:
        """The findings that a baseline hides."""
        return self.comparison.hidden if self.comparison else ()

    def path_of(self, path: str) -> str:
        """Return a scanned path as it is reached from where the report is read."""
        return normpath(f"{self.root}/{path}") if self.root else path


def finding(rule: Rule, hit: Hit, engine: str) -> Finding:
    """Make a Finding of a check's Hit, with the rule's grades where the hit has none of its own."""
    return Finding(
        rule.id, hit.location, hit.message,
        rule.severity if hit.severity is None else hit.severity,
        rule.confidence if hit.confidence is None else hit.confidence,
        (engine,), hit.fix, hit.symbol, hit.steps, remedies=(hit.remedy,) if hit.remedy else (),
    )  # fmt: skip


def _digest(*parts: str) -> str:
    from hashlib import sha256  # it loads OpenSSL, and few reports need it

    return sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()[:16]
