"""Who calls: an access token becomes a `Principal`, and routes say what they need of it.

    async def get_order(caller: Caller) -> Response: ...
    async def archive(caller: Annotated[Principal, Depends(require("staff"))]) -> Response: ...

A signature alone does not admit anyone. The session behind the token is looked up too, at most
every `auth_recheck_seconds`: a logout, a disabled user or a new role is noticed at once by the
process that made the change and within that time by all others.
"""

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from app.auth import statements
from app.auth.roles import ROLES
from app.auth.tokens import InvalidToken, Tokens
from app.database import Database
from app.problems import Problem, forbidden
from app.rate_limit.limiter import Limiter

SESSIONS_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user. `roles` holds the user's role and every role that it includes."""

    user_id: UUID
    role: str
    roles: frozenset[str]
    session_id: UUID


class Authenticator:
    """Verifies access tokens and remembers which sessions were alive a moment ago."""

    def __init__(self, tokens: Tokens, recheck_seconds: float) -> None:
        """Look a session up again when the last lookup is `recheck_seconds` old."""
        self._tokens = tokens
        self._recheck = recheck_seconds
        # The principal of each session (None: known to be over) and when that was looked up.
        self._sessions: OrderedDict[UUID, tuple[Principal | None, float]] = OrderedDict()

    async def principal(self, token: str, database: Database) -> Principal:
        """Return the caller behind `token`. Raises a 401 `Problem` when it admits nobody."""
        try:
            session_id = self._tokens.verify(token).session_id
        except InvalidToken as error:
            raise unauthorized("The access token is not valid.", "invalid_token") from error
        known = self._sessions.get(session_id)
        if known is not None and monotonic() - known[1] < self._recheck:
            principal = known[0]
        else:
            principal = await self._look_up(session_id, database)
        if principal is None:
            raise unauthorized("The session is over: sign in again.", "invalid_token")
        return principal

    def forget(self, session_id: UUID) -> None:
        """Treat the session as over in this process, whatever a lookup under way says."""
        self._remember(session_id, None)

    async def _look_up(self, session_id: UUID, database: Database) -> Principal | None:
        started = monotonic()
        row = await database.fetch_one(statements.LIVE_SESSION, {"session_id": session_id})
        known = self._sessions.get(session_id)
        if known is not None and known[0] is None and known[1] >= started:
            return None  # it was ended while the lookup was under way
        principal = None
        if row is not None:
            # A role that the code no longer knows grants nothing.
            roles = ROLES.get(row["role"], frozenset())
            principal = Principal(row["user_id"], row["role"], roles, session_id)
        self._remember(session_id, principal)
        return principal

    def _remember(self, session_id: UUID, principal: Principal | None) -> None:
        self._sessions[session_id] = (principal, monotonic())
        self._sessions.move_to_end(session_id)
        if len(self._sessions) > SESSIONS_REMEMBERED:
            self._sessions.popitem(last=False)


class Bearer(SecurityBase):
    """The dependency: authenticates the caller and, given roles, demands one of them."""

    def __init__(self, *roles: str) -> None:
        """Demand one of `roles`, if any. Raises ValueError for a role that does not exist."""
        unknown = set(roles) - set(ROLES)
        if unknown:
            raise ValueError(f"unknown roles: {', '.join(sorted(unknown))}")
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = "bearer"
        self.roles = frozenset(roles)

    async def __call__(self, request: Request) -> Principal:
        """Return the caller. Raises a `Problem`: 401 without a token, 403 without a role."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("This operation needs an access token.")
        authenticator: Authenticator = request.app.state.authenticator
        principal = await authenticator.principal(token, request.app.state.database)
        request.state.user_id = principal.user_id  # the access log names the caller
        limiter: Limiter = request.app.state.limiter
        await limiter.user(request.scope, principal.user_id)
        if self.roles and self.roles.isdisjoint(principal.roles):
            raise forbidden(f"This operation needs the role {' or '.join(sorted(self.roles))}.")
        return principal


authenticated = Bearer()
Caller = Annotated[Principal, Depends(authenticated)]


def require(*roles: str) -> Bearer:
    """Return a dependency that admits callers who have one of `roles`, by name or by inclusion."""
    return Bearer(*roles)


def unauthorized(detail: str, error: str | None = None) -> Problem:
    """Return the 401 problem with its challenge; `error` is a code of RFC 6750, section 3.1."""
    challenge = "Bearer" if error is None else f'Bearer error="{error}"'
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})
