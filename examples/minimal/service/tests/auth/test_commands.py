"""The commands of operators: grant, prune, new_key."""

import json
import runpy
from datetime import timedelta

import httpx2
import psycopg
import pytest
from joserfc.jwk import OKPKey

from app.auth import grant, prune
from app.auth.roles import DEFAULT_ROLE, ROLES
from app.database import Row
from dev.postgres import Access
from tests.auth_fixtures import SignedIn, SignIn, add_user, credentials
from tests.conftest import SECRET


@pytest.fixture(autouse=True)
def environment(database: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the commands find in the environment: the same as the service."""
    monkeypatch.setenv("ENV", "test")
    monkeypatch.setenv("DATABASE_URL", database.app)
    monkeypatch.setenv("SECRET_KEY", SECRET)


def test_grant_changes_a_role(
    client: httpx2.Client, owner: psycopg.Connection[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    email, _ = add_user(owner, DEFAULT_ROLE)
    role = next(iter(ROLES))
    assert grant.main([email.upper(), role]) == 0
    assert capsys.readouterr().out == f"{email.upper()} now has the role {role}.\n"
    token = client.post("/auth/login", json=credentials(email)).json()["access_token"]
    me = client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["role"] == role


def test_grant_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert grant.main(["nobody@example.com", DEFAULT_ROLE]) == 1
    assert "There is no user nobody@example.com" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        grant.main(["nobody@example.com", "emperor"])
    assert ended.value.code == 2
    assert DEFAULT_ROLE in capsys.readouterr().err


def test_prune_deletes_what_has_expired_and_nothing_else(
    client: httpx2.Client,
    sign_in: SignIn,
    owner: psycopg.Connection[Row],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expired, alive = sign_in(DEFAULT_ROLE), sign_in(DEFAULT_ROLE)
    for _ in range(4):
        client.post("/auth/login", json=credentials(expired.email))
    owner.execute(
        "UPDATE sessions SET expires_at = now() - interval '1 s' WHERE user_id = %s",
        (expired.user_id,),
    )
    rotated = client.post("/auth/refresh", json={"refresh_token": alive.refresh_token}).json()
    owner.execute(
        "UPDATE refresh_tokens SET created_at = created_at - %s "
        "WHERE used_at IS NOT NULL AND session_id IN (SELECT id FROM sessions WHERE user_id = %s)",
        (timedelta(seconds=rotated["refresh_expires_in"] + 1), alive.user_id),
    )
    monkeypatch.setattr(prune, "BATCH", 2)
    prune.main()
    assert capsys.readouterr().out.startswith("Deleted ")
    assert count(owner, expired) == {"sessions": 0, "tokens": 0}
    assert count(owner, alive) == {"sessions": 1, "tokens": 1}
    token = {"refresh_token": rotated["refresh_token"]}
    assert client.post("/auth/refresh", json=token).status_code == 200


def count(owner: psycopg.Connection[Row], caller: SignedIn) -> Row | None:
    return owner.execute(
        "SELECT count(DISTINCT s.id) AS sessions, count(t.*) AS tokens FROM sessions s "
        "LEFT JOIN refresh_tokens t ON t.session_id = s.id WHERE s.user_id = %s",
        (caller.user_id,),
    ).fetchone()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_new_key_prints_a_new_private_key(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for _ in range(2):
        runpy.run_module("app.auth.new_key", run_name="__main__")
        printed.append(capsys.readouterr().out)
    assert printed[0] != printed[1]
    assert OKPKey.import_key(json.loads(printed[0])).is_private
