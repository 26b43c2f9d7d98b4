"""A Sqitch change rewritten: its scripts, and those of the changes that split off, which the plan names after it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from backendgen.findings.remedy import Remedy
from backendgen.migrate.readers.sqitch import Project, parse, project_of
from backendgen.migrate.readers.sql import Section
from backendgen.migrate.rewrite.groups import Group, moved_away, word_of
from backendgen.migrate.rewrite.naming import Folder
from backendgen.migrate.rewrite.pieces import Unfixable
from backendgen.migrate.rewrite.scripts import Downs, Source, Way, downs_of, joined_texts, taken_apart

_PLANNED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ[ \t]+[^<\n]*<[^>\n]*>")
_TITLE = re.compile(r"-- (?:Deploy|Revert|Verify) (?:[^\n]*?:)?[^\n]*? (?P<rest>(?:to|from|on) \w+)")
_NOTHING = "-- nothing to take back: the change before this one does\nSELECT 1;\n"
_UNVERIFIED = "BEGIN;\n\n-- the change fails by itself when it cannot do what it says\nSELECT 1;\n\nROLLBACK;\n"


def rewrite(source: Source, remedies: Sequence[Remedy], folder: Folder, left: list[str]) -> dict[Path, str]:
    """Return the texts of the scripts that change and of those that are new, and the plan's.

    Raises Unfixable with the reason why a tool can change nothing.
    """
    text = source.texts[source.migration.path]
    groups, way = taken_apart(source, Section(False, 0, 0, len(text)), remedies, left)
    gone = moved_away(remedies, source.migration.up)
    downs = downs_of(source, groups, gone)
    texts = {source.path(source.migration.path): way.body(groups[0], first=True)}
    if downs and downs.path and (len(groups) > 1 or gone):
        texts[downs.path] = downs.texts[0]
    return texts | (dict(_split(source, groups, way, downs)) if len(groups) > 1 else {})


def _split(source: Source, groups: Sequence[Group], way: Way, downs: Downs | None) -> Iterator[tuple[Path, str]]:
    project, name = _plan_of(source)
    plan = source.texts[name]
    change = next((one for one in parse(plan).changes if one.revision == source.migration.revision), None)
    if change is None or change.tags:
        raise Unfixable("it must be split in two, and its plan has it under a tag")
    lines = plan.splitlines(keepends=True)
    planned = found[0] if (found := _PLANNED.search(lines[change.line - 1])) else ""
    known = {one.name for one in parse(plan).changes}
    before, new = change.name, list[str]()
    for number, group in enumerate(groups[1:], 1):
        called = _free(f"{change.name}_{word_of(group)}", known)
        known.add(called)
        new.append(f"{' '.join(filter(None, (f'{called} [{before}]', planned)))} # goes on with {change.name}\n")
        back = downs.texts[number] if downs else ""
        bodies = {
            project.deploy: way.body(group, first=False),
            project.revert: back or _NOTHING if downs else "",
            project.verify: _UNVERIFIED,
        }
        for place, body in bodies.items():
            like = place / f"{change.name}.{project.extension}"
            if body and like.is_file():
                yield place / f"{called}.{project.extension}", joined_texts([_title(like, change.name, called), body])
        before = called
    lines[change.line - 1] = lines[change.line - 1].rstrip("\n") + "\n"
    yield source.path(name), "".join([*lines[: change.line], *new, *lines[change.line :]])


def _plan_of(source: Source) -> tuple[Project, str]:
    """Return the project whose deploy folder holds the script, and its plan's name."""
    script = source.path(source.migration.path)
    for name in source.texts:
        if name.endswith(".plan") and (project := project_of(source.path(name))).deploy in script.parents:
            return project, name
    raise Unfixable("it must be split in two, and its plan is not among the files that were read")


def _free(name: str, known: set[str]) -> str:
    return next(one for one in (name, *(f"{name}_{more}" for more in range(2, 1000))) if one not in known)


def _title(like: Path, change: str, called: str) -> str:
    """Return the first line of a script like another one's, where that has the line that Sqitch writes."""
    first = like.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    return f"{first.replace(change, called, 1)}\n\n" if _TITLE.match(first) and change in first else ""
