"""One migration file: what its class says, before it is known when it runs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendgen.migrate.readers.django.fields import Key
from backendgen.migrate.readers.evaluate import Evaluator
from backendgen.migrate.readers.expressions import TooLong
from backendgen.migrate.readers.reading import Reading
from backendgen.migrate.readers.values import Call, Module

Place = ast.expr | ast.stmt


@dataclass(frozen=True, slots=True)
class Source:
    """A migration's file as it was read. `places` are the nodes of the calls that its class made.

    `unread` says why not all of it could be followed.
    """

    path: Path
    app: str
    module: Module
    node: ast.ClassDef
    attributes: Mapping[str, Any]
    places: Mapping[int, tuple[Call, ast.expr]]
    unread: str = ""

    @property
    def key(self) -> Key:
        """What other migrations know it by."""
        return self.app, self.path.stem

    @property
    def operations(self) -> tuple[tuple[Call | None, Place], ...]:
        """The operations with their places; None for one that is not known."""
        given = self.attributes.get("operations", [])
        otherwise = next((each for each in self.node.body if "operations" in _assigned(each)), self.node)
        if not isinstance(given, list | tuple):
            return ((None, otherwise),)
        return tuple((each if isinstance(each, Call) else None, self.place(each, otherwise)) for each in given)

    def place(self, call: Any, otherwise: Place) -> Place:
        """Return where a call stands."""
        return self.places[id(call)][1] if id(call) in self.places else otherwise


def load(path: Path, app: str, evaluator: Evaluator) -> Source | None:
    """Read a migration's file; None when it cannot be read or has no Migration. Raises Unparsable."""
    module = evaluator.load(path)
    classes = [each for each in module.tree.body if isinstance(each, ast.ClassDef)] if module else []
    node = next((each for each in classes if each.name == "Migration"), None)
    if module is None or node is None:
        return None
    places: dict[int, tuple[Call, ast.expr]] = {}

    def made(call: Call, at: ast.Call, where: Module) -> None:
        if where is module:
            places[id(call)] = call, at

    unread = ""
    attributes: dict[str, Any] = {}
    evaluator.effect = made
    try:
        attributes = evaluator.attributes(node, module)
    except TooLong:
        unread = "Migration has too many steps to be followed"
    except RecursionError:
        unread = "Migration is nested too deeply to be followed"
    finally:
        evaluator.effect = ignored
    return Source(path, app, module, node, attributes, places, unread)


def evaluator_of(reading: Reading) -> Evaluator:
    """Return what computes the constants of migrations."""
    return Evaluator(reading, ignored, _entered)


def ignored(call: Call, node: ast.Call, module: Module) -> None:
    """What a module calls when it is imported changes nothing."""


def _entered(value: Any) -> Callable[[], None]:
    return lambda: None


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
