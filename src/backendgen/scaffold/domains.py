"""What a column's values may be, taken from its type and its CHECKs; written as pydantic annotation and as JSON Schema.

Two limits are ours, because a request must be bounded: text without a limit takes 10,000 characters, an array 1,000 items.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from backendgen.errors import Problem, UserError
from backendgen.scaffold.checks import Fact, facts
from backendgen.sql.replay import Schema
from backendgen.sql.schema import Column, Table, Type

Kind = Literal[
    "text",
    "integer",
    "numeric",
    "float",
    "boolean",
    "uuid",
    "timestamptz",
    "timestamp",
    "date",
    "time",
    "json",
    "array",
]
MAX_TEXT = 10_000
MAX_ITEMS = 1_000
NO_NUL = r"^[^\x00]*$"
HIDDEN_TYPES = frozenset({"tsvector"})  # an index in disguise: searched, never shown

_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}
_KINDS: dict[str, Kind] = {
    "text": "text",
    "character varying": "text",
    "character": "text",
    "citext": "text",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "numeric",
    "real": "float",
    "double precision": "float",
    "boolean": "boolean",
    "uuid": "uuid",
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "date": "date",
    "time without time zone": "time",
    "json": "json",
    "jsonb": "json",
}
_INTEGER_TYPES = {"smallint": "SmallInteger", "integer": "Integer", "bigint": "BigInteger"}
_ANNOTATIONS: dict[Kind, str] = {
    "numeric": "Decimal",
    "float": "float",
    "boolean": "bool",
    "uuid": "UUID",
    "timestamptz": "Timestamp",
    "timestamp": "LocalTimestamp",
    "date": "Date",
    "time": "Time",
    "json": "Json",
}
_SCHEMAS: dict[Kind, dict[str, object]] = {
    "integer": {"type": "integer"},
    "float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "uuid": {"type": "string", "format": "uuid"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "pattern": r"^\d\d:\d\d:\d\d(\.\d{1,6})?$"},
    "json": {},
}


@dataclass(frozen=True, slots=True)
class Domain:
    """The values that a column may hold. `sql` is its type for a cast."""

    kind: Kind
    sql: str
    min_length: int | None = None
    max_length: int | None = None
    ge: Decimal | None = None
    gt: Decimal | None = None
    le: Decimal | None = None
    lt: Decimal | None = None
    digits: int | None = None
    places: int | None = None
    choices: tuple[str, ...] = ()
    item: Domain | None = None

    @property
    def comparable(self) -> bool:
        """True when `less than` says something that a client would ask for."""
        return self.kind in {"integer", "numeric", "float", "timestamptz", "timestamp", "date", "time"}

    @property
    def sortable(self) -> bool:
        """True when rows can be ordered by it."""
        return self.kind not in {"json", "array"}


def domain(table: Table, column: Column, schema: Schema) -> Domain:
    """Return the column's domain. Raises UserError for a type that has no place in a JSON API."""
    values = _of_type(table, column, column.type, schema)
    known = (
        fact for constraint in table.constraints if constraint.kind == "check" for fact in facts(constraint.expression)
    )
    for fact in known:
        if fact.column == column.name and values.kind != "array":
            values = _narrowed(values, fact)
    if values.kind == "text" and not values.choices and values.max_length is None:
        values = replace(values, max_length=max(MAX_TEXT, 2 * (values.min_length or 0)))
    if _is_empty(values):
        message = f"no value of column '{table.name}.{column.name}' satisfies its CHECKs"
        raise UserError(Problem(message, line=column.line, hint="let one of them admit more, or drop the column"))
    return values


def _is_empty(values: Domain) -> bool:
    """True when the limits leave nothing."""
    bounds = ((values.ge, values.le), (values.gt, values.lt), (values.ge, values.lt), (values.gt, values.le))
    if any(low is not None and high is not None and low > high for low, high in bounds):
        return True
    short, long = values.min_length, values.max_length
    return short is not None and long is not None and short > long


def _of_type(table: Table, column: Column, type_: Type, schema: Schema) -> Domain:
    if type_.array:
        item = _of_type(table, column, replace(type_, array=False), schema)
        if item.kind == "text" and item.max_length is None:
            item = replace(item, max_length=MAX_TEXT)
        return Domain("array", str(type_), max_length=MAX_ITEMS, item=item)
    if type_.name in schema.enums:
        return Domain("text", type_.name, choices=schema.enums[type_.name])
    kind = _KINDS.get(type_.name)
    if kind is None:
        known = ", ".join(sorted(_KINDS))
        raise UserError(
            Problem(
                f"column '{table.name}.{column.name}' has the type {type_}, which a resource cannot carry",
                line=column.line,
                hint=f"use an enum or one of: {known}; or keep the column in a table that is no resource",
            )
        )
    values = Domain(kind, str(type_))
    match kind:
        case "integer":
            low, high = integer_range(type_.name)
            return replace(values, ge=low, le=high)
        case "numeric" if type_.modifiers:
            return replace(
                values, digits=type_.modifiers[0], places=type_.modifiers[1] if len(type_.modifiers) > 1 else 0
            )
        case "numeric":
            return replace(values, digits=100, places=50)
        case "text" if type_.modifiers:
            return replace(values, max_length=type_.modifiers[0])
        case "text" if type_.name == "character":
            return replace(values, max_length=1)
    return values


