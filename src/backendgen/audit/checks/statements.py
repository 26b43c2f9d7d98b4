"""SQL that is put together from strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import named
from backendgen.audit.checks.walk import hit
from backendgen.audit.registry import Context, check
from backendgen.code.index import assigned_in
from backendgen.code.symbols import Function, Module
from backendgen.findings.finding import Hit

EXECUTES = frozenset({
    "execute", "executemany", "executescript", "raw", "text", "RawSQL", "read_sql", "read_sql_query", "fetch", "fetchrow",
    "fetchval", "exec_driver_sql", "query", "mogrify", "literal_column", "SQL",
})  # fmt: skip
BEGINS = re.compile(
    r"\s*\(?\s*(?:SELECT\b.*?\bFROM\b|INSERT\s+INTO\b|UPDATE\b.*?\bSET\b|DELETE\s+FROM\b|WITH\b.+?\bAS\s*\(|ALTER\s+\w+\b|DROP\s+\w+\b"
    r"|CREATE\s+\w+\b|TRUNCATE\b|REPLACE\s+INTO\b|MERGE\s+INTO\b|GRANT\b|CALL\b)",
    re.DOTALL,
)
ANY_CASE = re.compile(BEGINS.pattern, re.DOTALL | re.IGNORECASE)
MAY_BE_SQL = re.compile(
    r"\b(?:select|insert\s+into|update|delete\s+from|with|alter|drop|create|truncate|replace\s+into|merge\s+into|grant|call)\s",
    re.IGNORECASE,
)
HOLDS = re.compile(r"(?:^|_)(?:sql|query|stmt|statement|cmd|q)(?:_|$|\d)", re.IGNORECASE)
HOLE = "\0"


@check("BG104")
def sql_from_strings(context: Context) -> Iterator[Hit]:
    """Statements that are built from strings: given to a database, or written like one."""
    for module in context.index.modules:
        seen: set[int] = set()
        for text, is_given, function in _built(module):
            if id(text) in seen:
                continue
            seen.add(id(text))
            shape = _shape(text)
            is_sql = HOLE in shape and (ANY_CASE if is_given else BEGINS).match(shape)
            if is_sql and module.file.mentions(MAY_BE_SQL) and _is_unknown(context, text, module, function):
                yield hit(
                    module,
                    text,
                    "{who} puts SQL together from strings, and nothing proves that the parts are harmless",
                    "placeholders for values, and a dictionary of constants for names of tables and columns",
                )


def _built(module: Module) -> Iterator[tuple[ast.expr, bool, Function | None]]:
    """Texts that are put together, and whether a database gets them or a name says that they are SQL."""
    for call, function in module.calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else named(call.func)
        for argument in call.args[:1]:
            if _is_built(argument):
                yield argument, name in EXECUTES, function
    for each in assigned_in(module):
        if _is_built(each.value):
            yield each.value, HOLDS.search(named(each.target)) is not None, each.function
    for node, function in module.nodes(ast.Return):
        if node.value is not None and _is_built(node.value):
            yield node.value, False, function


def _is_built(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod)
    is_format = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    return is_format and isinstance(node.func.value, ast.Constant | ast.BinOp)  # type: ignore[attr-defined]  # as above


def _is_unknown(context: Context, node: ast.expr, module: Module, function: Function | None) -> bool:
    """Is one of the parts known only when it runs?"""
    parts = [part.value for part in ast.walk(node) if isinstance(part, ast.FormattedValue)]
    if not parts:
        return not isinstance(context.index.value(node, module, function), str)
    return any(not isinstance(context.index.value(part, module, function), str | int) for part in parts)


def _shape(node: ast.expr) -> str:
    """The text with holes where its parts go."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else HOLE
    if isinstance(node, ast.JoinedStr):
        return "".join(_shape(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _shape(node.left) + _shape(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return re.sub(r"%(?:\(\w+\))?[sdr]", HOLE, _shape(node.left))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return re.sub(r"\{[^{}]*\}", HOLE, _shape(node.func.value))
    return HOLE
