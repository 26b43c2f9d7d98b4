"""Flow rules over a project: every handler is entered with what a request gives it; what reaches a sink becomes a hit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from backendgen.audit.flow import sources, spec
from backendgen.audit.flow.calls import applied
from backendgen.audit.flow.engine import Engine, Reached
from backendgen.audit.flow.libraries import NUMBERS_AND_SUCH
from backendgen.audit.flow.templates import unescaped
from backendgen.audit.flow.types import Type, is_constrained
from backendgen.audit.flow.values import HARMLESS, TEXT, Origin, Taint, Value, substituted, tainted
from backendgen.audit.frameworks.dependencies import Dependencies
from backendgen.audit.frameworks.outcomes import Outcomes
from backendgen.audit.frameworks.parameters import Parameters, is_method
from backendgen.audit.service import Endpoint, Parameter, Service
from backendgen.code.documents import Document
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, External, Function, Symbols
from backendgen.findings.finding import Hit, Location, Step
from backendgen.rules import Confidence, Rule

WORDS = {"path": "path parameter", "query": "query parameter", "header": "header", "cookie": "cookie", "body": "body",
         "form": "form field", "file": "uploaded file"}  # fmt: skip
MAX_DEPTH = 6
SEGMENT = frozenset({"path", "redirect"})  # kinds of sinks that a part of a path cannot harm: it holds no slash
GUARDED = frozenset({"path", "url", "redirect"})  # kinds of sinks before which one check serves for all that follow
CAME_FROM = frozenset(
    {"referer", "referrer", "http_referer"}
)  # no link writes it: it names the page that holds the link


@dataclass(frozen=True, slots=True)
class Found:
    """What reaches a sink by the shortest way, how many other values do, and whether the sink has a grade of its own."""

    taint: Taint
    reached: Reached
    more: int
    is_graded: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """Hits with their rules, and the (rule, path, line)s that are proved harmless."""

    hits: tuple[tuple[Rule, Hit], ...] = ()
    cleared: frozenset[tuple[str, str, int]] = frozenset()


def analyse(
    symbols: Symbols, service: Service, rules: tuple[Rule, ...], documents: Iterable[Document] = ()
) -> Analysis:
    """Follow data from every endpoint's request to the sinks of the rules; templates are among the documents."""
    if not rules:
        return Analysis()
    used = {base.split(".")[0] for module in symbols.modules.values() for base, _ in module.imports.values()}
    chosen = [rule for rule in map(spec.read, rules) if not rule.imports or rule.imports & used]
    engine = Engine(symbols, chosen, unescaped(documents))
    entries = _Entries(engine)
    engine.handlers.update(id(endpoint.handler.node) for endpoint in service.endpoints)
    engine.views.update(
        id(endpoint.handler.node)
        for endpoint in service.endpoints
        if endpoint.framework in ("Flask", "Quart") and _sends_text_as_html(symbols, endpoint.handler)
    )
    for endpoint in service.endpoints:
        entries.enter(endpoint)
    for module in symbols.modules.values():
        if is_test(module.file.path):
            continue
        for function in module.functions:
            engine.summary(function)
            if sources.is_task(engine, function):
                entries.consume(function)
        engine.module_frame(module)
    return Analysis(tuple(_hits(engine)), frozenset(_cleared(engine)))


def _sends_text_as_html(symbols: Symbols, handler: Function) -> bool:
    """Flask's own views do; the resources of its extensions send JSON."""
    bases = symbols.bases(handler.owner) if handler.owner is not None else frozenset[str]()
    return all(base.startswith(("flask.", "quart.")) for base in bases)


