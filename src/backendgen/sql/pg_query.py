"""The thin interface to PostgreSQL's own parser, and what is read from single nodes of its tree.

The only importer of postgast: another binding of libpg_query would be fitted in here.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError, Message
from postgast import PgQueryError, deparse, parse, parse_plpgsql
from postgast import pg_query_pb2 as pb

from backendgen.sql.lexer import quote
from backendgen.sql.schema import Type

__all__ = [
    "Node",
    "SyntaxProblem",
    "children",
    "column_names",
    "descendants",
    "expression_sql",
    "object_names",
    "parse_tree",
    "pb",
    "qualified",
    "query_sql",
    "quoted",
    "relation",
    "relations_read",
    "routine_tree",
    "strings",
    "type_of",
]

Node: TypeAlias = pb.Node
_NODE = pb.Node.DESCRIPTOR

# PostgreSQL's internal names by the names that format_type() prints.
_CANONICAL = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "decimal": "numeric",
    "bool": "boolean",
    "bpchar": "character",
    "varchar": "character varying",
    "varbit": "bit varying",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}
_COMMON_CALLS = frozenset({"now", "gen_random_uuid", "uuidv7", "uuid_generate_v4", "clock_timestamp", "random"})
_BARE_CALL = ("funcname", "funcformat", "location")
_INTERVAL_PRECISION = 2  # INTERVAL(3) carries a mask of fields before its precision


TOO_DEEP = "the statement is nested too deeply to be read"
SAFE_LENGTH, LONGEST_CHAIN = 15_000, 5_000
LITERAL = re.compile(r"'[^']*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
CHAINING = re.compile(
    r"[-+*/<>=~!@#%^&|`?:]+|\b(?:is|isnull|notnull|join|collate|at|union|except|intersect)\b", re.IGNORECASE
)


class SyntaxProblem(Exception):
    """The parser refused the text; `offset` is 0-based, in characters, None when it is unknown."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def parse_tree(sql: str) -> list[Node]:
    """Parse SQL into its statements. Raises SyntaxProblem for whatever cannot be parsed, whatever its bytes."""
    if "\0" in sql:
        raise SyntaxProblem("a NUL character is not allowed in SQL", sql.index("\0"))
    if len(sql) > SAFE_LENGTH and _longest_chain(sql) > LONGEST_CHAIN:
        raise SyntaxProblem(TOO_DEEP)
    try:
        return [raw.stmt for raw in parse(sql).stmts]
    except PgQueryError as error:
        raise SyntaxProblem(error.message, error.cursorpos - 1 if error.cursorpos > 0 else None) from error
    except DecodeError as error:
        raise SyntaxProblem(TOO_DEEP) from error
    except UnicodeError as error:
        raise SyntaxProblem("the statement is not valid Unicode") from error


def _longest_chain(sql: str) -> int:
    """Count the operators between two commas, at most: an upper bound of how deep the tree of `1+1+1 ...` gets.

    The parser recurses over its own tree without minding the stack: 20,000 levels end the process.
    """
    return max(len(CHAINING.findall(piece)) for piece in LITERAL.sub("", sql).split(","))


def routine_tree(sql: str) -> Any:
    """Parse the PL/pgSQL of a DO block or CREATE FUNCTION into JSON. Raises SyntaxProblem."""
    try:
        return parse_plpgsql(sql)
    except (PgQueryError, ValueError, RecursionError) as error:
        raise SyntaxProblem(str(error)) from error


def expression_sql(node: Node) -> str:
    """Return an expression as PostgreSQL would write it."""
    # Most expressions are constants and now(): the deparser costs as much as a parse.
    kind = node.WhichOneof("node")
    plain = _plain_constant(node.a_const) if kind == "a_const" else ""
    if kind == "func_call":
        plain = _plain_call(node.func_call)
    if plain:
        return plain
    tree = pb.ParseResult()
    tree.stmts.add().stmt.select_stmt.target_list.add().res_target.val.CopyFrom(node)
    return _deparsed(tree).removeprefix("SELECT ")


def _plain_constant(constant: pb.A_Const) -> str:
    match constant.WhichOneof("val"):
        case "ival":
            return str(constant.ival.ival)
        case "boolval":
            return "true" if constant.boolval.boolval else "false"
        case "sval" if "'" not in constant.sval.sval and "\\" not in constant.sval.sval:
            return f"'{constant.sval.sval}'"
        case _:
            return ""


