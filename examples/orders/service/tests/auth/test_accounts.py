"""Registration, login and the account itself."""

import time
from uuid import uuid4

import httpx2
import psycopg
import pytest

from app.auth.models import Registration
from app.auth.passwords import MAX_LENGTH
from app.auth.roles import DEFAULT_ROLE
from app.database import Row
from tests.auth_fixtures import PHRASE, SignIn, add_user, credentials

MIN_LENGTH = Registration.model_json_schema()["properties"]["password"]["minLength"]


def fresh_email() -> str:
    return f"{uuid4().hex}@example.com"


def test_register_then_login_then_me(client: httpx2.Client) -> None:
    email = fresh_email()
    registered = client.post("/auth/register", json=credentials(f" {email.upper()} "))
    assert registered.status_code == 201, registered.text
    account = registered.json()
    assert set(account) == {"id", "email", "role", "created_at"}
    assert (account["email"], account["role"]) == (email, DEFAULT_ROLE)

    answer = client.post("/auth/login", json=credentials(email))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    me = client.get("/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert (me.status_code, me.json()) == (200, account)


def test_a_second_account_for_an_address_is_refused(client: httpx2.Client) -> None:
    email = fresh_email()
    assert client.post("/auth/register", json=credentials(email)).status_code == 201
    again = client.post("/auth/register", json=credentials(email.title()))
    assert again.status_code == 409
    assert [error["pointer"] for error in again.json()["errors"]] == ["#/email"]


def test_only_a_hash_of_the_password_is_stored(
    client: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    email = fresh_email()
    client.post("/auth/register", json=credentials(email))
    row = owner.execute("SELECT * FROM users WHERE email = %s", (email,)).fetchone()
    assert row is not None
    assert row["password_hash"].startswith("$argon2id$")
    assert PHRASE not in str(row)


@pytest.mark.parametrize(
    "password",
    [
        "x" * (MIN_LENGTH - 1),
        "x" * (MAX_LENGTH + 1),
        "someone@example.com",
        "Someone@Example.COM",
        "",
        None,
        12345678901234567890,
    ],
)
def test_bad_passwords_are_refused(client: httpx2.Client, password: object) -> None:
    body = {"email": "someone@example.com", "password": password}
    answer = client.post("/auth/register", json=body)
    assert answer.status_code == 422
    assert not isinstance(password, str) or not password or password not in answer.text


@pytest.mark.parametrize("password", ["ü" * MAX_LENGTH, " " * MIN_LENGTH, "🔑" * MAX_LENGTH])
def test_any_characters_make_a_password(client: httpx2.Client, password: str) -> None:
    body = {"email": fresh_email(), "password": password}
    assert client.post("/auth/register", json=body).status_code == 201
    assert client.post("/auth/login", json=body).status_code == 200
    # Nothing is cut off: another last character is another password.
    assert client.post("/auth/login", json={**body, "password": password[:-1]}).status_code == 401


def test_two_ways_to_type_a_character_are_one_password(client: httpx2.Client) -> None:
    email = fresh_email()
    composed, decomposed = "pässwörd-" * 3, "pa\u0308sswo\u0308rd-" * 3
    client.post("/auth/register", json={"email": email, "password": composed})
    answer = client.post("/auth/login", json={"email": email, "password": decomposed})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@b",
        "a b@example.com",
        "a@@example.com",
        "ä@example.com",
        "a@example.com\n",
        "a@ex\u0000ample.com",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 60}.{'c.' * 100}example.com",
        None,
    ],
)
def test_bad_addresses_are_refused(client: httpx2.Client, email: object) -> None:
    for path in ("/auth/register", "/auth/login"):
        answer = client.post(path, json={"email": email, "password": PHRASE})
        assert answer.status_code == 422, path
        assert "#/email" in {error["pointer"] for error in answer.json()["errors"]}


def test_unknown_members_are_refused(client: httpx2.Client) -> None:
    body = {**credentials(fresh_email()), "role": "admin"}
    answer = client.post("/auth/register", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/role"


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    client: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    email, _ = add_user(owner, DEFAULT_ROLE)
    disabled, user_id = add_user(owner, DEFAULT_ROLE)
    owner.execute("UPDATE users SET disabled_at = now() WHERE id = %s", (user_id,))
    answers = [
        client.post("/auth/login", json={"email": email, "password": "wrong" * 4}),
        client.post("/auth/login", json=credentials(fresh_email())),
        client.post("/auth/login", json=credentials(disabled)),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len({answer.json()["detail"] for answer in answers}) == 1


def test_an_unknown_address_takes_as_long_as_a_wrong_password(
    client: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    email, _ = add_user(owner, DEFAULT_ROLE)

    def fastest(address: str) -> float:
        times = []
        for _ in range(4):
            started = time.perf_counter()
            client.post("/auth/login", json={"email": address, "password": "wrong" * 4})
            times.append(time.perf_counter() - started)
        return min(times)

    # Hashing takes ten times as long as everything else: an answer without it would stand out.
    assert fastest(fresh_email()) > 0.4 * fastest(email)


def test_a_cheap_hash_is_renewed_at_login(
    client: httpx2.Client, owner: psycopg.Connection[Row]
) -> None:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    email, user_id = add_user(owner, DEFAULT_ROLE)
    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=1024),)).hash(PHRASE)
    owner.execute("UPDATE users SET password_hash = %s WHERE id = %s", (cheap, user_id))
    assert client.post("/auth/login", json=credentials(email)).status_code == 200
    row = owner.execute("SELECT password_hash FROM users WHERE id = %s", (user_id,)).fetchone()
    assert row is not None
    assert "m=65536" in row["password_hash"]
    assert client.post("/auth/login", json=credentials(email)).status_code == 200


def test_me_needs_a_token(client: httpx2.Client, sign_in: SignIn) -> None:
    answer = client.get("/auth/me")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert sign_in(DEFAULT_ROLE).get("/auth/me").json()["role"] == DEFAULT_ROLE
