"""Django migrations: found, ordered as `migrate` orders them, and read by their syntax trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendgen.code.parse import Unparsable
from backendgen.findings.finding import Location
from backendgen.migrate.history import History
from backendgen.migrate.readers import dialects
from backendgen.migrate.readers.constants import constant
from backendgen.migrate.readers.django.fields import Key, model_key
from backendgen.migrate.readers.django.script import Script
from backendgen.migrate.readers.django.settings import app_label, settings_of
from backendgen.migrate.readers.django.source import Source, evaluator_of, load
from backendgen.migrate.readers.reading import UNREADABLE, Reading
from backendgen.migrate.readers.sql import ORDER_UNKNOWN
from backendgen.migrate.readers.values import Call


@dataclass(slots=True)
class Node:
    """A migration in the graph."""

    source: Source
    parents: dict[Key, Node] = field(default_factory=dict)
    children: dict[Key, Node] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Its app and name."""
        return self.source.key

    def follow(self, parent: Node) -> None:
        """Come after another migration."""
        if parent is not self:
            self.parents[parent.key] = parent
            parent.children[self.key] = self


def histories(found: list[Path], reading: Reading) -> list[History]:
    """Return one History for each project: its apps share a database, so their migrations are one sequence."""
    return [history for paths in _projects(found, reading) if (history := _history(paths, reading)).migrations]


def _projects(paths: list[Path], reading: Reading) -> Iterator[list[Path]]:
    """Yield the migrations of each project: those below one manage.py, when app labels would clash otherwise."""
    labels: dict[str, Path] = {}
    clash = any(labels.setdefault(app_label(path.parent), path.parent) != path.parent for path in paths)
    if not clash:
        if paths:
            yield paths
        return
    managed = {each.parent for each in reading.found if each.name == "manage.py"}
    projects: dict[tuple[Path, int], list[Path]] = {}
    folders: dict[tuple[Path, int, str], Path] = {}
    for path in paths:
        root = next((above for above in path.parents if above in managed), reading.root)
        number = 0
        while folders.setdefault((root, number, app_label(path.parent)), path.parent) != path.parent:
            number += 1
        projects.setdefault((root, number), []).append(path)
    yield from projects.values()


def _history(paths: list[Path], reading: Reading) -> History:
    settings = settings_of(reading)
    evaluator = evaluator_of(reading)
    nodes: dict[Key, Node] = {}
    for path in paths:
        name = reading.name(path)
        try:
            source = load(path, app_label(path.parent), evaluator)
        except Unparsable as problem:
            reading.refuse(UNREADABLE, Location(name, problem.line, problem.column), f"{name} is {problem.message}")
            continue
        if source is not None:
            nodes[source.key] = Node(source)
    _link(nodes, settings, reading)
    _squash(nodes)
    _say_leaves(nodes, reading)
    migrations = []
    script = Script(evaluator, settings, dialects.told(reading.dialect))
    for node in _ordered(nodes, reading):
        parents = tuple(".".join(parent) for parent in node.parents)
        migrations.append(script.migration(node.source, parents))
    folders = {path.parent for path in paths}
    folder = folders.pop() if len(folders) == 1 else reading.root
    return History(
        reading.name(folder),
        tuple(migrations),
        sets_lock_timeout=_bounds_locks(settings),
        dialect=dialects.told(reading.dialect),
    )


def _bounds_locks(settings: dict[str, str]) -> bool:
    """Whether the project's settings set lock_timeout for its connections."""
    return "lock_timeout" in settings


# ---- the graph


def _link(nodes: dict[Key, Node], settings: dict[str, str], reading: Reading) -> None:
    """Join migrations with what they depend on: their own app's first, so that `__first__` of another app is known."""
    apps = {key[0] for key in nodes}
    for own in (True, False):
        for node in nodes.values():
            for app, name in _pairs(node.source.attributes.get("dependencies"), node, settings):
                if (app == node.key[0]) != own or (own and name == "__first__"):
                    continue
                parent = _find(app, name, nodes)
                if parent is not None:
                    node.follow(parent)
                elif app in apps and not reading.single and name not in ("__first__", "__latest__"):
                    _missing(node, app, name, nodes, reading)
    for node in nodes.values():
        for app, name in _pairs(node.source.attributes.get("run_before"), node, settings):
            if (child := _find(app, name, nodes)) is not None:
                child.follow(node)


