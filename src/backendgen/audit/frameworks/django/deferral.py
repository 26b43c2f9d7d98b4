"""What of a module of URLs can wait until somebody asks for it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator


def plain_assignments(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the assignments of one name that are its only ones: they can wait until somebody asks for the name."""
    names: dict[str, list[ast.stmt]] = {}
    plain: set[int] = set()
    for node in body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node)
            plain.add(id(node))
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for one in ast.walk(node):
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                    names.setdefault(one.id, []).append(node)
    for nodes in names.values():
        node = nodes[0]
        is_only = len(nodes) == 1 and id(node) in plain
        if is_only and isinstance(node, ast.Assign) and not _changes(node.value, names.keys()):
            yield node


def _changes(value: ast.expr, names: Collection[str]) -> bool:
    """May evaluating this change another object of the module: `child = router.register(...)`?"""
    base = value.func if isinstance(value, ast.Call) else None
    while isinstance(base, ast.Attribute):
        base = base.value
        if isinstance(base, ast.Name) and base.id in names:
            return True
    return False
