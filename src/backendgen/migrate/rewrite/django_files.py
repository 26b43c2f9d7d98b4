"""A Django migration's module: the list of operations in it changed, and modules like it for what splits off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backendgen.migrate.django_fixes import span
from backendgen.migrate.rewrite.pieces import Unfixable

_POSTGRES = "django.contrib.postgres.operations"
_OWN = ("AddConstraintNotValid", "AddIndexConcurrently", "RemoveIndexConcurrently", "ValidateConstraint")


@dataclass(frozen=True, slots=True)
class Module:
    """A migration's text, its tree, its class and the list of its operations."""

    text: str
    tree: ast.Module
    node: ast.ClassDef
    operations: ast.List

    @classmethod
    def of(cls, text: str) -> Module:
        """Parse a migration. Raises Unfixable when its operations are no plain list."""
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            raise Unfixable("it has newer syntax than this interpreter's") from None
        node = next((one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "Migration"), None)
        listing = _value(node, "operations") if node else None
        if (
            node is None
            or not isinstance(listing, ast.List)
            or any(isinstance(one, ast.Starred) for one in listing.elts)
        ):
            raise Unfixable("its operations are no plain list")
        return cls(text, tree, node, listing)

    @property
    def is_atomic(self) -> bool:
        """Whether Django runs it in a transaction."""
        value = _value(self.node, "atomic")
        return not (isinstance(value, ast.Constant) and value.value is False)

    @property
    def indent(self) -> int:
        """How far operations are indented."""
        return self.node.body[0].col_offset + 4

    def refuse_split(self) -> None:
        """Raise Unfixable when something is said of the whole migration that no part of it could say."""
        for word, why in (("replaces", "it stands for others"), ("run_before", "others must come after all of it")):
            if _value(self.node, word) is not None:
                raise Unfixable(f"it must be split in two, and {why} ({word})")
        if "migrations" not in set(_names(self.tree)):
            raise Unfixable("it must be split in two, and it does not name `migrations`")

    def changed(self, inside: str, *, outside: bool) -> str:
        """Return the text with other operations in its list; `outside`: it shall run without a transaction."""
        start, end = span(self.text, self.operations)
        edits = [(start + 1, end - 1, f"\n{inside}" if inside.strip() else "")]
        if outside:
            edits.append(self._non_atomic())
        try:
            return _without_unused(_importing(_edited(self.text, edits)), set(_names(self.tree)))
        except SyntaxError:
            raise Unfixable("its list of operations is laid out in a way of its own") from None

    def _non_atomic(self) -> tuple[int, int, str]:
        if (value := _value(self.node, "atomic")) is not None:
            return (*span(self.text, value), "False")
        first = next(one for one in self.node.body if isinstance(one, ast.Assign | ast.AnnAssign))
        start, _ = span(self.text, first)
        return start, start, f"atomic = False\n\n{' ' * first.col_offset}"

    def new(self, inside: str, parent: tuple[str, str], *, outside: bool) -> str:
        """Return a migration after another one, with what it needs of this module: its imports and its functions."""
        base = ", ".join(self.text[slice(*span(self.text, one))] for one in self.node.bases)
        atomic = "    atomic = False\n\n" if outside else ""
        pad = " " * (self.indent - 4)
        body = (
            f"class Migration({base}):\n{atomic.replace('    ', pad)}{pad}dependencies = [\n"
            f'{pad}    ("{parent[0]}", "{parent[1]}"),\n{pad}]\n\n{pad}operations = [\n{inside}{pad}]\n'
        )
        wanted = set(_names(ast.parse(body)))
        helpers: list[ast.stmt] = []
        for one in reversed([each for each in self.tree.body if _defined(each)]):
            if wanted & set(_defined(one)):
                helpers.insert(0, one)
                wanted |= set(_names(one))
        imports = [one for one in self.tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
        head = "".join(f"{line}\n" for one in imports if (line := _import(one, wanted)))
        parts = [head.rstrip("\n"), *(self._source(one) for one in helpers), body]
        return _importing("\n\n\n".join(part for part in parts if part))

    def _source(self, node: ast.stmt) -> str:
        lines = self.text.splitlines()
        return "\n".join(lines[_first_line(node) - 1 : node.end_lineno])


def following(path: Path, name: str, word: str, taken: Iterable[Path], *, leaf: bool) -> Path:
    """Return the path of a new migration after the one with a name: the next number, or one between it and the others.

    No name begins with another one: `migrate` takes beginnings for names.
    """
    found = re.match(r"(\d+)(?:_(\d\d)(?=_))?", name)
    slug = re.sub(r"^\d+_?", "", path.stem)
    there = set(taken)
    for more in range(1, 1000):
        if found is None:
            number = str(more + 1).zfill(4)
        elif leaf:
            number = str(int(found[1]) + more).zfill(len(found[1]))
        else:
            number = f"{found[1]}_{int(found[2] or 1) + more:02d}"
        new = path.with_name("_".join(filter(None, (number, slug, word))) + ".py")
        if new not in there and not any(path.parent.glob(f"{number}_*.py")):
            return new
    raise Unfixable("it must be split in two, and no number is left after it")


def repointed(text: str, old: tuple[str, str], new: str) -> str:
    """Return a migration that depends on another one by its new name. Raises Unfixable when it does not say so plainly."""
    module = Module.of(text)
    dependencies = _value(module.node, "dependencies")
    for pair in dependencies.elts if isinstance(dependencies, ast.List | ast.Tuple) else ():
        if isinstance(pair, ast.Tuple) and [getattr(one, "value", None) for one in pair.elts] == [*old]:
            start, end = span(text, pair.elts[1])
            return f"{text[: start + 1]}{new}{text[end - 1 :]}"
    raise Unfixable("another migration depends on it in other words")


def _value(node: ast.ClassDef, word: str) -> ast.expr | None:
    for one in node.body:
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == word for target in targets):
            return one.value if isinstance(one, ast.Assign | ast.AnnAssign) else None
    return None


