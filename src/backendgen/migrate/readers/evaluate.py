"""Follows a migration function by its syntax tree: constants are computed, nothing is imported or run.

Where a condition is not known, both branches are followed; a loop over unknown values is followed once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendgen.code.parse import Unparsable, parse
from backendgen.migrate.readers.constants import (
    added,
    bind,
    constant,
    entered,
    imported,
    is_constant,
    module_file,
)
from backendgen.migrate.readers.expressions import MAX_ROUNDS, TooLong
from backendgen.migrate.readers.objects import MAX_DEPTH, Objects
from backendgen.migrate.readers.values import (
    UNKNOWN,
    Call,
    Class,
    Function,
    Module,
    Symbol,
    Text,
    Unknown,
)

MAX_ELSEWHERE = 5_000  # steps of one call into another module of the project
TOO_LONG = "too long"
# What ends a round of a loop, in the form of a returned value; known by identity.
_CONTINUE: list[Any] = [UNKNOWN]
_BREAK: list[Any] = [UNKNOWN]
Enter = Callable[[Any], Callable[[], None]]


@dataclass(slots=True)
class Evaluator(Objects):
    """Follows functions and the modules that they import; `enter` is told of each `with`.

    `enter` returns what is to be done when the block is left. With `objects`, a call into another module with too many steps
    is told as a call of TOO_LONG.
    """

    enter: Enter
    modules: dict[Path, Module | None] = field(default_factory=dict, init=False)
    depth: int = field(default=0, init=False)
    _generators: dict[int, bool] = field(default_factory=dict, init=False)

    # ---- modules

    def load(self, path: Path) -> Module | None:
        """Return a module with its global names computed; None when it cannot be read. Raises Unparsable."""
        path = path.absolute()
        if path not in self.modules:
            self.modules[path] = None
            source = self.reading.text(path)
            if source is not None:
                module = Module(path, self.reading.name(path), source, parse(source), source.split("\n"))
                self.modules[path] = module
                self._globals(module)
        return self.modules[path]

    def _globals(self, module: Module) -> None:
        """Compute a module's global names; its steps are its own, and those after the last are left out."""
        effect, self.effect = self.effect, _no_effect
        before, self._module = self._module, module
        steps, self.steps = self.steps, 0
        try:
            self.body(module.tree.body, module.names)
        except (TooLong, RecursionError):
            pass
        finally:
            self.effect, self._module, self.steps = effect, before, steps

    def run(self, function: ast.FunctionDef, module: Module, *args: Any) -> None:
        """Follow a function with the values of its first parameters. Raises TooLong."""
        self.steps, self.depth, self.site = 0, 0, None
        before, self._module = self._module, module
        parameters = (*function.args.posonlyargs, *function.args.args)
        try:
            self.body(function.body, {each.arg: value for each, value in zip(parameters, args, strict=False)})
        finally:
            self._module = before

    def within(self, module: Module, read: Callable[[Evaluator], Any]) -> Any:
        """Read something as if it stood in a module."""
        self.steps, self.depth, self.site = 0, 0, None
        before, self._module = self._module, module
        effect, self.effect = self.effect, _no_effect
        try:
            return read(self)
        except (TooLong, RecursionError):
            return None
        finally:
            self._module, self.effect = before, effect

    def attributes(self, node: ast.ClassDef, module: Module) -> dict[str, Any]:
        """Return the values that the body of a class gives its names; its calls are told. Raises TooLong."""
        self.steps, self.depth, self.site = 0, 0, None
        before, self._module = self._module, module
        names: dict[str, Any] = {}
        try:
            self.body(node.body, names)
        finally:
            self._module = before
        return names

    # ---- statements

    def body(self, statements: Iterable[ast.stmt], names: dict[str, Any]) -> Any:
        """Follow statements; return a one-element list with the value when a `return` is certain, else None."""
        for statement in statements:
            self.steps += 1
            if self.steps > self.limit:
                raise TooLong
            returned = self._statement(statement, names)
            if returned is not None:
                return returned
        return None

    def _statement(self, statement: ast.stmt, names: dict[str, Any]) -> Any:
        match statement:
            case ast.Expr(value=value):
                self.value(value, names)
            case ast.Assign(targets=targets, value=value):
                result = self.value(value, names)
                for target in targets:
                    bind(target, result, names)
                    if self.objects:
                        self._set(target, result, names)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                bind(target, self.value(value, names), names)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
                names[name] = added(self._name(name, names), self.value(value, names))
            case ast.Return(value=value):
                return [self.value(value, names) if value is not None else None]
            case ast.Raise():
                return [UNKNOWN]
            case ast.Continue():
                return _CONTINUE
            case ast.Break():
                return _BREAK
            case ast.If(test=test, body=body, orelse=orelse):
                return self._if(test, body, orelse, names)
            case ast.For(target=target, iter=iterated, body=body, orelse=orelse):
                return self._for(target, self.value(iterated, names), [*body], names) or self.body(orelse, names)
            case ast.While(body=body):
                self.body(body, names)
            case ast.With(items=items, body=body):
                return self._with(items, body, names)
            case ast.Try(body=body, orelse=orelse, finalbody=finalbody):
                returned = self.body(body, names)
                returned = returned or self.body(orelse, names)
                return self.body(finalbody, names) or returned
            case ast.FunctionDef(name=name):
                inner = self._module is not None and names is not self._module.names
                names[name] = Function(statement, self._module, closure=names if inner else None)
            case ast.ClassDef(name=name):
                names[name] = self._class(statement, names)
            case ast.Import() | ast.ImportFrom():
                names.update(imported(statement))
            case _:
                pass
        return None

    def _if(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], names: dict[str, Any]) -> Any:
        known = self._test(test, names)
        if is_constant(known):
            return self.body(body if constant(known) else orelse, names)
        first = self.body(body, names)
        second = self.body(orelse, names)
        return first if first is not None and second is not None else None

    def _for(self, target: ast.expr, iterated: Any, body: list[ast.stmt], names: dict[str, Any]) -> Any:
        once = Call(f"{iterated.name}[]", receiver=iterated) if isinstance(iterated, Call) else UNKNOWN
        rounds = list(iterated)[:MAX_ROUNDS] if isinstance(iterated, list | tuple | dict) else [once]
        for value in rounds:
            bind(target, Text(value) if isinstance(value, str) else value, names)
            returned = self.body(body, names)
            if returned is _BREAK:
                break
            if returned is not None and returned is not _CONTINUE and not isinstance(value, Unknown | Call):
                return returned
        return None

    def _with(self, items: list[ast.withitem], body: list[ast.stmt], names: dict[str, Any]) -> Any:
        leave = []
        for item in items:
            value = self.value(item.context_expr, names)
            leave.append(self.enter(value))
            if item.optional_vars is not None:
                bind(item.optional_vars, entered(value), names)
        try:
            return self.body(body, names)
        finally:
            for done in reversed(leave):
                done()

    # ---- functions

    def _follow(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if self.depth >= MAX_DEPTH:
            return UNKNOWN
        assert self._module is not None
        outer = self.site
        if outer is None and function.module is not self._module:
            self.site = node, self._module
        parameters = function.node.args
        positional = [*parameters.posonlyargs, *parameters.args]
        names: dict[str, Any] = dict(function.closure or {})
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(parameters.defaults)) + [*parameters.defaults]
        before, self._module, self.depth = self._module, function.module, self.depth + 1
        yielded = self._yielded
        try:
            for parameter, default in zip(positional, defaults, strict=True):
                names[parameter.arg] = UNKNOWN if default is None else self.value(default, {})
            for parameter, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
                names[parameter.arg] = UNKNOWN if default is None else self.value(default, {})
            if parameters.vararg:
                names[parameters.vararg.arg] = list(args[len(positional) :])
            names.update({parameter.arg: value for parameter, value in zip(positional, args, strict=False)})
            names.update(kwargs)
            self._yielded = [] if self._yields(function.node) else None
            if self.objects and outer is None and self.site is not None:
                returned = self._elsewhere(function, names, node)
            else:
                returned = self.body(function.node.body, names)
            generated = self._yielded
        finally:
            self._module, self.depth, self.site, self._yielded = before, self.depth - 1, outer, yielded
        if generated is not None:
            return generated
        return returned[0] if returned else None

    def _elsewhere(self, function: Function, names: dict[str, Any], node: ast.Call) -> Any:
        """Follow a function of another module, not for ever: the rest of the migration is worth more."""
        limit, self.limit = self.limit, min(self.limit, self.steps + MAX_ELSEWHERE)
        try:
            return self.body(function.node.body, names)
        except TooLong:
            if self.steps > limit:
                raise
            self._tell(Call(TOO_LONG, (Text(function.node.name),)), node)
            return None
        finally:
            self.limit = limit

    def _yields(self, node: ast.FunctionDef) -> bool:
        if id(node) not in self._generators:
            inside = (isinstance(each, ast.Yield | ast.YieldFrom) for each in ast.walk(node))
            self._generators[id(node)] = any(inside)
        return self._generators[id(node)]

    def _project_value(self, name: str, folder: Path | None = None, depth: int = MAX_DEPTH) -> Any:
        """Return what an import of the project's own leads to, also by way of other modules; None for other packages."""
        if name.startswith(("alembic.", "sqlalchemy", "sqlmodel.", "django.")) or "." not in name:
            return None
        assert self._module is not None
        path = module_file(name.rpartition(".")[0] or ".", folder or self._module.path.parent)
        if path is None:
            return None
        try:
            module = self.load(path)
        except Unparsable:
            return None
        value = module.names.get(name.rpartition(".")[2]) if module else None
        if depth and module and isinstance(value, Symbol) and not isinstance(value, Class) and value.name != name:
            return self._project_value(value.name, module.path.parent, depth - 1) or value
        return value


def _no_effect(call: Call, node: ast.Call, module: Module) -> None:
    """At import time a migration does nothing."""
