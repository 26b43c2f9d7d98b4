"""Every error is a problem document; the database's own errors speak the API's language."""

import json
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import httpx2
import psycopg
import pytest
from fastapi import FastAPI, Query
from fastapi.responses import Response
from psycopg.sql import SQL, Literal
from pydantic import BaseModel, Field

from app import problems, responses
from app.database import Db
from app.main import create_app
from app.problems import Constraint
from dev.postgres import Access
from tests.conftest import load_settings, running

CONSTRAINTS = {
    "probes_name_key": Constraint(("name",), "This name is taken."),
    "probes_size_check": Constraint(("size",), "Must be positive."),
    "probes_parent_fkey": Constraint(("parent_id",), "There is no such parent."),
    "probes.parent_size": Constraint(("parent_id",), "It has no size."),
}
TABLE = """
CREATE TABLE probes (
  id int PRIMARY KEY,
  name varchar(10) NOT NULL UNIQUE,
  size int CHECK (size > 0),
  parent_id int CONSTRAINT probes_parent_fkey REFERENCES probes (id),
  -- what the parent decides, as a column that the spec's `set` gives
  parent_size int NOT NULL
)
"""
INSERT = """
INSERT INTO probes (id, name, size, parent_id, parent_size)
VALUES (
  %(id)s, %(name)s, %(size)s, %(parent_id)s,
  CASE WHEN %(parent_id)s::int = 0 THEN NULL ELSE 1 END
) RETURNING *
"""


class Item(BaseModel):
    """A nested body."""

    quantity: Annotated[int, Field(gt=0)]


class Probe(BaseModel):
    """A body without the limits that the table has: the database is the last to judge."""

    id: int
    name: str | None = None
    size: int | None = None
    parent_id: int | None = None
    items: list[Item] = []


def probe_app(access: Access) -> FastAPI:
    """Build the application with routes that fail in every way."""
    app = create_app(load_settings(access, DATABASE_STATEMENT_TIMEOUT_MS="300"))

    @app.post("/probes")
    async def create(probe: Probe, db: Db) -> Response:
        return responses.json(await db.fetch_one(INSERT, probe.model_dump(exclude={"items"})), 201)

    @app.delete("/probes/{probe_id}")
    async def delete(probe_id: int, db: Db) -> Response:
        await db.fetch_one("DELETE FROM probes WHERE id = %(id)s RETURNING id", {"id": probe_id})
        return responses.no_content()

    @app.get("/probes")
    async def find(db: Db, name: str = "", limit: Annotated[int, Query(le=5)] = 5) -> Response:
        query = "SELECT * FROM probes WHERE name = %(name)s LIMIT %(limit)s"
        return responses.json(await db.fetch_all(query, {"name": name, "limit": limit}))

    @app.get("/slow")
    async def slow(db: Db) -> Response:
        return responses.json(await db.fetch_one("SELECT pg_sleep(5)"))

    @app.get("/raise/{sqlstate}")
    async def fail(sqlstate: str, db: Db) -> Response:
        body = f"BEGIN RAISE SQLSTATE '{sqlstate}'; END"
        return responses.json(await db.fetch_one(SQL("DO {}").format(Literal(body))))

    @app.get("/crash")
    async def crash() -> Response:
        raise RuntimeError("password=hunter2")

    @app.get("/items/{item_id}")
    async def item(item_id: UUID) -> Response:
        raise problems.not_found("item")

    problems.install(app, CONSTRAINTS)
    return app


@pytest.fixture(scope="module")
def probes(database: Access) -> Iterator[httpx2.Client]:
    """A client of the application above, with two rows: 2 is a child of 1."""
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute(TABLE)
        owner.execute("INSERT INTO probes VALUES (1, 'one', 1, NULL, 1), (2, 'two', 1, 1, 1)")
        with running(probe_app(database)) as url, httpx2.Client(base_url=url, timeout=10) as client:
            yield client
        owner.execute("DROP TABLE probes")


def check(response: httpx2.Response, status: int, slug: str) -> dict[str, object]:
    """Assert what all problem documents have in common, and return the document."""
    document: dict[str, object] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, document["status"]) == (status, status)
    assert document["type"] == f"urn:problem-type:{slug}"
    assert document["correlation_id"] == response.headers["x-request-id"]
    assert document["title"]
    assert document["detail"]
    assert response.headers["x-content-type-options"] == "nosniff"
    return document


def test_unknown_path(probes: httpx2.Client) -> None:
    check(probes.get("/nowhere"), 404, "not-found")
    check(probes.get("/probes/"), 404, "not-found")  # and not a redirect


