"""A Django migration rewritten: operations in other words, and migrations of their own for what must stand alone.

Django keeps a migration in one transaction or in none (`atomic = False`), so that it splits where SQL files do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backendgen.findings.remedy import Remedy, Stage
from backendgen.migrate.django_fixes import (
    altered,
    indented,
    own_operation,
    reverse,
    run_sql,
    separated,
    span,
    state_at,
    without_index,
)
from backendgen.migrate.fixes import concurrently
from backendgen.migrate.history import Action, Migration
from backendgen.migrate.rewrite.django_files import Module, following
from backendgen.migrate.rewrite.django_sql import changed_sql, is_run_sql
from backendgen.migrate.rewrite.groups import Group, brought_back, grouped, subject, word_of
from backendgen.migrate.rewrite.pieces import Piece, Unfixable, parsed, validates
from backendgen.migrate.rewrite.scripts import timeout_of
from backendgen.sql import operation as op

_AFTER = re.compile(r"(?:\s*,)?[ \t]*(?:#[^\n]*)?(?:\n|$)")
_COMMA = re.compile(r"^\s*,")
_BLANK_LINES = re.compile(r"^(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The files that change and those that are new, and which migration what came after the old one follows now."""

    texts: Mapping[Path, str]
    last: str


@dataclass(frozen=True, slots=True)
class Element:
    """One operation of the list: the comments and blank lines before it, its source, and the rest of its last line."""

    lead: str
    source: str
    tail: str
    node: ast.expr
    actions: tuple[tuple[int, Action], ...] = ()
    back: tuple[op.Operation, ...] = ()

    @property
    def operations(self) -> tuple[op.Operation, ...]:
        """What it does."""
        return tuple(action.operation for _, action in self.actions)

    @property
    def column(self) -> int:
        """How far its lines are indented."""
        return len(self.lead) - len(self.lead.rstrip(" "))


def rewrite(
    path: Path, migration: Migration, text: str, remedies: Sequence[Remedy], left: list[str], *, leaf: bool
) -> Rewritten:
    """Return the migration's new text and the migrations that split off; `left` takes why operations stay as they are.

    `leaf`: it is its app's last one. Raises Unfixable when a tool can change nothing.
    """
    module = Module.of(text)
    elements, rest = _elements(module, migration)
    here = {one.position: one for one in remedies if one.place != "head"}
    found: list[Piece] = []
    for element in elements:
        chosen = [here.pop(at) for at, _ in element.actions if at in here]
        try:
            found += _pieces(element, chosen) if chosen else [_as_it_is(element)]
        except Unfixable as reason:
            left.append(f"line {element.node.lineno} is not changed: {reason}")
            found.append(_as_it_is(element))
    if here:
        left.append("functions of RunPython make some of the changes; they stay as they are")
    outside = module.is_atomic is False
    groups = grouped(found, migration.tool, outside=outside)
    if len(groups) > 1:
        module.refuse_split()
    timeout, missing = timeout_of(migration, remedies), any(one.place == "head" for one in remedies)

    def body(group: Group, *, first: bool) -> str:
        inside = not group.outside or outside
        wanted = timeout and inside and group.locks and (missing if first else True)
        lines = "".join(piece.text for piece in group.pieces)
        lines = lines if first else _BLANK_LINES.sub("", lines)
        return (f"{' ' * module.indent}{run_sql(timeout, '')},\n" if wanted else "") + lines

    first, *others = groups or [Group(outside)]
    moved = [(group, body(group, first=False)) for group in others]
    texts = {path: module.changed(f"{body(first, first=True)}{rest}", outside=first.outside and not outside)}
    app, _, name = migration.revision.partition(".")
    for group, lines in moved:
        new = following(path, name, word_of(group), {*texts}, leaf=leaf)
        texts[new] = module.new(lines, (app, name), outside=group.outside)
        name = new.stem
    return Rewritten(texts, name)


