"""Expressions of code that builds applications: what they give, as far as that is known without running the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from backendgen.audit.frameworks.made import UNKNOWN, Closure, Frame, Made, Place, Value
from backendgen.code.symbols import Class, External, Function, Module, Symbol, Symbols, Variable

TEXT = frozenset({
    "format", "join", "strip", "lstrip", "rstrip", "lower", "upper", "replace", "split", "removeprefix", "removesuffix",
    "startswith", "endswith", "title", "capitalize",
})  # fmt: skip
LISTS = frozenset(
    {"append", "extend", "insert", "items", "keys", "values", "get", "copy", "update", "setdefault", "add"}
)
ENVIRONMENT = frozenset({"os.environ.get", "os.getenv"})
PLAIN: dict[str, Callable[..., Value]] = {
    "str": str, "int": int, "bool": bool, "len": len, "list": list, "tuple": tuple, "dict": dict, "range": range,
    "enumerate": lambda values, *start: list(enumerate(values, *start)), "sorted": sorted, "set": list,
    "reversed": lambda values: list(reversed(values)), "zip": lambda *values: list(zip(*values, strict=False)),
    "frozenset": list,
}  # fmt: skip
MAX_TEXT = 10_000
MAX_ITEMS = 10_000
WIDE = re.compile(r"\d{4}")  # "{:>99999999}" would fill the memory


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

    def truth(self, value: Value) -> bool | None:
        """Is a value true? None when that is not known."""
        if value is None or isinstance(value, str | int | float | list | tuple | dict | set):
            return bool(value)
        if isinstance(value, Closure | Class | Module):
            return True
        if isinstance(value, Made) and not value.member and value.target is not None:
            return (
                True if value.target.name.rpartition(".")[2][:1].isupper() else None
            )  # what a function gives may be None
        return None

    def added(self, left: Value, right: Value) -> Value:
        """`left + right`: of texts the known part, when the other is not known. Nothing grows without end."""
        if any(isinstance(one, str | list | tuple) and len(one) > MAX_ITEMS for one in (left, right)):
            return UNKNOWN
        if isinstance(left, str) or isinstance(right, str):
            if isinstance(left, int | float | None) or isinstance(right, int | float | None):
                return UNKNOWN
            return (left if isinstance(left, str) else "") + (right if isinstance(right, str) else "")
        if isinstance(left, list | tuple) and isinstance(right, list | tuple):
            return [*left, *right] if isinstance(left, list) else (*left, *right)
        if isinstance(left, list | tuple):
            return left
        return right if isinstance(right, list | tuple) else UNKNOWN

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
            if isinstance(member, Variable):
                return self._of_class(member)
        if base.kinds:
            return Made(None, base.kinds, base.place, [], {}, {}, base, f"{base.member}.{name}".strip("."))
        return UNKNOWN

    def _of_class(self, member: Variable) -> Value:
        """A class's variable; a setting has its default. One that is made of itself is not known."""
        if id(member.value) in self.reading:
            return UNKNOWN
        self.reading.add(id(member.value))
        value = self.evaluate(member.value, Frame(member.module))
        self.reading.discard(id(member.value))
        if isinstance(value, Made) and isinstance(value.target, External) and value.target.name.endswith(".Field"):
            return value.argument(0, "default", default=UNKNOWN)
        return UNKNOWN if value is None else value

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
                return _builtin(base, node.func.attr, args, keywords)
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
            simple = all(isinstance(one, str | int | list | tuple | dict | range) for one in args)
            simple = simple and not any(isinstance(one, range) and len(one) > MAX_ITEMS for one in args)
            try:
                return PLAIN[name](*args) if simple else UNKNOWN
            except (TypeError, ValueError):
                return UNKNOWN
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
            return self.added(left, right)
        if isinstance(node.op, ast.Mod) and isinstance(left, str) and not WIDE.search(left):
            given = right if isinstance(right, tuple | dict) else (right,)
            values = given.values() if isinstance(given, dict) else given
            if all(isinstance(one, str | int) for one in values):
                try:
                    return left % given
                except (TypeError, ValueError, KeyError):
                    return UNKNOWN
        return UNKNOWN

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
        known = self.truth(self.evaluate(node.test, frame))
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
            known = self.truth(value)
            if known is wanted:
                return value if is_sure or wanted is False else UNKNOWN if isinstance(value, bool) else value
            is_sure = is_sure and known is not None
        return value if is_sure else UNKNOWN

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.evaluate(node.operand, frame)
        known = self.truth(value)
        if isinstance(node.op, ast.Not):
            return UNKNOWN if known is None else not known
        return -value if isinstance(node.op, ast.USub) and isinstance(value, int) else UNKNOWN

    def _compared(self, node: ast.Compare, frame: Frame) -> Value:
        left = self.evaluate(node.left, frame)
        if len(node.ops) != 1:
            return UNKNOWN
        right = self.evaluate(node.comparators[0], frame)
        operator = node.ops[0]
        if isinstance(operator, ast.Is | ast.IsNot) and right is None:
            if left is UNKNOWN or (isinstance(left, Made) and left.member) or isinstance(left, External):
                return UNKNOWN
            return (left is None) is isinstance(operator, ast.Is)
        if not isinstance(left, str | int):
            return UNKNOWN
        if isinstance(operator, ast.Eq | ast.NotEq) and isinstance(right, str | int):
            return (left == right) is isinstance(operator, ast.Eq)
        if isinstance(operator, ast.In | ast.NotIn) and isinstance(right, list | tuple | dict | str):
            if isinstance(right, str) and not isinstance(left, str):
                return UNKNOWN
            if (
                left not in right
                and not isinstance(right, str | dict)
                and not all(isinstance(one, str | int) for one in right)
            ):
                return UNKNOWN
            return (left in right) is isinstance(operator, ast.In)
        return UNKNOWN

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
            if all(self.truth(self.evaluate(test, inner)) is not False for test in first.ifs):
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


def _is_super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super"


def _builtin(base: Value, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
    """A method of a text, list or dict that is known; a text of unknown parts is made of the known ones."""
    if isinstance(base, str) and name in TEXT:
        if WIDE.search(base) or len(base) > MAX_TEXT:
            return UNKNOWN
        if name == "format":
            args = [one if isinstance(one, str | int) else "" for one in args]
            keywords = {key: one if isinstance(one, str | int) else "" for key, one in keywords.items()}
        elif name == "join":
            args = [[one for one in given if isinstance(one, str)] for given in args if isinstance(given, list | tuple)]
        elif not all(isinstance(one, str | int | tuple) for one in args):
            return UNKNOWN
    elif not isinstance(base, list | dict) or name not in LISTS or len(base) > MAX_ITEMS:
        return UNKNOWN
    if isinstance(base, dict) and name in ("get", "setdefault") and not (args and isinstance(args[0], str | int)):
        return UNKNOWN
    if isinstance(base, list) and name == "add":
        name = "append"
    if name == "extend" and args and (not isinstance(args[0], list | tuple) or len(args[0]) > MAX_ITEMS):
        return None
    try:
        result = getattr(base, name)(*args, **keywords)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return UNKNOWN
    if isinstance(result, str) and len(result) > MAX_TEXT:
        return UNKNOWN
    return list(result) if type(result).__name__.startswith("dict_") else result


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
