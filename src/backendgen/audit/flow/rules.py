from __future__ import annotations
from dataclasses import dataclass
from backendgen.audit.registry import Context
from backendgen.findings.finding import Hit
from backendgen.rules import Rule


@dataclass(frozen=True, slots=True)
class Analysis:
    hits: tuple[tuple[Rule, Hit], ...] = ()
    cleared: frozenset[tuple[str, str, int]] = frozenset()


def analyse(context: Context, rules: tuple[Rule, ...]) -> Analysis:
    return Analysis()
