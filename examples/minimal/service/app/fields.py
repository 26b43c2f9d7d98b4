"""Types of fields that PostgreSQL narrows further than Python does."""

from typing import Annotated, Any

from pydantic import StringConstraints

# The default of a field that may be left out: the database's value stays. It is no value itself.
NOT_SENT: Any = None
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]  # PostgreSQL's text has no NUL
