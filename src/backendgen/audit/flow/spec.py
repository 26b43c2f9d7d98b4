"""Flow rules as the cards write them: a ```yaml flow fence, read into data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backendgen.audit.flow.values import HOLE
from backendgen.errors import Problem, UserError
from backendgen.rules import Confidence, Rule, Severity

SQL = re.compile(
    r"\s*\(?\s*(?:select\b.*\bfrom\b|select\b|insert\s+into\b|update\b.*\bset\b|delete\s+from\b|with\b.*\bas\b|create\s|alter\s|drop\s"
    r"|truncate\b|merge\s+into\b|replace\s+into\b|pragma\b|call\b|copy\b|set\b|explain\b|grant\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Sink:
    """What a taint must not reach.

    `calls` are dotted names, `methods` names on receivers of unknown type, `places` are no calls: `html` (a body sent as
    HTML), `response` (anything that is sent), `format` (a template whose fields are filled). `arguments` are the positions
    and keywords that matter (`self`: what the method is called on; `**`: a spread dictionary). `where`: with `sql` the text
    must look like SQL when the receiver's type is unknown; with `shell` only the text that ["sh", "-c", text] gives to a
    shell matters, with `option` only words that a program may take for options. `given` and `unless`: what other arguments
    must or must not be; `names` what a value is assigned to, `beside` what it is compared with (`request`: from a request).
    """

    calls: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    arguments: tuple[int | str, ...] = (0,)
    where: str = ""
    given: Mapping[str, Any] | None = None
    unless: Mapping[str, Any] | None = None
    names: re.Pattern[str] | None = None
    beside: re.Pattern[str] | None = None
    confidence: Confidence | None = None
    severity: Severity | None = None

    @property
    def sql(self) -> bool:
        """Must the text look like SQL?"""
        return self.where == "sql"


@dataclass(frozen=True, slots=True, eq=False)
class FlowRule:
    """A card's flow fence. `kind` is the kind of sink, for sanitisers and guards; `sources` the kinds of origins.

    `imports`: packages of which a project must import one.
    """

    rule: Rule
    kind: str
    sinks: tuple[Sink, ...]
    sanitisers: frozenset[str]
    message: str
    fix: str
    sources: frozenset[str] = frozenset({"request"})
    imports: frozenset[str] = frozenset()


PROSE = re.compile(r"\s*(?:Select|Insert|Update|Delete|Create|Drop|With|Call|Set|Copy|Merge)\s")
_KEYS = {"kind", "sinks", "sanitisers", "message", "fix", "sources", "imports"}
_SINK_KEYS = {
    "call",
    "method",
    "place",
    "argument",
    "where",
    "given",
    "unless",
    "name",
    "beside",
    "confidence",
    "severity",
}


def read(rule: Rule) -> FlowRule:
    """Read a card's flow fence. Raises UserError when it is not as rules/README.md says."""
    data = rule.detect.data
    is_whole = isinstance(data, dict) and not set(data) - _KEYS and {"kind", "sinks", "message"} <= set(data)
    if not is_whole or not isinstance(data["sinks"], list) or not all(isinstance(sink, dict) for sink in data["sinks"]):
        raise UserError(Problem(f"a yaml flow fence has the keys {', '.join(sorted(_KEYS))}", rule.path))
    return FlowRule(
        rule, data["kind"], tuple(_sink(sink, rule) for sink in data["sinks"]), frozenset(data.get("sanitisers", ())),
        data["message"], data.get("fix", ""), frozenset(data.get("sources", ("request",))),
        frozenset(data.get("imports", ())),
    )  # fmt: skip


def _sink(sink: dict[str, Any], rule: Rule) -> Sink:
    if set(sink) - _SINK_KEYS:
        raise UserError(Problem(f"a sink has the keys {', '.join(sorted(_SINK_KEYS))}", rule.path))
    names, beside = (re.compile(sink[key], re.IGNORECASE) if key in sink else None for key in ("name", "beside"))
    confidence = Confidence[sink["confidence"].upper()] if "confidence" in sink else None
    severity = Severity[sink["severity"].upper()] if "severity" in sink else None
    return Sink(
        frozenset(sink.get("call", ())), frozenset(sink.get("method", ())), frozenset(sink.get("place", ())),
        tuple(sink.get("argument", (0,))), sink.get("where", ""), sink.get("given"), sink.get("unless"), names, beside,
        confidence, severity,
    )  # fmt: skip


def looks_like_sql(text: str | None) -> bool:
    """Does the known part of a text start as an SQL statement does?"""
    return text is not None and SQL.match(text.lstrip(HOLE)) is not None
