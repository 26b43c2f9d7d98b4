"""Counts each request against its address, before anything else is done for it.

It also tells callers where they stand: `RateLimit-Policy` and `RateLimit` name every limit that was
looked at (draft-ietf-httpapi-ratelimit-headers-10); the older `X-RateLimit-*` show the tightest.
"""

from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem
from app.rate_limit.limiter import VERDICTS, Limiter
from app.rate_limit.window import Verdict

# An orchestrator that is refused would restart a healthy process.
EXEMPT: Final = frozenset({"/health", "/live", "/ready", "/metrics"})


class RateLimitMiddleware:
    """Limits requests per address, and adds what all limits said to the response."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        """Wrap `app`."""
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return

        async def inform(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers(scope[VERDICTS])]
            await send(message)

        try:
            await self._limiter.ip(scope)
        except Problem as problem:
            await problem.response()(scope, receive, inform)
        else:
            await self._app(scope, receive, inform)


def headers(verdicts: Sequence[Verdict]) -> list[tuple[bytes, bytes]]:
    """Return the response headers for what the limits said."""
    tightest = min(verdicts, key=lambda each: (each.allowed, each.remaining, -each.reset))
    policies = ", ".join(
        f'"{each.limit.name}";q={each.limit.rate.requests};w={each.limit.rate.seconds}'
        for each in verdicts
    )
    states = ", ".join(
        f'"{each.limit.name}";r={each.remaining};t={each.reset}' for each in verdicts
    )
    return [
        (b"x-ratelimit-limit", str(tightest.limit.rate.requests).encode()),
        (b"x-ratelimit-remaining", str(tightest.remaining).encode()),
        (b"x-ratelimit-reset", str(tightest.reset).encode()),
        (b"ratelimit-policy", policies.encode()),
        (b"ratelimit", states.encode()),
    ]
