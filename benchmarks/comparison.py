"""Joins our findings with squawk's, by file, line and what is said, over the files that both read.

A finding of squawk's stands in a place: a `down` migration, a statement on tables that are `new` in the same migration,
one that is `harmless` (it changes nothing, or only the catalogue, as the tables of rewrites and locks say that tests
hold against a real PostgreSQL), or `old`, everything else. It is `both` where one of our rules that says the same
(tests/migrate/squawk_rules.py), or one that supersedes it, is reported on its lines; rules that are said once a file are
looked for in the file.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendgen.config import Config
from backendgen.migrate.checks.columns import effect_here
from backendgen.migrate.checks.registry import serves
from backendgen.migrate.context import Context, Deploy, walk
from backendgen.migrate.history import Action, History
from backendgen.migrate.readers import read
from backendgen.migrate.rewrites import column_written
from backendgen.rules import Rulebook
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema, has_no_effect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "migrate"))
from squawk_rules import OURS, UNLABELLED

# squawk's hygiene, which says little about danger.
HYGIENE = frozenset({
    "prefer-robust-stmts", "require-lock-timeout", "require-statement-timeout", "require-timeout-settings", "prefer-big-int",
    "prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-identity", "prefer-text-field", "prefer-timestamp-tz",
    "ban-char-field", "syntax-error", "identifier-too-long", "require-table-schema", "require-enum-value-ordering",
})  # fmt: skip
# What blocks others or writes a table anew, and what loses rows: recall is measured on these.
HAZARDS = frozenset({
    "adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field",
    "adding-serial-primary-key-field", "ban-alter-domain-with-add-constraint",
    "ban-concurrent-index-creation-in-transaction", "ban-drop-column", "ban-drop-database", "ban-drop-schema",
    "ban-drop-table", "ban-truncate-cascade", "changing-column-type", "constraint-missing-not-valid",
    "disallowed-unique-constraint", "prefer-repack", "require-concurrent-index-creation",
    "require-concurrent-index-deletion", "require-concurrent-partition-detach", "require-concurrent-reindex",
})  # fmt: skip
# What a rule of squawk's is about, where a statement has several actions.
KINDS = {
    "adding-field-with-default": "AddColumn", "adding-not-nullable-field": "SetNotNull",
    "changing-column-type": "AlterColumnType",
}  # fmt: skip
ONCE_A_FILE = frozenset({"BG710", "BG735", "BG738", "BG820", "BG821"})
SEVERE = frozenset({"medium", "high", "critical"})


@dataclass(frozen=True, slots=True)
class Said:
    """One finding, ours or squawk's."""

    project: str
    path: str
    first: int
    last: int
    rule: str
    severity: str = ""

    def touches(self, first: int, last: int) -> bool:
        """Whether it is on one of these lines."""
        return self.first <= last and self.last >= first


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding of squawk's, where it stands, and whether we say it too."""

    said: Said
    place: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Where an operation stands in a file, of which kind it is, and in which place."""

    first: int
    last: int
    kind: str
    place: str


def ours(project: Path, report: Mapping[str, Any]) -> list[Said]:
    """Return the findings of our JSON report."""
    return [
        Said(project.name, one["path"], one["line"], one.get("end_line", one["line"]), one["rule"], one["severity"])
        for one in report["findings"]
        if serves(one["rule"], "postgresql")
    ]


def squawks(projects: Iterable[Path], report: Iterable[Mapping[str, Any]]) -> list[Said]:
    """Return the findings of squawk's JSON report, whose lines count from 0."""
    found = []
    roots = tuple(projects)
    for one in report:
        path = Path(one["file"])
        project = next(each for each in roots if path.is_relative_to(each))
        within = str(path.relative_to(project))
        found.append(Said(project.name, within, one["line"] + 1, one["line_end"] + 1, one["rule_name"]))
    return found


