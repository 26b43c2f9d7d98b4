"""SQLite's text to Operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendgen.sql import operation as op
from backendgen.sql.cursor import Cursor
from backendgen.sql.rows_reader import delete, insert, relations_read, select, update
from backendgen.sql.schema import Column, Constraint, ConstraintKind
from backendgen.sql.statement_reader import Reader, by_first_word, transaction, translate, whole
from backendgen.sql.table_reader import check, column_definition, index_keys, make_index, references
from backendgen.sql.tokens import sentences

_CONSTRAINTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN")
_HARMLESS = ("ANALYZE", "REINDEX", "EXPLAIN", "SAVEPOINT", "RELEASE", "DETACH", "VACUUM", "ATTACH")


def parse(text: str, spelling: dict[str, str] | None = None) -> tuple[op.Operation, ...]:
    """Translate a text of SQLite statements into Operations, in order.

    `spelling` remembers how names are written, from one text of a history to the next.

    Never raises: a statement that cannot be read is NotUnderstood, and the others still come through.
    """
    found: list[op.Operation] = []
    known = {} if spelling is None else spelling
    for ordinal, sentence in enumerate(sentences(text, backslashes=False)):
        found += translate(sentence, Cursor(sentence, ordinal, "sqlite", known), _statement)
    return tuple(found)


def _statement(cursor: Cursor) -> Iterable[op.Operation]:
    if cursor.peek("SELECT") or cursor.peek("VALUES"):
        return select(cursor)
    if cursor.peek("."):
        return _shell(cursor)
    return by_first_word(cursor, _READERS, _HARMLESS)


def _shell(cursor: Cursor) -> Iterator[op.Operation]:
    yield from whole(
        cursor, op.NotUnderstood(reason="a command of the sqlite3 shell is not known here", **cursor.fields)
    )


def _with(cursor: Cursor) -> Iterable[op.Operation]:
    start = cursor.at
    cursor.skip_to("SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE", "VALUES")
    if reader := _READERS.get(cursor.next.value):
        cursor.at += 1
        return reader(cursor)
    cursor.at = start
    return select(cursor)


def _create(cursor: Cursor) -> Iterable[op.Operation]:
    temporary = bool(cursor.accept_any("TEMP", "TEMPORARY"))
    what = cursor.accept_any("TABLE", "UNIQUE", "INDEX", "VIEW", "TRIGGER", "VIRTUAL")
    if what == "UNIQUE":
        cursor.expect("INDEX")
    if what == "VIRTUAL":
        cursor.expect("TABLE")
    soft = cursor.accept("IF", "NOT", "EXISTS")
    match what:
        case "TABLE":
            return _create_table(cursor, temporary, soft)
        case "UNIQUE" | "INDEX":
            return _create_index(cursor, what == "UNIQUE", soft)
        case "VIEW":
            return _create_view(cursor)
        case "TRIGGER":
            return _create_trigger(cursor)
        case "VIRTUAL":
            return whole(cursor, op.CreateTable(table=cursor.qualified(), if_not_exists=soft, **cursor.fields))
        case _:
            raise cursor.unreadable("TABLE, INDEX, VIEW or TRIGGER")


def _create_table(cursor: Cursor, temporary: bool, soft: bool) -> Iterator[op.Operation]:
    table = cursor.qualified()
    columns: list[Column] = []
    constraints: list[Constraint] = []
    if cursor.accept("AS"):
        cursor.skip_rest()
        yield op.CreateTable(table=table, temporary=temporary, if_not_exists=soft, **cursor.fields)
        return
    cursor.expect("(")
    for _ in cursor.items():
        if cursor.next.kind == "word" and cursor.next.value in _CONSTRAINTS:
            constraints += _constraints(cursor)
        else:
            found = column_definition(cursor, table)
            columns.append(found.column)
            constraints += [*found.constraints, *_constraints(cursor)]
    cursor.expect(")")
    options = []
    for _ in cursor.items():
        if cursor.accept("WITHOUT"):
            cursor.expect("ROWID")
            options.append(("without rowid", "1"))
        elif cursor.accept("STRICT"):
            options.append(("strict", "1"))
    yield op.CreateTable(
        table=table, columns=tuple(columns), constraints=tuple(constraints), temporary=temporary, if_not_exists=soft,
        options=tuple(options), **cursor.fields,
    )  # fmt: skip


def _constraints(cursor: Cursor) -> Iterator[Constraint]:
    """Read table constraints; SQLite does not insist on commas between them."""
    while cursor.next.kind == "word" and cursor.next.value in _CONSTRAINTS:
        name = cursor.identifier() if cursor.accept("CONSTRAINT") else ""
        word = cursor.accept_any(*_CONSTRAINTS)
        line = cursor.sentence.line
        if word == "CHECK":
            yield check(cursor, name)
        elif word == "FOREIGN":
            cursor.expect("KEY")
            columns = cursor.names()
            cursor.expect("REFERENCES")
            yield references(cursor, name, columns)
        elif word in ("PRIMARY", "UNIQUE"):
            if word == "PRIMARY":
                cursor.expect("KEY")
            keys, _ = index_keys(cursor)
            cursor.accept("AUTOINCREMENT")
            if cursor.accept("ON", "CONFLICT"):
                cursor.identifier()
            columns = tuple(key.column for key in keys)
            kind: ConstraintKind = "primary_key" if word == "PRIMARY" else "unique"
            own = "PRIMARY" if word == "PRIMARY" else "_".join(columns)
            yield Constraint(kind, name or own, columns, named=bool(name), line=line)
        else:
            raise cursor.unreadable("a constraint")


def _create_index(cursor: Cursor, unique: bool, soft: bool) -> Iterator[op.Operation]:
    name = cursor.qualified()
    cursor.expect("ON")
    table = cursor.qualified()
    index = make_index(cursor, name, table, unique=unique)
    if cursor.accept("WHERE"):
        start = cursor.at
        where = cursor.skip_rest()
        named = (*index.expression_columns, *cursor.words_in(start, cursor.at))
        index = replace(index, where=where, expression_columns=tuple(dict.fromkeys(named)))
    yield op.CreateIndex(table=table, index=index, if_not_exists=soft, **cursor.fields)


def _create_view(cursor: Cursor) -> Iterator[op.Operation]:
    name = cursor.qualified()
    cursor.skip_to("AS")
    cursor.expect("AS")
    start = cursor.at
    query = cursor.skip_rest()
    yield op.CreateView(name=name, query=query, reads=relations_read(cursor, start, cursor.at), **cursor.fields)


def _create_trigger(cursor: Cursor) -> Iterator[op.Operation]:
    cursor.skip_to("ON")
    cursor.expect("ON")
    table = cursor.qualified()
    cursor.skip_rest()
    yield op.Harmless(what="CREATE TRIGGER", table=table, **cursor.fields)


def _drop(cursor: Cursor) -> Iterator[op.Operation]:
    what = cursor.accept_any("TABLE", "INDEX", "VIEW", "TRIGGER")
    if not what:
        raise cursor.unreadable("TABLE, INDEX, VIEW or TRIGGER")
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.qualified()
    if what == "TABLE":
        yield op.DropTable(table=name, if_exists=if_exists, **cursor.fields)
    elif what == "INDEX":
        yield op.DropIndex(index=name, if_exists=if_exists, **cursor.fields)
    else:
        yield op.Drop(object_type=what.lower(), name=name, if_exists=if_exists, **cursor.fields)


def _alter(cursor: Cursor) -> Iterator[op.Operation]:
    cursor.expect("TABLE")
    table = cursor.qualified()
    match cursor.accept_any("RENAME", "ADD", "DROP"):
        case "RENAME" if cursor.accept("TO"):
            yield op.RenameTable(table=table, new_name=cursor.identifier(), **cursor.fields)
        case "RENAME":
            cursor.accept("COLUMN")
            name = cursor.identifier()
            cursor.expect("TO")
            yield op.RenameColumn(table=table, name=name, new_name=cursor.identifier(), **cursor.fields)
        case "ADD":
            cursor.accept("COLUMN")
            found = column_definition(cursor, table)
            yield op.AddColumn(
                table=table, definition=found.column, constraints=tuple(found.constraints), **cursor.fields
            )
        case "DROP":
            cursor.accept("COLUMN")
            yield op.DropColumn(table=table, name=cursor.identifier(), **cursor.fields)
        case _:
            raise cursor.unreadable("RENAME, ADD or DROP")


def _pragma(cursor: Cursor) -> Iterator[op.Operation]:
    name = cursor.qualified().lower()
    if cursor.accept("="):
        value: str | None = cursor.skip_rest()
    elif cursor.peek("("):
        value = cursor.skip_parentheses()
    else:
        value = None
    yield op.SetSetting(name=name.rpartition(".")[2], value=value, **cursor.fields)


_READERS: dict[str, Reader] = {
    "CREATE": _create,
    "DROP": _drop,
    "ALTER": _alter,
    "PRAGMA": _pragma,
    "INSERT": insert,
    "REPLACE": lambda cursor: insert(cursor, "replace"),
    "UPDATE": update,
    "DELETE": delete,
    "WITH": _with,
    "BEGIN": transaction("begin"),
    "COMMIT": transaction("commit"),
    "END": transaction("commit"),
    "ROLLBACK": transaction("rollback"),
}
