"""Cursors: exact round trips through PostgreSQL, signed and bound to their list."""

import json

import psycopg
import pytest
from fastapi import Request
from psycopg.sql import SQL
from starlette.datastructures import QueryParams

from app.database import Row
from app.pagination import (
    Cursors,
    SortKey,
    after,
    as_text,
    bind,
    list_scope,
    order_by,
    page,
    reject_repeats,
)
from app.problems import Problem

CURSORS = Cursors(b"a secret")
SCOPE = list_scope("orders", "-created_at", {"status": "paid"})
ID = SortKey("id")

# Two values of each type that a careless text form would confuse, with a duplicate of the first.
VALUES = {
    "uuid": (
        "'00000000-0000-0000-0000-00000000000a'::uuid",
        "'00000000-0000-0000-0000-00000000000b'::uuid",
    ),
    "timestamptz": (
        "'2026-01-02 03:04:05.000001+00'::timestamptz",
        "'2026-01-02 03:04:05.000002+00'::timestamptz",
    ),
    "numeric": ("1234567890123456789.10::numeric", "1234567890123456789.11::numeric"),
    "bigint": ("9007199254740992::bigint", "9007199254740993::bigint"),
    "float8": ("0.1::float8", "0.30000000000000004::float8"),
    "text": ("'a%%s''\"\\'::text", "'é, :x'::text"),
    "date": ("'2026-02-28'::date", "'2026-03-01'::date"),
    "time": ("'03:04:05.000001'::time", "'03:04:05.000002'::time"),
    "interval": ("'1 day 2 hours'::interval", "'2 days'::interval"),
    "boolean": ("false", "true"),
}


def walk(owner: psycopg.Connection[Row], keys: tuple[SortKey, ...], source: str) -> list[Row]:
    """Read all rows one at a time, each page through a sealed cursor."""
    seen: list[Row] = []
    position = None
    while True:
        query = SQL("SELECT * FROM ({}) AS t WHERE {} ORDER BY {} LIMIT 1").format(
            SQL(source), after(keys, position), order_by(keys)
        )
        rows = owner.execute(query, bind(position)).fetchall()
        if not rows:
            return seen
        seen += rows
        assert len(seen) < 20, "the walk does not end"
        sealed = CURSORS.seal(tuple(as_text(rows[0][key.column]) for key in keys), SCOPE)
        position = CURSORS.open(sealed, SCOPE)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_values_survive_the_round_trip(
    owner: psycopg.Connection[Row], values: tuple[str, str], descending: bool
) -> None:
    low, high = values
    source = f"SELECT * FROM (VALUES ({low}, 1), ({low}, 2), ({high}, 3)) AS v (value, id)"
    keys = (SortKey("value", descending), SortKey("id", descending))

    found = [row["id"] for row in walk(owner, keys, source)]

    assert found == ([3, 2, 1] if descending else [1, 2, 3])


@pytest.mark.parametrize("descending", [False, True])
def test_directions_may_differ_and_nulls_keep_their_place(
    owner: psycopg.Connection[Row], descending: bool
) -> None:
    source = "SELECT * FROM (VALUES (NULL, 1), (NULL, 2), (5, 3), (5, 4), (6, 5)) AS v (value, id)"
    keys = (SortKey("value", descending, nullable=True), ID)
    query = SQL("SELECT id FROM ({}) AS t ORDER BY {}").format(SQL(source), order_by(keys))

    expected = [row["id"] for row in owner.execute(query)]

    assert expected == ([1, 2, 5, 3, 4] if descending else [3, 4, 5, 1, 2])
    assert [row["id"] for row in walk(owner, keys, source)] == expected


def test_a_cursor_is_opaque_signed_and_bound() -> None:
    sealed = CURSORS.seal(("2026-01-01", None), SCOPE)
    assert CURSORS.open(sealed, SCOPE) == ("2026-01-01", None)

    swapped = "A" if sealed[-3] != "A" else "B"
    other_scope = list_scope("orders", "-created_at", {"status": "draft"})
    for cursor, cursors, scope in (
        (sealed[:-3] + swapped + sealed[-2:], CURSORS, SCOPE),
        (sealed, CURSORS, other_scope),
        (sealed, Cursors(b"another secret"), SCOPE),
        ("", CURSORS, SCOPE),
        ("no/base64!", CURSORS, SCOPE),
        ("é", CURSORS, SCOPE),
    ):
        with pytest.raises(Problem) as caught:
            cursors.open(cursor, scope)
        assert caught.value.status == 400
        assert caught.value.type == "urn:problem-type:invalid-cursor"


def test_the_longest_text_fits_into_an_address() -> None:
    position = ("\N{PILE OF POO}" * 10_000, "1")
    sealed = CURSORS.seal(position, SCOPE)
    assert CURSORS.open(sealed, SCOPE) == position
    assert len(sealed) < 60_000


def test_a_parameter_is_sent_once() -> None:
    reject_repeats(QueryParams("a=1&b=1"))
    with pytest.raises(Problem) as caught:
        reject_repeats(QueryParams("a=1&b=1&a=2"))
    assert caught.value.status == 422
    assert [error.parameter for error in caught.value.errors] == ["a"]


def test_the_scope_holds_the_sort_and_the_filters() -> None:
    scopes = {
        list_scope("orders", "a", {}),
        list_scope("orders", "-a", {}),
        list_scope("orders", "a", {"x": 1}),
        list_scope("orders", "a", {"x": 2}),
        list_scope("payments", "a", {}),
    }
    assert len(scopes) == 5
    assert list_scope("orders", "a", {"x": None, "y": 1}) == list_scope("orders", "a", {"y": 1})


def test_a_page_links_to_the_next_one() -> None:
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/orders",
            "query_string": b"status=paid&note=&cursor=old&limit=2",
            "headers": [],
            "server": ("localhost", 80),
        }
    )
    rows: list[Row] = [{"id": 1}, {"id": 2}, {"id": 3}]

    response = page(request, rows, limit=2, keys=(ID,), cursors=CURSORS, scope=SCOPE)

    content = json.loads(bytes(response.body))
    assert content["items"] == [{"id": 1}, {"id": 2}]
    assert CURSORS.open(content["next"], SCOPE) == ("2",)
    link = f'</orders?status=paid&note=&limit=2&cursor={content["next"]}>; rel="next"'
    assert response.headers["link"] == link

    last = page(request, rows[:2], limit=2, keys=(ID,), cursors=CURSORS, scope=SCOPE)
    assert json.loads(bytes(last.body)) == {"items": [{"id": 1}, {"id": 2}], "next": None}
    assert "link" not in last.headers
