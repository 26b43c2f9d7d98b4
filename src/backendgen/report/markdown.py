"""A comment for a pull request, or a step's summary: a table, then the findings by file with their fixes folded away.

GitHub takes 65,536 characters: when there is more, the least severe findings are left out, and the report says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from backendgen.findings.finding import Finding, Report
from backendgen.report import outline
from backendgen.report.excerpt import printable
from backendgen.rules import Rulebook, Severity

LIMIT = 65_536
MARKS = {
    Severity.INFO: "⚪",
    Severity.LOW: "🔵",
    Severity.MEDIUM: "🟡",
    Severity.HIGH: "🟠",
    Severity.CRITICAL: "🔴",
}
_CODE = re.compile(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)", re.DOTALL)
_MARKUP = re.compile(r"([\\`*_\[\]<>&#~!$])")


def render(report: Report, rulebook: Rulebook) -> str:
    """Render as many findings as fit, worst first in question, grouped by file."""
    worst = outline.worst_first(report.findings)
    fits, too_many = 0, len(worst) + 1
    while too_many - fits > 1:  # the length grows with the number of findings
        middle = (fits + too_many) // 2
        if len(_page(report, rulebook, worst[:middle])) <= LIMIT:
            fits = middle
        else:
            too_many = middle
    page = _page(report, rulebook, worst[:fits])
    return page if len(page) <= LIMIT else f"{page[: LIMIT - 2]}…\n"


def _page(report: Report, rulebook: Rulebook, shown: Sequence[Finding]) -> str:
    blocks = [f"## backendgen: {outline.summary(report)}"]
    if report.findings:
        blocks.append("\n".join(_table(report.findings, rulebook)))
    for path, findings in outline.by_file(shown):
        blocks.append(f"### {_code(report.path_of(path))}")
        blocks.extend(block for one in findings for block in _finding(one, report, rulebook))
    missing = len(report.findings) - len(shown)
    if missing:
        left_out = outline.worst_first(report.findings)[len(shown) :]
        blocks.append(
            f"**{outline.count(missing, 'finding')} not shown ({outline.grades(left_out)}):** a comment holds "
            f"{LIMIT:,} characters. The other formats list all of them."
        )
    blocks.extend(f"**Could not run:** {_text(str(problem))}" for problem in report.failures)
    blocks.extend(f"Skipped: {_text(str(problem))}" for problem in report.skipped[:10])
    if len(report.skipped) > 10:
        blocks.append(f"Skipped: {outline.count(len(report.skipped) - 10, 'more file')}")
    blocks.extend(filter(None, [_text(outline.stale(report))]))
    return "\n\n".join(blocks) + "\n"


def _table(findings: Iterable[Finding], rulebook: Rulebook) -> list[str]:
    counted = Counter((-one.severity, one.rule_id) for one in findings)
    rows = ["| severity | rule | | findings |", "|---|---|---|--:|"]
    for (negative, rule_id), number in sorted(counted.items()):
        grade = Severity(-negative)
        title = _text(rulebook[rule_id].title).replace("|", "\\|")
        rows.append(f"| {MARKS[grade]} {grade.word} | {rule_id} | {title} | {number:,} |")
    return rows


def _finding(one: Finding, report: Report, rulebook: Rulebook) -> Iterable[str]:
    title = _text(rulebook[one.rule_id].title)
    yield f"{MARKS[one.severity]} **{one.rule_id} {title}** ({one.severity.word}), line {one.location.line}"
    yield "  \n".join(_text(line.strip()) for line in one.message.split("\n"))
    if one.source:
        yield _fence(one.source, one.location.path)
    if one.steps:
        steps = (
            f"1. {_code(f'{report.path_of(s.location.path)}:{s.location.line}')} {_text(s.note)}" for s in one.steps
        )
        yield "\n".join(steps)
    if one.fix:
        lines = one.fix.split("\n")
        fix = _fence(lines, one.location.path) if len(lines) > 1 else _text(one.fix)
        yield f"<details><summary>Fix</summary>\n\n{fix}\n\n</details>"


def _fence(lines: Sequence[str], path: str) -> str:
    text = printable("\n".join(lines))
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    language = {"sql": "sql", "py": "python"}.get(path.rpartition(".")[2], "")
    return f"{ticks}{language}\n{text}\n{ticks}"


def _code(text: str) -> str:
    """Return text as a code span, whatever backticks it holds."""
    text = printable(text).replace("\n", " ")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _text(text: str) -> str:
    """Escape prose: code spans stay, all else is no markup and no mention."""
    parts, at = [], 0
    text = printable(text)
    for span in _CODE.finditer(text):
        parts += [_plain(text[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*parts, _plain(text[at:])])


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text).replace("@", "@\u2060")