def _elements(module: Module, migration: Migration) -> tuple[list[Element], str]:
    """Return the operations with all that stands around them, and what stands after the last."""
    text = module.text
    start, end = span(text, module.operations)
    bounds = [span(text, node) for node in module.operations.elts]
    between = [text[a:b] for a, b in zip([start + 1, *(b for _, b in bounds)], [*(a for a, _ in bounds), end - 1],
                                         strict=True)]  # fmt: skip
    laid_out = all("\n" in each for each in between)
    if not laid_out and any("#" in each for each in between):
        raise Unfixable("its operations share lines, with comments between them")
    elements: list[Element] = []
    at = start + 1 + (len(found[0]) if (found := re.match(r"[ \t]*\n", text[start + 1 :])) else 0)
    for node, (begin, stop) in zip(module.operations.elts, bounds, strict=True):
        lead, tail, closed = " " * module.indent, ",\n", stop
        if laid_out:
            after = _AFTER.match(text, stop)
            if after is None or text[at:begin].strip(" ").endswith("("):
                raise Unfixable("its list of operations is laid out in a way of its own")
            lead, closed = text[at:begin], after.end()
            tail = f",{_COMMA.sub('', after[0])}".rstrip("\n") + "\n"
        mine = tuple((position, one) for position, one in enumerate(migration.up) if _inside(one, node, migration.path))
        back = tuple(one.operation for one in migration.down if _inside(one, node, migration.path))
        elements.append(Element(lead, text[begin:stop], tail, node, mine, back))
        at = closed
    return elements, text[at : end - 1] if laid_out else " " * (module.indent - 4)


def _inside(action: Action, node: ast.expr, path: str) -> bool:
    place = (action.operation.line, action.operation.column)
    first, last = (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)
    return action.path == path and first < place <= last


def _as_it_is(element: Element) -> Piece:
    return Piece(f"{element.lead}{element.source}{element.tail}", element.operations)


def _pieces(element: Element, remedies: Sequence[Remedy]) -> Iterator[Piece]:
    """Yield an operation as it is, where it only has to move, or what takes its place."""
    own = [one.sql for one in element.operations]
    if not any(stage.statements for one in remedies for stage in one.stages):
        yield _left_to_others(element, remedies)
    elif len(remedies) == 1 and len(remedies[0].stages) == 1 and _same(remedies[0].stages[0].statements, own):
        stage, after = remedies[0].stages[0], remedies[0].place == "after"
        moved = replace(_as_it_is(element), transactional=None if stage.transactional else False)
        yield replace(moved, later=after or validates(stage), floats=validates(stage))
    elif is_run_sql(element.node) and not any(one.call for _, one in element.actions):
        yield from changed_sql(element.source, element.lead, element.tail, element.actions, remedies)
    elif not all(one.call for _, one in element.actions):
        raise Unfixable("the change stands inside another operation")
    else:
        yield from _changed(element, remedies)


# What goes with a column, or is done for it while it is added.
_WITH_IT = (op.Harmless, op.DropConstraint, op.SetDefault)


def _left_to_others(element: Element, remedies: Sequence[Remedy]) -> Piece:
    """Return what is left of an operation whose changes are other migrations': what it means for Django's state."""
    here = {one.position for one in remedies}
    if any(at not in here and not isinstance(one.operation, _WITH_IT) for at, one in element.actions):
        raise Unfixable("what the operation does beside that cannot be told apart")
    pad = " " * element.column
    notes = "".join(f"{pad}# {stage.note}\n" for one in remedies for stage in one.stages)
    start = element.lead[: len(element.lead) - element.column]
    if is_run_sql(element.node) and not any(one.call for _, one in element.actions):
        return Piece(f"{start}{notes}", ())
    return Piece(f"{start}{notes}{_laid(replace(element, lead=pad), [separated([], element.source)])}", ())


def _same(statements: Sequence[str], own: Sequence[str]) -> bool:
    def plain(sql: str) -> str:
        return re.sub(r'[\s"]+', "", sql).lower()

    return [*map(plain, statements)] == [*map(plain, own)]


