"""Guards, recognised by what they prove: membership in constants, types, patterns, containment of paths."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from backendgen.audit.flow import libraries, sources
from backendgen.audit.flow.libraries import NUMBERS_AND_SUCH
from backendgen.audit.flow.values import (
    ADDRESSES,
    HARMLESS,
    TEXT,
    UNKNOWN,
    Value,
    all_taints,
    constant,
    resolved_path,
    sanitised,
)
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Class, External, Function

if TYPE_CHECKING:
    from backendgen.audit.flow.frame import Frame

ALL = frozenset({"*"})
TEXT_TESTS = frozenset({"isdigit", "isdecimal", "isnumeric", "isalnum", "isalpha", "isidentifier"})
SAME_TEXT = frozenset({"lower", "upper", "strip", "casefold", "lstrip", "rstrip"})
FIXED_HOST = re.compile(r"https?://[\w.-]+(?::\d+)?/", re.IGNORECASE)
LOCAL = re.compile(r"/(?:[^/\\]|$)")
QUOTE = re.compile(r"['\"]$")
SUBDOMAIN = re.compile(r"\.[\w-]+\.")


def refine(frame: Frame, test: ast.expr, outcome: bool) -> None:
    """Note what a test's outcome proves on the way that it opens."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        refine(frame, test.operand, not outcome)
    elif isinstance(test, ast.BoolOp):
        if isinstance(test.op, ast.And) == outcome:
            for part in test.values:
                refine(frame, part, outcome)
        else:  # one part decides, and it is not known which: what all of them prove
            frame.meet([frame.branch([], part, outcome)[0] for part in test.values])
    elif isinstance(test, ast.Compare) and len(test.ops) == 1:
        _comparison(frame, test, outcome)
    elif isinstance(test, ast.NamedExpr):
        refine(frame, test.value, outcome)
    elif isinstance(test, ast.Name) and test.id in frame.tests:
        refine(frame, frame.tests[test.id], outcome)
    elif (
        isinstance(test, ast.Attribute) and test.attr in libraries.HOSTS and not outcome
    ):  # `if urlparse(url).netloc: raise`
        mark(frame, test.value, frozenset({"redirect"}))
    elif isinstance(test, ast.Call):
        if outcome:
            _call(frame, test)
        else:
            _refused(frame, test)
        _answered(frame, test, outcome)


def _comparison(frame: Frame, test: ast.Compare, outcome: bool) -> None:
    operator, left, right = test.ops[0], test.left, test.comparators[0]
    is_positive = isinstance(operator, ast.In | ast.Eq | ast.Is) == outcome
    if isinstance(operator, ast.In | ast.NotIn):
        if not is_positive:
            _absent(frame, left, right)
        elif isinstance(right, ast.Attribute) and right.attr == "parents":
            _contained(frame, right.value)
        elif is_allow_list(frame.evaluate(right)):
            _allow(frame, left)
        elif isinstance(left, ast.Attribute) and left.attr in libraries.HOSTS:
            _allow_host(frame, left, right)
    elif isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        if is_positive:
            _equal(frame, left, right)
            _same_host(frame, left, right)
            for side in (left, right):
                if isinstance(side, ast.Call) and _called(frame, side) == "os.path.commonpath":
                    _contained(frame, side)
        elif isinstance(left, ast.Call) and isinstance(right, ast.Constant) and right.value is None:
            _call(frame, left)  # re.fullmatch(...) is not None


def _contained(frame: Frame, node: ast.expr) -> None:
    """A path that is known to lie inside a folder, if it has been resolved."""
    value = frame.evaluate(node)
    if resolved_path(value):
        frame.clear(value, frozenset({"path"}))


def _called(frame: Frame, call: ast.Call) -> str:
    target = frame.engine.symbols.value(call.func, frame.module, frame.function)
    return target.name if isinstance(target, External) else ""


def _equal(frame: Frame, left: ast.expr, right: ast.expr) -> None:
    """What equals a constant is that constant."""
    for side, other in ((left, right), (right, left)):
        known = frame.evaluate(other)
        if known.const is not UNKNOWN and not isinstance(side, ast.Constant):
            _allow(frame, side)
            if isinstance(side, ast.Name):
                frame.names[side.id] = constant(known.const)


def is_allow_list(container: Value) -> bool:
    """Is this a collection that the program fixes: constants, or the keys of a dictionary that it writes?"""
    if container.const is not UNKNOWN:  # of a text: the value is a part of it
        return isinstance(container.const, str | tuple | list | frozenset | set | dict)
    if container.items is not None and not container.taints:
        return "[]" not in container.items
    return isinstance(container.kind, Class) and not container.taints


