"""One migration file: what its class says, and its operations followed into Actions up and down."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from backendgen.migrate.history import Action, Migration
from backendgen.migrate.readers.django.editor import Editor
from backendgen.migrate.readers.django.expressions import quoted
from backendgen.migrate.readers.django.fields import origin
from backendgen.migrate.readers.django.operations import CHANGES
from backendgen.migrate.readers.django.python import (
    APPS,
    EDITS,
    EXECUTES,
    SCHEMA_EDITOR,
    change_of_rows,
    code_of,
)
from backendgen.migrate.readers.django.source import Source
from backendgen.migrate.readers.django.state import State
from backendgen.migrate.readers.django.transitions import STATES, Step
from backendgen.migrate.readers.evaluate import Evaluator
from backendgen.migrate.readers.expressions import TooLong
from backendgen.migrate.readers.recorder import BUILT, Recorder, driver_values
from backendgen.migrate.readers.sqlalchemy import Dynamic, words
from backendgen.migrate.readers.values import UNKNOWN, Call, Class, Function, Instance, Module, Symbol, Text
from backendgen.sql.cursor import Dialect
from backendgen.sql.lexer import split
from backendgen.sql.replay import Schema

_EXTENSIONS = {
    "BloomExtension": "bloom", "BtreeGinExtension": "btree_gin", "BtreeGistExtension": "btree_gist",
    "CITextExtension": "citext", "CryptoExtension": "pgcrypto", "HStoreExtension": "hstore",
    "TrigramExtension": "pg_trgm", "UnaccentExtension": "unaccent",
}  # fmt: skip
_NOOP = ".noop"


@dataclass(slots=True)
class _Run:
    """One direction of one migration while it is followed."""

    source: Source
    editor: Editor
    recorder: Recorder
    down: bool = False
    follows: bool = True
    applied: int = 0

    def flush(self, node: ast.expr | ast.stmt) -> None:
        """Record what the editor has run, and let the schema follow."""
        for sql in self.editor.statements:
            self.recorder.sql(sql, node, self.source.module)
        self.editor.statements = []
        for action in self.recorder.actions[self.applied :] if self.follows else ():
            self.editor.schema.apply(action.operation)
        self.applied = len(self.recorder.actions)


class Script:
    """Reads migrations in the order in which they are applied; `state` and `schema` are what they have led to so far."""

    def __init__(self, evaluator: Evaluator, settings: Mapping[str, str], dialect: Dialect) -> None:
        self.state = State(settings)
        self._dialect = dialect
        self._schema = Schema()
        self._evaluator = evaluator

    def migration(self, source: Source, parents: tuple[str, ...]) -> Migration:
        """Follow a migration's operations forwards and, when all can be taken back, backwards."""
        atomic = source.attributes.get("atomic") is not False
        up = _Run(source, Editor(self.state, self._schema), Recorder(transactional=atomic, dialect=self._dialect))
        if source.unread:
            up.recorder.dynamic(source.node, source.module, source.unread)
        steps: list[tuple[Step | None, ast.expr | ast.stmt]] = []
        irreversible: list[Action] = []
        for number, (call, node) in enumerate(source.operations):
            step = self._step(call, source.app, self.state) if call is not None else None
            before = len(up.recorder.actions)
            self._perform(step, number, node, up, self.state)
            steps.append((step, node))
            if step is not None:
                self.state = step.after
                if not _is_reversible(step.call) and len(up.recorder.actions) > before:
                    irreversible.append(up.recorder.actions[before])
        self._finish(up)
        down = _Run(
            source, Editor(self.state, self._schema), Recorder(transactional=atomic, dialect=self._dialect), down=True
        )
        if not irreversible:
            nested = any(step and origin(step.call) == "SeparateDatabaseAndState" for step, _ in steps)
            if nested or len(steps) > 1:  # one step alone asks for nothing that it has changed itself
                down.editor.schema = self._schema.copy()
            else:
                down.follows = False
            for number, (step, node) in reversed(list(enumerate(steps))):
                self._perform(step.reversed() if step else None, number, node, down, self.state)
            self._finish(down)
        # Whoever gives `noop` as the reverse says that nothing has to be undone.
        one_way = not down.recorder.actions
        return Migration(
            ".".join(source.key), source.module.name, "django", tuple(up.recorder.actions),
            tuple(down.recorder.actions), parents, one_way, tuple(irreversible),
        )  # fmt: skip

    def _step(self, call: Call, app: str, before: State) -> Step:
        """Move the state over an operation."""
        after = before.copy()
        step = Step(call, app, before, after)
        kind = origin(call)
        if kind in ("SeparateDatabaseAndState", "RunSQL"):
            for inner in _listed(call.arg(1 if kind == "SeparateDatabaseAndState" else 2, "state_operations")):
                moved = self._step(inner, app, after)
                after = moved.after
            return replace(step, after=after)
        change = STATES.get(kind)
        if change is not None:
            with suppress(Dynamic):  # it is said when the database is changed
                change(step, after)
        return step

    def _finish(self, run: _Run) -> None:
        """Run what was deferred to the end of the migration, each at the operation that deferred it."""
        nodes = dict(enumerate(node for _, node in run.source.operations))
        for statement in run.editor.deferred:
            run.editor.run(statement.sql)
            run.flush(nodes.get(statement.operation, run.source.node))
        run.editor.deferred = []

    # ---- operations

    def _perform(self, step: Step | None, number: int, node: ast.expr | ast.stmt, run: _Run, state: State) -> None:
        if step is None:
            if not run.down:
                run.recorder.dynamic(node, run.source.module, "the operation is not known before it runs")
            return
        run.editor.begin(number, step.after)
        try:
            self._change(step, number, node, run)
        except Dynamic as reason:
            run.editor.statements = []
            run.recorder.dynamic(node, run.source.module, f"{step.call.last}: {reason}")
        run.flush(node)

    def _change(self, step: Step, number: int, node: ast.expr | ast.stmt, run: _Run) -> None:
        kind = origin(step.call)
        own = "database_backwards" if run.down else "database_forwards"
        receiver = step.call.receiver
        method = self._evaluator.member(receiver, own) if isinstance(receiver, Class) else None
        if isinstance(method, Function):
            self._follow(
                method,
                [_instance(step.call, self._evaluator), Text(step.app), SCHEMA_EDITOR, UNKNOWN, UNKNOWN],
                node,
                run,
                step,
            )
        elif kind in CHANGES:
            CHANGES[kind][1 if run.down else 0](step, run.editor)
        elif kind == "RunSQL":
            written = step.call.arg(1, "reverse_sql") if run.down else step.call.arg(0, "sql", default=UNKNOWN)
            self._run_sql(written, node, run)
        elif kind == "RunPython":
            self._run_python(step, node, run)
        elif kind == "SeparateDatabaseAndState":
            self._separate(step, number, node, run)
        elif kind in _EXTENSIONS or kind == "CreateExtension":
            name = _EXTENSIONS.get(kind) or words(step.call.arg(0, "name"), "the extension's name")
            run.editor.run(f"{'DROP EXTENSION IF' if run.down else 'CREATE EXTENSION IF NOT'} EXISTS {quoted(name)}")
        elif kind in ("CreateCollation", "RemoveCollation"):
            name = quoted(words(step.call.arg(0, "name"), "the collation's name"))
            made = (kind == "CreateCollation") != run.down
            locale = words(step.call.arg(1, "locale"), "the locale")
            run.editor.run(f"CREATE COLLATION {name} (locale={quoted(locale)})" if made else f"DROP COLLATION {name}")
        elif not run.down:
            raise Dynamic(f"{step.call.name} is not an operation of Django's, and not in this project")

    def _separate(self, step: Step, number: int, node: ast.expr | ast.stmt, run: _Run) -> None:
        """Only database_operations touch the database, each after what those before it did to the state."""
        state = step.after if run.down else step.before
        inner: list[tuple[Step, ast.expr | ast.stmt]] = []
        for call in _listed(step.call.arg(0, "database_operations")):
            made = self._step(call, step.app, state)
            inner.append((made, run.source.place(call, node)))
            state = made.after
        for each, place in reversed(inner) if run.down else inner:
            self._perform(each.reversed() if run.down else each, number, place, run, state)

    def _run_sql(self, value: Any, node: ast.expr | ast.stmt, run: _Run) -> None:
        if isinstance(value, Symbol) and value.name.endswith(_NOOP):
            return
        for each in value if isinstance(value, list | tuple) else [value]:
            text, values = each, _as_written
            if isinstance(each, list | tuple) and len(each) == 2:
                text, values = each[0], driver_values
            if isinstance(text, Text):
                before = run.recorder.transactional
                # The server runs a text of several statements as one transaction, whatever Django does.
                run.recorder.transactional = before or len([*islice(split(text.value), 2)]) > 1
                run.recorder.text(text, node, run.source.module, values)
                run.recorder.transactional = before
            elif not (isinstance(text, Symbol) and text.name.endswith(_NOOP)):
                run.recorder.dynamic(node, run.source.module, BUILT)

    def _run_python(self, step: Step, node: ast.expr | ast.stmt, run: _Run) -> None:
        code = step.call.arg(1, "reverse_code") if run.down else step.call.arg(0, "code", default=UNKNOWN)
        bound: list[Any] = []
        if isinstance(code, Call) and code.last == "partial" and code.args:
            code, *bound = code.args
        if isinstance(code, Symbol) and code.name.endswith(_NOOP):
            return
        if not isinstance(code, Function):
            code = _lambda(node, run) or code
        before = run.recorder.transactional
        run.recorder.transactional = before or step.call.arg(2, "atomic") is True
        if isinstance(code, Function):
            run.recorder.operation(code_of(code, code.node.name), node, run.source.module)
            self._follow(code, [*bound, APPS, SCHEMA_EDITOR], node, run, step)
        else:
            named = code.name if isinstance(code, Symbol | Call) else "its function"
            run.recorder.dynamic(node, run.source.module, f"RunPython: {named} is not known before it runs")
        run.recorder.transactional = before

    def _follow(self, function: Function, args: list[Any], node: ast.expr | ast.stmt, run: _Run, step: Step) -> None:
        """Follow a function of the project: the rows that it changes, the SQL that it runs."""
        here = function.module is run.source.module

        def done(call: Call, at: ast.Call, module: Module) -> None:
            self._done(call, at if here else node, run.source.module, run, step)

        before, self._evaluator.effect = self._evaluator.effect, done
        try:
            self._evaluator.run(function.node, function.module, *args)
        except TooLong:
            run.recorder.dynamic(node, run.source.module, f"{function.node.name}() has too many steps to be followed")
        except RecursionError:
            run.recorder.dynamic(node, run.source.module, f"{function.node.name}() is nested too deeply to be followed")
        finally:
            self._evaluator.effect = before

    def _done(self, call: Call, node: ast.expr | ast.stmt, module: Module, run: _Run, step: Step) -> None:
        state = step.after if run.down else step.before
        if (sql := change_of_rows(call, state, transactional=run.recorder.transactional)) is not None:
            run.recorder.sql(sql, node, module)
        elif call.last in EXECUTES and any(word in call.name for word in ("cursor", "schema_editor", "connection")):
            value = call.arg(0, "sql", default=UNKNOWN)
            if isinstance(value, Text):
                has_values = len(call.args) > 1 or "params" in call.kwargs
                run.recorder.text(value, node, module, driver_values if has_values else _as_written)
            else:
                run.recorder.dynamic(node, module, BUILT)
        elif call.name.startswith(SCHEMA_EDITOR.name) and call.last in EDITS:
            run.recorder.dynamic(node, module, f"schema_editor.{call.last} is called with what only a run would tell")
        elif call.last == "call_command":
            run.recorder.once(node, module, "call_command does what the command does when it runs")


