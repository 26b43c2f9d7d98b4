"""What CHECK constraints say about single columns: ranges, lengths, choices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal

from backendgen.sql.pg_query import SyntaxProblem, parse_tree, pb

Bound = Literal["ge", "gt", "le", "lt", "min_length", "max_length", "choices"]
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_BOUNDS: dict[str, Bound] = {">=": "ge", ">": "gt", "<=": "le", "<": "lt"}
_LENGTHS = frozenset({"length", "char_length", "character_length"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that holds for every value of the column: `value` is a Decimal, or the choices."""

    column: str
    bound: Bound
    value: Decimal | tuple[str, ...]


@cache
def facts(expression: str) -> tuple[Fact, ...]:
    """Return what a CHECK expression says about single columns; a part that is not understood says nothing."""
    try:
        statement = parse_tree(f"SELECT {expression}")[0]
    except SyntaxProblem:
        return ()
    return tuple(_facts(statement.select_stmt.target_list[0].res_target.val))


@cache
def understood(expression: str) -> bool:
    """Return whether `facts` says all that the CHECK expression asks for."""
    try:
        statement = parse_tree(f"SELECT {expression}")[0]
    except SyntaxProblem:
        return False
    return _understood(statement.select_stmt.target_list[0].res_target.val)


def _understood(node: Any) -> bool:
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
        return all(map(_understood, node.bool_expr.args))
    return any(True for _ in _facts(node))


def _facts(node: Any) -> Iterator[Fact]:
    kind = node.WhichOneof("node")
    if kind == "bool_expr":
        yield from _bool(node.bool_expr)
    elif kind == "a_expr":
        yield from _comparison(node.a_expr)


def _bool(node: Any) -> Iterator[Fact]:
    if node.boolop == pb.AND_EXPR:
        for arg in node.args:
            yield from _facts(arg)
    elif node.boolop == pb.OR_EXPR:  # x IS NULL OR <fact of x>
        rest = [arg for arg in node.args if arg.WhichOneof("node") != "null_test"]
        tests = [arg.null_test for arg in node.args if arg.WhichOneof("node") == "null_test"]
        if len(rest) == 1 and all(test.nulltesttype == pb.IS_NULL for test in tests):
            nullable = {_column(test.arg) for test in tests}
            yield from (fact for fact in _facts(rest[0]) if fact.column in nullable)


def _comparison(node: Any) -> Iterator[Fact]:
    word = node.name[-1].string.sval if node.name else ""
    if node.kind == pb.AEXPR_BETWEEN:
        low, high = node.rexpr.list.items
        yield from _bounded(node.lexpr, ">=", low)
        yield from _bounded(node.lexpr, "<=", high)
    elif node.kind == pb.AEXPR_IN and word == "=":
        yield from _choices(node.lexpr, list(node.rexpr.list.items))
    elif node.kind == pb.AEXPR_OP_ANY and word == "=":
        array = _bare(node.rexpr)
        if array.WhichOneof("node") == "a_array_expr":
            yield from _choices(node.lexpr, list(array.a_array_expr.elements))
    elif node.kind == pb.AEXPR_OP and word in _FLIPPED:
        if _constant(node.rexpr) is not None:
            yield from _bounded(node.lexpr, word, node.rexpr)
        elif _constant(node.lexpr) is not None:
            yield from _bounded(node.rexpr, _FLIPPED[word], node.lexpr)


def _bounded(subject: Any, word: str, limit: Any) -> Iterator[Fact]:
    value = _constant(limit)
    if column := _column(subject):
        if word == "<>" and value == "":
            yield Fact(column, "min_length", Decimal(1))
        elif word == "=" and isinstance(value, str):
            yield Fact(column, "choices", (value,))
        elif isinstance(value, Decimal) and word in _BOUNDS:
            yield Fact(column, _BOUNDS[word], value)
        elif isinstance(value, Decimal) and word == "=":
            yield from (Fact(column, "ge", value), Fact(column, "le", value))
    elif (column := _measured(subject)) and isinstance(value, Decimal):
        yield from _length(column, word, value)


def _length(column: str, word: str, value: Decimal) -> Iterator[Fact]:
    if word in (">=", ">", "="):
        yield Fact(column, "min_length", value + (1 if word == ">" else 0))
    if word in ("<=", "<", "="):
        yield Fact(column, "max_length", value - (1 if word == "<" else 0))
    if word == "<>" and value == 0:
        yield Fact(column, "min_length", Decimal(1))


def _choices(subject: Any, items: list[Any]) -> Iterator[Fact]:
    column, values = _column(subject), [_constant(item) for item in items]
    words = tuple(value for value in values if isinstance(value, str))
    if column and len(words) == len(values):
        yield Fact(column, "choices", words)


def _bare(node: Any) -> Any:
    while node.WhichOneof("node") == "type_cast":
        node = node.type_cast.arg
    return node


def _column(node: Any) -> str:
    bare = _bare(node)
    if bare.WhichOneof("node") != "column_ref":
        return ""
    last = bare.column_ref.fields[-1]
    return str(last.string.sval) if last.WhichOneof("node") == "string" else ""


def _measured(node: Any) -> str:
    """Return the column whose length is taken: `length(trim(x))` is no limit of x's own length from above."""
    bare = _bare(node)
    if bare.WhichOneof("node") != "func_call" or len(bare.func_call.args) != 1:
        return ""
    return _column(bare.func_call.args[0]) if bare.func_call.funcname[-1].string.sval in _LENGTHS else ""


def _constant(node: Any) -> Decimal | str | None:
    bare = _bare(node)
    kind = bare.WhichOneof("node")
    if kind == "a_expr" and not bare.a_expr.HasField("lexpr") and bare.a_expr.name[-1].string.sval == "-":
        value = _constant(bare.a_expr.rexpr)
        return -value if isinstance(value, Decimal) else None
    if kind != "a_const":
        return None
    match bare.a_const.WhichOneof("val"):
        case "ival":
            return Decimal(bare.a_const.ival.ival)
        case "fval":
            return _decimal(bare.a_const.fval.fval)
        case "sval":
            return str(bare.a_const.sval.sval)
    return None


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
