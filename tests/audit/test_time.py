"""The time that rules may take: by its ratio to reading and parsing the same project, so that no machine matters."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from backendgen.audit.checks import check
from backendgen.audit.registry import Context
from backendgen.findings.finding import Hit

ROOT = Path(__file__).parents[2]
A_RULE = 0.75  # of the time to read and parse; the slowest takes a third
ALL = 12.0  # the whole run; it takes 4 to 9
HINT = "it looks through all files by itself: let it ask the index, and for a word before it looks"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_speed", ROOT / "benchmarks" / "audit_speed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit_speed"] = module
    spec.loader.exec_module(module)
    return module


def ratios(benchmark: ModuleType) -> dict[str, float]:
    """Each phase's and rule's time beside that of parsing: the least of a few runs, for others use the machine too."""
    runs = [benchmark.phases(ROOT / "examples") for _ in range(3)]
    parse = min(run[benchmark.PARSE] for run in runs)
    return {name: min(run[name] for run in runs) / parse for name in runs[0]}


def slow(found: dict[str, float]) -> dict[str, float]:
    return {name: round(ratio, 2) for name, ratio in found.items() if name.startswith("BG") and ratio > A_RULE}


def test_no_rule_takes_long_beside_parsing(benchmark: ModuleType) -> None:
    found = ratios(benchmark)
    assert slow(found) == {}, HINT
    assert sum(found.values()) < ALL


def test_a_rule_that_takes_long_is_named(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def searching(context: Context) -> Iterator[Hit]:
        for _ in range(8):
            for file in context.project.files:
                list(ast.walk(file.tree))
        yield from ()

    monkeypatch.setitem(check.functions, "BG201", searching)
    assert list(slow(ratios(benchmark))) == ["BG201"]
