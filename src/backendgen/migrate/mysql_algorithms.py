"""How MySQL and MariaDB carry a change of a table out: INSTANT, INPLACE or COPY, and what other sessions may do meanwhile.

Facts of MySQL's manual (8.0 and 8.4, 17.12.1 'Online DDL Operations'; 5.7, 14.13.1), of ALTER TABLE's own page (CHECK,
foreign keys, instant columns) and of MariaDB's 'InnoDB Online DDL Overview'; MariaDB's were run on 10.11. Judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from backendgen.migrate.history import History
from backendgen.migrate.locks import Lock
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Constraint, Table

Algorithm = Literal["INSTANT", "INPLACE", "COPY"]
_ORDER = ("INSTANT", "INPLACE", "COPY")
_BYTES = {"latin1": 1, "ascii": 1, "binary": 1, "utf8": 3, "utf8mb3": 3, "ucs2": 2, "utf16": 4, "utf32": 4, "cp1252": 1}
_ONE_BYTE_LENGTH = 255  # a longer VARCHAR keeps its length in two bytes
_ENUM_VALUE = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True, slots=True)
class Cost:
    """The best algorithm, the weakest LOCK that it allows, and whether all rows are written anew."""

    algorithm: Algorithm
    lock: Literal["NONE", "SHARED", "EXCLUSIVE"] = "NONE"
    rebuilds: bool = False

    @property
    def blocks_writes(self) -> bool:
        """Whether writes wait for all of it."""
        return self.lock != "NONE"

    @property
    def clauses(self) -> str:
        """What to append so that the server refuses rather than does worse."""
        lock = "" if self.algorithm == "INSTANT" else f", LOCK={self.lock}"
        return f"ALGORITHM={self.algorithm}{lock}"


INSTANT = Cost("INSTANT")
IN_PLACE = Cost("INPLACE")
REBUILD = Cost("INPLACE", rebuilds=True)
IN_PLACE_SHARED = Cost("INPLACE", "SHARED")
REBUILD_SHARED = Cost("INPLACE", "SHARED", rebuilds=True)
COPY = Cost("COPY", "SHARED", rebuilds=True)

Since = tuple[tuple[tuple[int, ...], Cost], ...]
_ALWAYS_IN_PLACE: Since = (((0,), IN_PLACE),)
_ALWAYS_REBUILD: Since = (((0,), REBUILD),)
_ALWAYS_COPY: Since = (((0,), COPY),)
_INSTANT_SINCE_8: Since = (((8, 0), INSTANT), ((0,), IN_PLACE))
_INSTANT_SINCE_10_3: Since = (((10, 3), INSTANT), ((0,), IN_PLACE))

# form -> what MySQL does since which version, what MariaDB does since which version; the newest comes first.
FACTS: dict[str, tuple[Since, Since]] = {
    "a column added at the end": (
        (((8, 0, 12), INSTANT), ((0,), REBUILD)),
        (((10, 3, 2), INSTANT), ((0,), REBUILD)),
    ),
    "a column added in between": (
        (((8, 0, 29), INSTANT), ((0,), REBUILD)),
        (((10, 4), INSTANT), ((0,), REBUILD)),
    ),
    "an AUTO_INCREMENT column added": ((((0,), REBUILD_SHARED),), (((0,), REBUILD_SHARED),)),
    "a stored generated column added": (_ALWAYS_COPY, _ALWAYS_COPY),
    "a virtual generated column added": (_INSTANT_SINCE_8, _INSTANT_SINCE_10_3),
    "a column dropped": (
        (((8, 0, 29), INSTANT), ((0,), REBUILD)),
        (((10, 4), INSTANT), ((0,), REBUILD)),
    ),
    "a virtual column dropped": (_INSTANT_SINCE_8, _INSTANT_SINCE_10_3),
    "a column renamed": ((((8, 0, 28), INSTANT), ((0,), IN_PLACE)), _INSTANT_SINCE_10_3),
    "a column moved": (_ALWAYS_REBUILD, (((10, 4), INSTANT), ((0,), REBUILD))),
    "a default or comment changed": (_INSTANT_SINCE_8, _INSTANT_SINCE_10_3),
    "another type": (_ALWAYS_COPY, _ALWAYS_COPY),
    "another character set of a column": (_ALWAYS_COPY, _ALWAYS_COPY),
    "a VARCHAR made longer": (_ALWAYS_IN_PLACE, _INSTANT_SINCE_10_3),
    "a VARCHAR made longer than 255 bytes": (_ALWAYS_COPY, _ALWAYS_COPY),
    "NOT NULL set": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "NOT NULL dropped": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "values appended to an ENUM or SET": (_INSTANT_SINCE_8, _INSTANT_SINCE_10_3),
    "values of an ENUM or SET changed": (_ALWAYS_COPY, _ALWAYS_COPY),
    "an index added": (_ALWAYS_IN_PLACE, _ALWAYS_IN_PLACE),
    "an index dropped": (_ALWAYS_IN_PLACE, _ALWAYS_IN_PLACE),
    "an index renamed": (_ALWAYS_IN_PLACE, (((10, 5, 2), INSTANT), ((0,), IN_PLACE))),
    "the first FULLTEXT index added": ((((0,), REBUILD_SHARED),), (((0,), REBUILD_SHARED),)),
    "a FULLTEXT index added": ((((0,), IN_PLACE_SHARED),), (((0,), IN_PLACE_SHARED),)),
    "a SPATIAL index added": ((((0,), IN_PLACE_SHARED),), (((0,), IN_PLACE_SHARED),)),
    "a primary key added": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "the primary key dropped": (_ALWAYS_COPY, _ALWAYS_COPY),
    "the primary key dropped beside a unique key": (_ALWAYS_COPY, _ALWAYS_REBUILD),
    "the primary key replaced": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "a foreign key added": (_ALWAYS_COPY, _ALWAYS_COPY),
    "a foreign key added unchecked": (_ALWAYS_IN_PLACE, _ALWAYS_IN_PLACE),
    "a CHECK added": ((((8, 0, 16), COPY), ((0,), INSTANT)), _ALWAYS_COPY),
    "a CHECK added that is not enforced": (_ALWAYS_IN_PLACE, _ALWAYS_COPY),
    "a CHECK enforced": (_ALWAYS_COPY, _ALWAYS_COPY),
    "a foreign key or CHECK dropped": (_ALWAYS_IN_PLACE, _ALWAYS_IN_PLACE),
    "CONVERT TO CHARACTER SET": (_ALWAYS_COPY, _ALWAYS_COPY),
    "another default character set": (_ALWAYS_IN_PLACE, _INSTANT_SINCE_10_3),
    "another ROW_FORMAT": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "the same ENGINE again": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "another ENGINE": (_ALWAYS_COPY, _ALWAYS_COPY),
    "another option": (_ALWAYS_IN_PLACE, _INSTANT_SINCE_10_3),
    "a rebuild": (_ALWAYS_REBUILD, _ALWAYS_REBUILD),
    "partitions of all rows": (_ALWAYS_COPY, _ALWAYS_COPY),
}
_INSTANT_COLUMNS = ("a column added at the end", "a column added in between", "a column dropped", "a column moved")
_LONG_WAYS = ("PARTITION BY", "REMOVE PARTITIONING", "ADD SYSTEM VERSIONING", "DROP SYSTEM VERSIONING", "ORDER BY")


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation does to a table, by its form in FACTS, and what that costs; `because` of the table, if so."""

    form: str
    cost: Cost
    because: str = ""


