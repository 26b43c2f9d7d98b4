"""The access matrix: who may call what, as text, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from apps import written

from backendgen.audit.matrix import matrix
from backendgen.config import Config
from backendgen.report.table import FORMATS, blocks, width_of

FILES = {
    "app.py": """
from typing import Annotated
from fastapi import Depends, FastAPI, HTTPException
from slowapi import Limiter
app = FastAPI()
limiter = Limiter(key_func=len)
def user(): raise HTTPException(401)
def admin(who=Depends(user)):
    if who.role != "admin": raise HTTPException(403)
@app.get("/orders")
def index(who: Annotated[str, Depends(user)]) -> list[str]: ...
@app.delete("/orders/{id}", dependencies=[Depends(admin)])
def delete(id: int): ...
@app.get("/catalog")
@limiter.limit("9/minute")
def catalog(): ...
@app.post("/feedback")
def feedback(): ...
@app.post("/login")
def login(name: str): raise HTTPException(401)
""",
}


def test_the_matrix_says_who_may_call_what(tmp_path: Path) -> None:
    found = matrix(written(tmp_path, FILES), Config(public=("GET /catalog",)))
    assert found.summary == "5 endpoints, 2 guarded, 1 open on purpose, 2 open"
    rows = [" ".join(line.split()) for line in FORMATS["text"](found.table, found.summary).splitlines()]
    assert rows == [
        "Method Path Handler Access Authentication Roles Rate limit Body limit Idempotency Response model",
        "GET /catalog app.py:16 catalog open on purpose none 9/minute (route)",
        "POST /feedback app.py:18 feedback open none unknown unknown",
        "POST /login app.py:20 login open none: login (401, body) unknown unknown",
        "GET /orders app.py:11 index guarded required: user (401, parameter) list[str]",
        "DELETE /orders/{id} app.py:13 delete guarded required: admin (401/403, route) admin unknown",
        "",
        "5 endpoints, 2 guarded, 1 open on purpose, 2 open",
    ]


def test_the_matrix_for_programs(tmp_path: Path) -> None:
    found = matrix(written(tmp_path, FILES), Config(public=("/catalog",)))
    content = json.loads(FORMATS["json"](found.table, found.summary))
    assert content["summary"] == {"endpoints": 5, "guarded": 2, "open_on_purpose": 1, "open": 2}
    assert content["endpoints"][4] == {
        "method": "DELETE",
        "path": "/orders/{id}",
        "handler": "app.py:13 delete",
        "access": "guarded",
        "authentication": [
            {"name": "admin", "scope": "route", "statuses": [401, 403], "roles": ["admin"], "place": "app.py:8"}
        ],
        "sign_in": "required",
        "roles": ["admin"],
        "object_check": None,
        "lists": None,
        "rate_limit": None,
        "body_limit": "unknown",
        "idempotency": None,
        "response_model": None,
        "framework": "FastAPI",
        "notes": [],
    }


def test_the_matrix_as_markdown_escapes_what_would_be_markup(tmp_path: Path) -> None:
    files = {
        "app.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/a|b/{c_d}')\ndef e() -> int | None: ...\n"
    }
    found = matrix(written(tmp_path, files), Config())
    assert FORMATS["markdown"](found.table, found.summary) == (
        "**1 endpoint, 0 guarded, 0 open on purpose, 1 open**\n\n"
        "| Method | Path | Handler | Access | Authentication | Response model |\n| --- | --- | --- | --- | --- | --- |\n"
        "| GET | `/a\\|b/{c_d}` | app.py:4 e | open | none | int \\| None |\n"
    )


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = matrix(written(tmp_path, {**FILES, "broken.py": "def (:\n"}), Config())
    assert [(Path(hole.path).name, hole.line) for hole in found.holes] == [("broken.py", 1)]


def told(root: Path, files: dict[str, str], key: str) -> dict[str, object]:
    """What the matrix says of each endpoint under one key."""
    return {f"{one['method']} {one['path']}": one[key] for one in matrix(written(root, files), Config()).table.data}


def test_sign_in_is_required_optional_none_or_unknown(tmp_path: Path) -> None:
    fastapi = """
from fastapi import Depends, FastAPI
from fastapi.security import OAuth2PasswordBearer
from elsewhere import verified
app = FastAPI()
strict = OAuth2PasswordBearer(tokenUrl="t")
lenient = OAuth2PasswordBearer(tokenUrl="t", auto_error=False)
def somebody(token=Depends(lenient)): return token
@app.get("/required")
def a(token=Depends(strict)): ...
@app.get("/optional")
def b(who=Depends(somebody)): ...
@app.get("/none")
def c(page: int = 1): ...
@app.get("/unknown", dependencies=[Depends(verified)])
def d(): ...
"""
    expected = {f"GET /{name}": name for name in ("required", "optional", "none", "unknown")}
    assert told(tmp_path / "fastapi", {"app.py": fastapi}, "sign_in") == expected
    flask = """
from flask import Flask
from flask_jwt_extended import jwt_required
from flask_login import current_user, login_required
app = Flask(__name__)
@app.get("/required")
@login_required
def a(): ...
@app.get("/asked")
def b():
    if current_user.is_authenticated: return "you"
    return "all"
@app.get("/jwt")
@jwt_required(optional=True)
def c(): ...
@app.get("/none")
def d(): return "all"
"""
    assert told(tmp_path / "flask", {"app.py": flask}, "sign_in") == {
        "GET /required": "required",
        "GET /asked": "optional",
        "GET /jwt": "optional",
        "GET /none": "none",
    }


def test_body_limits_of_middleware_handlers_and_settings(tmp_path: Path) -> None:
    middleware = """
