"""Our own engine, the judge of the others: checks over the service model, and data flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

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
    from backendgen.audit.flow.rules import analyse

    context = describe(project, config)
    findings: list[Finding] = []
    for rule in rules:
        if rule.detect.kind == "python":
            findings.extend(finding(rule, hit, NAME) for hit in check.functions[rule.id](context))
    if progress:
        progress("following data from requests")
    chosen = tuple(rule for rule in rules if rule.detect.kind == "flow")
    flow = analyse(context, chosen + tuple(rule for rule in judges if rule not in chosen))
    findings = [one for one in findings if (one.rule_id, one.location.path, one.location.line) not in flow.cleared]
    findings.extend(finding(rule, hit, NAME) for rule, hit in flow.hits if rule in chosen)
    surfaces = _surfaces(context.service)
    return EngineResult(NAME, tuple(findings), context.configuration.holes, cleared=flow.cleared, surfaces=surfaces)


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
