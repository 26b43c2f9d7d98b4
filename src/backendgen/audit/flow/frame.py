"""Interpreting one function over abstract values: its statements, and what they do to names."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from backendgen.audit.flow import handlers, sources
from backendgen.audit.flow.engine import Engine, Reached, Summary
from backendgen.audit.flow.expressions import EVALUATE
from backendgen.audit.flow.guards import refine
from backendgen.audit.flow.parts import element, entry, is_key
from backendgen.audit.flow.sinks import note_item, note_named
from backendgen.audit.flow.statements import EXECUTE
from backendgen.audit.flow.values import (
    HARMLESS,
    MAX_ITEMS,
    NOTHING,
    TEXT,
    UNKNOWN,
    Origin,
    Taint,
    Value,
    carrying,
    join,
    join_all,
    tainted,
)  # fmt: skip
from backendgen.code.symbols import External, Function, Module

Cleared = dict[Origin, frozenset[str]]
MAX_LOOPS = 2


class Frame:
    """The state while a function's body is interpreted. `cleared`: origins that the way to here proves harmless.

    `left` are the states where a loop is left, or started anew, from within."""

    def __init__(self, engine: Engine, module: Module, function: Function | None) -> None:
        self.engine = engine
        self.module = module
        self.function = function
        self.names: dict[str, Value] = {}
        self.cleared: Cleared = {}
        self.tests: dict[str, ast.expr] = {}  # what a name's truth says: `is_safe = url_has_allowed_host(...)`
        self.returned: list[Value] = []
        self.exits: list[Cleared] = []
        self.answers: dict[bool, list[Cleared]] = {True: [], False: []}
        self.reached: list[Reached] = []
        self.effects: dict[tuple[str, str], Value] = {}
        self.loops = 0
        self.left: list[Any] = []
        self.checks_addresses = False

    @property
    def path(self) -> str:
        """The file's path."""
        return self.module.file.path

    def summarised(self) -> Summary:
        """Interpret the whole function with its parameters as origins."""
        function = self.function
        assert function is not None
        for parameter in function.parameters:
            self.names[parameter.arg] = self._parameter(parameter)
        for rest in (function.node.args.vararg, function.node.args.kwarg):
            if rest is not None:
                self.names[rest.arg] = tainted(Origin("parameter", rest.arg))
        parts = handlers.of_rest(self.engine, function) if function.node.args.kwarg is not None else None
        if parts is not None and function.node.args.kwarg is not None:
            self.names[function.node.args.kwarg.arg] = parts
        if self.run(function.node.body):
            self.exits.append(self.cleared)
        if self.checks_addresses:  # it looks whether an address is private: what it is given has been checked for that
            names = [each.arg for each in function.parameters]
            self.exits = [_cleared_of(state, names, frozenset({"url"})) for state in self.exits]
        cleared, when_true, when_false = (
            _of_parameters(_common(states)) for states in (self.exits, self.answers[True], self.answers[False])
        )
        return Summary(
            join_all(self.returned), tuple(dict.fromkeys(self.reached)), cleared, when_true, when_false, self.effects,
            self.checks_addresses,
        )  # fmt: skip

    def _parameter(self, parameter: ast.arg) -> Value:
        function = self.function
        assert function is not None
        origin = Origin("parameter", parameter.arg)
        if (
            function.owner is not None
            and parameter is next(iter(function.parameters), None)
            and not _is_static(function)
        ):
            return tainted(origin, kind=function.owner)
        found = self.engine.types.of(parameter.annotation, self.module)
        if parameter.annotation is None:
            given = sources.of_parameter(function, parameter.arg)
            if given is not None:
                return given
        if found.harmless:
            return HARMLESS
        is_open = found.kind is None or found.is_text
        given = handlers.of_parameter(self.engine, function, parameter.arg) if is_open else None
        if given is not None:
            return given
        value = tainted(origin, kind=found.kind, safe=TEXT if found.is_text else frozenset())
        if found.element is not None:
            inner = HARMLESS if found.element.harmless else tainted(origin.at("[]"), kind=found.element.kind)
            return replace(value, items={"[]": inner})
        return value

    # -- values -----------------------------------------------------------------------------------------------------

    def evaluate(self, node: ast.expr) -> Value:
        """Return what is known of an expression."""
        rule = EVALUATE.get(type(node))
        return NOTHING if rule is None else self.filtered(rule(self, node))

    def filtered(self, value: Value) -> Value:
        """Drop the taints that the way to here has proved harmless."""
        if not self.cleared or not value.taints:
            return value
        kept, changed = [], False
        for taint in value.taints:
            kinds = _kinds(self.cleared, taint.origin)
            if kinds:
                changed = True
                if "*" in kinds:
                    continue
            kept.append(Taint(taint.origin, taint.steps, taint.safe | kinds) if kinds else taint)
        if not changed:
            return value
        if not kept and value.kind is None and not value.items:
            return HARMLESS
        return replace(value, taints=tuple(kept), whole=value.whole if kept else None)

    def clear(self, value: Value, kinds: frozenset[str]) -> None:
        """From here on, what this value derives from is harmless to these kinds of sinks."""
        for taint in value.taints:
            self.cleared[taint.origin] = self.cleared.get(taint.origin, frozenset()) | kinds

    # -- statements -------------------------------------------------------------------------------------------------

    def run(self, body: list[ast.stmt]) -> bool:
        """Interpret statements in order. False when none gets to the end of them."""
        for statement in body:
            rule = EXECUTE.get(type(statement))
            if rule is not None and not rule(self, statement):
                return False
        return True

    def branch(
        self,
        body: list[ast.stmt],
        test: ast.expr | None = None,
        outcome: bool = True,
        bind: tuple[str, Value] | None = None,
    ) -> tuple[Any, bool]:
        """Interpret statements on a copy of the state; return that state and whether they get to their end."""
        before, tests = (self.names, self.cleared), dict(self.tests)
        self.names, self.cleared = dict(self.names), dict(self.cleared)
        if bind is not None:
            self.names[bind[0]] = bind[1]
        if test is not None:
            refine(self, test, outcome)
        through = self.run(body)
        if self.cleared != before[1]:  # what this way proves holds for its own values, also where ways meet again
            self.names = {name: self.filtered(value) if value.taints else value for name, value in self.names.items()}
        after = self.names, self.cleared
        self.names, self.cleared = before
        self.tests = {name: held for name, held in tests.items() if self.tests.get(name) is held}
        return after, through

    def meet(self, states: list[Any]) -> None:
        """Go on from where several ways meet."""
        if not states:
            return
        names, cleared = states[0]
        for other, also in states[1:]:
            if other is not names:
                names = {name: join(names[name], other[name]) if name in names and name in other
                         else names.get(name) or other[name] for name in {**names, **other}}  # fmt: skip
            cleared = _common([cleared, also])
        self.names, self.cleared = dict(names), dict(cleared)

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a value to a name, an attribute, an entry, or several by unpacking; note names that are sinks."""
        if isinstance(target, ast.Name):
            if value.taints:
                note_named(self, target, target.id, value)
            self.names[target.id] = value
            self.hold(target.id, None)
        elif isinstance(target, ast.Tuple | ast.List):
            for index, part in enumerate(target.elts):
                if isinstance(part, ast.Starred):
                    self.assign(part.value, element(value))
                else:
                    self.assign(part, entry(value, index) if value.items else element(value))
        elif isinstance(target, ast.Attribute):
            if value.taints:
                note_named(self, target, target.attr, value)
            self.put(target.value, target.attr, value, is_attribute=True)
        elif isinstance(target, ast.Subscript):
            self._set_item(target, value)

    def hold(self, name: str, test: ast.expr | None) -> None:
        """Forget the tests of a name that is bound anew, and of what was asked about it; remember its own."""
        if self.tests:
            self.tests = {one: held for one, held in self.tests.items() if one != name and not speaks_of(held, name)}
        if test is not None and not speaks_of(test, name):
            self.tests[name] = test

    def _set_item(self, target: ast.Subscript, value: Value) -> None:
        key, holder = self.evaluate(target.slice), self.evaluate(target.value)
        if value.taints:
            note_named(self, target, f"{_name(target.value)} {key.text or ''}", value)
        if isinstance(holder.kind, External):
            note_item(self, target, holder.kind.name, key, value)
        self.put(target.value, key.const if is_key(key.const) else UNKNOWN, value, is_attribute=False)

    def put(self, holder: ast.expr, key: Any, value: Value, *, is_attribute: bool) -> None:
        """Set an attribute or entry of what a name holds."""
        if not isinstance(holder, ast.Name):
            return
        known = self.names.get(holder.id)
        if known is None:
            return
        if is_attribute and known.whole is not None and known.whole.kind == "parameter" and not known.whole.path:
            name = (known.whole.name, str(key))
            self.effects[name] = join(self.effects[name], value) if name in self.effects else value
        if key is UNKNOWN:
            self.names[holder.id] = carrying(known, value)
        elif len(known.items or {}) < MAX_ITEMS:
            self.names[holder.id] = replace(known, items={**(known.items or {}), key: value}, const=UNKNOWN)

    def loop(
        self, body: list[ast.stmt], orelse: list[ast.stmt], bind: Callable[[], None] | None, *, once: bool = False
    ) -> bool:
        """Interpret a loop's body as often as it takes for values to come round, and, unless `once`, also not at all."""
        for _ in range(2 if self.loops < MAX_LOOPS else 1):
            self.loops += 1
            if bind is not None:
                bind()
            outer, self.left = self.left, []
            state, through = self.branch(body)
            ends = [state, *self.left] if through else self.left
            self.left = outer
            self.meet(ends if once and ends else [(self.names, self.cleared), *ends])
            if not through:
                self.names = {**state[0], **self.names}
            self.loops -= 1
        return self.run(orelse) if orelse else True


