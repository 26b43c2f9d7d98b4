"""Column definitions, keys and constraints of MySQL, MariaDB and SQLite, read from tokens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from backendgen.sql.cursor import Cursor, plain_type, type_arguments
from backendgen.sql.schema import Column, Constraint, Index, IndexKey, Type

_SYNONYMS = {
    "integer": "int", "int4": "int", "int1": "tinyint", "int2": "smallint", "int3": "mediumint", "int8": "bigint",
    "middleint": "mediumint", "bool": "tinyint", "boolean": "tinyint", "dec": "decimal", "numeric": "decimal",
    "fixed": "decimal", "double precision": "double", "real": "double", "float8": "double", "float4": "float",
    "character varying": "varchar", "char varying": "varchar", "nvarchar": "varchar", "national varchar": "varchar",
    "character": "char", "nchar": "char", "national char": "char", "long": "mediumtext", "long varchar": "mediumtext",
    "long varbinary": "mediumblob",
}  # fmt: skip
_TWO_WORDS = {
    "DOUBLE": ("PRECISION",), "CHARACTER": ("VARYING",), "CHAR": ("VARYING",), "LONG": ("VARCHAR", "VARBINARY"),
    "NATIONAL": ("CHAR", "VARCHAR"),
}  # fmt: skip
_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
_SQLITE_ATTRIBUTES = (
    "CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS",
    ",", ")",
)  # fmt: skip
_ACTIONS = ("CASCADE", "RESTRICT", "SET", "NO")


@dataclass(slots=True)
class Definition:
    """A column as it is being read, with what is written inline beside it."""

    column: Column
    constraints: list[Constraint] = field(default_factory=list)
    position: str = ""
    said: set[str] = field(default_factory=set)


def column_type(cursor: Cursor) -> tuple[Type, dict[str, Any]]:
    """Read a column's type, and the attributes that MySQL writes into it."""
    if cursor.dialect == "sqlite":
        return _sqlite_type(cursor), {}
    words = [cursor.identifier().lower()]
    if second := cursor.accept_any(*_TWO_WORDS.get(words[0].upper(), ())):
        words.append(second.lower())
    written = " ".join(words)
    if written == "serial":
        return Type("bigint unsigned"), {"not_null": True, "auto_increment": True}
    modifiers, other = type_arguments(cursor) if cursor.peek("(") else ((), "")
    name = _SYNONYMS.get(written, written)
    if name in _INTEGERS:
        modifiers = ()
    elif name == "decimal":
        modifiers = (*modifiers, *(10, 0)[len(modifiers) :])
    elif name in ("char", "binary", "bit") and not modifiers:
        modifiers = (1,)
    attributes: dict[str, Any] = {}
    unsigned = False
    while word := cursor.accept_any("UNSIGNED", "SIGNED", "ZEROFILL", "CHARACTER", "CHARSET", "COLLATE", "BINARY",
                                    "ASCII", "UNICODE"):  # fmt: skip
        unsigned = unsigned or word in ("UNSIGNED", "ZEROFILL")
        attributes |= _character_set(cursor, word)
    return plain_type(f"{name} unsigned" if unsigned else name, modifiers, other), attributes


def _character_set(cursor: Cursor, word: str) -> dict[str, Any]:
    if word == "CHARACTER":
        cursor.expect("SET")
    if word in ("CHARACTER", "CHARSET"):
        return {"charset": _name_or_string(cursor).lower()}
    if word == "COLLATE":
        return {"collation": _name_or_string(cursor).lower()}
    return {"charset": word.lower()} if word in ("ASCII", "UNICODE") else {}


def _name_or_string(cursor: Cursor) -> str:
    cursor.accept("=")
    return cursor.string() if cursor.next.kind == "string" else cursor.identifier()


def _sqlite_type(cursor: Cursor) -> Type:
    """Any words are a type; none is one too."""
    start = cursor.at
    while not cursor.done and not (cursor.next.kind in ("word", "sign") and cursor.next.value in (
        *_SQLITE_ATTRIBUTES, "(",
    )):  # fmt: skip
        cursor.at += 1
    name = " ".join(cursor.since(start).lower().split())
    modifiers, other = type_arguments(cursor) if cursor.peek("(") else ((), "")
    return plain_type(name, modifiers, other)


