"""Baselines: what a project has already, so that a run reports what is new.

A baseline is JSON that people commit: sorted, one entry a line, paths relative to its own folder. An entry is a rule, a
path and a digest of the code in question, without line numbers: moves and changes of other lines keep it, and so does a
renamed file, as long as the old one is gone. One entry hides one finding. What could not be analysed (BG901) it never hides.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from backendgen import files
from backendgen.errors import Problem, UserError
from backendgen.findings.finding import Comparison, Finding, Known, Report

VERSION = 1
NEVER_HIDDEN = "BG901"
MAX_BYTES = 50_000_000


def load(path: Path) -> tuple[Known, ...]:
    """Return a baseline's entries. Raises UserError when it is missing, damaged, or of a version that is not known."""
    import json

    if not files.exists(path):
        raise UserError(Problem("no such file", str(path), hint="--write-baseline makes a baseline"))
    try:
        content = json.loads(files.read_text(path, MAX_BYTES))
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        hint = "write it anew with --write-baseline"
        raise UserError(Problem("is not JSON, so it is no baseline", str(path), line, hint=hint)) from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION:
        written = f"is a baseline of version {version}" if version is not None else "is no baseline: it has no version"
        raise UserError(Problem(f"{written}; this tool reads version {VERSION}", str(path)))
    entries = content.get("findings")
    known = [_known(entry) for entry in entries] if isinstance(entries, list) else [None]
    if None in known:
        expected = "`findings` is a list of entries with `path`, `rule` and `content`, all of them strings"
        raise UserError(Problem(f"is no baseline: {expected}", str(path)))
    return tuple(entry for entry in known if entry)


def _known(entry: Any) -> Known | None:
    if not isinstance(entry, dict):
        return None
    values = tuple(entry.get(key) for key in ("path", "rule", "content"))
    return Known(*values) if all(isinstance(value, str) for value in values) else None  # type: ignore[arg-type]


def dump(entries: Iterable[Known]) -> str:
    """Return a baseline's text: the same entries give the same text."""
    import json

    lines = ",\n".join(
        "    " + json.dumps({"path": one.path, "rule": one.rule_id, "content": one.content}, ensure_ascii=False)
        for one in sorted(entries)
    )
    listed = f"[\n{lines}\n  ]" if lines else "[]"
    return f'{{\n  "version": {VERSION},\n  "findings": {listed}\n}}\n'


def compare(
    findings: Iterable[Finding], baseline: Path, root: Path, read: Collection[str], judged: Collection[str]
) -> tuple[list[Finding], Comparison]:
    """Return the findings that are not in a baseline, and how the rest compares.

    `root` is the folder that findings' paths are relative to, `read` the files that were read, `judged` the rules that ran:
    an entry for another file or rule is beyond this run, not stale.
    """
    entries = load(baseline)
    open_ = Counter(entries)
    hidden: list[Finding] = []
    standing: list[Finding] = []
    for one in findings:
        entry = entry_of(one, baseline.parent, root)
        if one.rule_id != NEVER_HIDDEN and open_[entry] > 0:
            open_[entry] -= 1
            hidden.append(one)
        else:
            standing.append(one)
    seen = {_named(path, baseline.parent, root) for path in read}
    gone = {
        path for path in {one.path for one in open_} if path not in seen and not files.exists(baseline.parent / path)
    }
    standing, moved = _follow_renames(standing, open_, gone)
    left = [one for one, times in open_.items() for _ in range(times)]
    stale = [one for one in left if one.rule_id in judged and (one.path in seen or one.path in gone)]
    beyond = Counter(left)
    beyond.subtract(stale)
    return standing, Comparison(baseline, (*hidden, *moved), tuple(sorted(stale)), tuple(sorted(beyond.elements())))


def _follow_renames(
    findings: list[Finding], open_: Counter[Known], gone: Collection[str]
) -> tuple[list[Finding], list[Finding]]:
    """Let entries of files that are gone hide the same content elsewhere."""
    homeless: dict[tuple[str, str], list[Known]] = {}
    for entry, times in sorted(open_.items()):
        if entry.path in gone:
            homeless.setdefault((entry.rule_id, entry.content), []).extend([entry] * times)
    standing, moved = [], []
    for one in findings:
        candidates = homeless.get((one.rule_id, one.content)) if one.rule_id != NEVER_HIDDEN else None
        if candidates:
            open_[candidates.pop()] -= 1
            moved.append(one)
        else:
            standing.append(one)
    return standing, moved


def accept(report: Report, baseline: Path, root: Path) -> tuple[Report, tuple[Known, ...]]:
    """Take all that a report shows or knows into a baseline; return the report against it, and its entries.

    Entries that were beyond the run stay.
    """
    taken = [one for one in report.findings if one.rule_id != NEVER_HIDDEN]
    known = (*report.known, *taken)
    entries = [entry_of(one, baseline.parent, root) for one in known]
    if report.comparison:
        old = report.comparison.baseline.parent
        entries += [replace(one, path=_named(one.path, baseline.parent, old)) for one in report.comparison.beyond]
    left = tuple(one for one in report.findings if one.rule_id == NEVER_HIDDEN)
    return replace(report, findings=left, comparison=Comparison(baseline, known)), tuple(sorted(entries))


def entry_of(one: Finding, folder: Path, root: Path) -> Known:
    """Return the entry that stands for a finding in a baseline of `folder`."""
    return Known(_named(one.location.path, folder, root), one.rule_id, one.content)


def _named(path: str, folder: Path, root: Path) -> str:
    return os.path.relpath(root.absolute() / path, folder.absolute()).replace(os.sep, "/")
