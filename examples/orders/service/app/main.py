"""The application: every part is installed by one plain call.

Run it with `uvicorn app.main:create_app --factory`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import auth, body_limit, contract, cors, health, problems, rate_limit, security_headers
from app.database import Database
from app.observability import correlation, logs, metrics
from app.pagination import Cursors
from app.resources.constraints import CONSTRAINTS
from app.resources.customers.routes import router as customers_router
from app.resources.orders.routes import router as orders_router
from app.resources.payments.routes import router as payments_router
from app.resources.products.routes import router as products_router
from app.settings import SERVICE_NAME, Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application. Raises `InvalidSettings`, which ends the process with its message."""
    settings = settings or Settings.load()
    tracing = settings.otel_exporter_otlp_endpoint is not None
    app = FastAPI(
        title="Orders API",
        # The contract is a file that is written before the code: see app/contract.py.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # `/orders/` is not `/orders`: a redirect would trust the Host header.
        redirect_slashes=False,
        lifespan=lifespan,
        # Traces only where there is somebody to send them to; metrics and logs are our own.
        telemetry={
            "auto_configure": tracing,
            "tracing": tracing,
            "metrics": False,
            "logs": False,
        },
    )
    app.state.settings = settings
    app.state.database = Database(settings.pool, SERVICE_NAME)
    app.state.cursors = Cursors(settings.secret_key.get_secret_value().encode())

    # Middlewares, the innermost first. What one of them raises is answered by `problems`.
    body_limit.install(app, settings.max_body_bytes)
    rate_limit.install(app, settings)  # a body that is refused counts too
    problems.install(app, CONSTRAINTS)
    cors.install(app, settings.cors_origins)
    security_headers.install(app, https_only=settings.env == "prod")
    metrics.install(app, settings.metrics_token, public=settings.env != "prod")
    logs.install(app, settings.log_level)
    correlation.install(app)

    auth.install(app, settings)
    app.include_router(customers_router)
    app.include_router(orders_router)
    app.include_router(payments_router)
    app.include_router(products_router)
    health.install(app, {"database": app.state.database.ping})
    contract.install(app)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the service needs before the first request, close it after the last."""
    database: Database = app.state.database
    await database.open()
    try:
        yield
    finally:
        await rate_limit.close(app)
        await database.close()
