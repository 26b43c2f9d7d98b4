"""Findings to changed files: every pending migration rewritten from the remedies of its findings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backendgen import files
from backendgen.code import edits
from backendgen.config import Config
from backendgen.errors import Problem, UserError
from backendgen.findings.finding import Finding
from backendgen.findings.remedy import Remedy
from backendgen.migrate.history import Histories, Migration
from backendgen.migrate.judge import check
from backendgen.migrate.pending import EVERYTHING, Pending, Selection, select
from backendgen.migrate.readers import read
from backendgen.migrate.rewrite.files import unwritten
from backendgen.migrate.rewrite.naming import Folder, script_of
from backendgen.migrate.rewrite.pieces import Unfixable
from backendgen.migrate.rewrite.scripts import Source
from backendgen.migrate.rewrite.tools import rewriter_of
from backendgen.rules import Rulebook

_SAY = (
    "say what is pending: --since origin/main (what came since a revision), --applied ID (what comes after the last "
    "applied migration), or --all when no database has run any of them"
)


@dataclass(frozen=True, slots=True)
class Fixed:
    """The files to write beneath `root`, what stood there before (nothing, for new ones), and what could not be changed."""

    root: Path
    files: tuple[files.File, ...]
    before: Mapping[str, bytes]
    pending: Pending
    unfixed: tuple[Problem, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield a line for each file."""
        for file in self.files:
            yield f"{'changed' if file.path in self.before else 'new':8}{file.path}"


def fix(
    path: Path, config: Config, rulebook: Rulebook, pending: Pending = EVERYTHING, *, everything: bool = False
) -> Fixed:
    """Plan the change of every pending migration that has findings with a remedy. Nothing is written.

    Without a word on what is pending, only migrations that git has not in its last commit are touched; `everything` says
    that all are. Raises UserError when nothing says which may be changed.
    """
    histories = read(path, config)
    chosen = pending if pending != EVERYTHING or everything else uncommitted(histories)
    selection = select(histories, chosen)
    report = check(path, config, rulebook, chosen)
    unfixed: list[Problem] = []
    written: dict[Path, str] = {}
    folders: dict[Path, Folder] = {}
    sources = dict(histories.sources)
    pending_paths = frozenset(_pending_paths(histories, selection))
    commits_each = frozenset(
        one.path for history in histories.histories if history.is_mysql for one in history.migrations
    )
    changing = Changing(histories.root, sources, pending_paths, commits_each)
    refused = dict(_unwritten(histories, selection, report.findings))
    unfixed += [Problem(f"is not changed: {reason}", each) for each, reason in refused.items()]
    for migration, later, found in _with_remedies(histories, selection, report.findings):
        if migration.path in refused:
            continue
        script = script_of(histories.root / migration.path)
        if (folder := folders.get(script.folder)) is None:
            folder = folders[script.folder] = Folder.of(script)
        left: list[str] = []
        try:
            written |= _rewritten(changing, migration, later, found, folder, left)
        except Unfixable as reason:
            left = [f"is not changed: {reason}"]
            if heads := [one for one in found if one.place == "head"]:
                with suppress(Unfixable):
                    written |= _rewritten(changing, migration, later, heads, folder, [])
        unfixed += [Problem(reason, migration.path) for reason in left]
    return _fixed(histories.root, written, chosen, unfixed)


def uncommitted(histories: Histories) -> Pending:
    """Return what git's last commit has not, which nobody can have applied from there."""
    pending = Pending(since="HEAD")
    try:
        chosen = select(histories, pending).chosen
    except UserError:
        raise UserError(f"--fix changes only migrations that no database has run; {_SAY}") from None
    if not chosen:
        raise UserError(f"every migration is committed, so it may have been applied; {_SAY}")
    return pending


def _with_remedies(
    histories: Histories, selection: Selection, findings: tuple[Finding, ...]
) -> Iterator[tuple[Migration, tuple[Migration, ...], list[Remedy]]]:
    """Yield the pending migrations whose findings have remedies, and those after each."""
    remedies: dict[tuple[str, str], list[Remedy]] = {}
    for finding in findings:
        for remedy in finding.remedies:
            remedies.setdefault((remedy.path, remedy.part), []).append(remedy)
    for history in histories.histories:
        for position, migration in enumerate(history.migrations):
            mine = remedies.get((migration.path, migration.part))
            if mine and selection.has(history, position):
                yield migration, history.migrations[position + 1 :], mine


