"""Numbers the migrations, writes their Alembic revisions, and turns the spec's DDL into the last of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from backendgen.scaffold.statements import relation
from backendgen.spec.model import Spec
from backendgen.sql import postgres
from backendgen.sql.operation import CreateTable, CreateType, CreateView, Operation

_FOLDER = "migrations/sql/"
_UNNUMBERED = re.compile(r"migrations/sql/NNNN_(\w+)\.(up|down)\.sql")


def revisions(spec: Spec, written: dict[str, bytes]) -> Mapping[str, bytes]:
    """Return the numbered SQL files and their revisions; the unnumbered ones are taken out of `written`.

    The parts come in the order in which they were planned, the spec's own tables last.
    """
    sql: dict[str, dict[str, bytes]] = {}
    for path in [path for path in written if path.startswith(_FOLDER)]:
        match = _UNNUMBERED.fullmatch(path)
        assert match is not None, f"{path} is not named NNNN_<name>.up.sql or .down.sql"
        sql.setdefault(match[1], {})[match[2]] = written.pop(path)
    sql["schema"] = {"up": _up(spec.ddl), "down": _down(spec.ddl)}
    made: dict[str, bytes] = {}
    previous = ""
    for number, (name, steps) in enumerate(sql.items(), start=1):
        revision = f"{number:04}"
        for step, content in steps.items():
            made[f"{_FOLDER}{revision}_{name}.{step}.sql"] = content
        made[f"migrations/versions/{revision}_{name}.py"] = _revision(revision, previous, name).encode()
        previous = revision
    return made


def _up(ddl: str) -> bytes:
    return f"{ddl.strip()}\n".encode()


def _down(ddl: str) -> bytes:
    """Drop what the DDL creates, the last first."""
    drops = (_drop(operation) for operation in reversed(list(postgres.parse(ddl))))
    return "".join(f"{drop};\n" for drop in drops if drop).encode()


def _drop(operation: Operation) -> str:
    match operation:
        case CreateTable():
            return f"DROP TABLE {relation(operation.table)}"
        case CreateType():
            return f"DROP TYPE {relation(operation.name)}"
        case CreateView():
            return f"DROP {'MATERIALIZED ' if operation.materialized else ''}VIEW {relation(operation.name)}"
    return ""


def _revision(revision: str, previous: str, name: str) -> str:
    return f'''"""{name.replace("_", " ").capitalize()}"""

from migrations.run_sql import run_sql

revision = "{revision}"
down_revision = {f'"{previous}"' if previous else None}


def upgrade() -> None:
    """Apply the change."""
    run_sql("{revision}_{name}.up.sql")


def downgrade() -> None:
    """Take the change back."""
    run_sql("{revision}_{name}.down.sql")
'''
