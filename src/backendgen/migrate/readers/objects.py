"""Follows the classes and objects of a project: their attributes and members, and what is called on them."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backendgen.migrate.readers.constants import bind, built_in, collection_method, text_method
from backendgen.migrate.readers.expressions import Expressions
from backendgen.migrate.readers.sql_files import file_text, path_method
from backendgen.migrate.readers.values import (
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
    Module,
    Symbol,
    Text,
)

MAX_DEPTH = 12
_DIALECT = ("dialect.name", "engine.name", ".vendor", "__dialect__")
_NO_CALL = ast.Call(ast.Name("type"), [], [])

Effect = Callable[[Call, Any, Module], Any]  # the call, its node, the module of the node


@dataclass(slots=True)
class Objects(Expressions):
    """Evaluates attributes and calls; `effect` is told of each call that leads out of the project.

    `effect` may answer with the value that the call returns; None leaves it a Call. A call inside a function that is
    followed is told at the place where the migration itself called out (`site`). With `objects`, the project's own classes
    are made into Instances, and a value that is given to an attribute of a Call is told as a call of `setattr`.
    """

    effect: Effect
    objects: bool = field(default=False, kw_only=True)
    dialect: str = field(default="postgresql", kw_only=True)  # the database where the user names none
    site: tuple[ast.Call, Module] | None = field(default=None, init=False)

    @abstractmethod
    def _follow(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], node: ast.Call) -> Any:
        """Return what a function of the project returns."""

    # ---- classes

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

    def _implementation(self, node: ast.ClassDef, impl: Any) -> Any:
        """Return the type that a TypeDecorator takes on PostgreSQL, where its load_dialect_impl tells."""
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "load_dialect_impl":
                own = Instance({"impl": impl})
                chosen = self._follow(Function(statement, self._module), (own, Call("dialect")), {}, _NO_CALL)
                if isinstance(chosen, Call) and chosen.last == "type_descriptor" and chosen.args:
                    return chosen.args[0]
        return impl

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


def _is_class_method(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "classmethod" for each in node.decorator_list)


def _is_enum(base: Any) -> bool:
    return isinstance(base, Symbol) and base.name.rpartition(".")[2] in ("Enum", "StrEnum")
