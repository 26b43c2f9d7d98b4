"""Nodes of syntax trees: what they name, and those of a file that are asked for again and again, in one pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backendgen.code.symbols import Function, Module

COLLECTED = (ast.Call, ast.Compare, ast.Assign, ast.AnnAssign, ast.Try, ast.If, ast.Assert, ast.Expr, ast.Return)
_LEAVES = (ast.expr_context, ast.Constant, ast.Name, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)


def collected(module: Module) -> Iterator[tuple[Any, Function | None, bool]]:
    """Yield (node, function, whether a lambda defers it) of the `COLLECTED` kinds, in one pass over the tree."""
    pending: list[tuple[ast.AST, Function | None, bool]] = [(module.file.tree, None, False)]
    while pending:
        node, scope, is_deferred = pending.pop()
        if isinstance(node, COLLECTED):
            yield node, scope, is_deferred
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope, is_deferred = module.function_of.get(id(node), scope), False
        elif isinstance(node, ast.Lambda):
            is_deferred = True
        for name in node._fields:
            child = getattr(node, name, None)
            if isinstance(child, list):
                pending.extend((one, scope, is_deferred) for one in child if isinstance(one, ast.AST))
            elif isinstance(child, ast.AST) and not isinstance(child, _LEAVES):
                pending.append((child, scope, is_deferred))


def unparse(node: ast.AST) -> str:
    """Return a node as Python code, as `ast.unparse` does; of what that cannot write, the names and texts in it.

    Before Python 3.12, `ast.unparse` raises a ValueError for formatted strings with a backslash in a field (PEP 701).
    """
    try:
        return ast.unparse(node)
    except ValueError:
        return " ".join(_words(node))


def _words(node: ast.AST) -> Iterator[str]:
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr
        elif isinstance(one, ast.Constant):
            yield str(one.value)


def plain_name(node: ast.AST | None) -> str:
    """Return the last name of `a.b.c`, or the name that a node is; nothing of a call, an item or another expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def last(node: ast.AST | None) -> str:
    """Return the last name of `a.b.c`, of what is called, or of what is subscripted."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return plain_name(node)
