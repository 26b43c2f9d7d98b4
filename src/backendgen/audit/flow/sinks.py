"""Calls that a taint must not reach."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from backendgen.audit.flow.engine import Reached
from backendgen.audit.flow.spec import FlowRule, Sink, looks_like_sql
from backendgen.audit.flow.values import NOTHING, Value, all_taints, place
from backendgen.code.symbols import Class

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

SHELL = re.compile(r"(?:^|/)(?:sh|bash|dash|zsh|ksh)$")
OPTION = re.compile(r"-[a-z]*c")


def note_sinks(
    frame: Frame,
    node: ast.Call,
    name: str,
    receiver: Value | None,
    positional: list[Value],
    keywords: Mapping[str, Value],
) -> None:
    """Note what reaches the sinks that a call is, by its dotted name or by its method\'s."""
    engine = frame.engine
    for rule, sink in engine.sinks_by_name.get(name, ()):
        _reach(frame, node, rule, sink, receiver, positional, keywords, proven=True)
    if (
        not name
        and isinstance(node.func, ast.Attribute)
        and receiver is not None
        and not isinstance(receiver.kind, Class)
    ):
        for rule, sink in engine.sinks_by_method.get(node.func.attr, ()):
            _reach(frame, node, rule, sink, receiver, positional, keywords, proven=not sink.sql)
    elif name and isinstance(node.func, ast.Attribute) and name not in engine.sinks_by_name:
        for rule, sink in engine.sinks_by_method.get(node.func.attr, ()):
            if sink.sql:
                _reach(frame, node, rule, sink, receiver, positional, keywords, proven=False)


def _script(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    """What a program that is a shell is told to run: the text after `-c`; nothing for any other program."""
    first = positional[0] if positional else keywords.get("args", NOTHING)
    words = [first.items[key] for key in sorted(first.items, key=str)] if first.items else positional
    if len(words) < 3 or not isinstance(words[0].const, str) or not isinstance(words[1].const, str):
        return []
    is_shell = SHELL.search(words[0].const) and OPTION.fullmatch(words[1].const)
    return [words[2]] if is_shell else []


def _reach(
    frame: Frame,
    node: ast.Call,
    rule: FlowRule,
    sink: Sink,
    receiver: Value | None,
    positional: list[Value],
    keywords: Mapping[str, Value],
    *,
    proven: bool,
) -> None:
    """Note what reaches the arguments that matter; judge the line harmless when they are."""
    for wanted, value in (sink.given or {}).items():
        if keywords.get(wanted, NOTHING).const != value:
            return
    if sink.shell:
        positional, keywords = _script(positional, keywords), {}
    for argument in sink.arguments:
        if isinstance(argument, int):
            given = positional[argument] if argument < len(positional) else None
        elif argument == "self":
            given = receiver
        else:
            given = keywords.get(argument)
        if given is None:
            continue
        for rule_id in (rule.rule.id, *rule.rule.supersedes):
            frame.engine.judge(rule_id, frame.path, node, given.is_harmless)
        taints = all_taints(given)
        if not taints:
            continue
        unproven = not proven and not looks_like_sql(given.text)
        if unproven and given.whole is None:
            continue
        symbol = frame.function.name if frame.function else ""
        value = Value(taints, text=given.text, whole=given.whole)
        reached = Reached(rule, place(frame.path, node), ast.unparse(node.func)[:60], symbol, value, unproven)
        left = frame.engine.reach(reached)
        if left is not None:
            frame.reached.append(left)
