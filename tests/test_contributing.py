"""CONTRIBUTING's two recipes, walked through in a copy: each step is needed, and together they are enough."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CARD = Path("rules/migrate/BG703-index-dropped-without-concurrently.md")
CHECKS = Path("src/backendgen/migrate/checks/indexes.py")
FOLDER = Path("templates/features/rate_limits")
FEATURES = Path("src/backendgen/scaffold/features.py")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("src", "rules", "templates", "tests/test_cards.py", "tests/conftest.py", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return tmp_path


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def cards_hold(copy: Path) -> bool:
    words = "BG703 or bijection"
    return python(copy, "-m", "pytest", "tests/test_cards.py", "-k", words, "-p", "no:cacheprovider").returncode == 0


def test_the_guide_names_what_there_is() -> None:
    for path in (CARD, CHECKS, FOLDER, FEATURES, Path("scripts/snapshots"), Path("tests/test_cards.py")):
        assert str(path) in GUIDE and (ROOT / path).exists()
    for path in re.findall(r"`((?:src|rules|templates|tests|scripts)/[\w/.-]+)`", GUIDE):
        assert (ROOT / path).exists(), path


def test_a_rule_is_one_card_and_one_function(copy: Path) -> None:
    card, checks = (copy / CARD).read_text(), (copy / CHECKS).read_text()
    function = next(
        node
        for node in ast.walk(ast.parse(checks))
        if isinstance(node, ast.FunctionDef) and any("BG703" in ast.unparse(one) for one in node.decorator_list)
    )
    lines = checks.splitlines(keepends=True)
    without = "".join(lines[: function.decorator_list[0].lineno - 1] + lines[function.end_lineno :])

    (copy / CHECKS).write_text(without)
    assert not cards_hold(copy), "a card without its function"
    (copy / CARD).unlink()
    (copy / CHECKS).write_text(checks)
    assert not cards_hold(copy), "a function without its card"
    (copy / CARD).write_text(card)
    assert cards_hold(copy)


def test_a_feature_is_one_folder_one_section_and_one_line(copy: Path) -> None:
    planning = (
        "from pathlib import Path; from backendgen import scaffold; from backendgen.spec.load import load_text;"
        "text = 'backendgen: 1\\nservice: {name: notes}\\n"
        "schema: |\\n  CREATE TABLE notes (id uuid PRIMARY KEY, title text);\\n"
        "api: {resources: {notes: {}}}\\nrate_limits: LIMITS\\n';"
        "files = scaffold.plan(load_text(text, Path('spec.yaml')));"
        "print(any(f.path.startswith('app/rate_limit/') for f in files))"
    )

    def has_it(limits: str = "{ip: 5/minute}") -> bool:
        done = python(copy, "-c", planning.replace("LIMITS", limits))
        assert done.returncode == 0, done.stderr
        return done.stdout == "True\n"

    assert has_it() and not has_it("off")
    text = (copy / FEATURES).read_text()
    line = next(line for line in text.splitlines(keepends=True) if 'Feature("rate_limits"' in line)
    (copy / FEATURES).write_text(text.replace(line, ""))
    assert not has_it()
    shutil.rmtree(copy / FOLDER)
    assert not has_it()
    (copy / FEATURES).write_text(text)
    shutil.copytree(ROOT / FOLDER, copy / FOLDER)
    assert has_it()
