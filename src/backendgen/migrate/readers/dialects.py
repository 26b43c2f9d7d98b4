"""Which database migrations are for: by the names of folders and files (`db/mysql/`, `1_users.mysql.up.sql`), by what their
tools keep beside them, by what only one database understands in their text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from backendgen import files
from backendgen.sql.cursor import Dialect

READ: dict[str, Dialect] = {"PostgreSQL": "postgresql", "MySQL": "mysql", "MariaDB": "mariadb", "SQLite": "sqlite"}
POSTGRESQL = "PostgreSQL"
AUTOCOMMIT = ".autocommit"
_WORDS = {
    "postgres": POSTGRESQL, "postgresql": POSTGRESQL, "pg": POSTGRESQL, "pgsql": POSTGRESQL, "psql": POSTGRESQL,
    "mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite", "sqlite3": "SQLite", "mssql": "SQL Server",
    "sqlserver": "SQL Server", "oracle": "Oracle", "clickhouse": "ClickHouse", "spanner": "Spanner",
    "cassandra": "Cassandra", "cockroach": "CockroachDB", "cockroachdb": "CockroachDB", "crdb": "CockroachDB",
    "hsqldb": "HSQLDB", "h2": "H2", "derby": "Derby", "db2": "Db2",
}  # fmt: skip
# Files in which Prisma, drizzle-kit and Flyway name the database, in the folder of the migrations or above it.
_SAID_IN = {
    "migration_lock.toml": re.compile(r"""^\s*provider\s*=\s*["'](\w+)""", re.MULTILINE),
    "meta/_journal.json": re.compile(r'"dialect"\s*:\s*"(\w+)'),
    "flyway.conf": re.compile(r"^\s*flyway\.url\s*=\s*jdbc:(\w+)", re.MULTILINE),
    "flyway.toml": re.compile(r"""^\s*url\s*=\s*["']jdbc:(\w+)""", re.MULTILINE),
}
_COMMENTS = re.compile(r"--[^\n]*|/\*(?!!).*?\*/", re.DOTALL)
# What one database alone understands; a text that has marks of several votes for none.
_MARKS: dict[Dialect, re.Pattern[str]] = {
    "postgresql": re.compile(
        r"\$\$|::\s?\w|\b(?:concurrently|(?:big|small)serial|timestamptz|jsonb|bytea|plpgsql|pg_catalog|with\s+time\s+zone"
        r"|create\s+extension|not\s+valid|using\s+(?:gin|gist|btree)|alter\s+column\s+\S+\s+(?:type|set\s+not)|owner\s+to)\b",
        re.IGNORECASE,
    ),
    "mysql": re.compile(
        r"\bengine\s*=\s*\w+|\b(?:auto_increment|unsigned|character\s+set|on\s+update\s+current_timestamp|rename\s+table"
        r"|(?:medium|long|tiny)text|foreign_key_checks|modify\s+(?:column\s+)?[\w`]+\s+\w+|datetime\(\d\))|charset\s*=|^\s*delimiter\s",
        re.IGNORECASE | re.MULTILINE,
    ),
    "sqlite": re.compile(
        r"^\s*pragma\s|\b(?:autoincrement|without\s+rowid|sqlite_\w+|strftime|unixepoch)\b",
        re.IGNORECASE | re.MULTILINE,
    ),
}
_BACKTICKS = re.compile(r"`\w+`")
_SURE = 3  # texts that agree, with none against them
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


def told(name: str) -> Dialect:
    """Return the database that the user named, PostgreSQL when none."""
    return next((dialect for dialect in READ.values() if dialect == name), "postgresql")


def of_tool(folder: Path, root: Path) -> tuple[str, Path]:
    """Return the database that a tool's own file in the folder, or above it up to the root, names, and that file's folder.

    Empty without one.
    """
    inside = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    for depth in range(len(inside), -1, -1):
        above = root.joinpath(*inside[:depth])
        for name, provider in _SAID_IN.items():
            path = above / name
            said = provider.search(files.text_of(path)) if files.is_file(path) else None
            if said and said[1].lower() in _WORDS:
                return _WORDS[said[1].lower()], above
    return "", root


def of_texts(texts: Iterable[str]) -> Dialect:
    """Return the database that texts are written for; PostgreSQL when they could be for any."""
    votes: Counter[Dialect] = Counter()
    backticks = False
    for text in texts:
        code = _COMMENTS.sub(" ", text)
        marked = [dialect for dialect, marks in _MARKS.items() if marks.search(code)]
        backticks = backticks or bool(_BACKTICKS.search(code))
        if len(marked) == 1:
            votes[marked[0]] += 1
        if len(votes) == 1 and max(votes.values()) >= _SURE:
            break
    if not votes:
        return "mysql" if backticks else "postgresql"
    return votes.most_common(1)[0][0]