def _same_host(frame: Frame, left: ast.expr, right: ast.expr) -> None:
    """`urlparse(target).netloc == urlparse(request.host_url).netloc`: an address of this server."""
    for side, other in ((left, right), (right, left)):
        if isinstance(side, ast.Attribute) and side.attr in libraries.HOSTS:
            ours = frame.evaluate(other)
            if all(taint.origin.name == sources.HOST for taint in ours.taints):
                mark(frame, side.value, ADDRESSES)


def _allow_host(frame: Frame, left: ast.Attribute, right: ast.expr) -> None:
    """`url.netloc in allowed_hosts`: whatever the hosts are, as long as the caller does not give them with the address."""
    value = frame.evaluate(left.value)
    origins = {taint.origin for taint in value.taints}
    if not any(
        taint.origin in origins or taint.origin.kind == "request" for taint in all_taints(frame.evaluate(right))
    ):
        mark(frame, left.value, ADDRESSES)


def mark(frame: Frame, node: ast.expr, kinds: frozenset[str]) -> None:
    """What is proved of a value: of all that is the same origin, or, when it was made of something, of this name alone."""
    value = frame.evaluate(node)
    if not all_taints(value):
        return
    if value.whole is not None:
        frame.clear(value, kinds)
    elif isinstance(node, ast.Name):
        text = value.text
        frame.names[node.id] = replace(sanitised(value, kinds), text=text)
        if kinds & ADDRESSES:
            frame.clear(value, kinds)
    else:
        frame.clear(value, kinds)


def _allow(frame: Frame, node: ast.expr) -> None:
    """The value is one of some that the program fixes. A URL's host being so makes the URL harmless to URL sinks."""
    if isinstance(node, ast.Attribute) and node.attr in libraries.HOSTS:
        frame.clear(frame.evaluate(node.value), ADDRESSES)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SAME_TEXT:
        _allow(frame, node.func.value)
    elif isinstance(node, ast.Attribute | ast.Name | ast.Subscript | ast.Call):
        value = frame.evaluate(node)
        if value.whole is not None:
            frame.clear(value, ALL)
        elif _is_host(value):
            frame.clear(value, ADDRESSES)
        elif isinstance(node, ast.Name):  # made of something: that has not been checked, only this
            frame.names[node.id] = HARMLESS


def _absent(frame: Frame, left: ast.expr, right: ast.expr) -> None:
    """`".." in name` is false: relative paths stay where they are, absolute ones do not (`os.path.join` lets them win)."""
    if not isinstance(left, ast.Constant) or not isinstance(left.value, str):
        return
    if left.value in ("/", "\\"):
        mark(frame, right, frozenset({"path"}))
    elif left.value in ("..", "../"):
        mark(frame, right, frozenset({"no dots"}))
    elif left.value in ("<", "://", "//"):
        mark(frame, right, frozenset({"html"}) if left.value == "<" else frozenset({"redirect"}))
    elif left.value in ("'", '"'):
        if _is_inside(right):
            mark(frame, right.value, frozenset({f"no {left.value} inside"}))
        else:
            mark(frame, right, frozenset({f"no {left.value}"}))


def _is_inside(node: ast.expr) -> TypeGuard[ast.Subscript]:
    """`text[1:-1]`"""
    return isinstance(node, ast.Subscript) and unparse(node.slice) == "1:-1"


