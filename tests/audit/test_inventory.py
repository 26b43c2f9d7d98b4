"""The inventory of endpoints is the framework's own table of routes: small applications of every kind, asked themselves."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from apps import endpoints, found, report, written

ROOT = Path(__file__).parents[2]
PYTHONS = (ROOT / ".venv-service" / "bin" / "python", Path(sys.executable))

FLASK = {
    "app/__init__.py": """
import importlib
import os
from flask import Flask
from app.orders import orders
from app.views import Account, Items, register
PREFIX = os.environ.get("PREFIX", "/api").rstrip("/")
def with_version(rule): return f"/v1{rule}"
class Service(Flask):
    def __init__(self, *args, **kwargs):
        super().__init__(__name__, *args, static_folder=None, **kwargs)
        self.add_url_rule(with_version("/ping"), "ping", lambda: "pong")
def create_app(config=None):
    app = Service()
    @app.route("/")
    def index(): return ""
    app.register_blueprint(orders, url_prefix=PREFIX + "/orders")
    for path in ("/items", "/items/<int:id>"):
        app.add_url_rule(path, view_func=Items.as_view(path.strip("/")))
    app.add_url_rule("/account", view_func=Account.as_view("account"), methods=["GET", "PUT"])
    register(app, "/late/")
    if os.environ.get("DEBUG_PAGES"):
        app.add_url_rule("/debug", "debug", index)
    return app
""",
    "app/orders.py": """
from functools import wraps
from flask import Blueprint
orders = Blueprint("orders", __name__, url_prefix="/unused")
lines = Blueprint("lines", __name__, url_prefix="/<uuid:order>/lines")
orders.register_blueprint(lines)
def audited(view):
    @wraps(view)
    def inner(*args, **kwargs): return view(*args, **kwargs)
    return inner
@orders.get("")
@audited
def index(): ...
@orders.post("/")
def create(): ...
@orders.route("/<path:name>", methods=["PUT", "DELETE"])
@orders.route("/by-name/<string:name>")
def change(name): ...
@lines.patch("/<int:line>")
def line(order, line): ...
""",
    "app/views.py": """
from flask.views import MethodView, View
class Read:
    def get(self, id=None): ...
class Items(Read, MethodView):
    def post(self, id=None): ...
class Account(View):
    def dispatch_request(self): ...
def register(app, base):
    base = base.strip("/")
    def handler(path): ...
    app.add_url_rule("/" + base + "/<path:path>", endpoint=base, view_func=handler)
""",
}
STARLETTE = {
    "app/__init__.py": """
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route, Router, WebSocketRoute
async def index(request): ...
async def feed(websocket): ...
class Orders(HTTPEndpoint):
    async def get(self, request): ...
    async def post(self, request): ...
admin = Router([Route("/users/{id:int}", index, methods=["DELETE"])])
inner = Starlette(routes=[Route("/inside", index)])
routes = [
    Route("/", index),
    Route("/orders", Orders),
    WebSocketRoute("/feed", feed),
    Mount("/v1", routes=[Route("/a/{rest:path}", index, methods=["PUT", "PATCH"]), Mount("/admin", app=admin)]),
]
app = Starlette(routes=[*routes, Mount("/inner", app=inner)])
app.add_route("/added", index, methods=["POST"])
""",
}
FASTAPI = {
    "app/__init__.py": """
from fastapi import APIRouter, FastAPI, WebSocket
from app.server import Server
def shared():
    router = APIRouter(prefix="/shared")
    @router.get("/{name:path}")
    def read(name: str): ...
    return router
app = FastAPI()
api = APIRouter(prefix="/api")
prefixes = {"one": "/one", "two": "/two"}
for name, prefix in prefixes.items():
    api.include_router(shared(), prefix=prefix)
app.include_router(api)
app.include_router(Server("x").router, prefix="/server")
@app.websocket("/ws")
async def socket(socket: WebSocket): ...
mounted = FastAPI()
@mounted.post("/inside")
def inside(): ...
app.mount("/mounted", mounted)
""",
    "app/server.py": """
from fastapi import APIRouter
class Server:
    def __init__(self, name):
        self.router = APIRouter()
        self._add("/status", self.status, ["GET"])
        self._add("/stop", self.stop, ["POST", "DELETE"])
    def _add(self, path, function, methods):
        self.router.add_api_route(path, function, methods=methods)
    def status(self): ...
    def stop(self): ...
""",
}
AIOHTTP = {
    "app/__init__.py": """
from aiohttp import web
routes = web.RouteTableDef()
@routes.get("/a")
async def a(request): ...
@routes.view("/view/{id}")
class View(web.View):
    async def get(self): ...
    async def post(self): ...
class Handlers:
    async def one(self, request): ...
