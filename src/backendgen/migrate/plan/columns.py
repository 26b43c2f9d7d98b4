"""Columns: another type, another name, required, filled with a value for each row, or gone."""

from __future__ import annotations

import re
from dataclasses import replace

from backendgen.migrate.context import Context
from backendgen.migrate.fixes import alter
from backendgen.migrate.plan.route import Phase, Route, Step, Unplannable, batches, steps
from backendgen.migrate.plan.successor import Successor
from backendgen.migrate.quoting import label, name
from backendgen.sql import operation as op
from backendgen.sql.names import object_name
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column
from backendgen.sql.table_changes import bare

_SEQUENCE = re.compile(r"(?i)nextval\('((?:[^']|'')+)'")
_UNSEEN = "this history does not create {}: give the new column the indexes, keys, checks and NOT NULL of the old one"


def changed_type(operation: op.AlterColumnType, schema: Schema, _: Context) -> Route:
    """A new column of the new type, kept equal by a trigger, filled, and put in the place of the old one."""
    table, column, kind = operation.table, operation.name, str(operation.type)
    fresh = Successor(table, column, f"{column}_new", schema.tables.get(table))
    fresh.refuse(schema)
    old, new = label(column), label(fresh.new)
    value = operation.using or f"{old}::{kind}"
    row = label(bare(table))
    body = f"    SELECT {value} INTO NEW.{new} FROM (SELECT NEW.*) AS {row};\n"
    aside = f"{column}_old"
    swap = [
        *steps(*fresh.untied),
        *fresh.required(),
        Step(
            alter(table, f"RENAME COLUMN {old} TO {label(aside)}"),
            (("BG803", f"{column} is there before and after: the next statement gives its name to the new column"),),
        ),
        Step(
            alter(table, f"RENAME COLUMN {new} TO {old}"),
            (("BG803", f"no code knows {fresh.new}, which was only there to be filled"),),
        ),
    ]
    was = fresh.column
    if was and was.default is not None:
        swap += _default_moved(table, was, kind)
    swap += fresh.take_over(keep_old=True)
    if was and was.not_null:
        reason = f"{aside} is only kept to go back to, and nobody writes it any more"
        swap.append(Step(alter(table, f"ALTER COLUMN {label(aside)} DROP NOT NULL"), (("BG810", reason),)))
    gone = f"no code has used {aside} since the switch"
    cautions = () if fresh.table else (_UNSEEN.format(table),)
    return Route(
        f"{bare(table)}_{column}_type",
        f"{table}.{column} becomes {kind}",
        (
            fresh.expand(kind, body),
            fresh.backfill(value),
            *fresh.equip(),
            Phase("switch", tuple(swap), wave=1, down=None),
            Phase("contract", (_dropped(table, aside, gone),), wave=2, down=None),
        ),
        (
            f"reads and writes {table}.{column} whether it is the old type or {kind}",
            f"knows {table}.{column} as {kind} only; while it can still be rolled back, wait with what follows",
        ),
        cautions,
    )


def _default_moved(table: str, was: Column, kind: str) -> tuple[Step, ...]:
    """Return statements that give the new column, which has the old name by now, its default and its sequence."""
    aside = f"{was.name}_old"
    gone = alter(table, f"ALTER COLUMN {label(aside)} DROP DEFAULT")
    moved = (
        Step(alter(table, f"ALTER COLUMN {label(was.name)} SET DEFAULT {was.default}")),
        Step(gone, (("BG811", f"the default is now that of the new {was.name}"),)),
    )
    if found := _SEQUENCE.match(was.default or ""):
        wide = " AS bigint" if kind == "bigint" else ""
        return (*moved, Step(f"ALTER SEQUENCE {found[1]}{wide} OWNED BY {name(table)}.{label(was.name)}"))
    return moved


def _dropped(table: str, column: str, reason: str) -> Step:
    return Step(alter(table, f"DROP COLUMN {label(column)}"), (("BG802", reason),))


