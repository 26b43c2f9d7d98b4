"""Health endpoints, with everything up and with a dependency down."""

import httpx2

from tests.conftest import Serve


def test_all_is_well(client: httpx2.Client) -> None:
    assert client.get("/live").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ok"}
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["checks"]["database"] == "ok"


def test_database_away(serve: Serve) -> None:
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    with serve(DATABASE_URL=away, DATABASE_POOL_TIMEOUT_S="0.2", LOG_LEVEL="error") as url:
        live, ready, all_checks = (httpx2.get(f"{url}/{at}") for at in ("live", "ready", "health"))
    assert live.status_code == 200
    assert ready.status_code == 503
    assert ready.json()["detail"] == "Not ready: database failed."
    assert ready.headers["retry-after"] == "1"
    assert all_checks.status_code == 503
    assert all_checks.json()["status"] == "failed"
    assert all_checks.json()["checks"]["database"] == "failed"
