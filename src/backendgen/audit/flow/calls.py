"""Interpreting calls: functions of the project through their summaries, outside ones by what is known of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow import libraries
from backendgen.audit.flow.engine import Engine
from backendgen.audit.flow.sinks import note_sinks
from backendgen.audit.flow.values import (
    HARMLESS,
    HOLE,
    NOTHING,
    UNKNOWN,
    Origin,
    Value,
    all_taints,
    carrying,
    concatenated,
    constant,
    join,
    join_all,
    place,
    resolved_path,
    sanitised,
    substituted,
    tainted,
)  # fmt: skip
from backendgen.code.symbols import Class, External, Function, Symbol, Variable
from backendgen.findings.finding import Step

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

READS = frozenset({"get", "pop", "getlist", "getall", "get_list", "multi_items", "setdefault"})
CHANGES = frozenset({"append", "add", "extend", "insert", "update", "write", "appendleft"})
FIELD = re.compile(r"{[^{}]*}")


def call(frame: Frame, node: ast.Call) -> Value:
    """Return what is known of a call's result; note the sinks that it is or leads to."""
    receiver, target = target_of(frame, node.func)
    positional = [frame.evaluate(each) for each in node.args]
    keywords = {each.arg: frame.evaluate(each.value) for each in node.keywords if each.arg is not None}
    spread = [frame.evaluate(each.value) for each in node.keywords if each.arg is None]
    name = target.name if isinstance(target, External) else ""
    note_sinks(frame, node, name, receiver, positional, keywords)
    if isinstance(target, Function):
        given = bound(target, receiver, positional, keywords, spread)
        return _applied(frame, node, target, given)
    if isinstance(target, Class):
        return _constructed(frame, node, target, positional, keywords, spread)
    handed = _handed_over(frame, node, positional, keywords)
    found = (
        _outside(frame, node, name, receiver, positional, keywords)
        if name
        else _method(frame, node, receiver, positional, keywords, spread)
    )
    return join(found, handed) if handed is not None else found


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
        note_sinks(frame, node, target.name, receiver, given, named)
    return None


def target_of(frame: Frame, node: ast.expr) -> tuple[Value | None, Symbol | None]:
    """Return what is called, and the value that it is a method of."""
    engine = frame.engine
    if isinstance(node, ast.Name):
        local = frame.names.get(node.id)
        if local is not None:
            return (local.bound, local.function) if local.function is not None else (local, None)
        return None, engine.symbols.value(node, frame.module, frame.function)
    if not isinstance(node, ast.Attribute):
        value = frame.evaluate(node)
        return value, value.function
    is_local = isinstance(node.value, ast.Name) and node.value.id in frame.names
    if not is_local:
        symbol = engine.symbols.value(node, frame.module, frame.function)
        base = engine.symbols.resolve(node.value, frame.module, frame.function) if symbol is not None else None
        if symbol is not None and isinstance(symbol, Function | Class | External):
            receiver = engine.variable(base) if isinstance(base, Variable) else None
            return receiver, symbol
    if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name) and node.value.func.id == "super":
        return _super(frame, node.attr)
    receiver = frame.evaluate(node.value)
    if isinstance(receiver.kind, Class):
        member = engine.symbols.member(receiver.kind, node.attr)
        if isinstance(member, Function):
            return receiver, member
        outside = next(
            (
                base
                for base in sorted(engine.symbols.bases(receiver.kind))
                if f"{base}.{node.attr}" in engine.sinks_by_name
            ),
            "",
        )
        return receiver, External(f"{outside}.{node.attr}") if outside else None
    if isinstance(receiver.kind, External):
        return receiver, External(f"{receiver.kind.name}.{node.attr}")
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
            given[parameter] = join_all(_part(each, parameter) for each in spread)
    return given


def _part(spread: Value, name: str) -> Value:
    """What `**spread` gives for a parameter."""
    return spread.items[name] if spread.items and name in spread.items else carrying(NOTHING, spread)


def applied(engine: Engine, function: Function, given: Mapping[str, Value], step: Step | None) -> Value:
    """Return a function's result for these arguments, without noting anything."""
    return substituted(engine.summary(function).returns, engine.resolver(given), step)


def _applied(frame: Frame, node: ast.Call, function: Function, given: dict[str, Value]) -> Value:
    """Put the arguments into a function's summary: its sinks, what it sets, what it refuses, what it returns."""
    engine = frame.engine
    summary = engine.summary(function)
    step = Step(place(frame.path, node), f"passed to `{function.name}`")
    for reached in summary.reached:
        left = engine.called(reached, given, step)
        if left is not None:
            frame.reached.append(left)

    resolve = engine.resolver(given)
    for (parameter, attribute), value in summary.effects.items():
        argument = _argument(node, function, parameter)
        if argument is not None:
            target = ast.Attribute(argument, attribute, ast.Store())
            frame.assign(target, substituted(value, resolve, step))
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
        for reached in summary.reached:
            left = engine.called(reached, given, step)
            if left is not None:
                frame.reached.append(left)
        own = maker.parameters[0].arg
        resolve = engine.resolver(given)
        items = {
            attribute: substituted(value, resolve, step)
            for (parameter, attribute), value in summary.effects.items()
            if parameter == own
        }
        return Value(kind=owner, items=items)
    items = {**dict(zip(_fields(engine, owner), positional, strict=False)), **keywords}
    return carrying(Value(kind=owner, items=items), *spread) if spread else Value(kind=owner, items=items)


