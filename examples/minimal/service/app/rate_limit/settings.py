"""Settings of the rate limits, from the environment: RATE_LIMIT_IP=60/minute."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from app.rate_limit.window import Rate

OPERATIONS: Final[Mapping[str, Rate]] = {}


def rate(value: object) -> object:
    """Read `60/minute`."""
    return Rate.parse(value) if isinstance(value, str) else value


def operations(value: object) -> object:
    """Read `orders.create=10/minute, orders.update=5/s`; those not named keep their limits."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    changed = {name.strip(): Rate.parse(text) for name, _, text in pairs}
    if unknown := sorted(changed.keys() - OPERATIONS.keys()):
        raise ValueError(f"these operations have no limit to change: {', '.join(unknown)}")
    return {**OPERATIONS, **changed}


RateText = Annotated[Rate, NoDecode, BeforeValidator(rate)]
RateTexts = Annotated[Mapping[str, Rate], NoDecode, BeforeValidator(operations)]


class RateLimitSettings(BaseSettings):
    """How many requests in which time, and where they are counted."""

    # One Redis for all processes; without it each counts for itself.
    rate_limit_redis_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("rate_limit_redis_url", "redis_url")
    )
    rate_limit_prefix: str = "notes:rate"
    rate_limit_ip: RateText = Rate(60, 60)
    rate_limit_user: RateText = Rate(600, 60)
    # Per address and per account; registrations count too.
    rate_limit_login: RateText = Rate(5, 60)
    rate_limit_operations: RateTexts = OPERATIONS
