"""README's console blocks are executed: each `$ command` prints what stands below it (`...` is any text)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

BLOCKS = re.findall(
    r"^```console\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
COMMANDS = [
    (command.strip(), expected)
    for block in BLOCKS
    for command, expected in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all commands, in README's order: what one writes the next may read."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(
        ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns(".venv", ".dev", "__pycache__")
    )
    return folder


def test_the_readme_shows_the_three_jobs() -> None:
    shown = " ".join(command for command, _ in COMMANDS)
    for job in ("backendgen new", "backendgen audit", "backendgen migrate-check", "backendgen explain"):
        assert job in shown


def test_console_blocks_print_what_the_readme_says(home: Path) -> None:
    environment = {
        **os.environ,
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for command, expected in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", f"{command} 2>&1"],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        pattern = re.escape(expected.rstrip()).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, done.stdout.rstrip(), re.DOTALL), f"$ {command}\n{done.stdout}"
