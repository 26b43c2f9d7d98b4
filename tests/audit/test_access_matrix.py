"""The access matrix: who may call what, as text, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

from apps import written

from backendgen.audit.matrix import matrix
from backendgen.config import Config
from backendgen.report.table import FORMATS

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
    rows = [line.split() for line in FORMATS["text"](found.table, found.summary).splitlines()]
    assert rows == [
        ["Method", "Path", "Handler", "Access", "Authentication", "Roles", "Rate", "limit", "Response", "model"],
        ["GET", "/catalog", "app.py:16", "catalog", "open", "on", "purpose", "9/minute", "(route)"],
        ["POST", "/feedback", "app.py:18", "feedback", "open"],
        ["POST", "/login", "app.py:20", "login", "open", "login", "(401,", "body)"],
        ["GET", "/orders", "app.py:11", "index", "guarded", "user", "(401,", "parameter)", "list[str]"],
        ["DELETE", "/orders/{id}", "app.py:13", "delete", "guarded", "admin", "(401/403,", "route)", "admin"],
        [],
        ["5", "endpoints,", "2", "guarded,", "1", "open", "on", "purpose,", "2", "open"],
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
        "roles": ["admin"],
        "object_check": None,
        "lists": None,
        "rate_limit": None,
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
        "| Method | Path | Handler | Access | Response model |\n| --- | --- | --- | --- | --- |\n"
        "| GET | `/a\\|b/{c_d}` | app.py:4 e | open | int \\| None |\n"
    )


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = matrix(written(tmp_path, {**FILES, "broken.py": "def (:\n"}), Config())
    assert [(Path(hole.path).name, hole.line) for hole in found.holes] == [("broken.py", 1)]
