"""What came since a revision: findings on lines that changed, or whose data comes over such lines.

One scan, of the present: the lines that differ decide, not a second scan of the past. A finding whose own lines are old, but
which a change elsewhere brought about, is not among them; a baseline has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from backendgen.findings.finding import Finding, Location, Report

NEVER_LEFT_OUT = "BG901"  # nothing is known about a file that could not be analysed


def since(report: Report, lines: Mapping[str, Collection[int] | None]) -> Report:
    """Return a report of the findings that touch changed lines, and how many others there are.

    `lines` are those that differ, by path beneath the scanned root; None for a file of which all lines are new.
    """
    kept = tuple(one for one in report.findings if one.rule_id == NEVER_LEFT_OUT or _touches(one, lines))
    return replace(report, findings=kept, elsewhere=len(report.findings) - len(kept))


def _touches(one: Finding, lines: Mapping[str, Collection[int] | None]) -> bool:
    return any(_changed(place, lines) for place in (one.location, *(step.location for step in one.steps)))


def _changed(place: Location, lines: Mapping[str, Collection[int] | None]) -> bool:
    if place.path not in lines:
        return False
    changed = lines[place.path]
    return changed is None or any(line in changed for line in range(place.line, max(place.line, place.end_line) + 1))
