"""Which database migrations are for, by the names of folders and files: `db/mysql/`, `jdbc-h2/`, `1_users.mysql.up.sql`."""

from __future__ import annotations

import re
from pathlib import Path

POSTGRESQL = "PostgreSQL"
AUTOCOMMIT = ".autocommit"
_WORDS = {
    "postgres": POSTGRESQL, "postgresql": POSTGRESQL, "pg": POSTGRESQL, "pgsql": POSTGRESQL, "psql": POSTGRESQL,
    "mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite", "sqlite3": "SQLite", "mssql": "SQL Server",
    "sqlserver": "SQL Server", "oracle": "Oracle", "clickhouse": "ClickHouse", "spanner": "Spanner",
    "cassandra": "Cassandra", "cockroach": "CockroachDB", "cockroachdb": "CockroachDB", "crdb": "CockroachDB",
    "hsqldb": "HSQLDB", "h2": "H2", "derby": "Derby", "db2": "Db2",
}  # fmt: skip
_SEPARATOR = re.compile(r"[^a-z0-9]+")


def of_folder(folder: Path, root: Path) -> tuple[str, Path]:
    """Return the database that a folder is for and the folder whose name says so; empty when none does.

    The folder nearest to the files decides. `root` may be a checkout of any name: it counts only when it is called like a
    database.
    """
    inside = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    for depth in range(len(inside), 0, -1):
        said_by = root.joinpath(*inside[:depth])
        named = [_WORDS[word] for word in _SEPARATOR.split(said_by.name.lower()) if word in _WORDS]
        if named:
            return (POSTGRESQL if POSTGRESQL in named else named[-1]), said_by
    return _WORDS.get(root.name.lower(), ""), root


def of_stem(stem: str) -> tuple[str, str]:
    """Return a file's stem without the suffixes that name a database (empty when none is named) and popx's `.autocommit`."""
    stem = stem.removesuffix(AUTOCOMMIT)
    rest, dot, word = stem.rpartition(".")
    return (rest, _WORDS[word.lower()]) if dot and word.lower() in _WORDS else (stem, "")