def _unwritten(histories: Histories, selection: Selection, findings: tuple[Finding, ...]) -> Iterator[tuple[str, str]]:
    """Yield the pending migrations with findings that cannot be rewritten, and why."""
    found = {finding.location.path for finding in findings}
    for history in histories.histories:
        for position, migration in enumerate(history.migrations):
            reason = unwritten(history, migration) if selection.has(history, position) else ""
            if reason and found.intersection(migration.files):
                yield migration.path, reason


@dataclass(frozen=True, slots=True)
class Changing:
    """The texts as they are by now, and the paths of the migrations that may be changed.

    In those at `commits_each` each statement commits by itself.
    """

    root: Path
    texts: dict[str, str]
    pending: frozenset[str]
    commits_each: frozenset[str]


def _pending_paths(histories: Histories, selection: Selection) -> Iterator[str]:
    for history in histories.histories:
        yield from (one.path for at, one in enumerate(history.migrations) if selection.has(history, at))


def _rewritten(
    changing: Changing,
    migration: Migration,
    later: tuple[Migration, ...],
    remedies: list[Remedy],
    folder: Folder,
    left: list[str],
) -> dict[Path, str]:
    before = changing.texts[migration.path]
    path = changing.root / migration.path
    if migration.tool == "django":
        texts = _django(changing, migration, later, remedies, left)
    elif migration.path.endswith(".py"):
        from backendgen.migrate.rewrite.revisions import rewrite as rewrite_revision

        return {path: rewrite_revision(migration, before, remedies, left)}
    else:
        source = Source(changing.root, migration, changing.texts, later)
        in_place = migration.path in changing.commits_each
        texts = rewriter_of(migration, in_place=in_place)(source, remedies, folder, left)
    if _ends_lines_as_windows_does(before):
        others = {changing.root / name for name in changing.texts} - {path}
        texts = {
            each: text if each in others else text.replace("\r\n", "\n").replace("\n", "\r\n")
            for each, text in texts.items()
        }
    changing.texts.update({os.path.relpath(path, changing.root).replace(os.sep, "/"): texts[path] for path in texts})
    return texts


def _ends_lines_as_windows_does(text: str) -> bool:
    return "\r\n" in text and text.count("\r\n") == text.count("\n")


def _django(
    changing: Changing, migration: Migration, later: tuple[Migration, ...], remedies: list[Remedy], left: list[str]
) -> dict[Path, str]:
    """Rewrite a Django migration, and let what depends on it follow the last of those that it becomes."""
    from backendgen.migrate.rewrite.django import rewrite
    from backendgen.migrate.rewrite.django_files import repointed

    app, _, name = migration.revision.partition(".")
    after = [one for one in later if migration.revision in one.parents]
    leaf = not any(one.revision.startswith(f"{app}.") for one in after)
    text = changing.texts[migration.path]
    text = text.replace("\r\n", "\n") if _ends_lines_as_windows_does(text) else text
    done = rewrite(changing.root / migration.path, migration, text, remedies, left, leaf=leaf)
    texts = dict(done.texts)
    for one in after if done.last != name else ():
        if one.path not in changing.pending:
            raise Unfixable(f"it must be split in two, and {one.revision} depends on it and may have been applied")
        texts[changing.root / one.path] = repointed(changing.texts[one.path], (app, name), done.last)
    newest = changing.root / Path(migration.path).with_name("max_migration.txt")  # django-linear-migrations
    if done.last != name and files.text_of(newest).strip() == name:
        texts[newest] = f"{done.last}\n"
    return texts


def _fixed(root: Path, written: Mapping[Path, str], pending: Pending, unfixed: list[Problem]) -> Fixed:
    before: dict[str, bytes] = {}
    planned: list[files.File] = []
    for path, text in sorted(written.items()):
        name = os.path.relpath(path, root).replace(os.sep, "/")
        old = files.read_bytes(path) if path.exists() else b""
        content = _encoded(text, old)
        if path.exists():
            before[name] = old
        if content != old:
            planned.append(files.File(name, content, path.exists() and os.access(path, os.X_OK)))
    return Fixed(root, tuple(planned), before, pending, tuple(unfixed))


def _encoded(text: str, old: bytes) -> bytes:
    """Return text as bytes, with the byte order mark that the file had."""
    return (b"\xef\xbb\xbf" if old.startswith(b"\xef\xbb\xbf") else b"") + text.encode()


def diff(fixed: Fixed) -> str:
    """Return what would change as a unified diff."""
    return edits.diff(fixed.before, fixed.files)
