"""Sqitch: sqitch.plan gives the order; each change has a deploy script, and a revert script that takes it back.

As App::Sqitch::Plan and sqitch-rework describe it (sqitch.org/docs/manual): a change that was reworked stands in the plan
twice, with a tag between, and the scripts of its first instance are named after that tag (`users@v1.0.sql`). The scripts
run in psql, each statement by itself unless the script says BEGIN. Verify scripts change nothing and are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from backendgen import files
from backendgen.findings.finding import Location
from backendgen.migrate.history import Action, History, Migration
from backendgen.migrate.readers import dialects, psql, templates, unreadable
from backendgen.migrate.readers.reading import UNREADABLE, Reading, setting_text
from backendgen.migrate.readers.sql import ORDER_UNKNOWN, operations, says_one_way
from backendgen.sql import operation as op

_LINE = re.compile(
    r"[ \t]*(?:(?P<tag>@)|[+-][ \t]*)?(?P<name>[^\s:@#\[\]\\]+)[ \t]*(?:\[(?P<dependencies>[^\]]*)\])?"
    r"[ \t]*(?P<when>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?(?:[ \t]+[^<\n]*<[^>\n]*>)?[ \t]*(?:#.*)?"
)
_SECTION = re.compile(
    r"^[ \t]*\[(?P<section>[^\]\n]*)\]|^[ \t]*(?P<key>\w+)[ \t]*=[ \t]*(?P<value>[^#;\n]*)", re.MULTILINE
)
_ENGINES = {"pg": "PostgreSQL", "cockroach": "CockroachDB", "sqlite": "SQLite", "mysql": "MySQL"}
_PATH_SETTINGS = ("deploy_dir", "revert_dir", "verify_dir", "reworked_dir")


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan. `tags` are those between it and the next instance of the same change, if it was reworked."""

    name: str
    line: int
    requires: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """Its name, with the tag that tells it from the instance that replaced it."""
        return f"{self.name}@{self.tags[0]}" if self.tags else self.name


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan's changes in order, and (line, message) for what Sqitch could not deploy."""

    changes: tuple[Change, ...]
    problems: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """Where a plan's scripts are; `engine` is the database that sqitch.conf names."""

    plan: Path
    deploy: Path
    revert: Path
    verify: Path
    extension: str = "sql"
    engine: str = ""


