"""CREATE TABLE of MySQL and MariaDB, and what ALTER TABLE shares with it."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.sql import operation as op
from backendgen.sql.cursor import Cursor
from backendgen.sql.schema import Column, Constraint, ConstraintKind, Index
from backendgen.sql.table_reader import check, column_definition, make_index, references

KEY_WORDS = ("PRIMARY", "UNIQUE", "INDEX", "KEY", "FULLTEXT", "SPATIAL", "FOREIGN", "CHECK", "CONSTRAINT", "VECTOR")
_OPTION_WORDS = {
    ("DEFAULT", "CHARACTER", "SET"): "charset", ("CHARACTER", "SET"): "charset", ("DEFAULT", "CHARSET"): "charset",
    ("CHARSET",): "charset", ("DEFAULT", "COLLATE"): "collation", ("COLLATE",): "collation",
    ("DATA", "DIRECTORY"): "data directory", ("INDEX", "DIRECTORY"): "index directory", ("ENGINE",): "engine",
    ("TYPE",): "engine", ("START", "TRANSACTION"): "start transaction",
}  # fmt: skip
_OPTIONS = (
    "AUTOEXTEND_SIZE", "AUTO_INCREMENT", "AVG_ROW_LENGTH", "CHECKSUM", "COMMENT", "COMPRESSION", "CONNECTION",
    "DELAY_KEY_WRITE", "ENCRYPTION", "ENCRYPTED", "ENCRYPTION_KEY_ID", "ENGINE_ATTRIBUTE", "INSERT_METHOD",
    "KEY_BLOCK_SIZE", "MAX_ROWS", "MIN_ROWS", "PACK_KEYS", "PAGE_CHECKSUM", "PAGE_COMPRESSED", "PAGE_COMPRESSION_LEVEL",
    "PASSWORD", "ROW_FORMAT", "SECONDARY_ENGINE", "SECONDARY_ENGINE_ATTRIBUTE", "STATS_AUTO_RECALC", "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES", "TABLESPACE", "TRANSACTIONAL", "UNION", "SEQUENCE",
)  # fmt: skip


def create_table(cursor: Cursor, replaced: bool = False) -> Iterator[op.Operation]:
    """Read a CREATE TABLE from its second word on."""
    temporary = cursor.accept("TEMPORARY")
    cursor.expect("TABLE")
    soft = cursor.accept("IF", "NOT", "EXISTS")
    table = cursor.qualified()
    if replaced:
        yield op.DropTable(table=table, if_exists=True, **cursor.fields)
    columns: list[Column] = []
    constraints: list[Constraint] = []
    indexes: list[Index] = []
    like: tuple[op.Like, ...] = ()
    if cursor.accept("LIKE") or cursor.accept("(", "LIKE"):
        like = (op.Like(cursor.qualified(), defaults=True, generated=True, indexes=True),)
        cursor.accept(")")
    elif cursor.peek("(") and not cursor.peek("(", "SELECT"):
        cursor.expect("(")
        for _ in cursor.items():
            if is_key(cursor):
                found = key(cursor, table)
                constraints += [found] if isinstance(found, Constraint) else []
                indexes += [found] if isinstance(found, Index) else []
            elif cursor.accept("PERIOD", "FOR"):
                cursor.identifier()
                cursor.names()
            else:
                definition = column_definition(cursor, table)
                columns.append(definition.column)
                constraints += definition.constraints
        cursor.expect(")")
    options = tuple(table_options(cursor))
    partitioned = cursor.peek("PARTITION")
    if partitioned or cursor.next.value in ("AS", "SELECT", "IGNORE", "REPLACE", "WITH", "("):
        cursor.skip_rest()
    yield op.CreateTable(
        table=table, columns=tuple(columns), constraints=tuple(constraints), indexes=tuple(indexes), like=like,
        partitioned=partitioned, temporary=temporary, if_not_exists=soft, options=options, **cursor.fields,
    )  # fmt: skip


def is_key(cursor: Cursor) -> bool:
    """Whether a key or constraint comes next, and no column of such a name (KEY and CHECK need quotes as names)."""
    return cursor.next.kind == "word" and cursor.next.value in KEY_WORDS


def key(cursor: Cursor, table: str) -> Constraint | Index:
    """Read a key or constraint as CREATE TABLE and ADD write it."""
    name, line = "", cursor.sentence.line
    if cursor.accept("CONSTRAINT") and not any(cursor.peek(word) for word in KEY_WORDS[:8]):
        cursor.accept("IF", "NOT", "EXISTS")
        name = cursor.identifier()
    word = cursor.accept_any(*KEY_WORDS)
    if word == "CHECK":
        return check(cursor, name)
    if word == "FOREIGN":
        cursor.expect("KEY")
        cursor.accept("IF", "NOT", "EXISTS")
        index = "" if cursor.peek("(") else cursor.identifier()
        columns = cursor.names()
        cursor.expect("REFERENCES")
        return references(cursor, name or index, columns)
    if word == "PRIMARY":
        cursor.expect("KEY")
    elif word != "KEY":
        cursor.accept_any("INDEX", "KEY")
    cursor.accept("IF", "NOT", "EXISTS")
    if not cursor.peek("(") and not cursor.peek("USING"):
        name = cursor.identifier() or name
    method = cursor.identifier().lower() if cursor.accept("USING") else "btree"
    method = word.lower() if word in ("FULLTEXT", "SPATIAL", "VECTOR") else method
    index_ = make_index(cursor, name, table, unique=word == "UNIQUE", method=method)
    index_options(cursor)
    if word in ("PRIMARY", "UNIQUE") and all(index_.columns):
        kind: ConstraintKind = "primary_key" if word == "PRIMARY" else "unique"
        own = "PRIMARY" if word == "PRIMARY" else name
        return Constraint(kind, own, index_.columns, named=bool(own), line=line)
    return index_


def index_options(cursor: Cursor) -> None:
    """Read what may follow an index's keys."""
    while word := cursor.accept_any("USING", "COMMENT", "KEY_BLOCK_SIZE", "WITH", "VISIBLE", "INVISIBLE", "IGNORED",
                                    "NOT", "CLUSTERING"):  # fmt: skip
        if word == "COMMENT":
            cursor.string()
        elif word in ("USING", "KEY_BLOCK_SIZE", "CLUSTERING"):
            cursor.accept("=")
            cursor.at += 1
        elif word == "WITH":
            cursor.expect("PARSER")
            cursor.identifier()
        elif word == "NOT":
            cursor.expect("IGNORED")


def table_option(cursor: Cursor) -> tuple[str, str] | None:
    """Read one table option: its name and value in lower case; None when none comes."""
    name = ""
    for words, meaning in _OPTION_WORDS.items():
        if cursor.accept(*words):
            name = meaning
            break
    else:
        name = cursor.accept_any(*_OPTIONS).lower()
    if not name:
        return None
    cursor.accept("=")
    if cursor.peek("("):
        return name, cursor.skip_parentheses()
    if name == "start transaction":
        return name, ""
    token = cursor.next
    if cursor.done:
        raise cursor.unreadable("a value")
    cursor.at += 1
    return name, token.value if token.kind == "string" and name == "comment" else token.value.lower()


def table_options(cursor: Cursor) -> Iterator[tuple[str, str]]:
    """Read the table options that come next, with or without commas between them."""
    while True:
        at = cursor.at
        cursor.accept(",")
        if cursor.accept("WITH", "SYSTEM", "VERSIONING"):
            continue
        option = table_option(cursor)
        if option is None:
            cursor.at = at
            return
        yield option
