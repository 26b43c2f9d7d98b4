"""What a taint must not reach: calls, places such as an HTML body, names that are secret, comparisons."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from backendgen.audit.flow import responses, templates
from backendgen.audit.flow.engine import Reached
from backendgen.audit.flow.parts import walked
from backendgen.audit.flow.spec import FlowRule, Sink, looks_like_sql
from backendgen.audit.flow.values import HOLE, NOTHING, UNKNOWN, Value, all_taints, place
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

SHELL = re.compile(r"(?:^|/)(?:sh|bash|dash|zsh|ksh)$")
ADDRESS = re.compile(r"\d+\.\d+\.|[0-9a-f]*:[0-9a-f]*:")
CONVERSION = re.compile(r"%[-+ #0-9.*]*([a-zA-Z%])")
OPTION = re.compile(r"-[a-z]*c")
MAX_SINK = 60
MAX_FILTER = 3
OF_ANY = ("sql", "object", "script", "fragment")  # sinks that are known by their method whatever it is called on
SCRIPTS = ("$where", "$function", "$accumulator")


def note_call(
    frame: Frame, node: ast.Call, name: str, receiver: Value | None, positional: list[Value],
    keywords: Mapping[str, Value], spread: list[Value],
) -> None:  # fmt: skip
    """Note what reaches the sinks that a call is, by its dotted name or by its method's."""
    engine = frame.engine
    for rule, sink in engine.sinks_by_name.get(name, ()):
        _reach(frame, node, rule, sink, receiver, positional, keywords, spread, proven=True)
    if name:
        body = responses.html_body(name, positional, keywords)
        if body is None and receiver is not None:
            body = responses.written(name, receiver, positional)
        if body is not None:
            note_place(frame, node, "html", body)
        for value, path in templates.sent(engine.templates, name, positional, keywords):
            note_place(frame, node, "html", walked(engine, value, path))
    if not isinstance(node.func, ast.Attribute) or (receiver is None and not name):
        return
    if not name and receiver is not None and not isinstance(receiver.kind, Class):
        for rule, sink in engine.sinks_by_method.get(node.func.attr, ()):
            _reach(frame, node, rule, sink, receiver, positional, keywords, spread, proven=not sink.sql)
    elif name and name not in engine.sinks_by_name:
        for rule, sink in engine.sinks_by_method.get(node.func.attr, ()):
            if sink.where in OF_ANY:
                _reach(frame, node, rule, sink, receiver, positional, keywords, spread, proven=not sink.sql)


def note_item(frame: Frame, node: ast.Subscript, holder: str, key: Value, value: Value) -> None:
    """Note what an entry of an outside container is set to: `session["user"] = name`."""
    for rule, sink in frame.engine.sinks_by_name.get(f"{holder}.__setitem__", ()):
        if sink.names is None or key.taints or (key.text is not None and sink.names.search(key.text)):
            _reach(frame, node, rule, sink, None, [key, value], {}, [], proven=True)


def note_place(frame: Frame, node: ast.expr | ast.stmt, where: str, value: Value) -> None:
    """Note what reaches a place that is no call: `html`, `response`, `format`."""
    taints = all_taints(value)
    if not taints:
        return
    if where == "html" and (_is_data(value) or responses.sets_type(frame.function)):
        return
    if where == "format" and value.text is not None and HOLE not in value.text:
        return
    for rule, sink in frame.engine.sinks_by_place.get(where, ()):
        _note(frame, node, rule, sink, value, _code(node))


def _is_data(value: Value) -> bool:
    """Is this a dictionary or list, which is sent as JSON?"""
    return value.items is not None and value.text is None


def note_named(frame: Frame, node: ast.expr | ast.stmt, name: str, value: Value) -> None:
    """Note what is given a name that matters: a variable, attribute, key or argument."""
    for rule, sink in frame.engine.sinks_by_words:
        assert sink.names is not None
        if sink.names.search(name):
            _note(frame, node, rule, sink, value, name)


def note_location(frame: Frame, node: ast.expr | ast.stmt, headers: Value) -> None:
    """Note where the headers of a response send the browser: `{"Location": url}`."""
    for key, value in (headers.items or {}).items():
        if isinstance(key, str) and key.lower() == "location" and value.taints:
            note_named(frame, node, f"headers {key}", value)