def _cleared_of(cleared: Cleared, names: list[str], kinds: frozenset[str]) -> Cleared:
    origins = [Origin("parameter", name) for name in names]
    return {**cleared, **{origin: cleared.get(origin, frozenset()) | kinds for origin in origins}}


def _of_parameters(cleared: Cleared) -> Cleared:
    return {origin: kinds for origin, kinds in cleared.items() if origin.kind == "parameter"}


def _common(states: list[Cleared]) -> Cleared:
    """What is cleared on every way."""
    if not states:
        return {}
    first, *rest = states
    common = {}
    for origin, kinds in first.items():
        everywhere = kinds.intersection(*(other.get(origin, frozenset()) for other in rest))
        if everywhere:
            common[origin] = everywhere
    return common


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_static(function: Function) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in function.node.decorator_list)


def _kinds(cleared: Mapping[Origin, frozenset[str]], origin: Origin) -> frozenset[str]:
    """What an origin, or the whole that it is a part of, has been cleared of."""
    found = cleared.get(origin, frozenset())
    for length in range(len(origin.path)):
        found |= cleared.get(Origin(origin.kind, origin.name, origin.path[:length]), frozenset())
    return found


def speaks_of(node: ast.expr, name: str) -> bool:
    """Does an expression use a name?"""
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))
