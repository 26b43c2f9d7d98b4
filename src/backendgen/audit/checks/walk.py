"""Ways through code that several checks take."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendgen.audit.callees import own_nodes
from backendgen.audit.flow.values import place
from backendgen.audit.registry import Context
from backendgen.audit.service import Endpoint
from backendgen.code.project import SourceFile
from backendgen.code.symbols import Class, External, Function, Module
from backendgen.findings.finding import Hit, Step
from backendgen.rules import Confidence, Severity

__all__ = ["called", "class_of", "habits", "hit", "is_command", "is_migration", "own_nodes", "query_models", "reached"]

MIGRATIONS = re.compile(r"(?:^|/)(?:migrations|alembic|versions|revisions|seeds?|fixtures|migrate)(?:/|\.py$)")
COMMANDS = re.compile(r"(?:^|/)(?:cli|scripts|commands)(?:/|\.py$)|(?:^|/)manage\.py$")
LIBRARIES = ("typer", "click", "argparse", "cyclopts")
HABIT = 3  # repetitions in a file, from which it is one thing to change and not several
COMMAND_LINES = re.compile(rf"^\s*(?:import|from)\s+(?:{'|'.join(LIBRARIES)})\b", re.MULTILINE)


def is_command(file: SourceFile) -> bool:
    """Is this a program for a terminal, by its place or what it imports? What it prints is for who started it."""
    if COMMANDS.search(file.path):
        return True
    return any(map(file.mentions, LIBRARIES)) and file.mentions(COMMAND_LINES)


def is_migration(file: SourceFile) -> bool:
    """Does this run once, by its place: a migration, a seed, a fixture?"""
    return MIGRATIONS.search(file.path) is not None


def hit(
    module: Module,
    node: ast.AST,
    message: str,
    fix: str = "",
    confidence: Confidence | None = None,
    severity: Severity | None = None,
) -> Hit:
    """What a check yields of a node; `{who}` in the message is the function or class that it stands in, or the file."""
    location = place(module.file.path, node)
    symbol = module.file.symbol_at(location.line)
    who = f"`{symbol}`" if symbol else module.file.path
    return Hit(location, message.replace("{who}", who), fix, symbol, severity=severity, confidence=confidence)


def habits(hits: Iterable[Hit]) -> Iterator[Hit]:
    """What a file does over and over is said once, with the other lines as steps; the others are doubtful, not lost."""
    by_file: dict[str, list[Hit]] = {}
    for one in hits:
        if one.confidence in (Confidence.LOW, Confidence.HIGH):
            yield one
        else:
            by_file.setdefault(one.location.path, []).append(one)
    for first, *again in by_file.values():
        if len(again) < HABIT:
            yield from (first, *again)
            continue
        steps = tuple(Step(each.location, "the same again") for each in again)  # new ones are told by `--since`
        yield replace(first, message=f"{first.message}; {len(again)} times more in this file", steps=steps)
        yield from (replace(each, confidence=Confidence.LOW) for each in again)


def called(context: Context, call: ast.Call, function: Function) -> Function | External | None:
    """Return what a call in a function calls: a function or method of the project, or something outside."""
    return context.callees.called(call, function)


def class_of(context: Context, node: ast.expr, function: Function) -> Class | External | None:
    """The class of an expression: `self`, what an annotation says, what it is made with, an attribute of these."""
    return context.callees.class_of(node, function)


def reached(context: Context, start: Function) -> list[Function]:
    """A function and the project's functions that it calls, a few calls deep, each once."""
    return context.callees.reached(start)


def query_models(context: Context, endpoint: Endpoint) -> Iterator[Class]:
    """The models that a query string is read as: `Annotated[OrderQuery, Query()]`, a class as a dependency."""
    for parameter in endpoint.parameters:
        kind = context.facts.tracer.types.of(parameter.annotation, parameter.module).kind
        if isinstance(kind, Class) and (parameter.source == "query" or parameter.dependency == kind):
            yield kind
        elif isinstance(parameter.dependency, Class):
            yield parameter.dependency
