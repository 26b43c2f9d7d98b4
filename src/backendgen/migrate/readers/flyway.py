"""Flyway's own rules, as its manual has them (documentation.red-gate.com/fd: Migrations, Script configuration, Callbacks).

Versioned migrations run in the order of their versions, undo migrations take them back, repeatable ones run after all
versions and again whenever their text has changed. The highest baseline is where new databases start; databases that
are there ignore it. Settings come from flyway.conf, flyway.toml or Spring's application file, in the folder or above it.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backendgen.migrate.readers.reading import MIGRATION_FOLDERS, Reading, setting_text
from backendgen.sql import operation as op

_FILES = ("flyway.toml", "flyway.conf", "conf/flyway.toml", "conf/flyway.conf")
_SPRING = ("application.properties", "application.yml", "application.yaml")
_PROPERTY = re.compile(r"^[ \t]*([\w.:-]+)[ \t]*[=:][ \t]*(.*?)[ \t]*$", re.MULTILINE)
_CALLBACK = re.compile(r"(?P<event>(?:before|after)[A-Z]\w*?|createSchema)(?:__.+)?\.sql")
_OF_MIGRATE = re.compile(r"(?:before|after)(?:Each)?(?:Migrate|Versioned|Repeatables)(?:Statement|Applied)?")
_LOCK_TIMEOUT = re.compile(r"(?i)\block_timeout\s*(?:=|\bto\b)\s*'?\s*[1-9]")
# Statements that Flyway runs outside a transaction (manual, Migration transaction handling; its PostgreSQL parser).
_ALONE = re.compile(
    r"(?i)(?:(?:create|drop)\s+(?:database|tablespace|subscription)|alter\s+system"
    r"|(?:create|drop)\s+(?:unique\s+)?index\s+concurrently|reindex\s+(?:\(?verbose\)?\s+)?(?:schema|database|system)"
    r"|vacuum|discard\s+all)\b"
)


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a file says: its kind (V, U, R, B or C for a callback), its version or description."""

    kind: str
    version: str
    description: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Flyway's settings by lower-case name, without `flyway.` and dashes; `found` are the files that they come from."""

    values: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()

    def is_on(self, name: str, *, default: bool = False) -> bool:
        """Whether a setting is true."""
        return self.values.get(name.lower(), str(default)).strip().lower() == "true"

    @property
    def placeholders(self) -> dict[str, str]:
        """The values of placeholders by lower-case name."""
        return {
            name.removeprefix("placeholders."): value
            for name, value in self.values.items()
            if name.startswith("placeholders.")
        }

    @property
    def placeholder(self) -> re.Pattern[str] | None:
        """What this project writes for a placeholder; None where it is the usual `${name}`."""
        if not self.is_on("placeholderReplacement", default=True):
            return re.compile(r"(?!)()")
        prefix, suffix = self.values.get("placeholderprefix", "${"), self.values.get("placeholdersuffix", "}")
        if (prefix, suffix) == ("${", "}") or not prefix or not suffix:
            return None
        return re.compile(rf"{re.escape(prefix)}([^\n]{{1,200}}?){re.escape(suffix)}")

    @property
    def sets_lock_timeout(self) -> bool:
        """Whether initSql, which runs on each new connection, bounds the wait for locks."""
        return bool(_LOCK_TIMEOUT.search(self.values.get("initsql", "")))

    @property
    def holds_transaction(self) -> bool | None:
        """Whether Flyway's own lock keeps a transaction open while it migrates; None where nothing says how it is set up.

        CREATE INDEX CONCURRENTLY waits for that transaction for ever (setting postgresql.transactional.lock, on by default).
        """
        if "postgresql.transactional.lock" in self.values:
            return self.is_on("postgresql.transactional.lock")
        return True if self.found else None

    def name(self, file: str) -> Name | None:
        """Return what a file's name says, None when Flyway would not run it."""
        separator = self.values.get("sqlmigrationseparator") or "__"
        suffixes = [part for part in re.split(r"[,\s]+", self.values.get("sqlmigrationsuffixes", "")) if part] or [
            ".sql"
        ]
        stem = next((file[: -len(end)] for end in suffixes if file.lower().endswith(end.lower())), None)
        if stem is None:
            return None
        head, found, description = stem.partition(separator)
        for kind, setting in _PREFIXES.items():
            prefix = self.values.get(setting) or kind
            version = head[len(prefix) :]
            if found and head[: len(prefix)].lower() == prefix.lower() and _fits(kind, version):
                return Name(kind, version.replace("_", "."), description)
        callback = _CALLBACK.fullmatch(file)
        return Name("C", callback["event"], "") if callback else None


