"""Bodies beyond the limit are refused, declared or streamed."""

from collections.abc import Iterator

import httpx2
import pytest
from fastapi import Request
from fastapi.responses import Response

from app import responses
from app.main import create_app
from dev.postgres import Access
from tests.conftest import load_settings, running


@pytest.fixture(scope="module")
def echo(database: Access) -> Iterator[httpx2.Client]:
    """A server that takes 100 bytes and says how many came."""
    app = create_app(load_settings(database, MAX_BODY_BYTES="100"))

    @app.post("/count")
    async def count(request: Request) -> Response:
        return responses.json(len(await request.body()))

    @app.post("/ignore")
    async def ignore() -> Response:
        return responses.json("ok")

    with running(app) as url, httpx2.Client(base_url=url, timeout=10) as client:
        yield client


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // 10):
        yield b"x" * 10


def test_at_the_limit(echo: httpx2.Client) -> None:
    assert echo.post("/count", content=b"x" * 100).json() == 100
    assert echo.post("/count", content=chunks(100)).json() == 100


@pytest.mark.parametrize("content", [b"x" * 101, b"x" * 3_000_000], ids=["by one", "by far"])
def test_declared(echo: httpx2.Client, content: bytes) -> None:
    for path in ("/count", "/ignore"):
        response = echo.post(path, content=content)
        assert response.status_code == 413
        assert response.json()["type"] == "urn:problem-type:content-too-large"
        assert response.json()["detail"] == "The body may have 100 bytes at most."


def test_streamed(echo: httpx2.Client) -> None:
    response = echo.post("/count", content=chunks(110))
    assert response.status_code == 413
    assert response.json()["type"] == "urn:problem-type:content-too-large"
