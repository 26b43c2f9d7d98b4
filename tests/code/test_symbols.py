"""What names mean across files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from backendgen.code.project import load
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable

FILES = {
    "src/shop/__init__.py": "from .store import find as search\nfrom shop.models import *\n",
    "src/shop/store.py": "import sqlite3 as db\nfrom . import models\nfrom .deep.inner import Thing\ndef find(): ...\n",
    "src/shop/models.py": "from typing import Annotated\nclass Base: \n    def save(self): ...\nclass Order(Base): ...\n",
    "src/shop/deep/__init__.py": "",
    "src/shop/deep/inner.py": "from ..models import Order\nclass Thing(Order): ...\n",
    "src/shop/logging.py": "def find(): ...\n",
    "src/shop/loop_a.py": "from shop.loop_b import x\n",
    "src/shop/loop_b.py": "from shop.loop_a import x\n",
    "src/app.py": (
        "import logging\nimport shop.store\nimport shop.logging as own\n"
        "from shop import search, Order, store\nfrom shop.store import db, Thing\n"
        "from shop.loop_a import x\nalias = search\n"
    ),
}


@pytest.fixture
def symbols(tmp_path: Path) -> Symbols:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Symbols(load(tmp_path))


@pytest.mark.parametrize(
    ("expression", "kind", "where"),
    [
        ("search", Function, "src/shop/store.py"),
        ("alias", Function, "src/shop/store.py"),
        ("Order", Class, "src/shop/models.py"),
        ("Order.save", Function, "src/shop/models.py"),
        ("Thing.save", Function, "src/shop/models.py"),
        ("shop.store.find", Function, "src/shop/store.py"),
        ("store.models.Order", Class, "src/shop/models.py"),
        ("own.find", Function, "src/shop/logging.py"),
        ("db.connect", External, "sqlite3.connect"),
        ("logging.getLogger", External, "logging.getLogger"),
        ("len", External, "len"),
        ("unknown", type(None), ""),
    ],
)
def test_followed_across_files(symbols: Symbols, expression: str, kind: type, where: str) -> None:
    module = symbols.modules["src/app.py"]
    found = symbols.value(ast.parse(expression, mode="eval").body, module)
    assert isinstance(found, kind)
    if isinstance(found, Function | Class | Variable):
        assert found.path == where
    elif isinstance(found, External):
        assert found.name == where


def test_imports_in_circles_end(symbols: Symbols) -> None:
    found = symbols.value(ast.parse("x", mode="eval").body, symbols.modules["src/app.py"])
    assert found is None or isinstance(found, External | Module)


def test_a_class_may_have_the_name_of_its_base(tmp_path: Path) -> None:
    text = "from django.views.generic import UpdateView\nclass UpdateView(UpdateView): ...\n"
    (tmp_path / "views.py").write_text(text)
    symbols = Symbols(load(tmp_path))
    (module,) = symbols.modules.values()
    assert symbols.bases(module.classes[0]) == {"django.views.generic.UpdateView"}
