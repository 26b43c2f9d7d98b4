"""ALTER TABLE of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from backendgen.sql import operation as op
from backendgen.sql.cursor import Cursor
from backendgen.sql.mysql_table import index_options, is_key, key, table_option
from backendgen.sql.schema import Constraint
from backendgen.sql.table_reader import Definition, column_definition, default_value

# What a partition's maintenance costs: the first copy rows, the others touch the catalog or drop files.
_COPYING = ("REORGANIZE", "COALESCE", "REBUILD", "OPTIMIZE", "REPAIR")
_PARTITIONS = ("TRUNCATE", "EXCHANGE", "ANALYZE", "CHECK", "DISCARD", "IMPORT")


def clauses(cursor: Cursor) -> dict[str, Any]:
    """Read ALGORITHM, LOCK and MariaDB's WAIT after CREATE and DROP INDEX."""
    asked: dict[str, Any] = {}
    while not cursor.done:
        at = cursor.at
        index_options(cursor)
        asked |= _clause(cursor)
        if cursor.at == at:
            break
    return asked


def _clause(cursor: Cursor) -> dict[str, Any]:
    if word := cursor.accept_any("ALGORITHM", "LOCK"):
        cursor.accept("=")
        return {word.lower(): cursor.identifier().upper()}
    if cursor.accept("WAIT"):
        cursor.at += 1
    cursor.accept("NOWAIT")
    return {}


def alter_table(cursor: Cursor) -> Iterator[op.Operation]:
    """Read an ALTER TABLE from the table's name on."""
    cursor.accept("IF", "EXISTS")
    table = cursor.qualified()
    _clause(cursor)
    found: list[op.Operation] = []
    asked: dict[str, Any] = {}
    if not cursor.done:
        for _ in cursor.items():
            if clause := _clause(cursor):
                asked |= clause
            else:
                found += _action(cursor, table)
                while more := table_option(cursor):  # options follow each other without commas
                    found.append(op.SetTableOptions(table=table, options=(more,), **cursor.fields))
    if cursor.peek("PARTITION", "BY") or cursor.peek("REMOVE", "PARTITIONING"):
        found.append(op.RewriteTable(table=table, how=_partitioning(cursor), **cursor.fields))
    yield from (replace(each, **asked) for each in found) if asked else found


def _partitioning(cursor: Cursor) -> str:
    how = f"{cursor.next.value} {cursor.tokens[cursor.at + 1].value}"
    cursor.skip_rest()
    return how


def _action(cursor: Cursor, table: str) -> Iterator[op.Operation]:
    """Read one of the actions that commas part."""
    word = cursor.accept_any(
        "ADD", "DROP", "MODIFY", "CHANGE", "RENAME", "ALTER", "CONVERT", "FORCE", "ORDER", "ENABLE", "DISABLE", "DISCARD",
        "IMPORT", "WITH", "WITHOUT", *_COPYING, *_PARTITIONS,
    )  # fmt: skip
    match word:
        case "ADD":
            yield from _add(cursor, table)
        case "DROP":
            yield from _drop(cursor, table)
        case "MODIFY" | "CHANGE":
            yield from _modify(cursor, table, word)
        case "RENAME":
            yield from _rename(cursor, table)
        case "ALTER":
            yield from _alter(cursor, table)
        case "CONVERT":
            yield _convert(cursor, table)
        case "FORCE":
            yield op.RewriteTable(table=table, how="FORCE", **cursor.fields)
        case "ORDER":
            cursor.expect("BY")
            cursor.skip_to()
            yield op.RewriteTable(table=table, how="ORDER BY", **cursor.fields)
        case "":
            yield from _other(cursor, table)
        case _ if word in _COPYING:
            cursor.expect("PARTITION")
            cursor.skip_rest()
            yield op.RewriteTable(table=table, how=f"{word} PARTITION", **cursor.fields)
        case _:
            cursor.skip_to(",") if word in ("ENABLE", "DISABLE", "WITH", "WITHOUT") else cursor.skip_rest()
            yield op.Harmless(what=f"ALTER TABLE {word}", table=table, **cursor.fields)


def _other(cursor: Cursor, table: str) -> Iterator[op.Operation]:
    """Read a table option, or leave PARTITION BY to the end."""
    if cursor.peek("PARTITION", "BY") or cursor.peek("REMOVE", "PARTITIONING"):
        return
    option = table_option(cursor)
    if option is None:
        raise cursor.unreadable("an action of ALTER TABLE")
    yield op.SetTableOptions(table=table, options=(option,), **cursor.fields)


def _add(cursor: Cursor, table: str) -> Iterator[op.Operation]:
    if cursor.accept("PARTITION"):
        cursor.skip_rest()
        yield op.Harmless(what="ALTER TABLE ADD PARTITION", table=table, **cursor.fields)
        return
    if cursor.accept("SYSTEM", "VERSIONING") or cursor.accept("PERIOD", "FOR"):
        cursor.skip_to(",")
        yield op.RewriteTable(table=table, how="ADD SYSTEM VERSIONING", **cursor.fields)
        return
    if is_key(cursor):
        found = key(cursor, table)
        if isinstance(found, Constraint):
            yield op.AddConstraint(table=table, constraint=found, **cursor.fields)
        else:
            yield op.CreateIndex(table=table, index=found, named=bool(found.name), **cursor.fields)
        return
    cursor.accept("COLUMN")
    soft = cursor.accept("IF", "NOT", "EXISTS")
    if cursor.accept("("):
        for _ in cursor.items():
            if is_key(cursor):
                yield from _add(cursor, table)
            else:
                yield _column(cursor, table, column_definition(cursor, table), soft)
        cursor.expect(")")
        return
    yield _column(cursor, table, column_definition(cursor, table), soft)


