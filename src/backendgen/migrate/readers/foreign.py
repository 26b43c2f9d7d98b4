"""Migrations in languages that are not read: named, with the way to the SQL that they run, so that they never look clean."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from backendgen import files
from backendgen.errors import UserError
from backendgen.migrate.readers.reading import Reading

_LOGGED = "run them on a scratch database with its statements logged (log_statement = 'ddl') and check that log as SQL"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    """A tool's migrations: how their files end, what one of them says, and how its SQL is had."""

    tool: str
    suffixes: tuple[str, ...]
    mark: re.Pattern[str]
    how: str = _LOGGED


_SCRIPTS = (".ts", ".js", ".mjs", ".cjs")
_KINDS = (
    _Kind("TypeORM", _SCRIPTS, re.compile(r"MigrationInterface|queryRunner\.")),
    _Kind("Sequelize", _SCRIPTS, re.compile(r"queryInterface", re.IGNORECASE)),
    _Kind("node-pg-migrate", _SCRIPTS, re.compile(r"\bpgm\b|node-pg-migrate"),
          "print their SQL with `node-pg-migrate up --dry-run` and check that"),
    _Kind("Kysely", _SCRIPTS, re.compile(r"[Kk]ysely")),
    _Kind("MikroORM", _SCRIPTS, re.compile(r"mikro-orm|addSql\(")),
    _Kind("Knex", _SCRIPTS, re.compile(r"\bknex\b|exports\.up\b", re.IGNORECASE)),
    _Kind("Rails", (".rb",), re.compile(r"ActiveRecord::Migration")),
    _Kind("Sequel", (".rb",), re.compile(r"Sequel\.migration")),
    _Kind("Ecto", (".exs",), re.compile(r"Ecto\.Migration"),
          "print their SQL with `mix ecto.migrate --log-migrations-sql` on a scratch database and check that"),
    _Kind("goose (Go)", (".go",), re.compile(r"\bgoose\."), "write them as .sql files where they hold only SQL"),
    _Kind("Go", (".go",), re.compile(r"(?i)migrat"), "write them as .sql files where they hold only SQL"),
    _Kind("Flyway (Java)", (".java", ".kt"), re.compile(r"BaseJavaMigration|JdbcMigration|JavaMigration"),
          "write them as .sql files where they hold only SQL"),
    _Kind("Laravel", (".php",), re.compile(r"Illuminate\\"),
          "print their SQL with `php artisan migrate --pretend` and check that"),
    _Kind("Doctrine", (".php",), re.compile(r"Doctrine\\"),
          "print their SQL with `doctrine:migrations:migrate --write-sql` and check that"),
    _Kind("Phinx", (".php",), re.compile(r"Phinx\\"), "print their SQL with `phinx migrate --dry-run` and check that"),
    _Kind("EF Core", (".cs",), re.compile(r"MigrationBuilder"),
          "print their SQL with `dotnet ef migrations script` and check that"),
)  # fmt: skip
_ENDINGS = frozenset(suffix for kind in _KINDS for suffix in kind.suffixes)
_NO_MIGRATION = re.compile(r"(?:^index|^package|_test|\.test|\.spec|\.d|Designer|Snapshot)$")


def name_unread(reading: Reading) -> None:
    """Say which folders hold migrations that nothing here reads, by tool, and what to do."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in reading.beside:
        if path.suffix in _ENDINGS and not _NO_MIGRATION.search(path.stem):
            folders[path.parent].append(path)
    for folder, paths in folders.items():
        found: dict[_Kind, list[Path]] = defaultdict(list)
        for path in paths:
            if kind := _kind(path):
                found[kind].append(path)
        for kind, theirs in found.items():
            reading.skip(folder, _message(kind, theirs))


def _kind(path: Path) -> _Kind | None:
    try:
        head = files.read_bytes(path).decode(errors="replace")
    except UserError:
        return None
    return next((kind for kind in _KINDS if path.suffix in kind.suffixes and kind.mark.search(head)), None)


def _message(kind: _Kind, paths: list[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:_SHOWN])
    if len(paths) > _SHOWN:
        shown += f" and {len(paths) - _SHOWN} more"
    number = "a migration" if len(paths) == 1 else f"{len(paths)} migrations"
    return f"holds {number} of {kind.tool}, not read: {shown}; {kind.how}"
