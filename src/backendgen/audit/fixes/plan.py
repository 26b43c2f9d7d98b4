"""Findings to changed files. Nothing is written here."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backendgen import files
from backendgen.audit.engines.own import describe
from backendgen.audit.fixes import calls, sql
from backendgen.audit.fixes.site import Site, fixer
from backendgen.audit.registry import Context
from backendgen.code.edits import Edit, Places, applied
from backendgen.code.project import load
from backendgen.code.symbols import Module
from backendgen.config import Config
from backendgen.errors import Problem
from backendgen.findings.finding import Finding, Report

FIXERS = (calls, sql)  # importing them registers what they fix
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Fixed:
    """The files to write beneath `root`, what stood there before, what was corrected in each, and what could not be."""

    root: Path
    files: tuple[files.File, ...]
    before: Mapping[str, bytes]
    counts: Mapping[str, Counter[str]]
    unfixed: tuple[Problem, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield a line for each file: what of it was corrected."""
        for file in self.files:
            rules = ", ".join(f"{number} x {rule_id}" for rule_id, number in sorted(self.counts[file.path].items()))
            yield f"changed {file.path}: {rules}"


def fix(path: Path, config: Config, report: Report, progress: Callable[[str], None] | None = None) -> Fixed:
    """Plan the changes that take a report's findings away, where a tool can make them by itself."""
    wanted: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.rule_id in fixer.functions:
            wanted.setdefault(finding.location.path, []).append(finding)
    root = path if path.is_dir() else path.parent
    if not wanted:
        return Fixed(root, (), {}, {})
    context = describe(load(path, config.exclude, progress), config)
    planned: list[files.File] = []
    before: dict[str, bytes] = {}
    counts: dict[str, Counter[str]] = {}
    unfixed: list[Problem] = []
    for name, findings in sorted(wanted.items()):
        module = context.symbols.modules.get(name)
        if module is None:
            continue
        place = module.file.location
        if reason := _refusal(place, root):
            unfixed.append(Problem(f"is not changed: {reason}", name))
            continue
        old = files.read_bytes(place)
        text, count = _changed(context, module, findings)
        if not count:
            continue
        content, reason = _content(old, module.file.text, text)
        if reason:
            unfixed.append(Problem(f"is not changed: {reason}", name))
            continue
        written = place.relative_to(root.absolute()).as_posix()  # `name` shows bytes that are no text in another way
        before[written], counts[written] = old, count
        planned.append(files.File(written, content))
    return Fixed(root, tuple(planned), before, counts, tuple(unfixed))


def _refusal(place: Path, root: Path) -> str:
    """Why a file is better left alone, whatever is in it: nothing for most."""
    try:
        if not files.real(place).is_relative_to(files.real(root)):
            return "it is a link to a file outside of the project"
        if files.is_locked(place):
            return "it is read-only"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _changed(context: Context, module: Module, findings: list[Finding]) -> tuple[str, Counter[str]]:
    """Return a file's text with its fixes, and how many there are of each rule."""
    places = Places(module.file.text)
    imports: set[str] = set()
    edits: list[Edit] = []
    count: Counter[str] = Counter()
    for finding in findings:
        site = Site(context, module, places, finding.rule_id, finding.location)
        made = fixer.functions[finding.rule_id](site)
        if made:
            edits += made
            imports.update(site.imports)
            count[finding.rule_id] += 1
    return applied(module.file.text, [*edits, *_imports(module.file.tree, places, sorted(imports))]), count


def _imports(tree: ast.Module, places: Places, names: list[str]) -> Iterator[Edit]:
    """Import what fixes need, where the alphabet puts it among the plain imports at the head of the file."""
    head = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for name in names:
        plain = [node for node in head if isinstance(node, ast.Import) and node.col_offset == 0]
        later = next((node for node in plain if node.names[0].name > name), None)
        follows = [node for node in plain if node.names[0].name < name]
        others = [node for node in head if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
        before = later if later and not follows else others[0] if others and not follows and not plain else None
        if follows:
            end = places.span(follows[-1])[1]
            yield Edit(end, end, f"\nimport {name}")
        elif before is not None:
            start = places.offset(before.lineno, 0)
            yield Edit(start, start, f"import {name}\n")
        else:
            yield _first(tree, places, name)


def _first(tree: ast.Module, places: Places, name: str) -> Edit:
    """The first import of a file: after its docstring and what it takes from the future."""
    last = None
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        last = node
    end = places.span(last)[1] if last is not None else 0
    return Edit(end, end, f"\n\nimport {name}" if last is not None else f"import {name}\n")


def _content(old: bytes, read: str, text: str) -> tuple[bytes, str]:
    """Return the new bytes of a file, with its byte order mark and line ends, or why it is better left alone."""
    plain = old.removeprefix(BOM)
    breaks = plain.count(b"\r\n")
    try:
        decoded = plain.decode()
        ast.parse(text)
    except UnicodeDecodeError:
        return b"", "it is not in UTF-8"
    except SyntaxError:
        return b"", "its syntax is newer than this Python, or the fixes meet in one place"
    if plain.count(b"\r") != breaks or (breaks and breaks != plain.count(b"\n")):
        return b"", "its lines end in several ways"
    if decoded.replace("\r\n", "\n") != read:
        return b"", "it changed meanwhile"
    new = text.replace("\n", "\r\n") if breaks else text
    return (BOM if old.startswith(BOM) else b"") + new.encode(), ""
