"""Idempotency-Key, on a route of its own: retries, concurrency, failures, and who owns a key."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import httpx2
import psycopg
import pytest
from fastapi import Request
from fastapi.responses import Response

from app import idempotency
from app.database import Connection, Db, Row
from app.idempotency import IdempotencyKey, RequiredIdempotencyKey, once
from app.main import create_app
from app.problems import Problem
from app.responses import json
from dev.postgres import Access
from tests.conftest import load_settings, running


@pytest.fixture(scope="module")
def notes_url(database: Access) -> Iterator[str]:
    """The service with a route that writes a row of a table that only these tests have."""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute("CREATE TABLE test_notes (text text NOT NULL)")
        app = create_app(load_settings(database))

        async def write(request: Request, db: Db, key: str | None) -> Response:
            body = await request.body()
            text = body.decode()

            async def insert(connection: Connection) -> Response:
                await connection.execute("INSERT INTO test_notes VALUES (%(text)s)", {"text": text})
                if "refuse" in text:
                    raise Problem(409, "Not now.")
                if "crash" in text:
                    raise RuntimeError
                headers = {"Location": f"/notes/{text}", "ETag": '"1"'}
                return json({"text": text, "attempt": str(uuid4())}, 201, headers)

            principal = request.headers.get("x-principal", "somebody")
            return await once(
                db,
                key=key,
                principal=principal,
                operation=request.url.path,
                request=body,
                write=insert,
            )

        @app.post("/test/notes")
        async def optional(request: Request, db: Db, key: IdempotencyKey = None) -> Response:
            return await write(request, db, key)

        @app.post("/test/other-notes")
        async def other(request: Request, db: Db, key: IdempotencyKey = None) -> Response:
            return await write(request, db, key)

        @app.post("/test/required", openapi_extra=idempotency.REQUIRED)
        async def required(request: Request, db: Db, key: RequiredIdempotencyKey) -> Response:
            return await write(request, db, key)

        with running(app) as url:
            yield url
        connection.execute("DROP TABLE test_notes")


@pytest.fixture
def notes(notes_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=notes_url, timeout=10) as client:
        yield client


def post(
    client: httpx2.Client, text: str, key: str | None, path: str = "/test/notes", **headers: str
) -> httpx2.Response:
    if key is not None:
        headers["Idempotency-Key"] = key
    encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    return client.post(path, content=text, headers=encoded)


def written(owner: psycopg.Connection[Row], text: str) -> int:
    row = owner.execute("SELECT count(*) AS n FROM test_notes WHERE text = %s", (text,)).fetchone()
    assert row is not None
    return int(row["n"])


def fresh(word: str = "note") -> str:
    return f"{word}-{uuid4()}"


def test_a_retry_is_answered_from_the_store(
    notes: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    text, key = fresh(), fresh()
    first, second = post(notes, text, key), post(notes, text, key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    for name in ("location", "etag", "content-type", "content-length"):
        assert first.headers[name] == second.headers[name]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert written(owner, text) == 1


def test_without_a_key_every_request_counts(
    notes: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    text = fresh()
    for _ in range(2):
        assert post(notes, text, None).status_code == 201
    assert written(owner, text) == 2


def test_a_key_in_quotes_is_the_same_key(
    notes: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    text, key = fresh(), fresh()
    post(notes, text, key)
    assert post(notes, text, f'"{key}"').headers["idempotency-replayed"] == "true"
    assert written(owner, text) == 1


def test_a_key_of_another_request_is_refused(
    notes: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    text, key = fresh(), fresh()
    post(notes, text, key)
    answer = post(notes, f"{text}-changed", key)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("idempotency-key-reused")
    assert written(owner, f"{text}-changed") == 0


def test_a_key_belongs_to_a_principal_and_an_operation(
    notes: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    text, key = fresh(), fresh()
    answers = [
        post(notes, text, key),
        post(notes, text, key, **{"X-Principal": "somebody else"}),
        post(notes, text, key, "/test/other-notes"),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert all("idempotency-replayed" not in answer.headers for answer in answers)
    assert len({answer.json()["attempt"] for answer in answers}) == 3
    assert written(owner, text) == 3


@pytest.mark.parametrize(("word", "status"), [("refuse", 409), ("crash", 500)])
def test_a_failure_leaves_nothing_behind(
    notes: httpx2.Client, owner: psycopg.Connection[Row], word: str, status: int
) -> None:
    text, key = fresh(word), fresh()
    for _ in range(2):
        answer = post(notes, text, key)
        assert answer.status_code == status
        assert "idempotency-replayed" not in answer.headers
    assert written(owner, text) == 0
    # The key is free: what could not be done the first time can be done now.
    assert post(notes, fresh(), key).status_code == 201


def test_a_retry_while_the_first_is_at_work_is_refused(
    notes: httpx2.Client, owner: psycopg.Connection[Row], database: Access
) -> None:
    text, key = fresh(), fresh()
    with (
        psycopg.connect(database.owner) as blocker,
        ThreadPoolExecutor(1) as threads,
    ):
        blocker.execute("LOCK TABLE test_notes IN SHARE MODE")  # writes have to wait
        first = threads.submit(post, notes, text, key)
        wait_for_a_blocked_insert(owner)
        with httpx2.Client(base_url=notes.base_url, timeout=10) as another:
            refused = post(another, text, key)
        blocker.rollback()
        assert first.result(10).status_code == 201
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("idempotency-key-in-use")
    assert refused.headers["retry-after"] == "1"
    assert post(notes, text, key).headers["idempotency-replayed"] == "true"
    assert written(owner, text) == 1


def wait_for_a_blocked_insert(owner: psycopg.Connection[Row]) -> None:
    for _ in range(200):
        row = owner.execute(
            "SELECT count(*) AS n FROM pg_locks WHERE NOT granted "
            "AND relation = 'test_notes'::regclass"
        ).fetchone()
        if row is not None and row["n"]:
            return
        threading.Event().wait(0.02)
    raise AssertionError("nothing waits for the lock")


def test_of_many_at_once_one_writes(notes_url: str, owner: psycopg.Connection[Row]) -> None:
    text, key = fresh(), fresh()
    barrier = threading.Barrier(8)

    def race() -> httpx2.Response:
        with httpx2.Client(base_url=notes_url, timeout=10) as client:
            client.get("/live")  # connected before the start
            barrier.wait(10)
            return post(client, text, key)

    with ThreadPoolExecutor(8) as threads:
        answers = [future.result() for future in [threads.submit(race) for _ in range(8)]]
    assert {answer.status_code for answer in answers} <= {201, 409}
    successes = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in successes}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in successes) == 1
    assert written(owner, text) == 1


def test_keys_expire_and_are_pruned(
    notes: httpx2.Client, owner: psycopg.Connection[Row], database: Access
) -> None:
    text, key, kept = fresh(), fresh(), fresh()
    post(notes, text, key)
    expire(owner)
    post(notes, text, kept)
    assert "idempotency-replayed" not in post(notes, text, key).headers
    assert written(owner, text) == 3
    assert post(notes, text, key).headers["idempotency-replayed"] == "true"

    expire(owner)
    post(notes, text, kept := fresh())
    assert asyncio.run(idempotency.prune(load_settings(database))) >= 1
    assert owner.execute("SELECT count(*) AS n FROM idempotency_keys").fetchone() == {"n": 1}
    assert post(notes, text, kept).headers["idempotency-replayed"] == "true"


def expire(owner: psycopg.Connection[Row]) -> None:
    owner.execute(
        "UPDATE idempotency_keys SET expires_at = expires_at - %s",
        (timedelta(seconds=idempotency.LIFETIME),),
    )


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256, 'a"b', "a\\b", "\u00fc"])
@pytest.mark.parametrize("path", ["/test/notes", "/test/required"])
def test_a_malformed_key_is_refused(notes: httpx2.Client, key: str, path: str) -> None:
    answer = post(notes, fresh(), key, path)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("idempotency-key-invalid")
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["x", "x" * 255, '"x"', "8e03978e-40d5-43dd-bc93-6894a57f9324"])
def test_a_well_formed_key_is_taken(notes: httpx2.Client, key: str) -> None:
    principal = fresh()
    headers = {"X-Principal": principal}
    assert post(notes, principal, key, "/test/required", **headers).status_code == 201


def test_a_required_key_must_be_there(notes: httpx2.Client, owner: psycopg.Connection[Row]) -> None:
    text = fresh()
    answer = post(notes, text, None, "/test/required")
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("idempotency-key-missing")
    assert written(owner, text) == 0
    key = fresh()
    assert post(notes, text, key, "/test/required").status_code == 201
    assert "idempotency-replayed" in post(notes, text, key, "/test/required").headers