def cost(form: str, history: History) -> Cost:
    """Return what a form of change costs on the history's server."""
    since = FACTS[form][history.dialect == "mariadb"]
    return next(each for version, each in since if history.version >= version)


def change(
    operation: op.Operation, schema: Schema, history: History, *, unchecked: bool = False, replaces_key: bool = False
) -> Change | None:
    """Return how the server carries an operation on a known table out; None when it costs nothing that grows with it.

    `unchecked`: foreign_key_checks is off. `replaces_key`: the statement drops a primary key and adds one.
    """
    table = schema.tables.get(getattr(operation, "table", "")) or Table("")
    form = _form(operation, table, history, unchecked, replaces_key)
    if not form:
        return None
    found = Change(form, cost(form, history))
    fulltext = any(index.method == "fulltext" for index in table.indexes)
    if form in _INSTANT_COLUMNS and found.cost == INSTANT:
        if table.option("row_format") == "compressed":
            found = Change(form, REBUILD, "ROW_FORMAT=COMPRESSED")
        elif fulltext:
            found = Change(form, REBUILD, "its FULLTEXT index")
    if fulltext and found.cost == REBUILD:
        found = replace(found, cost=REBUILD_SHARED, because=found.because or "its FULLTEXT index")
    return found


def _form(operation: op.Operation, table: Table, history: History, unchecked: bool, replaces_key: bool) -> str:
    match operation:
        case op.AddColumn():
            return _added(operation, table)
        case op.DropColumn(name=name):
            column = table.column(name)
            virtual = column is not None and column.generated is not None and not column.stored
            return "a virtual column dropped" if virtual else "a column dropped"
        case op.RenameColumn():
            return "a column renamed"
        case op.ModifyColumn():
            return max(_modified(operation, table, history), key=lambda form: _weight(cost(form, history)), default="")
        case op.AlterColumnType():
            return "another type"
        case op.SetDefault():
            return "a default or comment changed"
        case op.SetNotNull():
            return "NOT NULL set"
        case op.DropNotNull():
            return "NOT NULL dropped"
        case op.CreateIndex(index=index):
            return _index_form(index.method, table)
        case op.DropIndex():
            return "an index dropped"
        case op.RenameIndex():
            return "an index renamed"
        case op.AddConstraint(constraint=constraint):
            return _constraint_form(constraint, unchecked, replaces_key)
        case op.DropConstraint(name="PRIMARY"):
            return "the primary key replaced" if replaces_key else _dropped_key_form(table)
        case op.DropConstraint():
            return "a foreign key or CHECK dropped"
        case op.ValidateConstraint():
            return "a CHECK enforced"
        case op.SetTableOptions():
            return _option_form(operation, table)
        case op.RewriteTable(how=how):
            return "partitions of all rows" if how in _LONG_WAYS else "a rebuild"
        case _:
            return ""