def _fields(engine: Engine, owner: Class) -> list[str]:
    """The fields of a dataclass or model, the inherited ones first."""
    return [name for one in reversed(engine.symbols.lineage(owner)) for name in one.module.members.get(id(one.node), {})
            if not isinstance(one.module.members[id(one.node)][name], Function)]  # fmt: skip


def _as_dictionary(engine: Engine, value: Value, owner: Class) -> Value:
    """A model as a dictionary: its keys are the program's, its values the caller's."""
    from backendgen.audit.flow.expressions import attribute

    return Value(items={name: attribute(engine, value, name) for name in _fields(engine, owner)})


def _outside(
    frame: Frame, node: ast.Call, name: str, receiver: Value | None, positional: list[Value], keywords: dict[str, Value]
) -> Value:
    """A function that is not the project's."""
    last = name.rpartition(".")[2]
    kinds = frame.engine.sanitisers.get(name)
    given = [*positional, *keywords.values()]
    if kinds is not None:
        return sanitised(join_all(given), kinds) if given else NOTHING
    if name in libraries.VALIDATING:
        for value in positional[:1]:
            frame.clear(value, frozenset({"*"}))
        folded = positional[0].const if len(positional) == 1 and name == "int" else UNKNOWN
        return constant(int(folded)) if isinstance(folded, int | float) and abs(folded) < 10**9 else HARMLESS
    if name in libraries.NEUTRAL:
        return HARMLESS
    if receiver is not None and isinstance(receiver.kind, External) and receiver.kind.name in libraries.REQUESTS:
        part = libraries.REQUEST_PARTS.get(last)
        return tainted(Origin("request", part)) if part else NOTHING
    through = keywords.get(libraries.CONNECTS_THROUGH.get(name, ""))
    if through is not None and _checks_addresses(frame, through):
        return through
    kind = libraries.returned(name)
    if name == "dataclasses.asdict" and positional and isinstance(positional[0].kind, Class):
        return _as_dictionary(frame.engine, positional[0], positional[0].kind)
    if name == "str" and len(positional) == 1:
        return positional[0] if positional[0].text is not None else replace(positional[0], kind=None)
    if name in ("os.path.realpath", "os.path.abspath") or name == "pathlib.Path.resolve":
        base = receiver if name.startswith("pathlib") and receiver is not None else join_all(given)
        return replace(sanitised(base, frozenset({"resolved"})), kind=base.kind)
    if name == "re.compile" and positional:
        return positional[0]
    if name == "typing.cast" and len(positional) == 2:
        return positional[1]
    if kind is not None:
        return carrying(Value(kind=kind), *given) if libraries.passes_on(name) else Value(kind=kind)
    if name in ("enumerate", "zip") and positional:
        from backendgen.audit.flow.expressions import element

        parts = [element(frame, value) for value in positional]
        counted = [HARMLESS, *parts[:1]] if name == "enumerate" else parts
        return Value(items={"[]": Value(items=dict(enumerate(counted)))})
    if name in ("dict",) and not positional:
        return Value(items=dict(keywords))
    if name == "pathlib.Path.relative_to" and receiver is not None and resolved_path(receiver):  # raises when it is not
        frame.clear(receiver, frozenset({"path"}))
    if libraries.passes_on(name):
        if receiver is not None and receiver.taints:
            given.append(receiver)
        kept = External("pathlib.Path") if name.startswith("pathlib.") else None
        exact = (
            given[0]
            if len(given) == 1 and name in ("list", "tuple", "sorted", "set", "frozenset", "iter", "reversed")
            else None
        )
        return exact if exact is not None else carrying(Value(kind=kept), *given)
    if receiver is not None and isinstance(node.func, ast.Attribute) and receiver.taints:
        return _method(frame, node, receiver, positional, keywords, [])
    return NOTHING


def _checks_addresses(frame: Frame, transport: Value) -> bool:
    """Does a transport, connector or resolver of the project look whether an address is private before it connects?"""
    owner = transport.kind
    if not isinstance(owner, Class):
        return False
    symbols = frame.engine.symbols
    members = (one.module.members.get(id(one.node), {}).values() for one in symbols.lineage(owner))
    return any(
        frame.engine.summary(each).checks_addresses for some in members for each in some if isinstance(each, Function)
    )


