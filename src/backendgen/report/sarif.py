"""SARIF 2.1.0, for code scanning in CI.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html;
`security-severity`, `precision` and `tags` are as GitHub's code scanning reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from backendgen import __version__
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Location, Report, Step
from backendgen.rules import Confidence, Rule, Rulebook, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {
    Severity.INFO: "note",
    Severity.LOW: "note",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}
SCORES = {
    Severity.INFO: "0.0",
    Severity.LOW: "3.0",
    Severity.MEDIUM: "5.5",
    Severity.HIGH: "8.0",
    Severity.CRITICAL: "9.5",
}
PRECISIONS = {Confidence.LOW: "low", Confidence.MEDIUM: "medium", Confidence.HIGH: "high"}


def render(report: Report, rulebook: Rulebook) -> str:
    """Render one run: rules from the cards, results with fingerprints, code flows and suppressions."""
    results = [(one, "") for one in report.findings] + [(one.finding, one.reason) for one in report.ignored]
    rule_ids = sorted({one.rule_id for one, _ in results})
    run = {
        "tool": {
            "driver": {
                "name": "backendgen",
                "semanticVersion": __version__,
                "rules": [_rule(rulebook[rule_id]) for rule_id in rule_ids],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.failures,
                "toolExecutionNotifications": [
                    *_notifications(report.failures, "error"),
                    *_notifications(report.skipped, "warning"),
                ],
            }
        ],
        "results": [_result(one, rule_ids.index(one.rule_id), reason) for one, reason in results],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    tags = [f"external/cwe/cwe-{number:03d}" for number in rule.cwe] + list(rule.owasp) + list(rule.api)
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.slug.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.text, "markdown": rule.text},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {
            "precision": PRECISIONS[rule.confidence],
            "security-severity": SCORES[rule.severity],
            "tags": ["security", *tags] if rule.cwe or rule.owasp else tags,
        },
    }


def _result(one: Finding, rule_index: int, reason: str) -> dict[str, Any]:
    message = f"{one.message}\nFix: {one.fix}" if one.fix else one.message
    result: dict[str, Any] = {
        "ruleId": one.rule_id,
        "ruleIndex": rule_index,
        "level": LEVELS[one.severity],
        "message": {"text": message},
        "locations": [_location(one.location)],
        "partialFingerprints": {"backendgen/v1": one.fingerprint},
        "properties": {"confidence": one.confidence.word, "engines": list(one.engines)},
    }
    if one.steps:
        result["codeFlows"] = [{"threadFlows": [{"locations": [_step(step) for step in one.steps]}]}]
    if reason:
        result["suppressions"] = [{"kind": "inSource", "justification": reason}]
    return result


def _location(location: Location) -> dict[str, Any]:
    region = {"startLine": location.line, "startColumn": location.column}
    if location.end_line > location.line:
        region["endLine"] = location.end_line
    return {"physicalLocation": {"artifactLocation": {"uri": quote(location.path)}, "region": region}}


def _step(step: Step) -> dict[str, Any]:
    return {"location": {**_location(step.location), "message": {"text": step.note}}}


def _notifications(problems: Iterable[Problem], level: str) -> Iterable[dict[str, Any]]:
    return ({"level": level, "message": {"text": str(problem)}} for problem in problems)
