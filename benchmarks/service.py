"""What a request costs in the generated orders service, beside a bare ASGI + asyncpg application in the same run.

usage: .venv-service/bin/python benchmarks/service.py [SERVICE-DIRECTORY] [--requests N] [--rounds N]

Each server is one uvicorn process on the same embedded PostgreSQL with the same rows. The generated one runs with
authentication, rate limits, metrics and logging on. Rounds alternate between the two, so that a noisy machine disturbs
both; CPU is the server process's own (user + system).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CONNECTIONS = 10
TICKS = os.sysconf("SC_CLK_TCK")
ASYNCPG = {"host": "host", "port": "port", "user": "user", "password": "password", "database": "dbname"}
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cost:
    """Of one round: server CPU in microseconds a request, and requests a second."""

    cpu: float
    rate: float


@contextmanager
def serving(arguments: list[str], cwd: Path, environment: dict[str, str], probe: str) -> Iterator[tuple[int, int]]:
    """Run uvicorn and yield (port, pid) once `probe` answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        *arguments,
        "--port",
        str(port),
        "--no-access-log",
        "--no-proxy-headers",
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            time.sleep(0.1)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{probe}", timeout=2).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit("a server did not start")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def load(port: int, path: str, token: str, requests: int) -> None:
    """Send requests over keep-alive connections, each as soon as the last was answered."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def one(count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(count):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                sys.exit(f"{path}: {head.decode()}")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(one(requests // CONNECTIONS) for _ in range(CONNECTIONS)))


def measured(port: int, pid: int, path: str, token: str, requests: int) -> Cost:
    """Run one round."""
    cpu, start = cpu_seconds(pid), time.perf_counter()
    asyncio.run(load(port, path, token, requests))
    seconds = time.perf_counter() - start
    return Cost((cpu_seconds(pid) - cpu) / requests * 1e6, requests / seconds)


def post(url: str, body: dict[str, str]) -> dict[str, str]:
    """Send JSON and return the JSON answer."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        answer: dict[str, str] = json.load(response)
        return answer


def arguments(address: str) -> str:
    """Return a libpq address as asyncpg's arguments, in JSON."""
    from psycopg.conninfo import conninfo_to_dict

    given = conninfo_to_dict(address)
    return json.dumps({name: given[key] for name, key in ASYNCPG.items() if given.get(key)})


def seed(owner: str, email: str) -> str:
    """Give the user a customer with 40 orders; return one order's id."""
    import psycopg

    with psycopg.connect(owner, autocommit=True) as connection:
        user = connection.execute("SELECT id FROM users WHERE email = %s", [email]).fetchone()
        assert user
        customer = connection.execute(
            "INSERT INTO customers (user_id, email) VALUES (%s, %s) RETURNING id", [user[0], email]
        ).fetchone()
        assert customer
        rows = connection.execute(
            "INSERT INTO orders (customer_id, created_at)"
            " SELECT %s, now() - n * interval '1 minute' FROM generate_series(1, 40) n RETURNING id",
            [customer[0]],
        ).fetchall()
        connection.execute("ANALYZE")
        return str(rows[0][0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("service", nargs="?", type=Path, default=HERE.parent / "examples/orders/service")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    service: Path = options.service.resolve()
    sys.path.insert(0, str(service))
    from dev import migrate, postgres

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        access = postgres.provision(stack.enter_context(postgres.running(folder / "pg")), "orders")
        migrate.upgrade(access.owner)
        far = "100000000/minute"
        environment = {
            "ENV": "dev", "DATABASE_URL": access.app, "SECRET_KEY": "x" * 40, "LOG_LEVEL": "info",
            "DATABASE_POOL_MIN": "10", "DATABASE_POOL_MAX": "10",
            "RATE_LIMIT_IP": far, "RATE_LIMIT_USER": far, "RATE_LIMIT_LOGIN": far,
        }  # fmt: skip
        floor = stack.enter_context(serving(["floor:app"], HERE, {"DATABASE": arguments(access.app)}, "/orders"))
        ours = stack.enter_context(serving(["app.main:create_app", "--factory"], service, environment, "/ready"))
        account = {"email": "bench@example.com", "password": PASSWORD}
        post(f"http://127.0.0.1:{ours[0]}/auth/register", account)
        token = post(f"http://127.0.0.1:{ours[0]}/auth/login", account)["access_token"]
        order = seed(access.owner, account["email"])
        print(f"{'':14}{'generated':>22}{'bare ASGI + asyncpg':>24}{'ratio':>8}")
        for title, path in (("GET one row", f"/orders/{order}"), ("GET list of 20", "/orders?limit=20")):
            for port, pid in (floor, ours):
                measured(port, pid, path, token, options.requests // 4)
            rounds = [
                tuple(measured(port, pid, path, token, options.requests) for port, pid in (ours, floor))
                for _ in range(options.rounds)
            ]
            mine, bare = (statistics.median(costs[side].cpu for costs in rounds) for side in (0, 1))
            rates = [statistics.median(costs[side].rate for costs in rounds) for side in (0, 1)]
            print(
                f"{title:14}{mine:>9.0f} us {rates[0]:>6.0f}/s {bare:>13.0f} us {rates[1]:>6.0f}/s {bare / mine:>7.2f}"
            )
        print("ratio: the floor's CPU over ours (1.00 would be as cheap as the floor)")


if __name__ == "__main__":
    main()
