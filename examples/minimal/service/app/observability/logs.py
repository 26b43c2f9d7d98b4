"""JSON logs on standard output: one line for each request, and nothing secret in any.

The loggers of libraries (uvicorn, psycopg) write the same JSON.
"""

import logging
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from time import perf_counter
from typing import TextIO

import structlog
from fastapi import FastAPI
from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.types import EventDict, Processor, WrappedLogger

from app.observability.correlation import correlation_id

HIDDEN = "[redacted]"
# A key that contains one of these words never shows its value.
SECRET_KEY = re.compile(
    r"authorization|cookie|credential|password|passwd|secret|token|api[-_]?key|private", re.I
)
# What a secret looks like inside other text.
SECRET_VALUE = re.compile(
    r"(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+"  # an Authorization header
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JSON Web Token
    r"|(?<=://)[^/@\s]+(?=@)"  # the user and password of a URL
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"  # an e-mail address
)
# Whatever matches SECRET_VALUE holds one of these: most text is done with after one glance.
SECRET_HINT = re.compile(r"@|eyJ|Bearer|Basic")
# Asked every few seconds by machines: only their failures are news.
QUIET = frozenset({"/live", "/ready", "/metrics"})


def install(app: FastAPI, level: str) -> None:
    """Log every request as JSON, and everything else of `level` and above."""
    configure(level)
    app.add_middleware(AccessLogMiddleware)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Write JSON lines of `level` and above to `stream`, by default standard output."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    output = stream or sys.stdout
    processors: list[Processor] = [
        add_correlation_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*processors, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"  # we log requests ourselves
    # The pool reports every connection that it lends at level INFO.
    logging.getLogger("psycopg.pool").setLevel(logging.WARNING)


def add_correlation_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Name the request that the line belongs to."""
    if identifier := correlation_id.get():
        event["correlation_id"] = identifier
    return event


def redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Hide secrets, by the name of a value and by what it looks like."""
    for key, value in event.items():
        event[key] = hide(key, value)
    return event


def hide(key: str, value: object) -> object:
    """Return `value` without secrets, at any depth."""
    if is_secret(key):
        return HIDDEN
    if isinstance(value, str):
        return SECRET_VALUE.sub(HIDDEN, value) if SECRET_HINT.search(value) else value
    if isinstance(value, Mapping):
        return {str(name): hide(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide("", item) for item in value]
    return value


@lru_cache(1024)
def is_secret(key: str) -> bool:
    """Tell whether the value of `key` must not be shown."""
    return SECRET_KEY.search(key) is not None


def render(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Return the event as one line of JSON."""
    return to_json(event, serialize_unknown=True).decode()


class AccessLogMiddleware:
    """One line for each request: method, route, status, milliseconds and the user, if known."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app
        self._log = structlog.get_logger("app.access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # what the caller sees when the connection breaks before an answer
        started = perf_counter()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            route = route_template(scope)
            write = self._log.debug if route in QUIET and status < 400 else self._log.info
            fields = {
                "method": scope["method"],
                "route": route,
                "status": status,
                "ms": round((perf_counter() - started) * 1000, 2),
            }
            if (user_id := scope.get("state", {}).get("user_id")) is not None:
                fields["user_id"] = user_id
            write("request", **fields)


def route_template(scope: Scope) -> str:
    """Return the path of the matched route, such as `/orders/{id}`, or `unmatched`.

    The path itself holds identifiers and whatever strangers type: no label and no line shows it.
    """
    return getattr(scope.get("route"), "path_format", "unmatched")
