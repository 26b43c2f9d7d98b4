"""The limits as callers meet them, counted in memory."""

import time

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import ValidationError

from app.auth.roles import DEFAULT_ROLE
from app.main import create_app
from app.rate_limit import settings as limits
from app.rate_limit.limiter import Limiter
from app.rate_limit.settings import RateLimitSettings
from app.rate_limit.window import Rate
from app.responses import json
from dev.postgres import Access
from tests.auth_fixtures import SignIn, credentials
from tests.conftest import Serve, load_settings, running


def get(url: str, path: str = "/nowhere", **headers: str) -> httpx2.Response:
    return httpx2.get(f"{url}{path}", headers=headers, timeout=10)


def test_an_address_is_limited_and_told_where_it_stands(serve: Serve) -> None:
    with serve(RATE_LIMIT_IP="3/minute") as url:
        answers = [get(url) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    for answer in answers:
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["ratelimit-policy"] == '"ip";q=3;w=60'
        reset = answer.headers["x-ratelimit-reset"]
        remaining = answer.headers["x-ratelimit-remaining"]
        assert answer.headers["ratelimit"] == f'"ip";r={remaining};t={reset}'
        assert 1 <= int(reset) <= 120
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["title"] == "Too Many Requests"
    assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"]
    assert "retry-after" not in answers[0].headers
    # A refusal is a response like any other.
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert refused.json()["correlation_id"] == refused.headers["x-request-id"]


def test_a_body_that_is_too_large_counts(serve: Serve) -> None:
    with serve(RATE_LIMIT_IP="1/minute", MAX_BODY_BYTES="10") as url:
        answers = [httpx2.post(f"{url}/nowhere", content=b"x" * 11, timeout=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [413, 429]
    assert answers[0].headers["x-ratelimit-remaining"] == "0"


def test_the_window_passes(serve: Serve) -> None:
    with serve(RATE_LIMIT_IP="2/s") as url:
        while (refused := get(url)).status_code != 429:
            pass
        time.sleep(int(refused.headers["retry-after"]))
        assert get(url).status_code == 404


def test_health_is_never_refused(serve: Serve) -> None:
    with serve(RATE_LIMIT_IP="1/minute") as url:
        for path in ("/live", "/ready", "/health", "/live", "/ready", "/health"):
            answer = get(url, path)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
        assert get(url).status_code == 404
        assert get(url).status_code == 429
        assert get(url, "/live").status_code == 200


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(serve: Serve) -> None:
    def spoof(url: str) -> list[int]:
        return [get(url, **{"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(1, 4)]

    with serve(RATE_LIMIT_IP="1/minute") as url:
        assert spoof(url) == [404, 429, 429]
    with serve(RATE_LIMIT_IP="1/minute", TRUSTED_PROXIES="127.0.0.0/8") as url:
        assert spoof(url) == [404, 404, 404]
        assert spoof(url) == [429, 429, 429]
        # Left of what the proxy wrote is only what the caller claims.
        claimed = {"X-Forwarded-For": "198.51.100.9, 203.0.113.1"}
        assert get(url, **claimed).status_code == 429


def test_an_ipv6_subscriber_has_one_limit(serve: Serve) -> None:
    with serve(RATE_LIMIT_IP="1/minute", TRUSTED_PROXIES="127.0.0.0/8") as url:
        first = {"X-Forwarded-For": "2001:db8:1:2::1"}
        same_network = {"X-Forwarded-For": "2001:db8:1:2:ffff::9"}
        neighbour = {"X-Forwarded-For": "2001:db8:1:3::1"}
        assert get(url, **first).status_code == 404
        assert get(url, **same_network).status_code == 429
        assert get(url, **neighbour).status_code == 404


def with_operation(app: FastAPI) -> FastAPI:
    """Add a route that counts against the operation `things.make`."""

    @app.post("/test/things")
    async def make(request: Request) -> Response:
        limiter: Limiter = request.app.state.limiter
        await limiter.operation(request.scope, "things.make")
        await limiter.operation(request.scope, "things.unlimited")
        return json({})

    return app


def test_an_operation_has_its_own_limit(database: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPERATIONS", {"things.make": Rate(1000, 60)})
    settings = load_settings(
        database, RATE_LIMIT_OPERATIONS="things.make=2/minute", RATE_LIMIT_IP="1000/minute"
    )
    with running(with_operation(create_app(settings))) as url:
        answers = [httpx2.post(f"{url}/test/things", timeout=10) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        for answer in answers:
            policies = '"ip";q=1000;w=60, "things.make";q=2;w=60'
            assert answer.headers["ratelimit-policy"] == policies
            # The tightest limit is the one to mind.
            assert answer.headers["x-ratelimit-limit"] == "2"
        assert get(url).headers["ratelimit-policy"] == '"ip";q=1000;w=60'


def test_settings_say_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("RATE_LIMIT_IP", "sixty"),
        ("RATE_LIMIT_OPERATIONS", "no.such=1/s"),
        ("RATE_LIMIT_OPERATIONS", "nonsense"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(ValidationError):
                RateLimitSettings()


def test_a_user_is_limited_wherever_the_requests_come_from(serve: Serve, sign_in: SignIn) -> None:
    with serve(RATE_LIMIT_USER="2/minute", TRUSTED_PROXIES="127.0.0.0/8") as url:
        caller, other = sign_in(DEFAULT_ROLE, url), sign_in(DEFAULT_ROLE, url)
        answers = [
            caller.get("/auth/me", headers={"X-Forwarded-For": f"203.0.113.{n}"})
            for n in range(1, 4)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert '"user";q=2;w=60' in answers[0].headers["ratelimit-policy"]
        assert answers[0].headers["x-ratelimit-limit"] == "2"
        assert other.get("/auth/me").status_code == 200


def test_logins_are_limited_per_address(serve: Serve) -> None:
    with serve(RATE_LIMIT_LOGIN="2/minute") as url:
        statuses = [login(url, f"someone-{n}@example.com").status_code for n in range(3)]
        assert statuses == [401, 401, 429]
        # Registrations cost as much, and tell as much.
        body = credentials("another@example.com")
        refused = httpx2.post(f"{url}/auth/register", json=body, timeout=10)
        assert refused.status_code == 429


def test_logins_are_limited_per_account(serve: Serve) -> None:
    with serve(RATE_LIMIT_LOGIN="2/minute", TRUSTED_PROXIES="127.0.0.0/8") as url:
        spellings = ("someone@example.com", "SOMEONE@example.com", " someone@example.com ")
        statuses = [
            login(url, email, **{"X-Forwarded-For": f"203.0.113.{n}"}).status_code
            for n, email in enumerate(spellings)
        ]
        assert statuses == [401, 401, 429]
        elsewhere = {"X-Forwarded-For": "203.0.113.200"}
        assert login(url, "another@example.com", **elsewhere).status_code == 401


def login(url: str, email: str, **headers: str) -> httpx2.Response:
    body = {"email": email, "password": "wrong" * 4}
    return httpx2.post(f"{url}/auth/login", json=body, headers=headers, timeout=10)
