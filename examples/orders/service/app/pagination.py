"""Keyset pagination: a page starts after a row, not after a number of rows.

A cursor holds the sort columns' values of the last row of a page. It is opaque to callers, signed
(a changed one is a 400 problem), and bound to a scope: the resource, its sort and its filters. It
reads no deeper than the first page, and rows that come or go meanwhile neither repeat nor hide
others.

The sort must end in a unique column, else rows with equal values could be skipped. NULLs keep
PostgreSQL's place, last when ascending and first when descending; mark such a column `nullable`.

    NEWEST_FIRST = (SortKey("created_at", descending=True), SortKey("id", descending=True))

    async def list_orders(request: Request, db: Db, cursors: Pages, sort: Sort = "-created_at",
                          limit: Limit = 20, cursor: Cursor = None) -> Response:
        keys = {"-created_at": NEWEST_FIRST}[sort]
        scope = list_scope("orders", sort, {"status": status})
        position = cursors.open(cursor, scope) if cursor else None
        query = SQL("SELECT * FROM orders WHERE {after} ORDER BY {order} LIMIT %(rows)s").format(
            after=after(keys, position), order=order_by(keys)
        )
        rows = await db.fetch_all(query, {"rows": limit + 1, **bind(position)})
        return page(request, rows, limit=limit, keys=keys, cursors=cursors, scope=scope)
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Request
from fastapi.responses import Response
from psycopg.sql import SQL, Composable, Identifier, Placeholder
from pydantic_core import to_jsonable_python
from starlette.datastructures import QueryParams

from app import responses
from app.database import Row
from app.problems import FieldError, Problem, unprocessable

SIGNATURE_BYTES = 16

# A value of a sort column as text, which PostgreSQL reads back in the column's own type.
Position = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by."""

    column: str
    descending: bool = False
    nullable: bool = False


class Cursors:
    """Seals positions into cursors and opens them again."""

    def __init__(self, secret: bytes) -> None:
        """Derive the signing key from the service's secret."""
        self._key = hashlib.sha256(b"cursors\0" + secret).digest()

    def seal(self, position: Position, scope: str) -> str:
        """Return the cursor of a position within `scope`."""
        # As UTF-8: escapes would make a cursor of long text longer than an address may be.
        content = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
        return urlsafe_b64encode(self._sign(content, scope) + content).rstrip(b"=").decode()

    def open(self, cursor: str, scope: str) -> Position:
        """Return the position. Raises a 400 `Problem` unless it was sealed here for `scope`."""
        try:
            sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            raise invalid_cursor() from None
        signature, content = sealed[:SIGNATURE_BYTES], sealed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(content, scope)):
            raise invalid_cursor()
        return tuple(json.loads(content))

    def _sign(self, content: bytes, scope: str) -> bytes:
        message = scope.encode() + b"\0" + content
        return hmac.digest(self._key, message, "sha256")[:SIGNATURE_BYTES]


async def cursors(request: Request) -> Cursors:
    """Return the application's cursors (a dependency: see `Pages`)."""
    instance: Cursors = request.app.state.cursors
    return instance


Pages = Annotated[Cursors, Depends(cursors)]


def invalid_cursor() -> Problem:
    """400: the cursor was changed, or belongs to another list."""
    return Problem(
        400,
        "The cursor does not belong to this list: begin again without it.",
        type="invalid-cursor",
        errors=[FieldError("Not a cursor of this list", parameter="cursor")],
    )


def reject_repeats(query: QueryParams) -> None:
    """Refuse a parameter that is sent twice: one value would be dropped. Raises a 422 `Problem`."""
    pairs = query.multi_items()
    if len(pairs) == len(query):
        return
    counts = Counter(name for name, _ in pairs)
    errors = [FieldError("Send it once", parameter=name) for name, n in counts.items() if n > 1]
    raise unprocessable("A parameter is sent more than once.", errors)


def list_scope(resource: str, sort: str, filters: Mapping[str, object]) -> str:
    """Return what a cursor is bound to: going on with another sort or filter makes no sense."""
    given = {name: value for name, value in sorted(filters.items()) if value is not None}
    return json.dumps([resource, sort, to_jsonable_python(given)])


@cache
def order_by(keys: tuple[SortKey, ...]) -> Composable:
    """Return what follows ORDER BY."""
    return SQL(", ").join(
        SQL("{} DESC" if key.descending else "{}").format(Identifier(key.column)) for key in keys
    )


def after(keys: tuple[SortKey, ...], position: Position | None) -> Composable:
    """Return the condition for rows after `position`, with the placeholders that `bind` fills."""
    if position is None:
        return SQL("true")
    return _after(keys, tuple(value is None for value in position))


def bind(position: Position | None) -> dict[str, str | None]:
    """Return the parameters of `after`'s condition."""
    return {f"after_{index}": value for index, value in enumerate(position or ())}


@cache
def _after(keys: tuple[SortKey, ...], nulls: tuple[bool, ...]) -> Composable:
    columns = [Identifier(key.column) for key in keys]
    values = [Placeholder(f"after_{index}") for index in range(len(keys))]
    directions = {key.descending for key in keys}
    if len(directions) == 1 and not any(key.nullable for key in keys):
        # One comparison of rows, which PostgreSQL answers with one range of an index.
        return SQL("({}) {} ({})").format(
            SQL(", ").join(columns),
            SQL("<" if keys[0].descending else ">"),
            SQL(", ").join(values),
        )
    # (a after x) OR (a = x AND b after y) OR ...
    alternatives: list[Composable] = []
    equal: list[Composable] = []
    for key, column, value, null in zip(keys, columns, values, nulls, strict=True):
        alternatives.append(SQL(" AND ").join([*equal, _beyond(key, null).format(column, value)]))
        equal.append(SQL("{} IS NULL" if null else "{} = {}").format(column, value))
    return SQL("({})").format(SQL(" OR ").join(alternatives))


def _beyond(key: SortKey, null: bool) -> SQL:
    if null:  # NULLs come first when descending, last when ascending
        return SQL("{} IS NOT NULL") if key.descending else SQL("false")
    if key.descending:
        return SQL("{} < {}")
    return SQL("({0} > {1} OR {0} IS NULL)") if key.nullable else SQL("{} > {}")


def page(
    request: Request,
    rows: list[Row],
    *,
    limit: int,
    keys: Sequence[SortKey],
    cursors: Cursors,
    scope: str,
) -> Response:
    """Return `{"items": [...], "next": cursor or null}` and a Link header (RFC 8288).

    `rows` were read with LIMIT `limit + 1`: the row too many says that there is a next page.
    """
    if len(rows) <= limit:
        return responses.json({"items": rows, "next": None})
    items = rows[:limit]
    position = tuple(as_text(items[-1][key.column]) for key in keys)
    following = cursors.seal(position, scope)
    given = parse_qsl(request.url.query, keep_blank_values=True)
    query = [*(pair for pair in given if pair[0] != "cursor"), ("cursor", following)]
    target = f"{request.url.path}?{urlencode(query)}"
    return responses.json(
        {"items": items, "next": following}, headers={"Link": f'<{target}>; rel="next"'}
    )


def as_text(value: object) -> str | None:
    """Return a value of a row as text that PostgreSQL reads back exactly; None stays None."""
    return None if value is None else str(to_jsonable_python(value, inf_nan_mode="strings"))
