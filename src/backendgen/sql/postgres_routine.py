"""The static statements of DO blocks, functions and procedures, and which of these a query calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backendgen.sql.lexer import Statement, quote, split
from backendgen.sql.pg_query import (
    Node,
    SyntaxProblem,
    descendants,
    parse_tree,
    pb,
    qualified,
    query_sql,
    routine_tree,
    strings,
)

_RUN = ("PLpgSQL_stmt_execsql", "PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_perform", "PLpgSQL_stmt_call")
_BUILT = "EXECUTE runs SQL that is built at run time"
_UNKNOWN_PART = "..."


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a routine that cannot be known, and the line where it stands."""

    reason: str
    line: int


def static_statements(node: pb.DoStmt, statement: Statement) -> Iterator[Statement | Unread]:
    """Yield the SQL statements of a DO block in the order of its text, or why one cannot be known.

    EXECUTE of what is constant, also by way of format() and ||, is as good as static.
    """
    options = {argument.def_elem.defname: argument.def_elem.arg for argument in node.args}
    language = options["language"].string.sval if "language" in options else "plpgsql"
    yield from _body("a DO block", options["as"].string.sval if "as" in options else "", language, statement)


def routine_statements(sql: str) -> Iterator[Statement | Unread]:
    """Yield the SQL statements of a CREATE FUNCTION or PROCEDURE; lines are counted from its own first."""
    (tree,) = parse_tree(sql)
    node = tree.create_function_stmt
    options = {option.def_elem.defname: option.def_elem.arg for option in node.options}
    body = "".join(strings(options["as"].list.items)[:1]) if "as" in options else ""
    language = options["language"].string.sval if "language" in options else "sql"
    statement = Statement(sql, 1, 1, sql.count("\n") + 1)
    for item in node.sql_body.list.items:  # BEGIN ATOMIC
        yield from (Statement(query_sql(each), 1, 1, 1) for each in item.list.items)
    yield from _body(f"{qualified(strings(node.funcname))}()", body, language, statement)


def _body(what: str, body: str, language: str, statement: Statement) -> Iterator[Statement | Unread]:
    first_line = statement.line_at(max(statement.text.find(body), 0))
    if language.lower() == "sql":
        for found in split(body):
            line = first_line + found.line - 1
            yield Statement(found.text, line, found.column, first_line + found.end_line - 1, found.comments)
        return
    if language.lower() != "plpgsql":
        yield Unread(f"{what} in {language} cannot be read", statement.line)
        return
    try:
        tree = routine_tree(statement.text)
    except SyntaxProblem as problem:
        yield Unread(problem.message, statement.line)
        return
    for action in _actions(tree):
        line = min(first_line + action.get("lineno", 1) - 1, statement.end_line)
        if "query" in action:
            yield from _executed(action["query"]["PLpgSQL_expr"]["query"], line)
        else:
            text = action.get("sqlstmt") or action["expr"]
            yield from _inner(text["PLpgSQL_expr"]["query"], line, statement)


def _actions(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements that run SQL, in order; not the queries that only feed variables, loops and conditions."""
    stack = [tree]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(reversed(current))
        elif isinstance(current, dict):
            yield from (current[name] for name in _RUN if name in current)
            stack.extend(reversed(current.values()))


def _inner(sql: str, line: int, block: Statement) -> Iterator[Statement]:
    """Yield the SQL statement that begins on a line of the block."""
    source = block.text.split("\n")[line - block.line]
    for found in split(sql):
        column = source.find(found.text.split("\n")[0]) + 1
        if line == block.line:
            column += block.column - 1
        last = line + found.end_line - found.line
        yield Statement(found.text, line, max(column, 1), min(last, block.end_line), found.comments)


def _executed(expression: str, line: int) -> Iterator[Statement | Unread]:
    """Yield the statements that EXECUTE runs, or what is known of them."""
    try:
        (tree,) = parse_tree(f"SELECT {expression}")
        text = _text(tree.select_stmt.target_list[0].res_target.val)
    except (SyntaxProblem, ValueError, IndexError, RecursionError):
        yield Unread(_BUILT, line)
        return
    if _UNKNOWN_PART in text:
        known = "" if text == _UNKNOWN_PART else f": {' '.join(text.split())}"
        yield Unread(f"{_BUILT}{known}", line)
    else:
        yield from (Statement(found.text, line, 1, line, form="literal") for found in split(text))


def _text(node: Node) -> str:
    """Return the text that an expression makes, `...` for each part that is not constant."""
    kind = node.WhichOneof("node")
    if kind == "a_const" and node.a_const.HasField("sval"):
        return str(node.a_const.sval.sval)
    if kind == "type_cast":
        return _text(node.type_cast.arg)
    if kind == "a_expr" and strings(node.a_expr.name) == ("||",):
        return _text(node.a_expr.lexpr) + _text(node.a_expr.rexpr)
    if kind == "func_call":
        name, arguments = qualified(strings(node.func_call.funcname)), [_text(each) for each in node.func_call.args]
        if name.rpartition(".")[2] == "format" and arguments:
            return _formatted(arguments[0], arguments[1:])
    return _UNKNOWN_PART


def _formatted(template: str, arguments: list[str]) -> str:
    """Return what format() makes of %I, %L and %s, taken in order; any other form makes the whole unknown."""
    parts = template.replace("%%", "\0").split("%")
    text, given = parts[0], iter(arguments)
    for part in parts[1:]:
        argument = next(given, _UNKNOWN_PART)
        if part[:1] == "s" or argument == _UNKNOWN_PART:
            text += argument
        elif part[:1] == "I":
            text += quote(argument)
        elif part[:1] == "L":
            text += "'" + argument.replace("'", "''") + "'"
        else:
            return _UNKNOWN_PART
        text += part[1:]
    return text.replace("\0", "%")


def calls(statement: Any) -> tuple[str, ...]:
    """Return the functions that a query calls, each once, without the schema of the catalog."""
    found = {qualified(strings(each.funcname)).removeprefix("pg_catalog."): None
             for each in descendants(statement) if isinstance(each, pb.FuncCall)}  # fmt: skip
    return tuple(found)