def column_definition(cursor: Cursor, table: str) -> Definition:
    """Read a column's name, type and attributes."""
    name = cursor.identifier()
    kind, attributes = column_type(cursor)
    found = Definition(Column(name, kind, line=cursor.sentence.line, **attributes))
    found.said |= {key.upper() for key in attributes}
    if kind.name == "bigint unsigned" and attributes.get("auto_increment"):
        found.constraints.append(Constraint("unique", name, (name,), named=False, inline=True))
    while _attribute(cursor, found):
        pass
    return found


def _attribute(cursor: Cursor, found: Definition) -> bool:
    """Read one attribute; False when none comes."""
    constraint = cursor.identifier() if cursor.accept("CONSTRAINT") and not cursor.peek("CHECK") else ""
    word = cursor.accept_any(
        "NOT", "NULL", "DEFAULT", "UNIQUE", "PRIMARY", "KEY", "CHECK", "REFERENCES", "COLLATE", "GENERATED", "AS",
        *(() if cursor.dialect == "sqlite" else (
            "AUTO_INCREMENT", "COMMENT", "ON", "CHARACTER", "CHARSET", "COLUMN_FORMAT", "STORAGE", "VISIBLE",
            "INVISIBLE", "SRID", "VIRTUAL", "STORED", "FIRST", "AFTER", "COMPRESSED", "WITHOUT", "WITH", "REF_SYSTEM_ID",
        )),
    )  # fmt: skip
    column = found.column
    found.said |= {word} if word else set()
    match word:
        case "NOT":
            cursor.expect("NULL")
            found.column = replace(column, not_null=True)
            _conflict(cursor)
        case "NULL":
            found.column = replace(column, not_null=False)
            _conflict(cursor)
        case "DEFAULT":
            found.column = replace(column, default=default_value(cursor))
        case "UNIQUE" | "PRIMARY" | "KEY":
            _inline_key(cursor, found, word, constraint)
        case "CHECK":
            found.constraints.append(check(cursor, constraint, column.name))
        case "REFERENCES":
            found.constraints.append(replace(references(cursor, constraint, (column.name,)), inline=True))
        case "GENERATED" | "AS":
            _generated(cursor, found, word)
        case "AUTO_INCREMENT":
            found.column = replace(column, auto_increment=True, not_null=True)
        case "COMMENT":
            found.column = replace(column, comment=cursor.string())
        case "ON":
            cursor.expect("UPDATE")
            found.column = replace(column, on_update=_expression(cursor))
        case "COLLATE" | "CHARACTER" | "CHARSET":
            found.column = replace(column, **_character_set(cursor, word))
        case "FIRST" | "AFTER":
            found.position = word if word == "FIRST" else f"AFTER {cursor.identifier()}"
        case "COLUMN_FORMAT" | "STORAGE" | "SRID" | "REF_SYSTEM_ID":
            cursor.accept("=")
            cursor.at += 1
        case "WITHOUT" | "WITH":
            cursor.expect("SYSTEM", "VERSIONING")
        case "":
            return False
    return True


def _conflict(cursor: Cursor) -> None:
    """Read SQLite's ON CONFLICT clause."""
    if cursor.dialect == "sqlite" and cursor.accept("ON", "CONFLICT"):
        cursor.identifier()


def _inline_key(cursor: Cursor, found: Definition, word: str, constraint: str) -> None:
    name = found.column.name
    if word == "UNIQUE":
        cursor.accept("KEY")
        found.constraints.append(_constraint(cursor, "unique", constraint or name, (name,), bool(constraint)))
        _conflict(cursor)
        return
    if word == "PRIMARY":
        cursor.expect("KEY")
    if cursor.dialect == "sqlite":
        cursor.accept_any("ASC", "DESC")
        _conflict(cursor)
        if cursor.accept("AUTOINCREMENT"):
            found.column = replace(found.column, auto_increment=True)
    found.constraints.append(_constraint(cursor, "primary_key", "PRIMARY", (name,), True))


def _constraint(cursor: Cursor, kind: Any, name: str, columns: tuple[str, ...], named: bool) -> Constraint:
    return Constraint(kind, name, columns, named=named, inline=True, line=cursor.sentence.line)


def _generated(cursor: Cursor, found: Definition, word: str) -> None:
    if word == "GENERATED":
        cursor.expect("ALWAYS", "AS")
    expression = cursor.skip_parentheses()
    stored = cursor.accept_any("STORED", "VIRTUAL", "PERSISTENT") in ("STORED", "PERSISTENT")
    found.column = replace(found.column, generated=expression, stored=stored)


def default_value(cursor: Cursor) -> str | None:
    """Read what follows DEFAULT: a literal, a call or an expression in parentheses; NULL is no default."""
    text = _expression(cursor)
    return None if text.upper() == "NULL" else text


