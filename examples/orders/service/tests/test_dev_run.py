"""scripts/run: it serves, and nothing that it started outlives it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from app.settings import SERVICE_NAME
from dev import postgres

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 30
COPIED = ("app", "dev", "migrations", "scripts", "alembic.ini", "pyproject.toml")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service in another folder, whose path is too long for a Unix socket (107 bytes)."""
    folder = tmp_path_factory.mktemp("a-rather-long-name-" + "x" * 100) / "service"
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    return folder


@pytest.fixture
def started(copy: Path) -> Iterator[subprocess.Popen[str]]:
    """scripts/run in that folder, with a PostgreSQL of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE")}
    process = subprocess.Popen(
        ["scripts/run"],
        cwd=copy,
        env=kept | {"ENV": "dev", "PORT": "0", "VENV": sys.prefix},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(TIMEOUT_S)
    assert process.stdout is not None
    process.stdout.close()


def address(process: subprocess.Popen[str]) -> str:
    """Return where it serves, once it says so."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"API +(http://\S+)", line):
            return found[1]
    raise AssertionError("it ended without serving")


def postmaster(copy: Path) -> int | None:
    """Return the id of the database's process while it is alive."""
    file = copy / ".dev" / "pg" / "postmaster.pid"
    try:
        pid = int(file.read_text().splitlines()[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return pid


def gone(copy: Path) -> bool:
    """Wait for the database's end, for a few seconds."""
    deadline = time.monotonic() + 10
    while postmaster(copy) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_serves_and_leaves_nothing(
    copy: Path, started: subprocess.Popen[str], stop: signal.Signals
) -> None:
    url = address(started)
    assert httpx2.get(f"{url}/ready").status_code == 200
    assert postmaster(copy) is not None

    started.send_signal(stop)

    assert started.wait(TIMEOUT_S) == (-stop if stop is signal.SIGKILL else 0)
    assert gone(copy)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{url}/live")


def execute(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE")}
    return subprocess.run(
        ["scripts/exec", *command],
        cwd=copy,
        env=kept | {"VENV": sys.prefix},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_command_beside_it_reaches_its_database(
    copy: Path, started: subprocess.Popen[str]
) -> None:
    address(started)
    file = copy / ".dev" / "environment.json"
    assert file.stat().st_mode & 0o777 == 0o600

    script = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL']).info.user)"
    done = execute(copy, "python", "-c", script)

    assert done.stdout == f"{SERVICE_NAME}_app\n", done.stderr
    started.terminate()
    assert started.wait(TIMEOUT_S) == 0
    assert not file.exists()


def test_a_websocket_is_an_ordinary_request(started: subprocess.Popen[str]) -> None:
    url = address(started)
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert httpx2.get(f"{url}/nowhere?password=hunter2", headers=upgrade).status_code == 404
    started.terminate()
    assert started.stdout is not None
    log = started.stdout.read()
    assert '"route":"unmatched","status":404' in log
    assert "hunter2" not in log


def test_a_command_without_a_service_is_told_so(copy: Path) -> None:
    done = execute(copy, "true")
    assert done.returncode == 1
    assert done.stderr == "The service is not running: start it with scripts/run.\n"


def test_a_command_after_a_crash_is_told_so(copy: Path, started: subprocess.Popen[str]) -> None:
    address(started)
    started.kill()
    started.wait(TIMEOUT_S)
    assert (copy / ".dev" / "environment.json").exists()
    done = execute(copy, "true")
    assert (done.returncode, done.stderr) == (
        1,
        "The service is not running: start it with scripts/run.\n",
    )
    assert gone(copy)


def test_a_server_that_was_left_behind_is_taken_over(copy: Path) -> None:
    directory = copy / ".dev" / "pg"
    keeper = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "dev.postgres", str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdout is not None
    assert keeper.stdout.readline()
    left_behind = postmaster(copy)
    keeper.kill()
    keeper.communicate()
    assert left_behind is not None
    assert postmaster(copy) == left_behind

    with postgres.running(directory) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert postmaster(copy) == left_behind
    assert gone(copy)


def test_a_database_that_was_never_finished_is_made_anew(tmp_path: Path) -> None:
    directory = tmp_path / "pg"
    directory.mkdir()
    (directory / "PG_VERSION").write_text("18\n")
    (tmp_path / "pg.unfinished").touch()

    for _ in range(2):
        with postgres.running(directory) as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["pg", "pg.lock"]


def test_production_brings_no_database_of_its_own(copy: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE")}
    environment = kept | {"ENV": "prod", "PORT": "0", "VENV": sys.prefix}
    refused = subprocess.run(
        ["scripts/run"],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert refused.returncode == 1
    assert "DATABASE_URL is missing: only ENV=dev brings its own PostgreSQL." in refused.stderr
    assert postmaster(copy) is None
