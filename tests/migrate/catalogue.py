"""What a database is, whatever way led there: the order of its columns is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backendgen.config import Config
from backendgen.migrate.readers import read
from backendgen.migrate.trace.comparison import steps
from backendgen.migrate.trace.scratch import Session

_OWN = (
    "relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' AND nspname <> 'information_schema')"
)
_QUERIES = (
    f"""SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
        a.attidentity::text, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.{_OWN}""",
    f"""SELECT c.relname, n.conname, pg_get_constraintdef(n.oid), n.convalidated::text, n.condeferrable::text
    FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid WHERE n.contype <> 't' AND c.{_OWN}""",
    f"""SELECT c.relname, i.relname, pg_get_indexdef(i.oid), x.indisvalid::text
    FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid WHERE c.{_OWN}""",
    f"""SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid), ''
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND c.{_OWN}""",
    """SELECT proname, '', '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
)


def catalogue(session: Session) -> set[tuple[Any, ...]]:
    return {tuple(row) for query in _QUERIES for row in session.run(query)}


def migrated(session: Session, path: Path) -> set[tuple[Any, ...]]:
    """Run a history from nothing, each statement by itself, and return what it leads to."""
    session.run("DROP SCHEMA public CASCADE")
    session.run("CREATE SCHEMA public")
    (history,) = read(path, Config()).histories
    for migration in history.migrations:
        for step in steps(migration):
            session.run(step.sql)
    session.run("RESET ALL")
    return catalogue(session)
