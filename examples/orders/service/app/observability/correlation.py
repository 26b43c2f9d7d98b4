"""A correlation id for each request: in every log line, every problem and every response."""

import os
import re
from contextvars import ContextVar

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-request-id"
# Whatever else a caller sends could forge log lines or headers: it is replaced.
WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{8,128}")

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")


def install(app: FastAPI) -> None:
    """Give every request its id. Install it last: it is the outermost middleware."""
    app.add_middleware(CorrelationMiddleware)


class CorrelationMiddleware:
    """Takes the caller's X-Request-Id when it is well-formed, else makes one, and returns it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identifier = next((value for name, value in scope["headers"] if name == HEADER), b"")
        if not WELL_FORMED.fullmatch(identifier):
            identifier = os.urandom(16).hex().encode()
        correlation_id.set(identifier.decode())

        async def identify(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (HEADER, identifier)]
            await send(message)

        await self._app(scope, receive, identify)
