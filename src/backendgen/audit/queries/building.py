"""Statements that calls make and run: `select(Item)`, `session.get(Item, id)`, a query as text, Django's shortcuts."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from backendgen.audit.flow.values import place
from backendgen.audit.queries import sql
from backendgen.audit.queries.arguments import Arguments, deep
from backendgen.audit.queries.chains import keyword_terms, model_of, terms
from backendgen.audit.queries.model import NOTHING, NOWHERE, Root, Roots, Statement, Term, Value
from backendgen.code.nodes import last

if TYPE_CHECKING:
    from backendgen.audit.queries.frame import Frame

BUILDERS = {
    "select": "select", "update": "update", "delete": "delete", "insert": "insert", "query": "select",
}  # fmt: skip
BUILDING_MODULES = ("sqlalchemy.", "sqlmodel.", "sqlmodel_")
AGGREGATES = frozenset({"count", "sum", "max", "min", "avg", "exists"})
ONE = frozenset({"scalar", "fetchrow", "fetchval", "fetch_one", "fetch_val", "first", "one", "one_or_none"})


def built(frame: Frame, node: ast.Call, verb: str, arguments: Arguments) -> Statement | None:
    """`select(Item.id, Item.name)`, `session.query(Item)`, `delete(Item)`: a statement without conditions."""
    for each in arguments.nodes:
        owner = model_of(frame, each)
        table = frame.tracer.tables.of(owner)
        if table is not None:
            location = place(frame.function.path, node)
            return Statement(verb, table.name, owner, location, few=_is_aggregate(each))  # type: ignore[arg-type]
    if verb == "select" and arguments.nodes:
        few = _is_aggregate(arguments.nodes[0])
        if few or arguments.values[0].statement is not None:
            return Statement("select", "", None, place(frame.function.path, node), few=few, opaque=not few)
    return None


def _is_aggregate(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last(node.func) in AGGREGATES


def by_key(frame: Frame, node: ast.Call, arguments: Arguments) -> Value | None:
    """`session.get(Item, id)`."""
    owner = model_of(frame, arguments.nodes[0])
    table = frame.tracer.tables.of(owner)
    if table is None:
        return None
    statement = Statement("select", table.name, owner, place(frame.function.path, node), key_of(arguments.values[1]))
    return frame.executed(statement, node, many=False)


def key_of(value: Value) -> tuple[Term, ...]:
    """The condition that a row has this key."""
    return (Term("id", deep(value)),)


def shortcut(frame: Frame, node: ast.Call, arguments: Arguments) -> Value | None:
    """`get_object_or_404(Item, pk=pk)`, `get_object_or_404(Item.objects.filter(...), pk=pk)`."""
    base = arguments.values[0].statement
    if base is None:
        owner = model_of(frame, arguments.nodes[0])
        table = frame.tracer.tables.of(owner)
        if table is not None:
            base = Statement("select", table.name, owner)
        elif frame.tracer.is_django_user(frame.tracer.symbols.value(arguments.nodes[0], frame.module, frame.function)):
            base = frame.tracer.of_django_user()
        else:
            return None
        base = replace(base, location=place(frame.function.path, node))
    found = (*keyword_terms(arguments.keywords), *(term for each in arguments.nodes[1:] for term in terms(frame, each)))
    opaque = base.opaque or bool(arguments.spread)
    return frame.executed(replace(base, terms=base.terms + found, opaque=opaque), node, many=False)


def text_runs(frame: Frame, node: ast.AST, given: Value, arguments: Arguments, name: str) -> Value:
    """A query as text, with its parameters."""
    text = sql.read(given.text or "")
    if text is None:
        return NOTHING
    others = [each for each in arguments.all if each is not given]
    table = frame.tracer.tables.named(text.table)
    terms = tuple(Term(column, _placed(key, others, arguments.keywords)) for column, key in text.conditions)
    where = place(frame.function.path, node) if isinstance(node, ast.Call) else None
    statement = Statement(
        text.verb, table.name if table else text.table, table.model if table else None, where, terms,  # type: ignore[arg-type]
        limited=text.limited, few=text.few,
    )  # fmt: skip
    at = node if isinstance(node, ast.expr) else ast.copy_location(ast.Constant(None), node)
    return frame.executed(statement, at, many="one" not in name and name not in ONE)


def _placed(key: str | int, others: list[Value], keywords: dict[str, Value]) -> Roots:
    """Where a placeholder's value comes from; from any of the parameters when that cannot be told."""
    if isinstance(key, str):
        if key in keywords:
            return deep(keywords[key])
        for each in others:
            held = each.held(key)
            if held is not None:
                return deep(held)
    elif len(lists := [held for held in (each.held(str(key)) for each in others) if held is not None]) == 1:
        return deep(lists[0])
    elif key < len(others) and not any(each.holds for each in others):
        return deep(others[key])
    return frozenset[Root]().union(*(deep(each) for each in others)) if others else NOWHERE
