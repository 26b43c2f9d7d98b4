"""The specs that the tests of the scaffold plan."""

from __future__ import annotations

from pathlib import Path

from backendgen.files import File
from backendgen.scaffold import plan
from backendgen.spec.load import load
from backendgen.spec.model import Spec

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
SPECS = {
    "orders": EXAMPLES / "orders" / "spec.yaml",
    "minimal": EXAMPLES / "minimal" / "spec.yaml",
    "off": HERE / "off.yaml",
    "odd": HERE / "odd.yaml",
}


def spec(name: str) -> Spec:
    return load(SPECS[name])


def tree(name: str) -> dict[str, File]:
    return {file.path: file for file in plan(spec(name))}
