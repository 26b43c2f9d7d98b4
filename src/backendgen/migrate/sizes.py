"""Table sizes from production, turned into seconds of lock and into grades.

The sizes come from a file that the user makes with one of the queries; no connection is opened here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from backendgen import files
from backendgen.errors import Problem, UserError
from backendgen.findings.finding import Finding
from backendgen.rules import Severity

QUERY = """\
-- psql -XAtq -f this.sql > stats.json     reads the catalogue only; the counts are the planner's estimates
-- a partitioned table is as large as its partitions together
WITH RECURSIVE part (top, relid) AS (
  SELECT c.oid, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  UNION
  SELECT part.top, i.inhrelid FROM part JOIN pg_class t ON t.oid = part.top AND t.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = part.relid
), size AS (
  SELECT top, sum(CASE c.relkind WHEN 'p' THEN 0 ELSE greatest(c.reltuples, 0) END)::bigint AS rows,
         sum(pg_table_size(relid))::bigint AS bytes, sum(pg_indexes_size(relid))::bigint AS index_bytes
  FROM part JOIN pg_class c ON c.oid = relid GROUP BY top
)
SELECT jsonb_pretty(jsonb_object_agg(
         CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END,
         jsonb_build_object('rows', size.rows, 'bytes', size.bytes, 'index_bytes', size.index_bytes)))
FROM size JOIN pg_class c ON c.oid = size.top JOIN pg_namespace n ON n.oid = c.relnamespace;
"""

MYSQL_QUERY = """\
-- mysql -N -B -r DATABASE < this.sql > stats.json     (MySQL 5.7.22, MariaDB 10.5); the counts are InnoDB's estimates
SELECT JSON_OBJECTAGG(table_name, JSON_OBJECT(
         'rows', COALESCE(table_rows, 0), 'bytes', COALESCE(data_length, 0), 'index_bytes', COALESCE(index_length, 0)))
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE';
"""

_QUERIES = {"": QUERY, "postgresql": QUERY, "mysql": MYSQL_QUERY, "mariadb": MYSQL_QUERY}
_NO_MATTER_OF_SIZE = "no finding of SQLite's migrations is a matter of size"

Work = Literal["scan", "index", "rewrite", "update"]

# What the statement that a rule reports does while its lock is held.
WORK: Mapping[str, Work] = {
    "BG701": "index", "BG704": "scan", "BG705": "scan", "BG706": "scan", "BG707": "index", "BG708": "rewrite",
    "BG709": "rewrite", "BG711": "scan", "BG712": "rewrite", "BG726": "scan", "BG805": "update", "BG806": "update",
    "BG750": "rewrite", "BG753": "index", "BG754": "rewrite", "BG755": "rewrite", "BG758": "rewrite", "BG759": "rewrite",
    "BG760": "rewrite", "BG761": "rewrite", "BG762": "rewrite",
}  # fmt: skip

# Rates of PostgreSQL 18 on two shared cores with cold storage; a fast machine does several times as much.
_SCAN_BYTES = 200e6
_REWRITE_BYTES = 40e6
_INDEX_ROWS = 0.8e6
_UPDATE_ROWS = 50e3

_LONG = 10  # seconds: what most callers' timeouts are
_SHORT = 0.5
_FEW_ROWS = 10_000
_ROW_BYTES = 100
_NAMED = 5  # tables


@dataclass(frozen=True, slots=True)
class Size:
    """A table's size: rows as the planner estimates them, bytes of the table and of all its indexes."""

    rows: int
    bytes: int
    index_bytes: int

    @property
    def likely_rows(self) -> int:
        """The rows; of a table that was never analysed, which has none by the planner's count, what its bytes would hold."""
        return self.rows or self.bytes // _ROW_BYTES

    def seconds(self, work: Work) -> float:
        """Return about how long a piece of work takes."""
        match work:
            case "scan":
                return self.bytes / _SCAN_BYTES
            case "index":
                return self.bytes / _SCAN_BYTES + self.likely_rows / _INDEX_ROWS
            case "rewrite":
                return self.bytes / _REWRITE_BYTES + self.likely_rows / _INDEX_ROWS * bool(self.index_bytes)
            case "update":
                return self.likely_rows / _UPDATE_ROWS

    def __str__(self) -> str:
        """Return it for people: `12,000,000 rows, 3.4 GB`."""
        counted = (
            f"{self.rows:,} rows" if self.rows or not self.likely_rows else "rows that nobody has counted (ANALYZE)"
        )
        return f"{counted}, {_human(self.bytes)}"


def _human(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def query(dialect: str) -> str:
    """Return the query that makes a file of sizes. Raises UserError where sizes have no part."""
    if dialect not in _QUERIES:
        raise UserError(f"--stats-query prints nothing for {dialect}: {_NO_MATTER_OF_SIZE}")
    return _QUERIES[dialect]


def load(path: Path) -> dict[str, Size]:
    """Return the sizes in a file that one of the queries made, by table. Raises UserError with all that is wrong in it."""
    try:
        parsed = json.loads(files.read_text(path, limit=50_000_000))
    except (ValueError, RecursionError) as error:
        hint = "make it with the query that `backendgen migrate-check --stats-query` prints"
        raise UserError(Problem(f"is not JSON: {error}", str(path), hint=hint)) from error
    if not isinstance(parsed, dict):
        raise UserError(Problem("is not an object of tables", str(path)))
    wrong = [
        Problem(f"{table}: rows, bytes and index_bytes are whole numbers, not {value!r:.80}", str(path))
        for table, value in parsed.items()
        if not _is_size(value)
    ]
    if wrong:
        raise UserError(*wrong)
    return {
        table.removeprefix("public."): Size(value["rows"], value["bytes"], value.get("index_bytes", 0))
        for table, value in parsed.items()
    }


def _is_size(value: Any) -> bool:
    if not isinstance(value, dict) or not {"rows", "bytes"} <= value.keys() <= {"rows", "bytes", "index_bytes"}:
        return False
    return all(type(number) is int and number >= 0 for number in value.values())


def unsized(found: Iterable[Finding], sizes: Mapping[str, Size], dialects: Set[str]) -> tuple[Problem, ...]:
    """Say of which tables a size would have changed grades, but is not known."""
    if dialects <= {"sqlite"}:
        return (Problem(f"--stats changes no grade here: {_NO_MATTER_OF_SIZE}"),)
    wanted = sorted({one.symbol for one in found if one.rule_id in WORK and one.symbol} - sizes.keys())
    if not wanted:
        return ()
    more = f" and {len(wanted) - _NAMED} more" if len(wanted) > _NAMED else ""
    return (Problem(f"the sizes of {', '.join(wanted[:_NAMED])}{more} are not in the file of --stats: graded without"),)


def weigh(found: Finding, sizes: Mapping[str, Size]) -> Finding:
    """Return a finding with its table's size in the message, and graded by how long the lock is held.

    A lock of half a second, or on a table of few rows, is `low`; one of ten seconds and more goes up by one grade.
    Rules whose harm is no matter of size (what breaks running code, what loses data) are left as they are.
    """
    size = sizes.get(found.symbol)
    work = WORK.get(found.rule_id)
    if size is None or work is None:
        return found
    seconds = size.seconds(work)
    message = f"{found.message} (about {_seconds(seconds)}: {found.symbol} has {size})"
    severity = found.severity
    if seconds < _SHORT or size.likely_rows < _FEW_ROWS:
        severity = min(severity, Severity.LOW)
    elif seconds >= _LONG:
        severity = Severity(min(severity + 1, Severity.CRITICAL))
    return replace(found, message=message, severity=severity)


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
