"""Findings to routes, and routes to a folder of migrations with a README that says when each may run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from backendgen.config import Config
from backendgen.errors import Problem
from backendgen.files import File
from backendgen.findings.remedy import Remedy, Stage
from backendgen.migrate.context import Context, Deploy, follow, walk
from backendgen.migrate.history import Action, Histories, History, Migration
from backendgen.migrate.judge import check
from backendgen.migrate.pending import EVERYTHING, Pending, Selection, select
from backendgen.migrate.plan.columns import (
    changed_type,
    dropped_column,
    renamed_column,
    required_column,
    valued_column,
)
from backendgen.migrate.plan.readme import readme
from backendgen.migrate.plan.route import Route, Unplannable
from backendgen.migrate.plan.tables import changed_rows, dropped_table, renamed_table
from backendgen.migrate.plan.write import Written, modules, revisions, scripts
from backendgen.migrate.readers import read
from backendgen.migrate.rewrite.files import unplanned as unwritable
from backendgen.migrate.rewrite.fix import uncommitted
from backendgen.migrate.rewrite.naming import Folder, script_of
from backendgen.migrate.rewrite.pieces import Unfixable
from backendgen.migrate.rewrite.revisions import rewrite as rewrite_revision
from backendgen.migrate.rewrite.scripts import Source
from backendgen.migrate.rewrite.tools import rewriter_of
from backendgen.rules import Rulebook
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

Planner: TypeAlias = Callable[[Any, Schema, Context], Route]
_PLANNERS: Mapping[tuple[str, type[op.Operation]], Planner] = {
    ("BG708", op.AlterColumnType): changed_type,
    ("BG709", op.AddColumn): valued_column,
    ("BG801", op.DropTable): dropped_table,
    ("BG802", op.DropColumn): dropped_column,
    ("BG803", op.RenameColumn): renamed_column,
    ("BG803", op.RenameTable): renamed_table,
    ("BG804", op.AddColumn): required_column,
    ("BG805", op.ChangeRows): changed_rows,
    ("BG806", op.ChangeRows): changed_rows,
}


_MADE = re.compile(r"(?:INDEX CONCURRENTLY|ADD CONSTRAINT|CREATE FUNCTION) ([^\s(]+)(?![^;]* USING INDEX)")


@dataclass(frozen=True, slots=True)
class Plan:
    """The files of the plan, relative to its folder; what could not be planned, and why.

    `waves` are the new migrations by the number of releases that they wait for.
    """

    files: tuple[File, ...]
    waves: tuple[tuple[str, ...], ...] = ()
    unplanned: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A route, and the operation whose place it takes."""

    route: Route
    migration: Migration
    position: int
    action: Action


@dataclass(slots=True)
class Planning:
    """What is planned of one history."""

    history: History
    planned: list[Planned] = field(default_factory=list)


def plan(
    path: Path, config: Config, rulebook: Rulebook, pending: Pending = EVERYTHING, *, everything: bool = False
) -> Plan:
    """Plan every pending change that one deploy cannot make safely. Nothing is written.

    Raises UserError when nothing says which migrations are pending.
    """
    histories = read(path, config)
    chosen = pending if pending != EVERYTHING or everything else uncommitted(histories)
    selection = select(histories, chosen)
    found = {
        (one.location.path, one.location.line, one.location.column, one.rule_id)
        for one in check(path, config, rulebook, chosen).findings
    }
    unplanned: list[Problem] = []
    plannings = [_planned(history, selection, found, config.pg_version, unplanned) for history in histories.histories]
    plannings = [one for one in plannings if one.planned]
    files: dict[str, str] = {}
    written: list[Written] = []
    waves: list[tuple[str, ...]] = []
    for planning in plannings:
        folder = f"{planning.history.name.replace('/', '_')}/" if len(plannings) > 1 else ""
        done = _written(histories, planning, unplanned)
        written.append(done)
        files |= {f"{folder}{name}": text for name, text in done.files.items()}
        for _, phase, name in done.migrations:
            waves += [()] * (phase.wave + 1 - len(waves))
            waves[phase.wave] += (f"{folder}{name}",)
    if written:
        files["README.md"] = readme(written, [one.planned for one in plannings])
    every = tuple(File(name, text.encode()) for name, text in sorted(files.items()))
    return Plan(every, tuple(waves), tuple(unplanned))


def _planned(
    history: History,
    selection: Selection,
    found: set[tuple[str, int, int, str]],
    pg_version: int,
    unplanned: list[Problem],
) -> Planning:
    """Replay the history and ask the planner of each finding for a route, with the Schema before the operation."""
    schema, deploy, planning = Schema(), Deploy(), Planning(history)
    pending = [one for at, one in enumerate(history.migrations) if selection.has(history, at)]
    for position, migration in enumerate(history.migrations):
        if not selection.has(history, position):
            follow(history, migration, schema, deploy, pg_version)
            continue
        for context in walk(history, migration, schema, deploy, pg_version):
            action = context.action
            place = (action.path, action.location.line, action.location.column)
            rules = [rule for rule, kind in _PLANNERS if isinstance(action.operation, kind) and (*place, rule) in found]
            if not rules:
                continue
            try:
                if reason := unwritable(history, migration):
                    raise Unplannable(reason)
                route = _route(rules[0], schema, context, pending)
                _refuse_shared(route, planning.planned)
                planning.planned.append(Planned(route, migration, context.position, action))
            except Unplannable as reason:
                unplanned.append(Problem(f"not planned: {reason}", action.path, action.location.line))
    return planning


