"""Interpreting calls: what is called, its arguments bound, functions of the project through their summaries."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow import sources
from backendgen.audit.flow.engine import Engine, Summary
from backendgen.audit.flow.outside import fields, method, outside
from backendgen.audit.flow.sinks import note_call, note_location, note_named
from backendgen.audit.flow.texts import spread_part
from backendgen.audit.flow.values import (
    HARMLESS,
    NOTHING,
    Value,
    all_taints,
    carrying,
    join,
    join_all,
    place,
    substituted,
)  # fmt: skip
from backendgen.code.symbols import Class, External, Function, Symbol, Variable
from backendgen.findings.finding import Step

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame


LATER = frozenset(
    {"delay", "apply_async", "s", "si", "send", "send_with_options", "defer", "defer_async", "enqueue", "kiq"}
)


def call(frame: Frame, node: ast.Call) -> Value:
    """Return what is known of a call's result; note the sinks that it is or leads to."""
    targets = targets_of(frame, node.func)
    positional, spread = _arguments(frame, node)
    keywords = {each.arg: frame.evaluate(each.value) for each in node.keywords if each.arg is not None}
    for key, value in keywords.items():
        if value.taints:
            note_named(frame, node, key, value)
        if key == "headers":
            note_location(frame, node, value)
    return join_all(_called(frame, node, *target, positional, keywords, spread) for target in targets)


def _arguments(frame: Frame, node: ast.Call) -> tuple[list[Value], list[Value]]:
    """The positional arguments, those of a known list spread out, and what `**` spreads."""
    positional: list[Value] = []
    for each in node.args:
        value = frame.evaluate(each)
        if isinstance(each, ast.Starred) and value.items and all(isinstance(key, int) for key in value.items):
            positional += value.items.values()
        else:
            positional.append(value)
    return positional, [frame.evaluate(each.value) for each in node.keywords if each.arg is None]


def _called(
    frame: Frame, node: ast.Call, receiver: Value | None, target: Symbol | None, positional: list[Value],
    keywords: dict[str, Value], spread: list[Value],
) -> Value:  # fmt: skip
    name = target.name if isinstance(target, External) else ""
    note_call(frame, node, name, receiver, positional, keywords, spread)
    if isinstance(target, Function):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("apply_async", "send_with_options"):
            positional, keywords = _queued(positional, keywords)
        return _applied(frame, node, target, bound(target, receiver, positional, keywords, spread))
    if isinstance(target, Class):
        return _constructed(frame, node, target, positional, keywords, spread)
    handed = _handed_over(frame, node, positional, keywords)
    if name:
        found = outside(frame, node, name, receiver, positional, keywords, spread)
    else:
        found = method(frame, node, receiver, positional, keywords, spread)
    return join(found, handed) if handed is not None else found


def _queued(positional: list[Value], keywords: dict[str, Value]) -> tuple[list[Value], dict[str, Value]]:
    """The arguments of a task in `apply_async(args=[name], kwargs={"kind": kind})`."""
    given = positional[0] if positional else keywords.get("args", NOTHING)
    named = positional[1] if len(positional) > 1 else keywords.get("kwargs", NOTHING)
    return list((given.items or {}).values()), {str(key): value for key, value in (named.items or {}).items()}