def note_compared(
    frame: Frame, node: ast.Compare, sides: tuple[tuple[ast.expr, Value], tuple[ast.expr, Value]]
) -> None:
    """Note a value that is compared with another for equality."""
    for (_, value), (other, beside) in (sides, sides[::-1]):
        if not value.taints or beside.const is not UNKNOWN:
            continue
        for rule, sink in frame.engine.sinks_by_comparison:
            assert sink.beside is not None
            name = _identifier(other)
            if sink.beside.pattern == "request":
                fits = any(taint.origin.kind == "request" for taint in beside.taints)
            else:
                is_same = {taint.origin for taint in value.taints} & {taint.origin for taint in beside.taints}
                fits = not is_same and sink.beside.search(name) is not None
            if fits:
                _note(frame, node, rule, sink, value, _code(other))


def note_membership(frame: Frame, node: ast.Compare, left: Value, right: Value) -> None:
    """Note a value that is looked for among addresses that the program fixes."""
    fixed = right.const if isinstance(right.const, tuple) else (right.const,)
    if left.taints and any(isinstance(each, str) and ADDRESS.match(each) for each in fixed):
        note_place(frame, node, "membership", left)


def _identifier(node: ast.expr) -> str:
    """The last name of an expression: what it is called."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return _identifier(node.func) + "()" if isinstance(node, ast.Call) else ""


def _code(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return unparse(node.func)[:MAX_SINK]
    return "return" if isinstance(node, ast.Return) else unparse(node)[:MAX_SINK]


def _script(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    """What a program that is a shell is told to run: the text after `-c`; nothing for any other program."""
    words = _words(positional, keywords)
    if len(words) < 3:
        return []
    programs, options = (each.either or (each.const,) for each in words[:2])
    is_shell = any(isinstance(each, str) and SHELL.search(each) for each in programs)
    is_script = any(isinstance(each, str) and OPTION.fullmatch(each) for each in options)
    return [words[2]] if is_shell and is_script else []


def _words(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    first = positional[0] if positional else keywords.get("args", NOTHING)
    return [first.items[key] for key in sorted(first.items, key=str)] if first.items else positional


def _options(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    """The words that a program may take for options: before `--`, and not starting with a constant."""
    words = _words(positional, keywords)
    if not words or not isinstance(words[0].const, str) or SHELL.search(words[0].const):
        return []
    found = []
    for word in words[1:]:
        if word.const == "--":
            break
        if word.text is None or word.text.startswith(HOLE):
            found.append(word)
    return found


def _program(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    """What names the program, in a list of words."""
    first = positional[0] if positional else keywords.get("args", NOTHING)
    if first.items is None and first.whole is not None:  # the whole command is a caller's
        return [first]
    return [first.items[0]] if first.items and 0 in first.items else []


def _instructions(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    """The contents of a model's messages that are instructions, and no words of a user."""
    messages = [each for key in ("messages", "input") for each in (keywords.get(key, NOTHING).items or {}).values()]
    return [each.items["content"] for each in messages if each.items and "content" in each.items
            and each.items.get("role", NOTHING).const in ("system", "developer")]  # fmt: skip


def _logged(positional: list[Value], keywords: Mapping[str, Value]) -> list[Value]:
    """What a call of a logger writes as it is: `%r` shows line breaks."""
    if not positional:
        return []
    conversions = CONVERSION.findall(positional[0].const) if isinstance(positional[0].const, str) else []
    quoted = [each == "r" for each in conversions if each != "%"]
    return [positional[0], *(each for each, is_quoted in zip(positional[1:], quoted, strict=False) if not is_quoted)]


WORDS = {"shell": _script, "option": _options, "program": _program, "system": _instructions, "log": _logged}
VERIFIES = re.compile(
    r"verif|authenticat|check_?pass|checkpw|compare_digest|log_?in|sign_?in|valid|hash", re.IGNORECASE
)


def _verifies(function: Function | None) -> bool:
    """Does a function look whether somebody is who they say they are?"""
    if function is None:
        return False
    return any(isinstance(node, ast.Call) and VERIFIES.search(_identifier(node)) for node in ast.walk(function.node))