def _method(
    frame: Frame,
    node: ast.Call,
    receiver: Value | None,
    positional: list[Value],
    keywords: dict[str, Value],
    spread: list[Value],
) -> Value:
    """A method of a value whose class is not known: those of text and containers, by their names."""
    if receiver is None or not isinstance(node.func, ast.Attribute):
        return NOTHING
    name = node.func.attr
    if isinstance(receiver.kind, Class) and name in ("model_dump", "dict") and _fields(frame.engine, receiver.kind):
        return _as_dictionary(frame.engine, receiver, receiver.kind)
    if name == "format_map" and positional:
        name, spread, positional = "format", positional, []
    if name == "format" and receiver.text is not None:
        parts = _format(receiver, positional, keywords, spread)
        from backendgen.audit.flow.expressions import _built

        return _built(frame, node, [receiver, *positional, *keywords.values(), *spread], concatenated(parts))
    if name == "join" and len(positional) == 1:
        from backendgen.audit.flow.expressions import element

        inner = element(frame, positional[0])
        text = (
            (receiver.text or "").join(each.text or HOLE for each in (positional[0].items or {}).values())
            if positional[0].items
            else HOLE
        )
        found = carrying(Value(text=text), inner, Value(all_taints(positional[0])), receiver)
        return HARMLESS if inner.is_harmless and receiver.is_harmless and not found.taints else found
    if name in READS and positional:
        from backendgen.audit.flow.expressions import entry

        found = entry(frame, receiver, positional[0].const)
        return join(found, positional[1]) if len(positional) > 1 else found
    if name in ("values",) and receiver.items:
        return Value(items={"[]": join_all(receiver.items.values())})
    if name in ("items",) and receiver.items:
        pair = Value(items={0: join_all(constant(key) for key in receiver.items), 1: join_all(receiver.items.values())})
        return Value(items={"[]": pair})
    if name in CHANGES and isinstance(node.func.value, ast.Name):
        _changed(frame, node.func.value.id, receiver, name, positional, keywords)
        return NOTHING
    if isinstance(receiver.const, str):
        folded = _folded(receiver.const, name, positional)
        return folded if folded is not None else carrying(Value(text=HOLE), *positional)
    if name == "relative_to" and resolved_path(receiver):  # raises when it is not
        frame.clear(receiver, frozenset({"path"}))
    if name == "replace" and len(positional) == 2 and positional[0].const in (".", "/") and positional[1].const == "":
        return sanitised(receiver, frozenset({"path"}))
    if name in ("execute", "scalar", "scalars", "fetch", "fetchrow", "fetchall", "fetchone", "query"):
        return NOTHING
    return carrying(Value(text=HOLE), receiver, *(positional if name in ("replace", "join") else ()))


def _format(
    template: Value, positional: list[Value], keywords: Mapping[str, Value], spread: list[Value]
) -> Iterator[Value]:
    """The parts of `template.format(...)`."""
    text = template.text or ""
    position = 0
    start = 0
    for field in FIELD.finditer(text):
        yield constant(text[start : field.start()])
        name = re.split(r"[.\[:!]", field[0][1:-1])[0]
        if name and not name.isdigit():
            yield keywords[name] if name in keywords else join_all(_part(each, name) for each in spread)
        else:
            index = int(name) if name else position
            position += 1
            yield positional[index] if index < len(positional) else NOTHING
        start = field.end()
    yield carrying(constant(text[start:]), template)


def _changed(
    frame: Frame, name: str, receiver: Value, method: str, positional: list[Value], keywords: Mapping[str, Value]
) -> None:
    """A container that something is put into."""
    items = receiver.items
    if (
        method == "append"
        and items is not None
        and positional
        and all(isinstance(key, int) for key in items)
        and len(items) < 32
    ):
        frame.names[name] = replace(receiver, items={**items, len(items): positional[0]}, const=UNKNOWN)
    elif method == "update" and items is not None and len(positional) == 1 and positional[0].items is not None:
        frame.names[name] = replace(receiver, items={**items, **positional[0].items}, const=UNKNOWN)
    else:
        frame.names[name] = carrying(replace(receiver, const=UNKNOWN), *positional, *keywords.values())


def _folded(text: str, method: str, arguments: list[Value]) -> Value | None:
    """A method of a constant text with constant arguments."""
    given = [value.const for value in arguments]
    if method in ("upper", "lower", "strip", "title", "lstrip", "rstrip", "capitalize") and not given:
        return constant(getattr(text, method)())
    if method == "replace" and len(given) == 2 and all(isinstance(each, str) for each in given) and len(text) < 500:
        return constant(text.replace(given[0], given[1]))
    if method in ("startswith", "endswith") and len(given) == 1 and isinstance(given[0], str):
        return constant(getattr(text, method)(given[0]))
    return None
