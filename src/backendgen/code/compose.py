"""Compose files: services with their ports, environment, volumes and rights.

Source: https://github.com/compose-spec/compose-spec/blob/main/spec.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backendgen.code.trees import Node, read

_DEFAULT = re.compile(r"\$\{\w+:?-([^}]{0,400})\}")
_UNKNOWN = re.compile(r"\$\{(\w+)[^}]*\}")
_PARTS = re.compile(r"\[[^\]]*\]|[^:]+")


@dataclass(frozen=True, slots=True)
class Port:
    """A port that is published on the host: on all its addresses when `address` is empty."""

    address: str
    published: str
    target: str
    line: int


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable; `value` as it is written, with its `${...}`. None is taken from the host."""

    name: str
    value: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Volume:
    """What is mounted: `source` is a path of the host, or a volume's name."""

    source: str
    target: str
    line: int


@dataclass(frozen=True, slots=True)
class Container:
    """One service of a compose file. `node` has what is not here."""

    name: str
    line: int
    node: Node
    image: str = ""
    ports: tuple[Port, ...] = ()
    environment: tuple[Setting, ...] = ()
    volumes: tuple[Volume, ...] = ()

    def text(self, key: str) -> str:
        """A scalar of this service, empty without it."""
        return self.node.word(key)

    def line_of(self, key: str) -> int:
        """The line of a key, or of the service."""
        found = self.node.get(key)
        return found.line if found else self.line


@dataclass(frozen=True, slots=True)
class ComposeFile:
    """A compose file."""

    path: str
    containers: tuple[Container, ...]


def load(text: str, path: str) -> ComposeFile:
    """Read a compose file. Raises Unreadable when it is no YAML."""
    services = read(text, path).get("services")
    entries = services.entries if services else {}
    return ComposeFile(path, tuple(_container(name, node) for name, node in entries.items()))


def default_of(text: str) -> str:
    """Fill in the defaults of `${NAME:-default}`."""
    return _DEFAULT.sub(lambda found: found[1], text)


def _container(name: str, node: Node) -> Container:
    image = node.get("image")
    return Container(
        name, node.line, node, default_of(image.text) if image else "",
        tuple(port for one in _items(node, "ports") if (port := _port(one))),
        _environment(node.get("environment")),
        tuple(volume for one in _items(node, "volumes") if (volume := _volume(one))),
    )  # fmt: skip


def _items(node: Node, key: str) -> list[Node]:
    found = node.get(key)
    return found.items if found else []


def _port(node: Node) -> Port | None:
    if node.entries:
        published, target = node.word("published"), node.word("target")
        return Port(node.word("host_ip"), published, target, node.line) if published and target else None
    parts = _PARTS.findall(_UNKNOWN.sub(r"$\1", default_of(node.text)).partition("/")[0])
    if len(parts) < 2:  # any free port of the host
        return None
    return Port(":".join(parts[:-2]).strip("[]"), parts[-2], parts[-1], node.line)


def _environment(node: Node | None) -> tuple[Setting, ...]:
    if node is None:
        return ()
    if node.entries:
        return tuple(
            Setting(name, None if one.value is None else one.text, one.line) for name, one in node.entries.items()
        )
    settings = []
    for one in node.items:
        name, separator, value = one.text.partition("=")
        settings.append(Setting(name.strip(), value if separator else None, one.line))
    return tuple(settings)


def _volume(node: Node) -> Volume | None:
    if node.entries:
        return Volume(node.word("source"), node.word("target"), node.line)
    parts = default_of(node.text).split(":")
    return Volume(parts[0], parts[1], node.line) if len(parts) > 1 else None
