"""A bound on the size of request bodies, declared or streamed."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem


def install(app: FastAPI, max_bytes: int) -> None:
    """Answer 413 to bodies of more than `max_bytes`."""
    app.add_middleware(BodyLimitMiddleware, max_bytes=max_bytes)


class BodyLimitMiddleware:
    """Refuses a body by its Content-Length, or in the middle of it when there is none."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        """Wrap `app`."""
        self._app = app
        self._max_bytes = max_bytes
        self._detail = f"The body may have {max_bytes} bytes at most."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; answer 413 before the body is read when its length is declared."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        declared = next((v for name, v in scope["headers"] if name == b"content-length"), b"")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await Problem(413, self._detail).response()(scope, receive, send)
            return
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                # The one kind of error that FastAPI lets through while it reads a body.
                raise HTTPException(413, self._detail)
            return message

        await self._app(scope, count, send)
