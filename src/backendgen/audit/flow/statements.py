"""Interpreting statements: each returns whether what follows it is reached."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow import responses
from backendgen.audit.flow.guards import refine
from backendgen.audit.flow.parts import element
from backendgen.audit.flow.sinks import note_location, note_place
from backendgen.audit.flow.values import (
    NOTHING,
    UNKNOWN,
    Origin,
    Value,
    all_taints,
    carrying,
    concatenated,
    constant,
    place,
    tainted,
)  # fmt: skip
from backendgen.code.symbols import External
from backendgen.findings.finding import Step

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

TESTS = ast.Call | ast.Compare | ast.BoolOp | ast.UnaryOp  # what a name may hold until it is asked


def _return(frame: Frame, node: ast.Return) -> bool:
    value = frame.evaluate(node.value) if node.value is not None else constant(None)
    frame.returned.append(value)
    if frame.function is not None and node.value is not None:
        _sent(frame, node, value)
    frame.exits.append(frame.cleared)
    for outcome in (True, False):
        if value.const is not UNKNOWN:
            if bool(value.const) == outcome:
                frame.answers[outcome].append(frame.cleared)
        elif isinstance(node.value, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Call):
            frame.answers[outcome].append(frame.branch([], node.value, outcome)[0][1])
        else:
            frame.answers[outcome].append({})
    return False


def _sent(frame: Frame, node: ast.Return, value: Value) -> None:
    """What a view or handler returns is sent to the caller; by Flask as HTML, when it is a text."""
    assert frame.function is not None
    body = value
    if isinstance(node.value, ast.Tuple) and value.items:
        if any(responses.names_type(part) for part in value.items.values()):
            return
        body = value.items.get(0, value)
        if responses.is_view(frame.function) or id(frame.function.node) in frame.engine.views:
            for part in value.items.values():
                note_location(frame, node, part)
    if not all_taints(body):
        return
    if id(frame.function.node) in frame.engine.handlers:
        note_place(frame, node, "response", body)
    is_view = id(frame.function.node) in frame.engine.views or responses.is_view(frame.function)
    if body.taints and is_view and not responses.is_whole_body(body):
        note_place(frame, node, "html", body)


def _raise(frame: Frame, node: ast.Raise) -> bool:
    if node.exc is not None:
        frame.evaluate(node.exc)
    return False


def _expression(frame: Frame, node: ast.Expr) -> bool:
    frame.evaluate(node.value)
    return True


def _assign(frame: Frame, node: ast.Assign) -> bool:
    value = frame.evaluate(node.value)
    for target in node.targets:
        frame.assign(target, value)
        if isinstance(target, ast.Name) and isinstance(node.value, TESTS):
            frame.hold(target.id, node.value)
    return True


def _annotated(frame: Frame, node: ast.AnnAssign) -> bool:
    if node.value is not None:
        value = frame.evaluate(node.value)
        found = frame.engine.types.of(node.annotation, frame.module)
        if found.kind is not None and value.kind is None and not found.harmless:
            value = replace(value, kind=found.kind)
        frame.assign(node.target, value)
    return True


def _augmented(frame: Frame, node: ast.AugAssign) -> bool:
    before, added = frame.evaluate(node.target), frame.evaluate(node.value)
    if isinstance(node.op, ast.Add) and before.items is None:
        value = concatenated([before, added])
        frame.engine.built.setdefault((frame.path, node.lineno), False)
    else:
        value = carrying(before, added)
    frame.assign(node.target, value)
    return True


def _if(frame: Frame, node: ast.If) -> bool:
    test = frame.evaluate(node.test).const
    ways = [(node.body, True), (node.orelse, False)]
    if test is not UNKNOWN:
        ways = [way for way in ways if way[1] == bool(test)]
    ends = [frame.branch(body, node.test, outcome) for body, outcome in ways]
    frame.meet([state for state, through in ends if through])
    return any(through for _, through in ends)


def _for(frame: Frame, node: ast.For | ast.AsyncFor) -> bool:
    value = frame.evaluate(node.iter)
    each = element(value)
    once = isinstance(node.iter, ast.Tuple | ast.List) and bool(node.iter.elts)
    return frame.loop(node.body, node.orelse, lambda: frame.assign(node.target, each), once=once)


def _while(frame: Frame, node: ast.While) -> bool:
    if frame.evaluate(node.test).const in (False, 0):
        return True
    frame.loop(node.body, node.orelse, None)
    return True


def _with(frame: Frame, node: ast.With | ast.AsyncWith) -> bool:
    for item in node.items:
        value = frame.evaluate(item.context_expr)
        if item.optional_vars is not None:
            frame.assign(item.optional_vars, value)
    return frame.run(node.body)


def _try(frame: Frame, node: ast.Try) -> bool:
    before = dict(frame.names), dict(frame.cleared)
    state, through = frame.branch(node.body)
    ends = []
    if through:
        frame.meet([state])
        if not node.orelse or frame.run(node.orelse):
            ends.append((frame.names, frame.cleared))
    frame.meet([before, (state[0], before[1])])
    for handler in node.handlers:
        after, out = frame.branch(handler.body, bind=_caught(frame, handler))
        if out:
            ends.append(after)
    frame.meet(ends)
    return (frame.run(node.finalbody) if node.finalbody else True) and bool(ends)


def _caught(frame: Frame, handler: ast.ExceptHandler) -> tuple[str, Value] | None:
    """The name of what is caught: any exception whatever, or one that the program knows."""
    if handler.name is None:
        return None
    kind = frame.engine.symbols.value(handler.type, frame.module, frame.function) if handler.type is not None else None
    if isinstance(kind, External) and kind.name in ("Exception", "BaseException"):
        step = Step(place(frame.path, handler), f"catches `{kind.name}`")
        return handler.name, tainted(Origin("exception", "the text of any exception"), (step,))
    return handler.name, NOTHING


def _match(frame: Frame, node: ast.Match) -> bool:
    subject = frame.evaluate(node.subject)
    ends = []
    exhaustive = False
    for case in node.cases:
        values = _literals(case.pattern)
        if subject.const is not UNKNOWN and values is not None and subject.const not in values:
            continue
        before = frame.cleared
        if values is not None:
            frame.cleared = dict(before)
            frame.clear(subject, frozenset({"*"}))
        for name in (each for each in ast.walk(case.pattern) if isinstance(each, ast.MatchAs) and each.name):
            frame.names[str(name.name)] = carrying(NOTHING, subject)
        state, through = frame.branch(case.body)
        frame.cleared = before
        if through:
            ends.append(state)
        exhaustive = exhaustive or (
            isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None
        )
        if subject.const is not UNKNOWN and values is not None and case.guard is None:
            exhaustive = True
            break
    if not exhaustive:
        ends.append((frame.names, frame.cleared))
    frame.meet(ends)
    return bool(ends)


def _assert(frame: Frame, node: ast.Assert) -> bool:
    frame.evaluate(node.test)
    refine(frame, node.test, True)
    return True


def _leave(frame: Frame, node: ast.Break | ast.Continue) -> bool:
    frame.left.append((dict(frame.names), dict(frame.cleared)))
    return False


def _literals(pattern: ast.pattern) -> list[Any] | None:
    """The constants that a pattern stands for, or None when it is another kind of pattern."""
    if isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Constant):
        return [pattern.value.value]
    if isinstance(pattern, ast.MatchSingleton):
        return [pattern.value]
    if isinstance(pattern, ast.MatchOr):
        found = [_literals(each) for each in pattern.patterns]
        return None if any(each is None for each in found) else [value for each in found for value in each or ()]
    return None


EXECUTE: dict[type[ast.stmt], Callable[[Frame, Any], bool]] = {
    ast.Return: _return, ast.Raise: _raise, ast.Expr: _expression, ast.Assign: _assign, ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented, ast.If: _if, ast.For: _for, ast.AsyncFor: _for, ast.While: _while, ast.With: _with,
    ast.AsyncWith: _with, ast.Try: _try, ast.TryStar: _try, ast.Match: _match, ast.Assert: _assert, ast.Break: _leave,
    ast.Continue: _leave,
}  # fmt: skip
