"""Types of fields that PostgreSQL narrows further than Python does."""

import datetime as dt
import json
from typing import Annotated, Any

from psycopg.types.json import Jsonb
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    NaiveDatetime,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
)

# The default of a field that may be left out: the database's value stays. It is no value itself.
NOT_SENT: Any = None

MAX_JSON = 65_536

# Python's first and last days have no neighbour that another time zone could need.
EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)


def in_range(value: dt.datetime) -> dt.datetime:
    """Refuse an instant that has no place in Python's calendar in every time zone."""
    if not EARLIEST.replace(tzinfo=value.tzinfo) <= value <= LATEST.replace(tzinfo=value.tzinfo):
        raise ValueError("must be between the years 1 and 9999")
    return value


def storable(value: Any) -> Any:
    """Refuse JSON that `jsonb` cannot hold, or that is too large."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("must be JSON without NaN or Infinity") from None
    if "\\u0000" in text:
        raise ValueError("must not hold NUL characters")
    if len(text) > MAX_JSON:
        raise ValueError(f"must be at most {MAX_JSON} bytes of JSON")
    return value


def bindable(value: Any, info: SerializationInfo) -> Any:
    """Return what psycopg stores as `jsonb`; a JSON null is NULL."""
    return value if info.mode == "json" or value is None else Jsonb(value)


SmallInteger = Annotated[int, Field(ge=-(2**15), le=2**15 - 1)]
Integer = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
BigInteger = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]  # PostgreSQL's text has no NUL
Timestamp = Annotated[AwareDatetime, AfterValidator(in_range)]
LocalTimestamp = Annotated[NaiveDatetime, AfterValidator(in_range)]
Date = dt.date
Time = dt.time
Json = Annotated[Any, AfterValidator(storable), PlainSerializer(bindable)]
