"""Signed-in callers for every test: `sign_in(role)` is the client of a fresh user."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from pwdlib import PasswordHash

from app.database import Row

PHRASE = "correct horse battery staple"


class SignedIn(httpx2.Client):
    """A client whose requests carry an access token of the user `user_id`."""

    user_id: UUID
    email: str
    refresh_token: str


SignIn = Callable[..., SignedIn]


@pytest.fixture
def sign_in(server: str, owner: psycopg.Connection[Row]) -> Iterator[SignIn]:
    """Return a function: role (and another server's address) -> a signed-in client."""
    with ExitStack() as clients:

        def sign_in(role: str, url: str = server) -> SignedIn:
            client = clients.enter_context(SignedIn(base_url=url, timeout=10))
            client.email, client.user_id = add_user(owner, role)
            answer = client.post("/auth/login", json=credentials(client.email))
            assert answer.status_code == 200, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            client.refresh_token = answer.json()["refresh_token"]
            return client

        yield sign_in


def add_user(owner: psycopg.Connection[Row], role: str) -> tuple[str, UUID]:
    """Insert a user whose password is `PHRASE`; return the e-mail address and the id."""
    email = f"{uuid4().hex}@example.com"
    row = owner.execute(
        "INSERT INTO users (email, password_hash, role) VALUES (%s, %s, %s) RETURNING id",
        (email, hashed_phrase(), role),
    ).fetchone()
    assert row is not None
    return email, row["id"]


def credentials(email: str) -> dict[str, str]:
    """Return the body of a login."""
    return {"email": email, "password": PHRASE}


@cache
def hashed_phrase() -> str:
    """Hash once: users of tests may share a hash."""
    return PasswordHash.recommended().hash(PHRASE)
