"""The static statements of a DO block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backendgen.sql.lexer import Statement, split
from backendgen.sql.pg_query import SyntaxProblem, parse_tree, pb, routine_tree

_DYNAMIC = "EXECUTE runs SQL that is built at run time"


def static_statements(node: pb.DoStmt, statement: Statement) -> Iterator[Statement | str]:
    """Yield the SQL statements of a DO block in the order of its text, or why one cannot be known.

    EXECUTE of a plain string literal is as good as static.
    """
    arguments = {argument.def_elem.defname: argument.def_elem.arg.string.sval for argument in node.args}
    language = arguments.get("language", "plpgsql")
    if language.lower() != "plpgsql":
        yield f"a DO block in {language} cannot be read"
        return
    try:
        tree = routine_tree(statement.text)
    except SyntaxProblem as problem:
        yield problem.message
        return
    body = statement.text.find(arguments.get("as", ""))
    first_line = statement.line_at(max(body, 0))
    for action in _actions(tree):
        line = min(first_line + action.get("lineno", 1) - 1, statement.end_line)
        if "sqlstmt" in action:
            yield from _inner(action["sqlstmt"]["PLpgSQL_expr"]["query"], line, statement)
            continue
        literal = _literal(action["query"]["PLpgSQL_expr"]["query"])
        if literal is None:
            yield _DYNAMIC
        else:
            yield from (Statement(found.text, line, 1, line, form="literal") for found in split(literal))


def _actions(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements that run SQL, in order; not the queries that only feed variables, loops and conditions."""
    stack = [tree]
    while stack:
        current = stack.pop()
        if isinstance(current, list):
            stack.extend(reversed(current))
        elif isinstance(current, dict):
            for name in ("PLpgSQL_stmt_execsql", "PLpgSQL_stmt_dynexecute"):
                if name in current:
                    yield current[name]
            stack.extend(reversed(current.values()))


def _literal(expression: str) -> str | None:
    """Return the text of an expression that is one string literal, else None."""
    try:
        (tree,) = parse_tree(f"SELECT {expression}")
    except (SyntaxProblem, ValueError):
        return None
    value = tree.select_stmt.target_list[0].res_target.val if tree.select_stmt.target_list else None
    return value.a_const.sval.sval if value and value.a_const.HasField("sval") else None


def _inner(sql: str, line: int, block: Statement) -> Iterator[Statement]:
    """Yield the SQL statement that begins on a line of the block."""
    source = block.text.split("\n")[line - block.line]
    for found in split(sql):
        column = source.find(found.text.split("\n")[0]) + 1
        if line == block.line:
            column += block.column - 1
        last = line + found.end_line - found.line
        yield Statement(found.text, line, max(column, 1), min(last, block.end_line), found.comments)
