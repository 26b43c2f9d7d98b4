"""Rights: who may do what in the database, and settings of the whole server."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.migrate.fixes import Stage, render
from backendgen.rules import Confidence, Severity
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema

_BODY = re.compile(r"(\$\w*\$).*?\1|'(?:[^']|'')*'", re.DOTALL)
_ROUTINE = re.compile(r'(?is)\b(?:function|procedure)\s+([\w."]+)\s*\(')
_PASSWORD = re.compile(r"(?i)\bpassword\s+'(?!\s*'|\$1')")  # $1 stands for what only a run would tell


@check("BG823")
def definer_without_search_path(
    operation: op.Harmless | op.CreateRoutine, schema: Schema, context: Context
) -> Iterator[Hit]:
    """A function with its owner's rights looks names up in the caller's search_path, where the caller puts his own."""
    altered = isinstance(operation, op.Harmless) and operation.what in ("ALTER FUNCTION", "ALTER PROCEDURE")
    if not altered and not isinstance(operation, op.CreateRoutine):
        return
    head = _BODY.sub("''", operation.sql)
    if not re.search(r"(?i)\bsecurity\s+definer\b", head) or re.search(r"(?i)\bset\s+\"?search_path\b", head):
        return
    found = _ROUTINE.search(head)
    named = found[1] if found else "it"
    later = (each.operation.sql for each in context.later if isinstance(each.operation, op.Harmless))
    if any(named in sql and re.match(r"(?i)alter\b.*\bset\s+search_path\b", sql) for sql in later):
        return
    message = (
        f"{named} runs with its owner's rights and its caller's search_path: "
        "a caller can put objects of his own in the place of those that it names"
    )
    fix = render(
        context, Stage((), note="add to the definition: SET search_path = pg_catalog, pg_temp, and name schemas")
    )
    yield Hit(context.action.location, message, fix, named)


@check("BG824")
def rights_changed(operation: op.Harmless, schema: Schema, context: Context) -> Iterator[Hit]:
    """Rights that go, roles that change, settings of the whole server, passwords in clear text."""
    message, note, grade, confidence = "", "", None, None
    sql, what = operation.sql, operation.what
    if what in ("CREATE ROLE", "ALTER ROLE") and _PASSWORD.search(sql):
        message, grade = (
            "a password stands here in clear text, in the repository and in the server's log",
            Severity.HIGH,
        )
        note = "set it outside of migrations, from the secret store"
    elif what == "ALTER SYSTEM":
        message = (
            "ALTER SYSTEM changes the whole server, cannot run in a transaction, and stays when the migration is undone"
        )
        note = "in the server's configuration"
    elif what == "DROP ROLE":
        message, note = (
            "connections of the dropped role fail, those of other databases too",
            "when nothing connects as it",
        )
    elif what == "GRANT" and re.match(r"(?i)revoke\b", sql) and not re.search(r"(?i)\bfrom\s+public\b", sql):
        message, grade, confidence = (
            "code that runs with this role fails where it needs the right",
            Severity.LOW,
            Confidence.LOW,
        )
        note = "in the release after the one whose code does not need it"
    if message:
        fix = render(context, Stage((), note=note))
        yield Hit(context.action.location, message, fix, severity=grade, confidence=confidence)