def setup(app):
    handlers = Handlers()
    app.router.add_delete("/b", handlers.one)
    app.router.add_route("*", "/any/{tail:.*}", handlers.one)
    app.router.add_resource(r"/n/{n:\\d+}").add_route("PUT", handlers.one)
    app.add_routes([web.post("/c", a), web.view("/d", View)])
def create():
    app = web.Application()
    app.add_routes(routes)
    setup(app)
    sub = web.Application()
    sub.router.add_patch("/x", a)
    app.add_subapp("/sub", sub)
    return app
""",
}
EXPECTED = {
    "flask": {
        ("GET", "/"), ("GET", "/v1/ping"), ("GET", "/api/orders"), ("POST", "/api/orders/"), ("PUT", "/api/orders/{name}"),
        ("DELETE", "/api/orders/{name}"), ("GET", "/api/orders/by-name/{name}"),
        ("PATCH", "/api/orders/{order}/lines/{line}"),
        ("GET", "/items"), ("POST", "/items"), ("GET", "/items/{id}"), ("POST", "/items/{id}"), ("GET", "/account"),
        ("PUT", "/account"), ("GET", "/late/{path}"),
    },
    "starlette": {
        ("GET", "/"), ("GET", "/orders"), ("POST", "/orders"), ("WEBSOCKET", "/feed"), ("PUT", "/v1/a/{rest}"),
        ("PATCH", "/v1/a/{rest}"), ("DELETE", "/v1/admin/users/{id}"), ("GET", "/inner/inside"), ("POST", "/added"),
    },
    "fastapi": {
        ("GET", "/api/one/shared/{name}"), ("GET", "/api/two/shared/{name}"), ("GET", "/server/status"),
        ("POST", "/server/stop"), ("DELETE", "/server/stop"), ("WEBSOCKET", "/ws"), ("POST", "/mounted/inside"),
    },
    "aiohttp": {
        ("GET", "/a"), ("GET", "/view/{id}"), ("POST", "/view/{id}"), ("DELETE", "/b"), ("*", "/any/{tail}"),
        ("PUT", "/n/{n}"), ("POST", "/c"), ("GET", "/d"), ("POST", "/d"), ("PATCH", "/sub/x"),
    },
}  # fmt: skip
APPS = {
    "flask": (FLASK, "app:create_app()"),
    "starlette": (STARLETTE, "app:app"),
    "fastapi": (FASTAPI, "app:app"),
    "aiohttp": (AIOHTTP, "app:create()"),
}


@pytest.fixture(scope="module")
def inventory() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inventory", ROOT / "benchmarks" / "inventory.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("framework", APPS)
def test_every_route_is_in_the_inventory(framework: str, tmp_path: Path, inventory: ModuleType) -> None:
    found = endpoints(tmp_path, APPS[framework][0])
    assert {(one.method, inventory.plain(one.path)) for one in found if not one.optional} == EXPECTED[framework]
    assert all(one.mounted for one in found)


@pytest.mark.parametrize("framework", APPS)
def test_the_framework_itself_says_the_same(framework: str, tmp_path: Path, inventory: ModuleType) -> None:
    files, app = APPS[framework]
    python = next((one for one in PYTHONS if _has(one, framework)), None)
    if python is None:
        pytest.skip(f"{framework} is in none of the environments")
    options = argparse.Namespace(app=app, python=str(python), env=[], first="", cwd=None, path=[], verbose=False)
    assert inventory.by_framework(options, written(tmp_path, files)) == EXPECTED[framework]


def _has(python: Path, framework: str) -> bool:
    command = [python, "-c", f"import {framework}"]
    return python.exists() and subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_what_a_setting_adds_is_optional(tmp_path: Path) -> None:
    assert [(one.path, one.handler.name) for one in endpoints(tmp_path, FLASK) if one.optional] == [
        ("/debug", "create_app.index")
    ]


def test_rest_extensions_of_flask(tmp_path: Path) -> None:
    files = {
        "restful.py": """
from flask import Blueprint, Flask
from flask_restful import Api, Resource
class Versioned(Api):
    def add(self, resource, *paths): self.add_resource(resource, *[f"/v2{path}" for path in paths])
app = Flask(__name__)
bp = Blueprint("bp", __name__)
api = Versioned(bp, prefix="/r")
class Orders(Resource):
    def get(self, id=None): ...
    def post(self, id=None): ...
api.add(Orders, "/orders", "/orders/<int:id>")
app.register_blueprint(bp, url_prefix="/restful")
""",
        "restx.py": """
from flask import Flask
from flask_restx import Api, Namespace, Resource
app = Flask(__name__)
api = Api(app, prefix="/x")
ns = Namespace("orders")
@ns.route("/", "/all")
class Orders(Resource):
    @ns.marshal_list_with(order)
    def get(self): ...
