"""Errors as RFC 9457 problem documents: one shape for everything that can go wrong.

    {"type": "urn:problem-type:invalid-request", "title": "Invalid request", "status": 422,
     "detail": "The request has 1 error.", "correlation_id": "5f2c...",
     "errors": [{"pointer": "#/quantity", "detail": "Input should be greater than 0"}]}

`type` is stable: clients branch on it. `errors` points into the body with a JSON pointer, or names
a `parameter` of the path, query, headers or cookies. Input is never echoed: it may be a password.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from psycopg import errors as pg
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.correlation import correlation_id

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# RFC 9110 renamed them; what http.HTTPStatus says depends on Python's version.
PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
RETRY_SOON = {"Retry-After": "1"}

log = structlog.get_logger("app.problems")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one part of a request: a place in the body, or a parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def to_dict(self) -> dict[str, str]:
        """Return the members that are set."""
        place = {"pointer": self.pointer, "parameter": self.parameter}
        return {name: value for name, value in place.items() if value} | {"detail": self.detail}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A database constraint as callers know it: the fields of the body, and what is wrong."""

    fields: tuple[str, ...]
    message: str

    def errors(self) -> tuple[FieldError, ...]:
        """Return one error for each field."""
        return tuple(FieldError(self.message, pointer(field)) for field in self.fields)


class Problem(Exception):
    """Raise it anywhere in a request: it becomes the response."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        type: str | None = None,
        title: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the problem; `type` is a short slug such as `invalid-cursor`."""
        super().__init__(detail)
        phrase = PHRASES.get(status) or HTTPStatus(status).phrase
        self.status = status
        self.detail = detail
        self.type = TYPE_PREFIX + (type or phrase.lower().replace(" ", "-"))
        self.title = title or phrase
        self.errors = tuple(errors)
        self.headers = headers

    def response(self) -> Response:
        """Return the problem document with the request's correlation id."""
        document: dict[str, object] = {
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "correlation_id": correlation_id.get(),
        }
        if self.errors:
            document["errors"] = [error.to_dict() for error in self.errors]
        return Response(to_json(document), self.status, self.headers, MEDIA_TYPE)


def not_found(resource: str) -> Problem:
    """404: there is no such `resource`, or the caller may not know of it."""
    return Problem(404, f"There is no such {resource}.")


def forbidden(detail: str) -> Problem:
    """403: the caller is known and may not do this."""
    return Problem(403, detail)