def _weight(one: Cost) -> tuple[int, bool, bool]:
    return _ORDER.index(one.algorithm), one.blocks_writes, one.rebuilds


def _added(operation: op.AddColumn, table: Table) -> str:
    column = operation.definition
    if column.auto_increment:
        return "an AUTO_INCREMENT column added"
    if column.generated is not None:
        return "a stored generated column added" if column.stored else "a virtual generated column added"
    last = table.columns[-1].name if table.columns else ""
    at_end = not operation.position or operation.position == f"AFTER {last}"
    return "a column added at the end" if at_end else "a column added in between"


def _index_form(method: str, table: Table) -> str:
    if method == "fulltext":
        first = not any(index.method == "fulltext" for index in table.indexes)
        return "the first FULLTEXT index added" if first else "a FULLTEXT index added"
    return "a SPATIAL index added" if method == "spatial" else "an index added"


def _constraint_form(constraint: Constraint, unchecked: bool, replaces_key: bool) -> str:
    match constraint.kind:
        case "foreign_key":
            return "a foreign key added unchecked" if unchecked else "a foreign key added"
        case "check":
            return "a CHECK added" if constraint.valid else "a CHECK added that is not enforced"
        case "primary_key":
            return "the primary key replaced" if replaces_key else "a primary key added"
        case _:
            return "an index added"


def _dropped_key_form(table: Table) -> str:
    """InnoDB takes the first unique key without NULLs for the primary key."""
    filled = {column.name for column in table.columns if column.not_null}
    others = (index for index in table.indexes if index.unique and index.name != "PRIMARY")
    beside = any(all(index.columns) and filled.issuperset(index.columns) for index in others)
    return "the primary key dropped beside a unique key" if beside else "the primary key dropped"


def _option_form(operation: op.SetTableOptions, table: Table) -> str:
    options = dict(operation.options)
    if operation.convert:
        return "CONVERT TO CHARACTER SET"
    if "engine" in options:
        known = table.option("engine") or "innodb"
        return "the same ENGINE again" if options["engine"] == known else "another ENGINE"
    if "row_format" in options or "key_block_size" in options:
        return "another ROW_FORMAT"
    return "another default character set" if options.keys() & {"charset", "collation"} else "another option"


