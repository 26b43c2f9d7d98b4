"""The report that people read: by file, each finding with its line of code, the way the data takes, and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backendgen.findings.finding import Finding, Report
from backendgen.report import outline, trace
from backendgen.report.excerpt import excerpt, printable, printable_path
from backendgen.rules import Rulebook, Severity

COLOURS = {
    Severity.CRITICAL: "bright_red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "blue",
}


def render(report: Report, rulebook: Rulebook, *, colour: bool = False) -> str:
    """Render findings by file, the worst files first, then what could not run or was skipped, then a count."""
    parts: list[str] = []
    for path, findings in outline.by_file(report.findings):
        parts.append(_styled(printable_path(report.path_of(path)), colour, bold=True))
        place = None
        for one in findings:
            parts.extend(_finding(one, report, rulebook, colour, again=one.location == place))
            place = one.location
        parts.append("")
    if report.trace:
        parts.extend(printable(line) for line in trace.lines(report.trace))
    parts.extend(f"read: {printable(name)}" for name in report.histories)
    parts.extend(f"could not run: {printable(str(problem))}" for problem in report.failures)
    parts.extend(f"skipped: {printable(str(problem))}" for problem in report.skipped)
    parts.extend(filter(None, [outline.stale(report)]))
    parts.append(outline.summary(report))
    return "\n".join(parts) + "\n"


def _finding(one: Finding, report: Report, rulebook: Rulebook, colour: bool, *, again: bool) -> Iterator[str]:
    """Yield a finding's lines; its source only when the finding before it is not about the same (`again`)."""
    place = f"{one.location.line}:{one.location.column}"
    severity = _styled(one.severity.word, colour, fg=COLOURS[one.severity])
    by = "" if one.engines == ("own",) else f"  (found by {', '.join(one.engines)})"
    yield f"  {place}  {severity}  {one.rule_id}  {rulebook[one.rule_id].title}{by}"
    yield from () if again else (f"      {line}" for line in excerpt(one))
    yield from _indented(printable(one.message))
    for step in one.steps:
        yield f"      {printable_path(report.path_of(step.location.path))}:{step.location.line}  {printable(step.note)}"
        if step.code and step.location != one.location:
            yield f"        | {printable(step.code)}"
    if "\n" in one.fix:
        yield "      fix:"
        yield from _indented(printable(one.fix), by=8)
    elif one.fix:
        yield f"      fix: {printable(one.fix)}"


def _indented(text: str, by: int = 6) -> Iterable[str]:
    return (f"{' ' * by}{line}".rstrip() for line in text.split("\n"))


def _styled(text: str, colour: bool, **style: str | bool) -> str:
    if not colour:
        return text
    from typer import style as styled

    return styled(text, **style)  # type: ignore[arg-type]  # typer annotates each keyword on its own
