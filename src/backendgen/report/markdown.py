"""A comment for a pull request, or a step's summary: a table, then the findings by file; of an audit, a security review.

GitHub takes 65,536 characters: when there is more, the least severe findings are left out, and the report says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from backendgen.findings.finding import Finding, Report
from backendgen.report import markup, outline, review
from backendgen.rules import Rulebook, Severity

LIMIT = markup.LIMIT


def render(report: Report, rulebook: Rulebook) -> str:
    """Render as many findings as fit, worst first in question: of an audit by OWASP category, else by file."""
    page = review.page if report.coverage else _page
    return markup.fitting(report, lambda shown: page(report, rulebook, shown))


def _page(report: Report, rulebook: Rulebook, shown: Sequence[Finding]) -> str:
    blocks = [f"## backendgen: {outline.summary(report)}"]
    if report.findings:
        blocks.append("\n".join(_table(report.findings, rulebook)))
    for path, findings in outline.by_file(shown):
        blocks.append(f"### {markup.code(report.path_of(path))}")
        blocks.extend(block for one in findings for block in markup.finding(one, report, rulebook))
    blocks.extend(markup.left_out(report, shown))
    blocks.extend(markup.remarks(report))
    return "\n\n".join(blocks) + "\n"


def _table(findings: Iterable[Finding], rulebook: Rulebook) -> list[str]:
    counted = Counter((-one.severity, one.rule_id) for one in findings)
    rows = ["| severity | rule | | findings |", "|---|---|---|--:|"]
    for (negative, rule_id), number in sorted(counted.items()):
        grade = Severity(-negative)
        title = markup.text(rulebook[rule_id].title).replace("|", "\\|")
        rows.append(f"| {markup.MARKS[grade]} {grade.word} | {rule_id} | {title} | {number:,} |")
    return rows
