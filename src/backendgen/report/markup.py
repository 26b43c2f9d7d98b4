"""Findings as Markdown, for every document that shows them: escaped text, code, a finding with its fix folded away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from backendgen.findings.finding import Finding, Report
from backendgen.report import outline
from backendgen.report.excerpt import printable
from backendgen.rules import Rulebook, Severity

LIMIT = 65_536
LANGUAGES = {"sql": "sql", "py": "python", "yaml": "yaml", "yml": "yaml", "json": "json", "toml": "toml"}
MARKS = {
    Severity.INFO: "⚪",
    Severity.LOW: "🔵",
    Severity.MEDIUM: "🟡",
    Severity.HIGH: "🟠",
    Severity.CRITICAL: "🔴",
}
_CODE = re.compile(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)", re.DOTALL)
_MARKUP = re.compile(r"([\\`*_\[\]<>&#~!$])")


def fitting(report: Report, page: Callable[[Sequence[Finding]], str]) -> str:
    """Return the page that shows as many findings as fit into LIMIT, worst first in question."""
    worst = outline.worst_first(report.findings)
    fits, too_many = 0, len(worst) + 1
    while too_many - fits > 1:  # the length grows with the number of findings
        middle = (fits + too_many) // 2
        if len(page(worst[:middle])) <= LIMIT:
            fits = middle
        else:
            too_many = middle
    whole = page(worst[:fits])
    return whole if len(whole) <= LIMIT else f"{whole[: LIMIT - 2]}…\n"


def left_out(report: Report, shown: Sequence[Finding]) -> Iterator[str]:
    """Say what a page does not show for want of room."""
    missing = len(report.findings) - len(shown)
    if missing:
        rest = outline.worst_first(report.findings)[len(shown) :]
        yield (
            f"**{outline.count(missing, 'finding')} not shown ({outline.grades(rest)}):** a comment holds "
            f"{LIMIT:,} characters. The other formats list all of them."
        )


def remarks(report: Report) -> Iterator[str]:
    """Say what could not run, what was skipped, and what a baseline has too much."""
    yield from (f"**Could not run:** {text(str(problem))}" for problem in report.failures)
    yield from (f"Skipped: {text(str(problem))}" for problem in report.skipped[:10])
    if len(report.skipped) > 10:
        yield f"Skipped: {outline.count(len(report.skipped) - 10, 'more file')}"
    yield from filter(None, [text(outline.stale(report))])


def finding(one: Finding, report: Report, rulebook: Rulebook) -> Iterator[str]:
    """Yield the blocks of a finding: its title, its message, its lines, its steps, and its fix folded away."""
    title = text(rulebook[one.rule_id].title)
    yield f"{MARKS[one.severity]} **{one.rule_id} {title}** ({one.severity.word}), line {one.location.line}"
    yield "  \n".join(text(line.strip()) for line in one.message.split("\n"))
    if one.source:
        yield fence(one.source, one.location.path)
    if one.steps:
        steps = (f"1. {code(f'{report.path_of(s.location.path)}:{s.location.line}')} {text(s.note)}" for s in one.steps)
        yield "\n".join(steps)
    if one.fix:
        lines = one.fix.split("\n")
        fix = fence(lines, one.location.path) if len(lines) > 1 else text(one.fix)
        yield f"<details><summary>Fix</summary>\n\n{fix}\n\n</details>"


def fence(lines: Sequence[str], path: str) -> str:
    """Return lines of a file as a block of code, whatever backticks they hold."""
    text = printable("\n".join(lines))
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    language = LANGUAGES.get(path.rpartition(".")[2], "")
    return f"{ticks}{language}\n{text}\n{ticks}"


def code(text: str) -> str:
    """Return text as a code span, whatever backticks it holds."""
    text = printable(text).replace("\n", " ")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def text(text: str) -> str:
    """Escape prose: code spans stay, all else is no markup and no mention."""
    parts, at = [], 0
    text = printable(text)
    for span in _CODE.finditer(text):
        parts += [_plain(text[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*parts, _plain(text[at:])])


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text).replace("@", "@\u2060")
