"""The built wheel, installed into an empty environment and used as a stranger uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds nothing but the wheel and what it asks for; its bin directory."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    bin_directory = folder / "venv" / "bin"
    subprocess.run(
        [bin_directory / "python", "-m", "pip", "install", "--quiet", wheel], check=True, capture_output=True
    )
    return bin_directory


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "backendgen", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=180, check=False,
        env={"PATH": os.defpath, "HOME": str(folder), "NO_COLOR": "1"},
    )  # fmt: skip


def test_the_installed_tool_does_its_jobs(installed: Path, tmp_path: Path) -> None:
    spec = (ROOT / "examples" / "minimal" / "spec.yaml").read_text(encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    written = run(installed, tmp_path, "new", "spec.yaml", "-o", "notes")
    assert written.returncode == 0, written.stderr
    audited = run(installed, tmp_path, "audit", "notes")
    assert (audited.returncode, audited.stderr) == (0, ""), audited.stdout
    checked = run(installed, tmp_path, "migrate-check", "notes")
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stdout
    explained = run(installed, tmp_path, "explain", "BG701")
    assert explained.returncode == 0 and explained.stdout.startswith("BG701 ")
    assert run(installed, tmp_path, "rules").stdout.count("\n") > 25


def test_the_installed_tool_finds_what_is_wrong(installed: Path, tmp_path: Path) -> None:
    source = "import subprocess\nfrom fastapi import FastAPI\napp = FastAPI()\n\n"
    source += (
        "@app.get('/ping')\ndef ping(host: str):\n    return subprocess.check_output('ping ' + host, shell=True)\n"
    )
    (tmp_path / "main.py").write_text(source, encoding="utf-8")
    audited = run(installed, tmp_path, "audit", ".")
    assert audited.returncode == 1 and "main.py" in audited.stdout
    (tmp_path / "0001.sql").write_text("CREATE INDEX big ON orders (id);\n", encoding="utf-8")
    checked = run(installed, tmp_path, "migrate-check", "0001.sql")
    assert checked.returncode == 1 and "CREATE INDEX CONCURRENTLY big ON orders (id)" in checked.stdout
