"""Follows a migration function by its syntax tree: constants are computed, nothing is imported or run.

Where a condition is not known, both branches are followed; a loop over unknown values is followed once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendgen.code.parse import Unparsable, parse
from backendgen.migrate.readers.constants import (
    added,
    binary,
    bind,
    built_in,
    collection_method,
    compared,
    constant,
    decided,
    entered,
    imported,
    inverted,
    is_constant,
    is_key,
    module_file,
    subscripted,
    text_method,
)
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.sql_files import file_text, path_method
from backendgen.migrate.readers.values import (
    HOLE,
    UNKNOWN,
    Batch,
    Call,
    Class,
    FilePath,
    Function,
    Instance,
    Method,
    Symbol,
    Text,
    Unknown,
    column_of,
    pieces_at,
    string_at,
)

MAX_STEPS = 50_000
MAX_DEPTH = 12
MAX_ROUNDS = 1_000
_FOLLOWED_BUILT_INS = ("open", "str", "list", "isinstance", "getattr")

Effect = Callable[[Call, ast.Call, "Module"], None]
Enter = Callable[[Any], Callable[[], None]]


class TooLong(Exception):
    """The function has more steps than a migration has a reason for."""


@dataclass(slots=True)
class Module:
    """A parsed file of the project and the values of its global names."""

    path: Path
    name: str
    source: str
    tree: ast.Module
    lines: list[str]
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Evaluator:
    """Evaluates expressions and follows functions. `effect` is told of each call, `enter` of each `with`.

    `enter` returns what is to be done when the block is left. A call inside a function that is followed is told at the place
    where the migration itself called out (`site`).
    """

    reading: Reading
    effect: Effect
    enter: Enter
    modules: dict[Path, Module | None] = field(default_factory=dict)
    steps: int = 0
    depth: int = 0
    site: tuple[ast.Call, Module] | None = None
    _module: Module | None = None

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
            if self.steps > MAX_STEPS:
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
            case ast.AnnAssign(target=target, value=value) if value is not None:
                bind(target, self.value(value, names), names)
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=value):
                names[name] = added(self._name(name, names), self.value(value, names))
            case ast.Return(value=value):
                return [self.value(value, names) if value is not None else None]
            case ast.Raise():
                return [UNKNOWN]
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
                names[name] = Function(statement, self._module)
            case ast.ClassDef(name=name):
                names[name] = self._class(statement, names)
            case ast.Import() | ast.ImportFrom():
                names.update(imported(statement))
            case _:
                pass
        return None

    def _if(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], names: dict[str, Any]) -> Any:
        known = self.value(test, names)
        if is_constant(known):
            return self.body(body if constant(known) else orelse, names)
        first = self.body(body, names)
        second = self.body(orelse, names)
        return first if first is not None and second is not None else None

    def _for(self, target: ast.expr, iterated: Any, body: list[ast.stmt], names: dict[str, Any]) -> Any:
        once = Call(f"{iterated.name}[]", receiver=iterated) if isinstance(iterated, Call) else UNKNOWN
        rounds = list(iterated)[:MAX_ROUNDS] if isinstance(iterated, list | tuple | dict) else [once]
        for value in rounds:
            bind(target, value, names)
            returned = self.body(body, names)
            if returned is not None and not isinstance(value, Unknown | Call):
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

    def _class(self, node: ast.ClassDef, names: dict[str, Any]) -> Any:
        """Read a column type of the project as the type that it wraps (`impl` of a TypeDecorator), a model as its table."""
        inner: dict[str, Any] = {}
        for statement in node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                if any(isinstance(target, ast.Name) and target.id in ("impl", "__tablename__") for target in targets):
                    for target in targets:
                        bind(target, self.value(statement.value, names | inner), inner)
        if "impl" in inner:
            return inner["impl"]
        if isinstance(inner.get("__tablename__"), Text):
            return Call("sqlalchemy.table", (inner["__tablename__"],))
        return Class(node.name, node, self._module, tuple(self.value(base, names) for base in node.bases))

    # ---- expressions

    def value(self, node: ast.expr | None, names: dict[str, Any]) -> Any:
        """Return what an expression is as far as constants tell, else UNKNOWN, a Symbol or a Call."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooLong
        match node:
            case ast.Constant(value=str()):
                assert self._module is not None
                return string_at(node, self._module.lines, self._module.name)
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._name(name, names)
            case ast.Attribute(value=value, attr=attribute):
                return self._attribute(self.value(value, names), attribute)
            case ast.Call():
                return self._call(node, names)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return self._elements(elements, names)
            case ast.Dict(keys=keys, values=values):
                pairs = [(constant(self.value(key, names)), self.value(value, names))
                         for key, value in zip(keys, values, strict=True) if key is not None]  # fmt: skip
                return {key: value for key, value in pairs if is_key(key)}
            case ast.BinOp(left=left, op=operator, right=right):
                return binary(operator, self.value(left, names), self.value(right, names))
            case ast.JoinedStr():
                return self._joined(node, names)
            case ast.Subscript(value=value, slice=index):
                return subscripted(self.value(value, names), constant(self.value(index, names)))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                known = self.value(test, names)
                return self.value(body if constant(known) else orelse, names) if is_constant(known) else UNKNOWN
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return self._operator(node, names)
            case (
                ast.ListComp(elt=element, generators=[ast.comprehension(target=target, iter=iterated, ifs=[])])
                | ast.GeneratorExp(elt=element, generators=[ast.comprehension(target=target, iter=iterated, ifs=[])])
            ):
                return self._comprehension(element, target, iterated, names)
            case _:
                return UNKNOWN

    def _operator(self, node: ast.Compare | ast.BoolOp | ast.UnaryOp, names: dict[str, Any]) -> Any:
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return compared(operator, self.value(left, names), self.value(right, names))
            case ast.BoolOp(op=operator, values=values):
                return decided(operator, [self.value(each, names) for each in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                known = self.value(operand, names)
                return not constant(known) if is_constant(known) else UNKNOWN
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return inverted(self.value(operand, names))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self.value(operand, names)
                return -number if isinstance(number, int | float) else UNKNOWN
            case _:
                return UNKNOWN

    def _name(self, name: str, names: dict[str, Any]) -> Any:
        assert self._module is not None
        if name == "__file__":
            return FilePath(self._module.path)
        value = names[name] if name in names else self._module.names.get(name, UNKNOWN)
        if isinstance(value, Symbol):
            found = self._project_value(value.name)
            return value if found is None else found
        return Symbol(name) if value is UNKNOWN and name in _FOLLOWED_BUILT_INS else value

    def _attribute(self, value: Any, attribute: str) -> Any:
        match value:
            case Symbol(name=name) if f"{name}.{attribute}".endswith("connection.vendor"):
                return Text(self.reading.dialect or "postgresql")
            case Class(name=name):
                return self.member(value, attribute) or Symbol(f"{name}.{attribute}")
            case Instance(values=values):
                return values.get(attribute, UNKNOWN)
            case Symbol(name=name):
                found = self._project_value(f"{name}.{attribute}")
                return Symbol(f"{name}.{attribute}") if found is None else found
            case Call(name="sqlalchemy.table", args=(table, *_)) if attribute in ("__tablename__", "__table__"):
                return table if attribute == "__tablename__" else value
            case FilePath(path=path) if attribute == "parent":
                return FilePath(path.parent)
            case FilePath(path=path) if attribute == "parents":
                return [FilePath(parent) for parent in path.parents]
            case Call(name=name) | Method(name=name) if f"{name}.{attribute}".endswith(("dialect.name", ".vendor")):
                return Text(self.reading.dialect or "postgresql")
            case Text() | FilePath() | Batch() | Call() | Method() | list() | tuple() | dict():
                return Method(value, f"{value.name}.{attribute}" if isinstance(value, Call | Method) else attribute)
            case _:
                return UNKNOWN

    def member(self, owner: Class, name: str, depth: int = MAX_DEPTH) -> Any:
        """Return what the body of a class, or of a base of the project, gives a name; None when that is not known."""
        before, self._module = self._module, owner.module
        try:
            for statement in reversed(owner.node.body):
                match statement:
                    case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                        return self.value(value, {})
                    case ast.FunctionDef(name=found) if found == name:
                        return Function(statement, owner.module)
                    case ast.ClassDef(name=found) if found == name:
                        return self._class(statement, {})
        finally:
            self._module = before
        inherited = (self.member(base, name, depth - 1) for base in owner.bases if isinstance(base, Class) and depth)
        return next((each for each in inherited if each is not None), None)

    def _elements(self, elements: list[ast.expr], names: dict[str, Any]) -> list[Any]:
        result: list[Any] = []
        for element in elements:
            if isinstance(element, ast.Starred):
                inner = self.value(element.value, names)
                result.extend(inner if isinstance(inner, list | tuple) else [UNKNOWN])
            else:
                result.append(self.value(element, names))
        return result

    def _joined(self, node: ast.JoinedStr, names: dict[str, Any]) -> Text:
        assert self._module is not None
        text = Text("")
        for part, piece in zip(node.values, pieces_at(node, self._module.lines, self._module.name), strict=True):
            text = text.plus(piece or self._inserted(part, names))
        return text

    def _inserted(self, part: ast.expr, names: dict[str, Any]) -> Text:
        """Return what the braces of a formatted string insert, placed at the braces."""
        assert self._module is not None
        value = self.value(part.value if isinstance(part, ast.FormattedValue) else part, names)
        text = str(constant(value)) if isinstance(value, Text | int | str) else HOLE
        return Text(text, self._module.name, ((0, part.lineno, column_of(part, self._module.lines) + 1),))

    def _comprehension(self, element: ast.expr, target: ast.expr, iterated: ast.expr, names: dict[str, Any]) -> Any:
        source = self.value(iterated, names)
        if not isinstance(source, list | tuple | dict):
            return UNKNOWN
        result = []
        for each in list(source)[:MAX_ROUNDS]:
            inner = dict(names)
            bind(target, each, inner)
            result.append(self.value(element, inner))
        return result

    # ---- calls

    def _call(self, node: ast.Call, names: dict[str, Any]) -> Any:
        function = self.value(node.func, names)
        args = tuple(self._elements(node.args, names))
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value, names)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, Mapping):
                kwargs.update({key: each for key, each in value.items() if isinstance(key, str)})
        match function:
            case Function():
                return self._follow(function, args, kwargs, node)
            case Class(name=name):
                made = Call(name, args, kwargs, function)
                self._tell(made, node)
                return made
            case Symbol(name=name):
                return self._called(name, args, kwargs, node)
            case Method(receiver=receiver, name=name):
                return self._method(receiver, name, args, kwargs, node)
            case Call(name=name):
                return Call(f"{name}()", args, kwargs, function)
            case _:
                return UNKNOWN

    def _called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Any:
        simple = built_in(name, args)
        if simple is not None:
            return simple
        found = self._project_value(name)
        if isinstance(found, Function):
            return self._follow(found, args, kwargs, node)
        call = Call(name, args, kwargs)
        self._tell(call, node)
        return call

    def _method(self, receiver: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if isinstance(receiver, Text):
            return text_method(receiver, name, args, kwargs)
        if isinstance(receiver, FilePath):
            return path_method(receiver, name, args, self.reading)
        if isinstance(receiver, list | tuple | dict):
            return collection_method(receiver, name, args)
        call = Call(name, args, kwargs, receiver)
        if name == "open.read" and isinstance(receiver, Call) and receiver.args:
            return file_text(receiver.args[0], self.reading)
        self._tell(call, node)
        return call

    def _tell(self, call: Call, node: ast.Call) -> None:
        assert self._module is not None
        self.effect(call, *(self.site or (node, self._module)))

    def _follow(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if self.depth >= MAX_DEPTH:
            return UNKNOWN
        assert self._module is not None
        outer = self.site
        if outer is None and function.module is not self._module:
            self.site = node, self._module
        parameters = function.node.args
        positional = [*parameters.posonlyargs, *parameters.args]
        names: dict[str, Any] = {}
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(parameters.defaults)) + [*parameters.defaults]
        before, self._module, self.depth = self._module, function.module, self.depth + 1
        try:
            for parameter, default in zip(positional, defaults, strict=True):
                names[parameter.arg] = UNKNOWN if default is None else self.value(default, {})
            for parameter, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
                names[parameter.arg] = UNKNOWN if default is None else self.value(default, {})
            if parameters.vararg:
                names[parameters.vararg.arg] = list(args[len(positional) :])
            names.update({parameter.arg: value for parameter, value in zip(positional, args, strict=False)})
            names.update(kwargs)
            returned = self.body(function.node.body, names)
        finally:
            self._module, self.depth, self.site = before, self.depth - 1, outer
        return returned[0] if returned else None

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
