"""scripts/demo, from start to end: slow, because it generates, migrates, serves and stops a whole service."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


def servers() -> set[str]:
    """The command lines of PostgreSQL and uvicorn processes that belong to the demo."""
    found = set()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if ".demo/orders" in command:
            found.add(command)
    return found


def test_the_demo_shows_everything_and_stops_everything(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"}
    done = subprocess.run(
        [ROOT / "scripts" / "demo"], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for line in (
        "  201",
        "  403",
        "  404",
        "  409",
        "  412",
        "  422",
        "  429  Retry-After: ",
        "Idempotency-Replayed: true",
    ):
        assert line in done.stdout
    assert done.stdout.count("no findings; ") == 2
    assert done.stdout.endswith("The service and its PostgreSQL have stopped.\n")
    assert servers() == set()


def test_keep_leaves_it_running_and_says_how_to_stop_it(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"}
    command = [ROOT / "scripts" / "demo", "--keep"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    stop = done.stdout.split("stop     ")[1].strip()
    assert servers()
    subprocess.run(["bash", "-c", stop], check=True)
    deadline = time.monotonic() + 20
    while servers() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert servers() == set()
