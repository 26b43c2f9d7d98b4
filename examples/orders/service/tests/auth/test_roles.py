"""Roles: what includes what, who is admitted, and how a role changes."""

from collections.abc import Iterator
from typing import Annotated

import psycopg
import pytest
from fastapi import Depends
from fastapi.responses import Response

from app.auth.principal import Caller, Principal, require
from app.auth.roles import DEFAULT_ROLE, ROLES
from app.database import Row
from app.main import create_app
from app.responses import json
from dev.postgres import Access
from tests.auth_fixtures import SignedIn, SignIn
from tests.conftest import load_settings, running


@pytest.fixture(scope="module")
def guarded(database: Access) -> Iterator[str]:
    """The service with a route for each role, and one for every caller."""
    app = create_app(load_settings(database, AUTH_RECHECK_SECONDS="0"))

    for role in ROLES:

        @app.get(f"/test/as/{role}")
        async def guarded(caller: Annotated[Principal, Depends(require(role))]) -> Response:
            return json({"role": caller.role})

    @app.get("/test/whoami")
    async def whoami(caller: Caller) -> Response:
        return json({"user_id": caller.user_id, "roles": sorted(caller.roles)})

    with running(app) as url:
        yield url


def test_the_default_role_exists() -> None:
    assert DEFAULT_ROLE in ROLES


@pytest.mark.parametrize("role", ROLES)
def test_a_role_includes_itself_and_whatever_those_include(role: str) -> None:
    assert role in ROLES[role]
    for included in ROLES[role]:
        assert ROLES[included] <= ROLES[role]


@pytest.mark.parametrize("role", ROLES)
def test_a_caller_is_admitted_by_role_or_inclusion(
    guarded: str, sign_in: SignIn, role: str
) -> None:
    caller = sign_in(role, guarded)
    whoami = caller.get("/test/whoami").json()
    assert whoami == {"user_id": str(caller.user_id), "roles": sorted(ROLES[role])}
    admitted = {name for name in ROLES if caller.get(f"/test/as/{name}").status_code == 200}
    refused = {name for name in ROLES if caller.get(f"/test/as/{name}").status_code == 403}
    assert admitted == ROLES[role]
    assert refused == set(ROLES) - ROLES[role]


def test_a_role_that_no_longer_exists_grants_nothing(
    guarded: str, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    caller = sign_in(DEFAULT_ROLE, guarded)
    set_role(owner, caller, "retired")
    assert caller.get("/test/whoami").json()["roles"] == []
    assert {caller.get(f"/test/as/{role}").status_code for role in ROLES} == {403}


def test_a_new_role_counts_for_tokens_that_are_out(
    guarded: str, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    caller = sign_in("retired", guarded)
    assert caller.get(f"/test/as/{DEFAULT_ROLE}").status_code == 403
    set_role(owner, caller, DEFAULT_ROLE)
    assert caller.get(f"/test/as/{DEFAULT_ROLE}").status_code == 200


def test_a_guard_with_an_unknown_role_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="unknown roles: emperor"):
        require("emperor")


def set_role(owner: psycopg.Connection[Row], caller: SignedIn, role: str) -> None:
    owner.execute("UPDATE users SET role = %s WHERE id = %s", (role, caller.user_id))