def files_and_statements(project: Path) -> tuple[list[str], dict[str, list[Statement]]]:
    """Return the .sql files of PostgreSQL that we read in a project, as squawk knows no other, and each one's statements."""
    histories = read(project, Config())
    served = [history for history in histories.histories if history.dialect == "postgresql"]
    statements: defaultdict[str, list[Statement]] = defaultdict(list)
    for history in served:
        for path, statement in _statements(history):
            statements[path].append(statement)
    own = {path for history in served for migration in history.migrations for path in migration.files}
    # An empty down is part of no migration, but squawk reads it as well.
    own |= {path for path in histories.sources if re.sub(r"down(?=\.sql$)", "up", path) in own}
    return sorted(path for path in own if path.endswith(".sql")), statements


def _statements(history: History) -> Iterator[tuple[str, Statement]]:
    schema, unseen = Schema(), Deploy().unseen
    for migration in history.migrations:
        for context in walk(history, migration, schema, Deploy(unseen=unseen), Config().pg_version):
            tables = _tables(context.action.operation, schema)
            is_new = bool(tables) and all(context.is_new(table) for table in tables)
            place = "new" if is_new else "harmless" if _is_harmless(schema, context) else "old"
            yield context.action.path, _placed(context.action, place)
        yield from ((action.path, _placed(action, "down")) for action in migration.down)


def _tables(operation: op.Operation, schema: Schema) -> tuple[str, ...]:
    if isinstance(operation, op.DropIndex):
        owner = schema.index_owner(operation.index)
        return (owner.name,) if owner else ()
    return operation.tables


def _is_harmless(schema: Schema, context: Context) -> bool:
    match operation := context.action.operation:
        case op.AlterColumnType(table=table, name=name):
            column = schema.column(table, name)
            return column is not None and not effect_here(operation, column.type, schema.tables[table], schema, context)
        case op.SetNotNull(table=table, name=name):
            column = schema.column(table, name)
            return column is not None and column.not_null
        case op.AddColumn(definition=column) if not has_no_effect(operation, schema):
            written, _ = column_written(column, schema, context.pg_version)
            checked = [one for one in operation.constraints if one.kind not in ("foreign_key", "not_null")]
            keys = [one for one in operation.constraints if one.kind == "foreign_key"]
            return not written and not checked and not (keys and column.default is not None)
        case _:
            return has_no_effect(operation, schema)


def _placed(action: Action, place: str) -> Statement:
    operation = action.operation
    return Statement(operation.line, max(operation.line, operation.end_line), type(operation).__name__, place)


def judge(
    theirs: Iterable[Said],
    found: Iterable[Said],
    statements: Mapping[tuple[str, str], list[Statement]],
    rules: Rulebook,
) -> list[Judged]:
    """Place each finding of squawk's, and look for ours on its lines."""
    by_file: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in found:
        by_file[one.project, one.path].append(one)
    stronger: defaultdict[str, set[str]] = defaultdict(set)
    for rule in rules:
        for weaker in rule.supersedes:
            stronger[weaker].add(rule.id)
    result = []
    for said in theirs:
        mapped = {**OURS, **UNLABELLED}.get(said.rule, set())
        wanted = mapped.union(*(stronger[rule] for rule in mapped))
        near = [
            one for one in by_file[said.project, said.path]
            if one.rule in wanted and (one.rule in ONCE_A_FILE or one.touches(said.first, said.last))
        ]  # fmt: skip
        place = _place(said, statements.get((said.project, said.path), ()))
        result.append(Judged(said, place, "both" if near else "only squawk's"))
    return result


def _place(said: Said, statements: Iterable[Statement]) -> str:
    """A file is down or up; of several operations on a line the worst counts."""
    near = [each for each in statements if said.touches(each.first, each.last)]
    places = {each.place for each in near if each.kind == KINDS.get(said.rule)} or {each.place for each in near}
    return places.pop() if len(places) == 1 else "old"


