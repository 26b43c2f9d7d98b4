"""Rate limits per address, user, login and operation, in memory or shared through Redis."""

from typing import TYPE_CHECKING

from fastapi import FastAPI

from app.rate_limit.limiter import Limiter
from app.rate_limit.middleware import RateLimitMiddleware

if TYPE_CHECKING:  # app.settings is made of this package's settings, among others
    from app.settings import Settings


def install(app: FastAPI, settings: "Settings") -> None:
    """Limit all requests but those for health and metrics."""
    app.state.limiter = Limiter(settings, settings.trusted_proxies)
    app.add_middleware(RateLimitMiddleware, limiter=app.state.limiter)


async def close(app: FastAPI) -> None:
    """Close the connections to Redis."""
    limiter: Limiter = app.state.limiter
    await limiter.close()
