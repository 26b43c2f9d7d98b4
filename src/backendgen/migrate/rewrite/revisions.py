"""An Alembic revision rewritten: calls of upgrade() in other words, and in autocommit blocks where they need them.

An autocommit block commits what came before it, so that everything stays in one revision.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from backendgen.code.nodes import unparse
from backendgen.findings.remedy import Remedy, Stage
from backendgen.migrate.fixes import executed
from backendgen.migrate.history import Action, Migration
from backendgen.migrate.rewrite.groups import locks_strongly, moved_away, subject
from backendgen.migrate.rewrite.pieces import Unfixable, parsed, validates
from backendgen.sql import operation as op

_BLOCK = "with op.get_context().autocommit_block():"
_BROKEN_STRING = re.compile(r"'[^'\n]*\n[^']*'")


def rewrite(migration: Migration, text: str, remedies: Sequence[Remedy], left: list[str]) -> str:
    """Return the revision's new text; `left` takes why statements stay as they are.

    Raises Unfixable when a tool can change nothing.
    """
    upgrade = _function(text, "upgrade")
    if upgrade is None:
        raise Unfixable("it has no upgrade()")
    lines = text.splitlines(keepends=True)
    instead = {one.position: one for one in remedies if one.place != "head"}
    head = next((one.stages[0] for one in remedies if one.place == "head"), None)
    body = Body(lines, head or _own_timeout(migration), missing=head is not None)
    for node in upgrade.body:
        mine = [(at, action) for at, action in enumerate(migration.up) if _inside(action, node, migration.path)]
        chosen = [instead.pop(at) for at, _ in mine if at in instead]
        try:
            if chosen:
                _refuse_unclear(node, [action for _, action in mine], chosen)
                body.replace(node, [(one, stage) for one in chosen for stage in one.stages])
                continue
        except Unfixable as reason:
            left.append(f"line {node.lineno} is not changed: {reason}")
        body.keep(node, [action.operation for _, action in mine])
    if instead:
        left.append("upgrade() does not make some of the changes itself; they stay as they are")
    body.close(upgrade)
    gone = moved_away(remedies, migration.up)
    if gone and (downgrade := _function(text, "downgrade")):
        for node in downgrade.body:
            back = [action.operation for action in migration.down if _inside(action, node, migration.path)]
            if back and gone.issuperset(map(subject, back)):
                body.edits.append((node.lineno - 1, node.end_lineno or node.lineno, ""))
        body.close(downgrade)
    return body.text()


def _does(new: str) -> bool:
    """Whether lines hold more than comments."""
    return any(line.strip() and not line.strip().startswith("#") for line in new.split("\n"))


@dataclass(slots=True)
class Body:
    """The lines of a revision while the statements of upgrade() are replaced, in order.

    `timeout` is set again where a block has committed and something locks afterwards; `missing`: it never was.
    """

    lines: list[str]
    timeout: Stage | None
    missing: bool
    edits: list[tuple[int, int, str]] = field(default_factory=list)

    def keep(self, node: ast.stmt, operations: Sequence[op.Operation]) -> None:
        """Leave a statement, with the timeout before it where it lacks."""
        if self.timeout and self.missing and any(map(locks_strongly, operations)):
            self.missing = False
            self.edits.append((node.lineno - 1, node.lineno - 1, _laid(self.timeout, node.col_offset, 0)))

    def replace(self, node: ast.stmt, stages: Sequence[tuple[Remedy, Stage]]) -> None:
        """Put stages in the place of a statement; a comment at its end stays."""
        last = node.end_lineno or node.lineno
        before = self.lines[node.lineno - 1].encode()[: node.col_offset].decode()
        comment = self.lines[last - 1].encode()[node.end_col_offset :].decode().strip()
        if before.strip() or (comment and not comment.startswith("#")):
            raise Unfixable("it shares its line with other statements")
        column = node.col_offset
        new = ""
        for _, stage in stages:
            if not stage.transactional or validates(stage):
                new += f"{' ' * column}{_BLOCK}\n{_laid(stage, column, 4)}"
                self.missing = self.timeout is not None
                continue
            if self.timeout and self.missing and any(locks_strongly(one) for one in _operations(stage)):
                self.missing = False
                new += _laid(self.timeout, column, 0)
            new += _laid(stage, column, 0)
        self.edits.append((node.lineno - 1, last, _commented(new, comment)))

    def close(self, function: ast.FunctionDef) -> None:
        """Put `pass` into a function that has lost all of its statements."""
        emptied = [(start, end) for start, end, new in self.edits if not _does(new)]
        if all(any(start <= node.lineno - 1 < end for start, end in emptied) for node in function.body):
            start, end, new = self.edits[-1]
            self.edits[-1] = (start, end, f"{new}{' ' * function.body[-1].col_offset}pass\n")

    def text(self) -> str:
        """Return all lines."""
        for start, end, new in sorted(self.edits, reverse=True):
            self.lines[start:end] = [new]
        return "".join(self.lines)


def _commented(new: str, comment: str) -> str:
    """Return lines with a comment at the end of the last one."""
    return f"{new[:-1]}  {comment}\n" if comment else new


def _function(text: str, name: str) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        raise Unfixable("it has newer syntax than this interpreter's") from None
    return next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _own_timeout(migration: Migration) -> Stage | None:
    own = [action.operation for action in migration.up if isinstance(action.operation, op.SetSetting)]
    local = [one.sql for one in own if one.name == "lock_timeout" and one.local]
    return Stage((local[0],)) if local else None


def _inside(action: Action, node: ast.stmt, path: str) -> bool:
    return action.path == path and node.lineno <= action.operation.line <= (node.end_lineno or node.lineno)


def _refuse_unclear(node: ast.stmt, actions: Sequence[Action], chosen: Sequence[Remedy]) -> None:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        raise Unfixable("the change stands in a loop, a condition or a block")
    function = unparse(node.value.func)
    if not function.startswith("op.") and not function.endswith(".execute"):
        raise Unfixable(f"{function}() makes the change, and whatever else it does")
    if len(chosen) != len(actions):
        raise Unfixable("what the call does beside that cannot be told apart")
    every = [sql for one in chosen for stage in one.stages for sql in stage.statements]
    if any("$1" in sql or _BROKEN_STRING.search(sql) for sql in every):
        raise Unfixable("its SQL is put together when it runs")


def _operations(stage: Stage) -> list[op.Operation]:
    return [one for sql in stage.statements for one in parsed(sql)]


def _laid(stage: Stage, column: int, deeper: int) -> str:
    """Return a stage's calls at a column; the further lines of a call move only as deep as its block."""
    calls = [(stage.call, deeper)] if stage.call else [(executed(sql), 0) for sql in stage.statements]
    laid = ""
    if not calls:
        return f"{' ' * (column + deeper)}# {stage.note}\n"
    for call, shift in calls:
        first, *rest = call.split("\n")
        laid += f"{' ' * (column + deeper)}{first}\n" + "".join(f"{' ' * shift}{line}\n" for line in rest)
    return laid