from fastapi import FastAPI, HTTPException
from starlette.responses import Response
class Bounded:
    def __init__(self, app, max_bytes): self.app, self.max_bytes = app, max_bytes
    async def __call__(self, scope, receive, send):
        await Response(status_code=413)(scope, receive, send)
app = FastAPI()
class Patient:
    def __init__(self, app, max_wait): self.app = app
    async def __call__(self, scope, receive, send): await self.app(scope, receive, send)
app.add_middleware(Patient, max_wait=7)
app.add_middleware(Bounded, max_bytes=2 * 1024 * 1024)
other = FastAPI()
@app.post("/bounded")
def a(): ...
@app.get("/no-body")
def b(): ...
@other.put("/itself")
def c(data: bytes):
    if len(data) > 9: raise HTTPException(413)
@other.put("/free")
def d(data: bytes): ...
"""
    assert told(tmp_path / "fastapi", {"app.py": middleware}, "body_limit") == {
        "POST /bounded": "2 MiB (middleware)",
        "GET /no-body": None,
        "PUT /itself": "c (body)",
        "PUT /free": "unknown",
    }
    flask = "from flask import Flask\napp = Flask(__name__)\n@app.post('/a')\ndef a(): ...\n"
    for number, (given, size) in enumerate({
        "": "unknown",
        "app.config['MAX_CONTENT_LENGTH'] = 16 * 1024 ** 2": "16 MiB (application)",
        "app.config.update(MAX_CONTENT_LENGTH=10_000_000)": "10 MB (application)",
        "app.config.update(MAX_CONTENT_LENGTH=int(size))": "MAX_CONTENT_LENGTH (application)",
        "app.config['MAX_CONTENT_LENGTH'] = None": "unknown",
    }.items()):  # fmt: skip
        files = {"app.py": flask + given}
        assert told(tmp_path / f"flask{number}", files, "body_limit") == {"POST /a": size}, given
    served = (
        "from aiohttp import web\nasync def a(request): ...\napp = web.Application({})\napp.router.add_post('/a', a)\n"
    )
    for number, (given, size) in enumerate((("", "1 MiB"), ("client_max_size=0", "unlimited"))):
        files = {"app.py": served.format(given)}
        assert told(tmp_path / f"aiohttp{number}", files, "body_limit") == {"POST /a": f"{size} (application)"}


def test_body_limits_of_django_are_its_own_unless_the_settings_say(tmp_path: Path) -> None:
    head = "SECRET_KEY = 'x'\nDEBUG = False\nINSTALLED_APPS = ['shop']\nROOT_URLCONF = 'shop.urls'\n"
    urls = "from django.urls import path\nfrom shop.views import Orders\nurlpatterns = [path('orders', Orders.as_view())]\n"
    views = "from django.views import View\nclass Orders(View):\n    def post(self, request): ...\n"
    for number, (given, size) in enumerate({
        "": "2.5 MiB (settings)",
        "DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000": "10 MB (settings)",
        "DATA_UPLOAD_MAX_MEMORY_SIZE = None": "unlimited (settings)",
    }.items()):  # fmt: skip
        files = {"shop/settings.py": head + given, "shop/urls.py": urls, "shop/views.py": views, "shop/__init__.py": ""}
        assert told(tmp_path / str(number), files, "body_limit") == {"POST /orders": size}, given


def test_idempotency_is_told_from_keys_columns_and_rows(tmp_path: Path) -> None:
    orders = """
from uuid import uuid4
from fastapi import Depends, FastAPI, Header, Request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
class Base(DeclarativeBase): pass
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int]
class Charge(Base):
    __tablename__ = "charges"
    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
def session(): yield Session()
app = FastAPI()
@app.post("/rows")
def a(cents: int, db: Session = Depends(session)): db.add(Order(cents=cents))
@app.post("/unique")
def b(reference: str, db: Session = Depends(session)): db.add(Charge(reference=reference))
@app.post("/made-up")
def g(db: Session = Depends(session)): db.add(Charge(reference=uuid4().hex))
@app.post("/parameter")
def c(cents: int, idempotency_key: str = Header(), db: Session = Depends(session)): db.add(Order(cents=cents))
@app.post("/header")
def d(request: Request, db: Session = Depends(session)):
    if seen(request.headers["Idempotency-Key"]): return
    db.add(Order(cents=1))
@app.patch("/elsewhere")
def e(data: dict): send(data)
@app.put("/rows")
def f(cents: int, db: Session = Depends(session)): db.add(Order(cents=cents))
"""
    assert told(tmp_path, {"app.py": orders}, "idempotency") == {
        "POST /rows": "none",
        "POST /unique": "unique column",
        "POST /made-up": "unknown",
        "POST /parameter": "key",
        "POST /header": "key",
        "PATCH /elsewhere": "unknown",
        "PUT /rows": None,
    }


def test_a_narrow_terminal_gets_lines_that_fit(tmp_path: Path) -> None:
    table = matrix(written(tmp_path, FILES), Config()).table
    lines = ["".join(line) for line in blocks(table, 44)]
    assert max(map(len, lines)) <= 44
    assert lines[-8:] == [
        "DELETE  /orders/{id}",
        "  Handler         app.py:13 delete",
        "  Access          guarded",
        "  Authentication  required: admin (401/403,",
        "                  route)",
        "  Roles           admin",
        "  Body limit      unknown",
        "",
    ]
    assert width_of(table) == max(map(len, FORMATS["text"](table, "").splitlines()))
