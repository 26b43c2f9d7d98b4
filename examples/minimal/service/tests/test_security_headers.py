"""Headers on every response, errors too."""

import httpx2
import pytest

from tests.conftest import Serve

EXPECTED = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


@pytest.mark.parametrize("path", ["/live", "/nowhere"])
def test_headers_are_there(client: httpx2.Client, path: str) -> None:
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in EXPECTED} == EXPECTED
    assert "strict-transport-security" not in headers
    assert "server" not in headers


def test_a_route_keeps_its_own(client: httpx2.Client) -> None:
    headers = client.get("/docs").headers
    assert headers["cache-control"] == "no-cache"
    assert headers.get_list("content-security-policy") == [headers["content-security-policy"]]
    assert "script-src 'self'" in headers["content-security-policy"]


def test_no_origin_is_allowed_by_default(client: httpx2.Client) -> None:
    headers = client.get("/live", headers={"Origin": "https://shop.example"}).headers
    assert "access-control-allow-origin" not in headers


def test_configured_origins_are_allowed(serve: Serve) -> None:
    with serve(CORS_ORIGINS="https://shop.example, https://b.example") as url:
        allowed = httpx2.get(f"{url}/live", headers={"Origin": "https://shop.example"}).headers
        other = httpx2.get(f"{url}/live", headers={"Origin": "https://evil.example"}).headers
        preflight = httpx2.options(
            f"{url}/live",
            headers={
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": "If-Match, If-None-Match, Idempotency-Key",
            },
        )
    assert allowed["access-control-allow-origin"] == "https://shop.example"
    assert "ETag" in allowed["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in allowed
    assert "access-control-allow-origin" not in other
    assert preflight.status_code == 200
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