def conflict(detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """409: the request contradicts what is stored."""
    return Problem(409, detail, errors=errors)


def precondition_failed(detail: str) -> Problem:
    """412: the row is no longer at the version that If-Match names."""
    return Problem(412, detail)


def precondition_required(detail: str) -> Problem:
    """428: the request needs an If-Match header."""
    return Problem(428, detail)


def unprocessable(detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """422: the request is well-formed, but its content is not acceptable."""
    return Problem(422, detail, type="invalid-request", title="Invalid request", errors=errors)


def unavailable(detail: str) -> Problem:
    """503: the same request may work a moment later."""
    return Problem(503, detail, headers=RETRY_SOON)


def pointer(*path: str | int) -> str:
    """Return the JSON pointer to a place in the body, as a URI fragment (RFC 6901, section 6)."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{part}" for part in escaped)


def install(app: FastAPI, constraints: Mapping[str, Constraint]) -> None:
    """Answer every error with a problem document. `constraints` maps a constraint's name."""

    async def respond(request: Request, error: Exception) -> Response:
        return translate(error, request, constraints).response()

    for kind in (Problem, HTTPException, RequestValidationError, psycopg.Error, UnicodeEncodeError):
        app.add_exception_handler(kind, respond)
    app.add_middleware(ProblemMiddleware)


class ProblemMiddleware:
    """Answers what no handler caught: a `Problem` of a middleware, or an unexpected error (500)."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            problem = error if isinstance(error, Problem) else unexpected(error)
            await problem.response()(scope, receive, send)


def translate(error: Exception, request: Request, constraints: Mapping[str, Constraint]) -> Problem:
    """Return the problem that stands for `error`."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return from_validation(error)
        case HTTPException():
            return from_http(error, request)
        case psycopg.Error():
            return from_database(error, request, constraints)
        case UnicodeEncodeError():
            return unprocessable("The request holds text that is not valid Unicode.")
        case _:
            return unexpected(error)


def unexpected(error: Exception) -> Problem:
    """500: log the error in full, tell the caller nothing but the correlation id."""
    log.error("unexpected error", exc_info=error)
    return Problem(500, "Something went wrong. Quote the correlation id when you report it.")


def from_http(error: HTTPException, request: Request) -> Problem:
    """Return the problem for an error of the framework, such as an unknown path."""
    match error.status_code:
        case 404:
            return Problem(404, "There is nothing at this path.")
        case 405:
            allow = ", ".join(allowed_methods(request))
            return Problem(405, f"This path accepts {allow}.", headers={"Allow": allow})
        case 400:  # FastAPI's answer to a body that is no text at all
            return Problem(400, "Not valid JSON.", type="invalid-json")
        case status:
            return Problem(status, error.detail, headers=error.headers)


def allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes at the request's path (RFC 9110, section 10.2.1)."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def from_validation(error: RequestValidationError) -> Problem:
    """Return 400 for broken JSON, 415 for another media type, else 422 with every error."""
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        place = found[0]["loc"][-1]
        return Problem(400, f"Not valid JSON: see character {place}.", type="invalid-json")
    if isinstance(error.body, bytes):
        return Problem(415, "Send the body as application/json.")
    errors = [field_error(item["loc"], item["msg"]) for item in found]
    count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
    return unprocessable(f"The request has {count}.", errors)


def field_error(location: Sequence[str | int], message: str) -> FieldError:
    """Return the error for a place as FastAPI names it: `("body", "items", 0, "quantity")`."""
    if location[0] == "body":
        return FieldError(message, pointer(*location[1:]))
    return FieldError(message, parameter=str(location[-1]))


def from_database(
    error: psycopg.Error, request: Request, constraints: Mapping[str, Constraint]
) -> Problem:
    """Return the problem for an error of the database, in the words of the API."""
    known = constraints.get(error.diag.constraint_name or "")
    errors = known.errors() if known else ()
    match error:
        case pg.UniqueViolation() | pg.ExclusionViolation():
            return conflict(known.message if known else "This already exists.", errors)
        case pg.ForeignKeyViolation() | pg.RestrictViolation() if request.method == "DELETE":
            return conflict("It is still in use.")
        case pg.ForeignKeyViolation() | pg.RestrictViolation():
            return unprocessable("The request refers to something that does not exist.", errors)
        case pg.CheckViolation():
            return unprocessable(known.message if known else "A value is not allowed.", errors)
        case pg.NotNullViolation():
            table, column = error.diag.table_name, error.diag.column_name
            if derived := constraints.get(f"{table}.{column}"):
                return unprocessable(derived.message, derived.errors())
            places = [FieldError("Field required", pointer(column))] if column else []
            return unprocessable("A required value is missing.", places)
        case pg.SerializationFailure() | pg.DeadlockDetected():
            return unavailable("Another request changed the same data: try again.")
        case pg.LockNotAvailable() | pg.QueryCanceled():
            return unavailable("The database took too long: try again.")
        case psycopg.DataError() | pg.ProgramLimitExceeded():
            # Out of range, NUL in text, too long for an index: what the models could not know.
            log.warning("rejected by the database", sqlstate=error.sqlstate)
            return unprocessable("A value is out of range or malformed.")
        case psycopg.OperationalError():
            log.error("database unavailable", error=type(error).__name__, sqlstate=error.sqlstate)
            return unavailable("The database is not available: try again.")
        case _:
            return unexpected(error)
