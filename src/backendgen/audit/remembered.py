"""What an engine found in a file that is as it was: engines that judge each file by itself are given only the others.

That holds for bandit and for semgrep, which know nothing of other files. Our own engine follows names through the whole
program: it judges anew. A file's result is kept by the digest of its path and content, for these rules and these programs;
a file that an engine could not read, or read only in part, is given to it again. With or without a memory the findings come
in the order of the files, so that the report is the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

from backendgen import cache, files, witness
from backendgen.audit.engines.result import EngineResult
from backendgen.code.documents import Document
from backendgen.code.project import Project, SourceFile
from backendgen.errors import UserError
from backendgen.findings.finding import Finding, Hit, Location, finding
from backendgen.rules import Rule

Engine: TypeAlias = Callable[[Project, tuple[Rule, ...]], EngineResult]
Target: TypeAlias = SourceFile | Document


def run(
    name: str, engine: Engine, kind: type[SourceFile | Document], project: Project, rules: tuple[Rule, ...]
) -> EngineResult:
    """Return what an engine finds in a project. Of this kind of file, those that are as they were are not given to it."""
    own = {rule.id: rule for rule in rules if rule.detect.kind == name}
    everything: tuple[Target, ...] = (*project.files, *project.documents)
    targets = [one for one in everything if isinstance(one, kind)]
    if not own or len(targets) < 2 or not cache.is_open():
        return _ordered(engine(project, rules), everything)
    judged_by = [
        replace(rule, examples=()) for rule in own.values()
    ]  # they hold sets, told in another order by each run
    memory = f"{name} {os.path.abspath(project.root)} {judged_by!r}"  # noqa: PTH100 - links may stay
    known = cache.pieces(memory)
    digests = {one.path: digest for one in targets if (digest := _digest(one))}
    found = {path: _read(known[digest], path, own, name) for path, digest in digests.items() if digest in known}
    taken = {path: findings for path, findings in found.items() if findings is not None}
    judged = replace(
        project,
        files=tuple(one for one in project.files if one.path not in taken),
        documents=tuple(one for one in project.documents if one.path not in taken),
    )
    result = engine(judged, rules)
    left = [one for one in targets if one.path in digests and one.path not in taken]
    if left and not result.failures:
        fresh = _rows(result, [one for one in left if _digest(one) == digests[one.path]], own)
        kept = {digests[path]: known[digests[path]] for path in taken}
        cache.keep_pieces(memory, kept | {digests[path]: rows for path, rows in fresh.items()})
    return _ordered(replace(result, findings=(*chain(*taken.values()), *result.findings)), everything)


def _digest(one: Target) -> str:
    """The digest of all that is read of a file, empty when it can not be told: semgrep reads documents itself, once more."""
    if isinstance(one, SourceFile):
        return witness.digest(f"{one.path}\0{one.digest}".encode())
    try:
        on_disk = files.read_bytes(one.location)
    except UserError:
        return ""
    return witness.digest(b"\0".join((one.path.encode(), one.text.encode(errors="surrogatepass"), on_disk)))


def _rows(result: EngineResult, targets: Iterable[Target], rules: dict[str, Rule]) -> dict[str, list[list[object]]]:
    """What was found, by the files that were judged in full, as far as it can be told in plain data."""
    partly = {hole.path for hole in result.holes}
    found: dict[str, list[Finding]] = {one.path: [] for one in targets if one.path not in partly}
    for one in result.findings:
        if one.location.path in found:
            found[one.location.path].append(one)
    rows = {path: [_row(one) for one in findings] for path, findings in found.items()}
    return {path: told for path, told in rows.items() if _read(told, path, rules, result.engine) == found[path]}


def _row(one: Finding) -> list[object]:
    place = one.location
    return [one.rule_id, place.line, place.column, place.end_line, one.message, one.fix, one.symbol]


def _read(rows: object, path: str, rules: dict[str, Rule], engine: str) -> list[Finding] | None:
    """Return the findings that are told; None when they are told in another form."""
    try:
        return [
            finding(rules[rule_id], Hit(Location(path, line, column, end), message, fix, symbol), engine)
            for rule_id, line, column, end, message, fix, symbol in rows  # type: ignore[attr-defined]
        ]
    except (TypeError, ValueError, KeyError):
        return None


def _ordered(result: EngineResult, targets: Iterable[Target]) -> EngineResult:
    place = {one.path: number for number, one in enumerate(targets)}
    return replace(result, findings=tuple(sorted(result.findings, key=lambda one: place[one.location.path])))
