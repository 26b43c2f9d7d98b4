"""The checked-in trees are what the tool writes, and what it writes is clean by every measure that we have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, UNBOUNDED, Run

from backendgen import scaffold
from backendgen.spec.load import load

EXAMPLES = [ROOT / "examples" / name for name in ("minimal", "orders")]
SERVICE_PYTHON = ROOT / ".venv-service" / "bin" / "python"
LITTER = {"__pycache__", ".venv", ".dev", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".coverage"}
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not LITTER & set(path.relative_to(folder).parts) and path.suffix != ".egg-info"
    }


def service_tool(example: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the service's environment inside the generated service."""
    return subprocess.run(
        [SERVICE_PYTHON, "-m", *arguments],
        cwd=example / "service", capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


@each_example
def test_the_tree_is_what_the_tool_writes(example: Path) -> None:
    planned = {file.path: file.content for file in scaffold.plan(load(example / "spec.yaml"))}
    found = tree(example / "service")
    different = sorted(path for path in {*planned, *found} if planned.get(path) != found.get(path))
    assert different == [], "run scripts/snapshots and look at the difference"


@each_example
def test_run_bits(example: Path) -> None:
    for file in scaffold.plan(load(example / "spec.yaml")):
        assert os.access(example / "service" / file.path, os.X_OK) == file.executable, file.path


@each_example
@pytest.mark.parametrize(
    "arguments", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)], ids=" ".join
)
def test_ruff_and_mypy_accept_it(example: Path, arguments: tuple[str, ...]) -> None:
    done = service_tool(example, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@each_example
def test_its_own_tests_pass(example: Path) -> None:
    done = subprocess.run(
        [example / "service" / "scripts" / "test"],
        env={**os.environ, "VENV": str(ROOT / ".venv-service"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@each_example
@pytest.mark.parametrize("command", ["audit", "migrate-check"])
def test_our_own_commands_find_nothing_and_ignore_nothing(backendgen: Run, example: Path, command: str) -> None:
    done = backendgen(
        command,
        example / "service",
        "--confidence",
        "low",
        *(UNBOUNDED if command == "audit" else ()),
        "--format",
        "json",
    )
    report = json.loads(done.stdout)
    assert (report["findings"], report["ignored"], report["skipped"], report["failures"]) == ([], [], [], [])
    assert done.returncode == 0 and report["files"] > 0


@each_example
def test_bandit_finds_nothing_that_the_docs_do_not_explain(example: Path) -> None:
    """Of the service's own code; its tests assert and its `dev` package starts PostgreSQL, which is what they are for."""
    command = [sys.executable, "-m", "bandit", "-q", "-r", "app", "migrations", "-f", "json"]
    done = subprocess.run(command, cwd=example / "service", capture_output=True, text=True, check=False)
    found = {(one["test_id"], one["filename"], one["line_number"]) for one in json.loads(done.stdout)["results"]}
    assert found == set()


@each_example
def test_squawk_finds_no_danger_in_the_migrations(example: Path) -> None:
    """Hygiene rules are off: prefer-robust-stmts, timeouts (env.py sets them) and taste in types (the DDL is the user's)."""
    off = "prefer-robust-stmts require-timeout-settings require-lock-timeout require-statement-timeout"
    off += " prefer-text-field prefer-bigint-over-int prefer-big-int prefer-identity prefer-timestamp-tz"
    files = sorted((example / "service" / "migrations" / "sql").glob("*.up.sql"))
    squawk = Path(sys.executable).parent / "squawk"
    command = [squawk, "--reporter", "Json", "--assume-in-transaction", "--exclude", off.replace(" ", ","), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [(one["file"], one["line"], one["rule_name"]) for one in json.loads(done.stdout or "[]")] == []


def test_the_wheel_carries_cards_and_templates() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert build["force-include"] == {"rules": "backendgen/data/rules", "templates": "backendgen/data/templates"}
