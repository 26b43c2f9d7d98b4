"""A change as a way of several migrations: what each does, and which release of the code must run before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from backendgen.migrate.quoting import name

BATCH = 1000


class Unplannable(Exception):
    """Why a change cannot be cut into migrations here; the finding stays."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement, and the findings that are right about it but answered by the plan: (rule, reason)."""

    sql: str
    accepted: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """The statements of one migration. `wave` counts the releases of the code that must be everywhere before it runs.

    `down` takes it back; None when nothing can.
    """

    word: str
    steps: tuple[Step, ...]
    wave: int = 0
    transactional: bool = True
    down: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One change of a migration, cut into phases.

    `releases` say what each release of the code must do, `cautions` what nobody but the reader can know.
    """

    slug: str
    title: str
    phases: tuple[Phase, ...]
    releases: tuple[str, ...] = ()
    cautions: tuple[str, ...] = field(default=())


def steps(*statements: str) -> tuple[Step, ...]:
    """Return statements that no rule has anything to say about."""
    return tuple(Step(statement) for statement in statements)


def batches(table: str, key: str, change: str, condition: str) -> str:
    """Return a block that makes a change (`UPDATE t SET ...` or `DELETE FROM t`) a thousand rows at a time.

    It commits after each batch, so it must run outside a transaction. Rows are taken in the order of `key`, each once;
    without a key, until none meets the condition any more, which changed rows must not.
    """
    if not key:
        return (
            "DO $$\nBEGIN\n    LOOP\n"
            f"        {change} WHERE ctid = ANY (ARRAY(\n"
            f"            SELECT ctid FROM {name(table)} WHERE {condition} LIMIT {BATCH}));\n"
            "        EXIT WHEN NOT FOUND;\n        COMMIT;\n    END LOOP;\nEND\n$$"
        )
    column = f"{name(table)}.{name(key)}"
    return (
        f"DO $$\nDECLARE\n    done {column}%TYPE;\n    upto {column}%TYPE;\nBEGIN\n    LOOP\n"
        f"        SELECT max(batch.{name(key)}) INTO upto FROM (\n"
        f"            SELECT {name(key)} FROM {name(table)} WHERE done IS NULL OR {name(key)} > done\n"
        f"            ORDER BY {name(key)} LIMIT {BATCH}) AS batch;\n"
        "        EXIT WHEN upto IS NULL;\n"
        f"        {change} WHERE ({condition}) AND {name(key)} <= upto AND (done IS NULL OR {name(key)} > done);\n"
        "        COMMIT;\n        done := upto;\n    END LOOP;\nEND\n$$"
    )
