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
from backendgen.migrate.quoting import label
from backendgen.migrate.readers.alembic.calls import construct_sql, created, existing_type, is_operation, statements
from backendgen.migrate.readers.alembic.inspector import Database, answer, asks, is_instance
from backendgen.migrate.readers.alembic.naming import Convention, convention_of
from backendgen.migrate.readers.alembic.rows import changes_rows, finishes, loads, rows_sql
from backendgen.migrate.readers.constants import constant
from backendgen.migrate.readers.dialects import told
from backendgen.migrate.readers.evaluate import TOO_LONG, Evaluator
from backendgen.migrate.readers.expressions import TooLong
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.recorder import BUILT, Recorder, driver_values
from backendgen.migrate.readers.sql import column_type
from backendgen.migrate.readers.sqlalchemy import Dynamic, sql_text
from backendgen.migrate.readers.values import UNKNOWN, Batch, Call, Module, Text
from backendgen.sql.cursor import Dialect
from backendgen.sql.operation import AlterColumnType, ChangeRows, Operation

ORM = "rows are changed through the ORM"
_EXECUTES = frozenset({"execute", "exec_driver_sql", "scalar", "scalars", "execute_sql", "executescript"})
# What is added to a statement before it is executed, and does not change what it does.
_ADDED = frozenset({"bindparams", "params", "columns", "execution_options", "execute_if"})


class Script:
    """Reads the functions of revisions; modules that several revisions import are read once."""

    def __init__(self, reading: Reading) -> None:
        self._evaluator = Evaluator(reading, self._called, self._entered, objects=True)
        self._dialect: Dialect = told(reading.dialect)
        self._recorder = Recorder(dialect=self._dialect)
        self._written: set[str] = set()
        self._loaded = False
        self._database = Database()
        self._convention: Convention = {}

    def begin(self, versions: Path, dialect: Dialect) -> None:
        """Begin the history of a versions folder, with an empty database."""
        self._dialect = self._evaluator.dialect = dialect
        self._database = Database()
        self._convention = convention_of(versions, self._evaluator)

    def load(self, path: Path) -> Module | None:
        """Return a revision's module; None when it cannot be read. Raises Unparsable."""
        return self._evaluator.load(path)

    def up(self, function: ast.FunctionDef | None, module: Module) -> tuple[Action, ...]:
        """Follow upgrade(); what comes after finds the database as it leaves it."""
        actions = self.actions(function, module)
        self._database.waiting += (action.operation for action in actions)
        return actions

    def actions(self, function: ast.FunctionDef | None, module: Module) -> tuple[Action, ...]:
        """Follow a function of a module and return what it does, in order."""
        self._recorder, self._written, self._loaded = Recorder(dialect=self._dialect), set(), False
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

    def _called(self, call: Call, node: ast.expr | ast.stmt, module: Module) -> Any:
        """Record what a call does; return what it answers where the reader knows it."""
        own = call.name.startswith(("alembic.op.", "op.")) and call.receiver is None
        if own or isinstance(call.receiver, Batch):
            if call.last in _EXECUTES:
                self._execute(call.arg(0, "sqltext", "sql", default=UNKNOWN), node, module)
            elif is_operation(call.last):
                self._operation(call, node, module)
            return None
        if call.name == TOO_LONG:
            self._recorder.once(node, module, f"{constant(call.args[0])}() has too many steps to be followed")
            return None
        if call.name == "isinstance" and len(call.args) == 2:
            return is_instance(*call.args)
        if asks(call):
            return answer(call, self._database.after(action.operation for action in self._recorder.actions))
        if call.last in ("is_offline_mode", "as_sql") and "context" in call.name:
            return False
        if call.last == "quote" and "preparer" in call.name and call.args and isinstance(call.args[0], Text):
            return Text(label(call.args[0].value))
        self._method(call, node, module)
        return None

    def _method(self, call: Call, node: ast.expr | ast.stmt, module: Module) -> None:
        if call.last in _EXECUTES and (call.args or call.kwargs):
            raw = "cursor" in call.name or call.last == "exec_driver_sql"
            self._execute(call.arg(0, "statement", "sql", "operation", default=UNKNOWN), node, module, raw=raw)
        elif call.last in ("create", "drop"):
            self._made(call, node, module)
        elif call.last in ("create_all", "drop_all"):
            self._recorder.dynamic(node, module, f"{call.last}() changes whatever the models say when it runs")
        elif changes_rows(call):
            written = rows_sql(call)
            if written is None:
                self._recorder.once(node, module, ORM)
            else:
                self._rows(written, node, module)
        elif loads(call):
            self._loaded = True
        elif finishes(call) and self._loaded and not self._changes():
            self._recorder.once(node, module, ORM)

    def _changes(self) -> bool:
        return any(isinstance(each.operation, ChangeRows) for each in self._recorder.actions)

    def _rows(self, written: str, node: ast.expr | ast.stmt, module: Module) -> None:
        """Record rows that are changed through the ORM, once for each table and verb in a loop or a chain of assignments."""
        if written not in self._written:
            self._written.add(written)
            self._recorder.sql(written, node, module)

    def _made(self, call: Call, node: ast.expr | ast.stmt, module: Module) -> None:
        """Record `.create(bind)` and `.drop(bind)` of an Enum, a Table, an Index or a Sequence."""
        try:
            made = created(call, self._convention)
        except Dynamic as reason:
            self._recorder.dynamic(node, module, str(reason))
            return
        for sql in made:
            self._recorder.sql(sql, node, module)

    def _operation(self, call: Call, node: ast.expr | ast.stmt, module: Module) -> None:
        try:
            written = statements(call, self._convention)
        except Dynamic as reason:
            self._recorder.dynamic(node, module, f"op.{call.last}: {reason}")
            return
        existing = existing_type(call) if call.last == "alter_column" else None
        for sql in written:
            self._recorder.sql(sql, node, module, partial(_with_type, existing=existing) if existing else None)

    def _execute(self, value: Any, node: ast.expr | ast.stmt, module: Module, *, raw: bool = False) -> None:
        while isinstance(value, Call) and value.last in _ADDED and isinstance(value.receiver, Call):
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