def _changed(element: Element, remedies: Sequence[Remedy]) -> Iterator[Piece]:
    """Yield an operation on a model by way of stages: by Django's own operations, else by SQL beside the state."""
    call = element.source
    if '"""' in call or "'''" in call:
        raise Unfixable("a text of several lines would change with its indentation")
    stages = _stages(element, remedies)
    found: list[Piece] = []
    builds = [sql for stage in stages for sql in stage.statements if not stage.transactional]
    if _adds_field(call) and _only_indexes(stages) and (without := without_index(builds, call)):
        kept = tuple(one for one in element.operations if not isinstance(one, op.CreateIndex))
        found = [Piece(_laid(element, [without]), kept)]
        element = _bare(element)
        stages, call = [Stage(tuple(builds), transactional=False)], altered(call)
    tells = state_at([stage.statements for stage in stages], call)
    before: list[op.Operation] = []
    for number, stage in enumerate(stages):
        own = own_operation(stage.statements, call)
        operations = tuple(one for sql in stage.statements for one in parsed(sql))
        written = [own] if own else [run_sql(sql, _back(sql, element, before)) for sql in stage.statements]
        if not own and number == tells:
            written = [separated(written, call)]
        floats = validates(stage) and (bool(own) or number != tells)
        later = bool(found) or validates(stage)
        transactional = None if stage.transactional else False
        found.append(Piece(_laid(element, written), operations, transactional, later, floats, new=True))
        before += operations
        element = _bare(element)
    yield from found


def _bare(element: Element) -> Element:
    """Return an operation without its comments, which stand beside the first that takes its place."""
    return replace(element, lead=" " * element.column, tail=",\n")


def _adds_field(call: str) -> bool:
    return call.partition("(")[0].endswith("AddField")


def _laid(element: Element, operations: Sequence[str]) -> str:
    """Return operations as lines of the list, with the comments of the one that they replace."""
    lines = ",\n".join("\n".join(indented(each, element.column)) for each in operations)
    return f"{element.lead}{lines.lstrip()}{element.tail}"


def _only_indexes(stages: Sequence[Stage]) -> bool:
    """Whether nothing but indexes is done in another way."""
    return all(
        stage.transactional or all("INDEX CONCURRENTLY" in sql for sql in stage.statements) for stage in stages
    ) and not any("USING INDEX" in sql or "NOT VALID" in sql for stage in stages for sql in stage.statements)


def _stages(element: Element, remedies: Sequence[Remedy]) -> list[Stage]:
    """Return all that an operation does, in order: by a remedy where there is one, else as Django does it."""
    instead = {one.position: one for one in remedies}
    stages: list[Stage] = []
    said: set[str] = set()
    for position, action in element.actions:
        statement = action.operation.sql
        if remedy := instead.get(position):
            new = [
                replace(one, statements=tuple(sql for sql in one.statements if sql not in said))
                for one in remedy.stages
            ]
            stages += [one for one in new if one.statements]
            said.update(sql for one in remedy.stages for sql in one.statements)
        elif statement not in said and concurrently(statement) not in said:
            said.add(statement)
            same = bool(stages) and stages[-1].transactional and not validates(stages[-1])
            if same and not any(one.position < position for one in remedies):
                stages[-1] = Stage((*stages[-1].statements, statement))
            else:
                stages.append(Stage((statement,)))
    return stages


def _back(sql: str, element: Element, before: Sequence[op.Operation]) -> str:
    """Return what takes a statement back: what Django itself would run, else what is known of the statement.

    What it used up of the statements before it comes back, so that it can run again.
    """
    operations = parsed(sql)
    keys = [subject(one) for one in operations]
    mine = dict.fromkeys(one.sql for one in element.back if keys and subject(one) and subject(one) in keys)
    online = " CONCURRENTLY " in sql
    back = [concurrently(one) if online else one for one in mine] or [reverse(sql)]
    return "; ".join(filter(None, [*back, *(brought_back(one, before) for one in operations)]))
