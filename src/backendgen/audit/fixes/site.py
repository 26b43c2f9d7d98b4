"""A finding's place in its source, and the small changes that fixes are made of."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from backendgen.audit.registry import Context
from backendgen.code.edits import Edit, Places
from backendgen.code.symbols import Function, Module, Node
from backendgen.findings.finding import Location

TRIVIA = re.compile(r"#[^\n]*")


@dataclass(frozen=True, slots=True)
class Site:
    """Where a finding is: `imports` collects the modules that its fix needs."""

    context: Context
    module: Module
    places: Places
    rule_id: str
    location: Location
    imports: list[str] = field(default_factory=list)

    def nodes(self, kind: type[Node]) -> Iterator[tuple[Node, Function | None]]:
        """Yield the nodes of a kind that begin where the finding does, the outermost first."""
        for node, function in self.module.nodes(kind):
            if self.is_at(node):
                yield node, function

    def is_at(self, node: ast.AST) -> bool:
        """Does a node begin where the finding does?"""
        place = (getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1)
        return place == (self.location.line, self.location.column)

    def name_of(self, node: ast.expr, function: Function | None) -> str:
        """Return the dotted name of something outside the project."""
        return self.context.index.name_of(node, self.module, function)

    def text(self, node: ast.expr | ast.keyword) -> str:
        """Return a node as it is written."""
        return self.places.text(node)

    def replaced(self, node: ast.expr | ast.keyword, text: str) -> Edit:
        """Put a text in the place of a node."""
        return Edit(*self.places.span(node), text)

    def needs(self, name: str) -> bool:
        """Note that a fix needs a module's name; False when the file uses that name for something else."""
        imported = self.module.imports.get(name)
        if imported == (name, ""):
            return True
        if imported is not None or name in self.module.definitions:
            return False
        for node in ast.walk(self.module.file.tree):
            stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
            if stored or (isinstance(node, ast.arg) and node.arg == name):
                return False
        self.imports.append(name)
        return True

    def with_keyword(self, call: ast.Call, name: str, value: str) -> Edit | None:
        """Give a call a keyword, or another value to the one that it has."""
        for one in call.keywords:
            if one.arg == name:
                return self.replaced(one.value, value)
        if any(isinstance(one, ast.GeneratorExp) for one in call.args) and len(call.args) == 1 and not call.keywords:
            return None
        close = self.places.span(call)[1] - 1
        given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        if not given:
            return Edit(close, close, f"{name}={value}")
        last = max(self.places.span(one)[1] for one in given)
        tail = self.places.source[last:close]
        if "#" in tail and "," not in TRIVIA.sub("", tail):
            return None  # a comma would have to go before the comment
        if "," not in TRIVIA.sub("", tail):
            return Edit(
                close - len(tail) + len(tail.rstrip()), close - len(tail) + len(tail.rstrip()), f", {name}={value}"
            )
        if "\n" not in tail:
            return Edit(close, close, f" {name}={value},")
        line = self.places.source.rfind("\n", 0, last) + 1
        indent = re.match(r"[ \t]*", self.places.source[line:])
        start = self.places.source.rfind("\n", 0, close) + 1
        return Edit(start, start, f"{indent[0] if indent else ''}{name}={value},\n")

    def without_keyword(self, call: ast.Call, name: str) -> Edit | None:
        """Take a keyword from a call, with the comma that goes with it."""
        unsorted: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
        given = sorted(unsorted, key=self.places.span)
        for position, one in enumerate(given):
            if isinstance(one, ast.keyword) and one.arg == name:
                start, end = self.places.span(one)
                if position + 1 < len(given):
                    following = self.places.span(given[position + 1])[0]
                    if "#" not in self.places.source[end:following]:
                        return Edit(start, following, "")
                    return None
                if position == 0:
                    return Edit(start, end, "") if self.places.source[end : end + 1] == ")" else None
                before = self.places.span(given[position - 1])[1]
                return Edit(before, end, "") if "#" not in self.places.source[before:start] else None
        return None


Fixer = Callable[[Site], list[Edit]]


class Fixers:
    """The functions that fix findings, by rule. Used as a decorator: `@fixer("BG109")`."""

    def __init__(self) -> None:
        self.functions: dict[str, Fixer] = {}

    def __call__(self, *rule_ids: str) -> Callable[[Fixer], Fixer]:
        """Register a function for the findings of some rules."""

        def register(function: Fixer) -> Fixer:
            self.functions.update(dict.fromkeys(rule_ids, function))
            return function

        return register


fixer = Fixers()
