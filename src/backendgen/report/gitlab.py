"""GitLab's code quality report: a JSON list of issues, shown in the merge request.

Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format. GitLab shows one issue for each
fingerprint. What could not run is an issue too: an empty list would look clean.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Report
from backendgen.rules import Rulebook, Severity

GRADES = {
    Severity.INFO: "info",
    Severity.LOW: "minor",
    Severity.MEDIUM: "major",
    Severity.HIGH: "critical",
    Severity.CRITICAL: "blocker",
}


def render(report: Report, rulebook: Rulebook) -> str:
    """Render the findings, and one blocker for each engine that could not run."""
    issues = [_issue(one, report, rulebook) for one in report.findings]
    issues += [_failure(problem, report) for problem in report.failures]
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"


def _issue(one: Finding, report: Report, rulebook: Rulebook) -> dict[str, Any]:
    rule = rulebook[one.rule_id]
    fix = f"\n\nFix:\n```\n{one.fix}\n```" if one.fix else ""
    end = {"end": one.location.end_line} if one.location.end_line > one.location.line else {}
    return {
        "type": "issue",
        "check_name": rule.id,
        "description": f"{rule.id} {rule.title}: {' '.join(one.message.split())}",
        "content": {"body": f"{one.message}{fix}"},
        "categories": ["Security" if rule.cwe or rule.owasp else "Bug Risk"],
        "severity": GRADES[one.severity],
        "fingerprint": one.fingerprint,
        "location": {"path": report.path_of(one.location.path), "lines": {"begin": one.location.line, **end}},
    }


def _failure(problem: Problem, report: Report) -> dict[str, Any]:
    return {
        "type": "issue",
        "check_name": "could-not-run",
        "description": f"backendgen could not run: {' '.join(str(problem).split())}",
        "categories": ["Bug Risk"],
        "severity": "blocker",
        "fingerprint": hashlib.sha256(str(problem).encode()).hexdigest()[:16],
        "location": {"path": problem.path or report.root or ".", "lines": {"begin": problem.line or 1}},
    }
