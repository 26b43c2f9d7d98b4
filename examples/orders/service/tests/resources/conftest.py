"""What every test of a resource stands on."""

from collections.abc import Iterator

import httpx2
import psycopg
import pytest

from app.database import Row
from tests.auth_fixtures import SignIn
from tests.resources.stage import SignedIn, Stage


@pytest.fixture(scope="session")
def signed_in() -> Iterator[SignedIn]:
    """The callers who have signed in so far, by role."""
    callers: SignedIn = {}
    yield callers
    for caller, _ in callers.values():
        caller.close()


@pytest.fixture
def stage(
    client: httpx2.Client,
    owner: psycopg.Connection[Row],
    sign_in: SignIn,
    signed_in: SignedIn,
) -> Stage:
    """The callers and the database of a test."""
    return Stage(client, owner, sign_in, signed_in)
