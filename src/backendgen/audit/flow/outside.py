"""Calls of what is not the project's: library functions by what is known of them, methods of values of unknown type."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow import containers, declared, libraries, sources, texts
from backendgen.audit.flow.parts import attribute, element, part_of
from backendgen.audit.flow.values import (
    ADDRESSES,
    HARMLESS,
    HOLE,
    NOTHING,
    UNKNOWN,
    Origin,
    Value,
    carrying,
    constant,
    join_all,
    resolved_path,
    sanitised,
    tainted,
    undone,
)  # fmt: skip
from backendgen.code.symbols import Class, External, Function, Module

if TYPE_CHECKING:
    from backendgen.audit.flow.engine import Engine
    from backendgen.audit.flow.frame import Frame

SAME = frozenset({"list", "tuple", "sorted", "set", "frozenset", "iter", "reversed"})
ANSWERED = frozenset({"execute", "scalar", "scalars", "fetch", "fetchrow", "fetchall", "fetchone", "query"})
CHOICES = 6
GROUP = re.compile(r"\((?!\?[:=!<])((?:[^()\\]|\\.)*)\)")
WIDE = re.compile(r"(?<!\\)\.|\\[SWD]|\[\^")


def outside(
    frame: Frame, node: ast.Call, name: str, receiver: Value | None, positional: list[Value], keywords: dict[str, Value],
    spread: list[Value],
) -> Value:  # fmt: skip
    """A function that is not the project's, by its dotted name."""
    engine = frame.engine
    last = name.rpartition(".")[2]
    given = [*positional, *keywords.values()]
    kinds = engine.sanitisers.get(name)
    if kinds is not None:
        return sanitised(join_all(given), kinds) if given else NOTHING
    if name in libraries.DECODES and given:
        return undone(_passed_on(name, None, given))
    if name in libraries.VALIDATING:
        return _validated(frame, name, positional)
    if name == "django.urls.resolve" and positional:  # raises unless a view of this site has the path
        frame.clear(positional[0], frozenset({"redirect"}))
    if name in libraries.NEUTRAL:
        return _counted(name, positional)
    if name in declared.CONTENTS:
        return sanitised(_passed_on(name, receiver, given), sources.CONTENT)
    if name in declared.PARSES:
        return declared.arguments(frame, node)
    from_outside = _from_outside(name, last, receiver, positional)
    if from_outside is not None:
        return from_outside
    if last in ("setFeature", "setProperty") and len(positional) == 2 and receiver is not None:
        return _switched(frame, node, receiver, positional)
    if name == "dict" and not positional:
        return Value(items=dict(keywords))
    special = SPECIAL.get(name)
    if special is not None and positional:
        found = special(frame, node, positional, keywords)
        if found is not None:
            return found
    through = keywords.get(libraries.CONNECTS_THROUGH.get(name, ""))
    if through is not None and _checks_addresses(engine, through):
        return through
    if name in ("os.path.realpath", "os.path.abspath", "os.path.normpath", "pathlib.Path.resolve"):
        base = receiver if name.startswith("pathlib") and receiver is not None else join_all(given)
        return replace(sanitised(base, frozenset({"resolved"})), kind=base.kind)
    if name == "pathlib.Path.relative_to" and receiver is not None and resolved_path(receiver):  # raises when it is not
        frame.clear(receiver, frozenset({"path"}))
    kind = libraries.returned(name)
    if kind is not None:
        return carrying(Value(kind=kind), *given) if libraries.passes_on(name) else Value(kind=kind)
    if receiver is not None and isinstance(receiver.kind, External) and receiver.kind.name in containers.CONFIGS:
        return method(frame, node, receiver, positional, keywords, spread)
    if libraries.passes_on(name):
        return _passed_on(name, receiver, given)
    if receiver is not None and isinstance(node.func, ast.Attribute) and receiver.taints:
        return method(frame, node, receiver, positional, keywords, spread)
    if last[:1].isupper() and not name.endswith(("Error", "Exception")):  # an instance, known by the name of its class
        return Value(kind=External(name), items=_options(keywords))
    return NOTHING


def _options(keywords: dict[str, Value]) -> dict[str, Value] | None:
    """What an outside object is made with, where it is constant: `XMLParser(resolve_entities=True)`."""
    found = {key: value for key, value in keywords.items() if value.const is not UNKNOWN}
    return found or None


def _switched(frame: Frame, node: ast.Call, receiver: Value, positional: list[Value]) -> Value:
    """`parser.setFeature(feature_external_ges, True)`"""
    variable = node.func.value if isinstance(node.func, ast.Attribute) else node
    feature = positional[0].function
    if isinstance(variable, ast.Name) and isinstance(feature, External):
        key = feature.name.rpartition(".")[2]
        switched = replace(positional[1], items={"line": constant(node.lineno)})
        frame.names[variable.id] = replace(receiver, items={**(receiver.items or {}), key: switched})
    return NOTHING


