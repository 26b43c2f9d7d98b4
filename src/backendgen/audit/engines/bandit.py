"""Bandit in this process, on the trees that are already parsed, with only the plugins that our cards name.

Bandit is imported only when a file mentions what a selected rule is about, and then visits only such files. Its visitor
writes attributes on the nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, NoReturn

from backendgen import witness
from backendgen.audit.engines.result import EngineResult
from backendgen.code.project import Hole, Project, SourceFile
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Hit, Location, finding
from backendgen.rules import Rule

NAME = "bandit"


def run(project: Project, rules: tuple[Rule, ...]) -> EngineResult:
    """Run the bandit tests of the rules over every file that mentions what they are about."""
    wanted = {test: rule for rule in rules if rule.detect.kind == "bandit" for test in rule.detect.tests}
    mentioned = [(file, frozenset(_mentioned(file, wanted.values()))) for file in project.files]
    if not any(named for _, named in mentioned):
        return EngineResult(NAME)
    try:
        manager, visitor = _manager(sorted(wanted))
    except ImportError as error:
        return EngineResult(NAME, failures=(Problem(f"bandit could not be loaded: {error}; reinstall backendgen"),))
    findings: list[Finding] = []
    holes: list[Hole] = []
    for file, named in mentioned:
        if not named:
            continue
        try:
            issues = _issues(file, manager, visitor)
        except RecursionError:
            holes.append(Hole(file.path, "nested too deeply for bandit"))
            continue
        except Exception as error:  # of whatever kind its plugins raise
            holes.append(Hole(file.path, f"bandit failed: {type(error).__name__}: {error}"))
            continue
        for issue in issues:
            rule = wanted[issue.test_id]
            if rule.id in named:
                findings.append(_finding(issue, rule, file))
    return EngineResult(NAME, tuple(findings), tuple(holes))


def _mentioned(file: SourceFile, rules: Iterable[Rule]) -> Iterator[str]:
    """The rules that a file can break: those of which it holds a word, and those that name no word."""
    for rule in rules:
        words = rule.detect.mentions
        if not words or any(word in file.text for word in words):
            yield rule.id


def _manager(tests: Iterable[str]) -> tuple[Any, Any]:
    import logging

    logging.getLogger("bandit").setLevel(logging.ERROR)
    import bandit
    from bandit.core.config import BanditConfig
    from bandit.core.manager import BanditManager
    from bandit.core.node_visitor import BanditNodeVisitor

    witness.depend(bandit.__file__)
    profile = {"include": list(tests), "exclude": []}
    return BanditManager(BanditConfig(), "file", profile=profile), BanditNodeVisitor


def _issues(file: SourceFile, manager: Any, visitor_type: Any) -> list[Any]:
    manager.metrics.begin(file.path)
    source = BytesIO(file.text.encode())
    visitor = visitor_type(file.path, source, manager.b_ma, manager.b_ts, False, {}, manager.metrics)
    visitor.tester.report_error = _raise_again  # it would go on, and nobody would know
    visitor.generic_visit(file.tree)
    visitor.context = {
        "file_data": source, "filename": file.path, "lineno": 1, "linerange": [1], "col_offset": 0,
    }  # fmt: skip
    visitor.tester.run_tests(visitor.context, "File")  # of the text: no node of the tree says it
    issues: list[Any] = visitor.tester.results
    return issues


def _raise_again(test: str, context: Any, error: Exception) -> NoReturn:
    raise error


def _finding(issue: Any, rule: Rule, file: SourceFile) -> Finding:
    lines = issue.linerange or [issue.lineno]
    place = Location(file.path, issue.lineno, issue.col_offset + 1, max(lines))
    statement = " ".join(file.lines[issue.lineno - 1].split())[:120] if issue.lineno <= len(file.lines) else ""
    symbol = file.symbol_at(issue.lineno)
    where = f" in {symbol}" if symbol else ""
    hit = Hit(place, f"{rule.title}{where}: `{statement}`", rule.fix.split("\n\n")[0].strip(), symbol)
    return finding(rule, hit, NAME)