def _refused(frame: Frame, call: ast.Call) -> None:
    """What it proves that a text does not start with something."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "startswith" or len(call.args) != 1:
        if _called(frame, call) == "os.path.isabs" and call.args:
            mark(frame, call.args[0], frozenset({"relative"}))
        return
    known = frame.evaluate(call.args[0]).const
    texts = known if isinstance(known, tuple) else (known,)
    if "-" in texts:
        mark(frame, call.func.value, frozenset({"option"}))
    if "/" in texts:
        mark(frame, call.func.value, frozenset({"relative"}))
    if "//" in texts:
        mark(frame, call.func.value, frozenset({"no host"}))


def _call(frame: Frame, call: ast.Call) -> None:
    if not isinstance(call.func, ast.Attribute | ast.Name):
        return
    name = _called(frame, call)
    if name == "isinstance" and len(call.args) == 2:
        kinds = call.args[1].elts if isinstance(call.args[1], ast.Tuple) else [call.args[1]]
        found = [frame.engine.symbols.value(kind, frame.module, frame.function) for kind in kinds]
        tested = frame.evaluate(call.args[0])
        if all(isinstance(kind, External) and kind.name in NUMBERS_AND_SUCH for kind in found):
            frame.clear(tested, ALL)
        elif all(isinstance(kind, External) and kind.name == "str" for kind in found):
            mark(frame, call.args[0], TEXT)
    elif name in ("re.fullmatch", "re.match") and len(call.args) >= 2:
        tested, host = frame.evaluate(call.args[0]), call.args[1]
        if isinstance(tested.const, str):
            if is_strict(tested.const, whole=name == "re.fullmatch"):
                frame.clear(frame.evaluate(host), ALL)
        elif isinstance(host, ast.Attribute) and host.attr in libraries.HOSTS and not tested.taints:
            mark(frame, host.value, ADDRESSES)  # `re.match(domain, url.netloc) for domain in settings.DOMAINS`
    elif name.rpartition(".")[2] in libraries.SAFE_CHECKS:
        for address in call.args[:1] or [each.value for each in call.keywords if each.arg == "url"]:
            mark(frame, address, ADDRESSES)
    elif name == "any" and len(call.args) == 1 and isinstance(call.args[0], ast.GeneratorExp):
        _any(frame, call.args[0])
    elif isinstance(call.func, ast.Attribute):
        _method(frame, call, call.func)


def _any(frame: Frame, node: ast.GeneratorExp) -> None:
    """`any(url.startswith(host) for host in HOSTS)`: what the test proves for each of the constants that it goes over."""
    loop = node.generators[0]
    known = frame.evaluate(loop.iter).items or {}
    if len(node.generators) != 1 or not isinstance(loop.target, ast.Name) or not known:
        return
    if any(value.const is UNKNOWN for value in known.values()):
        return
    before = frame.names
    states = []
    for value in known.values():
        frame.names = {**before, loop.target.id: value}
        (names, cleared), _ = frame.branch([], node.elt, True)
        states.append(({**names, loop.target.id: before[loop.target.id]} if loop.target.id in before else
                       {name: each for name, each in names.items() if name != loop.target.id}, cleared))  # fmt: skip
    frame.names = before
    frame.meet(states)


def _answered(frame: Frame, call: ast.Call, outcome: bool) -> None:
    """`if is_allowed(name):`: what the answer of a function of the project proves of its arguments."""
    from backendgen.audit.flow.calls import bound, target_of

    receiver, target = target_of(frame, call.func)
    if not isinstance(target, Function):
        return
    summary = frame.engine.summary(target)
    proved = summary.when_true if outcome else summary.when_false
    if not proved:
        return
    keywords = {each.arg: frame.evaluate(each.value) for each in call.keywords if each.arg is not None}
    given = bound(target, receiver, [frame.evaluate(each) for each in call.args], keywords, [])
    for origin, kinds in proved.items():
        if not origin.path and origin.name in given:
            frame.clear(given[origin.name], kinds)


def _method(frame: Frame, call: ast.Call, function: ast.Attribute) -> None:
    if function.attr in TEXT_TESTS:
        frame.clear(frame.evaluate(function.value), ALL)
    elif function.attr in ("fullmatch", "match") and call.args:
        compiled = frame.evaluate(function.value)
        if isinstance(compiled.const, str) and is_strict(compiled.const, whole=function.attr == "fullmatch"):
            frame.clear(frame.evaluate(call.args[0]), ALL)
    elif function.attr in ("is_relative_to", "startswith"):
        _contained(frame, function.value)
        if function.attr == "startswith" and _all_texts(frame, call, FIXED_HOST):
            mark(frame, function.value, ADDRESSES)
        elif function.attr == "startswith" and _all_texts(frame, call, LOCAL):
            mark(frame, function.value, frozenset({"local"}))
        elif function.attr == "startswith" and _all_texts(frame, call, QUOTE):
            mark(frame, function.value, frozenset({f"starts {_text(call)}"}))
    elif function.attr == "endswith" and _all_texts(frame, call, QUOTE):
        mark(frame, function.value, frozenset({f"ends {_text(call)}"}))
    elif function.attr == "endswith" and _all_texts(frame, call, SUBDOMAIN):
        value = frame.evaluate(function.value)
        if _is_host(value):
            frame.clear(value, ADDRESSES)


def _text(call: ast.Call) -> str:
    return str(call.args[0].value) if isinstance(call.args[0], ast.Constant) else ""


def _all_texts(frame: Frame, call: ast.Call, pattern: re.Pattern[str]) -> bool:
    """Is the call's only argument a constant text of this form, or several?"""
    known = frame.evaluate(call.args[0]).const if len(call.args) == 1 else UNKNOWN
    texts = known if isinstance(known, tuple) else (known,)
    return bool(texts) and all(isinstance(text, str) and pattern.match(text) for text in texts)


def _is_host(value: Value) -> bool:
    """Is this the host of an address from outside?"""
    return bool(value.taints) and all("host" in taint.safe for taint in value.taints)


def is_strict(pattern: str, *, whole: bool) -> bool:
    """Does a regular expression hold the whole text, and let no arbitrary characters through?"""
    ended = whole or pattern.endswith(("$", r"\Z", r"\z"))
    wide = any(part in pattern for part in (".*", ".+", r"\S", r"[^", ".{"))
    return ended and not wide
