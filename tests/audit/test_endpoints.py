"""The inventory of FastAPI endpoints: paths, guards, limits, parameters."""

from __future__ import annotations

from pathlib import Path

from apps import endpoints

GUARDS = """
from fastapi import Depends, Header, HTTPException, status
from fastapi.security import APIKeyHeader, HTTPBearer

def by_status(): raise HTTPException(status.HTTP_401_UNAUTHORIZED)
def by_variable():
    error = HTTPException(status_code=403, detail="no")
    raise error
def by_helper(): check()
def check(): raise HTTPException(401)
def through(user=Depends(by_helper)): return user
def lenient(token=Depends(HTTPBearer(auto_error=False))): return token
def harmless(): raise HTTPException(404)
def compares(answer): return answer.status_code == 401
class Roles:
    def __init__(self, *names): self.names = names
    def __call__(self, user=Depends(through)): return user
def require(name):
    def inner(user=Depends(by_status)): return user
    return inner
class Auth:
    def verify(self): raise HTTPException(401)
auth = Auth()
key = APIKeyHeader(name="X-Key")
"""
ROUTES = """
from typing import Annotated
from fastapi import APIRouter, Depends
from app import guards

router = APIRouter(prefix="/r", dependencies=[])
User = Annotated[str, Depends(guards.through)]
@router.get("/status", dependencies=[Depends(guards.by_status)])
def a(): ...
@router.get("/variable")
def b(x=Depends(guards.by_variable)): ...
@router.get("/alias")
def c(user: User): ...
@router.get("/roles", dependencies=[Depends(guards.Roles("admin"))])
def d(): ...
@router.get("/factory", dependencies=[Depends(guards.require("admin"))])
def e(): ...
@router.get("/method", dependencies=[Depends(guards.auth.verify)])
def f(): ...
@router.get("/scheme")
def g(key: Annotated[str, Depends(guards.key)]): ...
@router.get("/lenient", dependencies=[Depends(guards.lenient)])
def h(): ...
@router.get("/harmless", dependencies=[Depends(guards.harmless), Depends(guards.compares)])
def i(): ...
"""
MAIN = "from fastapi import FastAPI\nfrom app import routes\napp = FastAPI()\napp.include_router(routes.router)\n"


def test_guards_are_known_by_what_they_do(tmp_path: Path) -> None:
    found = endpoints(
        tmp_path, {"app/__init__.py": "", "app/main.py": MAIN, "app/guards.py": GUARDS, "app/routes.py": ROUTES}
    )
    guarded = {one.path: sorted({status for guard in one.guards for status in guard.statuses}) for one in found}
    assert guarded == {
        "/r/status": [401], "/r/variable": [403], "/r/alias": [401], "/r/roles": [401], "/r/factory": [401],
        "/r/method": [401], "/r/scheme": [401], "/r/lenient": [], "/r/harmless": [],
    }  # fmt: skip


def test_routers_are_followed_through_factories_loops_and_functions(tmp_path: Path) -> None:
    files = {
        "app/main.py": """
from fastapi import Depends, FastAPI, HTTPException
from app.a import router as a
from app.b import make
from app.c import install, late
PREFIX = "/api"
def guard(): raise HTTPException(401)
def create_app():
    app = FastAPI()
    for router in (a, make()):
        app.include_router(router, prefix=f"{PREFIX}/v1")
    install(app, late)
    return app
app = create_app()
""",
        "app/a.py": """
from fastapi import APIRouter
from app.nested import router as nested
router = APIRouter(prefix="/a")
router.include_router(nested, prefix="/n")
@router.api_route("/many", methods=["GET", "POST"])
def many(): ...
def added(): ...
router.add_api_route("/added", added, methods=["DELETE"])
""",
        "app/nested.py": """
from fastapi import APIRouter
router = APIRouter()
@router.put("/{id}")
def put(id: int): ...
""",
        "app/b.py": """
from fastapi import APIRouter
def make():
    r = APIRouter(prefix="/b")
    @r.get("")
    def index(): ...
    return r
""",
        "app/c.py": """
from fastapi import APIRouter, FastAPI
late = APIRouter()
@late.get("/late")
def later(): ...
def install(app: FastAPI, router: APIRouter):
    app.include_router(router)
    @app.get("/c")
    def c(): ...
""",
        "app/lost.py": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/lost')\ndef lost(): ...\n",
    }
    found = sorted((one.method, one.path, one.mounted) for one in endpoints(tmp_path, files))
    assert found == [
        ("DELETE", "/api/v1/a/added", True), ("GET", "/api/v1/a/many", True), ("GET", "/api/v1/b", True),
        ("GET", "/c", True), ("GET", "/late", True), ("GET", "/lost", False),
        ("POST", "/api/v1/a/many", True), ("PUT", "/api/v1/a/n/{id}", True),
    ]  # fmt: skip


def test_parameters_say_where_their_values_come_from(tmp_path: Path) -> None:
    text = """
from typing import Annotated
from fastapi import Cookie, Depends, FastAPI, File, Form, Header, Query, Request, UploadFile
from pydantic import BaseModel
app = FastAPI()
class Item(BaseModel): ...
def dep(): ...
@app.post("/{id}")
def handler(id: int, request: Request, item: Item, items: list[Item], q: str | None = None, h: str = Header(),
            c: Annotated[str, Cookie()] = "", f: str = Form(), u: UploadFile = File(), d=Depends(dep),
            more: Annotated[list[str], Query()] = []): ...
"""
    [endpoint] = endpoints(tmp_path, {"app/main.py": text})
    assert {one.name: one.source for one in endpoint.parameters} == {
        "id": "path", "request": "request", "item": "body", "items": "body", "q": "query", "h": "header", "c": "cookie",
        "f": "form", "u": "file", "d": "dependency", "more": "query",
    }  # fmt: skip


def test_limits_and_middleware(tmp_path: Path) -> None:
    text = """
from fastapi import FastAPI, HTTPException, Request
from slowapi import Limiter
app = FastAPI()
limiter = Limiter(key_func=len)
@app.middleware("http")
async def authenticate(request: Request, following):
    if "authorization" not in request.headers:
        raise HTTPException(401)
    return await following(request)
@app.post("/a")
@limiter.limit("1/minute")
def a(request: Request): ...
"""
    [endpoint] = endpoints(tmp_path, {"app/main.py": text})
    assert [(limit.name, limit.scope) for limit in endpoint.limits] == [("limiter.limit", "route")]
    assert [(guard.name, guard.scope) for guard in endpoint.guards] == [("authenticate", "middleware")]
