"""A security review: what was found in each category of the OWASP Top 10, which ones are clean, and what was looked at.

The order is that of the 2025 edition; the categories of 2021 stand beside it. Rules that belong to none (reliability,
performance, process) come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backendgen import taxonomy
from backendgen.findings.finding import Coverage, Finding, Report
from backendgen.report import markup, outline
from backendgen.rules import Rule, Rulebook, Severity

EDITION, BESIDE = "2025", "2021"
CATEGORIES = tuple(key for key in taxonomy.OWASP if key.endswith(EDITION))
OTHERS = "other"
NAMES = {OTHERS: "Beyond the Top 10: reliability, performance, process"}
HOLE = "BG901"


def page(report: Report, rulebook: Rulebook, shown: Sequence[Finding]) -> str:
    """Return the whole document with these findings in it; the counts are of all."""
    coverage = report.coverage or Coverage((), ())
    blocks = [
        "# Security review",
        f"backendgen: {outline.summary(report)}",
        "\n".join(_table(report, rulebook, coverage)),
    ]
    blocks.extend(markup.remarks(report))
    grouped = _grouped(shown, rulebook)
    for category in (*CATEGORIES, OTHERS):
        if category in grouped:
            blocks.append(f"## {_title(category)}")
            blocks.extend(_findings(grouped[category], report, rulebook))
    blocks.extend(markup.left_out(report, shown))
    clean = list(_clean(report, rulebook, coverage))
    if clean:
        blocks += ["## Nothing found", "\n".join(clean)]
    blocks += ["## What was looked at", "\n".join(_looked_at(report, coverage))]
    if report.ignored:
        blocks += ["## Ignored with a reason", "\n".join(_ignored(report))]
    return "\n\n".join(blocks) + "\n"


def category_of(rule: Rule) -> str:
    """Return the category of 2025 that a rule belongs to first."""
    return next((key for key in rule.owasp if key.endswith(EDITION)), OTHERS)


def _title(category: str) -> str:
    return NAMES.get(category) or f"{category} {taxonomy.OWASP[category]}"


def _grouped(findings: Sequence[Finding], rulebook: Rulebook) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for one in outline.worst_first(findings):
        groups.setdefault(category_of(rulebook[one.rule_id]), []).append(one)
    return groups


def _table(report: Report, rulebook: Rulebook, coverage: Coverage) -> Iterator[str]:
    grades = sorted(Severity, reverse=True)
    yield f"| OWASP {EDITION} | {BESIDE} | {' | '.join(grade.word for grade in grades)} | rules |"
    yield f"|---|---|{'--:|' * (len(grades) + 1)}"
    groups = _grouped(report.findings, rulebook)
    for category in (*CATEGORIES, OTHERS):
        rules = [rulebook[rule_id] for rule_id in coverage.rules if category_of(rulebook[rule_id]) == category]
        found = groups.get(category, [])
        beside = sorted({key[:3] for rule in rules for key in rule.owasp if key.endswith(BESIDE)})
        numbers = [sum(one.severity == grade for one in found) for grade in grades]
        cells = " | ".join(f"{number:,}" if number else "" for number in numbers)
        yield f"| {_title(category)} | {', '.join(beside)} | {cells} | {len(rules)} |"


def _findings(findings: Sequence[Finding], report: Report, rulebook: Rulebook) -> Iterator[str]:
    for one in findings:
        rule = rulebook[one.rule_id]
        place = f"{report.path_of(one.location.path)}:{one.location.line}"
        named = [
            *(key for key in rule.owasp if key.endswith(BESIDE)),
            *rule.api,
            *(f"CWE-{number}" for number in rule.cwe),
        ]
        yield f"### {markup.code(place)}"
        yield from markup.finding(one, report, rulebook)
        about = [*named, f"confidence {one.confidence.word}", f"found by {', '.join(one.engines)}"]
        yield f"<sub>{' · '.join(about)}</sub>"


def _clean(report: Report, rulebook: Rulebook, coverage: Coverage) -> Iterator[str]:
    """The categories without a finding. One that no rule speaks of is not called clean."""
    groups = _grouped(report.findings, rulebook)
    for category in CATEGORIES:
        number = sum(category_of(rulebook[rule_id]) == category for rule_id in coverage.rules)
        if category in groups:
            continue
        if number:
            yield f"- {_title(category)}: {outline.count(number, 'rule')} found nothing"
        else:
            yield f"- {_title(category)}: **not looked at**, no rule of it ran"


def _looked_at(report: Report, coverage: Coverage) -> Iterator[str]:
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in coverage.kinds)
    yield f"- {outline.count(report.files, 'file')}: {kinds}" if kinds else f"- {outline.count(report.files, 'file')}"
    yield f"- {outline.count(len(coverage.rules), 'rule')}, by {', '.join(coverage.engines)}"
    for one in coverage.surfaces:
        yield f"- {outline.count(one.endpoints, 'endpoint')} of {one.framework}, of which {one.guarded:,} ask who calls"
    if not coverage.surfaces:
        yield "- no endpoints: what is judged by endpoint was not"
    holes = [one for one in report.findings if one.rule_id == HOLE]
    if holes:
        yield f"- **not analysed:** {', '.join(markup.code(report.path_of(one.location.path)) for one in holes)}"
    else:
        yield "- every file that was found could be analysed"
    if report.known:
        yield f"- {outline.count(len(report.known), 'finding')} of the baseline left out"


def _ignored(report: Report) -> Iterator[str]:
    for one in report.ignored:
        place = f"{report.path_of(one.finding.location.path)}:{one.finding.location.line}"
        yield f"- {one.finding.rule_id} at {markup.code(place)}: {markup.text(one.reason)}"
