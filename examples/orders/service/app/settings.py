"""Settings from environment variables: each is documented in .env.example.

ENV is `prod` unless it says otherwise: an unsafe value is refused where nobody thought of it.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from secrets import token_urlsafe
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.auth.settings import AuthSettings
from app.database import PoolSettings
from app.rate_limit.settings import RateLimitSettings

SERVICE_NAME = "orders"
SECRET_MIN_LENGTH = 32


class InvalidSettings(SystemExit):
    """The process must not start: its last words list everything that is wrong."""


def split(value: object) -> object:
    """Read `a, b` as a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def networks(value: object) -> object:
    """Read `10.0.0.0/8, ::1` as networks."""
    parts = split(value)
    return [ip_network(part) for part in parts] if isinstance(parts, list) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(networks)]


class Settings(AuthSettings, RateLimitSettings, BaseSettings):
    """Everything that differs between deployments."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    env: Literal["dev", "test", "prod"] = "prod"
    # Signs cursors. A random one lasts as long as the process: enough for one developer.
    secret_key: SecretStr = Field(default_factory=lambda: SecretStr(token_urlsafe(32)))
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    database_url: SecretStr = SecretStr("")
    database_pool_min: Annotated[int, Field(ge=0)] = 2
    database_pool_max: Annotated[int, Field(ge=1)] = 20
    database_pool_timeout_s: Annotated[float, Field(gt=0)] = 3.0
    database_statement_timeout_ms: Annotated[int, Field(gt=0)] = 5000
    database_lock_timeout_ms: Annotated[int, Field(gt=0)] = 2000
    database_idle_in_transaction_timeout_ms: Annotated[int, Field(gt=0)] = 10_000
    database_pooler: bool = False

    max_body_bytes: Annotated[int, Field(gt=0)] = 1_048_576
    cors_origins: Words = ()
    trusted_proxies: Networks = ()
    metrics_token: SecretStr | None = None
    otel_exporter_otlp_endpoint: str | None = None

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises `InvalidSettings` with all that is wrong, never a value."""
        try:
            return cls()
        except ValidationError as error:
            raise InvalidSettings(describe(error)) from None

    @property
    def pool(self) -> PoolSettings:
        """The database settings as the pool takes them."""
        return PoolSettings(
            url=self.database_url,
            min_size=self.database_pool_min,
            max_size=self.database_pool_max,
            acquire_timeout=self.database_pool_timeout_s,
            statement_timeout_ms=self.database_statement_timeout_ms,
            lock_timeout_ms=self.database_lock_timeout_ms,
            idle_in_transaction_timeout_ms=self.database_idle_in_transaction_timeout_ms,
            behind_pooler=self.database_pooler,
        )

    @model_validator(mode="after")
    def refuse(self) -> Self:
        """Refuse what does not go together and what is unsafe in production, all at once."""
        wrong = []
        if not self.database_url.get_secret_value():
            wrong.append("DATABASE_URL: is missing (scripts/run brings its own PostgreSQL)")
        if self.database_pool_min > self.database_pool_max:
            wrong.append("DATABASE_POOL_MIN: is above DATABASE_POOL_MAX")
        if self.env == "prod":
            wrong += self.unsafe()
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def unsafe(self) -> list[str]:
        """Return what production refuses, as `NAME: what is wrong with it`."""
        wrong = []
        if "secret_key" not in self.model_fields_set:
            wrong.append("SECRET_KEY: is missing (openssl rand -base64 32)")
        elif len(self.secret_key.get_secret_value()) < SECRET_MIN_LENGTH:
            wrong.append(f"SECRET_KEY: is shorter than {SECRET_MIN_LENGTH} characters")
        if "*" in self.cors_origins:
            wrong.append("CORS_ORIGINS: name the origins instead of *")
        wrong += AuthSettings.unsafe_in_production(self)
        return wrong


def describe(error: ValidationError) -> str:
    """Return one line for each wrong variable, without the values: they may be secrets."""
    lines = ["The settings are not usable:"]
    for item in error.errors(include_input=False, include_url=False):
        if item["loc"]:
            lines.append(f"{str(item['loc'][0]).upper()}: {item['msg']}")
        else:
            lines += str(item["ctx"]["error"]).splitlines()
    return "\n  ".join(lines)
