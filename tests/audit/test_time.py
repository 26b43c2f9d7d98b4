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


FASTAPI = """
from fastapi import APIRouter, Depends, HTTPException
import requests
from sqlalchemy import select
from .models import Item{n}
router = APIRouter(prefix="/items{n}")

def current(token: str):
    if not token:
        raise HTTPException(401)
    return token

@router.get("/")
def rows(limit: int, session=Depends(), user=Depends(current)):
    print(limit)
    return session.scalars(select(Item{n}).limit(limit)).all()

@router.post("/{{key}}")
def change(key: int, body: dict, session=Depends()):
    item = session.get(Item{n}, key)
    requests.post("http://other/", json=body)
    session.execute(f"UPDATE item{n} SET name = '{{body['name']}}'")
    return item
"""
MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
class Item{n}(Base):
    __tablename__ = "item{n}"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    name: Mapped[str]
"""
FLASK = """
import hashlib, os, sqlite3, subprocess
from flask import Blueprint, abort, jsonify, redirect, request
site = Blueprint("site{n}", __name__, url_prefix="/site{n}")
password = os.environ["PASSWORD"]

@site.before_request
def known():
    if not request.headers.get("X-Key"):
        abort(403)

@site.route("/<name>", methods=["GET", "POST"])
def page(name):
    cursor = sqlite3.connect("a").cursor()
    cursor.execute("SELECT * FROM pages WHERE name = '%s'" % name)
    subprocess.run("ls " + name, shell=True)
    return jsonify([hashlib.md5(name.encode()).hexdigest(), *cursor.fetchall()])
"""
DJANGO = """
from django.contrib.auth.decorators import login_required
from django.db import models
from django.http import JsonResponse
from django.urls import path
from rest_framework import serializers, viewsets

class Order{n}(models.Model):
    owner = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    name = models.CharField(max_length=20)

class Serializer{n}(serializers.ModelSerializer):
    class Meta:
        model = Order{n}
        fields = "__all__"

class Orders{n}(viewsets.ModelViewSet):
    queryset = Order{n}.objects.all()
    serializer_class = Serializer{n}

@login_required
def order(request, key):
    found = Order{n}.objects.get(pk=key)
    return JsonResponse({{"name": found.name, "all": [one.owner.name for one in Order{n}.objects.all()]}})

urlpatterns = [path("orders{n}/<int:key>/", order), path("more{n}/", Orders{n}.as_view({{"get": "list"}}))]
"""
SERVERS = """
from aiohttp import web
async def hello{n}(request):
    try:
        body = await request.json()
    except Exception:
        pass
    return web.json_response({{"a": body["a"]}})
app = web.Application()
app.router.add_post("/hello{n}", hello{n})
"""
SHAPES = {"api{n}/routes.py": FASTAPI, "api{n}/models.py": MODELS, "api{n}/__init__.py": "", "site{n}/views.py": FLASK,
          "orders{n}/urls.py": DJANGO, "servers/s{n}.py": SERVERS}  # fmt: skip
GREW = 5  # times as large
FLOOR = 0.05  # seconds of CPU: below, a machine that is used by others tells nothing


def synthetic(folder: Path, size: int) -> Path:
    """A project of so many parts of each framework; what includes them all is written too."""
    for number in range(size):
        for name, text in SHAPES.items():
            path = folder / name.format(n=number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(n=number))
    (folder / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n"
        + "".join(f"from api{each}.routes import router\napp.include_router(router)\n" for each in range(size))
    )
    (folder / "wsgi.py").write_text(
        "from flask import Flask\napp = Flask(__name__)\n"
        + "".join(f"from site{each}.views import site\napp.register_blueprint(site)\n" for each in range(size))
    )
    return folder


def faster_than_the_project(benchmark: ModuleType, folder: Path) -> dict[str, float]:
    """What takes more than twice its part of the time when a project is some times as large, and how many times more."""
    small, large = (
        [benchmark.phases(synthetic(folder / str(size), size)) for _ in range(2)] for size in (12, 12 * GREW)
    )
    before, after = ({name: min(run[name] for run in runs) for name in runs[0]} for runs in (small, large))
    return {
        name: round(seconds / before[name], 1)
        for name, seconds in after.items()
        if seconds > FLOOR and seconds > 2.2 * GREW * before[name]
    }


def test_time_grows_no_faster_than_the_project(benchmark: ModuleType, tmp_path: Path) -> None:
    assert faster_than_the_project(benchmark, tmp_path) == {}, HINT


def test_a_rule_that_takes_the_square_is_named(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quadratic(context: Context) -> Iterator[Hit]:
        for one in context.project.files:
            for other in context.project.files:
                for _ in range(4):
                    assert one.text.count("zz") == other.text.count("zz")
        yield from ()

    monkeypatch.setitem(check.functions, "BG201", quadratic)
    assert list(faster_than_the_project(benchmark, tmp_path)) == ["BG201"]


def test_a_rule_that_takes_long_is_named(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def searching(context: Context) -> Iterator[Hit]:
        for _ in range(8):
            for file in context.project.files:
                list(ast.walk(file.tree))
        yield from ()

    monkeypatch.setitem(check.functions, "BG201", searching)
    assert list(slow(ratios(benchmark))) == ["BG201"]
