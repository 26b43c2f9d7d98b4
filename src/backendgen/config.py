"""The project's configuration: `[tool.backendgen]` in pyproject.toml, or backendgen.toml beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendgen.errors import Problem, UserError, did_you_mean

SEVERITIES = ("info", "low", "medium", "high", "critical", "never")
CONFIDENCES = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Config:
    """What a project may set; the command line's options win. `exclude` are gitignore patterns.

    `public` lists the endpoints that are open on purpose: `GET /catalog`, or `/catalog/*` for all methods. `since` is the
    git revision after which migrations are pending.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    fail_on: str = "medium"
    confidence: str = "medium"
    pg_version: int = 14
    since: str = ""

    def __post_init__(self) -> None:
        """Raise UserError when a value is outside its list."""
        wrong = [
            f"{key} is one of {', '.join(known)}, not '{value}'{did_you_mean(value, known)}"
            for key, value, known in (
                ("fail-on", self.fail_on, SEVERITIES),
                ("confidence", self.confidence, CONFIDENCES),
            )
            if value not in known
        ]
        if not 10 <= self.pg_version <= 18:
            wrong.append(f"pg-version is 10 to 18, not {self.pg_version}")
        if wrong:
            raise UserError(*wrong)


_WORDS: Mapping[type[Any], str] = {list: "a list of strings", str: "a string", int: "a whole number"}
_TYPES: Mapping[str, type[Any]] = {
    "select": list, "ignore": list, "exclude": list, "public": list,
    "fail-on": str, "confidence": str, "pg-version": int, "since": str,
}  # fmt: skip


def load(start: Path, explicit: Path | None = None) -> Config:
    """Return the configuration for a path: `explicit`, or the nearest file at or above `start` that holds one.

    Raises UserError that lists everything wrong in it.
    """
    if explicit is not None:
        return _parse(explicit, _table(explicit))
    folder = start.absolute() if start.is_dir() else start.absolute().parent
    for directory in (folder, *folder.parents):
        for name in ("backendgen.toml", "pyproject.toml"):
            path = directory / name
            if path.is_file():
                table = _table(path)
                if table is not None:
                    return _parse(path, table)
        if (directory / ".git").exists():
            break
    return Config()


def _table(path: Path) -> dict[str, Any] | None:
    """Return the settings in a file; None for a pyproject.toml that has none (broken ones are its own tools' matter)."""
    try:
        content = path.read_bytes()
        parsed = tomllib.loads(content.decode())
    except (OSError, ValueError) as error:
        if path.name == "pyproject.toml" and not isinstance(error, OSError) and b"tool.backendgen" not in content:
            return None
        why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else f"cannot be read as TOML: {error}"
        raise UserError(Problem(why, str(path))) from error
    if path.name != "pyproject.toml":
        return parsed
    table = parsed.get("tool", {}).get("backendgen")
    return table if isinstance(table, dict) else None


def _parse(path: Path, table: dict[str, Any] | None) -> Config:
    wrong: list[Problem] = []
    values: dict[str, Any] = {}
    for key, value in (table or {}).items():
        expected = _TYPES.get(key)
        if expected is None:
            wrong.append(Problem(f"unknown key '{key}'{did_you_mean(key, _TYPES)}", str(path)))
        elif type(value) is not expected or (expected is list and not all(isinstance(item, str) for item in value)):
            wrong.append(Problem(f"{key} is {_WORDS[expected]}, not {value!r}", str(path)))
        else:
            values[key.replace("-", "_")] = tuple(value) if expected is list else value
    if wrong:
        raise UserError(*wrong)
    try:
        return Config(**values)
    except UserError as error:
        raise UserError(*(Problem(problem.message, str(path)) for problem in error.problems)) from error