DEFAULTS = Settings()
_PREFIXES = {
    "V": "sqlmigrationprefix", "U": "undosqlmigrationprefix", "B": "baselinemigrationprefix",
    "R": "repeatablesqlmigrationprefix",
}  # fmt: skip


def _fits(kind: str, version: str) -> bool:
    return not version if kind == "R" else bool(re.fullmatch(r"[0-9]+(?:[._][0-9]+)*", version))


def runs_with_migrate(event: str) -> bool:
    """Whether a callback belongs to `flyway migrate`, and not to clean, info, repair ..."""
    return bool(_OF_MIGRATE.fullmatch(event))


def script_settings(path: Path) -> Mapping[str, str]:
    """Return what the script's own configuration (`V1__x.sql.conf`) says, by lower-case name."""
    return _properties(setting_text(path.with_name(f"{path.name}.conf")), "")


def settings(folder: Path, reading: Reading) -> Settings:
    """Return the settings that hold for a folder: the nearest file that has any."""
    for above in reading.above(folder):
        for name in _FILES:
            path = above / name
            if text := setting_text(path):
                values = _toml(text) if name.endswith(".toml") else _properties(text, "flyway.")
                return Settings(values, (reading.name(path),))
        for name in _SPRING:
            text = setting_text(above / name)
            if "flyway" not in text:
                continue
            values = _properties(text, "spring.flyway.") if name.endswith(".properties") else _yaml(text)
            if values:
                return Settings(values, (reading.name(above / name),))
    return DEFAULTS


def homes(folders: Mapping[Path, Iterable[Name]], root: Path) -> dict[Path, Path]:
    """Return the folder that each folder's migrations belong to: Flyway reads a location with all that is beneath it.

    The location is the highest folder, not above the root, that has migrations or is called `migration`; not where two
    of its folders have the same version.
    """
    found: dict[Path, list[Path]] = defaultdict(list)
    for folder in folders:
        inside = [folder, *(above for above in folder.parents if above.is_relative_to(root))]
        above = [each for each in inside if each in folders or each.name.lower() in MIGRATION_FOLDERS]
        found[above[-1] if above else folder].append(folder)
    home: dict[Path, Path] = {}
    for above_all, theirs in found.items():
        names = [(name.kind, name.version, name.description if name.kind == "R" else "") for each in theirs
                 for name in folders[each]]  # fmt: skip
        alone = len(set(names)) != len(names)
        home.update({folder: folder if alone else above_all for folder in theirs})
    return home


def in_transaction(operations: Iterable[op.Operation], path: Path, rules: Settings) -> bool:
    """Whether Flyway runs a script in a transaction: not when all of its statements demand to be outside of one.

    With `mixed`, one such statement is enough; without it Flyway refuses a mixture.
    """
    own = script_settings(path).get("executeintransaction", "").lower()
    if own == "false" or not (own or rules.is_on("executeInTransaction", default=True)):
        return False
    alone = [bool(_ALONE.match(operation.sql)) or getattr(operation, "concurrently", False) for operation in operations]
    return not (any(alone) if rules.is_on("mixed") else all(alone))


def _key(name: str) -> str:
    head, dot, placeholder = name.partition("placeholders.")
    return f"{head}{dot}{placeholder}".lower() if dot else name.replace("-", "").lower()


def _properties(text: str, prefix: str) -> dict[str, str]:
    found = ((match[1], match[2]) for match in _PROPERTY.finditer(text))
    return {_key(name.removeprefix(prefix)): value for name, value in found if name.startswith(prefix)}


def _toml(text: str) -> dict[str, str]:
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
    return dict(_flat(table.get("flyway"), ""))


def _yaml(text: str) -> dict[str, str]:
    import yaml

    values: dict[str, str] = {}
    try:
        for document in yaml.safe_load_all(text):
            spring = document.get("spring") if isinstance(document, dict) else None
            for name, value in _flat(spring.get("flyway") if isinstance(spring, dict) else None, ""):
                values.setdefault(name, value)
    except (yaml.YAMLError, ValueError, RecursionError):
        return values
    return values


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the leaves of nested tables as properties."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list):
        yield _key(prefix), ",".join(str(part) for part in value)
    elif value is not None:
        yield _key(prefix), str(value)
