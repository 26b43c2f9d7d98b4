"""Health endpoints, with everything up and with a dependency down."""

import httpx2

from app import health
from app.main import create_app
from dev.postgres import Access
from tests.conftest import Serve, load_settings, running


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


def test_not_ready_while_it_stops(database: Access) -> None:
    app = create_app(load_settings(database))
    with running(app) as url:
        assert httpx2.get(f"{url}/ready").status_code == 200
        health.drain(app)
        draining = httpx2.get(f"{url}/ready")
        assert httpx2.get(f"{url}/live").status_code == 200
    assert draining.status_code == 503
    assert draining.json()["detail"] == "The service is shutting down."


def test_stopping_drains(database: Access) -> None:
    app = create_app(load_settings(database))
    with running(app):
        assert app.state.draining is False
    assert app.state.draining is True
