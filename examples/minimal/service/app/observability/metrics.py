"""Prometheus metrics at /metrics.

They tell strangers how much business you do: in production /metrics answers only to the bearer
token METRICS_TOKEN, and does not exist without one. The numbers are those of this process: run one
process for each container and let Prometheus add them up.
"""

import hmac
from collections.abc import Iterable
from time import perf_counter

from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database import Database
from app.observability.logs import route_template
from app.problems import Problem, not_found

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install(app: FastAPI, token: SecretStr | None, *, public: bool) -> None:
    """Measure every request and serve /metrics, to anybody if `public` and there is no token."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(PoolCollector(app))
    expected = token.get_secret_value() if token else ""

    async def serve(request: Request) -> Response:
        """Return the metrics in Prometheus' text format."""
        if not expected and not public:
            raise not_found("path")
        given = request.headers.get("authorization", "")
        if expected and not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
            raise Problem(401, "/metrics needs its token.", headers={"WWW-Authenticate": "Bearer"})
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route(
        "/metrics", serve, methods=["GET"], tags=["operations"], summary="Prometheus metrics"
    )
    app.add_middleware(MetricsMiddleware, registry=registry)


class PoolCollector(Collector):
    """The state of the connection pool, read when somebody asks."""

    def __init__(self, app: FastAPI) -> None:
        """Read the pool of `app`."""
        self._app = app

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return three gauges."""
        database: Database = self._app.state.database
        stats = database.pool_stats()
        for name, key, text in (
            ("db_pool_connections", "pool_size", "Connections of the pool"),
            ("db_pool_connections_idle", "pool_available", "Connections that nobody uses"),
            ("db_pool_requests_waiting", "requests_waiting", "Requests waiting for a connection"),
        ):
            yield GaugeMetricFamily(name, text, value=stats.get(key, 0))


class MetricsMiddleware:
    """Counts and times requests by method, route and status."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        """Wrap `app`."""
        self._app = app
        self._in_flight = Gauge(
            "http_requests_in_flight", "Requests being served", registry=registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time to the end of the response",
            ("method", "route", "status"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        # Looking a child up by its labels takes a lock and costs more than observing.
        self._children: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = perf_counter()
        self._in_flight.inc()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            self._in_flight.dec()
            # A stranger may invent methods: they must not become time series.
            method = scope["method"] if scope["method"] in METHODS else "other"
            key = (method, route_template(scope), status)
            child = self._children.get(key)
            if child is None:
                child = self._children[key] = self._duration.labels(*key)
            child.observe(perf_counter() - started)
