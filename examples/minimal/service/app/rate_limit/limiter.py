"""The limits of a request, one after the other: its address, then its user, login or operation.

While Redis does not answer, each process counts for itself: neither does an outage of Redis become
an outage of the service, nor does it open the door to guessing passwords.
"""

import hashlib
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from time import monotonic
from typing import Any, Final
from uuid import UUID

import structlog
from redis import RedisError

from app.client_address import Network, client_address
from app.problems import Problem
from app.rate_limit.memory import MemoryStore
from app.rate_limit.settings import RateLimitSettings
from app.rate_limit.shared import RedisStore
from app.rate_limit.window import Count, Limit, Rate, Verdict, verdict

RETRY_AFTER_S: Final = 5.0  # how long Redis is left alone after it failed
VERDICTS: Final = "rate_limit.verdicts"  # where a request's scope keeps what its limits said

Scope = MutableMapping[str, Any]
log = structlog.get_logger("app.rate_limit")


class Limiter:
    """Counts requests, and refuses those over a limit with a 429 `Problem`."""

    def __init__(self, settings: RateLimitSettings, trusted_proxies: Sequence[Network]) -> None:
        """Count in Redis when its URL is set, else in memory."""
        self._trusted_proxies = trusted_proxies
        self._local = MemoryStore()
        url = settings.rate_limit_redis_url
        prefix = settings.rate_limit_prefix
        self._shared = RedisStore(url.get_secret_value(), prefix) if url else None
        self._retry_at = 0.0
        self._ip = Limit("ip", settings.rate_limit_ip)
        self._user = Limit("user", settings.rate_limit_user)
        self._login = Limit("login", settings.rate_limit_login)
        self._account = Limit("login-account", settings.rate_limit_login)
        self._operations = {
            name: Limit(name, rate) for name, rate in settings.rate_limit_operations.items()
        }

    async def ip(self, scope: Scope) -> None:
        """Count the request against its address. Raises a 429 `Problem`."""
        await self._admit(scope, [(self._ip, self._address(scope))])

    async def user(self, scope: Scope, user_id: UUID) -> None:
        """Count the request against its user. Raises a 429 `Problem`."""
        await self._admit(scope, [(self._user, str(user_id))])

    async def login(self, scope: Scope, email: str) -> None:
        """Count an attempt against its address and its account. Raises a 429 `Problem`."""
        # The store needs no list of who has an account here.
        account = hashlib.sha256(email.encode()).hexdigest()
        await self._admit(scope, [(self._login, self._address(scope)), (self._account, account)])

    async def operation(self, scope: Scope, name: str, user_id: UUID | None = None) -> None:
        """Count a call of the operation, by its user or else its address. Raises a 429 `Problem`.

        An operation without a limit of its own is not counted.
        """
        limit = self._operations.get(name)
        if limit is not None:
            caller = str(user_id) if user_id else self._address(scope)
            await self._admit(scope, [(limit, caller)])

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await self._shared.close()

    async def _admit(self, scope: Scope, hits: Sequence[tuple[Limit, str]]) -> None:
        counts = await self._count([(f"{limit.name}:{who}", limit.rate) for limit, who in hits])
        verdicts = [verdict(limit, count) for (limit, _), count in zip(hits, counts, strict=True)]
        scope.setdefault(VERDICTS, []).extend(verdicts)
        if not all(each.allowed for each in verdicts):
            raise _too_many(verdicts)

    async def _count(self, hits: Sequence[tuple[str, Rate]]) -> list[Count]:
        if self._shared is not None and monotonic() >= self._retry_at:
            try:
                return await self._shared.hit(hits)
            except (RedisError, OSError) as error:
                self._retry_at = monotonic() + RETRY_AFTER_S
                log.warning("counting in memory: redis failed", error=type(error).__name__)
        return self._local.hit(hits)

    def _address(self, scope: Scope) -> str:
        return _subscriber(client_address(scope, self._trusted_proxies))


@lru_cache(maxsize=4096)
def _subscriber(address: str) -> str:
    """Return the address or, for IPv6, its /64: a subscriber has 2^64 addresses to pick from."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address.partition("%")[0])
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))


def _too_many(verdicts: Sequence[Verdict]) -> Problem:
    seconds = max(each.reset for each in verdicts if not each.allowed)
    return Problem(
        429,
        f"Too many requests: try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )
