"""An SQL script cut into statements with all that stands around them, and put together again with changes in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backendgen.findings.remedy import Remedy, Stage
from backendgen.migrate.fixes import alter_actions
from backendgen.migrate.history import Action
from backendgen.sql import operation as op
from backendgen.sql.lexer import split

_AFTER = re.compile(
    r"[ \t\r\n]*;?[ \t]*(?:--[^\r\n]*)?(?:\r?\n|$)(?:[ \t]*--[ \t]*\+goose[ \t]+StatementEnd[^\n]*(?:\n|$))?",
    re.IGNORECASE,
)
_FRAME = re.compile(r"^[ \t]*--[ \t]*\+goose[ \t]+Statement(?:Begin|End)[^\n]*(?:\n|$)", re.IGNORECASE | re.MULTILINE)


class Unfixable(Exception):
    """Why a change cannot be made by a tool; the finding stays."""


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a script: the comments and blank lines before it, its text, and the rest of its last line."""

    lead: str
    sql: str
    tail: str
    actions: tuple[tuple[int, Action], ...] = ()

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.lead}{self.sql}{self.tail}"

    @property
    def operations(self) -> tuple[op.Operation, ...]:
        """What it does."""
        return tuple(action.operation for _, action in self.actions)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that runs as a whole. `transactional` is None where it may run as the migration does.

    `later`: what the piece before it did must be committed. `floats`: it may wait until the end.
    """

    text: str
    operations: tuple[op.Operation, ...]
    transactional: bool | None = None
    later: bool = False
    floats: bool = False
    new: bool = False


def cut(text: str, start: int, end: int, actions: Sequence[tuple[int, Action]]) -> tuple[list[Part], str]:
    """Return the parts of a section of a text, and what stands after the last. `actions` are those of the section.

    Raises Unfixable when an action stands in no statement: its text is a template's, or was built.
    """
    first_line = text.count("\n", 0, start) + 1
    body = text[start:end]
    starts = [0, *(found.end() for found in re.finditer("\n", body))]
    waiting = [(starts[one.operation.line - first_line] + one.operation.column - 1, at, one) for at, one in actions]
    parts: list[Part] = []
    at = 0
    for statement in split(body):
        begin = starts[statement.line - 1] + statement.column - 1
        stop = begin + len(statement.text)
        after = _AFTER.match(body, stop)
        closed = after.end() if after else body.find(";", stop) + 1 or stop
        mine = tuple((position, action) for place, position, action in waiting if begin <= place < closed)
        waiting = [one for one in waiting if not begin <= one[0] < closed]
        parts.append(Part(body[at:begin], statement.text, body[stop:closed], mine))
        at = closed
    if waiting:
        raise Unfixable("its text is put together when it runs")
    return parts, body[at:]


def pieces(part: Part, remedies: Sequence[Remedy]) -> list[Piece]:
    """Return a statement as it is, or what takes its place.

    Raises Unfixable when a remedy concerns a part of it that cannot be told from the rest.
    """
    return list(_pieces(part, remedies))


def _pieces(part: Part, remedies: Sequence[Remedy]) -> Iterator[Piece]:
    instead = {remedy.position: remedy for remedy in remedies if remedy.place != "head"}
    chosen = [remedy for position, _ in part.actions if (remedy := instead.get(position))]
    if not chosen:
        yield Piece(part.text, part.operations)
        return
    if len(chosen) < sum(remedy.place != "head" for remedy in remedies):
        raise Unfixable("two rules want to change one statement")
    if any(action.operation.sql != part.sql for _, action in part.actions):
        raise Unfixable("its text is a template's")
    lead, tail = _FRAME.sub("", part.lead), _FRAME.sub("", part.tail)
    kept = _kept(part, instead)
    if kept is not None:
        yield Piece(f"{lead}{kept}{tail}", tuple(parsed(kept)))
        lead, tail = "", ";\n"
    for remedy in chosen:
        for number, stage in enumerate(remedy.stages):
            if not stage.statements:
                yield Piece(f"{lead}-- {stage.note}\n", (), new=True)
                lead, tail = "", ";\n"
                continue
            later = number > 0 or remedy.place == "after" or validates(stage)
            yield _piece(stage, lead, tail, later)
            lead, tail = "", ";\n"


def _kept(part: Part, instead: dict[int, Remedy]) -> str | None:
    """Return the statement without the actions that are done in another way, None when nothing of it stays."""
    if all(position in instead for position, _ in part.actions):
        return None
    found = alter_actions(part.sql)
    if found is None or len(found[1]) != len(part.actions):
        raise Unfixable("what it does beside that cannot be told apart")
    head, spans = found
    stay = [span for (position, _), span in zip(part.actions, spans, strict=True) if position not in instead]
    texts = [part.sql[start:end] for start, end in stay]
    first = texts[0] if stay[0] == spans[0] else " " + texts[0].strip()
    return f"{head.rstrip() if first[:1].isspace() else head}{first}" + "".join(f",{text}" for text in texts[1:])


def _piece(stage: Stage, lead: str, tail: str, later: bool) -> Piece:
    *first, last = stage.statements
    ending = tail if ";" in tail else f";{tail}"
    text = "".join(f"{statement};\n" for statement in first)
    operations = tuple(parsed(f"{text}{last}"))
    floats = all(isinstance(each, op.ValidateConstraint) or _plain_index(each) for each in operations)
    return Piece(
        f"{lead}{text}{last}{ending}", operations, None if stage.transactional else False, later, floats, new=True
    )


def validates(stage: Stage) -> bool:
    """Whether a stage does nothing but validate: what it validates must be committed."""
    found = [each for sql in stage.statements for each in parsed(sql)]
    return bool(found) and all(isinstance(each, op.ValidateConstraint) for each in found)


def _plain_index(operation: op.Operation) -> bool:
    return isinstance(operation, op.CreateIndex) and not operation.index.unique


def parsed(sql: str) -> Iterable[op.Operation]:
    """Return what new text does. Raises Unfixable when it cannot be read."""
    from backendgen.sql.postgres import parse

    found = parse(sql)
    if any(isinstance(each, op.NotUnderstood) for each in found):
        raise Unfixable("the changed statement cannot be read")
    return found
