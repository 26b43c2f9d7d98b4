"""Sample values: for the examples of the OpenAPI document and for the rows that generated tests make."""

from __future__ import annotations

from decimal import Decimal

from backendgen.scaffold.domains import Domain

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


def sample(values: Domain, column: str) -> Json:
    """Return a valid value, always the same one, that reads like one of the column."""
    if values.choices:
        return values.choices[0]
    match values.kind:
        case "text":
            return _text(values, column)
        case "integer":
            return int(_number(values, Decimal(1)))
        case "numeric":
            return str(_number(values, Decimal(1)))
        case "float":
            return float(_number(values, Decimal(1)))
        case "array":
            return [sample(values.item, column)] if values.item else []
        case "json":
            return {"note": column}
    return _FIXED[values.kind]


_FIXED: dict[str, Json] = {
    "boolean": True,
    "uuid": "0193b5a2-5d1c-7c3e-9a41-3f6f2b8c7d10",
    "timestamptz": "2026-03-01T12:00:00Z",
    "timestamp": "2026-03-01T12:00:00",
    "date": "2026-03-01",
    "time": "12:00:00",
}


def _text(values: Domain, column: str) -> str:
    word = "ada@example.com" if "email" in column.lower() else column
    low, high = values.min_length or 0, values.max_length or len(word)
    return word[:high].ljust(low, "x")


def _number(values: Domain, wanted: Decimal) -> Decimal:
    """Return the wanted number, moved as little as it takes to be inside the bounds."""
    step = Decimal(1).scaleb(-(values.places or 0)) if values.kind == "numeric" else Decimal(1)
    low = values.ge if values.gt is None else values.gt + step
    high = values.le if values.lt is None else values.lt - step
    if low is not None and values.gt is not None and high is not None and low > high:
        low = high = (low + high) / 2
    number = wanted if low is None else max(wanted, low)
    number = number if high is None else min(number, high)
    room = (values.digits or 0) - (values.places or 0)
    return number if values.kind != "numeric" or room >= 1 else Decimal(0) if low is None or low <= 0 else low