def _names(tree: ast.AST) -> Iterator[str]:
    yield from (one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a module's statement gives a meaning, imports and the migration itself left out."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [] if node.name == "Migration" else [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    return min([node.lineno, *(one.lineno for one in decorators)])


def _bound(alias: ast.alias) -> str:
    return (alias.asname or alias.name).partition(".")[0]


def _import(node: ast.Import | ast.ImportFrom, wanted: set[str]) -> str:
    """Return an import of what is wanted, empty when nothing of it is."""
    names = [one for one in node.names if _bound(one) in wanted or getattr(node, "module", "") == "__future__"]
    listed = ", ".join(f"{one.name} as {one.asname}" if one.asname else one.name for one in names)
    if not names or isinstance(node, ast.Import):
        return f"import {listed}" if names else ""
    return f"from {'.' * node.level}{node.module or ''} import {listed}"


def _importing(text: str) -> str:
    """Return a module that imports the operations of django.contrib.postgres which it uses."""
    tree = ast.parse(text)
    imports = [one for one in tree.body if isinstance(one, ast.Import | ast.ImportFrom)]
    there = {_bound(alias) for one in imports for alias in one.names}
    missing = sorted({name for name in _names(tree) if name in _OWN} - there)
    if not missing:
        return text
    own = next((one for one in imports if isinstance(one, ast.ImportFrom) and one.module == _POSTGRES), None)
    if own is not None and own.lineno == own.end_lineno and not any(one.asname for one in own.names):
        start, end = span(text, own)
        every = ", ".join(sorted([*(one.name for one in own.names), *missing]))
        return f"{text[:start]}from {_POSTGRES} import {every}{text[end:]}"
    others = [one for one in imports if getattr(one, "module", "") != "__future__"]
    after = [one for one in others if isinstance(one, ast.ImportFrom) and (one.module or "") > _POSTGRES]
    first = next(iter([*after, *others]), None)
    line = f"from {_POSTGRES} import {', '.join(missing)}\n"
    start = span(text, first)[0] if first else 0
    return f"{text[:start]}{line}{text[start:]}"


def _without_unused(text: str, before: set[str]) -> str:
    """Return a module without the imports and functions that went with what moved away."""
    while True:
        tree = ast.parse(text)
        gone = before - set(_names(tree))
        unused = [one for one in tree.body if _defined(one) and gone.issuperset(_defined(one))]
        edits = []
        lines = text.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        for one in unused:
            first, last = _first_line(one) - 1, one.end_lineno or one.lineno
            while last < len(lines) and not lines[last].strip():
                last += 1
            edits.append((starts[first], starts[last], ""))
        for one in tree.body:
            if isinstance(one, ast.Import | ast.ImportFrom) and any(_bound(alias) in gone for alias in one.names):
                kept = {_bound(alias) for alias in one.names} - gone
                line = _import(one, kept)
                start, end = span(text, one)
                if not line:
                    edits.append((start, end + len(text[end:]) - len(text[end:].removeprefix("\n")), ""))
                elif one.lineno == one.end_lineno:
                    edits.append((start, end, line))
        if not edits:
            return text
        text = re.sub(r"\n{2,}(?=class Migration\b)", "\n\n\n", _edited(text, edits))


def _edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text