def renamed_column(operation: op.RenameColumn, schema: Schema, _: Context) -> Route:
    """A second column under the new name; a trigger copies each way, whichever of the two code writes."""
    table, column = operation.table, operation.name
    known = schema.tables.get(table)
    fresh = Successor(table, column, operation.new_name, known)
    fresh.refuse(schema)
    was = fresh.column
    if was is None:
        raise Unplannable(f"this history does not show the type of {table}.{column}")
    if any(one.kind == "primary_key" for one in fresh.constraints):
        raise Unplannable(f"{column} is the key of {table}: keep the name in the database, and rename it in the code")
    old, new = f"NEW.{label(column)}", f"NEW.{label(fresh.new)}"
    compared = "::text" if was.type.name in ("json", "xml", "point") else ""
    body = (
        f"    IF TG_OP = 'INSERT' THEN\n"
        f"        IF {new} IS NULL THEN {new} := {old}; ELSE {old} := {new}; END IF;\n"
        f"    ELSIF {new}{compared} IS DISTINCT FROM OLD.{label(fresh.new)}{compared} THEN\n        {old} := {new};\n"
        f"    ELSE\n        {new} := {old};\n    END IF;\n"
    )
    expand = fresh.expand(str(was.type), body)
    default = [alter(table, f"ALTER COLUMN {label(fresh.new)} SET DEFAULT {was.default}")] if was.default else []
    if found := _SEQUENCE.match(was.default or ""):
        default.append(f"ALTER SEQUENCE {found[1]} OWNED BY {name(table)}.{label(fresh.new)}")
    contract = (
        *fresh.required(),
        *steps(*fresh.untied, *default),
        _dropped(table, column, f"all code knows it as {fresh.new} by now"),
        *fresh.take_over(keep_old=False),
    )
    return Route(
        f"{bare(table)}_{column}_renamed",
        f"{table}.{column} becomes {table}.{fresh.new}",
        (expand, fresh.backfill(label(column)), *fresh.equip(), Phase("contract", contract, wave=1, down=None)),
        (f"reads and writes {fresh.new}, no more {column}, of {table}",),
    )


def required_column(operation: op.AddColumn, _: Schema, context: Context) -> Route:
    """A column that may be NULL until all code writes it and the old rows have a value."""
    table, column = operation.table, operation.definition
    if operation.constraints:
        raise Unplannable(f"{column.name} has constraints of its own: add the column and each of them apart")
    if column.default is not None:
        return _with_passing_default(table, column)
    check = label(object_name(bare(table), column.name, "not_null_check"))
    own = label(column.name)
    added = alter(table, f"ADD COLUMN {own} {column.type}")
    demand = alter(table, f"ADD CONSTRAINT {check} CHECK ({own} IS NOT NULL) NOT VALID")
    fill = batches(table, "", f"UPDATE {name(table)} SET {own} = ...", f"{own} IS NULL")
    done = (alter(table, f"ALTER COLUMN {own} SET NOT NULL"), alter(table, f"DROP CONSTRAINT {check}"))
    return Route(
        f"{bare(table)}_{column.name}_required",
        f"{table}.{column.name} is added and must not be NULL",
        (
            Phase("expand", steps(added), down=(alter(table, f"DROP COLUMN {own}"),)),
            Phase("demand", steps(demand), wave=1, down=(alter(table, f"DROP CONSTRAINT {check}"),)),
            Phase("validate", steps(alter(table, f"VALIDATE CONSTRAINT {check}")), wave=1),
            Phase("contract", steps(*done), wave=1, down=(demand, alter(table, f"ALTER COLUMN {own} DROP NOT NULL"))),
        ),
        (f"writes {column.name} in every INSERT into {table}",),
        (
            f"only you know what old rows get. When the release that writes {column.name} runs everywhere, fill them, "
            f"outside a transaction, before the validation, which fails while a row is left:\n\n```sql\n{fill};\n```",
        ),
    )


