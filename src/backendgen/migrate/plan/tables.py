"""Tables: another name, gone, or changed row by row."""

from __future__ import annotations

import re

from backendgen.migrate.context import Context
from backendgen.migrate.fixes import alter
from backendgen.migrate.plan.route import Phase, Route, Step, Unplannable, batches, steps
from backendgen.migrate.quoting import label, name
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.table_changes import bare, in_schema, schema_of

_SIMPLE = re.compile(
    r"(?is)(?P<change>update\s+(?:only\s+)?[\w.\"]+\s+set\b.*?|delete\s+from\s+(?:only\s+)?[\w.\"]+)(?:\s+where\b(?P<where>.*))?"
)


def renamed_table(operation: op.RenameTable, schema: Schema, _: Context) -> Route:
    """The new name at once, and a view under the old one for code that still uses it."""
    table, new = operation.table, operation.new_name
    known = schema.tables.get(table)
    if known is not None and known.partition_of:
        raise Unplannable(f"{table} is a partition")
    moved = in_schema(schema_of(table), new)
    renamed = Step(alter(table, f"RENAME TO {label(new)}"))
    view = Step(f"CREATE VIEW {name(table)} AS SELECT * FROM {name(moved)}")
    back = (f"DROP VIEW {name(table)}", alter(moved, f"RENAME TO {label(bare(table))}"))
    reason = f"all code knows it as {new} by now"
    gone = Step(f"DROP VIEW {name(table)}", (("BG816", reason),))
    return Route(
        f"{bare(table)}_renamed",
        f"{table} becomes {moved}",
        (Phase("expand", (renamed, view), down=back), Phase("contract", (gone,), wave=1, down=None)),
        (f"uses {moved}, no more {table}",),
        (
            f"grant on the view {table} what roles hold on the table; code that locks or truncates {table}, or copies "
            "into it, cannot do so through the view",
        ),
    )


def dropped_table(operation: op.DropTable, schema: Schema, context: Context) -> Route:
    """A table that goes when no running code names it; its foreign keys first, each by itself."""
    table = operation.table
    cascades = operation.cascade and context.migration.tool != "django"  # which always says so
    if cascades or any(child.name != table for child, _ in schema.references_to(table)):
        raise Unplannable(f"other tables refer to {table}: drop their foreign keys first")
    if any(table in view.reads for view in schema.views.values()):
        raise Unplannable(f"a view reads {table}: drop it first")
    known = schema.tables.get(table)
    phases = []
    for one in known.constraints if known else ():
        if one.kind == "foreign_key" and one.references != table:
            reason = f"{table} goes with the next migration, and this locks {one.references} for a moment only"
            gone = Step(alter(table, f"DROP CONSTRAINT {label(one.name)}"), (("BG808", reason),))
            phases.append(Phase("release", (gone,), wave=1, down=None))
    reason = f"no running code names {table} any more, and its rows are saved"
    phases.append(Phase("contract", (Step(f"DROP TABLE {name(table)}", (("BG801", reason),)),), wave=1, down=None))
    return Route(
        f"{bare(table)}_dropped",
        f"{table} goes",
        tuple(phases),
        (f"neither reads nor writes {table}",),
        (f"save the rows of {table} if anybody may ask for them: pg_dump -t {table}",),
    )


def changed_rows(operation: op.ChangeRows, schema: Schema, _: Context) -> Route:
    """The same change, a thousand rows at a time."""
    table, sql = operation.table, operation.sql
    if "$1" in sql:
        raise Unplannable("its values are known only when it runs: write its batches by hand")
    found = _SIMPLE.fullmatch(sql)
    known = schema.tables.get(table)
    key = known.primary_key[0] if known and len(known.primary_key) == 1 else ""
    if found is None or re.search(
        r"(?i)\b(?:returning|using|from)\b", re.sub(r"(?i)^delete\s+from", "", found["change"])
    ):
        raise Unplannable("the statement joins other tables or returns rows: write its batches by hand")
    if not key:
        raise Unplannable(f"{table} has no key of one column to go through it by")
    condition = (found["where"] or "true").strip()
    block = batches(table, key, found["change"].strip(), condition)
    verb = operation.verb.upper()
    return Route(
        f"{bare(table)}_{operation.verb}",
        f"{verb} of {table}, {'every row' if condition == 'true' else f'where {condition}'}",
        (Phase("backfill", steps(block), transactional=False, down=None),),
    )
