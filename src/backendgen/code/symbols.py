"""What names mean: imports followed across files (absolute, relative, re-exported), without importing anything.

A name means either a definition of the project or something outside of it, known by its dotted name (`External`).
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeAlias, TypeVar

from backendgen.code.dotted import names_of, packages_above, shared
from backendgen.code.nodes import collected
from backendgen.code.project import Hole, Project, SourceFile

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
BUILTINS = frozenset(dir(builtins))
MAX_HOPS = 20
Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method of the project. `outer` is the function it is defined in; `owner` the class."""

    module: Module = field(repr=False, compare=False)
    name: str
    node: FunctionNode = field(repr=False, compare=False)
    path: str
    line: int
    owner: Class | None = field(default=None, repr=False, compare=False)
    outer: Function | None = field(default=None, repr=False, compare=False)

    @property
    def parameters(self) -> list[ast.arg]:
        """All parameters that have a name of their own, in order: positional, then keyword-only."""
        return [*self.node.args.posonlyargs, *self.node.args.args, *self.node.args.kwonlyargs]


@dataclass(frozen=True, slots=True)
class Class:
    """A class of the project."""

    module: Module = field(repr=False, compare=False)
    name: str
    node: ast.ClassDef = field(repr=False, compare=False)
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that is assigned `value` in a module, class or function."""

    module: Module = field(repr=False, compare=False)
    name: str
    value: ast.expr = field(repr=False, compare=False)
    path: str
    line: int
    annotation: ast.expr | None = field(default=None, repr=False, compare=False)
    scope: Function | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class External:
    """Something outside the project, by its dotted name: `fastapi.Depends`."""

    name: str


@dataclass(eq=False, slots=True)
class Module:
    """A file with its top-level names: definitions, and imports as (dotted module, name or empty)."""

    file: SourceFile
    names: tuple[str, ...]
    definitions: dict[str, Function | Class | Variable] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    members: dict[int, dict[str, Function | Class | Variable]] = field(default_factory=dict)
    locals: dict[int, dict[str, Function | Class | Variable]] = field(default_factory=dict)
    function_of: dict[int, Function] = field(default_factory=dict)
    class_of: dict[int, Class] = field(default_factory=dict)
    _nodes: dict[type, list[tuple[Any, Function | None]]] | None = None
    _by_function: dict[int, list[ast.Call]] = field(default_factory=dict)

    @property
    def calls(self) -> list[tuple[ast.Call, Function | None]]:
        """Every call in the order of the text, with the function that it stands in."""
        return self.nodes(ast.Call)

    def nodes(self, kind: type[Node]) -> list[tuple[Node, Function | None]]:
        """Every node of one of the `COLLECTED` kinds in the order of the text, with the function that it stands in."""
        if self._nodes is None:
            self._nodes = {}
            found = sorted(collected(self), key=lambda one: (one[0].lineno, one[0].col_offset))
            for node, scope, is_deferred in found:
                self._nodes.setdefault(type(node), []).append((node, scope))
                if isinstance(node, ast.Call) and scope is not None and not is_deferred:
                    self._by_function.setdefault(id(scope.node), []).append(node)
        return self._nodes.get(kind, [])

    def calls_in(self, function: Function) -> list[ast.Call]:
        """The calls that running a function's body makes: not those of functions and lambdas defined in it."""
        return self._by_function.get(id(function.node), []) if self.calls else []


Symbol: TypeAlias = Function | Class | Variable | External | Module