def _narrowed(values: Domain, fact: Fact) -> Domain:
    if fact.bound == "choices":
        words = fact.value if isinstance(fact.value, tuple) else ()
        kept = tuple(word for word in values.choices if word in words) if values.choices else words
        if values.kind != "text":
            return values
        return replace(values, choices=kept) if kept else replace(values, min_length=1, max_length=0)  # nothing is left
    assert isinstance(fact.value, Decimal)
    if fact.bound in ("min_length", "max_length"):
        return _narrowed_length(values, fact.bound, int(fact.value)) if values.kind == "text" else values
    if values.kind == "integer":
        return _narrowed_integer(values, fact.bound, fact.value)
    if values.kind in ("numeric", "float"):
        return _narrowed_number(values, fact.bound, fact.value)
    return values


def _narrowed_length(values: Domain, bound: str, limit: int) -> Domain:
    if bound == "min_length":
        return replace(values, min_length=max(values.min_length or 0, limit) or None)
    return replace(values, max_length=limit if values.max_length is None else min(values.max_length, limit))


def _narrowed_integer(values: Domain, bound: str, limit: Decimal) -> Domain:
    assert values.ge is not None and values.le is not None
    if bound in ("ge", "gt"):
        low = limit.to_integral_value("ROUND_CEILING")
        return replace(values, ge=max(values.ge, low + 1 if bound == "gt" and low == limit else low))
    high = limit.to_integral_value("ROUND_FLOOR")
    return replace(values, le=min(values.le, high - 1 if bound == "lt" and high == limit else high))


def _narrowed_number(values: Domain, bound: str, limit: Decimal) -> Domain:
    match bound:
        case "ge":
            return replace(values, ge=limit if values.ge is None else max(values.ge, limit))
        case "gt":
            return replace(values, gt=limit if values.gt is None else max(values.gt, limit))
        case "le":
            return replace(values, le=limit if values.le is None else min(values.le, limit))
    return replace(values, lt=limit if values.lt is None else min(values.lt, limit))


def unchecked(values: Domain) -> Domain:
    """Return the domain for a filter: what PostgreSQL can compare with, whatever the CHECKs say."""
    if values.kind == "integer":
        low, high = integer_range(values.sql)
        return replace(values, ge=low, le=high)
    return replace(values, min_length=None, ge=None, gt=None, le=None, lt=None)


def literal(values: Domain) -> str:
    """Return the choices as a Literal type."""
    return f"Literal[{', '.join(json.dumps(word, ensure_ascii=False) for word in values.choices)}]"


def annotation(values: Domain, choices: str = "") -> str:
    """Return the pydantic annotation of a value that is there; `choices` is the name of the type of its choices."""
    if values.choices:
        return choices or literal(values)
    if values.item is not None:
        return f"Annotated[list[{annotation(values.item, choices)}], Field(max_length={values.max_length})]"
    limits = ", ".join(f"{name}={value}" for name, value in _limits(values))
    match values.kind:
        case "text":
            word = "Text"
        case "integer":
            word = _INTEGER_TYPES[values.sql]
        case kind:
            word = _ANNOTATIONS[kind]
    if values.kind == "float":
        limits = ", ".join(filter(None, (limits, "allow_inf_nan=False")))
    return f"Annotated[{word}, Field({limits})]" if limits else word


def _limits(values: Domain) -> list[tuple[str, str]]:
    whole = integer_range(values.sql) if values.kind == "integer" else (None, None)
    named: list[tuple[str, int | Decimal | None]] = [
        ("min_length", values.min_length),
        ("max_length", values.max_length),
        ("ge", None if values.ge == whole[0] else values.ge),
        ("gt", values.gt),
        ("le", None if values.le == whole[1] else values.le),
        ("lt", values.lt),
        ("max_digits", values.digits),
        ("decimal_places", values.places),
    ]
    return [(name, _number(values, value)) for name, value in named if value is not None]


def integer_range(type_: str) -> tuple[Decimal, Decimal]:
    """Return the smallest and the largest value of an integer type."""
    bits = _INTEGERS[type_]
    return Decimal(-(2**bits)), Decimal(2**bits - 1)


def _number(values: Domain, value: int | Decimal) -> str:
    whole = isinstance(value, int) or value == value.to_integral_value()
    if whole:
        return str(int(value))
    return str(float(value)) if values.kind == "float" else f'Decimal("{value}")'


def json_schema(values: Domain) -> dict[str, object]:
    """Return the JSON Schema of a value that is there, in a request."""
    if values.choices:
        return choice_schema(values.choices)
    if values.item is not None:
        return {"type": "array", "items": json_schema(values.item), "maxItems": values.max_length}
    if values.kind == "text":
        limits = {"minLength": values.min_length, "maxLength": values.max_length}
        return {"type": "string", "pattern": NO_NUL} | {
            name: limit for name, limit in limits.items() if limit is not None
        }
    bounds = {
        "minimum": values.ge,
        "exclusiveMinimum": values.gt,
        "maximum": values.le,
        "exclusiveMaximum": values.lt,
    }
    shown = {name: _json_number(bound) for name, bound in bounds.items() if bound is not None}
    if values.kind == "numeric":
        return {"anyOf": [{"type": "number", **shown}, {"type": "string"}]}
    return _SCHEMAS[values.kind] | shown


def choice_schema(words: Sequence[str]) -> dict[str, object]:
    """Return the schema of a choice, as pydantic writes it."""
    return {"type": "string", "const": words[0]} if len(words) == 1 else {"type": "string", "enum": list(words)}


def response_schema(values: Domain) -> dict[str, object]:
    """Return the JSON Schema of a value in a response: a numeric is a string there, so that no digit is lost."""
    if values.kind == "numeric":
        return {"type": "string", "pattern": r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$|^NaN$"}
    if values.kind == "text" and not values.choices:
        return {"type": "string"}
    if values.item is not None:
        return {"type": "array", "items": response_schema(values.item)}
    return json_schema(unchecked(values))


def _json_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
