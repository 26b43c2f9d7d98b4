"""Two specs that ask for everything at once: what is accepted becomes a service that is sound by every measure."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, UNBOUNDED

from backendgen.files import write_tree
from backendgen.scaffold import plan
from backendgen.spec.load import load

SPECS = sorted((Path(__file__).parent / "matrix").glob("*.yaml"))
PYTHON = ROOT / ".venv-service" / "bin" / "python"


@pytest.fixture(scope="module", params=SPECS, ids=lambda path: path.stem)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp(request.param.stem) / "service"
    write_tree(folder, plan(load(request.param)))
    return folder


@pytest.mark.parametrize(
    "arguments", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join
)
def test_ruff_and_mypy_accept_it(service: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [PYTHON, "-m", *arguments], cwd=service, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# These specs ask in their DDL for what the rules advise against: short keys, char(n), json, foreign keys without an index,
# a table that refers to several others.
DDL_OF_THE_USER = "BG714,BG724,BG820,BG821,BG822"
CHOICES_OF_THE_USER = "BG605,BG611"  # keys that can be counted, no rate limits


@pytest.mark.parametrize("command", ["audit", "migrate-check"])
def test_our_own_commands_find_nothing(
    backendgen: Callable[..., subprocess.CompletedProcess[str]], service: Path, command: str
) -> None:
    hygiene = [*UNBOUNDED, f"--ignore={CHOICES_OF_THE_USER}"] if command == "audit" else [f"--ignore={DDL_OF_THE_USER}"]
    done = backendgen(command, service, "--confidence", "low", "--format", "json", *hygiene)
    report = json.loads(done.stdout)
    assert (report["findings"], report["ignored"], report["skipped"], report["failures"]) == ([], [], [], [])


@pytest.mark.slow
def test_its_own_tests_pass(service: Path) -> None:
    done = subprocess.run(
        [service / "scripts" / "test"],
        env={**os.environ, "VENV": str(ROOT / ".venv-service")},
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
