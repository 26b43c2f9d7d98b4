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
from backendgen.migrate.readers.dialects import told
from backendgen.migrate.readers.evaluate import Evaluator, Module, TooLong
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.recorder import BUILT, Recorder, driver_values
from backendgen.migrate.readers.sql import column_type
from backendgen.migrate.readers.sqlalchemy import Dynamic, sql_text
from backendgen.migrate.readers.values import UNKNOWN, Batch, Call, Symbol, Text
from backendgen.sql.operation import AlterColumnType, Operation

_EXECUTES = frozenset({"execute", "exec_driver_sql", "scalar", "scalars", "execute_sql", "executescript"})
_ORM_CHANGES = frozenset({
    "add", "add_all", "merge", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings", "flush", "commit",
})  # fmt: skip


class Script:
    """Reads the functions of revisions; modules that several revisions import are read once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._evaluator = Evaluator(reading, self._called, self._entered)
        self._recorder = Recorder(dialect=told(self._reading.dialect))

    def load(self, path: Path) -> Module | None:
        """Return a revision's module; None when it cannot be read. Raises Unparsable."""
        return self._evaluator.load(path)

    def actions(self, function: ast.FunctionDef | None, module: Module) -> tuple[Action, ...]:
        """Follow a function of a module and return what it does, in order."""
        self._recorder = Recorder(dialect=told(self._reading.dialect))
        if function is None:
            return ()
        try:
            self._evaluator.run(function, module)
        except TooLong:
            self._recorder.dynamic(function, module, f"{function.name}() has too many steps to be followed")
        except RecursionError:
            self._recorder.dynamic(function, module, f"{function.name}() is nested too deeply to be followed")
        return tuple(self._recorder.actions)

    def _entered(self, value: Any) -> Callable[[], None]:
        """Follow `with op.get_context().autocommit_block()`."""
        before = self._recorder.transactional
        if isinstance(value, Call) and value.last == "autocommit_block":
            self._recorder.transactional = False
        return partial(setattr, self._recorder, "transactional", before)

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
                self._recorder.dynamic(node, module, str(reason))
                return
            if made:
                self._recorder.sql(made, node, module)
        elif call.last in ("create_all", "drop_all"):
            self._recorder.dynamic(node, module, f"{call.last}() changes whatever the models say when it runs")
        elif (call.last in _ORM_CHANGES and _is_session(call.receiver)) or (
            call.last in ("update", "delete") and ".query" in call.name
        ):
            self._recorder.once(node, module, "rows are changed through the ORM")

    def _operation(self, call: Call, node: ast.Call, module: Module) -> None:
        try:
            written = statements(call)
        except Dynamic as reason:
            self._recorder.dynamic(node, module, f"op.{call.last}: {reason}")
            return
        existing = existing_type(call) if call.last == "alter_column" else None
        for sql in written:
            self._recorder.sql(sql, node, module, partial(_with_type, existing=existing) if existing else None)

    def _execute(self, value: Any, node: ast.Call, module: Module, *, raw: bool = False) -> None:
        if isinstance(value, Call) and value.last == "bindparams" and isinstance(value.receiver, Call):
            value = value.receiver
        if isinstance(value, Call) and value.last in ("text", "DDL") and value.args and isinstance(value.args[0], Text):
            value = value.args[0]
        if isinstance(value, Text):
            self._recorder.text(value, node, module, driver_values if raw else _without_parameters)
        elif isinstance(value, list | tuple) and value and all(isinstance(each, Text) for each in value):
            for each in value:
                self._recorder.text(each, node, module, driver_values if raw else _without_parameters)
        elif (sql := construct_sql(value) or sql_text(value)) is not None:
            self._recorder.sql(sql if sql.split()[0].isupper() else f"SELECT {sql}", node, module)
        else:
            self._recorder.dynamic(node, module, BUILT)


def _is_session(value: Any) -> bool:
    """Whether a value comes from Session(...) or sessionmaker()()."""
    while isinstance(value, Call):
        if value.name.replace("()", "").rpartition(".")[2] in ("Session", "sessionmaker", "scoped_session"):
            return True
        value = value.receiver
    return isinstance(value, Symbol) and value.name.endswith("Session")


def _with_type(operation: Operation, existing: str) -> Operation:
    """Add the old type that alter_column names."""
    return replace(operation, was=column_type(existing)) if isinstance(operation, AlterColumnType) else operation


def _without_parameters(sql: str) -> str:
    """Put a value where SQLAlchemy would: `:name`, not `::type` nor `\\:`."""
    if ":" not in sql:
        return sql
    from backendgen.sql.lexer import replace_parameters

    plain = replace_parameters(sql.replace("\\:", "\0"), lambda _: "$1").replace("\0", ":")
    return re.sub(r"(?i)\bin\s+\$1", "IN ($1)", plain)  # an expanding parameter
