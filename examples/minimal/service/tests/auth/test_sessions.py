"""Refresh tokens rotate, their reuse ends the session, and so does a logout."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2
import psycopg

from app.auth.roles import DEFAULT_ROLE
from app.database import Row
from tests.auth_fixtures import SignedIn, SignIn, credentials
from tests.conftest import Serve


def refresh(client: httpx2.Client, token: str) -> httpx2.Response:
    return client.post("/auth/refresh", json={"refresh_token": token})


def me(client: httpx2.Client, token: str) -> int:
    return client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_refresh_token_brings_new_tokens(client: httpx2.Client, sign_in: SignIn) -> None:
    first = sign_in(DEFAULT_ROLE).refresh_token
    answer = refresh(client, first)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["refresh_token"] != first
    assert me(client, answer.json()["access_token"]) == 200
    assert refresh(client, answer.json()["refresh_token"]).status_code == 200


def test_a_used_refresh_token_ends_the_session(client: httpx2.Client, sign_in: SignIn) -> None:
    caller = sign_in(DEFAULT_ROLE)
    newer = refresh(client, caller.refresh_token).json()
    reuse = refresh(client, caller.refresh_token)
    assert reuse.status_code == 401
    assert "www-authenticate" in reuse.headers
    assert refresh(client, newer["refresh_token"]).status_code == 401
    assert me(client, newer["access_token"]) == 401
    assert caller.get("/auth/me").status_code == 401


def test_another_session_of_the_user_lives_on(client: httpx2.Client, sign_in: SignIn) -> None:
    caller = sign_in(DEFAULT_ROLE)
    other = client.post("/auth/login", json=credentials(caller.email)).json()
    refresh(client, caller.refresh_token)
    assert refresh(client, caller.refresh_token).status_code == 401
    assert me(client, other["access_token"]) == 200
    assert refresh(client, other["refresh_token"]).status_code == 200


def test_of_concurrent_refreshes_one_wins(server: str, sign_in: SignIn) -> None:
    token = sign_in(DEFAULT_ROLE).refresh_token
    barrier = Barrier(6)

    def race() -> httpx2.Response:
        with httpx2.Client(base_url=server, timeout=10) as client:
            client.get("/live")  # connected before the start
            barrier.wait(10)
            return refresh(client, token)

    with ThreadPoolExecutor(6) as threads:
        answers = [future.result() for future in [threads.submit(race) for _ in range(6)]]
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401, 401]
    # Somebody presented a used token: what the winner got is worth nothing either.
    [winner] = [answer.json() for answer in answers if answer.status_code == 200]
    with httpx2.Client(base_url=server, timeout=10) as client:
        assert refresh(client, winner["refresh_token"]).status_code == 401
        assert me(client, winner["access_token"]) == 401


def test_an_unknown_or_malformed_refresh_token_is_refused(client: httpx2.Client) -> None:
    assert refresh(client, "A" * 43).status_code == 401
    assert refresh(client, "A" * 42).status_code == 422
    assert refresh(client, "é" * 43).status_code == 422


def test_an_idle_session_ends(
    client: httpx2.Client, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    caller = sign_in(DEFAULT_ROLE)
    owner.execute(
        "UPDATE sessions SET expires_at = now() - interval '1 s' WHERE user_id = %s",
        (caller.user_id,),
    )
    assert refresh(client, caller.refresh_token).status_code == 401


def test_a_refresh_prolongs_the_session(
    client: httpx2.Client, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    caller = sign_in(DEFAULT_ROLE)
    owner.execute(
        "UPDATE sessions SET expires_at = now() + interval '1 min' WHERE user_id = %s",
        (caller.user_id,),
    )
    lifetime = refresh(client, caller.refresh_token).json()["refresh_expires_in"]
    row = owner.execute(
        "SELECT extract(epoch FROM expires_at - now())::float8 AS left FROM sessions "
        "WHERE user_id = %s",
        (caller.user_id,),
    ).fetchone()
    assert row is not None
    assert lifetime - 30 < row["left"] <= lifetime


def test_a_disabled_user_cannot_refresh(
    client: httpx2.Client, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    caller = sign_in(DEFAULT_ROLE)
    owner.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (caller.user_id,))
    assert refresh(client, caller.refresh_token).status_code == 401


def test_refresh_tokens_are_stored_as_hashes(
    sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    token = sign_in(DEFAULT_ROLE).refresh_token
    row = owner.execute(
        "SELECT 1 AS found FROM refresh_tokens WHERE token_hash = %s",
        (hashlib.sha256(token.encode()).digest(),),
    ).fetchone()
    assert row == {"found": 1}


def test_a_logout_ends_the_session_at_once(client: httpx2.Client, sign_in: SignIn) -> None:
    caller = sign_in(DEFAULT_ROLE)
    assert caller.get("/auth/me").status_code == 200
    answer = caller.post("/auth/logout")
    assert (answer.status_code, answer.content) == (204, b"")
    refused = caller.get("/auth/me")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert refresh(client, caller.refresh_token).status_code == 401
    assert caller.post("/auth/logout").status_code == 401


def test_other_processes_notice_a_logout_in_time(serve: Serve, sign_in: SignIn) -> None:
    with serve(AUTH_RECHECK_SECONDS="0") as strict, serve(AUTH_RECHECK_SECONDS="60") as lazy:
        caller = sign_in(DEFAULT_ROLE, strict)
        elsewhere = as_seen_by(lazy, caller)
        with elsewhere:
            assert elsewhere.get("/auth/me").status_code == 200
            assert caller.post("/auth/logout").status_code == 204
            # It looked the session up a moment ago and trusts that for AUTH_RECHECK_SECONDS.
            assert elsewhere.get("/auth/me").status_code == 200

        caller = sign_in(DEFAULT_ROLE, lazy)
        elsewhere = as_seen_by(strict, caller)
        with elsewhere:
            assert elsewhere.get("/auth/me").status_code == 200
            assert caller.post("/auth/logout").status_code == 204
            assert elsewhere.get("/auth/me").status_code == 401


def as_seen_by(url: str, caller: SignedIn) -> httpx2.Client:
    headers = {"Authorization": caller.headers["Authorization"]}
    return httpx2.Client(base_url=url, headers=headers, timeout=10)


def test_deleting_a_user_ends_the_sessions(
    serve: Serve, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    remembered = sign_in(DEFAULT_ROLE)
    assert remembered.get("/auth/me").status_code == 200
    owner.execute("DELETE FROM users WHERE id = %s", (remembered.user_id,))
    assert remembered.get("/auth/me").status_code == 401
    with serve(AUTH_RECHECK_SECONDS="0") as url:
        caller = sign_in(DEFAULT_ROLE, url)
        owner.execute("DELETE FROM users WHERE id = %s", (caller.user_id,))
        assert caller.get("/auth/me").status_code == 401
