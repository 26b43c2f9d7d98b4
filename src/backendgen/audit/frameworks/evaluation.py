"""Expressions of code that builds applications: what they give, as far as that is known without running the program."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from backendgen.audit.frameworks.made import UNKNOWN, Closure, Frame, Made, Place, Value
from backendgen.audit.frameworks.operations import (
    MAX_ITEMS,
    MAX_TEXT,
    PLAIN,
    added,
    builtin,
    compared,
    interpolated,
    method,
    truth,
)
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Symbols, Variable

ENVIRONMENT = frozenset({"os.environ.get", "os.getenv"})
FIELDS = frozenset({"dataclasses.field", "attrs.field", "attr.field", "attr.ib", "attr.attrib"})
FACTORIES = ("default_factory", "factory")


class Evaluation:
    """What an expression gives. `Construction` says what names mean and what calls do."""

    symbols: Symbols
    reading: set[int]  # the variables of classes that are being evaluated
    _inside = 0

    def lookup(self, name: str, frame: Frame) -> Value:
        """Return what a name means in a frame."""
        raise NotImplementedError

    def known(self, symbol: Symbol | None) -> Value:
        """Return the value of a symbol."""
        raise NotImplementedError

    def call(self, target: Value, args: list[Value], keywords: dict[str, Value], place: Place | None) -> Value:
        """Return what a call gives."""
        raise NotImplementedError

    def announce(self, made: Made) -> None:
        """Tell that there is an object of a library's class."""
        raise NotImplementedError

    def step(self) -> bool:
        """Take a step; False when there were too many."""
        raise NotImplementedError

    def overrun(self, node: ast.stmt | ast.expr, frame: Frame) -> None:
        """Note where the steps ran out."""
        raise NotImplementedError

    def rounds(self, values: Value, node: ast.expr, frame: Frame) -> list[Value]:
        """Return what a loop goes over."""
        raise NotImplementedError

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """Return the value of an expression, UNKNOWN when only a run would tell."""
        method = _METHODS.get(type(node))
        return method(self, node, frame) if method is not None else UNKNOWN

    # -- by kind of expression --------------------------------------------------------------------------------------

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        return self.lookup(node.id, frame)

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        return self.attribute(self.evaluate(node.value, frame), node.attr, frame)

    def attribute(self, base: Value, name: str, frame: Frame) -> Value:
        """Return an attribute of a value."""
        if isinstance(base, Module | External):
            return self.known(self.symbols.attribute(base, name))
        if isinstance(base, Class):
            member = self.symbols.member(base, name)
            if isinstance(member, Function | Class):
                return Closure(member, None) if isinstance(member, Function) else member
            if isinstance(member, Variable):
                return self._of_class(member)
            return Made(base, self.symbols.bases(base), None, [], {}, {}, None, name)
        if not isinstance(base, Made):
            return UNKNOWN
        if name not in base.attributes:
            base.attributes[name] = self._of_object(base, name)
        return base.attributes[name]

    def _of_object(self, base: Made, name: str) -> Value:
        if isinstance(base.target, Class) and not base.member:
            member = self.symbols.member(base.target, name)
            if isinstance(member, Function):
                decorators = {one.id for one in member.node.decorator_list if isinstance(one, ast.Name)}
                method = Closure(member, None, None if "staticmethod" in decorators else base)
                return self.call(method, [], {}, None) if decorators & {"property", "cached_property"} else method
            if isinstance(member, Class):
                return member
            given = self._given(base, base.target, name)
            if given is not UNKNOWN:
                return given
            if isinstance(member, Variable):
                return self._of_class(member)
        if base.kinds:
            return Made(None, base.kinds, base.place, [], {}, {}, base, f"{base.member}.{name}".strip("."))
        return UNKNOWN

    def _given(self, base: Made, owner: Class, name: str) -> Value:
        """What a dataclass, NamedTuple or model was given for a field: such classes have no `__init__` of their own."""
        if name in base.keywords:
            return base.keywords[name] if self.symbols.member(owner, "__init__") is None else UNKNOWN
        if not base.args or self.symbols.member(owner, "__init__") is not None:
            return UNKNOWN
        classes = reversed(self.symbols.lineage(owner))
        fields = list(dict.fromkeys(field for one in classes for field in _fields(one)))
        return base.argument(fields.index(name), default=UNKNOWN) if name in fields else UNKNOWN

    def _of_class(self, member: Variable) -> Value:
        """A class's variable; a setting has its default. One that is made of itself is not known."""
        if id(member.value) in self.reading:
            return UNKNOWN
        self.reading.add(id(member.value))
        value = self.evaluate(member.value, Frame(member.module))
        self.reading.discard(id(member.value))
        if not isinstance(value, Made) or not isinstance(value.target, External):
            return UNKNOWN if value is None else value
        is_model = value.target.name.endswith(".Field")
        if is_model or value.target.name in FIELDS:
            maker = value.argument(-1, *FACTORIES)
            default = value.argument(0 if is_model else -1, "default", default=UNKNOWN)
            return default if maker is None else self.call(maker, [], {}, value.place)
        return value

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        args: list[Value] = []
        for one in node.args:
            if isinstance(one, ast.Starred):
                given = self.evaluate(one.value, frame)
                args.extend(given if isinstance(given, list | tuple) else [])
            else:
                args.append(self.evaluate(one, frame))
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update((name, one) for name, one in value.items() if isinstance(name, str))
        if isinstance(node.func, ast.Attribute):
            base = self.evaluate(node.func.value, frame)
            if isinstance(base, str | list | dict | tuple):
                return method(base, node.func.attr, args, keywords)
            if isinstance(node.func.value, ast.Call) and _is_super(node.func.value):
                return self._super(node.func.attr, args, keywords, frame, Place(node, frame.module, frame.function))
            target = self.attribute(base, node.func.attr, frame)
        else:
            target = self.evaluate(node.func, frame)
        return self.call(target, args, keywords, Place(node, frame.module, frame.function))

    def _super(self, name: str, args: list[Value], keywords: dict[str, Value], frame: Frame, place: Place) -> Value:
        """`super().__init__(app, prefix="/x")`: the method of a base, or what the library's class is given."""
        one: Frame | None = frame
        while one is not None and (one.function is None or one.function.owner is None):
            one = one.outer
        if one is None or one.function is None or one.function.owner is None or not one.function.parameters:
            return UNKNOWN
        receiver = one.names.get(one.function.parameters[0].arg, UNKNOWN)
        for base in self.symbols.lineage(one.function.owner)[1:]:
            found = base.module.members.get(id(base.node), {}).get(name)
            if isinstance(found, Function):
                return self.call(Closure(found, None, receiver), args, keywords, place)
        if not isinstance(receiver, Made):
            return UNKNOWN
        if name == "__init__":
            receiver.args, receiver.keywords = args, {**receiver.keywords, **keywords}
            self.announce(receiver)
            return None
        return self.call(
            Made(None, receiver.kinds, place, [], {}, {}, receiver, f"{receiver.member}.{name}".strip(".")),
            args,
            keywords,
            place,
        )

    def library(self, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        """What calls of builtins and of the environment give: a variable that is not set has its default."""
        if name in ENVIRONMENT:
            return args[1] if len(args) > 1 else keywords.get("default", UNKNOWN)
        if name in PLAIN and not keywords:
            return builtin(name, args)
        if name in ("typing.cast", "typing_extensions.cast"):
            return args[1] if len(args) > 1 else UNKNOWN
        if name.endswith("partial") and name.startswith("functools"):
            return args[0] if args else UNKNOWN
        return UNKNOWN

    def _joined(self, node: ast.JoinedStr, frame: Frame) -> Value:
        parts = [self.evaluate(part, frame) for part in node.values]
        return "".join(str(part) for part in parts if isinstance(part, str | int))[:MAX_TEXT]

    def _formatted(self, node: ast.FormattedValue, frame: Frame) -> Value:
        return self.evaluate(node.value, frame)

    def _binary(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        if isinstance(node.op, ast.Add):
            return added(left, right)
        return interpolated(left, right) if isinstance(node.op, ast.Mod) and isinstance(left, str) else UNKNOWN

    def _list(self, node: ast.List | ast.Tuple | ast.Set, frame: Frame) -> Value:
        values: list[Value] = []
        for one in node.elts:
            given = self.evaluate(one.value if isinstance(one, ast.Starred) else one, frame)
            if isinstance(one, ast.Starred):
                values.extend(given if isinstance(given, list | tuple) else [])
            else:
                values.append(given)
        values = values[:MAX_ITEMS]
        return tuple(values) if isinstance(node, ast.Tuple) else values

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        found: dict[object, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            given = self.evaluate(value, frame)
            if key is None:
                found.update(given if isinstance(given, dict) else {})
                continue
            known = self.evaluate(key, frame)
            found[known if isinstance(known, str | int) else key] = given
        return found

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        base, key = self.evaluate(node.value, frame), self.evaluate(node.slice, frame)
        if isinstance(base, dict) and isinstance(key, str | int):
            return base.get(key, UNKNOWN)
        if isinstance(base, list | tuple) and isinstance(key, int) and -len(base) <= key < len(base):
            return base[key]
        return base if isinstance(base, Class) else UNKNOWN  # Generic[T]

    def _either(self, node: ast.IfExp, frame: Frame) -> Value:
        known = truth(self.evaluate(node.test, frame))
        if known is not None:
            return self.evaluate(node.body if known else node.orelse, frame)
        first, second = self.evaluate(node.body, frame), self.evaluate(node.orelse, frame)
        return second if first is UNKNOWN or first is None else first

    def _boolean(self, node: ast.BoolOp, frame: Frame) -> Value:
        wanted = isinstance(node.op, ast.Or)
        value: Value = UNKNOWN
        is_sure = True
        for one in node.values:
            value = self.evaluate(one, frame)
            known = truth(value)
            if known is wanted:
                return value if is_sure or wanted is False else UNKNOWN if isinstance(value, bool) else value
            is_sure = is_sure and known is not None
        return value if is_sure else UNKNOWN

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.evaluate(node.operand, frame)
        known = truth(value)
        if isinstance(node.op, ast.Not):
            return UNKNOWN if known is None else not known
        return -value if isinstance(node.op, ast.USub) and isinstance(value, int) else UNKNOWN

    def _compared(self, node: ast.Compare, frame: Frame) -> Value:
        left = self.evaluate(node.left, frame)
        if len(node.ops) != 1:
            return UNKNOWN
        return compared(node.ops[0], left, self.evaluate(node.comparators[0], frame))

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame) -> Value:
        return [self.evaluate(node.elt, inner) for inner in self._rounds(node.generators, frame)]

    def _dict_comprehension(self, node: ast.DictComp, frame: Frame) -> Value:
        found: dict[object, Value] = {}
        for inner in self._rounds(node.generators, frame):
            key = self.evaluate(node.key, inner)
            if isinstance(key, str | int):
                found[key] = self.evaluate(node.value, inner)
        return found

    def _rounds(self, generators: list[ast.comprehension], frame: Frame) -> Iterator[Frame]:
        if not generators:
            yield frame
            return
        first, *others = generators
        for value in self.rounds(self.evaluate(first.iter, frame), first.iter, frame):
            self._inside += 1
            goes_on = self.step()
            self._inside -= 1
            if not goes_on:
                self.overrun(first.iter, frame)
                return
            inner = Frame(frame.module, frame.function, frame)
            self._bind(first.target, value, inner)
            if all(truth(self.evaluate(test, inner)) is not False for test in first.ifs):
                yield from self._rounds(others, inner)

    def _bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        raise NotImplementedError

    def _walrus(self, node: ast.NamedExpr, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        self._bind(node.target, value, frame)
        return value

    def _awaited(self, node: ast.Await, frame: Frame) -> Value:
        return self.evaluate(node.value, frame)

    def _lambda(self, node: ast.Lambda, frame: Frame) -> Value:
        from backendgen.audit.service import elsewhere

        return Closure(elsewhere("lambda", frame.module, node.lineno), frame)


def _fields(owner: Class) -> Iterator[str]:
    """The names that a class declares with a type, in order: what it is made of, unless they are the class's own."""
    declared = [one for one in owner.node.body if isinstance(one, ast.AnnAssign)]
    for one in declared:
        if isinstance(one.target, ast.Name) and "ClassVar" not in unparse(one.annotation):
            yield one.target.id


def _is_super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super"


_METHODS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: lambda self, node, frame: node.value,
    ast.Name: Evaluation._name,
    ast.Attribute: Evaluation._attribute,
    ast.Call: Evaluation._call,
    ast.JoinedStr: Evaluation._joined,
    ast.FormattedValue: Evaluation._formatted,
    ast.BinOp: Evaluation._binary,
    ast.List: Evaluation._list,
    ast.Tuple: Evaluation._list,
    ast.Set: Evaluation._list,
    ast.Dict: Evaluation._dict,
    ast.Subscript: Evaluation._subscript,
    ast.IfExp: Evaluation._either,
    ast.BoolOp: Evaluation._boolean,
    ast.UnaryOp: Evaluation._unary,
    ast.Compare: Evaluation._compared,
    ast.ListComp: Evaluation._comprehension,
    ast.SetComp: Evaluation._comprehension,
    ast.GeneratorExp: Evaluation._comprehension,
    ast.DictComp: Evaluation._dict_comprehension,
    ast.NamedExpr: Evaluation._walrus,
    ast.Await: Evaluation._awaited,
    ast.Lambda: Evaluation._lambda,
}