def _pairs(value: Any, node: Node, settings: dict[str, str]) -> Iterator[tuple[str, str]]:
    for each in value if isinstance(value, list | tuple) else ():
        if isinstance(each, Call) and each.last == "swappable_dependency":
            key = model_key(each.arg(0, "value"), (node.key[0], ""), settings)
            if key is not None:
                yield key[0], "__first__"
        elif isinstance(each, list | tuple) and len(each) == 2:
            app, name = map(constant, each)
            if isinstance(app, str) and isinstance(name, str):
                yield app, name


def _find(app: str, name: str, nodes: dict[Key, Node]) -> Node | None:
    if name == "__first__":
        own = [node for key, node in sorted(nodes.items()) if key[0] == app]
        return next((node for node in own if not any(parent[0] == app for parent in node.parents)), None)
    if name == "__latest__":
        own = [node for key, node in sorted(nodes.items()) if key[0] == app]
        return next((node for node in own if not any(child[0] == app for child in node.children)), None)
    return nodes.get((app, name))


def _missing(node: Node, app: str, name: str, nodes: dict[Key, Node], reading: Reading) -> None:
    replaced = {pair for other in nodes.values() for pair in _pairs(other.source.attributes.get("replaces"), other, {})}
    if (app, name) in replaced:
        for other in nodes.values():
            if (app, name) in set(_pairs(other.source.attributes.get("replaces"), other, {})):
                node.follow(other)
        return
    path = node.source.path
    line = next((at for at, text in enumerate(node.source.module.lines, 1) if name in text), 1)
    message = f"{'.'.join(node.key)} comes after {app}.{name}, which is not there: Django cannot place it"
    reading.refuse(ORDER_UNKNOWN, Location(reading.name(path), line), message)


def _squash(nodes: dict[Key, Node]) -> None:
    """Let squashed migrations take the place of those that they replace, as on a new database."""
    for key, node in list(nodes.items()):
        if key not in nodes:
            continue
        for replaced in _pairs(node.source.attributes.get("replaces"), node, {}):
            old = nodes.pop(replaced, None)
            if old is None or old is node:
                continue
            for parent in old.parents.values():
                parent.children.pop(old.key, None)
                if parent is not node:
                    node.follow(parent)
            for child in old.children.values():
                child.parents.pop(old.key, None)
                if child is not node:
                    child.follow(node)
        for other in [*node.parents]:
            if other not in nodes:
                node.parents.pop(other)


def _ordered(nodes: dict[Key, Node], reading: Reading) -> list[Node]:
    """Order as `migrate` does: for each app's last migration in turn, what it depends on first."""
    ordered: list[Node] = []
    state: dict[Key, bool] = {}
    leaves = [node for _, node in sorted(nodes.items()) if all(child[0] != node.key[0] for child in node.children)]
    for leaf in [*leaves, *nodes.values()]:
        stack = [(leaf, False)]
        while stack:
            node, done = stack.pop()
            if done:
                if not state.get(node.key):
                    state[node.key] = True
                    ordered.append(node)
            elif node.key not in state:
                state[node.key] = False
                stack.append((node, True))
                stack += [(parent, False) for _, parent in sorted(node.parents.items()) if not state.get(parent.key)]
    _say_circle(ordered, reading)
    return ordered


def _say_circle(ordered: list[Node], reading: Reading) -> None:
    """A migration that stands before one of its parents is part of a circle."""
    seen: set[Key] = set()
    for node in ordered:
        seen.add(node.key)
        late = next((parent for parent in node.parents if parent not in seen), None)
        if late is not None:
            message = (
                f"{'.'.join(node.key)} comes after {'.'.join(late)}, which comes after it: Django cannot order them"
            )
            reading.refuse(ORDER_UNKNOWN, Location(reading.name(node.source.path)), message)
            return


def _say_leaves(nodes: dict[Key, Node], reading: Reading) -> None:
    """Several last migrations of one app stop `migrate`."""
    leaves: dict[str, list[Node]] = {}
    for key, node in sorted(nodes.items()):
        if not any(child[0] == key[0] for child in node.children):
            leaves.setdefault(key[0], []).append(node)
    for app, last in leaves.items():
        if len(last) > 1 and not reading.single:
            listed = ", ".join(node.key[1] for node in last)
            message = (
                f"{app} has {len(last)} last migrations, {listed}: join them with `manage.py makemigrations --merge`"
            )
            reading.refuse(ORDER_UNKNOWN, Location(reading.name(last[-1].source.path)), message)
