"""What taking a migration back leaves behind: the Schema after its down, beside the one before its up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from backendgen.migrate.history import History, Migration
from backendgen.migrate.quoting import label, name, names
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Index, Table

T = TypeVar("T")
_SERIES = re.compile(r"\d{14}(?=\d)")
_CASTS = re.compile(r"""(?:::[\w."]+(?:\([\d,]+\))?(?:\[\])?)+\)*$""")


@dataclass(frozen=True, slots=True)
class Rollback:
    """One migration's way back: the Schema `before` its up, `after` it, and `restored` by its down."""

    history: History
    migration: Migration
    before: Schema
    after: Schema
    restored: Schema


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the rollback leaves behind or does not bring back; `sql` would, when it can be written."""

    table: str
    message: str
    sql: str = ""


def roll_back(history: History, migration: Migration, before: Schema, after: Schema) -> Rollback:
    """Apply a migration's down to the Schema after its up."""
    restored = after.copy() if migration.down else after
    for action in migration.down:
        restored.apply(action.operation)
    return Rollback(history, migration, before, after, restored)


def series(migration: Migration) -> str:
    """Return what the parts of one change share that is split over several migrations, empty for a whole one.

    Some tools number the parts behind the time: 20210410175418000001, 20210410175418000002.
    """
    found = _SERIES.match(migration.revision)
    return found[0] if found else ""


def joined(parts: Sequence[Migration]) -> Migration:
    """Return the parts of one change as one migration: ups in order, downs from the last to the first."""
    return replace(
        parts[-1],
        up=tuple(action for part in parts for action in part.up),
        down=tuple(action for part in reversed(parts) for action in part.down),
        one_way=all(part.one_way for part in parts),
    )


def is_understood(migration: Migration) -> bool:
    """Whether every statement of its up and down is in the vocabulary, so that Schemas can be compared."""
    return not any(isinstance(action.operation, op.NotUnderstood) for action in (*migration.up, *migration.down))


def differences(rollback: Rollback) -> Iterator[Difference]:
    """Yield how the restored Schema differs from the one before, in the tables and views that the migration touched."""
    before, restored = rollback.before, rollback.restored
    both = {*before.tables, *restored.tables}
    changed = {table for table in both if before.tables.get(table) != restored.tables.get(table)}
    for table in sorted(changed):
        was, now = before.tables.get(table), restored.tables.get(table)
        if was is None:
            yield Difference(table, f"leaves the table {table} behind", f"DROP TABLE {name(table)}")
        elif now is None:
            yield Difference(table, f"does not bring back the table {table}")
        else:
            yield from _columns(was, now)
            yield from _constraints(was, now)
            yield from _indexes(was, now)
    yield from (
        Difference(view, f"leaves the view {view} behind", f"DROP VIEW {name(view)}")
        for view in sorted({*restored.views} - {*before.views})
    )
    yield from (
        Difference(view, f"does not bring back the view {view}") for view in sorted({*before.views} - {*restored.views})
    )


def _columns(was: Table, now: Table) -> Iterator[Difference]:
    table, alter = was.name, f"ALTER TABLE {name(was.name)}"
    for column in now.columns:
        if was.column(column.name) is None:
            sql = f"{alter} DROP COLUMN {label(column.name)}"
            yield Difference(table, f"leaves the column {table}.{column.name} behind", sql)
    for old in was.columns:
        new = now.column(old.name)
        if new is None:
            sql = f"{alter} ADD COLUMN {label(old.name)} {old.type}"
            yield Difference(table, f"does not bring back the column {table}.{old.name}", sql)
        elif difference := _column(table, old, new):
            yield difference


def _column(table: str, old: Column, new: Column) -> Difference | None:
    alter = f"ALTER TABLE {name(table)} ALTER COLUMN {label(old.name)}"
    where = f"{table}.{old.name}"
    if old.type != new.type:
        sql = f"{alter} TYPE {old.type}"
        return Difference(table, f"leaves {where} as {new.type}, which was {old.type}", sql)
    if old.not_null != new.not_null:
        sql = f"{alter} {'SET' if old.not_null else 'DROP'} NOT NULL"
        return Difference(table, f"leaves {where} {'nullable' if old.not_null else 'NOT NULL'}, which it was not", sql)
    if _value(old.default) != _value(new.default):
        sql = f"{alter} {f'SET DEFAULT {old.default}' if old.default else 'DROP DEFAULT'}"
        message = f"leaves {where} with the default {new.default or 'NULL'}, which was {old.default or 'NULL'}"
        return Difference(table, message, sql)
    return None


def _value(default: str | None) -> str:
    """A default to compare: `'a'::text` is `'a'`, and two sequences count as well as one."""
    value = "".join((default or "null").split()).lower()
    return "nextval()" if value.startswith("nextval(") else _CASTS.sub("", value).strip("()")


def _constraints(was: Table, now: Table) -> Iterator[Difference]:
    """Constraints are compared by what they demand: a down may give one another name. NOT NULL is the columns' matter."""

    def demand(constraint: Constraint) -> Constraint:
        expression = "".join(constraint.expression.split()).lower()
        return replace(
            constraint, name="", named=True, line=0, using_index="", valid=True, keys=(), expression=expression
        )

    for one in _only_in(now.constraints, was.constraints, demand):
        if one.kind != "not_null" and all(was.column(column) for column in one.columns):
            sql = f"ALTER TABLE {name(was.name)} DROP CONSTRAINT {label(one.name)}"
            yield Difference(was.name, f"leaves the constraint {one.name} of {was.name} behind", sql)
    for one in _only_in(was.constraints, now.constraints, demand):
        if one.kind != "not_null" and all(now.column(column) for column in one.columns):
            yield Difference(was.name, f"does not bring back the constraint {one.name} of {was.name}")


def _indexes(was: Table, now: Table) -> Iterator[Difference]:
    def shape(index: Index) -> Index:
        where = "".join(index.where.split()).lower()
        return replace(index, name="", line=0, valid=True, where=where, storage="")

    backing = {one.name for table in (was, now) for one in table.constraints}
    for one in _only_in(now.indexes, was.indexes, shape):
        if one.name not in backing and all(was.column(column) for column in one.columns if column):
            yield Difference(
                was.name, f"leaves the index {one.name} of {was.name} behind", f"DROP INDEX {name(one.name)}"
            )
    for one in _only_in(was.indexes, now.indexes, shape):
        if one.name not in backing and all(now.column(column) for column in one.columns if column):
            plain = all(one.columns) and not one.where and not one.include and one.method == "btree"
            unique = "UNIQUE " if one.unique else ""
            sql = f"CREATE {unique}INDEX {label(one.name)} ON {name(was.name)} ({names(one.columns)})" if plain else ""
            yield Difference(was.name, f"does not bring back the index {one.name} of {was.name}", sql)


def _only_in(these: Iterable[T], those: Iterable[T], key: Callable[[T], T]) -> list[T]:
    same = {id(one) for one in those}  # a Schema's copy shares what has not changed
    other = [one for one in these if id(one) not in same]
    known = [key(one) for one in those] if other else []
    return [one for one in other if key(one) not in known]
