"""All that a project says outside of its code, each document read in its own format when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TypeVar

from backendgen.code import compose, dependencies, dockerfile, dotenv, openapi, settings, workflow
from backendgen.code.documents import Document, Kind
from backendgen.code.project import Hole
from backendgen.code.symbols import Symbols
from backendgen.code.trees import Unreadable

T = TypeVar("T")


class Configuration:
    """A project's documents as data. `holes` are those that could not be read, of the kinds that were asked for."""

    def __init__(self, documents: Iterable[Document], symbols: Symbols) -> None:
        self.documents = tuple(documents)
        self._symbols = symbols
        self.by_path = {one.path: one for one in self.documents}
        self._holes: dict[str, Hole] = {}

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The documents that are not in their format, and where."""
        return tuple(self._holes[path] for path in sorted(self._holes))

    def of(self, *kinds: Kind) -> Iterator[Document]:
        """Yield the documents of these kinds."""
        return (one for one in self.documents if one.kind in kinds)

    @cached_property
    def openapi(self) -> tuple[openapi.OpenAPI, ...]:
        """OpenAPI documents."""
        found = self._read("openapi", lambda one: openapi.load(one.text, one.path))
        return tuple(one for one in found if one is not None)

    @cached_property
    def dockerfiles(self) -> tuple[dockerfile.Dockerfile, ...]:
        """Dockerfiles."""
        return tuple(self._read("dockerfile", lambda one: dockerfile.read(one.text, one.path)))

    @cached_property
    def compose(self) -> tuple[compose.ComposeFile, ...]:
        """Compose files."""
        return tuple(self._read("compose", lambda one: compose.load(one.text, one.path)))

    @cached_property
    def workflows(self) -> tuple[workflow.Workflow, ...]:
        """GitHub's workflows."""
        return tuple(self._read("workflow", lambda one: workflow.load(one.text, one.path)))

    @cached_property
    def environments(self) -> tuple[tuple[str, tuple[dotenv.Variable, ...]], ...]:
        """Files of environment variables: paths with their variables."""
        return tuple(self._read("env", lambda one: (one.path, tuple(dotenv.read(one.text)))))

    @cached_property
    def manifests(self) -> tuple[dependencies.Manifest, ...]:
        """What is to be installed."""
        return (
            *self._read("requirements", dependencies.manifest),
            *self._read("manifest", dependencies.manifest),
        )

    @cached_property
    def locks(self) -> tuple[dependencies.Lock, ...]:
        """What lock files fix."""
        return tuple(self._read("lock", dependencies.lock))

    @cached_property
    def django(self) -> tuple[settings.Settings, ...]:
        """The settings that a Django project is deployed with."""
        return settings.production(self._symbols)

    def _read(self, kind: Kind, reader: Callable[[Document], T]) -> Iterator[T]:
        for document in self.of(kind):
            try:
                yield reader(document)
            except Unreadable as error:
                is_template = "{{" in document.text or "{%" in document.text
                why = f"a template, or {error.message}" if is_template else error.message
                self._holes[document.path] = Hole(document.path, why, error.line, error.column)
