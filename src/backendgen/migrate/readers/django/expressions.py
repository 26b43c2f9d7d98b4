"""Conditions and expressions of models (Q, F, functions) as the SQL that Django writes for PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from backendgen.migrate.quoting import literal
from backendgen.migrate.readers.django.fields import Field
from backendgen.migrate.readers.django.state import Model, State
from backendgen.migrate.readers.values import HOLE, Call, Symbol

_COMPARISONS = {"exact": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "ne": "<>"}
_PATTERNS = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_CONTAINERS = {"contains": "@>", "contained_by": "<@", "overlap": "&&", "has_key": "?", "isempty": "isempty"}
_LOOKUPS = frozenset({
    *_COMPARISONS, *_PATTERNS, *_CONTAINERS, "in", "isnull", "range", "iexact", "regex", "iregex", "icontains",
    "istartswith", "iendswith",
})  # fmt: skip
_TEXT = ("CharField", "TextField", "SlugField", "FileField", "CITextField")
# Functions whose SQL is not their name in capitals.
_FUNCTIONS = {
    "Now": "STATEMENT_TIMESTAMP", "Ceil": "CEILING", "Substr": "SUBSTRING", "StrIndex": "STRPOS",
    "RandomUUID": "GEN_RANDOM_UUID",
    "TransactionNow": "CURRENT_TIMESTAMP", "UUID4": "UUIDV4", "UUID7": "UUIDV7", "Pi": "PI", "Ln": "LN",
    "ToTsVector": "TO_TSVECTOR", "SearchVector": "TO_TSVECTOR", "TruncDate": "DATE", "JSONArray": "JSONB_BUILD_ARRAY",
}  # fmt: skip
UNKNOWN_VALUE, EMPTY = "$1", "''"


def condition(value: Any, model: Model, state: State, *, negated: bool = False) -> str:
    """Return a condition (Q, a lookup, Exists ...) as SQL."""
    if not isinstance(value, Call):
        return "true" if value is True else "false" if value is False else UNKNOWN_VALUE
    if value.name in ("&", "|"):
        parts = [condition(each, model, state, negated=negated) for each in value.args]
        return f"({(' AND ' if value.name == '&' else ' OR ').join(parts)})"
    if value.name == "~":
        return f"NOT ({condition(value.args[0], model, state, negated=not negated)})" if value.args else UNKNOWN_VALUE
    if value.last != "Q":
        return expression(value, model, state)
    inside = negated != (value.kwargs.get("_negated") is True)
    parts = [*_children(value, model, state, negated=inside)]
    connector = value.kwargs.get("_connector")
    joined = f" {connector} ".join(parts) if connector in ("OR", "AND") else " AND ".join(parts)
    if value.kwargs.get("_negated") is True:
        return f"NOT ({joined})"
    return f"({joined})" if len(parts) > 1 else joined or "true"


def _children(q: Call, model: Model, state: State, *, negated: bool) -> Iterable[str]:
    named = sorted((word, each) for word, each in q.kwargs.items() if word not in ("_connector", "_negated"))
    for child in (*q.args, *named):
        if isinstance(child, tuple) and len(child) == 2 and isinstance(child[0], str):
            yield _lookup(child[0], child[1], model, state, negated=negated)
        else:
            yield condition(child, model, state, negated=negated)


def _lookup(path: str, value: Any, model: Model, state: State, *, negated: bool) -> str:
    """Return `field__lookup=value` as SQL; a negated test of a nullable column asks for IS NOT NULL, as Django's does."""
    name, *steps = path.split("__")
    field = state.field(model, name)
    column = quoted(field.column if field else name)
    lookup = steps.pop() if steps and steps[-1] in _LOOKUPS else "exact"
    tested = _transformed(column, steps, field)
    if value is None and lookup in ("exact", "isnull"):
        return f"{tested} IS NULL"
    if lookup == "isnull":
        return f"{tested} IS {'NULL' if value else 'NOT NULL'}"
    if lookup == "exact" and isinstance(value, bool) and field is not None and field.kind == "BooleanField":
        sql = tested if value else f"NOT {tested}"
    else:
        sql = _compared(tested, lookup, value, field, model, state)
    return f"({sql} AND {column} IS NOT NULL)" if negated and field is not None and field.null else sql


def _transformed(column: str, steps: list[str], field: Field | None) -> str:
    for step in steps:
        if field is not None and field.kind == "JSONField":
            column = f"({column} -> {literal(step)})"
        elif step in ("year", "month", "day", "hour", "minute", "second", "week", "quarter"):
            column = f"EXTRACT({step.upper()} FROM {column})"
        elif step == "len":
            column = f"COALESCE(ARRAY_LENGTH({column}, 1), 0)"
        else:
            column = f"{re.sub(r'[^a-z_]', '', step.lower()) or 'f'}({column})"
    return column