def _filters(value: Value, where: str, depth: int = 0) -> Iterator[Value]:
    """Of a database filter: with `object` the parts that may be objects, with `script` the text of `$where`."""
    for key, part in (value.items or {}).items():
        if where == "script" and key in SCRIPTS:
            yield part
        elif where == "object" and depth < MAX_FILTER and key not in ("$eq", *SCRIPTS):
            yield from _filters(part, where, depth + 1)
    if where == "object" and value.items is None and value.text is None:
        yield value


def _reach(
    frame: Frame, node: ast.expr, rule: FlowRule, sink: Sink, receiver: Value | None, positional: list[Value],
    keywords: Mapping[str, Value], spread: list[Value], *, proven: bool,
) -> None:  # fmt: skip
    """Note what reaches the arguments that matter; judge the line harmless when they are."""
    named = {**keywords, "self": receiver} if receiver is not None else keywords
    if not all(_is(wanted, _option(path, positional, named)) for path, wanted in (sink.given or {}).items()):
        return
    if any(_is(wanted, _option(path, positional, named)) for path, wanted in (sink.unless or {}).items()):
        return
    given_by = [_option(path, positional, named) for path in sink.given or {}]
    switches = [int(each.items["line"].const) for each in given_by if each.items and "line" in each.items]
    if sink.where == "unverified" and _verifies(frame.function):
        return
    choose = WORDS.get(sink.where)
    given = choose(positional, keywords) if choose else list(_chosen(sink, receiver, positional, keywords, spread))
    if sink.where in ("object", "script"):
        given = [part for value in given for part in _filters(value, sink.where)]
    for value in given:
        for rule_id in (rule.rule.id, *rule.rule.supersedes):
            frame.engine.judge(rule_id, frame.path, node.lineno, value.is_harmless)
            for switch in switches:  # what is dangerous only for the data that is judged here
                is_known = value.is_harmless or any(taint.origin.is_from(rule.sources) for taint in value.taints)
                frame.engine.judge(rule_id, frame.path, switch, is_known)
        if value.taints or value.items:
            unproven = not proven and not looks_like_sql(value.text)
            if not unproven or value.whole is not None:
                _note(frame, node, rule, sink, value, _code(node), unproven=unproven)


def _chosen(
    sink: Sink, receiver: Value | None, positional: list[Value], keywords: Mapping[str, Value], spread: list[Value]
) -> Iterator[Value]:
    """The arguments that a sink names."""
    for argument in sink.arguments:
        if isinstance(argument, int):
            if argument < len(positional):
                yield positional[argument]
        elif argument == "self":
            if receiver is not None:
                yield receiver
        elif argument == "**":
            yield from (each for each in spread if each.items is None or "[]" in each.items)
        elif argument == "*":
            yield from positional
        elif argument in keywords:
            yield keywords[argument]


def _option(path: str, positional: list[Value], keywords: Mapping[str, Value]) -> Value:
    """An argument, by its keyword or position, or what it was made with: `parser.resolve_entities`."""
    first, *rest = str(path).split(".")
    value = positional[int(first)] if first.isdigit() and int(first) < len(positional) else keywords.get(first, NOTHING)
    for part in rest:
        value = (value.items or {}).get(part, NOTHING)
    return value


def _is(wanted: Any, value: Value) -> bool:
    """Is a value the wanted constant, or one of the wanted outside names? `any`: is it given at all?"""
    if wanted == "any":
        return value is not NOTHING
    if isinstance(wanted, list):
        return isinstance(value.function, External) and value.function.name in wanted
    return value.const is not UNKNOWN and value.const == wanted


def _note(
    frame: Frame,
    node: ast.expr | ast.stmt,
    rule: FlowRule,
    sink: Sink,
    value: Value,
    code: str,
    *,
    unproven: bool = False,
) -> None:
    taints = tuple(
        taint for taint in all_taints(value) if taint.origin.kind == "parameter" or taint.origin.is_from(rule.sources)
    )
    if not taints:
        return
    symbol = frame.function.name if frame.function else ""
    kept = Value(taints, text=value.text, whole=value.whole)
    left = frame.engine.reach(
        Reached(rule, place(frame.path, node), code, symbol, kept, unproven, (sink.confidence, sink.severity))
    )
    if left is not None:
        frame.reached.append(left)
