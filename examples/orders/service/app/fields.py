"""Types of fields that PostgreSQL narrows further than Python does."""

import datetime as dt
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

# The default of a field that may be left out: the database's value stays. It is no value itself.
NOT_SENT: Any = None

# Python's first and last days have no neighbour that another time zone could need.
EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)


def in_range(value: dt.datetime) -> dt.datetime:
    """Refuse an instant that has no place in Python's calendar in every time zone."""
    instant = value.replace(tzinfo=value.tzinfo or dt.UTC)
    if not EARLIEST <= instant <= LATEST:
        raise ValueError("must be between the years 1 and 9999")
    return value


BigInteger = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]  # PostgreSQL's text has no NUL
Timestamp = Annotated[AwareDatetime, AfterValidator(in_range)]
