"""Settings: what is refused, and that the message says all of it and no value."""

import pytest

from app.settings import InvalidSettings, Settings
from dev.postgres import Access
from tests.conftest import load_settings

SAFE = {"ENV": "prod", "DATABASE_URL": "postgresql://db/x", "SECRET_KEY": "k" * 32}


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Load settings from exactly `environment` and return why they were refused."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as caught:
        Settings.load()
    return str(caught.value)


def test_production_is_the_default_and_says_all_that_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = refusal(monkeypatch)
    assert "DATABASE_URL: is missing" in message
    assert "SECRET_KEY: is missing" in message


def test_an_empty_value_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, ENV="", DATABASE_POOL_MAX="", SECRET_KEY="")
    assert "DATABASE_URL: is missing" in message
    assert "SECRET_KEY: is missing" in message


def test_production_refuses_weak_secrets_and_open_cors(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, **{**SAFE, "SECRET_KEY": "hunter2", "CORS_ORIGINS": "*"})
    assert "SECRET_KEY: is shorter than 32 characters" in message
    assert "CORS_ORIGINS: name the origins instead of *" in message
    assert "hunter2" not in message


def test_malformed_values_are_named_but_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"DATABASE_POOL_MAX": "hunter2", "MAX_BODY_BYTES": "0", "ENV": "production"}
    message = refusal(monkeypatch, **{**SAFE, **environment})
    assert "DATABASE_POOL_MAX: Input should be a valid integer" in message
    assert "MAX_BODY_BYTES: Input should be greater than 0" in message
    assert "ENV: Input should be 'dev', 'test' or 'prod'" in message
    assert "hunter2" not in message


def test_bounds_that_contradict(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, **{**SAFE, "DATABASE_POOL_MIN": "9", "DATABASE_POOL_MAX": "3"})
    assert "DATABASE_POOL_MIN: is above DATABASE_POOL_MAX" in message


def test_lists(database: Access) -> None:
    settings = load_settings(database, CORS_ORIGINS="https://a, ", TRUSTED_PROXIES="10.0.0.0/8,::1")
    assert settings.cors_origins == ("https://a",)
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


def test_secrets_do_not_print(database: Access) -> None:
    settings = load_settings(database)
    assert settings.secret_key.get_secret_value() not in repr(settings)
    assert settings.database_url.get_secret_value() not in repr(settings)
