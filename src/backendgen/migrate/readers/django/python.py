"""RunPython: what its function does to rows and by SQL, and whether it works on the models of its time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from backendgen.migrate.quoting import label
from backendgen.migrate.readers.constants import constant
from backendgen.migrate.readers.django.expressions import quoted
from backendgen.migrate.readers.django.fields import Key
from backendgen.migrate.readers.django.state import State
from backendgen.migrate.readers.values import Call, Class, Function, Method, Module, Symbol
from backendgen.sql.operation import RunCode

APPS, SCHEMA_EDITOR = Symbol("django.apps.registry.apps"), Symbol("django.schema_editor")
EXECUTES = frozenset({"execute", "executemany"})
EDITS = frozenset({
    "add_constraint", "add_field", "add_index", "alter_db_table", "alter_field", "alter_index_together",
    "alter_unique_together", "create_model", "delete_model", "remove_constraint", "remove_field", "remove_index",
})  # fmt: skip
_CHANGES = {
    "update": "update", "bulk_update": "update", "save": "update", "asave": "update", "delete": "delete",
    "create": "insert", "bulk_create": "insert", "get_or_create": "insert", "update_or_create": "insert",
}  # fmt: skip
# Steps of a query after which it has not all rows of the table.
_LIMITS = (
    ".filter",
    ".exclude",
    ".get",
    ".first",
    ".last",
    ".latest",
    ".earliest",
    ".in_bulk",
    ".create",
    ".get_or_create",
)
_MAX_DEPTH = 4


def change_of_rows(call: Call, state: State, *, transactional: bool) -> str | None:
    """Return the SQL of a call that changes rows by way of `apps.get_model`, with as much as is known; None for others.

    Rows that are saved one by one are changed together only if one transaction holds them.
    """
    verb = _CHANGES.get(call.last)
    root = _root(call)
    if verb is None or root is None:
        return None
    key = _key(root)
    if key is None:
        return None
    model = state.model(key)
    table = quoted(state.table(model))
    after = call.name[call.name.index("get_model") + len("get_model") :]
    if verb == "insert" or (call.last == "save" and after.startswith("()")):
        return f"INSERT INTO {table} DEFAULT VALUES"
    limited = any(f"{step}." in f"{after}." or f"{step}[" in after for step in _LIMITS)
    limited = limited or call.last == "bulk_update" or (call.last in ("save", "asave") and not transactional)
    where = " WHERE $1" if limited else ""
    if verb == "delete":
        return f"DELETE FROM {table}{where}"
    named = [state.column(model, word) for word in call.kwargs] if call.last == "update" else []
    column = next(iter([*named, *(each.column for each in model.columns if not each.primary_key)]), "id")
    return f"UPDATE {table} SET {label(column)} = $1{where}"


def _root(call: Call) -> Call | None:
    """Return the call of `apps.get_model` that a chain of calls begins with."""
    step: Any = call
    while isinstance(step, Call | Method):
        if isinstance(step, Call) and step.last == "get_model" and step.name.startswith(APPS.name):
            return step
        step = step.receiver
    return None


def _key(root: Call) -> Key | None:
    words = [constant(each) for each in (root.arg(0, "app_label"), root.arg(1, "model_name")) if each is not None]
    if not words or not all(isinstance(each, str) for each in words):
        return None
    app, _, model = ".".join(words).rpartition(".")
    return app, model.lower()


def code_of(function: Function, name: str) -> RunCode:
    """Return the operation that stands for the function, with what is wrong in it whatever it does."""
    parameters = [*function.node.args.posonlyargs, *function.node.args.args]
    required = len(parameters) - len(function.node.args.defaults)
    fits = required <= 2 and (len(parameters) >= 2 or function.node.args.vararg is not None)
    imported = tuple(dict.fromkeys(_imported(function)))
    return RunCode(what="run Python", function=name, imported=imported, callable=fits)


def _imported(function: Function) -> Iterator[str]:
    """Yield the models that a function, or a function of its file that it calls, takes from the project itself."""
    module: Module = function.module
    helpers = {node.name: node for node in module.tree.body if isinstance(node, ast.FunctionDef)}
    waiting, seen = [function.node], {function.node.name}
    while waiting:
        node = waiting.pop()
        names = {**module.names}
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom):
                package = "." * inner.level + (inner.module or "")
                yield from (f"{package}.{each.name}" for each in inner.names if _is_model(package, each.name))
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                if inner.id in helpers and inner.id not in seen:
                    seen.add(inner.id)
                    waiting.append(helpers[inner.id])
                value = names.get(inner.id)
                if isinstance(value, Symbol) and not isinstance(value, Class):
                    package, _, word = value.name.rpartition(".")
                    if _is_model(package, word):
                        yield value.name


def _is_model(package: str, word: str) -> bool:
    """Whether an imported name is a model: a class of a module that is called models."""
    parts = package.split(".")
    return "models" in parts and parts[0] != "django" and word[:1].isupper() and not word.isupper()
