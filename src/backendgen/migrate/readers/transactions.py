"""Whether a tool runs a migration's statements in a transaction, as its own manual has it.

goose: github.com/pressly/goose, SQL migrations. dbmate: github.com/amacneil/dbmate, Migration options. golang-migrate:
database/postgres/README.md, Multi-statement mode. diesel: MigrationMetadata. sql-migrate: README, `notransaction`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from backendgen.migrate.history import Tool
from backendgen.migrate.readers import dialects, flyway
from backendgen.migrate.readers.reading import Reading, setting_text
from backendgen.sql import operation as op

_NO_TRANSACTION = re.compile(
    r"^[ \t]*--[ \t]*(?:\+goose[ \t]+NO[ \t]+TRANSACTION|no-transaction|atlas:txmode none)\b",
    re.IGNORECASE | re.MULTILINE,
)
_BLOCK = re.compile(
    r"^[ \t]*--[ \t]*\+(?:goose|migrate)[ \t]+StatementBegin\b"
    r".*?(?:^[ \t]*--[ \t]*\+(?:goose|migrate)[ \t]+StatementEnd\b|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
# Where a project writes how it calls golang-migrate.
_CALLERS = (
    "Makefile", "makefile", "justfile", "Justfile", "Taskfile.yml", "Taskfile.yaml", "Dockerfile", "docker-compose.yml",
    "docker-compose.yaml", "compose.yml", "compose.yaml", ".env", ".env.example", ".envrc", "migrate.sh", "entrypoint.sh",
)  # fmt: skip
_MULTI = re.compile(r"x-multi-statement=(?:true|1)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mode:
    """What is known of one section of a file when its operations are translated."""

    tool: Tool
    path: Path
    text: str
    options: str = ""
    rules: flyway.Settings = field(default_factory=flyway.Settings)
    multi_statement: bool = False


def transactional(mode: Mode, found: Iterable[op.Operation]) -> bool | None:
    """Say whether the tool runs these operations in a transaction; None when nobody knows."""
    if f"{dialects.AUTOCOMMIT}." in mode.path.name or _NO_TRANSACTION.search(mode.text):
        return False
    if re.search(r"\btransaction:\s*false\b|\bnotransaction\b", mode.options):
        return False
    if mode.tool in ("goose", "dbmate", "sql-migrate"):
        return True
    if mode.tool == "golang-migrate" and mode.multi_statement:
        return False
    if mode.tool in ("golang-migrate", "prisma"):
        # The whole file is sent as one query: several statements make an implicit transaction block.
        statements = {operation.statement for operation in found if not isinstance(operation, op.Transaction)}
        return True if len(statements) > 1 else None
    if mode.tool == "diesel":
        return not _metadata_says_no(mode.path.parent / "metadata.toml")
    if mode.tool == "flyway":
        return flyway.in_transaction(found, mode.path, mode.rules)
    return None


def sent_together(text: str, found: tuple[op.Operation, ...]) -> frozenset[int]:
    """Return the ordinals of the statements that StatementBegin and StatementEnd send as one query.

    Several of them make an implicit transaction block, even where the tool opens none.
    """
    together: set[int] = set()
    for block in _BLOCK.finditer(text):
        first, last = text.count("\n", 0, block.start()) + 1, text.count("\n", 0, block.end()) + 1
        inside = {operation.statement for operation in found if first <= operation.line <= last}
        together |= inside if len(inside) > 1 else set()
    return frozenset(together)


def multi_statement(folder: Path, reading: Reading) -> bool:
    """Whether the project has golang-migrate send each statement by itself (`x-multi-statement=true` in its URL)."""
    return any(_says_multi(above / name) for above in reading.above(folder) for name in _CALLERS)


def _says_multi(path: Path) -> bool:
    return bool(_MULTI.search(setting_text(path)))


def _metadata_says_no(path: Path) -> bool:
    """Whether diesel's metadata.toml switches the transaction off."""
    text = setting_text(path)
    return bool(re.search(r"(?im)^\s*run_in_transaction\s*=\s*false\b", text))
