"""The project's configuration: `[tool.backendgen]` in pyproject.toml, or backendgen.toml beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendgen import files
from backendgen.errors import Problem, UserError, did_you_mean

GRADES = ("info", "low", "medium", "high", "critical")
SEVERITIES = (*GRADES, "never")
CONFIDENCES = ("low", "medium", "high")
READERS = (
    "alembic", "dbmate", "diesel", "django", "flyway", "golang-migrate", "goose", "liquibase", "prisma", "sqitch", "sql",
    "sql-migrate",
)  # fmt: skip
DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
_VERSION = re.compile(r"\d+(?:\.\d+){1,2}")
_SERVERS = {"mysql-version": ((5, 7), (9, 99)), "mariadb-version": ((10, 2), (12, 99))}


@dataclass(frozen=True, slots=True)
class PathSettings:
    """What holds for some folders or files only: `match` are gitignore patterns, relative to the configuration's folder."""

    match: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """What a project may set; the command line's options win. `exclude` are gitignore patterns.

    `public` lists the endpoints that are open on purpose: `GET /catalog`, or `/catalog/*` for all methods. `since` is the
    git revision after which migrations are pending, `dialect` the database that they are for (empty: as they show
    themselves); a version without its last number is the newest of its series. `severity` gives rules, by the
    beginning of their ids, another severity. `code` is the folder of the code that runs while migrations are applied,
    `deployed` the git revision of it that runs. `folder` is where the configuration was read, `asked` the
    databases whose version was asked for: one of them must be there.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    fail_on: str = "medium"
    confidence: str = "medium"
    pg_version: int = 14
    since: str = ""
    reader: str = ""
    dialect: str = ""
    mysql_version: str = "8.0"
    mariadb_version: str = "10.6"
    severity: tuple[tuple[str, str], ...] = ()
    paths: tuple[PathSettings, ...] = ()
    baseline: Path | None = None
    code: Path | None = None
    deployed: str = ""
    folder: Path | None = field(default=None, compare=False)
    asked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise UserError when a value is outside its list."""
        choices = [("fail-on", self.fail_on, SEVERITIES), ("confidence", self.confidence, CONFIDENCES)]
        choices += [(f"severity of {rule}", grade, GRADES) for rule, grade in self.severity]
        choices += [(f"severity of {rule}", grade, GRADES) for one in self.paths for rule, grade in one.severity]
        choices += [("reader", self.reader, READERS)] if self.reader else []
        choices += [("dialect", self.dialect, DIALECTS)] if self.dialect else []
        wrong = [
            f"{key} is one of {', '.join(known)}, not '{value}'{did_you_mean(value, known)}"
            for key, value, known in choices
            if value not in known
        ]
        if not 10 <= self.pg_version <= 18:
            wrong.append(f"pg-version is 10 to 18, not {self.pg_version}")
        for key, version in (("mysql-version", self.mysql_version), ("mariadb-version", self.mariadb_version)):
            lowest, highest = _SERVERS[key]
            if not _VERSION.fullmatch(version) or not lowest <= version_numbers(version)[:2] <= highest:
                wrong.append(f"{key} is {lowest[0]}.{lowest[1]} to {highest[0]}, such as 8.0 or 8.0.28, not {version}")
        if wrong:
            raise UserError(*wrong)


def version_numbers(version: str) -> tuple[int, ...]:
    """Return `8.0.28` as (8, 0, 28); a version without its last number is the newest of its series."""
    numbers = tuple(int(part) for part in version.split("."))
    return numbers if len(numbers) > 2 else (*numbers, 999)