def _is_reversible(call: Call) -> bool:
    """Whether Django can take an operation back; it refuses the whole migration otherwise."""
    kind = origin(call)
    if kind == "RunSQL":
        return call.arg(1, "reverse_sql") is not None
    if kind == "RunPython":
        return call.arg(1, "reverse_code") is not None
    if kind == "SeparateDatabaseAndState":
        return True  # Django asks the outer operation only
    return True


def _listed(value: Any) -> list[Call]:
    return [each for each in value if isinstance(each, Call)] if isinstance(value, list | tuple) else []


def _lambda(node: ast.expr | ast.stmt, run: _Run) -> Function | None:
    """Return `lambda apps, schema_editor: ...` as a function."""
    given = (
        [*node.args[:1], *(each.value for each in node.keywords if each.arg == "code")]
        if isinstance(node, ast.Call)
        else []
    )
    for each in given:
        if isinstance(each, ast.Lambda):
            body: list[ast.stmt] = [ast.copy_location(ast.Expr(each.body), each)]
            made = ast.FunctionDef("lambda", each.args, body, [])
            return Function(ast.copy_location(made, each), run.source.module)
    return None


def _instance(call: Call, evaluator: Evaluator) -> Instance:
    """Return what `self` is in a custom operation: what its __init__ keeps of its arguments under their own names."""
    init = evaluator.member(call.receiver, "__init__") if isinstance(call.receiver, Class) else None
    values: dict[str, Any] = dict(call.kwargs)
    if isinstance(init, Function):
        names = [each.arg for each in init.node.args.args[1:]]
        given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
        for statement in init.node.body:
            match statement:
                case ast.Assign(
                    targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=ast.Name(id=name)
                ):
                    values[attribute] = given.get(name, UNKNOWN)
    return Instance(values)


def _as_written(sql: str) -> str:
    return sql
