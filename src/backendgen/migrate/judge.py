"""Histories to a Report: replay each, judge each operation with the Schema before it, settle ignores, merge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backendgen import files
from backendgen.config import Config
from backendgen.findings.finding import Finding, Hit, Report, finding
from backendgen.findings.settle import settle
from backendgen.migrate.checks.registry import CHECKS, DOWN_CHECKS, ONCE, Check, Concerned, serves
from backendgen.migrate.checks.running_code import graded
from backendgen.migrate.context import Deploy, follow, walk
from backendgen.migrate.history import Action, Histories, History, Migration, Refusal
from backendgen.migrate.pending import EVERYTHING, Pending, Selection, select
from backendgen.migrate.readers import find
from backendgen.migrate.readers.reading import Progress
from backendgen.migrate.rollback import joined, roll_back, series
from backendgen.migrate.sharing import pays, shared
from backendgen.migrate.sizes import Size, unsized, weigh
from backendgen.rules import Rulebook
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema, has_no_effect

if TYPE_CHECKING:
    from backendgen.migrate.running import RunningCode

ENGINE = "own"
NOT_UNDERSTOOD = "BG904"


def check(
    path: Path,
    config: Config,
    rulebook: Rulebook,
    pending: Pending = EVERYTHING,
    sizes: Mapping[str, Size] | None = None,
    progress: Progress | None = None,
    jobs: int = 1,
) -> Report:
    """Judge the pending migrations at or beneath a path; the others are only replayed. `sizes` of tables change grades.

    `progress` is told now and then what is under way. Up to so many `jobs` share the histories where that pays.

    Raises UserError when the path holds no migration, or none that can be read, or when `pending` names what is not there.
    """
    judged = frozenset(rulebook.select_ids("migrate", config.select, config.ignore))
    found = find(path, config, progress)
    # What is pending, and which code is concerned, is told from all histories together.
    if pending == EVERYTHING and config.code is None and pays(found, jobs):
        selection, running = Selection(None), None
        judge = partial(_judged, selection=selection, judged=judged, rulebook=rulebook, config=config, running=None)
        outcomes, histories = shared(found, judge, jobs)
    else:
        histories = found.read()
        selection = select(histories, pending)
        running = _running(histories, selection, config)
        outcomes = []
        for history in histories.histories:
            if progress:
                progress(f"replaying {_named(history)}")
            outcomes.append(_judged(history, selection, judged, rulebook, config, running))
    findings = [one for outcome in outcomes for one in outcome.findings]
    unknown = unsized(findings, sizes, {outcome.dialect for outcome in outcomes}) if sizes is not None else ()
    if sizes:
        findings = [weigh(one, sizes) for one in findings]
    refusals = (*histories.refusals, *selection.refusals)
    findings += [
        finding(rulebook[refusal.rule_id], Hit(refusal.location, refusal.message), ENGINE)
        for refusal in refusals
        if refusal.rule_id in judged
    ]
    sources = _judged_sources(histories, selection, refusals)
    settled = settle(findings, sources, judged, rulebook, config, path if files.is_folder(path) else path.parent)
    skipped = (*histories.skipped, *(running.skipped if running else ()), *unknown)
    named = tuple(outcome.name for outcome in outcomes) if len(outcomes) > 1 else ()
    return replace(settled, skipped=skipped, files=len(sources), histories=named)


class Outcome(NamedTuple):
    """What is found in one history: how reports name it, its database, how many migrations it has."""

    name: str
    dialect: str
    migrations: int
    findings: list[Finding]


def _judged(
    history: History,
    selection: Selection,
    judged: frozenset[str],
    rulebook: Rulebook,
    config: Config,
    running: RunningCode | None,
) -> Outcome:
    findings = list(_judge(history, selection, judged, rulebook, config, running))
    return Outcome(_named(history), history.dialect, len(history.migrations), findings)


def _running(histories: Histories, selection: Selection, config: Config) -> RunningCode | None:
    if config.code is None:
        return None
    from backendgen.migrate.running import search  # few runs search code

    return search(histories, selection, config, config.code)


def _named(history: History) -> str:
    """Return a history as reports name it: `db/migrations (goose, 12 migrations)`."""
    tools = ", ".join(dict.fromkeys(migration.tool for migration in history.migrations))
    number = len(history.migrations)
    return f"{history.name} ({tools}, {number} {'migration' if number == 1 else 'migrations'})"


def _judged_sources(histories: Histories, selection: Selection, refusals: Sequence[Refusal]) -> dict[str, str]:
    """The texts in which findings, and ignores of them, may be."""
    if selection.chosen is None:
        return dict(histories.sources)
    paths = {
        path
        for history in histories.histories
        for position, migration in enumerate(history.migrations)
        if selection.has(history, position)
        for path in migration.files
    }
    paths.update(refusal.location.path for refusal in refusals)
    return {path: text for path, text in histories.sources.items() if path in paths}


def _judge(
    history: History,
    selection: Selection,
    judged: frozenset[str],
    rulebook: Rulebook,
    config: Config,
    running: RunningCode | None,
) -> Iterator[Finding]:
    judged = frozenset(rule_id for rule_id in judged if serves(rule_id, history.dialect))
    asked = Concerned((rule_id, function) for rule_id, function in CHECKS.functions.items() if rule_id in judged)
    down_checks = [(rule_id, function) for rule_id, function in DOWN_CHECKS.functions.items() if rule_id in judged]
    schema = Schema(dialect=history.dialect)
    deploy = Deploy()
    before, parts = schema, list[Migration]()
    for position, migration in enumerate(history.migrations):
        if not selection.has(history, position):
            follow(history, migration, schema, deploy, config.pg_version)
            continue
        if not parts:
            before = schema.copy() if down_checks and (migration.down or series(migration)) else schema
        parts.append(migration)
        if selection.chosen is None:
            deploy = Deploy(unseen=deploy.unseen)
        for rule_id, hit in _up(history, migration, schema, deploy, asked, config, running):
            yield finding(rulebook[rule_id], hit, ENGINE)
        if not (_goes_on(history, position) and selection.has(history, position + 1)):
            rollback = roll_back(history, joined(parts) if len(parts) > 1 else migration, before, schema)
            parts.clear()
            for rule_id, function in down_checks:
                yield from (finding(rulebook[rule_id], hit, ENGINE) for hit in function(rollback))
        if NOT_UNDERSTOOD in judged:
            yield from (finding(rulebook[NOT_UNDERSTOOD], hit, ENGINE) for hit in _not_understood(migration))


def _goes_on(history: History, position: int) -> bool:
    """Whether the next migration is another part of the same change."""
    following = history.migrations[position + 1 : position + 2]
    return any(series(each) and series(each) == series(history.migrations[position]) for each in following)


def _up(
    history: History,
    migration: Migration,
    schema: Schema,
    deploy: Deploy,
    asked: Concerned,
    config: Config,
    running: RunningCode | None,
) -> Iterator[tuple[str, Hit]]:
    """Judge the operations of one migration in order, each before the Schema moves over it."""
    silent: set[Check] = set()
    for context in walk(history, migration, schema, deploy, config.pg_version, running):
        operation = context.action.operation
        if has_no_effect(operation, schema):
            continue
        for rule_id, function in asked[type(operation)]:
            if function in silent:
                continue
            for hit in function(operation, schema, context):
                weighed = graded(rule_id, hit, operation, schema, context)
                if context.action.routine:
                    weighed = replace(weighed, message=_within(context.action, weighed.message))
                yield rule_id, weighed
                if function in ONCE:
                    silent.add(function)
                    break


def _not_understood(migration: Migration) -> Iterator[Hit]:
    """Yield what was not understood; of a routine that is called several times, once in each direction."""
    for actions in (migration.up, migration.down):
        said: set[tuple[str, str]] = set()
        for action in actions:
            operation = action.operation
            if not isinstance(operation, op.NotUnderstood) or (action.routine, operation.reason) in said:
                continue
            if action.routine:
                said.add((action.routine, operation.reason))
            where = f" (line {operation.error_line})" if operation.error_line > operation.line else ""
            message = f"not understood, so not judged: {operation.reason}{where}"
            yield Hit(action.location, _within(action, message))


def _within(action: Action, message: str) -> str:
    return f"in {action.routine}(): {message}" if action.routine else message