def _validated(frame: Frame, name: str, positional: list[Value]) -> Value:
    for value in positional[:1]:
        frame.clear(value, frozenset({"*"}))
    folded = positional[0].const if len(positional) == 1 and name == "int" else UNKNOWN
    return constant(int(folded)) if isinstance(folded, int | float) and abs(folded) < 10**9 else HARMLESS


def _counted(name: str, positional: list[Value]) -> Value:
    if name == "len" and positional and isinstance(positional[0].const, str | tuple):
        return constant(len(positional[0].const))
    return HARMLESS


def _from_outside(name: str, last: str, receiver: Value | None, positional: list[Value]) -> Value | None:
    """What a request object's method, random numbers, or a stack trace give."""
    if receiver is not None and isinstance(receiver.kind, External):
        read = sources.read(receiver.kind.name, last)
        if read is None and declared.is_sent(receiver):
            read = declared.members(receiver.kind, last)
        if read is not None:
            part = positional[0].const if positional else UNKNOWN
            known = isinstance(part, str) and read.whole is not None and last.startswith("get_")
            return part_of(read, str(part)) if known else read
    if name == f"random.{last}" and last in libraries.WEAK_RANDOM:
        if last in ("choice", "choices", "sample", "shuffle") and not _is_alphabet(positional):
            return None
        return tainted(Origin("random", f"`{name}`"))
    if name in libraries.TRACES:
        return tainted(Origin("exception", "the stack trace"))
    if name.startswith(libraries.DOWNLOADS) and last in libraries.FETCHES:
        return tainted(Origin("download", "what is downloaded"))
    return None


def _is_alphabet(positional: list[Value]) -> bool:
    """Is something chosen from characters or numbers, and not from a program's objects?"""
    given = positional[0] if positional else NOTHING
    is_named = isinstance(given.function, External) and given.function.name.startswith("string.")
    return is_named or given.text is not None or given.is_harmless


def _passed_on(name: str, receiver: Value | None, given: list[Value]) -> Value:
    if receiver is not None and receiver.taints:
        given = [*given, receiver]
    if len(given) == 1 and name in SAME:
        return given[0]
    if given and all(each.is_harmless for each in given) and not name.startswith("pathlib."):
        return HARMLESS
    kept = External("pathlib.Path") if name.startswith("pathlib.") else None
    return carrying(Value(kind=kept), *given)


def _checks_addresses(engine: Engine, transport: Value) -> bool:
    """Does a transport, connector or resolver of the project look whether an address is private before it connects?"""
    owner = transport.kind
    if not isinstance(owner, Class):
        return False
    members = (one.module.members.get(id(one.node), {}).values() for one in engine.symbols.lineage(owner))
    return any(engine.summary(each).checks_addresses for some in members for each in some if isinstance(each, Function))


# -- functions of the standard library that are known one by one ----------------------------------------------------


