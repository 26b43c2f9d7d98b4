"""The laws of the house that no linter holds: who may print, write and exit."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "backendgen"
MODULES = sorted(SOURCE.rglob("*.py"))
WRITERS = {
    "write_text",
    "write_bytes",
    "mkdir",
    "unlink",
    "rename",
    "replace",
    "rmtree",
    "chmod",
    "touch",
    "symlink_to",
}


def test_the_import_contracts_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_cli_prints_or_exits_and_only_files_writes(path: Path) -> None:
    if path.parent.name == "cli" or path.name == "__main__.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if path.name != "workers.py":  # its copies of the process end without an end
            assert called not in ("os.fork", "os._exit"), f"{path}:{node.lineno}"
        assert called not in ("print", "exit", "quit", "sys.exit"), f"{path}:{node.lineno}"
        if path.name == "files.py":
            continue
        attribute = called.rpartition(".")[2]
        on_path = attribute in WRITERS - {"replace"} or (
            attribute == "replace" and called.startswith(("Path", "path."))
        )
        assert not on_path, f"{path}:{node.lineno} writes: {called}"
        writes = attribute == "open" and any(
            isinstance(argument, ast.Constant) and re.search("[wax+]", str(argument.value))
            for argument in node.args[-1:]
        )
        assert not writes, f"{path}:{node.lineno} opens for writing"


PROBES = {"exists", "is_file", "is_dir", "is_symlink", "iterdir", "glob", "rglob", "read_text", "read_bytes", "lstat"}
WALKS = {"os.walk", "os.listdir", "os.scandir", "os.stat", "os.lstat", "os.path.realpath", "open"}
# What writes, or runs programs, is never remembered; the audit is not yet.
UNWATCHED = ("audit", "scaffold", "spec", "migrate/plan", "migrate/rewrite", "migrate/trace")
GATEWAYS = (
    "files.py",
    "witness.py",
    "cache.py",
    "resources.py",
    "process.py",
    "workers.py",
    "cli/output.py",
    "cli/new.py",
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_files_asks_the_file_system_so_that_all_is_witnessed(path: Path) -> None:
    name = path.relative_to(SOURCE).as_posix()
    if name.startswith(UNWATCHED) or name in GATEWAYS:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            receiver, _, attribute = ast.unparse(node.func).rpartition(".")
            through = receiver in ("files", "on_disk", "")
            assert through or attribute not in PROBES, f"{path}:{node.lineno} asks by itself: {ast.unparse(node.func)}"
            assert ast.unparse(node.func) not in WALKS, f"{path}:{node.lineno} asks by itself: {ast.unparse(node.func)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_code_is_written_by_what_never_raises(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "ast.unparse(" not in text or path.name == "nodes.py", f"{path}: use backendgen.code.nodes.unparse"


def test_the_version_is_in_the_changelog() -> None:
    from backendgen import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(
        rf"^## {re.escape(__version__)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
