"""The commands of operators: grant, prune, keys."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import httpx2
import psycopg
from joserfc.jwk import OKPKey

from app.auth.roles import DEFAULT_ROLE, ROLES
from app.database import Row
from dev.postgres import Access
from tests.auth_fixtures import SignedIn, SignIn, add_user, credentials
from tests.conftest import SECRET


def run(database: Access, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ENV": "test",
        "DATABASE_URL": database.app,
        "SECRET_KEY": SECRET,
    }
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_grant_changes_a_role(
    database: Access, client: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    email, _ = add_user(owner, DEFAULT_ROLE)
    role = next(iter(ROLES))
    done = run(database, "app.auth.grant", email.upper(), role)
    assert (done.returncode, done.stdout) == (0, f"{email.upper()} now has the role {role}.\n")
    token = client.post("/auth/login", json=credentials(email)).json()["access_token"]
    me = client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["role"] == role


def test_grant_says_what_is_wrong(database: Access) -> None:
    nobody = run(database, "app.auth.grant", "nobody@example.com", DEFAULT_ROLE)
    assert nobody.returncode == 1
    assert "There is no user nobody@example.com" in nobody.stderr
    emperor = run(database, "app.auth.grant", "nobody@example.com", "emperor")
    assert emperor.returncode == 2
    assert DEFAULT_ROLE in emperor.stderr


def test_prune_deletes_what_has_expired_and_nothing_else(
    database: Access, client: httpx2.Client, sign_in: SignIn, owner: psycopg.Connection[Row]
) -> None:
    expired, alive = sign_in(DEFAULT_ROLE), sign_in(DEFAULT_ROLE)
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
    done = run(database, "app.auth.prune")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Deleted ")
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


def test_keys_prints_a_new_private_key(database: Access) -> None:
    first, second = (run(database, "app.auth.keys").stdout for _ in range(2))
    assert first != second
    assert OKPKey.import_key(json.loads(first)).is_private