class Symbols:
    """The index of a project's names. Deterministic: a name that two files claim goes to the one nearest the importer."""

    def __init__(self, project: Project) -> None:
        self.modules: dict[str, Module] = {}
        self.unfinished: dict[str, Hole] = {}
        self._by_suffix: dict[str, list[Module]] = {}
        self._lineages: dict[int, list[Class]] = {}
        self._bases: dict[int, frozenset[str]] = {}
        self._stars: dict[int, list[Module]] = {}
        self._parameters: dict[int, frozenset[str]] = {}
        packages = {str(PurePosixPath(path).parent) for path in project.by_path if path.endswith("__init__.py")}
        packages -= {str(PurePosixPath(path).parent) for path in project.by_path if path.endswith("/manage.py")}
        above = packages_above(project)
        for file in project.files:
            module = _Reader(file, above, packages).module
            self.modules[file.path] = module
            for name in module.names:
                self._by_suffix.setdefault(name, []).append(module)

    def cut(self, path: str, line: int, message: str) -> None:
        """Note that what begins here was followed up to a bound and no further: the report is to say so."""
        self.unfinished.setdefault(path, Hole(path, message, line, partly=True))

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        for module in self.modules.values():
            yield from module.functions

    def mentioning(self, pattern: re.Pattern[str], *words: str) -> list[Module]:
        """Return the modules whose text a pattern matches; `words` are small letters without one of which it cannot."""
        return [
            one
            for one in self.modules.values()
            if any(word in one.file.lowered for word in words) and pattern.search(one.file.text)
        ]

    def module(self, dotted: str, importer: Module) -> Module | None:
        """Return the project's module of this dotted name, the nearest to the importer when there are several."""
        found = self._by_suffix.get(dotted)
        if not found:
            return None
        if len(found) == 1:
            return found[0]
        return max(found, key=lambda module: shared(module.file.path, importer.file.path))

    def lookup(self, name: str, module: Module, scope: Function | None = None, hops: int = 0) -> Symbol | None:
        """Return what a bare name means in a function of a module, or None when nothing is known (a parameter, say)."""
        while scope is not None:
            local = module.locals.get(id(scope.node), {}).get(name)
            if local is not None:
                return local
            if name in self._names_of_parameters(scope):
                return None
            scope = scope.outer
        if name in module.definitions:
            return module.definitions[name]
        if name in module.imports:
            return self._imported(*module.imports[name], module, hops)
        for source in self._behind(module) if module.stars else ():
            if name in source.definitions:
                return source.definitions[name]
            if name in source.imports:
                return self._imported(*source.imports[name], source, hops + 1)
        if name in BUILTINS:
            return External(name)
        outside = [one for one in module.stars if not one.startswith(".") and self.module(one, module) is None]
        return External(f"{outside[0]}.{name}") if len(outside) == 1 else None  # `from flask import *`

    def _behind(self, module: Module) -> list[Module]:
        """The modules that star imports lead to, in the order in which they are found, each once."""
        known = self._stars.get(id(module))
        if known is None:
            known = self._stars[id(module)] = []
            pending, seen = [module], set[int]()
            while pending:
                one = pending.pop()
                if id(one) in seen:
                    continue
                seen.add(id(one))
                known.append(one)
                sources = [self.module(dotted, one) for dotted in one.stars]
                pending.extend(source for source in reversed(sources) if source is not None)
            del known[0]
        return known

    def _names_of_parameters(self, function: Function) -> frozenset[str]:
        found = self._parameters.get(id(function.node))
        if found is None:
            found = self._parameters[id(function.node)] = frozenset(one.arg for one in function.parameters)
        return found

    def resolve(self, node: ast.expr, module: Module, scope: Function | None = None, hops: int = 0) -> Symbol | None:
        """Return what a name or dotted expression means. Variables are not followed; see `value`."""
        if isinstance(node, ast.Name):
            return self.lookup(node.id, module, scope, hops)
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value, module, scope, hops)
            return self.attribute(base, node.attr, hops) if base is not None else None
        if isinstance(node, ast.Subscript):
            return self.resolve(node.value, module, scope, hops)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            return self.lookup(node.value, module, scope, hops)
        return None

    def attribute(self, base: Symbol, name: str, hops: int = 0) -> Symbol | None:
        """Return what an attribute of a symbol means."""
        if isinstance(base, External):
            dotted = f"{base.name}.{name}"
            inner = self._by_suffix.get(dotted)  # a folder without an __init__.py is no module, but what is in it is
            return inner[0] if inner else External(dotted)
        if isinstance(base, Module):
            found = self.lookup(name, base, None, hops + 1) if hops < MAX_HOPS else None
            if found is not None and not (isinstance(found, External) and found.name in BUILTINS):
                return found
            return self._submodule(base, name)
        if isinstance(base, Class):
            return self.member(base, name)
        return None

    def value(self, node: ast.expr, module: Module, scope: Function | None = None) -> Symbol | None:
        """Like `resolve`, following variables that only rename something (`handler = other.handler`)."""
        found = self.resolve(node, module, scope)
        for _ in range(MAX_HOPS):
            if not isinstance(found, Variable) or not isinstance(found.value, ast.Name | ast.Attribute):
                return found
            renamed = self.resolve(found.value, found.module, found.scope)
            if renamed is None or renamed == found:
                return found
            found = renamed
        return found

    def member(self, owner: Class, name: str) -> Function | Class | Variable | None:
        """Return a class's attribute, looked for in its bases too."""
        for one in self.lineage(owner):
            found = one.module.members.get(id(one.node), {}).get(name)
            if found is not None:
                return found
        return None

    def lineage(self, owner: Class) -> list[Class]:
        """The class and its bases within the project, each once."""
        known = self._lineages.get(id(owner.node))
        if known is not None:
            return known
        order, pending, seen = [], [owner], set()
        while pending:
            one = pending.pop(0)
            if id(one.node) in seen:
                continue
            seen.add(id(one.node))
            order.append(one)
            for base in one.node.bases:
                found = self._base(base, one)
                if isinstance(found, Class):
                    pending.append(found)
        self._lineages[id(owner.node)] = order
        return order

    def bases(self, owner: Class) -> frozenset[str]:
        """The dotted names of all bases outside the project."""
        if id(owner.node) in self._bases:
            return self._bases[id(owner.node)]
        names = set()
        for one in self.lineage(owner):
            for base in one.node.bases:
                found = self._base(base, one)
                if isinstance(found, External):
                    names.add(found.name)
        self._bases[id(owner.node)] = frozenset(names)
        return self._bases[id(owner.node)]

    def _base(self, node: ast.expr, owner: Class) -> Symbol | None:
        """What a base names: in `class UpdateView(UpdateView)` the one that was imported before."""
        found = self.value(node, owner.module)
        if isinstance(node, ast.Name) and isinstance(found, Class) and found.node is owner.node:
            imported = owner.module.imports.get(node.id)
            return self._imported(*imported, owner.module, 0) if imported else None
        return found

    def _imported(self, dotted: str, name: str, importer: Module, hops: int) -> Symbol | None:
        module = self.module(dotted, importer)
        if module is importer and name:
            module = None
        if module is None:
            inner = self.module(f"{dotted}.{name}", importer) if name else None
            return inner or External(f"{dotted}.{name}" if name else dotted)
        if not name:
            return module
        if hops >= MAX_HOPS:
            return None
        found = self.lookup(name, module, None, hops + 1)
        if found is None or (isinstance(found, External) and found.name in BUILTINS):
            return self._submodule(module, name) or found
        return found

    def _submodule(self, package: Module, name: str) -> Module | None:
        if not package.file.path.endswith("__init__.py"):
            return None
        for dotted in package.names:
            found = self.module(f"{dotted}.{name}", package)
            if found is not None:
                return found
        return None


