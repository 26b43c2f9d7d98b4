"""GitHub's workflow commands: each finding becomes an annotation on its line of the pull request.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; the escapes are those of
actions/toolkit. A step shows ten annotations of each level, so the worst come first.
"""

from __future__ import annotations

from backendgen.findings.finding import Finding, Report
from backendgen.report import outline
from backendgen.report.excerpt import printable
from backendgen.rules import Rulebook, Severity

LEVELS = {
    Severity.INFO: "notice",
    Severity.LOW: "notice",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "error",
}


def render(report: Report, rulebook: Rulebook) -> str:
    """Render an annotation for each finding, then for what could not run or was skipped, then the summary for the log."""
    lines = [_annotation(one, report, rulebook) for one in outline.worst_first(report.findings)]
    lines += [f"::error title=backendgen could not run::{_data(str(problem))}" for problem in report.failures]
    lines += [f"::notice title=backendgen skipped a file::{_data(str(problem))}" for problem in report.skipped]
    lines += [f"::notice title=backendgen baseline::{_data(text)}" for text in (outline.stale(report),) if text]
    return "\n".join([*lines, f"backendgen: {outline.summary(report)}"]) + "\n"


def _annotation(one: Finding, report: Report, rulebook: Rulebook) -> str:
    place = one.location
    properties = {"file": report.path_of(place.path), "line": str(place.line)}
    if place.end_line > place.line:
        properties["endLine"] = str(place.end_line)  # a column is not taken together with several lines
    else:
        properties["col"] = str(place.column)
    properties["title"] = f"{one.rule_id} {rulebook[one.rule_id].title} ({one.severity.word})"
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    message = f"{one.message}\n\nFix: {one.fix}" if one.fix else one.message
    return f"::{LEVELS[one.severity]} {written}::{_data(message)}"


def _data(text: str) -> str:
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