def _modified(operation: op.ModifyColumn, table: Table, history: History) -> Iterator[str]:
    """Yield what MODIFY changes in a column; the whole definition counts where the old one is not known."""
    new, old = operation.definition, table.column(operation.name)
    if old is None:
        yield "another type"
        return
    if operation.position and _moves(operation, table):
        yield "a column moved"
    if new.not_null != old.not_null and new.name not in table.primary_key:
        yield "NOT NULL set" if new.not_null else "NOT NULL dropped"
    if new.type != old.type:
        yield _type_form(old, new, table, history)
    elif charset_of(new, table) != charset_of(old, table) and _is_text(new):
        yield "another character set of a column"
    if (new.generated, new.stored) != (old.generated, old.stored) or new.auto_increment != old.auto_increment:
        yield "another type"
    if (new.default, new.comment, new.on_update) != (old.default, old.comment, old.on_update):
        yield "a default or comment changed"


def _moves(operation: op.ModifyColumn, table: Table) -> bool:
    names = [column.name for column in table.columns]
    at = names.index(operation.name)
    before = f"AFTER {names[at - 1]}" if at else "FIRST"
    return operation.position != before


def _type_form(old: Column, new: Column, table: Table, history: History) -> str:
    before, after = enum_values(old), enum_values(new)
    if before and after and old.type.name[:4] == new.type.name[:4]:
        return _enum_form(before, after)
    if {old.type.name, new.type.name} <= {"varchar", "varbinary"} and old.type.name == new.type.name:
        if charset_of(new, table) != charset_of(old, table):
            return "another character set of a column"
        return _length_form(old, new, table, history)
    return "another type"


def _enum_form(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    appended = after[: len(before)] == before
    # More than 255 values, or one more byte of a SET's bits, need more room in each row.
    same_room = (len(before) > 255) == (len(after) > 255)
    return "values appended to an ENUM or SET" if appended and same_room else "values of an ENUM or SET changed"


def _length_form(old: Column, new: Column, table: Table, history: History) -> str:
    before, after = byte_length(old, table), byte_length(new, table)
    if after < before:
        return "another type"
    if before <= _ONE_BYTE_LENGTH < after:
        # MariaDB keeps the length of at most 127 bytes as it keeps longer ones (measured on 10.11).
        short = history.dialect == "mariadb" and history.version >= (10, 4, 3) and before <= _ONE_BYTE_LENGTH // 2
        return "a VARCHAR made longer" if short else "a VARCHAR made longer than 255 bytes"
    return "a VARCHAR made longer"


def byte_length(column: Column, table: Table) -> int:
    """Return how many bytes a VARCHAR may have, four for each character where the character set is not known."""
    size = 1 if column.type.name == "varbinary" else _BYTES.get(charset_of(column, table), 4)
    return (column.type.modifiers or (0,))[0] * size


def charset_of(column: Column, table: Table) -> str:
    """Return a column's character set: its own, that of its collation, or the table's; empty for the database's."""
    collation = column.collation.partition("_")[0]
    charset = column.charset or collation or table.option("charset") or table.option("collation").partition("_")[0]
    return "utf8mb3" if charset == "utf8" else charset


def enum_values(column: Column) -> tuple[str, ...]:
    """Return the values of an ENUM or SET, empty for any other type."""
    name = column.type.name
    return tuple(_ENUM_VALUE.findall(name)) if name.startswith(("enum(", "set(")) else ()


def _is_text(column: Column) -> bool:
    return column.type.name.startswith(("varchar", "char", "text", "tinytext", "mediumtext", "longtext", "enum", "set"))


def locks(operation: op.Operation, schema: Schema, history: History, *, unchecked: bool) -> Iterator[Lock]:
    """Yield the locks that outlast the moment in which any change of a table waits for its metadata lock."""
    if isinstance(operation, op.LockTable):
        yield Lock(operation.table, "ACCESS EXCLUSIVE" if operation.mode == "WRITE" else "SHARE")
    found = change(operation, schema, history, unchecked=unchecked)
    if found and (found.cost.blocks_writes or operation.lock in ("SHARED", "EXCLUSIVE")):
        yield Lock(getattr(operation, "table", ""), "ACCESS EXCLUSIVE" if operation.lock == "EXCLUSIVE" else "SHARE")
