"""Counts in a real Redis: shared by processes, and what happens without it."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from app.rate_limit.memory import MemoryStore
from app.rate_limit.shared import RedisStore
from app.rate_limit.window import Count, Rate
from tests.conftest import Serve

SERVER = shutil.which("redis-server")
needs_redis = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


@contextmanager
def redis(folder: Path, port: int) -> Iterator[str]:
    """Run a Redis that keeps nothing."""
    command = [str(SERVER), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(
        [*command, "--dir", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis(tmp_path_factory.mktemp("redis"), free_port()) as url:
        yield url


def statuses(*servers: str) -> list[int]:
    return [httpx2.get(f"{server}/nowhere", timeout=10).status_code for server in servers]


@needs_redis
def test_two_processes_share_a_limit(serve: Serve, url: str) -> None:
    shared = {
        "RATE_LIMIT_REDIS_URL": url,
        "RATE_LIMIT_IP": "3/minute",
        "RATE_LIMIT_PREFIX": "shared",
    }
    with serve(**shared) as first, serve(**shared) as second:
        assert statuses(first, second, first, second, first) == [404, 404, 404, 429, 429]


@needs_redis
def test_redis_url_is_understood_too(serve: Serve, url: str) -> None:
    shared = {"REDIS_URL": url, "RATE_LIMIT_IP": "1/minute", "RATE_LIMIT_PREFIX": "alias"}
    with serve(**shared) as first, serve(**shared) as second:
        assert statuses(first, second) == [404, 429]


def test_without_redis_each_process_counts_for_itself(serve: Serve) -> None:
    with serve(RATE_LIMIT_IP="1/minute") as first, serve(RATE_LIMIT_IP="1/minute") as second:
        assert statuses(first, second, first, second) == [404, 404, 429, 429]


@needs_redis
def test_an_outage_of_redis_is_no_outage_of_the_service(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    redis_url = f"redis://127.0.0.1:{port}"
    with serve(RATE_LIMIT_REDIS_URL=redis_url, RATE_LIMIT_IP="2/minute") as server:
        with redis(tmp_path, port):
            assert statuses(server) == [404]
        # It still limits: from zero, for this process alone.
        assert statuses(server, server, server) == [404, 404, 429]


@needs_redis
def test_redis_counts_as_memory_does(url: str) -> None:
    async def compare() -> None:
        store, memory = RedisStore(url, "compare"), MemoryStore()
        rate = Rate(5, 3600)
        try:
            for _ in range(7):
                hits = [("a", rate), ("b", Rate(2, 3600))]
                assert outcome(await store.hit(hits)) == outcome(memory.hit(hits))
        finally:
            await store.close()

    asyncio.run(compare())


def outcome(counts: list[Count]) -> list[tuple[bool, int]]:
    return [(count.allowed, count.previous + count.current) for count in counts]


@needs_redis
def test_a_burst_is_counted_exactly(url: str) -> None:
    async def burst() -> None:
        store = RedisStore(url, "burst")
        rate = Rate(100, 3600)
        try:
            counts = await asyncio.gather(*(store.hit([("k", rate)]) for _ in range(1000)))
        finally:
            await store.close()
        assert sum(count.allowed for [count] in counts) == 100

    asyncio.run(burst())


@needs_redis
def test_windows_pass_and_leave_nothing_behind(url: str) -> None:
    async def wait() -> None:
        store, rate = RedisStore(url, "pass"), Rate(4, 1)
        try:
            while (await store.hit([("k", rate)]))[0].allowed:
                pass
            await asyncio.sleep(1.0)
            [later] = await store.hit([("k", rate)])
            assert later.previous > 0 or later.allowed
            await asyncio.sleep(2.1)
            assert await store._redis.exists("pass:k") == 0
            [fresh] = await store.hit([("k", rate)])
            assert (fresh.allowed, fresh.previous, fresh.current) == (True, 0, 1)
        finally:
            await store.close()

    asyncio.run(wait())
