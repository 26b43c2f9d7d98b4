"""What several test modules share: running the command line as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Hygiene that is shown with --confidence low only: contracts do not bound each text, number and list, nor say which websites
# may read answers; a service has no lock file before its owner has resolved one.
UNBOUNDED = [f"--ignore={rule}" for rule in ("BG430", "BG607", "BG608", "BG609", "BG610", "BG614")]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing that a test runs is remembered beyond the tests."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@pytest.fixture
def backendgen(tmp_path: Path) -> Run:
    """Run `backendgen ARGUMENTS` in an empty directory and return exit code and outputs, without colour."""

    def run(
        *arguments: str | Path, cwd: Path = tmp_path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "backendgen", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
