"""The contract and the page that shows it."""

import re
from pathlib import Path

import httpx2

APP = Path(__file__).parent.parent / "app"


def test_the_contract_is_the_file(client: httpx2.Client) -> None:
    response = client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.content == (APP / "openapi.json").read_bytes()
    assert response.json()["openapi"].startswith("3.1")


def test_it_is_not_sent_twice(client: httpx2.Client) -> None:
    etag = client.get("/openapi.json").headers["etag"]
    again = client.get("/openapi.json", headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert client.get("/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_page_loads_only_what_is_here(client: httpx2.Client) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    references = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    assert set(references) == {"docs/docs.css", "docs/docs.js", "openapi.json"}
    for reference in references:
        part = client.get(f"/{reference}")
        assert part.status_code == 200
        assert "//cdn" not in part.text
    assert client.get("/docs/docs.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/docs/docs.css").headers["content-type"].startswith("text/css")


def test_the_framework_serves_no_second_contract(client: httpx2.Client) -> None:
    assert client.get("/redoc").status_code == 404
    assert "swagger" not in client.get("/docs").text.lower()
