"""/notes: every operation, its limits, and its SQL."""

import itertools
from typing import Any
from uuid import uuid4

import pytest
from psycopg.sql import SQL, Identifier
from pydantic_core import to_jsonable_python

from app.pagination import after, order_by
from app.resources.notes import statements
from tests import factories
from tests.resources.paging import walk
from tests.resources.prepare import prepare
from tests.resources.stage import Stage

PATH = "/notes"
KEYS = ("id",)
SHOWN = ("id", "title", "content", "version", "created_at")
ECHOED = ("title",)
REQUIRED = ("title",)


def test_statements_fit_the_schema(stage: Stage) -> None:
    prepare(stage.owner, statements.GET)
    prepare(stage.owner, statements.UPDATABLE)
    prepare(stage.owner, statements.DELETE)
    for keys in [statements.ORDER]:
        for values in itertools.product(("1", None), repeat=len(keys)):
            conditions = [after(keys, values)]
            order = order_by(keys)
            listed = SQL(" AND ").join(conditions)
            prepare(stage.owner, statements.LIST.format(conditions=listed, order=order))
    for default in (SQL("DEFAULT"), None):
        given = {name: default or value for name, value in statements.GIVEN.items()}
        prepare(stage.owner, statements.CREATE.format(**given))
    changes = SQL(", ").join(statements.CHANGES.values())
    prepare(stage.owner, statements.UPDATE.format(changes=changes))


def test_create(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    body = factories.note_body(stage.owner, user_id)
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    row = answer.json()
    assert {name: row[name] for name in ECHOED} == {name: body[name] for name in ECHOED}
    assert answer.headers["location"] == f"/notes/{row['id']}"
    assert answer.headers["etag"] == f'"{row["version"]}"'


WRONG_IN_CREATE: list[tuple[str, Any]] = [
    ("title", ""),
    ("title", "x" * 201),
    ("title", "\0"),
    ("title", None),
    ("content", "x" * 10001),
    ("content", "\0"),
    ("content", None),
]


@pytest.mark.parametrize(("field", "value"), WRONG_IN_CREATE)
def test_create_refuses(field: str, value: Any, stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    body = {**factories.note_body(stage.owner, user_id), field: value}
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 422, answer.text
    assert any(error["pointer"].startswith(f"#/{field}") for error in answer.json()["errors"])


def test_create_refuses_unknown_fields(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    body = {**factories.note_body(stage.owner, user_id), "no such field": 1}
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/no such field"


@pytest.mark.parametrize("field", REQUIRED)
def test_create_needs(field: str, stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    body = factories.note_body(stage.owner, user_id)
    del body[field]
    answer = caller.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"#/{field}"


def test_a_retry_of_create_is_replayed(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    body = factories.note_body(stage.owner, user_id)
    key = {"Idempotency-Key": factories.unique()}
    first = caller.post(PATH, json=body, headers=key)
    again = caller.post(PATH, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


def test_get(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    row = factories.make_note(stage.owner, user_id)
    answer = caller.get(f"/notes/{row['id']}")
    assert answer.status_code == 200
    shown = answer.json()
    assert {name: shown[name] for name in SHOWN} == to_jsonable_python(
        {name: row[name] for name in SHOWN}
    )
    known = {"If-None-Match": answer.headers["etag"]}
    again = caller.get(f"/notes/{row['id']}", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    stale = {"If-None-Match": f'"{row["version"] + 1}"'}
    assert caller.get(f"/notes/{row['id']}", headers=stale).status_code == 200


def test_get_what_is_not_there(stage: Stage) -> None:
    caller, _ = stage.enter("user")
    row = {name: uuid4() for name in KEYS}
    assert caller.get(f"/notes/{row['id']}").status_code == 404
    assert caller.get(f"{PATH}/nonsense").status_code == 422


@pytest.mark.parametrize("sort", [""])
def test_pages_show_every_row_once_in_order(sort: str, stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    rows = [factories.make_note(stage.owner, user_id) for _ in range(8)]
    mine = {(str(row["id"]),) for row in rows}
    query = {"sort": sort} if sort else {}
    at_once = [(str(item["id"]),) for item in walk(caller, PATH, limit=100, **query)]
    in_pages = [(str(item["id"]),) for item in walk(caller, PATH, limit=3, **query)]
    assert in_pages == at_once
    assert len(set(at_once)) == len(at_once)
    assert mine <= set(at_once)
    keys = statements.ORDER
    ordered = SQL("SELECT {keys} FROM {table} ORDER BY {order}").format(
        keys=SQL(", ").join(map(Identifier, KEYS)),
        table=Identifier("notes"),
        order=order_by(keys),
    )
    expected = [(str(row["id"]),) for row in stage.owner.execute(ordered)]
    assert [key for key in at_once if key in mine] == [key for key in expected if key in mine]


def test_a_cursor_is_for_its_own_list(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    for _ in range(2):
        factories.make_note(stage.owner, user_id)
    cursor = caller.get(PATH, params={"limit": 1}).json()["next"]
    changed = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    assert caller.get(PATH, params={"cursor": changed}).status_code == 400
    assert caller.get(PATH, params={"cursor": "***"}).status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "sort=none", "no_filter=1"])
def test_list_refuses(query: str, stage: Stage) -> None:
    caller, _ = stage.enter("user")
    assert caller.get(f"{PATH}?{query}").status_code == 422


def test_update(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    row = factories.make_note(stage.owner, user_id)
    change = {"title": factories.unique()}
    guard = {"If-Match": f'"{row["version"]}"'}
    answer = caller.patch(f"/notes/{row['id']}", json=change, headers=guard)
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == row["version"] + 1
    assert answer.headers["etag"] == f'"{row["version"] + 1}"'
    stale = caller.patch(f"/notes/{row['id']}", json=change, headers=guard)
    assert stale.status_code == 412
    assert caller.patch(f"/notes/{row['id']}", json=change).status_code == 428
    anything = {"If-Match": "*"}
    assert caller.patch(f"/notes/{row['id']}", json=change, headers=anything).status_code == 428
    assert answer.json()["title"] == change["title"]


WRONG_IN_UPDATE: list[tuple[str, Any]] = [
    ("title", ""),
    ("title", "x" * 201),
    ("title", "\0"),
    ("title", None),
    ("content", "x" * 10001),
    ("content", "\0"),
    ("content", None),
]


@pytest.mark.parametrize(("field", "value"), WRONG_IN_UPDATE)
def test_update_refuses(field: str, value: Any, stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    row = factories.make_note(stage.owner, user_id)
    guard = {"If-Match": '"1"'}
    answer = caller.patch(f"/notes/{row['id']}", json={field: value}, headers=guard)
    assert answer.status_code == 422, answer.text
    assert any(error["pointer"].startswith(f"#/{field}") for error in answer.json()["errors"])


def test_update_needs_a_change(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    row = factories.make_note(stage.owner, user_id)
    guard = {"If-Match": '"1"'}
    assert caller.patch(f"/notes/{row['id']}", json={}, headers=guard).status_code == 422


def test_update_what_is_not_there(stage: Stage) -> None:
    caller, _ = stage.enter("user")
    row = {name: uuid4() for name in KEYS}
    change = {"title": factories.unique()}
    guard = {"If-Match": '"1"'}
    assert caller.patch(f"/notes/{row['id']}", json=change, headers=guard).status_code == 404


def test_delete(stage: Stage) -> None:
    caller, user_id = stage.enter("user")
    row = factories.make_note(stage.owner, user_id)
    assert caller.delete(f"/notes/{row['id']}").status_code == 204
    assert caller.delete(f"/notes/{row['id']}").status_code == 404