@api.route("/direct")
class Direct(Resource):
    def delete(self): ...
api.add_namespace(ns)
other = api.namespace("other", path="/else")
@other.route("/<id>")
class Other(Resource):
    def put(self, id): ...
""",
        "smorest.py": """
from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint
app = Flask(__name__)
api = Api(app)
blp = Blueprint("items", __name__, url_prefix="/items")
@blp.route("/<item_id>")
class Item(MethodView):
    @blp.arguments(ItemSchema, location="query")
    @blp.response(200, ItemSchema)
    def get(self, args, item_id): ...
    @blp.arguments(ItemSchema)
    def put(self, data, item_id): ...
api.register_blueprint(blp)
""",
    }
    found = endpoints(tmp_path, files)
    assert {one.name for one in found} == {
        "GET /restful/r/v2/orders", "POST /restful/r/v2/orders", "GET /restful/r/v2/orders/{id:int}",
        "POST /restful/r/v2/orders/{id:int}", "GET /x/orders/", "GET /x/orders/all", "DELETE /x/direct",
        "PUT /x/else/{id}", "GET /items/{item_id}", "PUT /items/{item_id}",
    }  # fmt: skip
    parameters = {one.name: [(each.name, each.source) for each in one.parameters] for one in found}
    assert parameters["GET /items/{item_id}"] == [("args", "query"), ("item_id", "path")]
    assert parameters["PUT /items/{item_id}"] == [("data", "body"), ("item_id", "path")]


def test_guards_of_flask_are_known_by_what_they_do(tmp_path: Path) -> None:
    text = """
from functools import wraps
from flask import Blueprint, Flask, Response, abort, g, jsonify, redirect, request, session, url_for
from flask.views import MethodView
from flask_jwt_extended import jwt_required
from flask_limiter import Limiter
from flask_login import login_required
from werkzeug.exceptions import Forbidden
app = Flask(__name__)
limiter = Limiter(app)
def signed_in(view):
    @wraps(view)
    def inner(*args, **kwargs):
        if g.user is None:
            return redirect(url_for("auth.login"))
        return view(*args, **kwargs)
    return inner
class Role:
    def __init__(self, name): self.name = name
    def __call__(self, view):
        @wraps(view)
        def inner(*args, **kwargs):
            if self.name not in g.user.roles: raise Forbidden()
            return view(*args, **kwargs)
        return inner
def role(name): return Role(name)
def by_json():
    if not g.user: return jsonify(error="sign in"), 401
def harmless(view): return view
def forged(view):
    @wraps(view)
    def inner(*args, **kwargs):
        if session["csrf"] != request.form["csrf"]: abort(403)
        return view(*args, **kwargs)
    return inner
bp = Blueprint("bp", __name__, url_prefix="/bp")
@bp.before_request
def gate():
    if not g.user: abort(401)
@bp.get("/all")
def under_a_gate(): ...
app.register_blueprint(bp)
@app.get("/redirect")
@signed_in
def a(): ...
@app.get("/role")
@role("admin")
def b(): ...
@app.get("/login")
@login_required
def c(): ...
@app.get("/jwt")
@jwt_required()
@limiter.limit("5/minute")
def d(): ...
@app.get("/maybe")
@jwt_required(optional=True)
def e(): ...
@app.get("/harmless")
@harmless
def f(): ...
@app.get("/forged")
@forged
def h(): ...
@signed_in
@app.get("/above")
def i(): ...
@app.get("/body")
def j():
    if not g.user: return Response(status=401)
@app.get("/helper")
def k(): return by_json()
class View(MethodView):
    decorators = [signed_in]
    def get(self): ...
app.add_url_rule("/view", view_func=View.as_view("view"))
app.add_url_rule("/wrapped", view_func=signed_in(f))
"""
    found = {one.path: one for one in endpoints(tmp_path, {"app.py": text})}
    guards = {
        path: [(each.name, each.scope, sorted(each.statuses)) for each in one.guards] for path, one in found.items()
    }
    assert guards == {
        "/bp/all": [("gate", "router", [401])], "/redirect": [("signed_in", "route", [302])],
        "/role": [("role", "route", [403])], "/login": [("login_required", "route", [401])],
        "/jwt": [("jwt_required", "route", [401])], "/maybe": [], "/harmless": [], "/forged": [], "/above": [],
        "/body": [("j", "body", [401])], "/helper": [("k", "body", [401])], "/view": [("signed_in", "class", [302])],
        "/wrapped": [("signed_in", "route", [302])],
    }  # fmt: skip
    assert found["/role"].roles == ("admin",)
    assert [(one.name, one.rate) for one in found["/jwt"].limits] == [("limiter.limit", "5/minute")]


def test_an_integer_of_a_path_carries_nothing(tmp_path: Path) -> None:
    text = """
