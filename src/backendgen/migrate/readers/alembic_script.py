"""One revision's upgrade() or downgrade(), followed into Actions, each where its SQL or its call stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from backendgen.migrate.history import Action
from backendgen.migrate.readers.alembic_calls import construct_sql, enum_type, existing_type, is_operation, statements
from backendgen.migrate.readers.evaluate import Evaluator, Module, TooLong
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.sql import column_type, operations
from backendgen.migrate.readers.sqlalchemy import Dynamic, sql_text
from backendgen.migrate.readers.values import HOLE, UNKNOWN, Batch, Call, Symbol, Text, column_of, segment
from backendgen.sql.operation import AlterColumnType, NotUnderstood, Operation

_EXECUTES = frozenset({"execute", "exec_driver_sql", "scalar", "scalars", "execute_sql", "executescript"})
_ORM_CHANGES = frozenset({
    "add", "add_all", "merge", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings", "flush", "commit",
})  # fmt: skip
BUILT = "the SQL is built at run time"
# An unknown part beside a letter or a quote is part of a name.
_GLUED = re.compile(f'[\\w$"]{HOLE}|{HOLE}[\\w$"]')


class Script:
    """Reads the functions of revisions; modules that several revisions import are read once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._evaluator = Evaluator(reading, self._called, self._entered)
        self._actions: list[Action] = []
        self._transactional = True
        self._statement = 0

    def load(self, path: Path) -> Module | None:
        """Return a revision's module; None when it cannot be read. Raises Unparsable."""
        return self._evaluator.load(path)

    def actions(self, function: ast.FunctionDef | None, module: Module) -> tuple[Action, ...]:
        """Follow a function of a module and return what it does, in order."""
        self._actions, self._transactional, self._statement = [], True, 0
        if function is None:
            return ()
        try:
            self._evaluator.run(function, module)
        except TooLong:
            self._dynamic(function, module, f"{function.name}() has too many steps to be followed")
        except RecursionError:
            self._dynamic(function, module, f"{function.name}() is nested too deeply to be followed")
        return tuple(self._actions)

    def _entered(self, value: Any) -> Callable[[], None]:
        """Follow `with op.get_context().autocommit_block()`."""
        before = self._transactional
        if isinstance(value, Call) and value.last == "autocommit_block":
            self._transactional = False
        return partial(setattr, self, "_transactional", before)

    # ---- calls

    def _called(self, call: Call, node: ast.Call, module: Module) -> None:
        if call.name.startswith(("alembic.op.", "op.")) and call.receiver is None:
            if call.last in _EXECUTES:
                self._execute(call.arg(0, "sqltext", "sql", default=UNKNOWN), node, module)
            elif is_operation(call.last):
                self._operation(call, node, module)
        elif isinstance(call.receiver, Batch):
            if call.last == "execute":
                self._execute(call.arg(0, "sqltext", default=UNKNOWN), node, module)
            elif is_operation(call.last):
                self._operation(call, node, module)
        else:
            self._method(call, node, module)

    def _method(self, call: Call, node: ast.Call, module: Module) -> None:
        if call.last in _EXECUTES and (call.args or call.kwargs):
            raw = "cursor" in call.name or call.last == "exec_driver_sql"
            self._execute(call.arg(0, "statement", "sql", "operation", default=UNKNOWN), node, module, raw=raw)
        elif call.last in ("create", "drop"):
            try:
                made = enum_type(call)
            except Dynamic as reason:
                self._dynamic(node, module, str(reason))
                return
            if made:
                self._sql(made, node, module)
        elif call.last in ("create_all", "drop_all"):
            self._dynamic(node, module, f"{call.last}() changes whatever the models say when it runs")
        elif (call.last in _ORM_CHANGES and _is_session(call.receiver)) or (
            call.last in ("update", "delete") and ".query" in call.name
        ):
            self._once(node, module, "rows are changed through the ORM")

    def _operation(self, call: Call, node: ast.Call, module: Module) -> None:
        try:
            written = statements(call)
        except Dynamic as reason:
            self._dynamic(node, module, f"op.{call.last}: {reason}")
            return
        existing = existing_type(call) if call.last == "alter_column" else None
        for sql in written:
            self._sql(sql, node, module, existing=existing)

    def _execute(self, value: Any, node: ast.Call, module: Module, *, raw: bool = False) -> None:
        if isinstance(value, Call) and value.last == "bindparams" and isinstance(value.receiver, Call):
            value = value.receiver
        if isinstance(value, Call) and value.last in ("text", "DDL") and value.args and isinstance(value.args[0], Text):
            value = value.args[0]
        if isinstance(value, Text):
            self._text(value, node, module, raw=raw)
        elif isinstance(value, list | tuple) and value and all(isinstance(each, Text) for each in value):
            for each in value:
                self._text(each, node, module, raw=raw)
        elif (sql := construct_sql(value) or sql_text(value)) is not None:
            self._sql(sql if sql.split()[0].isupper() else f"SELECT {sql}", node, module)
        else:
            self._dynamic(node, module, BUILT)

    # ---- actions

    def _text(self, text: Text, node: ast.Call, module: Module, *, raw: bool) -> None:
        """Place each statement of a text where the text itself stands: in the literal, or in the SQL file it came from."""
        sql = _without_parameters(text.value, raw=raw) if text.path.endswith(".py") else text.value
        if _GLUED.search(sql):
            self._dynamic(node, module, BUILT)
            return
        sql = sql.replace(HOLE, "$1")
        moved = text if sql == text.value else text.derived(sql)
        starts = [0, *(found.end() for found in re.finditer("\n", sql))]
        # The text of a function that was called is reported where the migration calls it.
        elsewhere = text.path.endswith(".py") and text.path != module.name
        for operation in self._numbered(operations(sql)):
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

    def _sql(self, sql: str, node: ast.Call, module: Module, *, existing: str | None = None) -> None:
        call = segment(node, module.lines)
        for operation in self._numbered(operations(sql)):
            known = operation
            if existing and isinstance(operation, AlterColumnType):
                known = replace(operation, was=column_type(existing))
            self._add(
                known,
                node.lineno,
                column_of(node, module.lines) + 1,
                node.end_lineno or node.lineno,
                module.name,
                call,
            )

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
        self._actions.append(Action(placed, path, self._transactional, call))

    def _dynamic(self, node: ast.expr | ast.stmt, module: Module, reason: str) -> None:
        done = NotUnderstood(reason=reason, sql="", statement=self._statement)
        self._statement += 1
        end = node.lineno if isinstance(node, ast.FunctionDef) else node.end_lineno or node.lineno
        self._add(done, node.lineno, column_of(node, module.lines) + 1, end, module.name)

    def _once(self, node: ast.expr, module: Module, reason: str) -> None:
        if not any(
            isinstance(each.operation, NotUnderstood) and each.operation.reason == reason for each in self._actions
        ):
            self._dynamic(node, module, reason)


def _is_session(value: Any) -> bool:
    """Whether a value comes from Session(...) or sessionmaker()()."""
    while isinstance(value, Call):
        if value.name.replace("()", "").rpartition(".")[2] in ("Session", "sessionmaker", "scoped_session"):
            return True
        value = value.receiver
    return isinstance(value, Symbol) and value.name.endswith("Session")


def _without_parameters(sql: str, *, raw: bool) -> str:
    """Put a value where SQLAlchemy would (`:name`, not `::type` nor `\\:`), or the driver (`%s`, `%(name)s`, `%%`)."""
    if raw:
        return re.sub(r"%\(\w+\)s|%s", "$1", sql).replace("%%", "%")
    if ":" not in sql:
        return sql
    from backendgen.sql.lexer import replace_parameters

    plain = replace_parameters(sql.replace("\\:", "\0"), lambda _: "$1").replace("\0", ":")
    return re.sub(r"(?i)\bin\s+\$1", "IN ($1)", plain)  # an expanding parameter
