"""Health endpoints, with the database up and down."""

import httpx2


def test_all_is_well(client: httpx2.Client) -> None:
    assert client.get("/live").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ok"}
    health = client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert health.json()["checks"]["database"] == "ok"
