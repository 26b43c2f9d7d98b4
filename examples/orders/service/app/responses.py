"""Ready-made responses: rows go to JSON in one step, without a model in between.

How PostgreSQL's types look in JSON: `uuid`, `timestamptz`, `date` and `time` are ISO 8601 strings,
`numeric` is a string (a JSON number is a double in most clients and would lose digits), `bytea` is
URL-safe base64, `interval` an ISO 8601 duration, `integer`, `bigint` and `double precision` are
numbers (a client that reads a `bigint` beyond 2^53 needs a 64-bit JSON reader), `NaN` is null.
"""

from collections.abc import Mapping

from fastapi.responses import Response
from pydantic_core import to_json

JSON = "application/json"


def json(
    content: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> Response:
    """Return `content` (rows, lists, scalars) as a JSON response."""
    return Response(
        to_json(content, bytes_mode="base64", inf_nan_mode="null"),
        status_code=status,
        headers=headers,
        media_type=media_type,
    )


def no_content(headers: Mapping[str, str] | None = None) -> Response:
    """Return a 204 response."""
    return Response(status_code=204, headers=headers)


def etag(version: int) -> str:
    """Return the entity tag of a row's version: `"7"` (RFC 9110, section 8.8.3)."""
    return f'"{version}"'