def unmatched(found: Iterable[Said], theirs: Iterable[Said]) -> list[Said]:
    """Return our findings that squawk does not have: nothing of its rules for the same on their lines."""
    says: defaultdict[str, set[str]] = defaultdict(set)
    for rule, mapped in {**OURS, **UNLABELLED}.items():
        for one in mapped:
            says[one].add(rule)
    by_file: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for one in theirs:
        by_file[one.project, one.path].append(one)
    return [
        one for one in found
        if not any(other.rule in says[one.rule] and (one.rule in ONCE_A_FILE or other.touches(one.first, one.last))
                   for other in by_file[one.project, one.path])
    ]  # fmt: skip


def print_comparison(files: int, found: list[Said], theirs: list[Said], judged: list[Judged]) -> None:
    """Print both, only squawk's and only ours, rule by rule, and the ratios."""
    table: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in judged:
        table[one.said.rule][one.outcome if one.outcome == "both" else one.place] += 1
    print(f"\n{'squawk rule':<44}{'both':>7}{'only squawk: down':>19}{'new table':>11}{'harmless':>10}{'other':>7}")
    for rule, count in sorted(table.items(), key=lambda pair: -pair[1].total()):
        print(f"{rule:<44}{count['both']:>7}{count['down']:>19}{count['new']:>11}"
              f"{count['harmless']:>10}{count['old']:>7}")  # fmt: skip
    alone, every = Counter(one.rule for one in unmatched(found, theirs)), Counter(one.rule for one in found)
    print(f"\n{'our rule':<10}{'findings':>9}{'only ours':>11}")
    for rule, count in every.most_common():
        print(f"{rule:<10}{count:>9}{alone[rule]:>11}")
    severe = sum(one.severity in SEVERE for one in found)
    danger = sum(one.rule not in HYGIENE for one in theirs)
    clean = sum(one.rule != "syntax-error" for one in theirs)
    hazards = [one for one in judged if one.said.rule in HAZARDS and one.place == "old"]
    kept = sum(one.outcome == "both" for one in hazards)
    print(f"\nfindings a file                ours {len(found) / files:.2f} ({severe / files:.2f} of medium and above), "
          f"squawk's {len(theirs) / files:.2f} ({danger / files:.2f} without its hygiene)")  # fmt: skip
    print(f"squawk's / ours                {len(theirs) / len(found):.1f}  ({clean / len(found):.1f} without its "
          f"syntax errors; without hygiene on both sides {danger / severe:.1f})")  # fmt: skip
    print(f"its lock and data-loss hazards on tables that are not new: {len(hazards):,}, of which we report {kept:,} "
          f"({100 * kept / max(1, len(hazards)):.1f} %)")  # fmt: skip


def print_sample(count: int, seed: int, found: list[Said], judged: list[Judged]) -> None:
    """Print what a person judges: findings of ours, and of squawk's that we drop, hygiene left out of its.

    Each is drawn by a hash of its own, so that a sample changes little when the findings around it do.
    """
    dropped = {one.said: one.place for one in judged if one.outcome != "both" and one.said.rule not in HYGIENE}
    print("\nsample of ours")
    for said in _drawn(found, count, seed):
        print(f"{said.project}\t{said.path}\t{said.first}\t{said.rule}\t{said.severity}")
    print("\nsample of squawk's that we drop")
    for said in _drawn(dropped, count, seed):
        print(f"{said.project}\t{said.path}\t{said.first}\t{said.rule}\t{dropped[said]}")


def _drawn(pool: Iterable[Said], count: int, seed: int) -> list[Said]:
    def lot(said: Said) -> bytes:
        return hashlib.sha256(f"{seed} {said.project} {said.path} {said.first} {said.rule}".encode()).digest()

    return sorted(sorted(set(pool), key=lot)[:count], key=_order)


def _order(said: Said) -> tuple[str, str, int, str]:
    return said.project, said.path, said.first, said.rule
