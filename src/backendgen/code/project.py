"""A project on disk: its Python files and documents found and read once, in one walk. Nothing is imported, nothing is run.

Left out on purpose, and only this: what .gitignore or `exclude` names, virtual environments, installed packages, caches and
version control. What is left out for its size or because it cannot be read is reported, never dropped.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from backendgen import files as on_disk
from backendgen.code.documents import Document, kind_of, may_be_document
from backendgen.code.parse import Unparsable, parse
from backendgen.errors import Problem, UserError

if TYPE_CHECKING:
    import pathspec

LEFT_OUT = frozenset(
    {"node_modules", "site-packages", "__pycache__", "__pypackages__", "vendor", "_vendor", "third_party"}
)
BUILT = frozenset({"build", "dist"})  # only directly under the root: deeper down they may be packages
GITHUB, WORKFLOWS = ".github", "workflows"  # the one hidden folder that is looked into, and for what
TEST_FOLDERS = frozenset({"tests", "test", "testing", "e2e"})
TEST_NAME = re.compile(r"test_.*\.py|.*_tests?\.py|tests?\.py")
MAX_NESTING = 2_000
CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_MARKS = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
GENERATED = re.compile(r"(?:_pb2|_pb2_grpc)\.pyi?$")


def is_test(path: str) -> bool:
    """Is this a test by its place or name? Tests are read for what they define; rules do not judge them."""
    *folders, name = path.split("/")
    return bool(TEST_FOLDERS.intersection(folders)) or name == "conftest.py" or TEST_NAME.fullmatch(name) is not None


class _Scope(NamedTuple):
    """A function's or class's lines, its dotted name, and the place of the one around it in the list; -1 without one."""

    start: int
    end: int
    name: str
    outer: int


@dataclass(frozen=True)
class SourceFile:
    """A Python file: `path` is relative to the project's root, with forward slashes; `tree` its syntax tree."""

    path: str
    location: Path
    text: str
    digest: str
    tree: ast.Module

    @cached_property
    def lines(self) -> list[str]:
        """The source lines, without their ends."""
        return self.text.split("\n")

    @cached_property
    def lowered(self) -> str:
        """The text in small letters: to tell quickly that a word is not in it."""
        return self.text.lower()

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, the outer ones first; not the marks of operators and of loading or storing."""
        found: list[ast.AST] = [self.tree]
        for node in found:
            if isinstance(node, ast.Name | ast.Constant):
                continue
            for name in node._fields:
                child = getattr(node, name, None)
                if isinstance(child, list):
                    found += [one for one in child if isinstance(one, ast.AST) and not isinstance(one, _MARKS)]
                elif isinstance(child, ast.AST) and not isinstance(child, _MARKS):
                    found.append(child)
        return tuple(found)

    def mentions(self, what: str | re.Pattern[str]) -> bool:
        """Is a word or pattern anywhere in the text? Looked for once, however often it is asked."""
        found = self._mentioned.get(what)
        if found is None:
            found = what in self.text if isinstance(what, str) else what.search(self.text) is not None
            self._mentioned[what] = found
        return found

    @cached_property
    def _mentioned(self) -> dict[str | re.Pattern[str], bool]:
        return {}

    def symbol_at(self, line: int) -> str:
        """Return the dotted name of the innermost function or class at a line; empty at the top level."""
        at = bisect(self._scopes, line, key=lambda one: one.start) - 1
        while at >= 0 and self._scopes[at].end < line:
            at = self._scopes[at].outer
        return self._scopes[at].name if at >= 0 else ""

    @cached_property
    def _scopes(self) -> list[_Scope]:
        """The functions and classes by their lines, those inside of others after them."""
        found: list[_Scope] = []
        pending: list[tuple[ast.AST, int]] = [(self.tree, -1)]
        while pending:
            node, outer = pending.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{found[outer].name}.{node.name}" if outer >= 0 else node.name
                found.append(_Scope(node.lineno, node.end_lineno or node.lineno, name, outer))
                outer = len(found) - 1
            below = [
                (child, outer)
                for child in ast.iter_child_nodes(node)
                if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
            ]
            pending += reversed(below)
        return found


@dataclass(frozen=True, slots=True)
class Hole:
    """A file that could not be analysed, and why; `partly`: up to a bound it was."""

    path: str
    message: str
    line: int = 1
    column: int = 1
    partly: bool = False


@dataclass(frozen=True)
class Project:
    """All that was read. `holes` are the files that could not be, `skipped` what was left out for a reason worth saying.

    `documents` are the files beside the code that are of use; those of tests are not among them.
    """

    root: Path
    files: tuple[SourceFile, ...]
    holes: tuple[Hole, ...] = ()
    skipped: tuple[Problem, ...] = ()
    documents: tuple[Document, ...] = ()

    @cached_property
    def by_path(self) -> dict[str, SourceFile]:
        """The files by their path."""
        return {file.path: file for file in self.files}

    def without_tests(self) -> Project:
        """The project without its tests."""
        return replace(self, files=tuple(file for file in self.files if not is_test(file.path)))


def load(path: Path, exclude: Iterable[str] = (), progress: Callable[[str], None] | None = None) -> Project:
    """Read a directory's Python files and documents, or one file.

    Raises UserError when the path does not exist, holds nothing that could be audited, or nothing that can be read.
    """
    if not on_disk.exists(path):
        raise UserError(Problem("no such file or directory", str(path)))
    skipped: list[Problem] = []
    holes: list[Hole] = []
    if on_disk.is_folder(path):
        root, found = path, list(walk(path, exclude, _is_wanted, skipped, holes))
    else:
        root, found = path.parent, [path]
    files: list[SourceFile] = []
    documents: list[Document] = []
    for number, location in enumerate(found):
        if progress and number % 200 == 199:
            progress(f"reading files: {number + 1} of {len(found)}")
        read = _read_one(location, _relative(location, root), is_chosen=location is path)
        if isinstance(read, SourceFile):
            files.append(read)
        elif isinstance(read, Document):
            documents.append(read)
        elif read is not None:
            holes.append(read)
    if not files and not documents:
        if not holes:
            raise UserError(
                Problem(
                    "holds nothing that could be audited: no Python file, OpenAPI document or Dockerfile", str(path)
                )
            )
        problems = (Problem(hole.message, str(root / hole.path), hole.line, hole.column) for hole in holes)
        raise UserError(Problem("none of its files could be read", str(path)), *problems)
    return Project(root, tuple(files), tuple(holes), tuple(skipped), tuple(documents))


def _read_one(location: Path, name: str, *, is_chosen: bool) -> SourceFile | Document | Hole | None:
    """Read a file; None when it turns out to be nothing that is audited. A file that was named itself is Python in doubt."""
    if _is_python(location.name) or (is_chosen and not may_be_document(location.name)):
        return _read(location, name)
    return None if is_test(name) and not is_chosen else _read_document(location, name)


def _patterns(lines: Iterable[str]) -> pathspec.GitIgnoreSpec | None:
    lines = [line for line in lines if line.strip()]
    if not lines:
        return None
    import pathspec

    try:
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise UserError(f"an exclude pattern is not in gitignore's form: {error}") from error


def _relative(location: Path, root: Path) -> str:
    return location.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()


def _is_python(name: str) -> bool:
    return name.endswith((".py", ".pyw")) and not GENERATED.search(name)


def _is_wanted(name: str) -> bool:
    return _is_python(name) or may_be_document(name)


def walk(
    root: Path, exclude: Iterable[str], wanted: Callable[[str], bool], skipped: list[Problem], holes: list[Hole]
) -> Iterator[Path]:
    """Yield the files whose names are wanted, in order, nothing that is left out.

    Links are not followed: what they lead to inside the root is found there.
    """
    patterns = _patterns(exclude)
    rules: dict[str, pathspec.GitIgnoreSpec | None] = {}

    def refused(error: OSError) -> None:
        holes.append(
            Hole(_relative(Path(error.filename), root), f"the folder cannot be listed: {error.strerror or error}")
        )

    for folder, directories, names in on_disk.walk(root, refused):
        rules[folder] = _gitignore(Path(folder)) if ".gitignore" in names else None
        above = [
            (where, spec) for where, spec in rules.items() if spec and (folder + os.sep).startswith(where + os.sep)
        ]
        if patterns is not None:
            above.append((str(root), patterns))
        for name in directories:
            if on_disk.is_link(Path(folder, name)) and not _leads_inside(Path(folder, name), root):
                skipped.append(
                    Problem("is a link that leads out of the project and was not followed", str(Path(folder, name)))
                )
        left_out = LEFT_OUT | BUILT if folder == str(root) else LEFT_OUT
        kept = [name for name in directories if not _is_left_out(folder, name, left_out)]
        directories[:] = sorted(name for name in kept if not _matches(above, folder, name + "/"))
        for name in sorted(names):
            if wanted(name) and _may_be_read(folder, name) and not _matches(above, folder, name):
                location = Path(folder, name)
                if not _leads_inside(location, root):
                    yield location


def _gitignore(folder: Path) -> pathspec.GitIgnoreSpec | None:
    try:
        return _patterns(on_disk.read_bytes(folder / ".gitignore").decode(errors="replace").splitlines())
    except (OSError, UserError):
        return None


def _leads_inside(path: Path, root: Path) -> bool:
    """Is this a link to a place in the project, which is found there?"""
    if not on_disk.is_link(path) or not on_disk.exists(path):
        return False
    return on_disk.real(path).is_relative_to(on_disk.real(root))


def _is_left_out(folder: str, name: str, left_out: frozenset[str]) -> bool:
    if GITHUB in folder and Path(folder).name == GITHUB:
        return name != WORKFLOWS
    is_hidden = name.startswith(".") and name != GITHUB
    return name in left_out or is_hidden or _is_environment(Path(folder, name))


def _may_be_read(folder: str, name: str) -> bool:
    """Of what lies in `.github` only workflows are read: its scripts are no part of the service."""
    if GITHUB not in folder:
        return True
    inner = Path(folder)
    is_workflow = inner.parts[-2:] == (GITHUB, WORKFLOWS) and name.endswith((".yml", ".yaml"))
    return is_workflow or GITHUB not in inner.parts[-2:]


def _is_environment(folder: Path) -> bool:
    return on_disk.exists(folder / "pyvenv.cfg")


def _matches(rules: list[tuple[str, pathspec.GitIgnoreSpec]], folder: str, name: str) -> bool:
    return any(spec.match_file(os.path.relpath(folder, where) + "/" + name) for where, spec in rules)


def _read(location: Path, name: str) -> SourceFile | Hole:
    try:
        content = on_disk.read_bytes(location)
    except UserError as error:
        return Hole(name, error.problems[0].message)
    try:
        text = _decoded(content)
        tree = parse(text)
    except Unparsable as error:
        return Hole(name, error.message, error.line, error.column)
    line = _too_deep(tree, text)
    if line:
        return Hole(name, "an expression is nested too deeply to be followed", line)
    return SourceFile(name, location.absolute(), text, hashlib.sha256(content).hexdigest(), tree)


def _read_document(location: Path, name: str) -> Document | Hole | None:
    known = kind_of(location.name)
    try:
        if known is None and (not on_disk.is_file(location) or on_disk.size(location) > on_disk.MAX_TEXT_BYTES):
            is_meant = kind_of(location.name, on_disk.head(location, 65_536)) is not None
            return Hole(name, f"is larger than {on_disk.MAX_TEXT_BYTES:,} bytes") if is_meant else None
        content = on_disk.read_bytes(location)
        kind = known or kind_of(location.name, content)
        if kind is None:
            return None
        text = on_disk.decode(content, name).replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        return Hole(name, f"cannot be read: {error.strerror or error}")
    except UserError as error:
        problem = error.problems[0]
        return Hole(name, problem.message, problem.line or 1, problem.column or 1)
    return Document(name, location.absolute(), text, kind)


def _too_deep(tree: ast.Module, text: str) -> int:
    """Return the line of an expression that is nested deeper than visitors can follow, 0 without one.

    Each level takes a character at least: only expressions with that many are measured.
    """
    if len(text) <= MAX_NESTING:
        return 0
    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    statements: list[ast.AST] = [tree]
    while statements:
        for child in ast.iter_child_nodes(statements.pop()):
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                statements.append(child)
            elif isinstance(child, ast.expr):
                first = starts[child.lineno - 1] + child.col_offset
                last = starts[(child.end_lineno or child.lineno) - 1] + (child.end_col_offset or 0)
                if last - first > MAX_NESTING and _depth(child) > MAX_NESTING:
                    return child.lineno
    return 0


def _depth(node: ast.AST) -> int:
    depth, level = 0, [node]
    while level:
        depth += 1
        level = [child for one in level for child in ast.iter_child_nodes(one)]
    return depth


def _decoded(content: bytes) -> str:
    """Decode as PEP 263 says: a byte order mark or a coding comment in the first two lines, else UTF-8."""
    declared = "utf-8"
    for line in content.split(b"\n", 2)[:2]:
        comment = CODING.match(line)
        if comment:
            declared = comment[1].decode("ascii", "replace")
            break
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        text = content.decode(declared)
    except LookupError as error:
        raise Unparsable(f"declares an unknown encoding '{declared}'") from error
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        raise Unparsable(f"is not {declared}: a byte cannot be decoded", content.count(b"\n", 0, place) + 1) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