def _text(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    if len(positional) != 1:
        return None
    value = positional[0]
    if value.const is not UNKNOWN and not isinstance(value.const, str | tuple):
        return constant(str(value.const))
    return value if value.text is not None else replace(value, kind=None)


def _first(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    return positional[0]


def _buffer(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """A file in memory: to what reads files it is content, and no path."""
    return sanitised(positional[0], sources.CONTENT) if positional[0].taints else positional[0]


def _second(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    return positional[1] if len(positional) == 2 else None


def _numbered(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    return Value(items={"[]": Value(items={0: HARMLESS, 1: element(positional[0])})})


def _zipped(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    return Value(items={"[]": Value(items=dict(enumerate(element(value) for value in positional)))})


def _as_dictionary(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    kind = positional[0].kind
    return as_dictionary(frame.engine, positional[0], kind) if isinstance(kind, Class) else None


def _dictionary(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    if positional[0].items is None:
        return None
    pair = positional[0].items.get("[]", NOTHING)
    if pair.items and pair.items.keys() == {0, 1}:
        return carrying(Value(items={"[]": pair.items[1]}), pair.items[0])
    return replace(positional[0], items={**positional[0].items, **keywords}, const=UNKNOWN)


def _named(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """`getattr(module, name)`: an attribute by its name, or any of the module's classes when the name is not known."""
    if len(positional) < 2:
        return None
    symbol = frame.engine.symbols.resolve(node.args[0], frame.module, frame.function)
    name = positional[1].const
    if isinstance(name, str):
        if isinstance(symbol, Module):
            from backendgen.audit.flow.expressions import meaning

            return meaning(frame.engine, frame.engine.symbols.attribute(symbol, name))
        return attribute(frame.engine, positional[0], name)
    if isinstance(symbol, Module) and 0 < len(symbol.classes) <= CHOICES:
        first, *others = symbol.classes
        return Value(positional[1].taints, function=first, others=tuple(others))
    return None


def _defused(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """`re.sub("[^a-z]", "", text)`: what is left are the characters of the class."""
    pattern, new = positional[0].const, positional[1].const if len(positional) > 2 else UNKNOWN
    if isinstance(pattern, str) and isinstance(new, str) and libraries.KEEPS_ONLY.fullmatch(pattern):
        return HARMLESS if libraries.is_plain(new) else None
    return None


def _address(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """`urlsplit(url)`: its parts, by place."""
    if not positional[0].taints:
        return None
    whole = carrying(NOTHING, positional[0])
    return replace(whole, items=dict.fromkeys(range(6), whole))


def _composed(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """`urlunsplit(("", "", path, query, ""))`: where it leads is in the scheme and the host, not in what follows."""
    parts = positional[0].items or {}
    if not {0, 1, 2} <= parts.keys():
        return None
    rest = [sanitised(part, ADDRESSES) for index, part in parts.items() if index not in (0, 1)]
    return carrying(Value(text=HOLE), parts[0], parts[1], *rest)


def _found(frame: Frame, node: ast.Call, positional: list[Value], keywords: dict[str, Value]) -> Value | None:
    """`re.search(pattern, text)`: parts of the text, harmless when the pattern's groups let nothing else through."""
    if len(positional) < 2:
        return None
    pattern = positional[0].const
    groups = GROUP.findall(pattern) if isinstance(pattern, str) else []
    if isinstance(pattern, str) and not any(WIDE.search(each) for each in groups or [pattern]):
        return HARMLESS
    return carrying(NOTHING, positional[1])


SPECIAL = {
    **dict.fromkeys((f"re.{name}" for name in ("search", "match", "fullmatch", "findall", "finditer", "split")), _found),
    **dict.fromkeys(("urllib.parse.urlsplit", "urllib.parse.urlparse"), _address),
    **dict.fromkeys(("urllib.parse.urlunsplit", "urllib.parse.urlunparse"), _composed),
    "str": _text, "re.compile": _first, "typing.cast": _second, "enumerate": _numbered, "zip": _zipped, "re.sub": _defused,
    "dataclasses.asdict": _as_dictionary, "dict": _dictionary, "getattr": _named, "io.StringIO": _buffer,
    "io.BytesIO": _buffer,
    **dict.fromkeys((f"django.utils.translation.{name}" for name in ("gettext", "gettext_lazy", "ugettext")), _first),
    **dict.fromkeys(("flask_babel.gettext", "flask_babel.lazy_gettext", "gettext.gettext"), _first),
}  # fmt: skip


def as_dictionary(engine: Engine, value: Value, owner: Class) -> Value:
    """A model as a dictionary: its keys are the program's, its values the caller's."""
    return Value(items={name: attribute(engine, value, name) for name in fields(engine, owner)})


def fields(engine: Engine, owner: Class) -> list[str]:
    """The fields of a dataclass or model, the inherited ones first."""
    return [name for one in reversed(engine.symbols.lineage(owner)) for name in one.module.members.get(id(one.node), {})
            if not isinstance(one.module.members[id(one.node)][name], Function)]  # fmt: skip


# -- methods of values of unknown type ------------------------------------------------------------------------------


def method(
    frame: Frame, node: ast.Call, receiver: Value | None, positional: list[Value], keywords: dict[str, Value],
    spread: list[Value],
) -> Value:  # fmt: skip
    """A method of a value whose class is not known: those of texts and containers, by their names."""
    if receiver is None or not isinstance(node.func, ast.Attribute):
        return NOTHING
    name = node.func.attr
    if isinstance(receiver.kind, Class) and name in ("model_dump", "dict") and fields(frame.engine, receiver.kind):
        return as_dictionary(frame.engine, receiver, receiver.kind)
    found = texts.method(frame, node, name, receiver, positional, keywords, spread)
    if found is None:
        found = containers.method(frame, node, name, receiver, positional, keywords)
    if found is not None:
        return found
    if name == "relative_to" and resolved_path(receiver):  # raises when it is not
        frame.clear(receiver, frozenset({"path"}))
    if name in ANSWERED:
        return NOTHING
    if name == "resolve" and not positional and receiver.taints:
        return replace(sanitised(receiver, frozenset({"resolved"})), kind=External("pathlib.Path"))
    if receiver.harmless:
        return HARMLESS
    if name in ("read", "getvalue", "readlines", "readline") and not receiver.kind:  # io.StringIO(text).read()
        return replace(receiver, items=None)
    return carrying(Value(text=HOLE), receiver, *(positional if name == "replace" else ()))
