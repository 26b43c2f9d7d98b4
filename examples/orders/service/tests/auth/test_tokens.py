"""What makes an access token good, and everything that must not."""

import base64
import hmac
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from pydantic import ValidationError

from app.auth import keys, tokens
from app.auth.keys import Keys, load_keys
from app.auth.roles import DEFAULT_ROLE
from app.auth.settings import AuthSettings
from app.auth.tokens import LEEWAY, InvalidToken, Tokens
from app.settings import describe
from tests.auth_fixtures import SignIn
from tests.conftest import Serve

USER, SESSION = uuid4(), uuid4()


@dataclass
class Forge:
    """Makes tokens like ours, but for what a test changes."""

    keys: Keys

    def __call__(
        self, *, header: dict[str, Any] | None = None, key: Any = None, **claims: Any
    ) -> str:
        now = int(time.time())
        content: dict[str, Any] = {
            "iss": "issuer",
            "aud": "audience",
            "sub": str(USER),
            "sid": str(SESSION),
            "jti": "1",
            "iat": now,
            "exp": now + 60,
        }
        merged = {"alg": "Ed25519", "typ": "at+jwt", "kid": self.keys.signing_kid, **(header or {})}
        return jwt.encode(
            {name: value for name, value in merged.items() if value is not None},
            {name: value for name, value in {**content, **claims}.items() if value is not None},
            key or self.keys.signing,
            algorithms=["Ed25519"],
            default_type=None,
        )


@pytest.fixture
def own_keys() -> Keys:
    return load_keys(settings(auth_signing_key=keys.generate()))


@pytest.fixture
def forge(own_keys: Keys) -> Forge:
    return Forge(own_keys)


@pytest.fixture
def verifier(own_keys: Keys) -> Tokens:
    return Tokens(own_keys, issuer="issuer", audience="audience", lifetime=60)


def settings(**values: Any) -> AuthSettings:
    return AuthSettings.model_validate(values)


def test_a_token_of_ours_is_good(verifier: Tokens, forge: Forge) -> None:
    claims = verifier.verify(forge())
    assert (claims.user_id, claims.session_id) == (USER, SESSION)
    assert verifier.verify(verifier.issue(USER, SESSION)).user_id == USER


