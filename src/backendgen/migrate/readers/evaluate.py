"""Follows a migration function by its syntax tree: constants are computed, nothing is imported or run.

Where a condition is not known, both branches are followed; a loop over unknown values is followed once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backendgen.code.parse import Unparsable, parse
from backendgen.migrate.readers.constants import (
    added,
    binary,
    bind,
    built_in,
    chosen,
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
    REFLECTED,
    UNKNOWN,
    Batch,
    Call,
    Class,
    FilePath,
    Function,
    Instance,
    Member,
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
MAX_ELSEWHERE = 5_000  # steps of one call into another module of the project
TOO_LONG = "too long"
_FOLLOWED_BUILT_INS = frozenset({
    "open", "str", "list", "isinstance", "getattr", "set", "frozenset", "tuple", "sorted", "len", "dict", "enumerate",
    "zip", "any", "all", "next", "bool", "int", "float", "reversed", "setattr", "type",
})  # fmt: skip

# What ends a round of a loop, in the form of a returned value; known by identity.
_CONTINUE: list[Any] = [UNKNOWN]
_BREAK: list[Any] = [UNKNOWN]
_DIALECT = ("dialect.name", "engine.name", ".vendor", "__dialect__")
_NO_CALL = ast.Call(ast.Name("type"), [], [])

Effect = Callable[[Call, Any, "Module"], Any]  # the call, its node, the module of the node
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

    `effect` may answer with the value that the call returns; None leaves it a Call. `enter` returns what is to be done when
    the block is left. A call inside a function that is followed is told at the place where the migration itself called out
    (`site`). With `objects`, the project's own classes are made into Instances, a value that is given to an attribute of a
    Call is told as a call of `setattr`, and a call into another module with too many steps as TOO_LONG.
    """

    reading: Reading
    effect: Effect
    enter: Enter
    modules: dict[Path, Module | None] = field(default_factory=dict)
    objects: bool = False
    dialect: str = "postgresql"  # the database where the user names none
    steps: int = 0
    limit: int = MAX_STEPS
    depth: int = 0
    site: tuple[ast.Call, Module] | None = None
    _yielded: list[Any] | None = None
    _module: Module | None = None
    _texts: dict[int, Text] = field(default_factory=dict)  # string literals by the identity of their nodes
    _generators: dict[int, bool] = field(default_factory=dict)

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
            return self._implementation(node, inner["impl"])
        if isinstance(inner.get("__tablename__"), Text):
            return Call("sqlalchemy.table", (inner["__tablename__"],))
        return Class(node.name, node, self._module, tuple(self.value(base, names) for base in node.bases))

    def _set(self, target: ast.expr, value: Any, names: dict[str, Any]) -> None:
        """Give the attributes of an assignment's target their values."""
        if isinstance(target, ast.Tuple | ast.List):
            fits = isinstance(value, list | tuple) and len(value) == len(target.elts)
            for position, element in enumerate(target.elts):
                self._set(element, value[position] if fits else UNKNOWN, names)
        if not isinstance(target, ast.Attribute):
            return
        owner = self.value(target.value, names)
        if isinstance(owner, Call):
            self._tell(Call("setattr", (owner, Text(target.attr), value)), target)
        elif isinstance(owner, Instance) and owner.owner is not None and isinstance(owner.values, dict):
            owner.values[target.attr] = value

    def _implementation(self, node: ast.ClassDef, impl: Any) -> Any:
        """Return the type that a TypeDecorator takes on PostgreSQL, where its load_dialect_impl tells."""
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "load_dialect_impl":
                own = Instance({"impl": impl})
                chosen = self._follow(Function(statement, self._module), (own, Call("dialect")), {}, _NO_CALL)
                if isinstance(chosen, Call) and chosen.last == "type_descriptor" and chosen.args:
                    return chosen.args[0]
        return impl

    # ---- expressions

    def value(self, node: ast.expr | None, names: dict[str, Any]) -> Any:
        """Return what an expression is as far as constants tell, else UNKNOWN, a Symbol or a Call."""
        self.steps += 1
        if self.steps > self.limit:
            raise TooLong
        match node:
            case ast.Constant(value=str()):
                assert self._module is not None
                text = self._texts.get(id(node))
                if text is None:
                    text = self._texts[id(node)] = string_at(node, self._module.lines, self._module.name)
                return text
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
                known = self._test(test, names)
                return self.value(body if constant(known) else orelse, names) if is_constant(known) else UNKNOWN
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return self._operator(node, names)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                return self._comprehension(node, names)
            case ast.NamedExpr(target=target, value=value):
                names[target.id] = self.value(value, names)
                return names[target.id]
            case ast.Yield(value=value):
                self._yield([self.value(value, names)])
                return UNKNOWN
            case ast.YieldFrom(value=value):
                inner = self.value(value, names)
                self._yield(inner if isinstance(inner, list) else [UNKNOWN])
                return UNKNOWN
            case _:
                return UNKNOWN

    def _yield(self, values: list[Any]) -> None:
        if self._yielded is not None:
            self._yielded += values

    def _test(self, node: ast.expr, names: dict[str, Any]) -> Any:
        """Return the truth of a condition: of `a and b` it may be known where the value is not."""
        if isinstance(node, ast.BoolOp):
            return decided(node.op, [self._test(each, names) for each in node.values])
        return self.value(node, names)

    def _operator(self, node: ast.Compare | ast.BoolOp | ast.UnaryOp, names: dict[str, Any]) -> Any:
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                return compared(operator, self.value(left, names), self.value(right, names))
            case ast.BoolOp(op=operator, values=values):
                return chosen(operator, [self.value(each, names) for each in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                known = self._test(operand, names)
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
                return Text(self.reading.dialect or self.dialect)
            case Class(name=name):
                found = self.member(value, attribute)
                if isinstance(found, Function) and _is_class_method(found.node):
                    return replace(found, bound=(value,))
                if isinstance(found, Text) and any(_is_enum(base) for base in value.bases):
                    return Member(found.value, found.path, found.spans, attribute)
                return Symbol(f"{name}.{attribute}") if found is None else found
            case Call(receiver=Class() as made) if (part := self._part(value, made, attribute)) is not None:
                return part
            case Instance(values=values, owner=owner) if owner is None or attribute in values:
                return values.get(attribute, UNKNOWN)
            case Instance(owner=Class() as owner):
                part = self._part(value, owner, attribute)
                return UNKNOWN if part is None else part
            case Member(member=member) if attribute in ("name", "value"):
                return Text(member) if attribute == "name" else Text(value.value, value.path, value.spans)
            case Symbol(name=name):
                found = self._project_value(f"{name}.{attribute}")
                return Symbol(f"{name}.{attribute}") if found is None else found
            case Call(kwargs=kwargs, receiver=receiver) if receiver == REFLECTED and attribute in kwargs:
                return kwargs[attribute]
            case Call(name="sqlalchemy.table", args=(table, *_)) if attribute in ("__tablename__", "__table__"):
                return table if attribute == "__tablename__" else value
            case FilePath(path=path) if attribute == "parent":
                return FilePath(path.parent)
            case FilePath(path=path) if attribute == "parents":
                return [FilePath(parent) for parent in path.parents]
            case Call(name=name) | Method(name=name) if f"{name}.{attribute}".endswith(_DIALECT):
                return Text(self.reading.dialect or self.dialect)
            case Text() | FilePath() | Batch() | Call() | Method() | list() | tuple() | dict():
                return Method(value, f"{value.name}.{attribute}" if isinstance(value, Call | Method) else attribute)
            case _:
                return UNKNOWN

    def _part(self, made: Call | Instance, owner: Class, attribute: str) -> Any:
        """Return what an object of a project's class has under a name: an argument of a data class, or a method."""
        if isinstance(made, Call) and attribute in made.kwargs:
            return made.kwargs[attribute]
        fields = [
            each.target.id
            for each in owner.node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        ]
        if isinstance(made, Call) and attribute in fields and fields.index(attribute) < len(made.args):
            return made.args[fields.index(attribute)]
        found = self.member(owner, attribute)
        if not isinstance(found, Function):
            return found
        marks = {each.id for each in found.node.decorator_list if isinstance(each, ast.Name)}
        if marks & {"property", "cached_property"}:
            return self._follow(found, (made,), {}, _NO_CALL)
        first = owner if "classmethod" in marks else made
        return found if "staticmethod" in marks else replace(found, bound=(first,))

    def member(self, owner: Class, name: str, depth: int = MAX_DEPTH) -> Any:
        """Return what the body of a class, or of a base of the project, gives a name; None when that is not known."""
        before, self._module = self._module, owner.module
        try:
            for statement in reversed(owner.node.body):
                match statement:
                    case (
                        ast.Assign(targets=[ast.Name(id=found)], value=value)
                        | ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value)
                    ) if found == name:
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

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, names: dict[str, Any]
    ) -> Any:
        """Return the elements; one whose condition is not known stands as UNKNOWN, so that the rest is not taken for all."""
        if isinstance(node, ast.DictComp):
            pairs = self._rounds(node.generators, names, lambda inner: (self.value(node.key, inner), node.value, inner))
            if pairs is UNKNOWN or UNKNOWN in pairs:
                return UNKNOWN
            found = [(constant(key), value, inner) for key, value, inner in pairs]
            return {key: self.value(value, inner) for key, value, inner in found if is_key(key)}
        element = node.elt
        return self._rounds(node.generators, names, lambda inner: self.value(element, inner))

    def _rounds(
        self, generators: list[ast.comprehension], names: dict[str, Any], made: Callable[[dict[str, Any]], Any]
    ) -> Any:
        first, *others = generators
        source = self.value(first.iter, names)
        result: list[Any] = []
        if isinstance(source, Call):  # what a query returns: at least one is followed
            source, result = [Call(f"{source.name}[]", receiver=source)], [UNKNOWN]
        if not isinstance(source, list | tuple | dict):
            return UNKNOWN
        for each in list(source)[:MAX_ROUNDS]:
            inner = dict(names)
            bind(first.target, Text(each) if isinstance(each, str) else each, inner)
            tests = [self._test(test, inner) for test in first.ifs]
            if any(is_constant(test) and not constant(test) for test in tests):
                continue
            if not all(is_constant(test) for test in tests):
                result.append(UNKNOWN)
            elif others:
                nested = self._rounds(others, inner, made)
                result += nested if isinstance(nested, list) else [UNKNOWN]
            else:
                result.append(made(inner))
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
                return self._follow(function, (*function.bound, *args), kwargs, node)
            case Class() if self.objects and isinstance(self.member(function, "__init__"), Function):
                return self._instance(function, args, kwargs, node)
            case Class(name=name):
                return self._tell(Call(name, args, kwargs, function), node)
            case Symbol(name=name):
                return self._called(name, args, kwargs, node)
            case Method(receiver=receiver, name=name):
                return self._method(receiver, name, args, kwargs, node)
            case Call(name=name):
                return Call(f"{name}()", args, kwargs, function)
            case _:
                return UNKNOWN

    def _instance(self, owner: Class, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Instance:
        made = Instance({}, owner)
        self._follow(self.member(owner, "__init__"), (made, *args), kwargs, node)
        return made

    def _called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Any:
        if name == "type" and len(args) == 3 and isinstance(args[2], dict) and "__tablename__" in args[2]:
            return Call("sqlalchemy.table", (args[2]["__tablename__"],))  # a model, made
        simple = built_in(name, args)
        if simple is not None:
            return simple
        found = self._project_value(name)
        if isinstance(found, Function):
            return self._follow(found, args, kwargs, node)
        return self._tell(Call(name, args, kwargs), node)

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
        return self._tell(call, node)

    def _tell(self, call: Call, node: ast.expr) -> Any:
        assert self._module is not None
        answer = self.effect(call, *(self.site or (node, self._module)))
        return call if answer is None else answer

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


def _is_class_method(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "classmethod" for each in node.decorator_list)


def _is_enum(base: Any) -> bool:
    return isinstance(base, Symbol) and base.name.rpartition(".")[2] in ("Enum", "StrEnum")


def _no_effect(call: Call, node: ast.Call, module: Module) -> None:
    """At import time a migration does nothing."""
