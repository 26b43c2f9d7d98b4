"""Accounts, sessions and access tokens: `install` puts them into the application."""

from fastapi import FastAPI

from app.auth.keys import load_keys
from app.auth.passwords import Passwords
from app.auth.principal import Authenticator
from app.auth.routes import router
from app.auth.sessions import Sessions
from app.auth.settings import AuthSettings
from app.auth.tokens import Tokens


def install(app: FastAPI, settings: AuthSettings) -> None:
    """Add the /auth operations."""
    tokens = Tokens(
        load_keys(settings),
        issuer=settings.auth_issuer,
        audience=settings.auth_audience,
        lifetime=settings.auth_access_ttl,
    )
    app.state.tokens = tokens
    app.state.authenticator = Authenticator(tokens, settings.auth_recheck_seconds)
    app.state.sessions = Sessions(settings.auth_refresh_ttl)
    app.state.passwords = Passwords(settings.auth_hash_threads)
    app.include_router(router)
