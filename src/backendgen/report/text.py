"""The report that people read: by file, each finding with its line of code, the way the data takes, and the fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from backendgen.findings.finding import Finding, Report
from backendgen.rules import Rulebook, Severity

COLOURS = {
    Severity.CRITICAL: "bright_red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "blue",
}


def render(report: Report, rulebook: Rulebook, *, colour: bool = False) -> str:
    """Render findings by file in order of their lines, then what was ignored, skipped or could not run, then a count."""
    parts: list[str] = []
    for path, findings in groupby(report.findings, key=lambda one: one.location.path):
        parts.append(_styled(path, colour, bold=True))
        parts.extend("\n".join(_finding(one, rulebook, colour)) for one in findings)
        parts.append("")
    parts.extend(f"could not run: {problem}" for problem in report.failures)
    parts.extend(f"skipped: {problem}" for problem in report.skipped)
    parts.append(_summary(report))
    return "\n".join(parts) + "\n"


def _finding(one: Finding, rulebook: Rulebook, colour: bool) -> Iterator[str]:
    place = f"{one.location.line}:{one.location.column}"
    severity = _styled(one.severity.word, colour, fg=COLOURS[one.severity])
    by = "" if one.engines == ("own",) else f"  (found by {', '.join(one.engines)})"
    yield f"  {place}  {severity}  {one.rule_id}  {rulebook[one.rule_id].title}{by}"
    if one.statement:
        yield f"      | {one.statement}"
    yield from _indented(one.message)
    for step in one.steps:
        yield f"      {step.location.path}:{step.location.line}  {step.note}"
    if "\n" in one.fix:
        yield "      fix:"
        yield from _indented(one.fix, by=8)
    elif one.fix:
        yield f"      fix: {one.fix}"


def _indented(text: str, by: int = 6) -> Iterable[str]:
    return (f"{' ' * by}{line}".rstrip() for line in text.splitlines())


def _summary(report: Report) -> str:
    checked = f"{_count(report.files, 'file')} checked"
    ignored = f", {len(report.ignored)} ignored with a reason" if report.ignored else ""
    if not report.findings:
        clean = "incomplete: something could not run" if report.failures else "no findings"
        return f"{clean}; {checked}{ignored}"
    grades = Counter(one.severity for one in report.findings)
    listed = ", ".join(f"{grades[grade]} {grade.word}" for grade in sorted(grades, reverse=True))
    return f"{_count(len(report.findings), 'finding')} ({listed}); {checked}{ignored}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _styled(text: str, colour: bool, **style: str | bool) -> str:
    if not colour:
        return text
    from typer import style as styled

    return styled(text, **style)  # type: ignore[arg-type]  # typer annotates each keyword on its own
