"""Flow rules as the cards write them: a ```yaml flow fence, read into data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backendgen.audit.flow.values import HOLE
from backendgen.errors import Problem, UserError
from backendgen.rules import Rule

SQL = re.compile(
    r"\s*\(?\s*(?:select\b.*\bfrom\b|select\b|insert\s+into\b|update\b.*\bset\b|delete\s+from\b|with\b.*\bas\b|create\s|alter\s|drop\s"
    r"|truncate\b|merge\s+into\b|replace\s+into\b|pragma\b|call\b|copy\b|set\b|explain\b|grant\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Sink:
    """Calls that a taint must not reach.

    `calls` are dotted names, `methods` names on receivers of unknown type; `arguments` the positions and keywords that
    matter (`self`: what the method is called on). `sql`: the text must look like SQL when the receiver's type is unknown;
    `shell`: only the text that a list such as ["sh", "-c", text] gives to a shell; `given`: keywords that must be this
    constant.
    """

    calls: frozenset[str]
    methods: frozenset[str]
    arguments: tuple[int | str, ...]
    sql: bool = False
    given: Mapping[str, Any] | None = None
    shell: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FlowRule:
    """A card's flow fence. `kind` is the kind of sink, which sanitisers and guards are for."""

    rule: Rule
    kind: str
    sinks: tuple[Sink, ...]
    sanitisers: frozenset[str]
    message: str
    fix: str


PROSE = re.compile(r"\s*(?:Select|Insert|Update|Delete|Create|Drop|With|Call|Set|Copy|Merge)\s")
_KEYS = {"kind", "sinks", "sanitisers", "message", "fix"}
_SINK_KEYS = {"call", "method", "argument", "where", "given"}


def read(rule: Rule) -> FlowRule:
    """Read a card's flow fence. Raises UserError when it is not as rules/README.md says."""
    data = rule.detect.data
    is_whole = isinstance(data, dict) and not set(data) - _KEYS and {"kind", "sinks", "message"} <= set(data)
    if not is_whole or not isinstance(data["sinks"], list) or not all(isinstance(sink, dict) for sink in data["sinks"]):
        raise UserError(Problem(f"a yaml flow fence has the keys {', '.join(sorted(_KEYS))}", rule.path))
    sinks = []
    for sink in data["sinks"]:
        if set(sink) - _SINK_KEYS:
            raise UserError(Problem(f"a sink has the keys {', '.join(sorted(_SINK_KEYS))}", rule.path))
        sinks.append(
            Sink(
                frozenset(sink.get("call", ())), frozenset(sink.get("method", ())), tuple(sink.get("argument", (0,))),
                sink.get("where") == "sql", sink.get("given"), sink.get("where") == "shell",
            )
        )  # fmt: skip
    return FlowRule(
        rule, data["kind"], tuple(sinks), frozenset(data.get("sanitisers", ())), data["message"], data.get("fix", "")
    )


def looks_like_sql(text: str | None) -> bool:
    """Does the known part of a text start as an SQL statement does?"""
    return text is not None and SQL.match(text.lstrip(HOLE)) is not None