def _handed_over(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """A function that is given to something outside is called there, with the arguments that follow it.

    `asyncio.to_thread(f, x)`, `tasks.add_task(f, x)`, `loop.run_in_executor(None, f, x)`, `partial(f, x)`,
    `Thread(target=f, args=(x,))`: what the call gives is what the function returns.
    """
    found: Value | None = None
    for index, argument in enumerate(node.args):
        if isinstance(argument, ast.Name | ast.Attribute):
            found = _later(frame, node, argument, positional[index + 1 :], keywords) or found
    for keyword in node.keywords:
        if isinstance(keyword.value, ast.Name | ast.Attribute) and keyword.arg is not None:
            given = list((keywords["args"].items or {}).values()) if "args" in keywords else []
            named = keywords["kwargs"].items or {} if "kwargs" in keywords else {}
            found = (
                _later(frame, node, keyword.value, given, {str(key): value for key, value in named.items()}) or found
            )
    return found


def _later(
    frame: Frame, node: ast.Call, function: ast.Name | ast.Attribute, given: list[Value], named: dict[str, Value]
) -> Value | None:
    if not given and not named:
        return None
    receiver, target = target_of(frame, function)
    if isinstance(target, Function):
        return _applied(frame, node, target, bound(target, receiver, given, named, []))
    if isinstance(target, External) and target.name in frame.engine.sinks_by_name:
        note_call(frame, node, target.name, receiver, given, named, [])
    return None


def targets_of(frame: Frame, node: ast.expr) -> list[tuple[Value | None, Symbol | None]]:
    """Return all that may be called here, each with the value that it is a method of."""
    receiver, target = target_of(frame, node)
    targets = [(receiver, target)]
    if receiver is not None and receiver.others:
        if isinstance(node, ast.Attribute):
            for kind in receiver.others:
                member = frame.engine.symbols.member(kind, node.attr)
                if isinstance(member, Function) and member is not target:
                    targets.append((replace(receiver, kind=kind), member))
        else:
            targets += [(None, other) for other in receiver.others]
    return targets


def target_of(frame: Frame, node: ast.expr) -> tuple[Value | None, Symbol | None]:
    """Return what is called, and the value that it is a method of."""
    engine = frame.engine
    if isinstance(node, ast.Name):
        local = frame.names.get(node.id)
        if local is not None:
            return _held(local)
        return None, engine.symbols.value(node, frame.module, frame.function)
    if not isinstance(node, ast.Attribute):
        return _held(frame.evaluate(node))
    is_local = isinstance(node.value, ast.Name) and node.value.id in frame.names
    if not is_local:
        symbol = engine.symbols.value(node, frame.module, frame.function)
        base = engine.symbols.resolve(node.value, frame.module, frame.function) if symbol is not None else None
        is_request = isinstance(symbol, External) and sources.is_part_of_request(symbol.name)
        if symbol is not None and isinstance(symbol, Function | Class | External) and not is_request:
            receiver = engine.variable(base) if isinstance(base, Variable) else None
            return receiver, symbol
    if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "super":
        return _super(frame, node.attr)
    if node.attr in LATER:  # a task that a queue runs: `send.delay(name)`
        task = engine.symbols.value(node.value, frame.module, frame.function)
        if isinstance(task, Function):
            return None, task
    return method_of(engine, frame.evaluate(node.value), node.attr)


def _held(value: Value) -> tuple[Value | None, Symbol | None]:
    """What calling a value calls."""
    if value.function is None:
        return value, None
    if value.others:
        return replace(value, function=None), value.function
    return value.bound, value.function


def method_of(engine: Engine, receiver: Value, name: str) -> tuple[Value | None, Symbol | None]:
    """The method of a value, by its type."""
    if isinstance(receiver.kind, Class):
        member = engine.symbols.member(receiver.kind, name)
        if isinstance(member, Function):
            return receiver, member
        bases = sorted(engine.symbols.bases(receiver.kind))
        outer = next((base for base in bases if f"{base}.{name}" in engine.sinks_by_name), "")
        outer = outer or next((base for base in bases if sources.read(base, name) is not None), "")
        if outer and sources.read(outer, name) is not None:
            return Value(kind=External(outer)), External(f"{outer}.{name}")
        return receiver, External(f"{outer}.{name}") if outer else None
    if isinstance(receiver.function, Class):
        member = engine.symbols.member(receiver.function, name)
        return (None, member) if isinstance(member, Function) else (receiver, None)
    if isinstance(receiver.function, External):
        return receiver, External(f"{receiver.function.name}.{name}")
    if isinstance(receiver.kind, External):
        return receiver, External(f"{receiver.kind.name}.{name}")
    return receiver, None


def _super(frame: Frame, name: str) -> tuple[Value | None, Symbol | None]:
    owner = frame.function.owner if frame.function else None
    if owner is None or frame.function is None or not frame.function.parameters:
        return None, None
    for base in frame.engine.symbols.lineage(owner)[1:]:
        member = base.module.members.get(id(base.node), {}).get(name)
        if isinstance(member, Function):
            return frame.names.get(frame.function.parameters[0].arg), member
    return None, None


def bound(
    function: Function,
    receiver: Value | None,
    positional: list[Value],
    keywords: Mapping[str, Value],
    spread: list[Value],
) -> dict[str, Value]:
    """Bind arguments to a function's parameters by name."""
    names = [each.arg for each in (*function.node.args.posonlyargs, *function.node.args.args)]
    given: dict[str, Value] = {}
    decorators = {each.id for each in function.node.decorator_list if isinstance(each, ast.Name)}
    is_method = function.owner is not None and "staticmethod" not in decorators and bool(names)
    if is_method and (receiver is not None or "classmethod" in decorators):
        given[names.pop(0)] = receiver if receiver is not None else NOTHING
    given.update(zip(names, positional, strict=False))
    rest = function.node.args.vararg
    if rest is not None:
        given[rest.arg] = Value(items=dict(enumerate(positional[len(names) :])))
    every = {each.arg for each in function.parameters}
    others = {name: value for name, value in keywords.items() if name not in every}
    given.update({name: value for name, value in keywords.items() if name in every})
    if function.node.args.kwarg is not None:
        given[function.node.args.kwarg.arg] = carrying(Value(items=others), *spread)
    for parameter in every - given.keys():
        if spread:
            given[parameter] = join_all(spread_part(each, parameter) for each in spread)
    return given


def applied(engine: Engine, function: Function, given: Mapping[str, Value], step: Step | None) -> Value:
    """Return a function's result for these arguments, without noting anything."""
    return substituted(engine.summary(function).returns, engine.resolver(given), step)


def _pass_on(frame: Frame, summary: Summary, given: dict[str, Value], step: Step) -> None:
    """Let what reaches a sink in a function that is called reach it from here."""
    for reached in summary.reached:
        left = frame.engine.called(reached, given, step, frame.function.name if frame.function else "")
        if left is not None:
            frame.reached.append(left)


def _applied(frame: Frame, node: ast.Call, function: Function, given: dict[str, Value]) -> Value:
    """Put the arguments into a function's summary: its sinks, what it sets, what it refuses, what it returns."""
    engine = frame.engine
    summary = engine.summary(function)
    step = Step(place(frame.path, node), f"passed to `{function.name}`")
    _pass_on(frame, summary, given, step)

    resolve = engine.resolver(given)
    for (parameter, attribute), value in summary.effects.items():
        argument = _argument(node, function, parameter)
        if argument is not None:
            frame.put(argument, attribute, substituted(value, resolve, step), is_attribute=True)
    for origin, kinds in summary.cleared.items():
        frame.clear(resolve(origin), kinds)
    if summary.checks_addresses and not any(
        map(all_taints, given.values())
    ):  # what a resolver answered, not a parameter
        frame.checks_addresses = True
    return frame.filtered(substituted(summary.returns, resolve, step))


def _argument(node: ast.Call, function: Function, parameter: str) -> ast.Name | None:
    """The name at the call that stands for a parameter."""
    names = [each.arg for each in function.parameters]
    if parameter not in names:
        return None
    index = names.index(parameter)
    found: ast.expr | None = None
    if function.owner is not None and isinstance(node.func, ast.Attribute):
        if index == 0:
            found = node.func.value
        index -= 1
    if found is None and 0 <= index < len(node.args):
        found = node.args[index]
    return found if isinstance(found, ast.Name) else None


def _constructed(
    frame: Frame, node: ast.Call, owner: Class, positional: list[Value], keywords: dict[str, Value], spread: list[Value]
) -> Value:
    """An instance: what `__init__` sets, or the fields of a dataclass or model."""
    engine = frame.engine
    if any(base.rpartition(".")[2].endswith("Enum") for base in engine.symbols.bases(owner)):
        for value in positional:
            frame.clear(value, frozenset({"*"}))
        return HARMLESS
    maker = engine.symbols.member(owner, "__init__")
    blank = Value(kind=owner, items={})
    if isinstance(maker, Function) and maker.parameters:
        given = bound(maker, blank, positional, keywords, spread)
        summary = engine.summary(maker)
        step = Step(place(frame.path, node), f"passed to `{owner.name}`")
        _pass_on(frame, summary, given, step)
        own = maker.parameters[0].arg
        resolve = engine.resolver(given)
        items = {
            attribute: substituted(value, resolve, step)
            for (parameter, attribute), value in summary.effects.items()
            if parameter == own
        }
        return Value(kind=owner, items=items)
    items = {**dict(zip(fields(engine, owner), positional, strict=False)), **keywords}
    return carrying(Value(kind=owner, items=items), *spread) if spread else Value(kind=owner, items=items)