class _Entries:
    """Handlers entered with values from requests. `endpoints`: each source's endpoint, for the messages."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.parameters = Parameters(engine.symbols, Dependencies(engine.symbols, Outcomes(engine.symbols)))
        self.endpoints: dict[tuple[Origin, int], Endpoint] = {}
        self._entered: set[int] = set()
        self._solved: dict[int, Value] = {}  # what functions gave as dependencies of the request that is followed

    def enter(self, endpoint: Endpoint) -> None:
        """Call a handler as its framework does."""
        if id(endpoint.handler.node) in self._entered:
            return
        self._entered.add(id(endpoint.handler.node))
        self._solved = {}
        handler = endpoint.handler
        given = {one.name: self.value(one, endpoint, handler) for one in endpoint.parameters}
        if is_method(handler) and handler.parameters:
            given[handler.parameters[0].arg] = Value(kind=handler.owner)
        self._sinks(endpoint.handler, given)

    def consume(self, function: Function) -> None:
        """Call what a queue calls, with what somebody has put into it."""
        for parameter in function.parameters:
            if parameter.arg not in ("self", "task", "context"):
                given = tainted(Origin("queue", f"the argument `{parameter.arg}` of the task `{function.name}`"))
                self._sinks(function, {parameter.arg: given})

    def _sinks(self, function: Function, given: Mapping[str, Value]) -> None:
        for reached in self.engine.summary(function).reached:
            self.engine.called(reached, given, None)

    def value(self, parameter: Parameter, endpoint: Endpoint, function: Function, depth: int = 0) -> Value:
        """What a framework puts into a parameter."""
        if parameter.source == "dependency":
            return self._dependency(parameter, endpoint, depth)
        found = self.engine.types.of(parameter.annotation, parameter.module)
        if parameter.source == "request":
            return Value(kind=External(parameter.kind) if parameter.kind else found.kind)
        converted = parameter.source == "path" and parameter.kind in NUMBERS_AND_SUCH  # <int:id>
        if found.harmless or converted or is_constrained(parameter.default):
            return HARMLESS
        if parameter.source == "file" or _is_upload(found):
            name = self._source(parameter, endpoint, function)
            upload = replace(sources.an_upload("fastapi.UploadFile"), items={"filename": name})
            return Value(items={"[]": upload}) if found.element is not None else upload
        value = replace(self._source(parameter, endpoint, function), kind=found.kind)
        if found.element is not None:
            inner = HARMLESS if found.element.harmless else replace(value, kind=found.element.kind, whole=None)
            return Value(items={"[]": inner}) if found.element.harmless else replace(value, items={"[]": inner})
        return value

    def _source(self, parameter: Parameter, endpoint: Endpoint, function: Function) -> Value:
        name = f"{WORDS.get(parameter.source, 'parameter')} `{parameter.name}` of `{endpoint.name}`"
        origin = Origin("request", name)
        step = Step(Location(function.path, parameter.line, 1, parameter.line), name)
        is_segment = parameter.source == "path" and f"{{{parameter.name}:path}}" not in endpoint.path
        safe = SEGMENT if is_segment else frozenset[str]()
        if (
            parameter.source not in ("body", "dependency")
            or self.engine.types.of(parameter.annotation, parameter.module).is_text
        ):
            safe |= TEXT
        return Value((Taint(origin, (step,), safe),), whole=origin)

    def _dependency(self, parameter: Parameter, endpoint: Endpoint, depth: int) -> Value:
        """The result of what is called for the parameter; an instance, when it is a class."""
        target = parameter.dependency
        found = self.engine.types.of(parameter.annotation, parameter.module)
        if isinstance(target, Class):
            maker = self.engine.symbols.member(target, "__init__")
            items = {}
            if isinstance(maker, Function) and depth < MAX_DEPTH:
                given = self._arguments(maker, endpoint, depth)
                summary = self.engine.summary(maker)
                resolve = self.engine.resolver(given)
                items = {name: substituted(value, resolve, None) for (_, name), value in summary.effects.items()}
            elif maker is None and depth < MAX_DEPTH:  # a model or dataclass: its fields are parameters of the request
                return replace(self._source(parameter, endpoint, endpoint.handler), kind=target)
            return Value(kind=target, items=items)
        if isinstance(target, Function) and depth < MAX_DEPTH:
            value = self._solve(target, endpoint, depth)
            return value if value.kind is not None or found.kind is None else replace(value, kind=found.kind)
        return Value(kind=found.kind)

    def _solve(self, function: Function, endpoint: Endpoint, depth: int) -> Value:
        """Call a dependency: once a request, however many ask for it."""
        if id(function.node) not in self._solved:
            given = self._arguments(function, endpoint, depth)
            self._sinks(function, given)
            self._solved[id(function.node)] = applied(self.engine, function, given, None)
        return self._solved[id(function.node)]

    def _arguments(self, function: Function, endpoint: Endpoint, depth: int) -> dict[str, Value]:
        parameters, _, _ = self.parameters.of(function, endpoint.path)
        return {one.name: self.value(one, endpoint, function, depth + 1) for one in parameters if one.name != "self"}


def _is_upload(found: Type | None) -> bool:
    return found is not None and isinstance(found.kind, External) and found.kind.name in sources.UPLOADS


def _hits(engine: Engine) -> Iterator[tuple[Rule, Hit]]:
    """One hit for each place, told by its shortest flow; one for a whole function where one guard serves all places."""
    groups: dict[tuple[str, str, str, Origin], list[tuple[Location, Found]]] = {}
    for (rule_id, location), found in engine.hits.items():
        shortest = min(found, key=lambda one: _rank(one[0]))
        one = Found(*shortest, len(found) - 1, all(each.grades != (None, None) for _, each in found))
        if one.reached.rule.kind in GUARDED:
            key = (rule_id, location.path, one.reached.symbol, one.taint.origin)
            groups.setdefault(key, []).append((location, one))
        else:
            yield _hit(location, one, [])
    for group in groups.values():
        group.sort(key=lambda each: (each[1].is_graded, each[0]))
        (location, one), *others = group
        yield _hit(location, one, sorted({each.line for each, _ in others} - {location.line}))


def _rank(taint: Taint) -> tuple[bool, int, str, tuple[str, ...]]:
    """The surest first, then the shortest."""
    return taint.origin.kind == "queue", len(taint.steps), taint.origin.name, taint.origin.path


def _hit(location: Location, found: Found, others: list[int]) -> tuple[Rule, Hit]:
    rule, reached = found.reached.rule, found.reached
    message = rule.message.format(source=_described(found.taint), sink=reached.sink)
    if found.more:
        message += f" (and {found.more} more {'value' if found.more == 1 else 'values'} from outside)"
    if others:
        lines = ", ".join(map(str, others))
        message += f"; the same again on line{'s' if len(others) > 1 else ''} {lines}"
    steps = (*found.taint.steps, Step(reached.location, f"reaches `{reached.sink}`"))
    confidence, severity = reached.grades if found.is_graded else (None, None)
    if found.taint.origin.kind == "queue":  # whoever fills the queue may have checked it
        confidence = Confidence.LOW
    if rule.kind == "redirect" and CAME_FROM.intersection(map(str.lower, found.taint.origin.path)):
        confidence = Confidence.LOW  # back to where the visitor came from
    return rule.rule, Hit(location, message, rule.fix, reached.symbol, steps, severity, confidence)


def _described(taint: Taint) -> str:
    path = [part for part in taint.origin.path if part != "[]"]
    name = taint.origin.name
    return (
        f"`{'.'.join(path)}` of the {name}"
        if path and not name.startswith("the ")
        else f"`{'.'.join(path)}` of {name}"
        if path
        else (name if name.startswith("the ") else f"the {name}")
    )


def _cleared(engine: Engine) -> Iterator[tuple[str, str, int]]:
    """Lines whose arguments are harmless, and texts that are built of harmless parts only."""
    hit_lines = {(rule_id, location.path, location.line) for rule_id, location in engine.hits}
    for key, harmless in engine.judged.items():
        if harmless and key not in hit_lines:
            yield key
    weaker = {name for rule in engine.rules if rule.kind == "sql" for name in rule.rule.supersedes}
    for (path, line), harmless in engine.built.items():
        if harmless:
            yield from ((name, path, line) for name in weaker)
