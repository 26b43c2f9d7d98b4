"""/orders: every operation, its limits, and its SQL."""

import itertools
from operator import eq, ge, gt, le, lt
from typing import Any
from uuid import uuid4

import pytest
from psycopg.sql import SQL, Identifier
from pydantic_core import to_jsonable_python

from app.pagination import after, order_by
from app.resources.orders import statements
from tests import factories
from tests.resources.paging import walk
from tests.resources.prepare import prepare
from tests.resources.stage import Stage

PATH = "/orders"
KEYS = ("id",)
SHOWN = ("id", "customer_id", "status", "total_cents", "version", "placed_at", "created_at")
ECHOED = ("customer_id",)
REQUIRED = ("customer_id",)


def test_statements_fit_the_schema(stage: Stage) -> None:
    prepare(stage.owner, statements.GET)
    prepare(stage.owner, statements.CREATE)
    for keys in statements.SORTS.values():
        for values in itertools.product(("1", None), repeat=len(keys)):
            conditions = [*statements.FILTERS.values(), after(keys, values)]
            order = order_by(keys)
            listed = SQL(" AND ").join(conditions)
            prepare(stage.owner, statements.LIST.format(conditions=listed, order=order))


def test_create(stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    body = factories.order_body(stage.owner, user_id)
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    row = answer.json()
    assert {name: row[name] for name in ECHOED} == {name: body[name] for name in ECHOED}
    assert answer.headers["location"] == f"/orders/{row['id']}"
    assert answer.headers["etag"] == f'"{row["version"]}"'


WRONG_IN_CREATE: list[tuple[str, Any]] = [
    ("customer_id", "nonsense"),
    ("customer_id", None),
]


@pytest.mark.parametrize(("field", "value"), WRONG_IN_CREATE)
def test_create_refuses(field: str, value: Any, stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    body = {**factories.order_body(stage.owner, user_id), field: value}
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 422, answer.text
    assert any(error["pointer"].startswith(f"#/{field}") for error in answer.json()["errors"])


def test_create_refuses_unknown_fields(stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    body = {**factories.order_body(stage.owner, user_id), "no such field": 1}
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/no such field"


@pytest.mark.parametrize("field", REQUIRED)
def test_create_needs(field: str, stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    body = factories.order_body(stage.owner, user_id)
    del body[field]
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"#/{field}"


def test_a_retry_of_create_is_replayed(stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    body = factories.order_body(stage.owner, user_id)
    key = {"Idempotency-Key": factories.unique()}
    first = caller.post(PATH, json=body, headers=key)
    again = caller.post(PATH, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_get(stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    row = factories.make_order(stage.owner, user_id)
    answer = caller.get(f"/orders/{row['id']}")
    assert answer.status_code == 200
    shown = answer.json()
    assert {name: shown[name] for name in SHOWN} == to_jsonable_python(
        {name: row[name] for name in SHOWN}
    )
    known = {"If-None-Match": answer.headers["etag"]}
    again = caller.get(f"/orders/{row['id']}", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    stale = {"If-None-Match": f'"{row["version"] + 1}"'}
    assert caller.get(f"/orders/{row['id']}", headers=stale).status_code == 200


def test_get_what_is_not_there(stage: Stage) -> None:
    caller, _ = stage.enter("staff")
    row = {name: uuid4() for name in KEYS}
    assert caller.get(f"/orders/{row['id']}").status_code == 404
    assert caller.get(f"{PATH}/nonsense").status_code == 422


@pytest.mark.parametrize("sort", list(statements.SORTS))
def test_pages_show_every_row_once_in_order(sort: str, stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    shared: dict[str, object] = {
        "created_at": factories.moment(),
    }
    rows = [factories.make_order(stage.owner, user_id, **shared) for _ in range(5)]
    rows += [factories.make_order(stage.owner, user_id) for _ in range(3)]
    mine = {(str(row["id"]),) for row in rows}
    query = {"sort": sort} if sort else {}
    at_once = [(str(item["id"]),) for item in walk(caller, PATH, limit=100, **query)]
    in_pages = [(str(item["id"]),) for item in walk(caller, PATH, limit=3, **query)]
    assert in_pages == at_once
    assert len(set(at_once)) == len(at_once)
    assert mine <= set(at_once)
    keys = statements.SORTS[sort]
    ordered = SQL("SELECT {keys} FROM {table} ORDER BY {order}").format(
        keys=SQL(", ").join(map(Identifier, KEYS)),
        table=Identifier("orders"),
        order=order_by(keys),
    )
    expected = [(str(row["id"]),) for row in stage.owner.execute(ordered)]
    assert [key for key in at_once if key in mine] == [key for key in expected if key in mine]


def test_a_cursor_is_for_its_own_list(stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    for _ in range(2):
        factories.make_order(stage.owner, user_id)
    cursor = caller.get(PATH, params={"limit": 1}).json()["next"]
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert caller.get(PATH, params={"cursor": changed}).status_code == 400
    assert caller.get(PATH, params={"cursor": "***"}).status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "sort=none", "no_filter=1"])
def test_list_refuses(query: str, stage: Stage) -> None:
    caller, _ = stage.enter("staff")
    assert caller.get(f"{PATH}?{query}").status_code == 422


@pytest.mark.parametrize("name", list(statements.FILTERS))
def test_filters(name: str, stage: Stage) -> None:
    caller, user_id = stage.enter("staff")
    rows = [factories.make_order(stage.owner, user_id) for _ in range(3)]
    column, _, operator = name.rstrip("]").partition("[")
    value = rows[1][column]
    holds = {"": eq, "gte": ge, "gt": gt, "lte": le, "lt": lt}[operator]
    query = {name: to_jsonable_python(value)}
    found = [(str(item["id"]),) for item in walk(caller, PATH, limit=100, **query)]
    for row in rows:
        assert ((str(row["id"]),) in found) == holds(row[column], value)
