"""Logs of a server as production starts it, correlation ids, redaction and metrics."""

import asyncio
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import httpx2
import pytest
import structlog
from fastapi import Request
from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.main import create_app
from app.observability import logs
from dev.postgres import Access
from tests.conftest import SECRET, load_settings, running

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Production:
    """A server in a process of its own, and what it writes."""

    url: str
    output: Path

    def lines(self) -> list[dict[str, object]]:
        """Return everything that was logged so far: each line must be JSON."""
        complete = self.output.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def line_of(self, response: httpx2.Response) -> dict[str, object]:
        """Return the access line of a response, which is written just after the response."""
        identifier = response.headers["x-request-id"]
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["event"] == "request" and line["correlation_id"] == identifier:
                    return line
            time.sleep(0.01)
        raise AssertionError("the request was not logged")


@pytest.fixture(scope="module")
def production(database: Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """Start the service with the image's command."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    output = tmp_path_factory.mktemp("logs") / "out"
    environment = os.environ | {
        "ENV": "test",
        "DATABASE_URL": database.app,
        "SECRET_KEY": SECRET,
        "METRICS_TOKEN": "metrics-token",
    }
    command = ["uvicorn", "app.main:create_app", "--factory", "--port", str(port)]
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=stream
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url)
            yield Production(url, output)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx2.get(f"{url}/live")
        except httpx2.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")


def test_one_line_for_each_request(production: Production) -> None:
    response = httpx2.get(f"{production.url}/health?token=hunter2")
    line = production.line_of(response)
    assert (line["method"], line["route"], line["status"]) == ("GET", "/health", 200)
    assert line["level"] == "info"
    assert isinstance(line["ms"], float)
    assert 0 < line["ms"] < 5000
    assert str(line["timestamp"]).endswith("Z")
    assert "hunter2" not in production.output.read_text()


def test_strangers_write_no_log_lines_of_their_own(production: Production) -> None:
    response = httpx2.get(f"{production.url}/nowhere/secret-path")
    line = production.line_of(response)
    assert (line["route"], line["status"]) == ("unmatched", 404)
    assert "secret-path" not in production.output.read_text()


def test_probes_are_quiet(production: Production) -> None:
    quiet = [httpx2.get(production.url + path) for path in ("/live", "/ready")]
    production.line_of(httpx2.get(f"{production.url}/health"))
    logged = {line.get("correlation_id") for line in production.lines()}
    assert [response.status_code for response in quiet] == [200, 200]
    assert logged.isdisjoint(response.headers["x-request-id"] for response in quiet)


def test_libraries_log_json_too(production: Production) -> None:
    started = [line for line in production.lines() if line.get("logger") == "uvicorn.error"]
    assert any("startup complete" in str(line["event"]) for line in started)


def test_a_well_formed_correlation_id_is_kept(client: httpx2.Client) -> None:
    response = client.get("/nowhere", headers={"X-Request-Id": "order-4711.a_b"})
    assert response.headers["x-request-id"] == "order-4711.a_b"
    assert response.json()["correlation_id"] == "order-4711.a_b"


@pytest.mark.parametrize("given", ["short", "x" * 129, "with space in it", 'quo"ted-and-long', ""])
def test_any_other_is_replaced(client: httpx2.Client, given: str) -> None:
    response = client.get("/live", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 32


def test_each_request_has_its_own(client: httpx2.Client) -> None:
    assert len({client.get("/live").headers["x-request-id"] for _ in range(5)}) == 5


@pytest.fixture
def captured() -> Iterator[io.StringIO]:
    """What is logged meanwhile."""
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    configuration = structlog.get_config()
    logs.configure("info", stream)
    yield stream
    structlog.configure(**configuration)
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)


def test_secrets_are_redacted_by_key_and_by_pattern(captured: io.StringIO) -> None:
    token = "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    structlog.get_logger().info(
        f"hello ada@example.com with {token}",
        password="hunter2",
        nested={"Authorization": "Bearer abc.def", "list": ["Basic aGk6aHU=", 5]},
        url="postgresql://app:hunter2@db/orders",
        refresh_token=token,
        count=3,
    )
    line = json.loads(captured.getvalue())
    assert line["event"] == "hello [redacted] with [redacted]"
    assert line["password"] == line["refresh_token"] == "[redacted]"
    assert line["nested"] == {"Authorization": "[redacted]", "list": ["[redacted]", 5]}
    assert line["url"] == "postgresql://[redacted]@db/orders"
    assert line["count"] == 3


def test_the_level_is_a_threshold(captured: io.StringIO) -> None:
    logs.configure("warning", captured)
    structlog.get_logger().info("below")
    logging.getLogger("some.library").info("below")
    structlog.get_logger().warning("above")
    assert json.loads(captured.getvalue())["event"] == "above"


def test_the_access_line_names_a_known_caller(captured: io.StringIO) -> None:
    user_id = UUID(int=7)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        Request(scope).state.user_id = user_id
        await Response(status_code=204)(scope, receive, send)

    async def nothing(message: Message | None = None) -> Message:
        return message or {}

    scope = {"type": "http", "method": "GET", "headers": []}
    asyncio.run(logs.AccessLogMiddleware(route)(scope, nothing, nothing))  # type: ignore[arg-type]
    line = json.loads(captured.getvalue())
    assert (line["user_id"], line["status"]) == (str(user_id), 204)


def test_exceptions_are_logged_and_redacted(captured: io.StringIO) -> None:
    try:
        raise RuntimeError("cannot reach postgresql://app:hunter2@db/orders")
    except RuntimeError as error:
        structlog.get_logger().error("unexpected error", exc_info=error)
    line = json.loads(captured.getvalue())
    assert "RuntimeError: cannot reach postgresql://[redacted]@db/orders" in line["exception"]
    assert "Traceback" in line["exception"]


def test_the_standard_library_s_loggers_are_redacted(captured: io.StringIO) -> None:
    logging.getLogger("some.library").warning("token for %s", "ada@example.com")
    line = json.loads(captured.getvalue())
    assert line["event"] == "token for [redacted]"
    assert (line["logger"], line["level"]) == ("some.library", "warning")


def test_metrics_count_by_route_and_not_by_path(client: httpx2.Client) -> None:
    for path in ("/health", "/nowhere/1", "/nowhere/2"):
        client.get(path)
    client.request("BREW", "/health")
    text = client.get("/metrics").text
    assert 'http_request_duration_seconds_count{method="GET",route="/health",status="200"}' in text
    unmatched = 'http_request_duration_seconds_count{method="GET",route="unmatched",status="404"}'
    assert unmatched in text
    assert "nowhere" not in text
    assert "BREW" not in text
    assert "http_requests_in_flight 1.0" in text
    assert "db_pool_connections " in text
    assert "process_resident_memory_bytes" in text


def test_metrics_need_their_token(production: Production) -> None:
    url = f"{production.url}/metrics"
    refused = httpx2.get(url)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert httpx2.get(url, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert httpx2.get(url, headers={"Authorization": "Bearer metrics-token"}).status_code == 200


@pytest.mark.skipif(find_spec("opentelemetry.sdk") is not None, reason="would send traces")
def test_traces_are_asked_for_by_their_endpoint(
    database: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the `otel` extra the framework says that it lacks the exporter: so it was asked."""
    asked: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: asked.append(record.getMessage())  # type: ignore[method-assign]
    monkeypatch.setattr(logging.getLogger("fastapi"), "handlers", [handler])
    with running(create_app(load_settings(database))):
        assert asked == []
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    with running(create_app(load_settings(database))):
        assert "requires fastapi[opentelemetry]" in asked[0]


def test_metrics_do_not_exist_in_production_without_a_token(database: Access) -> None:
    settings = load_settings(database).model_copy(update={"env": "prod"})
    with running(create_app(settings)) as url:
        response = httpx2.get(f"{url}/metrics")
        hsts = response.headers["strict-transport-security"]
    assert response.status_code == 404
    assert hsts.startswith("max-age=31536000")
