"""MySQL's and MariaDB's text to Operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from backendgen.sql import operation as op
from backendgen.sql.cursor import Cursor
from backendgen.sql.mysql_alter import alter_table, clauses
from backendgen.sql.mysql_table import create_table
from backendgen.sql.rows_reader import delete, insert, relations_read, select, update
from backendgen.sql.statement_reader import Reader, by_first_word, transaction, translate, whole
from backendgen.sql.table_reader import make_index
from backendgen.sql.tokens import sentences

_ROUTINES = ("PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE")
_SETTINGS = ("SESSION", "GLOBAL", "LOCAL", "PERSIST", "PERSIST_ONLY")
_HARMLESS = (
    "USE", "ANALYZE", "CHECK", "CHECKSUM", "FLUSH", "GRANT", "REVOKE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "HELP",
    "KILL", "RESET", "UNLOCK", "SAVEPOINT", "RELEASE", "INSTALL", "UNINSTALL", "DEALLOCATE", "CACHE", "CHANGE", "START",
    "STOP", "PURGE", "BINLOG", "DO", "SIGNAL", "HANDLER", "PREPARE",
)  # fmt: skip
_UNKNOWN_EFFECT = {
    "CALL": "CALL runs a procedure whose effect is not known",
    "EXECUTE": "EXECUTE runs a prepared statement whose effect is not known",
    "SOURCE": "SOURCE runs SQL that is not in this text",
    "LOAD": "LOAD reads rows that are not in this text",
}


def parse(
    text: str, dialect: Literal["mysql", "mariadb"] = "mysql", spelling: dict[str, str] | None = None
) -> tuple[op.Operation, ...]:
    """Translate a text of MySQL or MariaDB statements into Operations, in order.

    `spelling` remembers how columns are written, from one text of a history to the next.

    Never raises: a statement that cannot be read is NotUnderstood, and the others still come through.
    """
    found: list[op.Operation] = []
    known = {} if spelling is None else spelling
    for ordinal, sentence in enumerate(sentences(text, backslashes=True)):
        found += translate(sentence, Cursor(sentence, ordinal, dialect, known), _statement)
    return tuple(found)


def _statement(cursor: Cursor) -> Iterable[op.Operation]:
    if cursor.peek("(") or cursor.peek("SELECT") or cursor.peek("VALUES") or cursor.peek("TABLE"):
        return select(cursor)
    return by_first_word(cursor, _READERS, _HARMLESS)


def _unknown(reason: str) -> Reader:
    return lambda cursor: whole(cursor, op.NotUnderstood(reason=reason, **cursor.fields))


def _with(cursor: Cursor) -> Iterable[op.Operation]:
    start = cursor.at
    verb = cursor.skip_to("SELECT", "UPDATE", "DELETE", "INSERT", "REPLACE") and cursor.next.value
    if verb in ("UPDATE", "DELETE"):
        cursor.at += 1
        return update(cursor) if verb == "UPDATE" else delete(cursor)
    cursor.at = start
    return select(cursor)


def _create(cursor: Cursor) -> Iterable[op.Operation]:
    replaced = cursor.accept("OR", "REPLACE")
    start = cursor.at
    while cursor.accept_any("ALGORITHM", "DEFINER", "SQL", "AGGREGATE"):  # of a view or routine
        if cursor.accept("SECURITY") or cursor.accept("FUNCTION"):
            cursor.accept_any("DEFINER", "INVOKER")
            continue
        cursor.expect("=")
        cursor.identifier()
        cursor.accept("(", ")")
        if cursor.next.value.startswith("@"):  # one token with the host, or a quoted host after it
            cursor.at += 1
            cursor.at += cursor.next.kind in ("name", "string")
    if any(cursor.accept(word) for word in _ROUTINES):
        return _routine(cursor, cursor.tokens[cursor.at - 1].value)
    if cursor.accept("VIEW"):
        return _view(cursor, replaced)
    cursor.at = start
    if cursor.peek("TEMPORARY") or cursor.peek("TABLE"):
        return create_table(cursor, replaced)
    if word := cursor.accept_any("UNIQUE", "FULLTEXT", "SPATIAL", "INDEX", "VECTOR"):
        if word != "INDEX":
            cursor.expect("INDEX")
        return _create_index(cursor, word)
    what = cursor.word()
    if what in ("DATABASE", "SCHEMA", "USER", "ROLE", "SERVER", "TABLESPACE", "SEQUENCE", "LOGFILE", "RESOURCE"):
        return whole(cursor, op.Harmless(what=f"CREATE {what}", **cursor.fields))
    raise cursor.unreadable("an object that can be created")


def _routine(cursor: Cursor, kind: str) -> Iterator[op.Operation]:
    table = ""
    if kind == "TRIGGER":
        cursor.skip_to("ON")
        cursor.expect("ON")
        table = cursor.qualified()
    cursor.skip_rest()
    yield op.Harmless(what=f"CREATE {kind}", table=table, **cursor.fields)


def _view(cursor: Cursor, replaced: bool) -> Iterator[op.Operation]:
    cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.qualified()
    cursor.skip_to("AS")
    cursor.expect("AS")
    start = cursor.at
    query = cursor.skip_rest()
    reads = relations_read(cursor, start, cursor.at)
    yield op.CreateView(name=name, query=query, reads=reads, replace=replaced, **cursor.fields)


def _create_index(cursor: Cursor, kind: str) -> Iterator[op.Operation]:
    soft = cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.identifier()
    method = kind.lower() if kind in ("FULLTEXT", "SPATIAL", "VECTOR") else "btree"
    if cursor.accept("USING"):
        method = cursor.identifier().lower()
    cursor.expect("ON")
    table = cursor.qualified()
    index = make_index(cursor, name, table, unique=kind == "UNIQUE", method=method)
    asked = clauses(cursor)
    yield op.CreateIndex(table=table, index=index, if_not_exists=soft, **asked, **cursor.fields)


def _drop(cursor: Cursor) -> Iterator[op.Operation]:
    temporary = cursor.accept("TEMPORARY")
    what = cursor.word()
    if what == "PREPARE":
        yield from whole(cursor, op.Harmless(what="DROP PREPARE", **cursor.fields))
        return
    if_exists = cursor.accept("IF", "EXISTS")
    if what == "INDEX":
        name = cursor.identifier()
        cursor.expect("ON")
        table = cursor.qualified()
        asked = clauses(cursor)
        yield op.DropIndex(index=name, table=table, if_exists=if_exists, **asked, **cursor.fields)
        return
    for _ in cursor.items():
        name = cursor.qualified()
        if cursor.next.value.startswith("@"):  # user@host
            cursor.at += 1
            cursor.skip_to(",")
        if what in ("TABLE", "TABLES"):
            yield op.DropTable(table=name, if_exists=if_exists, **cursor.fields)
        elif what == "DATABASE":
            yield op.Drop(object_type="schema", name=name, if_exists=if_exists, cascade=True, **cursor.fields)
        else:
            yield op.Drop(object_type=what.lower(), name=name, if_exists=if_exists, **cursor.fields)
    cursor.accept_any("CASCADE", "RESTRICT")
    if temporary:
        cursor.skip_rest()


def _rename(cursor: Cursor) -> Iterator[op.Operation]:
    if cursor.accept("USER"):
        yield from whole(cursor, op.Harmless(what="RENAME USER", **cursor.fields))
        return
    if not cursor.accept_any("TABLE", "TABLES"):
        raise cursor.unreadable("TABLE")
    cursor.accept("IF", "EXISTS")
    for _ in cursor.items():
        table = cursor.qualified()
        cursor.expect("TO")
        new_name = cursor.qualified()
        yield op.RenameTable(table=table, new_name=new_name.removeprefix(_database(table)), **cursor.fields)


def _database(table: str) -> str:
    return table[: table.rfind(".") + 1]


def _alter(cursor: Cursor) -> Iterable[op.Operation]:
    cursor.accept("ONLINE")
    cursor.accept("IGNORE")
    if cursor.accept("TABLE"):
        return alter_table(cursor)
    what = cursor.word()
    return whole(cursor, op.Harmless(what=f"ALTER {what}", **cursor.fields))


def _truncate(cursor: Cursor) -> Iterator[op.Operation]:
    cursor.accept("TABLE")
    yield op.Truncate(table=cursor.qualified(), **cursor.fields)


def _optimize(cursor: Cursor) -> Iterator[op.Operation]:
    cursor.accept_any("LOCAL", "NO_WRITE_TO_BINLOG")
    if not cursor.accept_any("TABLE", "TABLES"):
        raise cursor.unreadable("TABLE")
    for _ in cursor.items():
        yield op.RewriteTable(table=cursor.qualified(), how="OPTIMIZE TABLE", **cursor.fields)
    cursor.skip_rest()


def _lock(cursor: Cursor) -> Iterator[op.Operation]:
    if not cursor.accept_any("TABLE", "TABLES"):
        cursor.skip_rest()
        yield op.Harmless(what="LOCK INSTANCE", **cursor.fields)
        return
    for _ in cursor.items():
        table = cursor.qualified()
        mode = cursor.skip_to(",").upper().split()[-1:]
        yield op.LockTable(table=table, mode="READ" if mode in (["READ"], ["LOCAL"]) else "WRITE", **cursor.fields)


def _set(cursor: Cursor) -> Iterator[op.Operation]:
    if cursor.peek("TRANSACTION") or cursor.peek("NAMES") or cursor.peek("CHARACTER") or cursor.peek("PASSWORD"):
        yield from whole(cursor, op.Harmless(what="SET", **cursor.fields))
        return
    for _ in cursor.items():
        cursor.accept_any(*_SETTINGS)
        name = cursor.qualified().lower().rpartition(".")[2].lstrip("@")
        if not cursor.accept(":="):
            cursor.expect("=")
        value = cursor.skip_to(",")
        if not value:
            raise cursor.unreadable("a value")
        yield op.SetSetting(name=name, value=value, **cursor.fields)


def _start(cursor: Cursor) -> Iterable[op.Operation]:
    if cursor.peek("TRANSACTION"):
        return transaction("begin")(cursor)
    return whole(cursor, op.Harmless(what="START", **cursor.fields))


_READERS: dict[str, Reader] = {
    **{word: _unknown(reason) for word, reason in _UNKNOWN_EFFECT.items()},
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "RENAME": _rename,
    "TRUNCATE": _truncate,
    "OPTIMIZE": _optimize,
    "LOCK": _lock,
    "SET": _set,
    "INSERT": insert,
    "REPLACE": lambda cursor: insert(cursor, "replace"),
    "UPDATE": update,
    "DELETE": delete,
    "WITH": _with,
    "BEGIN": transaction("begin"),
    "START": _start,
    "COMMIT": transaction("commit"),
    "ROLLBACK": transaction("rollback"),
}