def test_wrong_method_names_all_that_are_right(probes: httpx2.Client) -> None:
    response = probes.put("/probes")
    check(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET, POST"


def test_validation_points_into_the_body(probes: httpx2.Client) -> None:
    response = probes.post("/probes", json={"id": "x", "items": [{"quantity": 0}, {}]})
    document = check(response, 422, "invalid-request")
    assert document["detail"] == "The request has 3 errors."
    message = "Input should be a valid integer, unable to parse string as an integer"
    assert document["errors"] == [
        {"pointer": "#/id", "detail": message},
        {"pointer": "#/items/0/quantity", "detail": "Input should be greater than 0"},
        {"pointer": "#/items/1/quantity", "detail": "Field required"},
    ]


def test_validation_names_parameters(probes: httpx2.Client) -> None:
    document = check(probes.get("/probes?limit=6"), 422, "invalid-request")
    assert document["errors"] == [
        {"parameter": "limit", "detail": "Input should be less than or equal to 5"}
    ]
    document = check(probes.get("/items/5"), 422, "invalid-request")
    assert "'parameter': 'item_id'" in str(document["errors"])


def test_a_missing_body_is_the_whole_of_it(probes: httpx2.Client) -> None:
    document = check(probes.post("/probes"), 422, "invalid-request")
    assert document["errors"] == [{"pointer": "#", "detail": "Field required"}]


def test_input_is_not_echoed(probes: httpx2.Client) -> None:
    response = probes.post("/probes", json={"id": "hunter2"})
    assert "hunter2" not in response.text


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"id": 1,}', b"\xff\xfe", b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}"],
    ids=["cut off", "trailing comma", "not UTF-8", "deep", "long number"],
)
def test_undecodable_json(probes: httpx2.Client, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    check(probes.post("/probes", content=body, headers=headers), 400, "invalid-json")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_media_type(probes: httpx2.Client, media_type: str | None) -> None:
    headers = {"content-type": media_type} if media_type else {}
    response = probes.post("/probes", content=b'{"id": 9}', headers=headers)
    check(response, 415, "unsupported-media-type")


def test_unique_violation_names_the_field(probes: httpx2.Client) -> None:
    document = check(probes.post("/probes", json={"id": 9, "name": "one"}), 409, "conflict")
    assert document["detail"] == "This name is taken."
    assert document["errors"] == [{"pointer": "#/name", "detail": "This name is taken."}]


def test_unknown_constraint_still_conflicts(probes: httpx2.Client) -> None:
    document = check(probes.post("/probes", json={"id": 1, "name": "x"}), 409, "conflict")
    assert "errors" not in document


def test_reference_to_nothing(probes: httpx2.Client) -> None:
    body = {"id": 9, "name": "x", "parent_id": 77}
    document = check(probes.post("/probes", json=body), 422, "invalid-request")
    assert document["errors"] == [{"pointer": "#/parent_id", "detail": "There is no such parent."}]


def test_delete_of_what_is_in_use(probes: httpx2.Client) -> None:
    check(probes.delete("/probes/1"), 409, "conflict")


def test_check_violation(probes: httpx2.Client) -> None:
    body = {"id": 9, "name": "x", "size": -1}
    document = check(probes.post("/probes", json=body), 422, "invalid-request")
    assert document["errors"] == [{"pointer": "#/size", "detail": "Must be positive."}]


def test_a_derived_value_that_is_missing_names_what_it_derives_from(probes: httpx2.Client) -> None:
    body = {"id": 9, "name": "x", "parent_id": 0}
    document = check(probes.post("/probes", json=body), 422, "invalid-request")
    assert document["errors"] == [{"pointer": "#/parent_id", "detail": "It has no size."}]


def test_missing_value(probes: httpx2.Client) -> None:
    document = check(probes.post("/probes", json={"id": 9}), 422, "invalid-request")
    assert document["errors"] == [{"pointer": "#/name", "detail": "Field required"}]


@pytest.mark.parametrize(
    "body",
    [
        {"id": 9, "name": "much too long for it"},
        {"id": 9, "name": "x", "size": 2**40},
        {"id": 9, "name": "nul\0"},
        {"id": 9, "name": "\ud800"},
    ],
    ids=["too long", "out of range", "NUL", "lone surrogate"],
)
def test_what_only_the_database_refuses(probes: httpx2.Client, body: dict[str, object]) -> None:
    content = json.dumps(body)  # ASCII, with escapes that a strict client would not send
    headers = {"content-type": "application/json"}
    check(probes.post("/probes", content=content, headers=headers), 422, "invalid-request")


def test_nul_in_a_parameter(probes: httpx2.Client) -> None:
    check(probes.get("/probes?name=a%00b"), 422, "invalid-request")


def test_statement_timeout(probes: httpx2.Client) -> None:
    response = probes.get("/slow")
    check(response, 503, "service-unavailable")
    assert response.headers["retry-after"] == "1"


def test_pool_exhausted(database: Access) -> None:
    settings = load_settings(
        database, DATABASE_POOL_MIN="1", DATABASE_POOL_MAX="1", DATABASE_POOL_TIMEOUT_S="0.1"
    )
    app = create_app(settings)

    @app.get("/hold")
    async def hold(db: Db) -> Response:
        async with db.transaction():
            return responses.json(await db.fetch_one("SELECT 1"))

    with running(app) as url:
        response = httpx2.get(f"{url}/hold")
    check(response, 503, "service-unavailable")
    assert response.headers["retry-after"] == "1"


def test_database_away(database: Access) -> None:
    settings = load_settings(
        database,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
        DATABASE_POOL_TIMEOUT_S="0.2",
    )
    app = create_app(settings)

    @app.get("/read")
    async def read(db: Db) -> Response:
        return responses.json(await db.fetch_one("SELECT 1"))

    with running(app) as url:
        check(httpx2.get(f"{url}/read"), 503, "service-unavailable")


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("40001", 503),
        ("40P01", 503),
        ("55P03", 503),
        ("57P01", 503),
        ("23P01", 409),
        ("54000", 422),
        ("XX000", 500),
    ],
    ids=[
        "serialization",
        "deadlock",
        "lock timeout",
        "shutdown",
        "exclusion",
        "too long for an index",
        "internal",
    ],
)
def test_errors_of_the_database(probes: httpx2.Client, sqlstate: str, status: int) -> None:
    response = probes.get(f"/raise/{sqlstate}")
    slugs = {
        503: "service-unavailable",
        409: "conflict",
        422: "invalid-request",
        500: "internal-server-error",
    }
    check(response, status, slugs[status])
    assert response.headers.get("retry-after") == ("1" if status == 503 else None)


def test_crash_leaks_nothing(probes: httpx2.Client) -> None:
    response = probes.get("/crash")
    check(response, 500, "internal-server-error")
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text