def _expression(cursor: Cursor) -> str:
    start = cursor.at
    if cursor.peek("("):
        cursor.skip_parentheses()
        return cursor.since(start)
    cursor.accept_any("+", "-")
    if cursor.done:
        raise cursor.unreadable("a value")
    word = cursor.next.kind == "word"
    cursor.at += 1
    while word and cursor.next.kind == "string":  # _utf8'text', b'0', x'ff'
        cursor.at += 1
    if word and cursor.peek("("):
        cursor.skip_parentheses()
    while cursor.accept("COLLATE") or cursor.accept("::"):
        cursor.identifier()
    return cursor.since(start)


def check(cursor: Cursor, name: str, column: str = "") -> Constraint:
    """Read what follows CHECK; NOT ENFORCED makes it one that is not valid."""
    start = cursor.at
    expression = cursor.skip_parentheses()
    columns = (column,) if column else cursor.words_in(start, cursor.at)
    valid = not cursor.accept("NOT", "ENFORCED")
    cursor.accept("ENFORCED")
    _conflict(cursor)
    return Constraint(
        "check", name, columns, expression=expression, valid=valid, named=bool(name), inline=bool(column),
        line=cursor.sentence.line,
    )  # fmt: skip


def references(cursor: Cursor, name: str, columns: tuple[str, ...]) -> Constraint:
    """Read what follows REFERENCES."""
    parent = cursor.qualified()
    referenced = cursor.names() if cursor.peek("(") else ()
    on_delete = ""
    while True:
        if cursor.accept("MATCH"):
            cursor.identifier()
        elif cursor.accept("ON"):
            event, start = cursor.accept_any("DELETE", "UPDATE"), cursor.at
            if not event or not (action := cursor.accept_any(*_ACTIONS)):
                raise cursor.unreadable("DELETE or UPDATE")
            if action == "SET":
                cursor.accept_any("NULL", "DEFAULT")
            elif action == "NO":
                cursor.expect("ACTION")
            text = cursor.since(start).lower()
            on_delete = text if event == "DELETE" and text != "no action" else on_delete
        elif cursor.accept("NOT", "DEFERRABLE") or cursor.accept("DEFERRABLE"):
            if cursor.accept("INITIALLY"):
                cursor.identifier()
        else:
            break
    return Constraint(
        "foreign_key", name, columns, references=parent, referenced_columns=referenced, on_delete=on_delete,
        named=bool(name), line=cursor.sentence.line,
    )  # fmt: skip


def index_keys(cursor: Cursor) -> tuple[tuple[IndexKey, ...], tuple[str, ...]]:
    """Read `(a, b(10) DESC, (lower(c)))`: the keys, and the columns that expressions name."""
    cursor.expect("(")
    keys, named = [], list[str]()
    for _ in cursor.items():
        start = cursor.at
        if cursor.next.kind in ("word", "name", "string") and _ends_key(cursor):
            column, expression = cursor.identifier(), ""
            options = f"({cursor.skip_parentheses()})" if cursor.peek("(") else ""
        else:
            expression, column, options = cursor.skip_to(",", ")", "ASC", "DESC"), "", ""
            named += cursor.words_in(start, cursor.at)
        while cursor.accept("COLLATE"):
            options = f"{options} COLLATE {cursor.identifier()}".strip()
        keys.append(IndexKey(column, expression, cursor.accept_any("ASC", "DESC") == "DESC", options))
    cursor.expect(")")
    return tuple(keys), tuple(dict.fromkeys(named))


def _ends_key(cursor: Cursor) -> bool:
    """Whether the next token is a whole key: a column, with MySQL's length of its prefix."""
    after = cursor.tokens[cursor.at + 1] if cursor.at + 1 < len(cursor.tokens) else None
    if after is None or after.value in (",", ")", "ASC", "DESC", "COLLATE"):
        return True
    if after.value != "(" or cursor.dialect == "sqlite" or cursor.at + 3 >= len(cursor.tokens):
        return False
    return cursor.tokens[cursor.at + 2].kind == "number" and cursor.tokens[cursor.at + 3].value == ")"


def make_index(
    cursor: Cursor, name: str, table: str, unique: bool = False, method: str = "btree", where: str = ""
) -> Index:
    """Read an index's keys and return it."""
    keys, named = index_keys(cursor)
    return Index(
        name, table, keys, unique=unique, method=method, where=where, expression_columns=named,
        line=cursor.sentence.line,
    )  # fmt: skip