import sqlite3
from flask import Flask
app = Flask(__name__)
@app.get("/<int:id>/<name>")
def read(id, name):
    cursor = sqlite3.connect("x").cursor()
    cursor.execute(f"SELECT * FROM orders WHERE id = {id}")
    cursor.execute(f"SELECT * FROM orders WHERE name = '{name}'")
"""
    assert found(report(tmp_path, {"app.py": text}, select=("BG103",))) == [("BG103", "app.py", 9)]


def test_what_runs_away_hides_no_route(tmp_path: Path) -> None:
    text = """
from flask import Flask
app = Flask(__name__)
def endless(n):
    for a in range(300):
        for b in range(300): endless(a + b)
endless(1)
text, texts = "ab", ["a"]
for n in range(300):
    text = (text + text).replace("a", text)
    texts += texts
    texts.extend([*texts, *texts])
wide = "{:>1000000000}".format("x") + "%1000000000d" % 5
numbers = list(range(10 ** 9)) + [a for a in range(300) for b in range(300) for c in range(300) for d in range(300)]
while True: endless(2)
@app.get("/after")
def after(): ...
"""
    assert [one.name for one in endpoints(tmp_path, {"app.py": text})] == ["GET /after"]


FACTORIES = {
    "app/factory.py": """
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple
from fastapi import APIRouter
class Scope(NamedTuple):
    name: str
    prefixes: tuple[str, ...]
@dataclass
class Named:
    kinds: ClassVar[tuple[str, ...]] = ()
    name: str
@dataclass
class Factory(Named):
    scope: Scope
    is_writing: bool = field(default=False)
    router: APIRouter = field(default_factory=APIRouter)
    def __post_init__(self):
        for prefix in self.scope.prefixes:
            self.reads(prefix)
            if self.is_writing:
                self.router.add_api_route(f"{prefix}/{self.name}", lambda: 0, methods=["POST"])
    def reads(self, prefix):
        @self.router.get(f"{prefix}/{self.name}")
        def read(): ...
""",
    "app/__init__.py": """
from fastapi import FastAPI
from app.factory import Factory, Scope
app = FastAPI()
app.include_router(Factory("usage", Scope("users", ("/user", "/customer"))).router, prefix="/a")
app.include_router(Factory("usage", scope=Scope(name="teams", prefixes=("/team",)), is_writing=True).router)
""",
}


def test_factories_are_given_fields_and_run_after_them(tmp_path: Path, inventory: ModuleType) -> None:
    expected = {
        ("GET", "/a/user/usage"), ("GET", "/a/customer/usage"), ("GET", "/team/usage"), ("POST", "/team/usage"),
    }  # fmt: skip
    found = endpoints(tmp_path, FACTORIES)
    assert {(one.method, one.path) for one in found if one.mounted and not one.optional} == expected
    options = argparse.Namespace(
        app="app:app", python=str(PYTHONS[0]), env=[], first="", cwd=None, path=[], verbose=False
    )
    if _has(PYTHONS[0], "fastapi"):
        assert inventory.by_framework(options, tmp_path) == expected


MOUNTED_BY_OTHERS = {
    "shop/config.py": """
class Config:
    prefix: str = ""
    admin: str = None
    @property
    def is_admin(self):
        return self.admin is not None
def config():
    shop_config = Config()
    if shop_config.is_cloud:
        shop_config.prefix, shop_config.admin = "/cloud", "shop.Admin"
    return shop_config
""",
    "shop/server.py": """
from fastapi import APIRouter, FastAPI
from shop.config import config
app = FastAPI()
router = APIRouter(prefix=config().prefix)
@router.get("/orders")
def orders(): ...
if config().is_admin:
    @router.get("/admin")
    def admin(): ...
app.include_router(router)
""",
    "shop/library.py": """
from fastapi import FastAPI
from shop.server import app as own
def mount_shop(app: FastAPI, path="/shop"):
    app.mount(path, own)
""",
}


def test_an_application_that_others_may_mount_stands_for_itself(tmp_path: Path) -> None:
    found = endpoints(tmp_path, MOUNTED_BY_OTHERS)
    assert [(one.path, one.mounted, one.optional) for one in found] == [
        ("/orders", True, False),
        ("/admin", True, True),
    ]


def test_an_application_that_takes_itself_in_is_mounted(tmp_path: Path) -> None:
    code = """
from flask import Flask
app = Flask(__name__)
app.register_blueprint(app)
@app.route("/orders")
def orders(): ...
"""
    assert [(one.path, one.mounted) for one in endpoints(tmp_path, {"shop.py": code})] == [("/orders", True)]
