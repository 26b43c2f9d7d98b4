"""What every report for people says in the same order and the same words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from backendgen.findings.finding import Finding, Report


def by_file(findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """Group findings by file: the files with the worst findings first, inside a file by line,
    in one place the worst finding first."""
    files: dict[str, list[Finding]] = {}
    for one in findings:
        files.setdefault(one.location.path, []).append(one)
    for group in files.values():
        group.sort(key=lambda one: (one.location, -one.severity, one.rule_id))
    return sorted(files.items(), key=lambda file: (-max(one.severity for one in file[1]), file[0]))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings by severity, then by confidence, then by place."""
    return sorted(findings, key=lambda one: (-one.severity, -one.confidence, one.location, one.rule_id))


def summary(report: Report) -> str:
    """Say in one line what was found, checked, ignored and known."""
    parts = [f"{count(report.files, 'file')} checked"]
    by = Counter(one.by for one in report.ignored)
    parts += [f"{by[tool]:,} ignored {f'by {tool}' if tool else 'with a reason'}" for tool in sorted(by)]
    if report.known:
        parts.append(f"{len(report.known):,} in the baseline")
    if report.elsewhere:
        parts.append(f"{report.elsewhere:,} on lines that did not change")
    rest = ", ".join(parts)
    is_part = report.comparison is not None or report.elsewhere is not None
    if not report.findings:
        clean = "no new findings" if is_part else "no findings"
        return f"{'incomplete: something could not run' if report.failures else clean}; {rest}"
    new = "new " if is_part else ""
    return f"{count(len(report.findings), f'{new}finding')} ({grades(report.findings)}); {rest}"


def grades(findings: Iterable[Finding]) -> str:
    """Count findings by severity, the worst first: `1 critical, 2 high`."""
    counted = Counter(one.severity for one in findings)
    return ", ".join(f"{counted[grade]:,} {grade.word}" for grade in sorted(counted, reverse=True))


def stale(report: Report) -> str:
    """Say which entries of the baseline hide nothing any more; nothing when there are none."""
    comparison = report.comparison
    if not comparison or not comparison.stale:
        return ""
    number = len(comparison.stale)
    named = [f"{one.rule_id} in {one.path}" for one in dict.fromkeys(comparison.stale)]
    listed = ", ".join(named[:3]) + (" ..." if len(named) > 3 else "")
    hide = "entry hides" if number == 1 else "entries hide"
    return f"{comparison.baseline.name}: {number:,} {hide} nothing any more ({listed}); --write-baseline takes them out"


def count(number: int, noun: str) -> str:
    """Return `1 file` or `1,200 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