class _Reader:
    """One walk over a file's definitions; expressions are not entered."""

    def __init__(self, file: SourceFile, above: tuple[str, ...], packages: set[str]) -> None:
        names, self.package = names_of(file.path, above, packages)
        self.module = Module(file, names)
        self._block(file.tree.body, self.module.definitions, None, None, "")

    def _block(
        self,
        body: list[ast.stmt],
        into: dict[str, Function | Class | Variable],
        owner: Class | None,
        outer: Function | None,
        prefix: str,
    ) -> None:
        module, path = self.module, self.module.file.path
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = Function(module, prefix + node.name, node, path, node.lineno, owner, outer)
                into.setdefault(node.name, function)
                module.functions.append(function)
                module.function_of[id(node)] = function
                self._block(node.body, module.locals.setdefault(id(node), {}), None, function, f"{function.name}.")
            elif isinstance(node, ast.ClassDef):
                one = Class(module, prefix + node.name, node, path, node.lineno)
                into[node.name] = one
                module.classes.append(one)
                module.class_of[id(node)] = one
                members = module.members.setdefault(id(node), {})
                self._block(node.body, members, one, outer, f"{one.name}.")
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
            elif (given := _assigned(node)) is not None:
                names, value, annotation = given
                for name in names:
                    into.setdefault(name, Variable(module, name, value, path, node.lineno, annotation, outer))
            else:
                for inner in _blocks(node):
                    self._block(inner, into, owner, outer, prefix)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        imports = self.module.imports
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    imports.setdefault(alias.asname, (alias.name, ""))
                else:
                    imports.setdefault(alias.name.split(".")[0], (alias.name.split(".")[0], ""))
            return
        base = node.module or ""
        if node.level:
            kept = self.package[: len(self.package) - node.level + 1]
            base = ".".join([*kept, *([node.module] if node.module else [])])
        for alias in node.names:
            if alias.name == "*":
                self.module.stars.append(base)
            else:
                imports.setdefault(alias.asname or alias.name, (base, alias.name))


def _assigned(node: ast.stmt) -> tuple[list[str], ast.expr, ast.expr | None] | None:
    """The names that a statement gives a value, the value and its annotation; None when it is no assignment."""
    if isinstance(node, ast.Assign):
        return [one.id for one in node.targets if isinstance(one, ast.Name)], node.value, None
    if isinstance(node, ast.AnnAssign):
        names = [node.target.id] if isinstance(node.target, ast.Name) else []
        return names, node.value or ast.Constant(value=None), node.annotation
    if type(node).__name__ == "TypeAlias":  # PEP 695, on interpreters that know it
        alias: Any = node
        return [alias.name.id], alias.value, None
    return None


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statement lists inside a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block
    for handler in getattr(node, "handlers", ()):
        yield handler.body
    for case in getattr(node, "cases", ()):
        yield case.body
