"""The /auth operations: register, login, refresh, logout, me."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.auth import statements
from app.auth.models import Credentials, RefreshToken, Registration
from app.auth.passwords import Passwords
from app.auth.principal import Authenticator, Caller, unauthorized
from app.auth.roles import DEFAULT_ROLE
from app.auth.sessions import Refused, Session, Sessions
from app.auth.tokens import Tokens
from app.database import Db
from app.problems import FieldError, conflict, pointer
from app.rate_limit.limiter import Limiter
from app.responses import json, no_content

SCHEME = "Bearer"

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/register", operation_id="register", status_code=201)
async def register(body: Registration, request: Request, db: Db) -> Response:
    """Create an account with the default role.

    The 409 tells that an address has an account; only a confirmation by e-mail could hide that.
    The login limit keeps it from being used to try out many.
    """
    limiter: Limiter = request.app.state.limiter
    await limiter.login(request.scope, body.email)
    passwords: Passwords = request.app.state.passwords
    password_hash = await passwords.hash(body.password.get_secret_value())
    row = await db.fetch_one(
        statements.INSERT_USER,
        {"email": body.email, "password_hash": password_hash, "role": DEFAULT_ROLE},
    )
    if row is None:
        detail = "This e-mail address has an account already."
        raise conflict(detail, [FieldError(detail, pointer("email"))])
    return json(row, 201)


@router.post("/login", operation_id="login")
async def login(body: Credentials, request: Request, db: Db) -> Response:
    """Sign in. An unknown address and a wrong password are told apart by neither words nor time."""
    limiter: Limiter = request.app.state.limiter
    await limiter.login(request.scope, body.email)
    passwords: Passwords = request.app.state.passwords
    user = await db.fetch_one(statements.USER_BY_EMAIL, {"email": body.email})
    stored = user["password_hash"] if user else None
    right, better = await passwords.verify(body.password.get_secret_value(), stored)
    if user is None or not right or not user["enabled"]:
        raise unauthorized("The e-mail address or the password is wrong.")
    if better is not None:
        upgrade = {"user_id": user["id"], "password_hash": stored, "better": better}
        await db.fetch_one(statements.UPGRADE_HASH, upgrade)
    sessions: Sessions = request.app.state.sessions
    return token_response(request, await sessions.open(db, user["id"]))


@router.post("/refresh", operation_id="refresh")
async def refresh(body: RefreshToken, request: Request, db: Db) -> Response:
    """Trade a refresh token, once, for new tokens. Presenting a used one ends the session."""
    sessions: Sessions = request.app.state.sessions
    session = await sessions.proceed(db, body.refresh_token)
    if isinstance(session, Refused):
        if session.ended is not None:
            authenticator: Authenticator = request.app.state.authenticator
            authenticator.forget(session.ended)
        raise unauthorized("The refresh token is not valid: sign in again.")
    return token_response(request, session)


@router.post("/logout", operation_id="logout", status_code=204)
async def logout(caller: Caller, request: Request, db: Db) -> Response:
    """End the session: its refresh token and, within seconds everywhere, its access tokens."""
    sessions: Sessions = request.app.state.sessions
    await sessions.end(db, caller.session_id)
    authenticator: Authenticator = request.app.state.authenticator
    authenticator.forget(caller.session_id)
    return no_content()


@router.get("/me", operation_id="me")
async def me(caller: Caller, db: Db) -> Response:
    """Return the caller's account."""
    row = await db.fetch_one(statements.USER_BY_ID, {"user_id": caller.user_id})
    if row is None:
        raise unauthorized("The account is gone.", "invalid_token")
    return json(row)


def token_response(request: Request, session: Session) -> Response:
    """Return both tokens as RFC 6749, section 5.1 names them; it also forbids caching them."""
    tokens: Tokens = request.app.state.tokens
    sessions: Sessions = request.app.state.sessions
    content = {
        "access_token": tokens.issue(session.user_id, session.session_id),
        "token_type": SCHEME,
        "expires_in": tokens.lifetime,
        "refresh_token": session.refresh_token,
        "refresh_expires_in": sessions.lifetime,
    }
    return json(content, headers={"Cache-Control": "no-store"})
