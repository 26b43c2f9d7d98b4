"""Function summaries: each function is interpreted once, callers put their own values in. Cycles are cut."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from backendgen.audit.flow.spec import FlowRule, Sink, looks_like_sql
from backendgen.audit.flow.templates import Names
from backendgen.audit.flow.types import Types
from backendgen.audit.flow.values import HOLE, NOTHING, Origin, Taint, Value, is_safe, resolved
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable
from backendgen.findings.finding import Location, Step
from backendgen.rules import Confidence, Severity

MAX_CALLS = 40
COMPOSED = frozenset({"sql", "shell"})  # kinds of sinks that take a text which is wrong by how it was put together
FIELD_VALIDATORS = frozenset({"pydantic.field_validator", "pydantic.validator"})


@dataclass(frozen=True, slots=True)
class Reached:
    """A sink that a value reaches: `value` with its taints; `unproven` while only a caller knows whether it is SQL;
    `handed` where a text was handed, ready made, to the function that has the sink: that is where it has to be mended."""

    rule: FlowRule
    location: Location
    sink: str
    symbol: str
    value: Value = field(compare=False)
    unproven: bool = False
    grades: tuple[Confidence | None, Severity | None] = (None, None)
    handed: Location | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What calling a function does, in terms of its parameters.

    `cleared` are the parameters that it refuses unless they are harmless, `when_true` and `when_false` what its answer
    proves of them; `effects` the attributes that it sets on them; `checks_addresses`: it looks whether one is private.
    """

    returns: Value = NOTHING
    reached: tuple[Reached, ...] = ()
    cleared: Mapping[Origin, frozenset[str]] = field(default_factory=dict)
    when_true: Mapping[Origin, frozenset[str]] = field(default_factory=dict)
    when_false: Mapping[Origin, frozenset[str]] = field(default_factory=dict)
    effects: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    checks_addresses: bool = False


EMPTY = Summary()


