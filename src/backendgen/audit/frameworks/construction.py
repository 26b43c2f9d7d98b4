"""Runs the code that builds applications, over what is known of its values, without importing anything.

Modules and the functions that they call are followed as Python would: loops over lists, factories, helper methods, paths
put together from constants and from defaults of the environment. Where a condition is not known, both branches are taken.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from backendgen.audit.frameworks.evaluation import Evaluation
from backendgen.audit.frameworks.made import UNKNOWN, Closure, Frame, Made, Place, Value, handler_of
from backendgen.audit.frameworks.operations import MAX_ITEMS, added, truth
from backendgen.code.nodes import plain_name
from backendgen.code.symbols import Class, External, Function, FunctionNode, Module, Symbol, Symbols, Variable

MAX_DEPTH = 24
MAX_STATEMENTS = 20_000  # of a module, or of a function that nothing calls
MAX_ROUNDS = 300
BUILDERS = frozenset(
    {"fastapi", "starlette", "flask", "quart", "flask_restful", "flask_restx", "flask_smorest", "aiohttp", "django",
     "rest_framework", "ninja"}
)  # fmt: skip
TOO_OFTEN = f"of a loop, {MAX_ROUNDS} rounds were followed: routes that later ones make may be missing"
TOO_LONG = (
    f"building its applications takes more than {MAX_STATEMENTS:,} steps, so routes may be missing: "
    "name them in a list, or register them outside of loops in loops"
)
SETTINGS = ("settings", "config", "conf", "cfg", "env", "environ", "options")


class Construction(Evaluation):
    """One run over a project; `told` hears of every object and result of a library as it is made."""

    def __init__(self, symbols: Symbols, told: Callable[[Made], None]) -> None:
        self.symbols = symbols
        self.told = told
        self.entered: set[int] = set()
        self.reading: set[int] = set()
        self.is_default = True  # false in what a setting decides about, unless its default lets it run
        self._frames: dict[int, Frame] = {}
        self._results: dict[tuple[object, ...], tuple[Value, list[Value]]] = {}
        self._instances: dict[int, Made] = {}
        self._announced: dict[int, Made] = {}
        self._depth = 0
        self._inside = 0  # how many loops and calls are under way
        self._left = MAX_STATEMENTS

    # -- modules and names ------------------------------------------------------------------------------------------

    def run(self, module: Module) -> Frame:
        """Run a module's own statements, once."""
        frame = self._frames.get(id(module))
        if frame is None:
            frame = self._frames[id(module)] = Frame(module)
            with self._afresh():
                self._block(module.file.tree.body, frame)
        return frame

    def uncalled(self, function: Function, given: dict[str, Value]) -> None:
        """Run a function or method that nothing called, with what is known of its parameters: a factory, `load(app)`."""
        if id(function.node) in self.entered:
            return
        with self._afresh():
            receiver = self.instance(function.owner) if function.owner is not None else None
            if id(function.node) not in self.entered:
                self._inside = -1
                self.call(Closure(function, self.run(function.module), receiver), [], given, None)

    @contextmanager
    def _afresh(self) -> Iterator[None]:
        """Each module, and each function that nothing calls, may take as many steps as any other.

        What a module makes is there, whatever the condition under which it was first asked for.
        """
        before = self._depth, self._inside, self._left, self.is_default
        self._depth, self._inside, self._left, self.is_default = 0, 0, MAX_STATEMENTS, True
        yield
        self._depth, self._inside, self._left, self.is_default = before

    @contextmanager
    def by_default(self, is_default: bool) -> Iterator[None]:
        """Run what is there by default, or what a setting decides about."""
        was, self.is_default = self.is_default, self.is_default and is_default
        yield
        self.is_default = was

    def instance(self, owner: Class) -> Made:
        """Return the object that stands for any instance of a class."""
        key = id(owner.node)
        if key not in self._instances:
            self._instances[key] = Made(owner, self.symbols.bases(owner))
            self._made(self._instances[key], owner)
        return self._instances[key]

    def lookup(self, name: str, frame: Frame) -> Value:
        """Return what a name means in a frame."""
        one: Frame | None = frame
        while one is not None:
            if name in one.names:
                return one.names[name]
            one = one.outer
        return self.known(self.symbols.lookup(name, frame.module, None))

    def known(self, symbol: Symbol | None) -> Value:
        """Return the value of a symbol: a variable has what its module gave it."""
        if isinstance(symbol, Function):
            return Closure(symbol, self._frames.get(id(symbol.module)))
        if isinstance(symbol, Variable):
            if symbol.scope is None:
                names = self.run(symbol.module).names
                if symbol.name in names:
                    return names[symbol.name]
            return UNKNOWN
        return UNKNOWN if symbol is None else symbol

    # -- statements -------------------------------------------------------------------------------------------------

    def _block(self, body: list[ast.stmt], frame: Frame) -> bool:
        """Run statements; True when they end the function."""
        for node in body:
            if not self.step():
                self.overrun(node, frame)
                return True
            if self._statement(node, frame):
                return True
        return False

    def overrun(self, node: ast.stmt | ast.expr, frame: Frame, why: str = TOO_LONG) -> None:
        """Note where the steps ran out, where applications are built: of other code nothing is wanted here."""
        if any(name.partition(".")[0] in BUILDERS for name, _ in frame.module.imports.values()):
            self.symbols.cut(frame.module.file.path, node.lineno, why)

    def step(self) -> bool:
        """Take a step; False when there were too many: then loops and calls end, what stands in a row is still run."""
        self._left -= 1
        return self._left > 0 or not self._inside

    def _statement(self, node: ast.stmt, frame: Frame) -> bool:
        if isinstance(node, ast.Expr):
            self.evaluate(node.value, frame)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assignment(node, frame)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self._function(node, frame)
        elif isinstance(node, ast.ClassDef):
            self._class(node, frame)
        elif isinstance(node, ast.If):
            return self._if(node, frame)
        elif isinstance(node, ast.For | ast.AsyncFor):
            return self._for(node, frame)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                value = self.evaluate(item.context_expr, frame)
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, value, frame)
            return self._block(node.body, frame)
        elif isinstance(node, ast.Try):
            return self._block([*node.body, *node.orelse, *node.finalbody], frame)
        elif isinstance(node, ast.While):
            self._block(node.body, frame)
        elif isinstance(node, ast.Return):
            frame.returned.append(self.evaluate(node.value, frame) if node.value is not None else None)
            return True
        elif isinstance(node, ast.Match):
            for case in node.cases:
                self._block(case.body, frame)
        return isinstance(node, ast.Raise | ast.Continue | ast.Break)

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, frame: Frame) -> None:
        if node.value is None:
            return
        value = self.evaluate(node.value, frame)
        if isinstance(node, ast.AugAssign):
            before = self.evaluate(node.target, frame)
            if isinstance(before, list) and isinstance(value, list | tuple):
                before.extend(
                    value[: MAX_ITEMS - len(before)] if len(before) < MAX_ITEMS else []
                )  # others may hold the same list
                return
            value = added(before, value) if isinstance(node.op, ast.Add) else UNKNOWN
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self._bind(target, value, frame)

    def _bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        if isinstance(target, ast.Name):
            frame.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            known = isinstance(value, list | tuple) and len(value) == len(target.elts)
            for index, one in enumerate(target.elts):
                self._bind(one, value[index] if known else UNKNOWN, frame)
        elif isinstance(target, ast.Attribute):
            holder = self.evaluate(target.value, frame)
            if isinstance(holder, Made) and (self.is_default or not self._declares(holder, target.attr)):
                holder.attributes[target.attr] = value
        elif isinstance(target, ast.Subscript):
            holder, key = self.evaluate(target.value, frame), self.evaluate(target.slice, frame)
            if isinstance(holder, dict) and isinstance(key, str | int):
                holder[key] = value

    def _declares(self, holder: Made, name: str) -> bool:
        """Has an object's class a default for this? What another setting than the default one changes, does not hold."""
        return isinstance(holder.target, Class) and isinstance(self.symbols.member(holder.target, name), Variable)

    def _if(self, node: ast.If, frame: Frame) -> bool:
        known = truth(self.evaluate(node.test, frame))
        if known is not None:
            if _asks_settings(node.test):
                self._otherwise(node.orelse if known else node.body, frame)
            return self._block(node.body if known else node.orelse, frame)
        with self.by_default(not _asks_settings(node.test)):
            first = self._block(node.body, frame)
            second = self._block(node.orelse, frame)
        return first and second and bool(node.orelse)

    def _otherwise(self, body: list[ast.stmt], frame: Frame) -> None:
        """Run what another setting than the default one would: it is told, and leaves no names."""
        names, returned = dict(frame.names), list(frame.returned)
        with self.by_default(False):
            self._block(body, frame)
        frame.names, frame.returned = names, returned

    def _for(self, node: ast.For | ast.AsyncFor, frame: Frame) -> bool:
        values = self.rounds(self.evaluate(node.iter, frame), node.iter, frame)
        self._inside += 1
        for value in values:
            self._bind(node.target, value, frame)
            self._block(node.body, frame)
        self._inside -= 1
        return self._block(node.orelse, frame)

    def rounds(self, values: Value, node: ast.expr, frame: Frame) -> list[Value]:
        """What a loop goes over; one round with something unknown, when that is not known."""
        if isinstance(values, list | tuple | set | frozenset | dict | range):
            if len(values) > MAX_ROUNDS:
                self.overrun(node, frame, TOO_OFTEN)
            return list(islice(values, MAX_ROUNDS))
        return [UNKNOWN]

    def _function(self, node: FunctionNode, frame: Frame) -> None:
        function = frame.module.function_of.get(id(node))
        if function is not None:
            frame.names[node.name] = self._decorated(Closure(function, frame), node.decorator_list, frame)

    def _decorated(self, value: Value, decorators: list[ast.expr], frame: Frame) -> Value:
        """Call decorators, the innermost first: each wraps what it gets, whatever it gives."""
        for decorator in reversed(decorators):
            call = ast.copy_location(ast.Call(decorator, [], []), decorator)
            place = Place(call, frame.module, frame.function)
            result = self.call(self.evaluate(decorator, frame), [value], {}, place)
            if isinstance(value, Closure):
                is_same = isinstance(result, Closure) and result.function.node is value.function.node
                value = result if is_same else replace(value, wraps=(*value.wraps, place.called()))
        return value

    def _class(self, node: ast.ClassDef, frame: Frame) -> None:
        owner = frame.module.class_of.get(id(node))
        if owner is None:
            return
        inner = Frame(frame.module, frame.function, frame)
        self._block(node.body, inner)
        frame.names[node.name] = owner
        self._decorated(owner, node.decorator_list, frame)

    # -- calls ------------------------------------------------------------------------------------------------------

    def call(self, target: Value, args: list[Value], keywords: dict[str, Value], place: Place | None) -> Value:
        """Return what a call gives. Calls of libraries are told."""
        if isinstance(target, Closure):
            return self._called(target, args, keywords, place)
        if isinstance(target, Class):
            made = Made(target, self.symbols.bases(target), place, args, keywords)
            self._made(made, target)
            return made
        if isinstance(target, External):
            simple = self.library(target.name, args, keywords)
            if simple is not UNKNOWN:
                return simple
            made = Made(target, frozenset({target.name}), place, args, keywords)
        elif isinstance(target, Made) and isinstance(target.target, Class) and not target.member:
            caller = self.symbols.member(target.target, "__call__")
            if isinstance(caller, Function):
                return self._called(Closure(caller, self._frames.get(id(caller.module)), target), args, keywords, place)
            made = Made(None, target.kinds, place, args, keywords, {}, target, "()")
        elif isinstance(target, Made) and (target.receiver is not None or target.kinds):
            made = Made(None, target.kinds, place, args, keywords, {}, target, f"{target.member}()")
        else:
            return UNKNOWN
        self.told(made)
        return made

    def _made(self, made: Made, owner: Class) -> None:
        """An instance of a class of the project: its `__init__` runs first, so that what it hands on is known.

        What dataclasses and attrs generate ends with the class's own `__post_init__`.
        """
        maker = self.symbols.member(owner, "__init__")
        if isinstance(maker, Function):
            self._called(Closure(maker, self._frames.get(id(maker.module)), made), made.args, made.keywords, made.place)
        self.announce(made)
        for name in ("__post_init__", "__attrs_post_init__") if maker is None else ():
            after = self.symbols.member(owner, name)
            if isinstance(after, Function):
                self._called(Closure(after, self._frames.get(id(after.module)), made), [], {}, made.place)

    def announce(self, made: Made) -> None:
        """Tell of an object once: when its class's `__init__` calls the library's, or after it."""
        if id(made) not in self._announced:
            self._announced[id(made)] = made
            self.told(made)

    def _called(self, closure: Closure, args: list[Value], keywords: dict[str, Value], place: Place | None) -> Value:
        if closure.receiver is not None:
            args = [closure.receiver, *args]
        function = closure.function
        key = (
            id(function.node),
            id(closure.frame),
            *map(_key, args),
            *((name, _key(one)) for name, one in keywords.items()),
        )
        if key in self._results:
            return self._results[key][0]
        if self._depth > MAX_DEPTH or (self._left <= 0 and self._inside > 0):
            return UNKNOWN
        kept = [*args, *keywords.values(), closure.frame]
        self._results[key] = (UNKNOWN, kept)  # a function that calls itself
        self.entered.add(id(function.node))
        frame = Frame(function.module, function, closure.frame or self._frames.get(id(function.module)))
        self._parameters(function, args, keywords, frame)
        self._depth, self._inside = self._depth + 1, self._inside + 1
        self._block(function.node.body, frame)
        self._depth, self._inside = self._depth - 1, self._inside - 1
        result = _wrapped(_chosen(frame.returned), function, args, place)
        self._results[key] = (result, kept)
        return result

    def _parameters(self, function: Function, args: list[Value], keywords: dict[str, Value], frame: Frame) -> None:
        arguments = function.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        rest = dict(keywords)
        for default, parameter in zip(reversed(arguments.defaults), reversed(positional), strict=False):
            frame.names[parameter.arg] = self.evaluate(default, frame.outer or frame)
        for parameter, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            frame.names[parameter.arg] = self.evaluate(given, frame.outer or frame) if given else UNKNOWN
        for index, parameter in enumerate(positional):
            if index < len(args):
                frame.names[parameter.arg] = args[index]
            elif parameter.arg not in frame.names:
                frame.names[parameter.arg] = UNKNOWN
        for parameter in [*positional, *arguments.kwonlyargs]:
            if parameter.arg in rest:
                frame.names[parameter.arg] = rest.pop(parameter.arg)
        if arguments.vararg:
            frame.names[arguments.vararg.arg] = tuple(args[len(positional) :])
        if arguments.kwarg:
            frame.names[arguments.kwarg.arg] = rest


