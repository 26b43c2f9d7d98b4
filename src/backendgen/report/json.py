"""The report for programs: everything that is known, with a version of its own."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import Any

from backendgen import __version__
from backendgen.errors import Problem
from backendgen.findings.finding import Coverage, Finding, Location, Report
from backendgen.report import trace
from backendgen.rules import Rulebook

FORMAT = 1


def render(report: Report, rulebook: Rulebook) -> str:
    """Render as one JSON object with `findings`, `ignored`, `known`, `skipped`, `failures` and the number of `files`.

    Paths are relative to `root`, the scanned folder, as it is reached from where the tool was started.
    """
    content = {
        "format": FORMAT,
        "tool": {"name": "backendgen", "version": __version__},
        "root": report.root or ".",
        "files": report.files,
        "findings": [_finding(one, rulebook) for one in report.findings],
        "ignored": [
            {**_finding(one.finding, rulebook), "reason": one.reason, **({"by": one.by} if one.by else {})}
            for one in report.ignored
        ],
        "known": [_finding(one, rulebook) for one in report.known],
        "stale": [
            {"path": one.path, "rule": one.rule_id, "content": one.content}
            for one in (report.comparison.stale if report.comparison else ())
        ],
        "histories": list(report.histories),
        "skipped": [_problem(one) for one in report.skipped],
        "failures": [_problem(one) for one in report.failures],
        **({} if report.elsewhere is None else {"elsewhere": report.elsewhere}),
        **({"coverage": _coverage(report.coverage)} if report.coverage else {}),
        **({"trace": trace.data(report.trace)} if report.trace else {}),
    }
    return laid_out(content) + "\n"


def laid_out(value: Any, margin: str = "\n") -> str:
    """Return what `json.dumps(value, indent=2, ensure_ascii=False)` does, in a third of the time."""
    if isinstance(value, str):
        return encode_basestring(value)
    inside = f"{margin}  "
    if isinstance(value, dict) and value:
        items = [f"{encode_basestring(key)}: {laid_out(item, inside)}" for key, item in value.items()]
        return f"{{{inside}{f',{inside}'.join(items)}{margin}}}"
    if isinstance(value, list) and value:
        return f"[{inside}{f',{inside}'.join([laid_out(item, inside) for item in value])}{margin}]"
    return json.dumps(value, ensure_ascii=False)


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "rules": list(coverage.rules),
        "engines": list(coverage.engines),
        "kinds": dict(coverage.kinds),
        "endpoints": {one.framework: {"all": one.endpoints, "guarded": one.guarded} for one in coverage.surfaces},
    }


def _finding(one: Finding, rulebook: Rulebook) -> dict[str, Any]:
    rule = rulebook[one.rule_id]
    return {
        "rule": rule.id,
        "title": rule.title,
        **_location(one.location),
        "severity": one.severity.word,
        "confidence": one.confidence.word,
        "message": one.message,
        "fix": one.fix,
        "symbol": one.symbol,
        "source": list(one.source),
        "engines": list(one.engines),
        "steps": [{**_location(step.location), "note": step.note, "code": step.code} for step in one.steps],
        "cwe": list(rule.cwe),
        "owasp": list(rule.owasp + rule.api),
        "fingerprint": one.fingerprint,
    }


def _location(location: Location) -> dict[str, Any]:
    end = {"end_line": location.end_line} if location.end_line else {}
    return {"path": location.path, "line": location.line, "column": location.column, **end}


def _problem(problem: Problem) -> dict[str, Any]:
    return {"message": problem.message, "path": problem.path, "line": problem.line, "hint": problem.hint}
