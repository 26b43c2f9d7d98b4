"""Security headers on every response (OWASP Secure Headers). A route's own value wins."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = (
    # JSON renders nothing: the docs page brings its own policy.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    # Answers depend on who asks; a route that is cacheable says so.
    (b"cache-control", b"no-store"),
)
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


def install(app: FastAPI, *, https_only: bool) -> None:
    """Add the headers; `https_only` tells browsers to never use plain HTTP for a year."""
    headers = (*HEADERS, HSTS) if https_only else HEADERS
    app.add_middleware(SecurityHeadersMiddleware, headers=headers)


class SecurityHeadersMiddleware:
    """Adds each header that the response does not have."""

    def __init__(self, app: ASGIApp, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        """Wrap `app`."""
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def protect(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(header for header in self._headers if header[0] not in own),
                ]
            await send(message)

        await self._app(scope, receive, protect)
