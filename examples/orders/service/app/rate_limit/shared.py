"""Counts in Redis, shared by all processes: one round trip for all limits of a request."""

from collections.abc import Sequence
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.rate_limit.window import Count, Rate

TIMEOUT_S: Final = 0.5  # for connecting and for an answer: one that takes longer is an outage
QUEUE_TIMEOUT_S: Final = 3.0  # for a free connection: in a burst of a thousand, most have to wait
MAX_CONNECTIONS: Final = 20

# Atomic, on the clock of Redis: the clocks of the callers may differ. See app/rate_limit/window.py.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local counts = {}
for i, key in ipairs(KEYS) do
    local requests = tonumber(ARGV[2 * i - 1])
    local width = ARGV[2 * i] * 1000000
    local index = math.floor(now / width)
    local elapsed = now - index * width
    local stored = redis.call('HMGET', key, 'index', 'previous', 'current')
    local previous, current, allowed = 0, 0, 0
    if tonumber(stored[1]) == index then
        previous, current = tonumber(stored[2]), tonumber(stored[3])
    elseif tonumber(stored[1]) == index - 1 then
        previous = tonumber(stored[3])
    end
    if previous * (1 - elapsed / width) + current + 1 <= requests then
        current, allowed = current + 1, 1
        redis.call('HSET', key, 'index', index, 'previous', previous, 'current', current)
        redis.call('PEXPIRE', key, 2 * width / 1000)
    end
    counts[i] = {allowed, previous, current, elapsed}
end
return counts
"""


class RedisStore:
    """Counts requests in Redis. Every method raises `redis.RedisError` when it does not answer."""

    def __init__(self, url: str, prefix: str) -> None:
        """Describe the connections; none is made before the first request."""
        # Blocking: a burst waits for a connection instead of failing for want of one. No retries:
        # the limiter counts in memory meanwhile.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=QUEUE_TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(SCRIPT)
        self._prefix = prefix

    async def hit(self, hits: Sequence[tuple[str, Rate]]) -> list[Count]:
        """Count one request against each key. A key that is over its rate is not counted."""
        keys = [f"{self._prefix}:{key}" for key, _ in hits]
        values = [value for _, rate in hits for value in (rate.requests, rate.seconds)]
        counts = await self._script(keys, values)
        return [
            Count(allowed == 1, previous, current, elapsed / 1_000_000)
            for allowed, previous, current, elapsed in counts
        ]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
