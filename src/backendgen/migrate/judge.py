"""Histories to a Report: replay each, judge each operation with the Schema before it, settle ignores, merge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from backendgen.config import Config
from backendgen.findings.finding import Finding, Hit, Report, finding
from backendgen.findings.settle import settle
from backendgen.migrate.checks.registry import CHECKS, Check
from backendgen.migrate.context import Context
from backendgen.migrate.history import Action, History, Migration
from backendgen.migrate.readers import read
from backendgen.rules import Rulebook
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema, has_no_effect
from backendgen.sql.schema import Constraint

ENGINE = "own"
NOT_UNDERSTOOD = "BG904"


def check(path: Path, config: Config, rulebook: Rulebook) -> Report:
    """Judge every migration at or beneath a path.

    Raises UserError when the path holds no migration, or none that can be read.
    """
    judged = frozenset(rulebook.select_ids("migrate", config.select, config.ignore))
    histories = read(path, config)
    found = [one for history in histories.histories for one in _judge(history, judged, rulebook, config)]
    found += [
        finding(rulebook[refusal.rule_id], Hit(refusal.location, refusal.message), ENGINE)
        for refusal in histories.refusals
        if refusal.rule_id in judged
    ]
    findings, ignored = settle(found, histories.sources, judged, rulebook, config)
    return Report(findings, ignored, histories.skipped, files=len(histories.sources))


def _judge(history: History, judged: frozenset[str], rulebook: Rulebook, config: Config) -> Iterator[Finding]:
    checks = [(rule_id, function) for rule_id, function in CHECKS.functions.items() if rule_id in judged]
    schema = Schema()
    unseen: dict[tuple[str, str], Constraint] = {}
    for migration in history.migrations:
        for rule_id, hit in _up(history, migration, schema, unseen, checks, config):
            yield finding(rulebook[rule_id], hit, ENGINE)
        if NOT_UNDERSTOOD in judged:
            actions = (*migration.up, *migration.down)
            hits = (one for action in actions for one in _not_understood(action))
            yield from (finding(rulebook[NOT_UNDERSTOOD], hit, ENGINE) for hit in hits)


def _up(
    history: History,
    migration: Migration,
    schema: Schema,
    unseen: dict[tuple[str, str], Constraint],
    checks: Sequence[tuple[str, Check]],
    config: Config,
) -> Iterator[tuple[str, Hit]]:
    """Judge the operations of one migration in order, each before the Schema moves over it."""
    if not migration.up:
        return
    context = Context(config.pg_version, history, migration, migration.up[0], unseen=unseen)
    for position, action in enumerate(migration.up):
        context.enter(action, position)
        for rule_id, function in () if has_no_effect(action.operation, schema) else checks:
            for hit in function(action.operation, schema, context):
                yield rule_id, hit
        context.advance(schema)
        schema.apply(action.operation)


def _not_understood(action: Action) -> Iterator[Hit]:
    if isinstance(action.operation, op.NotUnderstood):
        where = f" (line {action.operation.error_line})" if action.operation.error_line > action.operation.line else ""
        yield Hit(action.location, f"not understood, so not judged: {action.operation.reason}{where}")