def test_tokens_are_never_the_same_twice(verifier: Tokens) -> None:
    assert verifier.issue(USER, SESSION) != verifier.issue(USER, SESSION)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"aud": None},
        {"sub": None},
        {"sub": "somebody"},
        {"sub": 7},
        {"sid": None},
        {"sid": ["x"]},
        {"jti": None},
        {"iat": None},
        {"iat": int(time.time()) + 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": int(time.time()) - LEEWAY - 1},
        {"exp": float("nan")},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": None}},
        {"header": {"kid": None}},
        {"header": {"kid": "another"}},
        {"key": OKPKey.generate_key("Ed25519")},
    ],
    ids=str,
)
def test_a_changed_token_is_refused(verifier: Tokens, forge: Forge, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        verifier.verify(forge(**change))


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def mangled(token: str, kid: str) -> list[str]:
    header, claims, signature = token.split(".")
    unsigned = encoded({"alg": "none", "typ": "at+jwt", "kid": kid})
    odd_kid = encoded({"alg": "Ed25519", "typ": "at+jwt", "kid": [kid]})
    return [
        f"{odd_kid}.{claims}.{signature}",
        f"{unsigned}.{claims}.",
        f"{unsigned}.{claims}.{signature}",
        f"{header}.{encoded({'sub': str(uuid4())})}.{signature}",
        f"{encoded([kid])}.{claims}.{signature}",
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f"{token}.{token}",
        token[:-2],
        token + "A",
        "",
        "..",
        "a.b.c",
        "ü" * 10,
        "A" * 100_000,
    ]


def test_a_mangled_token_is_refused(verifier: Tokens, forge: Forge) -> None:
    token = forge()
    for bad in mangled(token, forge.keys.signing_kid):
        with pytest.raises(InvalidToken):
            verifier.verify(bad)
    assert verifier.verify(token).user_id == USER


def test_our_public_key_is_no_shared_secret(verifier: Tokens, forge: Forge) -> None:
    header = encoded({"alg": "HS256", "typ": "at+jwt", "kid": forge.keys.signing_kid})
    content = f"{header}.{forge().split('.')[1]}"
    for public in (
        forge.keys.signing.as_bytes(private=False),
        forge.keys.signing.as_pem(private=False),
        base64.urlsafe_b64decode(f"{forge.keys.signing.as_dict()['x']}="),
    ):
        mac = hmac.digest(public, content.encode(), "sha256")
        with pytest.raises(InvalidToken):
            verifier.verify(f"{content}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


def test_a_remembered_token_expires_all_the_same(
    verifier: Tokens, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = forge()
    verifier.verify(token)
    verifier.verify(token)
    later = time.time() + 60 + LEEWAY
    monkeypatch.setattr(time, "time", lambda: later)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            verifier.verify(token)


def test_not_all_tokens_are_remembered_for_ever(
    verifier: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "TOKENS_REMEMBERED", 3)
    issued = [verifier.issue(USER, SESSION) for _ in range(9)]
    for token in issued * 2:
        assert verifier.verify(token).user_id == USER
    assert len(verifier._verified) == 3


def test_a_previous_key_still_verifies_but_does_not_sign(forge: Forge) -> None:
    old = json.dumps(forge.keys.signing.as_dict(private=True))
    rotated = load_keys(settings(auth_signing_key=keys.generate(), auth_previous_keys=old))
    verifier = Tokens(rotated, issuer="issuer", audience="audience", lifetime=60)
    assert verifier.verify(forge()).user_id == USER
    assert rotated.signing_kid != forge.keys.signing_kid
    dropped = load_keys(settings(auth_signing_key=keys.generate()))
    with pytest.raises(InvalidToken):
        Tokens(dropped, issuer="issuer", audience="audience", lifetime=60).verify(forge())


def test_keys_are_read_as_jwk_jwk_set_and_pem() -> None:
    key = OKPKey.generate_key("Ed25519")
    jwk = json.dumps(key.as_dict(private=True))
    pem = key.as_pem(private=True).decode()
    expected = load_keys(settings(auth_signing_key=jwk)).signing_kid
    assert load_keys(settings(auth_signing_key=pem)).signing_kid == expected
    previous = {
        json.dumps({"keys": [key.as_dict(private=False)]}),
        key.as_pem(private=False).decode() * 2,
    }
    for text in previous:
        loaded = load_keys(settings(auth_signing_key=keys.generate(), auth_previous_keys=text))
        assert expected in loaded.verifying


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret-value",
        "{}",
        '{"kty": "OKP"}',
        '{"keys": 3}',
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        json.dumps(OKPKey.generate_key("Ed448").as_dict(private=True)),
        json.dumps(OctKey.generate_key(256).as_dict(private=True)),
        json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)),
    ],
)
def test_an_unusable_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(auth_signing_key=text)
    message = describe(caught.value)
    assert "AUTH_SIGNING_KEY: Value error, must hold" in message
    assert "secret-value" not in message


def test_an_unusable_previous_key_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(auth_signing_key=keys.generate(), auth_previous_keys="secret-value")
    assert "AUTH_PREVIOUS_KEYS: Value error, must hold Ed25519 keys" in describe(caught.value)


def test_a_development_key_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "DEV_KEY_FILE", tmp_path / "dev" / "key.json")
    first = load_keys(settings(auth_signing_key=None))
    assert load_keys(settings(auth_signing_key=None)).signing_kid == first.signing_kid
    [file] = (tmp_path / "dev").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_production_refuses_to_run_without_a_key() -> None:
    assert settings(auth_signing_key=None).unsafe_in_production() != []
    assert settings(auth_signing_key=keys.generate()).unsafe_in_production() == []


def test_the_service_checks_what_it_is_sent(sign_in: SignIn, client: httpx2.Client) -> None:
    good = str(sign_in(DEFAULT_ROLE).headers["Authorization"]).removeprefix("Bearer ")

    def status(authorization: str) -> int:
        headers = {b"Authorization": authorization.encode("latin-1")}
        return client.get("/auth/me", headers=headers).status_code

    assert status(f"Bearer {good}") == 200
    assert status(f"bearer {good}") == 200
    assert status(good) == 401
    assert status(f"Basic {good}") == 401
    assert status("Bearer") == 401
    assert status(f"Bearer {good[:-1]}") == 401
    assert status("Bearer ü") == 401


def test_access_tokens_expire(serve: Serve, sign_in: SignIn) -> None:
    with serve(AUTH_ACCESS_TTL="1") as url:
        caller = sign_in(DEFAULT_ROLE, url)
        assert caller.get("/auth/me").status_code == 200
        deadline = time.monotonic() + 1 + LEEWAY + 2
        while caller.get("/auth/me").status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert caller.get("/auth/me").status_code == 401