def _route(rule: str, schema: Schema, context: Context, pending: list[Migration]) -> Route:
    operation = context.action.operation
    if any(isinstance(one.operation, op.CreateIndex | op.AddConstraint) for one in _beside(context)):
        raise Unplannable("its operation builds an index or a constraint as well: let --fix take that apart first")
    after = [*context.later, *(each for one in pending[pending.index(context.migration) + 1 :] for each in one.up)]
    for word in _words(operation):
        named = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        later = next((one for one in after if named.search(one.operation.sql) and not _same(one, context.action)), None)
        if later is not None:
            raise Unplannable(f"line {later.operation.line} of {later.path} builds on it: plan that first, or move it")
    return _PLANNERS[rule, type(operation)](operation, schema, context)


def _refuse_shared(route: Route, planned: list[Planned]) -> None:
    """Two columns of one index would each build a new one, neither with both new columns."""
    own = _made(route)
    for other in planned:
        if both := own & _made(other.route):
            raise Unplannable(f"{other.route.title} needs {min(both)} as well: plan this when that is done")


def _made(route: Route) -> set[str]:
    return {found for phase in route.phases for step in phase.steps for found in _MADE.findall(step.sql)}


def _same(one: Action, other: Action) -> bool:
    if one.path != other.path:
        return False
    return one.operation.statement == other.operation.statement or _by_one_call(one, other)


def _by_one_call(one: Action, other: Action) -> bool:
    return bool(one.call) and (one.call, one.location) == (other.call, other.location)


def _beside(context: Context) -> Iterator[Action]:
    """Yield what a Django operation does besides the present one."""
    here = context.action
    if context.migration.tool == "django":
        yield from (one for one in context.migration.up if one is not here and _by_one_call(one, here))


def _words(operation: op.Operation) -> Iterator[str]:
    """Yield the names that are there, or have another meaning, only after the change."""
    match operation:
        case op.RenameColumn(new_name=new) | op.RenameTable(new_name=new):
            yield new
        case op.AddColumn(definition=column):
            yield column.name
        case op.AlterColumnType(name=column_name):
            yield column_name
        case op.DropColumn(name=column_name):
            yield column_name
        case op.DropTable(table=table):
            yield table.rpartition(".")[2]
        case _:
            return


def _written(histories: Histories, planning: Planning, unplanned: list[Problem]) -> Written:
    """Write the plan's migrations, and the migrations that they come from without what is planned."""
    first = planning.planned[0].migration
    routes = [one.route for one in planning.planned]
    script = script_of(histories.root / first.path)
    if first.tool == "alembic":
        done = revisions(planning.history, routes)
    elif first.tool == "django":
        done = modules(planning.history, [(one.route, one.migration) for one in planning.planned])
    elif first.tool == "sqitch":
        from backendgen.migrate.plan.changes import changes

        done = changes(planning.history, routes)
    elif first.tool == "liquibase":
        from backendgen.migrate.plan.changesets import changesets

        done = changesets(planning.history, routes, first, Folder.of(script))
    else:
        done = scripts(planning.history, routes, Folder.of(script), script, histories.sources[first.path])
    texts = dict(histories.sources)
    for path, part in dict.fromkeys((one.migration.path, one.migration.part) for one in planning.planned):
        mine = [one for one in planning.planned if (one.migration.path, one.migration.part) == (path, part)]
        try:
            done.files.update(_without(histories.root, texts, mine, done))
        except Unfixable as reason:
            unplanned.append(Problem(f"take its statements out by hand: {reason}", path))
    return done


def _without(root: Path, texts: dict[str, str], planned: list[Planned], done: Written) -> dict[str, str]:
    """Return the files of a migration as they are without the changes that the plan makes; `texts` follow."""
    migration = planned[0].migration
    remedies = [
        Remedy(migration.path, one.position, (Stage((), note=f"{one.route.title}: {done.of(one.route)}"),))
        for one in planned
    ]
    path, left = root / migration.path, list[str]()
    if migration.tool == "alembic":
        changed = {path: rewrite_revision(migration, texts[migration.path], remedies, left)}
        base = path.parent
    elif migration.tool == "django":
        from backendgen.migrate.rewrite.django import rewrite as rewrite_django

        text = texts[migration.path]
        changed, base = dict(rewrite_django(path, migration, text, remedies, left, leaf=True).texts), root
    else:
        script = script_of(path)
        base = path.parent.parent if migration.tool == "sqitch" else script.folder
        changed = rewriter_of(migration)(Source(root, migration, texts), remedies, Folder.of(script), left)
    if left:
        raise Unfixable(left[0])
    texts.update({each.relative_to(root).as_posix(): text for each, text in changed.items()})
    return {each.relative_to(base).as_posix(): text for each, text in changed.items()}