def _with_passing_default(table: str, column: Column) -> Route:
    """A column whose default goes when all code gives a value, and not while some does not know the column."""
    own = label(column.name)
    added = alter(table, f"ADD COLUMN {own} {column.type} DEFAULT {column.default} NOT NULL")
    gone = alter(table, f"ALTER COLUMN {own} DROP DEFAULT")
    back = alter(table, f"ALTER COLUMN {own} SET DEFAULT {column.default}")
    return Route(
        f"{bare(table)}_{column.name}_required",
        f"{table}.{column.name} is added and must not be NULL",
        (
            Phase("expand", steps(added), down=(alter(table, f"DROP COLUMN {own}"),)),
            Phase("contract", (Step(gone, (("BG811", f"all code gives {column.name}"),)),), wave=1, down=(back,)),
        ),
        (f"writes {column.name} in every INSERT into {table}",),
    )


def valued_column(operation: op.AddColumn, schema: Schema, _: Context) -> Route:
    """A default that differs from row to row: for new rows at once, for old ones in batches."""
    table, column = operation.table, operation.definition
    if column.identity or column.generated is not None:
        raise Unplannable(f"an {'identity' if column.identity else 'generated'} column is filled while it is added")
    if column.default is None or operation.constraints:
        raise Unplannable(f"{column.name} has constraints of its own: add the column and each of them apart")
    own, default = label(column.name), column.default
    first = [alter(table, f"ADD COLUMN {own} {column.type}")]
    last = [alter(table, f"DROP COLUMN {own}")]
    if found := _SEQUENCE.match(default):
        first = [f"CREATE SEQUENCE {found[1]} AS {column.type}", *first]
        first.append(f"ALTER SEQUENCE {found[1]} OWNED BY {name(table)}.{own}")
    first.append(alter(table, f"ALTER COLUMN {own} SET DEFAULT {default}"))
    known = schema.tables.get(table)
    key = known.primary_key[0] if known and len(known.primary_key) == 1 else ""
    fill = batches(table, key, f"UPDATE {name(table)} SET {own} = DEFAULT", f"{own} IS NULL")
    phases = [
        Phase("expand", steps(*first), down=tuple(last)),
        Phase("backfill", steps(fill), transactional=False),
    ]
    if column.not_null:
        check = label(object_name(bare(table), column.name, "not_null_check"))
        demand = alter(table, f"ADD CONSTRAINT {check} CHECK ({own} IS NOT NULL) NOT VALID")
        done = (alter(table, f"ALTER COLUMN {own} SET NOT NULL"), alter(table, f"DROP CONSTRAINT {check}"))
        phases += [
            Phase("demand", steps(demand), down=(alter(table, f"DROP CONSTRAINT {check}"),)),
            Phase("validate", steps(alter(table, f"VALIDATE CONSTRAINT {check}"))),
            Phase("required", steps(*done), down=(demand, alter(table, f"ALTER COLUMN {own} DROP NOT NULL"))),
        ]
    return Route(
        f"{bare(table)}_{column.name}_added", f"{table}.{column.name} is added with a value for each row", tuple(phases)
    )


def dropped_column(operation: op.DropColumn, schema: Schema, context: Context) -> Route:
    """A column that new code may leave out, and that goes when no running code names it."""
    table, column = operation.table, operation.name
    known = schema.tables.get(table)
    was = known.column(column) if known else None
    phases: list[Phase] = []
    in_key = column in (known.primary_key if known else ())
    if was is not None and was.not_null and was.default is None and not was.identity and not in_key:
        reason = f"code that no longer names {column} must be able to write rows beside code that does"
        free = Step(alter(table, f"ALTER COLUMN {label(column)} DROP NOT NULL"), (("BG810", reason),))
        phases.append(Phase("expand", (free,), down=None))
    gone = _dropped(table, column, f"no running code names {column} any more")
    # Django always says CASCADE; without it, what the history does not show stops the drop.
    if operation.cascade and context.migration.tool != "django":
        raise Unplannable("CASCADE drops what only the database knows")
    phases.append(Phase("contract", (replace(gone),), wave=1, down=None))
    return Route(
        f"{bare(table)}_{column}_dropped",
        f"{table}.{column} goes",
        tuple(phases),
        (f"neither reads nor writes {table}.{column}; SELECT * and ORM models name it too",),
    )
