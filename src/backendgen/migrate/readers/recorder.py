"""Collects what a Python migration does as Actions, each where its SQL or its call stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from backendgen.migrate.history import Action
from backendgen.migrate.readers.sql import operations
from backendgen.migrate.readers.values import HOLE, Module, Text, column_of, segment
from backendgen.sql.cursor import Dialect
from backendgen.sql.operation import NotUnderstood, Operation

BUILT = "the SQL is built at run time"
# An unknown part beside a letter or a quote is part of a name.
_GLUED = re.compile(f'[\\w$"]{HOLE}|{HOLE}[\\w$"]')


@dataclass(slots=True)
class Recorder:
    """The Actions of one direction of one migration so far."""

    actions: list[Action] = field(default_factory=list)
    dialect: Dialect = "postgresql"
    transactional: bool = True
    _statement: int = 0

    def text(self, text: Text, node: ast.expr | ast.stmt, module: Module, values: Callable[[str], str]) -> None:
        """Place each statement of a text where the text itself stands: in the literal, or in the SQL file it came from.

        `values` puts a value where the tool or the driver would put a parameter.
        """
        sql = values(text.value) if text.path.endswith(".py") else text.value
        if _GLUED.search(sql):
            self.dynamic(node, module, BUILT)
            return
        sql = sql.replace(HOLE, "$1")
        moved = text if sql == text.value else text.derived(sql)
        starts = [0, *(found.end() for found in re.finditer("\n", sql))]
        # The text of a function that was called is reported where the migration calls it.
        elsewhere = text.path.endswith(".py") and text.path != module.name
        for operation in self._numbered(operations(sql, dialect=self.dialect)):
            known = operation
            if isinstance(operation, NotUnderstood) and not text.whole:
                known = replace(operation, reason=BUILT)
            place = moved.place(starts[operation.line - 1] + operation.column - 1)
            if place is None or elsewhere:
                self._add(known, node.lineno, column_of(node, module.lines) + 1, node.lineno, module.name, "")
                continue
            last = moved.place(starts[max(operation.end_line, operation.line) - 1]) or place
            if isinstance(known, NotUnderstood) and known.error_line:
                line, column = moved.place(starts[known.error_line - 1]) or place
                known = replace(known, error_line=line, error_column=column)
            self._add(known, *place, last[0], text.path)

    def sql(
        self, sql: str, node: ast.expr | ast.stmt, module: Module, known: Callable[[Operation], Operation] | None = None
    ) -> None:
        """Place what a call's SQL does at the call; `known` adds what the call says besides."""
        for operation in self._numbered(operations(sql)):
            self._at(known(operation) if known else operation, node, module)

    def operation(self, operation: Operation, node: ast.expr | ast.stmt, module: Module) -> None:
        """Place an operation at the call that makes it."""
        for numbered in self._numbered((operation,)):
            self._at(numbered, node, module)

    def _at(self, operation: Operation, node: ast.expr | ast.stmt, module: Module) -> None:
        column, end = column_of(node, module.lines) + 1, node.end_lineno or node.lineno
        self._add(operation, node.lineno, column, end, module.name, segment(node, module.lines))

    def dynamic(self, node: ast.expr | ast.stmt, module: Module, reason: str) -> None:
        """Note what cannot be known, and why."""
        done = NotUnderstood(reason=reason, sql="", statement=self._statement)
        self._statement += 1
        end = node.lineno if isinstance(node, ast.FunctionDef) else node.end_lineno or node.lineno
        column = column_of(node, module.lines) + 1
        if any(
            isinstance(each.operation, NotUnderstood)
            and each.operation.reason == reason
            and (each.path, each.operation.line, each.operation.column) == (module.name, node.lineno, column)
            for each in self.actions
        ):
            return  # said of this place already: a helper that does it several times, another round of a loop
        self._add(done, node.lineno, column_of(node, module.lines) + 1, end, module.name)

    def once(self, node: ast.expr | ast.stmt, module: Module, reason: str) -> None:
        """Note it unless that was said already."""
        if not any(
            isinstance(each.operation, NotUnderstood) and each.operation.reason == reason for each in self.actions
        ):
            self.dynamic(node, module, reason)

    def _numbered(self, found: tuple[Operation, ...]) -> list[Operation]:
        """Number the statements through the whole function: each text begins again with the first."""
        base, highest, result = self._statement, 0, []
        for operation in found:
            highest = max(highest, operation.statement + 1)
            result.append(replace(operation, statement=base + operation.statement))
        self._statement = base + highest
        return result

    def _add(self, operation: Operation, line: int, column: int, end: int, path: str, call: str = "") -> None:
        placed = replace(operation, line=line, column=column, end_line=max(end, line))
        self.actions.append(Action(placed, path, self.transactional, call))


def driver_values(sql: str) -> str:
    """Put a value where the driver would (`%s`, `%(name)s`); `%%` is a percent sign."""
    return re.sub(r"%\(\w+\)s|%s", "$1", sql).replace("%%", "%")