def _wrapped(result: Value, maker: Function, args: list[Value], place: Place | None) -> Value:
    """A function that was made around another one (what a decorator gives) is that one, with one wrapper more."""
    if not isinstance(result, Closure) or result.function.outer != maker or place is None:
        return result
    for one in args:
        inner, _ = handler_of(one)
        if isinstance(inner, Closure) and inner.function.node is not result.function.node:
            return replace(inner, wraps=(*inner.wraps, place.called()))
        if isinstance(inner, Made) and inner.member == "as_view()":
            return Made(None, frozenset(), place, [one])
    return result


def _asks_settings(test: ast.expr) -> bool:
    """Is it asked for the configuration: `if ENABLE_SIGN_UP:`, `if settings.debug:`?"""
    for one in ast.walk(test):
        name = plain_name(one)
        if (len(name) > 1 and name.isupper()) or name.lower().endswith(SETTINGS):
            return True
    return False


def _key(value: Value) -> object:
    return (type(value), value) if isinstance(value, str | int | bool | None) else id(value)


def _chosen(returned: list[Value]) -> Value:
    """Of what the branches return: an object first, then the last that is known."""
    known = [one for one in returned if one is not UNKNOWN and one is not None]
    return next(
        (one for one in known if isinstance(one, Made)),
        known[-1] if known else UNKNOWN if UNKNOWN in returned else None,
    )
