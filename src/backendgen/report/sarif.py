"""SARIF 2.1.0, for code scanning in CI.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html;
`security-severity`, `precision` and `tags` are as GitHub's code scanning reads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from backendgen import __version__, taxonomy
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Location, Report, Step
from backendgen.report import outline
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
TAXONOMIES = {
    "OWASP Top 10 2021": "https://owasp.org/Top10/2021/",
    "OWASP Top 10 2025": "https://owasp.org/Top10/2025/",
    "OWASP API Security Top 10 2023": "https://owasp.org/API-Security/editions/2023/en/0x11-t10/",
    "CWE": "https://cwe.mitre.org/data/",
}
PRECISIONS = {Confidence.LOW: "low", Confidence.MEDIUM: "medium", Confidence.HIGH: "high"}


def render(report: Report, rulebook: Rulebook) -> str:
    """Render one run: rules from the cards, results with fingerprints, code flows, suppressions and the baseline's state."""
    results = list(_results(report))
    rule_ids = sorted({one.rule_id for one, _ in results})
    taxonomies = list(_taxonomies([rulebook[rule_id] for rule_id in rule_ids]))
    run = {
        "tool": {
            "driver": {
                "name": "backendgen",
                "semanticVersion": __version__,
                "rules": [_rule(rulebook[rule_id]) for rule_id in rule_ids],
                "supportedTaxonomies": [{"name": one["name"], "index": index} for index, one in enumerate(taxonomies)],
            }
        },
        "taxonomies": taxonomies,
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.failures,
                "toolExecutionNotifications": [
                    *_notifications(report.failures, "error"),
                    *_notifications(report.skipped, "warning"),
                    *_notifications(filter(None, [outline.stale(report)]), "note"),
                ],
            }
        ],
        "results": [_result(one, rule_ids.index(one.rule_id), report, standing) for one, standing in results],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _results(report: Report) -> Iterator[tuple[Finding, dict[str, Any]]]:
    """Yield every finding with how it stands: ignored, in the baseline, or new to one."""
    new = {"baselineState": "new"} if report.comparison else {}
    yield from ((one, new) for one in report.findings)
    for one in report.ignored:
        yield one.finding, {**new, "suppressions": [{"kind": "inSource", "justification": one.reason}]}
    if report.comparison:
        why = f"in the baseline {report.comparison.baseline.name}"
        known = {"baselineState": "unchanged", "suppressions": [{"kind": "external", "justification": why}]}
        yield from ((one, known) for one in report.known)


def _rule(rule: Rule) -> dict[str, Any]:
    tags = [f"external/cwe/cwe-{number:03d}" for number in rule.cwe] + list(rule.owasp) + list(rule.api)
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.slug.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.text, "markdown": rule.text},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        **({"relationships": relationships} if (relationships := list(_relationships(rule))) else {}),
        "properties": {
            "precision": PRECISIONS[rule.confidence],
            "security-severity": SCORES[rule.severity],
            "tags": ["security", *tags] if rule.cwe or rule.owasp else tags,
        },
    }


def _taxa(rule: Rule) -> Iterator[tuple[str, str, str]]:
    """Yield (taxonomy, id, name) of everything that a rule belongs to."""
    for key in rule.owasp:
        yield f"OWASP Top 10 {key[4:]}", key, taxonomy.OWASP[key]
    yield from (("OWASP API Security Top 10 2023", key, taxonomy.API[key]) for key in rule.api)
    yield from (("CWE", str(number), taxonomy.CWE[number]) for number in rule.cwe)


def _taxonomies(rules: Iterable[Rule]) -> Iterator[dict[str, Any]]:
    """Yield the parts of the taxonomies that rules refer to."""
    found: dict[str, dict[str, str]] = {}
    for rule in rules:
        for name, key, title in _taxa(rule):
            found.setdefault(name, {})[key] = title
    for name in sorted(found):
        yield {
            "name": name,
            "organization": "MITRE" if name == "CWE" else "OWASP Foundation",
            "informationUri": TAXONOMIES[name],
            "taxa": [{"id": key, "name": title} for key, title in sorted(found[name].items())],
        }


def _relationships(rule: Rule) -> Iterator[dict[str, Any]]:
    for name, key, _ in _taxa(rule):
        yield {"target": {"id": key, "toolComponent": {"name": name}}, "kinds": ["relevant"]}


def _result(one: Finding, rule_index: int, report: Report, standing: dict[str, Any]) -> dict[str, Any]:
    message = f"{one.message}\nFix: {one.fix}" if one.fix else one.message
    flows = [{"threadFlows": [{"locations": [_step(step, report) for step in one.steps]}]}] if one.steps else []
    return {
        "ruleId": one.rule_id,
        "ruleIndex": rule_index,
        "level": LEVELS[one.severity],
        "message": {"text": message},
        "locations": [_location(one.location, report, "\n".join(one.source))],
        "partialFingerprints": {"backendgen/v1": one.fingerprint, "primaryLocationLineHash": f"{one.fingerprint}:1"},
        "properties": {"severity": one.severity.word, "confidence": one.confidence.word, "engines": list(one.engines)},
        **({"codeFlows": flows} if flows else {}),
        **standing,
    }


def _location(location: Location, report: Report, source: str) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": location.line, "startColumn": location.column}
    if location.end_line > location.line:
        region["endLine"] = location.end_line
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(report.path_of(location.path))}, "region": region}
    if source:
        last = location.line + source.count("\n")
        place["contextRegion"] = {"startLine": location.line, "endLine": last, "snippet": {"text": source}}
    return {"physicalLocation": place}


def _step(step: Step, report: Report) -> dict[str, Any]:
    return {"location": {**_location(step.location, report, step.code), "message": {"text": step.note}}}


def _notifications(problems: Iterable[Problem | str], level: str) -> Iterable[dict[str, Any]]:
    return ({"level": level, "message": {"text": str(problem)}} for problem in problems)