def parse(text: str) -> Plan:
    """Read a plan: its changes, and which of them require what does not come before them."""
    changes: list[Change] = []
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    tags: list[tuple[str, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.strip()
        if not content or content[0] in "#%":
            continue
        found = _LINE.fullmatch(line)
        if found is None or (found["dependencies"] and found["tag"]):
            problems.append((number, f"Sqitch cannot read this line of the plan: {content[:60]}"))
            continue
        name = found["name"]
        if found["tag"]:
            tags.append((name, len(changes)))
            continue
        if name in seen:
            between = tuple(tag for tag, place in tags if place > seen[name])
            if not between:
                message = f"the change {name} stands in line {changes[seen[name]].line} already, with no tag between"
                problems.append((number, message))
            else:
                changes[seen[name]] = replace(changes[seen[name]], tags=between)
        requires = tuple(each for each in (found["dependencies"] or "").split() if not each.startswith("!"))
        known = {*seen, *(tag for tag, _ in tags)}
        problems += [(number, message) for each in requires if (message := _missing(name, each, known))]
        seen[name] = len(changes)
        changes.append(Change(name, number, requires))
    return Plan(tuple(changes), tuple(problems))


def _missing(name: str, required: str, known: set[str]) -> str:
    """Say that a required change does not come before; those of other projects (`project:change`) are not known here."""
    change, _, tag = required.lstrip(":").partition("@")
    if ":" in change or re.fullmatch(r"[0-9a-f]{40}", change):
        return ""
    missing = [each for each in (change, tag) if each and each not in known and each not in ("HEAD", "ROOT")]
    return f"{name} requires {required}, which does not come before it: Sqitch refuses the plan" if missing else ""


def plans(reading: Reading) -> list[Path]:
    """Return the plans beneath the root, or the one above it when the root is its deploy folder."""
    found = [path for path in reading.beside if path.suffix == ".plan"]
    above = reading.root.parent / "sqitch.plan"
    if not found and not reading.single and reading.root.name == "deploy" and files.is_file(above):
        return [above]
    return found


def histories(reading: Reading) -> Iterator[History]:
    """Yield a History for each plan whose scripts are for PostgreSQL; the scripts are claimed."""
    for path in plans(reading):
        text = reading.text(path)
        if text is None or ("%project" not in text and "%syntax-version" not in text):
            continue
        project = project_of(path)
        _claim(project, reading)
        named, _ = dialects.of_folder(project.deploy, reading.root)
        engine = _ENGINES.get(project.engine, project.engine) or named or dialects.POSTGRESQL
        if engine != dialects.POSTGRESQL:
            reading.skip(path, f"is a plan for {engine}, which is not read yet")
            continue
        plan = parse(text)
        for line, message in plan.problems:
            reading.refuse(ORDER_UNKNOWN, Location(reading.name(path), line), message)
        migrations = [found for change in plan.changes if (found := _migration(change, project, reading))]
        _name_unplanned(project, migrations, reading)
        yield History(reading.name(path.parent), tuple(migrations))


def project_of(plan: Path) -> Project:
    """Read sqitch.conf beside or above the plan (sqitch-config: core and engine sections)."""
    near = (above / "sqitch.conf" for above in (plan.parent, *plan.parents[1:3]))
    conf = next((path for path in near if files.is_file(path)), None)
    values = _settings(conf) if conf else {}
    top = conf.parent / values["top_dir"] if conf and "top_dir" in values else plan.parent
    top = top if files.is_folder(top / "deploy") or "deploy_dir" in values else plan.parent
    base = conf.parent if conf else top
    deploy, revert, verify, _ = (
        base / values[key] if key in values else top / key.removesuffix("_dir") for key in _PATH_SETTINGS
    )
    return Project(plan, deploy, revert, verify, values.get("extension", "sql"), values.get("engine", ""))


def _settings(conf: Path) -> dict[str, str]:
    """Return the settings of the core section and of the core engine's own."""
    text = setting_text(conf)
    section = ""
    values: dict[str, str] = {}
    for found in _SECTION.finditer(text):
        if found["section"] is not None:
            section = found["section"].strip()
        elif section == "core" or section.startswith("engine"):
            values.setdefault(found["key"], found["value"].strip().strip('"'))
    return values


def _claim(project: Project, reading: Reading) -> None:
    folders = (project.deploy, project.revert, project.verify)
    reading.claimed.update(path for path in reading.found if any(folder in path.parents for folder in folders))


def _migration(change: Change, project: Project, reading: Reading) -> Migration | None:
    deploy = _script(change, project.deploy, project.extension)
    revert = _script(change, project.revert, project.extension)
    if not files.is_file(deploy):
        message = f"{reading.name(deploy)}, the deploy script of {change.name}, is not there"
        reading.refuse(UNREADABLE, Location(reading.name(project.plan), change.line), message)
        return None
    up = tuple(_actions(deploy, reading))
    down = tuple(_actions(revert, reading)) if files.is_file(revert) else ()
    texts = [text for path in (deploy, revert) if files.is_file(path) and (text := reading.text(path)) is not None]
    one_way = any(map(says_one_way, texts))
    return Migration(change.revision, reading.name(deploy), "sqitch", up, down, one_way=one_way)


def _script(change: Change, folder: Path, extension: str) -> Path:
    """Return the script of a change: of one that was reworked, the one that is named after the first tag that has any."""
    for tag in change.tags:
        path = folder / f"{change.name}@{tag}.{extension}"
        if files.is_file(path):
            return path
    return folder / f"{change.revision}.{extension}"


def _actions(path: Path, reading: Reading) -> Iterator[Action]:
    def translate(text: str) -> tuple[op.Operation, ...]:
        return unreadable.condensed(operations(templates.fill_variables(text)))

    text = reading.text(path)
    if text is None:
        return
    for operation, where in psql.followed(translate(text), path, reading, translate):
        yield Action(operation, reading.name(where), transactional=False)


def _name_unplanned(project: Project, migrations: Iterable[Migration], reading: Reading) -> None:
    """Say which deploy scripts no line of the plan names: Sqitch never runs them."""
    planned = {name for migration in migrations for name in migration.files}
    for path in reading.found:
        if (
            path.suffix == f".{project.extension}"
            and project.deploy in path.parents
            and reading.name(path) not in planned
        ):
            reading.skip(path, f"is in no line of {project.plan.name}, so Sqitch never runs it")