def _plain_call(call: pb.FuncCall) -> str:
    name: str = call.funcname[0].string.sval
    if name not in _COMMON_CALLS or len(call.funcname) > 1:
        return ""
    return f"{name}()" if all(field.name in _BARE_CALL for field, _ in call.ListFields()) else ""


def query_sql(node: Node) -> str:
    """Return a statement as PostgreSQL would write it."""
    tree = pb.ParseResult()
    tree.stmts.add().stmt.CopyFrom(node)
    return _deparsed(tree)


def _deparsed(tree: Any) -> str:
    try:
        sql: str = deparse(tree)
    except (PgQueryError, UnicodeError) as error:
        raise SyntaxProblem(f"the statement cannot be written back: {error}") from error
    return sql


def strings(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Return a list of names."""
    return tuple(node.string.sval for node in nodes)


def qualified(parts: Iterable[str]) -> str:
    """Join a name's parts, dropping an empty or `public` schema and the catalog."""
    names = [part for part in parts if part][-2:]
    return names[-1] if names[:-1] in ([], ["public"]) else ".".join(names)


def relation(node: pb.RangeVar) -> str:
    """Return a relation's name, qualified when it is not in `public`."""
    schema = node.schemaname
    return f"{schema}.{node.relname}" if schema and schema != "public" else node.relname


def object_names(node: Node) -> tuple[str, ...]:
    """Return the parts of the name of something to drop, comment on or rename."""
    kind = node.WhichOneof("node")
    if kind == "list":
        return strings(node.list.items)
    if kind == "type_name":
        return strings(node.type_name.names)
    if kind == "object_with_args":
        return strings(node.object_with_args.objname)
    return (node.string.sval,)


def type_of(node: pb.TypeName) -> Type:
    """Return a type by its canonical name; serial types are for the caller."""
    names = [name.string.sval for name in node.names]
    if names == ["char"]:  # the one-byte type; CHAR without quotes comes as pg_catalog.bpchar
        names = ['"char"']
    if len(names) > 1 and names[0] in ("pg_catalog", "public"):
        names = names[1:]
    name = ".".join(names)
    if name != "bpchar" or node.typmods:
        name = _CANONICAL.get(name, name)
    array = bool(node.array_bounds)
    if not node.typmods:
        return Type(name, (), array)
    if all(modifier.a_const.HasField("ival") for modifier in node.typmods):
        modifiers = tuple(modifier.a_const.ival.ival for modifier in node.typmods)
        if name == "interval":
            modifiers = modifiers[1:] if len(modifiers) == _INTERVAL_PRECISION else ()
        return Type(name, modifiers, array)
    return Type(f"{name}({','.join(map(expression_sql, node.typmods))})", (), array)


def children(message: Message, without: Container[str] = ()) -> Iterator[Message]:
    """Yield the messages directly below, Node wrappers removed; not those of the kinds or fields `without`."""
    for field, value in message.ListFields():
        if field.message_type is None or field.name in without:
            continue
        for item in (value,) if isinstance(value, Message) else value:
            if item.DESCRIPTOR is not _NODE:
                yield item
            elif (kind := item.WhichOneof("node")) and kind not in without:
                yield getattr(item, kind)


def descendants(message: Message, without: Container[str] = ()) -> Iterator[Message]:
    """Yield every message below, depth first, in the order of the text as far as the tree keeps it."""
    stack = [message]
    while stack:
        current = stack.pop()
        if current is not message:
            yield current
        if below := list(children(current, without)):
            below.reverse()
            stack += below


def column_names(*expressions: Node) -> tuple[str, ...]:
    """Return the columns that table expressions (checks, index keys) name, each once; `t.a` counts as `a`."""
    found: dict[str, None] = {}
    for expression in expressions:
        for message in descendants(expression):
            if isinstance(message, pb.ColumnRef) and message.fields[-1].HasField("string"):
                found[message.fields[-1].string.sval] = None
    return tuple(found)


# Most of a query's tree: columns, constants, and the names of types and functions.
_NAME_NO_RELATION = frozenset({"column_ref", "a_const", "string", "type_name", "funcname"})


def relations_read(query: Message) -> tuple[str, ...]:
    """Return the relations that a query names, each once; not its own WITH queries."""
    found: dict[str, None] = {}
    own: set[str] = set()
    for message in descendants(query, _NAME_NO_RELATION):
        if isinstance(message, pb.RangeVar):
            found[relation(message)] = None
        elif isinstance(message, pb.CommonTableExpr):
            own.add(message.ctename)
    return tuple(name for name in found if name not in own)


def quoted(name: str) -> str:
    """Return a possibly qualified name as SQL."""
    return ".".join(map(quote, name.split(".")))
