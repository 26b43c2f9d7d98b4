"""Our own engine, the judge of the others: checks over the service model, and data flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from backendgen import workers
from backendgen.audit.callees import Callees
from backendgen.audit.engines.result import EngineResult
from backendgen.audit.frameworks.aiohttp import Aiohttp
from backendgen.audit.frameworks.connexion import Connexion
from backendgen.audit.frameworks.django import Django
from backendgen.audit.frameworks.fastapi import FastAPI
from backendgen.audit.frameworks.flask import Flask
from backendgen.audit.frameworks.graphql import GraphQL
from backendgen.audit.properties import Facts
from backendgen.audit.registry import Context
from backendgen.audit.service import Service
from backendgen.code.configuration import Configuration
from backendgen.code.index import Index
from backendgen.code.project import Hole, Project, is_test
from backendgen.code.symbols import Symbols
from backendgen.config import Config
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Surface, finding
from backendgen.rules import Rule

NAME = "own"
FLOW = "flow"  # stands for all rules that follow data
Line: TypeAlias = tuple[str, str, int]  # a rule, a file and a line of it
OF_ENDPOINTS = ("BG3", "BG56")  # rules that share what is known of endpoints, for which each of them is followed
AT_ONCE = 30  # other rules that are judged together
WORTHWHILE = 60  # files: with fewer, a copy of this process takes longer than it saves
FRAMEWORKS = (FastAPI, Flask, Django, GraphQL, Aiohttp)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a part of the rules finds, and why one could not be judged: plain data, for another process may send it."""

    findings: Mapping[str, tuple[Finding, ...]]
    failures: Mapping[str, Problem]
    holes: tuple[Hole, ...] = ()
    cleared: frozenset[Line] = frozenset()


@dataclass(frozen=True, slots=True)
class _Part:
    """Rules that are judged together, and how long that takes beside others."""

    work: Callable[[], _Found]
    weight: int


def run(
    project: Project,
    rules: tuple[Rule, ...],
    config: Config,
    judges: tuple[Rule, ...] = (),
    progress: Callable[[str], None] | None = None,
    jobs: int = 1,
) -> EngineResult:
    """Run our checks and flow rules. `judges` are flow rules that clear lines for other rules, and report nothing.

    So many processes share the work, once the service's model is built.
    """
    try:
        context = describe(project, config)
    except Exception as error:
        return EngineResult(NAME, failures=(_failure("the service's model could not be built", error),))
    if progress:
        progress("judging, and following data from requests")
    parts = list(_parts(context, rules, judges))
    jobs = jobs if len(project.files) >= WORTHWHILE else 1
    results = workers.shared(lambda part: part.work(), parts, [part.weight for part in parts], jobs)
    return _joined(results, rules, _surfaces(context.service))


def _parts(context: Context, rules: tuple[Rule, ...], judges: tuple[Rule, ...]) -> Iterator[_Part]:
    """Cut the rules into parts that need little of each other: where a rule is makes no difference but to the time."""
    checks = [rule for rule in rules if rule.detect.kind == "python"]
    of_endpoints = [rule for rule in checks if rule.id.startswith(OF_ENDPOINTS)]
    others = [rule for rule in checks if rule not in of_endpoints]
    flows = tuple(rule for rule in rules if rule.detect.kind == "flow")
    yield _Part(partial(_checked, context, of_endpoints), 3)
    yield _Part(partial(_followed, context, flows, judges), 2)
    for start in range(0, len(others), AT_ONCE):
        yield _Part(partial(_checked, context, others[start : start + AT_ONCE]), 1)


def _checked(context: Context, rules: list[Rule]) -> _Found:
    from backendgen.audit.checks import check

    findings: dict[str, tuple[Finding, ...]] = {}
    failures: dict[str, Problem] = {}
    for rule in rules:
        try:
            findings[rule.id] = tuple([finding(rule, hit, NAME) for hit in check.functions[rule.id](context)])
        except Exception as error:
            failures[rule.id] = _failure(f"{rule.id} could not be judged", error)
    return _Found(findings, failures, _holes(context))


def _holes(context: Context) -> tuple[Hole, ...]:
    """What could not be read when it was asked for, and what was followed up to a bound only."""
    return (*context.configuration.holes, *context.symbols.unfinished.values())


def _followed(context: Context, rules: tuple[Rule, ...], judges: tuple[Rule, ...]) -> _Found:
    from backendgen.audit.flow.rules import analyse

    try:
        chosen = rules + tuple(rule for rule in judges if rule not in rules)
        flow = analyse(context.symbols, context.service, chosen, context.project.documents)
    except Exception as error:
        return _Found({}, {FLOW: _failure("data could not be followed", error)})
    found = tuple(finding(rule, hit, NAME) for rule, hit in flow.hits if rule in rules)
    return _Found({FLOW: found}, {}, _holes(context), flow.cleared)


def _joined(results: list[_Found], rules: tuple[Rule, ...], surfaces: tuple[Surface, ...]) -> EngineResult:
    """What all parts found, as if one process had judged rule by rule, and followed data at the end."""
    cleared = frozenset[Line]().union(*(one.cleared for one in results))
    findings = {rule_id: found for one in results for rule_id, found in one.findings.items()}
    failures = {rule_id: problem for one in results for rule_id, problem in one.failures.items()}
    holes = {hole.path: hole for one in results for hole in one.holes}
    order = [*(rule.id for rule in rules if rule.detect.kind == "python"), FLOW]
    return EngineResult(
        NAME,
        tuple(
            one
            for each in order
            for one in findings.get(each, ())
            if each == FLOW or (one.rule_id, one.location.path, one.location.line) not in cleared
        ),
        tuple(holes[path] for path in sorted(holes)),
        tuple(failures[each] for each in order if each in failures),
        cleared,
        surfaces,
    )


def _failure(what: str, error: Exception) -> Problem:
    """A mistake of ours ends no run: all else is still reported, and the exit code says that something did not run."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = f" at {Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at is not None else ""
    return Problem(f"{what} ({type(error).__name__}{place}): this is a mistake in backendgen, please report it")


def _surfaces(service: Service) -> tuple[Surface, ...]:
    counted = Counter(one.framework for one in service.endpoints)
    guarded = Counter(one.framework for one in service.endpoints if one.is_authenticated)
    return tuple(Surface(name, number, guarded[name]) for name, number in sorted(counted.items()))


def describe(project: Project, config: Config) -> Context:
    """Build what checks look at: the names and the service model of a project."""
    symbols = Symbols(project)
    configuration = Configuration(project.documents, symbols)
    endpoints = [one for framework in FRAMEWORKS for one in framework(symbols).endpoints()]
    endpoints += Connexion(symbols, configuration).endpoints()
    service = Service(tuple(one for one in endpoints if not is_test(one.location.path)))
    facts = Facts(symbols, service)
    callees = Callees(symbols, facts.tracer.types)
    return Context(project, symbols, Index(symbols), service, config, configuration, facts, callees)
