"""Settings of accounts and tokens, from the environment: AUTH_ACCESS_TTL=900."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from app.auth.keys import read, read_private


def private_key(value: SecretStr) -> SecretStr:
    """Refuse what could not sign."""
    read_private(value.get_secret_value())
    return value


def older_keys(value: SecretStr) -> SecretStr:
    """Refuse what could not verify."""
    read(value.get_secret_value())
    return value


class AuthSettings(BaseSettings):
    """Keys, lifetimes in seconds, and what hashing passwords may cost."""

    auth_issuer: str = "orders"
    auth_audience: str = "orders"
    # The private Ed25519 key, as JWK or PEM; only production refuses to start without.
    auth_signing_key: Annotated[SecretStr, AfterValidator(private_key)] | None = None
    # Older keys whose tokens still count: a JWK, a JWK Set or PEM blocks.
    auth_previous_keys: Annotated[SecretStr, AfterValidator(older_keys)] | None = None
    auth_access_ttl: int = Field(default=900, ge=1, le=24 * 3600)
    auth_refresh_ttl: int = Field(default=2592000, ge=1)
    # For so long another process may go on trusting a session that ended or a role that changed.
    auth_recheck_seconds: float = Field(default=5.0, ge=0, le=60)
    # Passwords hashed at a time: each takes 64 MiB, and about 50 ms of CPU.
    auth_hash_threads: int = Field(default=2, ge=1, le=64)

    def unsafe_in_production(self) -> list[str]:
        """Return what is wrong with these settings in production."""
        if self.auth_signing_key is None:
            return ["AUTH_SIGNING_KEY: is not set; `python -m app.auth.new_key` prints a new key"]
        return []
