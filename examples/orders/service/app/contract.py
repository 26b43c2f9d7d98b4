"""The contract at /openapi.json, and a page to read it at /docs.

Both are files: the contract is written before the code and the tests prove that the code keeps it.
The page loads nothing from anywhere else and runs under a strict Content-Security-Policy.
"""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response

HERE = Path(__file__).parent
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = (
    ("/openapi.json", "openapi.json", "application/json"),
    ("/docs", "docs/index.html", "text/html; charset=utf-8"),
    ("/docs/docs.css", "docs/docs.css", "text/css; charset=utf-8"),
    ("/docs/docs.js", "docs/docs.js", "text/javascript; charset=utf-8"),
)


def install(app: FastAPI) -> None:
    """Serve the files. Each is read once, at the start."""
    for path, file, media_type in FILES:
        serve = served((HERE / file).read_bytes(), media_type)
        app.add_api_route(path, serve, methods=["GET"], include_in_schema=False)


def served(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """Return a route for `content`, which browsers revalidate by its entity tag."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": PAGE_POLICY,
    }

    async def serve(request: Request) -> Response:
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return serve
