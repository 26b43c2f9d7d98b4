"""What the process remembers of sessions: how long, how many, and what a logout does to it."""

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from app.auth import keys, principal
from app.auth.keys import load_keys
from app.auth.principal import Authenticator
from app.auth.roles import DEFAULT_ROLE
from app.auth.settings import AuthSettings
from app.auth.tokens import Tokens
from app.database import Database, Query, Row
from app.problems import Problem

USER = uuid4()


class Lookups(Database):
    """Answers every lookup with a live session, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def fetch_one(self, query: Query, parameters: object = None) -> Row | None:  # noqa: ARG002
        self.count += 1
        self.meanwhile()
        return {"user_id": USER, "role": DEFAULT_ROLE}


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    settings = AuthSettings.model_validate({"auth_signing_key": keys.generate()})
    return Tokens(load_keys(settings), issuer="issuer", audience="audience", lifetime=60)


async def admitted(authenticator: Authenticator, token: str, database: Database) -> bool:
    try:
        caller = await authenticator.principal(token, database)
    except Problem as refused:
        assert refused.status == 401
        return False
    return caller.user_id == USER


def test_a_session_is_looked_up_once_in_a_while(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator, database, token = Authenticator(tokens, 5), Lookups(), fresh(tokens)
    for now, lookups in ((100.0, 1), (104.9, 1), (105.1, 2), (106.0, 2)):
        monkeypatch.setattr(principal, "monotonic", iter([now] * 3).__next__)
        assert asyncio.run(admitted(authenticator, token, database))
        assert database.count == lookups


def test_a_logout_is_not_undone_by_a_lookup_under_way(tokens: Tokens) -> None:
    authenticator, database, session = Authenticator(tokens, 5), Lookups(), uuid4()
    token = fresh(tokens, session)
    database.meanwhile = lambda: authenticator.forget(session)
    assert not asyncio.run(admitted(authenticator, token, database))
    database.meanwhile = lambda: None
    assert not asyncio.run(admitted(authenticator, token, database))
    assert database.count == 1


def test_not_all_sessions_are_remembered_for_ever(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(principal, "SESSIONS_REMEMBERED", 3)
    authenticator, database = Authenticator(tokens, 60), Lookups()
    issued = [fresh(tokens) for _ in range(5)]
    for token in [*issued, *issued[:1], *issued[-1:]]:
        assert asyncio.run(admitted(authenticator, token, database))
    assert database.count == 6


def fresh(tokens: Tokens, session: UUID | None = None) -> str:
    return tokens.issue(USER, session or uuid4())