def _column(cursor: Cursor, table: str, found: Definition, soft: bool) -> op.AddColumn:
    return op.AddColumn(
        table=table, definition=found.column, constraints=tuple(found.constraints), if_not_exists=soft,
        position=found.position, **cursor.fields,
    )  # fmt: skip


def _drop(cursor: Cursor, table: str) -> Iterator[op.Operation]:
    fields = cursor.fields
    if cursor.accept("PRIMARY", "KEY"):
        yield op.DropConstraint(table=table, name="PRIMARY", **fields)
        return
    if cursor.accept("PARTITION"):
        cursor.skip_rest()
        yield op.Harmless(what="ALTER TABLE DROP PARTITION", table=table, **fields)
        return
    if cursor.accept("SYSTEM", "VERSIONING"):
        yield op.RewriteTable(table=table, how="DROP SYSTEM VERSIONING", **fields)
        return
    word = cursor.accept_any("INDEX", "KEY", "FOREIGN", "CONSTRAINT", "CHECK", "COLUMN")
    if word == "FOREIGN":
        cursor.expect("KEY")
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    if word in ("INDEX", "KEY"):
        yield op.DropIndex(index=name, table=table, if_exists=if_exists, **fields)
    elif word in ("FOREIGN", "CONSTRAINT", "CHECK"):
        yield op.DropConstraint(table=table, name=name, if_exists=if_exists, **fields)
    else:
        cursor.accept_any("CASCADE", "RESTRICT")
        yield op.DropColumn(table=table, name=name, if_exists=if_exists, **fields)


def _modify(cursor: Cursor, table: str, word: str) -> Iterator[op.Operation]:
    cursor.accept("COLUMN")
    cursor.accept("IF", "EXISTS")
    old = cursor.identifier() if word == "CHANGE" else ""
    found = column_definition(cursor, table)
    name = found.column.name
    if old and old != name:
        yield op.RenameColumn(table=table, name=old, new_name=name, **cursor.fields)
    yield op.ModifyColumn(
        table=table, name=name, definition=found.column, constraints=tuple(found.constraints),
        position=found.position, said=frozenset(found.said), **cursor.fields,
    )  # fmt: skip


def _rename(cursor: Cursor, table: str) -> Iterator[op.Operation]:
    word = cursor.accept_any("COLUMN", "INDEX", "KEY", "TO", "AS", "=")
    if word in ("COLUMN", "INDEX", "KEY"):
        cursor.accept("IF", "EXISTS")
        name = cursor.identifier()
        cursor.expect("TO")
        if word == "COLUMN":
            yield op.RenameColumn(table=table, name=name, new_name=cursor.identifier(), **cursor.fields)
        else:
            yield op.RenameIndex(index=name, table=table, new_name=cursor.identifier(), **cursor.fields)
        return
    yield op.RenameTable(table=table, new_name=cursor.qualified().rpartition(".")[2], **cursor.fields)


def _alter(cursor: Cursor, table: str) -> Iterator[op.Operation]:
    fields = cursor.fields
    if cursor.accept_any("INDEX", "KEY"):
        cursor.accept("IF", "EXISTS")
        cursor.identifier()
        cursor.accept("NOT")
        if not cursor.accept_any("VISIBLE", "INVISIBLE", "IGNORED"):
            raise cursor.unreadable("VISIBLE or INVISIBLE")
        yield op.Harmless(what="ALTER TABLE ALTER INDEX", table=table, **fields)
        return
    if cursor.accept_any("CHECK", "CONSTRAINT"):
        name = cursor.identifier()
        enforced = not cursor.accept("NOT")
        cursor.expect("ENFORCED")
        if enforced:
            yield op.ValidateConstraint(table=table, name=name, **fields)
        else:
            yield op.Harmless(what="ALTER TABLE ALTER CHECK NOT ENFORCED", table=table, **fields)
        return
    cursor.accept("COLUMN")
    cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    if cursor.accept("DROP", "DEFAULT"):
        yield op.SetDefault(table=table, name=name, default=None, **fields)
    elif cursor.accept("SET", "DEFAULT"):
        yield op.SetDefault(table=table, name=name, default=default_value(cursor), **fields)
    else:
        cursor.expect("SET")
        if not cursor.accept_any("VISIBLE", "INVISIBLE"):
            raise cursor.unreadable("DEFAULT")
        yield op.Harmless(what="ALTER TABLE ALTER COLUMN SET VISIBLE", table=table, **fields)


def _convert(cursor: Cursor, table: str) -> op.Operation:
    cursor.expect("TO")
    option = table_option(cursor)
    if option is None or option[0] != "charset":
        raise cursor.unreadable("CHARACTER SET")
    options = [option]
    if cursor.accept("COLLATE"):
        cursor.accept("=")
        options.append(("collation", cursor.next.value.lower()))
        cursor.at += 1
    return op.SetTableOptions(table=table, options=tuple(options), convert=True, **cursor.fields)
