"""Our own engine, the judge of the others: checks over the service model, and data flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

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
from backendgen.code.project import Project, is_test
from backendgen.code.symbols import Symbols
from backendgen.config import Config
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Surface, finding
from backendgen.rules import Rule

NAME = "own"
FRAMEWORKS = (FastAPI, Flask, Django, GraphQL, Aiohttp)


def run(
    project: Project,
    rules: tuple[Rule, ...],
    config: Config,
    judges: tuple[Rule, ...] = (),
    progress: Callable[[str], None] | None = None,
) -> EngineResult:
    """Run our checks and flow rules. `judges` are flow rules that clear lines for other rules, and report nothing."""
    from backendgen.audit.checks import check
    from backendgen.audit.flow.rules import Analysis, analyse

    try:
        context = describe(project, config)
    except Exception as error:
        return EngineResult(NAME, failures=(_failure("the service's model could not be built", error),))
    findings: list[Finding] = []
    failures: list[Problem] = []
    for rule in rules:
        if rule.detect.kind == "python":
            try:
                findings.extend([finding(rule, hit, NAME) for hit in check.functions[rule.id](context)])
            except Exception as error:
                failures.append(_failure(f"{rule.id} could not be judged", error))
    if progress:
        progress("following data from requests")
    chosen = tuple(rule for rule in rules if rule.detect.kind == "flow")
    try:
        flow = analyse(context, chosen + tuple(rule for rule in judges if rule not in chosen))
    except Exception as error:
        flow = Analysis()
        failures.append(_failure("data could not be followed", error))
    findings = [one for one in findings if (one.rule_id, one.location.path, one.location.line) not in flow.cleared]
    findings.extend(finding(rule, hit, NAME) for rule, hit in flow.hits if rule in chosen)
    surfaces = _surfaces(context.service)
    holes = context.configuration.holes
    return EngineResult(NAME, tuple(findings), holes, tuple(failures), flow.cleared, surfaces)


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
