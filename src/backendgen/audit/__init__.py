"""`audit`: Project -> service model and data flow -> engines side by side -> merge -> Report. Nothing is imported or run."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backendgen.audit import remembered
from backendgen.audit.engines import bandit, own, semgrep
from backendgen.audit.engines.result import EngineResult
from backendgen.code import git
from backendgen.code.documents import Document, Kind
from backendgen.code.project import Project, SourceFile, is_test, load
from backendgen.config import Config
from backendgen.findings import changed
from backendgen.findings.finding import Coverage, Finding, Hit, Location, Report, finding
from backendgen.findings.settle import settle
from backendgen.rules import Rule, Rulebook

if TYPE_CHECKING:
    from backendgen.audit.fixes import Fixed
    from backendgen.audit.registry import Check
    from backendgen.rules import Checks

    CHECKS: Checks[Check]

HOLE = "BG901"
KINDS: Mapping[Kind, str] = {
    "openapi": "OpenAPI", "compose": "compose", "dockerfile": "Dockerfile", "requirements": "requirements",
    "manifest": "package manifest", "lock": "lock file", "env": "environment file", "commands": "start command",
    "template": "HTML template", "nginx": "nginx configuration", "workflow": "GitHub workflow",
}  # fmt: skip
MAX_RECURSION = 30_000  # Python's parser stops near 3,000 levels; a visitor takes a few frames for each

Progress = Callable[[str], None]


def audit(
    path: Path,
    config: Config,
    rulebook: Rulebook,
    progress: Progress | None = None,
    *,
    since: str | None = None,
    jobs: int = 1,
) -> Report:
    """Audit a directory or one file with the rules that the configuration selects.

    So many processes share the work. `since` is a git revision: only findings on lines that differ from it are reported.
    An engine that could not run is in the report's `failures`; a file that could not be analysed is a finding. Raises
    UserError when the path does not exist, holds nothing to audit, or the configuration names unknown rules.
    """
    rules = rulebook.select("audit", config.select, config.ignore)
    lines = _changed_since(since, path) if since else None
    with unhindered():
        project = load(path, config.exclude, progress)
        results = _results(project, rules, config, _judges(rules, rulebook), progress, jobs)
    report = _report(project, rules, config, rulebook, results)
    return report if lines is None else changed.since(report, lines)


def _results(
    project: Project,
    rules: tuple[Rule, ...],
    config: Config,
    judges: tuple[Rule, ...],
    progress: Progress | None,
    jobs: int,
) -> list[EngineResult]:
    """Run the engines one after the other: each shares the cores itself."""
    judged = project.without_tests()
    patterns = remembered.run(semgrep.NAME, semgrep.run, Document, judged, rules)
    ours = own.run(project, rules, config, judges, progress, jobs)
    return [ours, remembered.run(bandit.NAME, bandit.run, SourceFile, judged, rules), patterns]


def _changed_since(revision: str, path: Path) -> dict[str, frozenset[int] | None]:
    """The lines that differ from a revision, by the file's path beneath the scanned root."""
    root = (path if path.is_dir() else path.parent).resolve()
    lines = git.base(path, revision).lines(path)
    return {file.relative_to(root).as_posix(): found for file, found in lines.items() if file.is_relative_to(root)}


def fix(
    path: Path,
    config: Config,
    rulebook: Rulebook,
    progress: Progress | None = None,
    *,
    since: str | None = None,
    jobs: int = 1,
) -> Fixed:
    """Audit, and plan the changes that take findings away where a tool can make them by itself. Nothing is written."""
    from backendgen.audit import fixes

    report = audit(path, config, rulebook, progress, since=since, jobs=jobs)
    with unhindered():
        return fixes.fix(path, config, report, progress)


def _judges(rules: tuple[Rule, ...], rulebook: Rulebook) -> tuple[Rule, ...]:
    """The flow rules that know better than the weaker rules that are selected."""
    chosen = {rule.id for rule in rules if rule.detect.kind != "flow"}
    return tuple(
        rule for rule in rulebook.select("audit") if rule.detect.kind == "flow" and chosen.intersection(rule.supersedes)
    )


def _report(
    project: Project, rules: tuple[Rule, ...], config: Config, rulebook: Rulebook, results: list[EngineResult]
) -> Report:
    chosen = {rule.id for rule in rules}
    cleared = frozenset[tuple[str, str, int]]().union(*(result.cleared for result in results))
    found = [one for result in results for one in result.findings if _stands(one, result, cleared)]
    found += [hole for hole in _holes(project, results, rulebook) if hole.rule_id in chosen]
    texts = {file.path: file.text for file in project.files} | {one.path: one.text for one in project.documents}
    failures = tuple(problem for result in results for problem in result.failures)
    settled = settle(found, texts, chosen, rulebook, config, project.root)
    coverage = _coverage(project, rules, results)
    return replace(settled, skipped=project.skipped, failures=failures, files=len(texts), coverage=coverage)


def _coverage(project: Project, rules: tuple[Rule, ...], results: list[EngineResult]) -> Coverage:
    kinds = Counter(KINDS[one.kind] for one in project.documents)
    python = [("Python", len(project.files))] if project.files else []
    surfaces = tuple(one for result in results for one in result.surfaces)
    asked = {rule.detect.kind if rule.detect.kind in ("bandit", "semgrep") else own.NAME for rule in rules}
    engines = tuple(result.engine for result in results if result.engine in asked and not result.failures)
    return Coverage(tuple(rule.id for rule in rules), engines, (*python, *sorted(kinds.items())), surfaces)


def _stands(one: Finding, result: EngineResult, cleared: frozenset[tuple[str, str, int]]) -> bool:
    """Tests are not judged. Our own engine is the judge: what it proves harmless, no other engine's pattern brings back."""
    if is_test(one.location.path):
        return False
    return result.engine == "own" or (one.rule_id, one.location.path, one.location.line) not in cleared


def _holes(project: Project, results: list[EngineResult], rulebook: Rulebook) -> Iterator[Finding]:
    holes = [*project.holes, *(hole for result in results for hole in result.holes)]
    for hole in dict.fromkeys(holes):
        how = "was analysed only in part" if hole.partly else "was not analysed"
        hit = Hit(Location(hole.path, hole.line, hole.column), f"{hole.path} {how}: {hole.message}")
        yield finding(rulebook[HOLE], hit, "own")


@contextmanager
def unhindered() -> Iterator[None]:
    """Let visitors follow deeply nested code as far as Python's own parser does, and do not search trees for garbage.

    Syntax trees are millions of objects that all stay: the collector would go through them again and again (half the time).
    """
    before, collects = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(before, MAX_RECURSION))
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
        if collects:
            gc.enable()


def __getattr__(name: str) -> Any:
    """`CHECKS`: the registry with every check in it, loaded when it is asked for."""
    if name == "CHECKS":
        from backendgen.audit.checks import check

        return check
    raise AttributeError(name)


__all__ = ["CHECKS", "audit", "fix"]