class Engine:
    """One run over a project. `hits` are the sinks that a source reaches; `judged` whether lines' arguments are harmless;
    `handlers` the functions whose results are sent to callers, `views` those of them that send a text as HTML."""

    def __init__(
        self, symbols: Symbols, rules: Iterable[FlowRule], templates: Mapping[str, Names] | None = None
    ) -> None:
        self.symbols = symbols
        self.templates = templates or {}
        self.types = Types(symbols, self.proves)
        self.rules = tuple(rules)
        self.sinks_by_name: dict[str, list[tuple[FlowRule, Sink]]] = {}
        self.sinks_by_method: dict[str, list[tuple[FlowRule, Sink]]] = {}
        self.sinks_by_place: dict[str, list[tuple[FlowRule, Sink]]] = {}
        self.sinks_by_words: list[tuple[FlowRule, Sink]] = []
        self.sinks_by_comparison: list[tuple[FlowRule, Sink]] = []
        self.sanitisers: dict[str, frozenset[str]] = {}
        for rule in self.rules:
            for sink in rule.sinks:
                for name in sink.calls:
                    self.sinks_by_name.setdefault(name, []).append((rule, sink))
                for name in sink.methods:
                    self.sinks_by_method.setdefault(name, []).append((rule, sink))
                for name in sink.places:
                    self.sinks_by_place.setdefault(name, []).append((rule, sink))
                if sink.names is not None and not sink.calls:
                    self.sinks_by_words.append((rule, sink))
                if sink.beside is not None:
                    self.sinks_by_comparison.append((rule, sink))
            for name in rule.sanitisers:
                self.sanitisers[name] = self.sanitisers.get(name, frozenset()) | {rule.kind}
        self.hits: dict[tuple[str, Location], list[tuple[Taint, Reached]]] = {}
        self.judged: dict[tuple[str, str, int], bool] = {}
        self.built: dict[tuple[str, int], bool] = {}
        self._summaries: dict[int, Summary] = {}
        self._variables: dict[int, Value] = {}
        self.handlers: set[int] = set()
        self.views: set[int] = set()
        self._depth = 0
        self.reading: set[int] = set()

    def summary(self, function: Function) -> Summary:
        """Return a function's summary, made when it is first asked for; an empty one for a cycle or too deep a chain."""
        key = id(function.node)
        if key not in self._summaries:
            if self._depth > MAX_CALLS:
                return EMPTY
            self._summaries[key] = EMPTY
            self._depth += 1
            try:
                from backendgen.audit.flow.frame import Frame

                self._summaries[key] = Frame(self, function.module, function).summarised()
            finally:
                self._depth -= 1
        return self._summaries[key]

    def proves(self, validator: Function, *, by_answer: bool) -> bool:
        """Does a validator let only harmless values through: by raising, or by the answer True?"""
        if not validator.parameters:
            return False
        summary = self.summary(validator)
        cleared = summary.when_true if by_answer else summary.cleared
        return "*" in cleared.get(Origin("parameter", validator.parameters[-1].arg), frozenset())

    def is_validated(self, owner: Class, name: str) -> bool:
        """Does a model's `@field_validator("name")` let only harmless values into a field?"""
        members = (one.module.members.get(id(one.node), {}).values() for one in self.symbols.lineage(owner))
        methods = [
            each for some in members for each in some if isinstance(each, Function) and len(each.parameters) == 2
        ]
        for method in methods:
            for decorator in method.node.decorator_list:
                made = self.symbols.value(decorator.func, method.module) if isinstance(decorator, ast.Call) else None
                if (
                    not isinstance(made, External)
                    or made.name not in FIELD_VALIDATORS
                    or not isinstance(decorator, ast.Call)
                ):
                    continue
                named = any(isinstance(each, ast.Constant) and each.value == name for each in decorator.args)
                if named and self.proves(method, by_answer=False):
                    return True
        return False

    def variable(self, variable: Variable) -> Value:
        """Return what is known of a module's or class's variable."""
        key = id(variable.value)
        if key not in self._variables:
            self._variables[key] = NOTHING
            kind = self.types.of(variable.annotation, variable.module) if variable.annotation is not None else None
            if variable.scope is None and self._depth <= MAX_CALLS:
                from backendgen.audit.flow.frame import Frame

                value = Frame(self, variable.module, None).evaluate(variable.value)
                self._variables[key] = value if kind is None or value.kind is not None else Value(kind=kind.kind)
        return self._variables[key]

    def reach(self, reached: Reached) -> Reached | None:
        """Note a hit for each source that reaches a sink; return what is left for callers to decide."""
        kind = reached.rule.kind
        if kind == "secret" and " " in (reached.value.text or "").strip():  # a sentence that holds it is no secret
            return None
        live = [taint for taint in reached.value.taints if not is_safe(taint, kind)]
        left = tuple(taint for taint in live if taint.origin.kind == "parameter")
        if not reached.unproven:
            for taint in live:
                if taint.origin.is_from(reached.rule.sources):
                    known = self.hits.setdefault((reached.rule.rule.id, reached.handed or reached.location), [])
                    if all(taint.origin != other.origin for other, _ in known):
                        known.append((taint, reached))
        if not left:
            return None
        value = Value(left, text=reached.value.text, whole=reached.value.whole)
        return replace(reached, value=value)

    def resolver(self, given: Mapping[str, Value]) -> Callable[[Origin], Value]:
        """Return what finds a parameter's origin in the arguments of a call."""
        from backendgen.audit.flow.parts import walked

        return lambda origin: walked(self, given.get(origin.name, NOTHING), origin.path)

    def called(
        self, reached: Reached, given: Mapping[str, Value], step: Step | None, caller: str = ""
    ) -> Reached | None:
        """A callee's sink as its caller sees it."""
        resolve = self.resolver(given)
        taints = resolved(reached.value.taints, resolve, step)
        if not taints:
            return None
        whole = reached.value.whole
        argument = resolve(whole) if whole is not None and whole.kind == "parameter" else None
        text = argument.text if argument is not None else reached.value.text
        unproven = reached.unproven and not looks_like_sql(text)
        outer = argument.whole if argument is not None else None
        if unproven and outer is None:
            return None
        value = Value(taints, text=text, whole=outer)
        is_composed = argument is not None and argument.text is not None and argument.text.strip(HOLE) and outer is None
        if is_composed and step is not None and reached.rule.kind in COMPOSED and reached.handed is None:
            reached = replace(reached, handed=step.location, symbol=caller)
        return self.reach(replace(reached, value=value, unproven=unproven))

    def judge(self, rule_id: str, path: str, line: int, harmless: bool) -> None:
        """Remember whether all that was seen at a line is harmless."""
        key = (rule_id, path, line)
        self.judged[key] = self.judged.get(key, True) and harmless

    def owner(self, value: Value) -> Class | None:
        """The project's class that a value is an instance of."""
        return value.kind if isinstance(value.kind, Class) else None

    def module_frame(self, module: Module) -> None:
        """Interpret a module's own statements: scripts have sinks too."""
        from backendgen.audit.flow.frame import Frame

        Frame(self, module, None).run(module.file.tree.body)