def _strings(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _pairs(value: Any) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        return None
    return tuple(value.items())


def _tables(value: Any) -> list[dict[str, Any]] | None:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return None
    return value


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of value: how it is described, and what it is read as (None when it is another kind)."""

    words: str
    read: Callable[[Any], Any]


LIST = _Kind("a list of strings", _strings)
STRING = _Kind("a string", _string)
NUMBER = _Kind("a whole number", _whole)
GRADE_TABLE = _Kind("a table of rules and severities", _pairs)
TABLES = _Kind("written as [[tool.backendgen.paths]] tables", _tables)

_KINDS: Mapping[str, _Kind] = {
    "select": LIST, "ignore": LIST, "exclude": LIST, "public": LIST,
    "fail-on": STRING, "confidence": STRING, "pg-version": NUMBER, "baseline": STRING,
    "dialect": STRING, "mysql-version": STRING, "mariadb-version": STRING, "since": STRING,
    "code": STRING, "deployed": STRING, "reader": STRING, "severity": GRADE_TABLE, "paths": TABLES,
}  # fmt: skip
_PATH_KINDS: Mapping[str, _Kind] = {"match": LIST, "select": LIST, "ignore": LIST, "severity": GRADE_TABLE}


def load(start: Path, explicit: Path | None = None) -> Config:
    """Return the configuration for a path: `explicit`, or the nearest file at or above `start` that holds one.

    Raises UserError that lists everything wrong in it.
    """
    if explicit is not None:
        return _parse(explicit, _table(explicit))
    folder = start.absolute() if files.is_folder(start) else start.absolute().parent
    for directory in (folder, *folder.parents):
        for name in ("backendgen.toml", "pyproject.toml"):
            path = directory / name
            if files.is_file(path):
                table = _table(path)
                if table is not None:
                    return _parse(path, table)
        if files.exists(directory / ".git"):
            break
    return Config()


def _table(path: Path) -> dict[str, Any] | None:
    """Return the settings in a file; None for a pyproject.toml that has none (broken ones are its own tools' matter)."""
    content = files.read_bytes(path)
    if path.name == "pyproject.toml" and b"backendgen" not in content:
        return None
    import tomllib

    try:
        parsed = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        if path.name == "pyproject.toml" and b"tool.backendgen" not in content:
            return None
        raise UserError(Problem(f"cannot be read as TOML: {error}", str(path))) from error
    if path.name != "pyproject.toml":
        return parsed
    tools = parsed.get("tool", {})
    table = tools.get("backendgen") if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UserError(Problem("[tool.backendgen] is a table of settings", str(path)))
    return table


def _parse(path: Path, table: dict[str, Any] | None) -> Config:
    wrong: list[str] = []
    values = _values(table or {}, _KINDS, "", wrong)
    paths = []
    for number, one in enumerate(values.pop("paths", ()), 1):
        settings = _values(one, _PATH_KINDS, f"paths {number}: ", wrong)
        if not one.get("match"):
            wrong.append(f"paths {number}: match is missing: the gitignore patterns of what it holds for")
        wrong += _not_patterns(f"paths {number}: match", settings.get("match", ()))
        paths.append(PathSettings(**settings))
    wrong += _not_patterns("exclude", values.get("exclude", ()))
    wrong += [
        f"{key}: '' is not the start of a rule's id, such as BG1"
        for key in ("select", "ignore")
        for words in (values.get(key, ()), *(getattr(one, key) for one in paths))
        if not all(word.strip() for word in words)
    ]
    for key in ("baseline", "code"):
        if key in values:
            values[key] = path.parent / values[key]
    try:
        config = Config(**values, paths=tuple(paths), folder=path.parent)
    except UserError as error:
        wrong += [problem.message for problem in error.problems]
    if wrong:
        raise UserError(*(Problem(message, str(path)) for message in wrong))
    return config


def _not_patterns(key: str, patterns: tuple[str, ...]) -> list[str]:
    if not patterns:
        return []
    import pathspec

    wrong = []
    for pattern in patterns:
        try:
            pathspec.GitIgnoreSpec.from_lines([pattern])
        except ValueError:
            wrong.append(f"{key}: '{pattern}' is no gitignore pattern")
    return wrong


def _values(table: dict[str, Any], kinds: Mapping[str, _Kind], where: str, wrong: list[str]) -> dict[str, Any]:
    """Return a table's values by the names of their fields; note in `wrong` what cannot be one."""
    values = {}
    for key, written in table.items():
        kind = kinds.get(key)
        value = kind.read(written) if kind else None
        if kind is None:
            wrong.append(f"{where}unknown key '{key}'{did_you_mean(key, kinds)}")
        elif value is None:
            wrong.append(f"{where}{key} is {kind.words}, not {written!r}")
        else:
            values[key.replace("-", "_")] = value
    return values