def _compared(tested: str, lookup: str, value: Any, field: Field | None, model: Model, state: State) -> str:
    if lookup in _COMPARISONS:
        return f"{tested} {_COMPARISONS[lookup]} {_operand(value, model, state)}"
    if lookup == "in" and isinstance(value, tuple):
        return f"{tested} IN ({', '.join(_operand(each, model, state) for each in value) or 'NULL'})"
    if lookup == "range" and isinstance(value, tuple) and len(value) == 2:
        low, high = (_operand(each, model, state) for each in value)
        return f"{tested} BETWEEN {low} AND {high}"
    if lookup in _CONTAINERS and field is not None and field.kind not in _TEXT:
        return f"{tested} {_CONTAINERS[lookup]} {_operand(value, model, state)}"
    plain = lookup.removeprefix("i")
    cast = f"UPPER({tested}::text)" if lookup.startswith("i") and plain in (*_PATTERNS, "exact") else f"{tested}::text"
    if plain in _PATTERNS and isinstance(value, str):
        sought = literal(_PATTERNS[plain].format(value))
        return f"{cast} LIKE {f'UPPER({sought})' if lookup.startswith('i') else sought}"
    if plain in ("regex", "exact"):
        operator = "=" if plain == "exact" else "~*" if lookup == "iregex" else "~"
        return f"{cast} {operator} {_operand(value, model, state)}"
    return f"{tested} = {UNKNOWN_VALUE}"


def _operand(value: Any, model: Model, state: State) -> str:
    return expression(value, model, state) if isinstance(value, Call) else value_sql(value)


def expression(value: Any, model: Model, state: State) -> str:
    """Return an expression as SQL; one that is not known is a function of what it is made of."""
    if not isinstance(value, Call):
        return quoted(state.column(model, value)) if isinstance(value, str) else value_sql(value)
    match value.last:
        case "F" if value.args and isinstance(value.args[0], str):
            name, *steps = value.args[0].split("__")
            return _transformed(quoted(state.column(model, name)), steps, state.field(model, name))
        case "Value":
            return value_sql(value.args[0] if value.args else value.kwargs.get("value"))
        case "Q":
            return condition(value, model, state)
        case "+" | "-" | "*" | "/" | "%" | "&" | "|":
            left, right = (_operand(each, model, state) for each in value.args)
            return f"({left} {value.name} {right})"
        case "desc" | "asc":
            nulls = "".join(
                f" NULLS {end.upper()}" for end in ("first", "last") if value.kwargs.get(f"nulls_{end}") is True
            )
            return f"{_key(value.receiver, model, state)} {value.last.upper()}{nulls}"
        case "OrderBy":
            direction = "DESC" if value.kwargs.get("descending") is True else "ASC"
            return f"{_key(value.arg(0, 'expression'), model, state)} {direction}"
        case "OpClass":
            return f"{_key(value.arg(0, 'expression'), model, state)} {value.arg(1, 'name') or ''}"
        case "Collate":
            return f"{_key(value.arg(0, 'expression'), model, state)} COLLATE {quoted(str(value.arg(1, 'collation')))}"
        case "ExpressionWrapper" | "Cast":
            return expression(value.arg(0, "expression"), model, state)
        case "RawSQL" if isinstance(value.arg(0, "sql"), str):
            return f"({re.sub(r'%s', UNKNOWN_VALUE, str(value.arg(0, 'sql')))})"
        case _:
            return _function(value, model, state)


def _function(value: Call, model: Model, state: State) -> str:
    named = value.kwargs.get("function")
    function = (
        named if isinstance(named, str) and named.isidentifier() else _FUNCTIONS.get(value.last, value.last.upper())
    )
    if function == "CONCAT":
        return f"({' || '.join(f'COALESCE({expression(each, model, state)}, {EMPTY})' for each in value.args)})"
    arguments = [expression(each, model, state) for each in value.args]
    return f"{function if function.isidentifier() else 'f'}({', '.join(arguments)})"


def index_key(value: Any, model: Model, state: State) -> str:
    """Return a key of an index or of an exclusion: a column as it is, any other expression in parentheses."""
    if isinstance(value, Call) and value.last in ("desc", "asc", "OrderBy", "OpClass", "Collate"):
        return expression(value, model, state)
    return _key(value, model, state)


def _key(value: Any, model: Model, state: State) -> str:
    sql = expression(value, model, state)
    is_column = isinstance(value, str) or (isinstance(value, Call) and value.last in ("F", "OpClass", "Collate"))
    return sql if is_column else f"({sql})"


def value_sql(value: Any) -> str:
    """Return a constant as SQL, a placeholder for one that only a run would tell."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() if HOLE not in value and "\0" not in value:
            return literal(value)
        case bytes():
            return f"'\\x{value.hex()}'::bytea"
        case Call(args=(str(number), *_)) if value.last == "Decimal":
            return number if re.fullmatch(r"-?\d+(\.\d+)?", number) else literal(number)
        case Call(args=(int(number), *_)) if value.last == "Decimal":
            return str(number)
        case tuple() if value and all(isinstance(each, str | int) for each in value):
            return f"ARRAY[{', '.join(value_sql(each) for each in value)}]"
        case Symbol(name=name) if name.endswith(".value"):
            return UNKNOWN_VALUE
        case _:
            return UNKNOWN_VALUE


def quoted(name: str) -> str:
    """Return a name as Django quotes it: always, unless it is quoted already."""
    return name if name.startswith('"') and name.endswith('"') else f'"{name}"'
