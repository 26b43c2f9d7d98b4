"""How sure a finding is: what the rest of the service shows to be a slip is in the default profile, all else below."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps import report

SIGN_IN = """
from fastapi import FastAPI, HTTPException
app = FastAPI()
@app.post("/login")
def login(email: str, password: str):
    user = find(email)
    if user is None:
        raise HTTPException(404, "User not found")
    if not matches(user, password):
        raise HTTPException(401, "{wrong}")
"""

PAGES = """
from fastapi import FastAPI, Query
app = FastAPI()
@app.get("/a")
def a(limit: int = Query(20, le=100)): return rows(limit)
@app.get("/b")
def b(limit: int = Query(20, le=100)): return rows(limit)
@app.get("/c")
def c(limit: int = Query(20{bound})): return rows(limit)
@app.get("/d")
def d(limit: int = Query(20)): return rows(limit)
"""

SIBLINGS = """
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from sqlalchemy import select
from models import User
router = APIRouter()
def who(): raise HTTPException(401)
@router.get("/users", dependencies=[{guard}])
def index(db): return db.scalars(select(User)).all()
@router.get("/users/{{id}}", dependencies=[Depends(who)])
def show(id: int, db): return db.scalars(select(User).where(User.id == id)).first()
@router.get("/users/me", dependencies=[Depends(who)])
def me(db): return db.scalars(select(User).where(User.id == 1)).first()
""" + "".join(
    f"""
@router.put("/users/{{{{id}}}}/{name}", dependencies=[Depends(who)])
def {name}(id: int): return id
"""
    for name in ("name", "mail", "role", "team", "photo")
)


def confidences(root: Path, rule: str, files: dict[str, str]) -> list[tuple[int, str]]:
    outcome = report(root, files, select=(rule,), confidence="low")
    return [(one.location.line, one.confidence.name) for one in outcome.findings]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [("wrong password", [(8, "MEDIUM"), (10, "MEDIUM")]), ("try again", [(8, "LOW")])],
)
def test_two_answers_for_two_halves_leave_nothing_to_guess(
    tmp_path: Path, wrong: str, expected: list[tuple[int, str]]
) -> None:
    assert confidences(tmp_path, "BG224", {"app.py": SIGN_IN.format(wrong=wrong)}) == expected


@pytest.mark.parametrize(("bound", "expected"), [(", le=100", [(11, "MEDIUM")]), ("", [(9, "LOW"), (11, "LOW")])])
def test_one_page_without_a_bound_among_many_is_a_slip(
    tmp_path: Path, bound: str, expected: list[tuple[int, str]]
) -> None:
    assert confidences(tmp_path, "BG314", {"app.py": PAGES.format(bound=bound)}) == expected


@pytest.mark.parametrize(("guard", "expected"), [("", [(7, "MEDIUM")]), ("Depends(who)", [])])
def test_the_only_open_read_among_guarded_ones_is_a_slip(
    tmp_path: Path, guard: str, expected: list[tuple[int, str]]
) -> None:
    mounted = "from fastapi import FastAPI\nfrom users import router\napp = FastAPI()\napp.include_router(router)\n"
    models = "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\nclass Base(DeclarativeBase): pass\n"
    models += "class User(Base):\n    __tablename__ = 'users'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    files = {"users.py": SIBLINGS.format(guard=guard), "app.py": mounted, "models.py": models}
    assert confidences(tmp_path, "BG307", files) == expected


STARS = """
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import delete
from library import lookup
from models import Star
app = FastAPI()
def who(): raise HTTPException(401)
@app.delete("/notes/{{id}}/star")
def unstar_note(id: int, db, user=Depends(who)):
    db.execute(delete(Star).where(Star.note_id == id, Star.user_id == user.id))
@app.delete("/boards/{{id}}/star")
def unstar_board(id: int, db, user=Depends(who)):
    db.execute(delete(Star).where(Star.board_id == lookup(id, user){owner}))
"""


@pytest.mark.parametrize(("owner", "expected"), [("", [(13, "MEDIUM")]), (", Star.user_id == user.id", [])])
def test_a_delete_without_the_owner_that_another_has(
    tmp_path: Path, owner: str, expected: list[tuple[int, str]]
) -> None:
    models = "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\nclass Base(DeclarativeBase): pass\n"
    models += "class Star(Base):\n    __tablename__ = 'stars'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    assert confidences(tmp_path, "BG306", {"app.py": STARS.format(owner=owner), "models.py": models}) == expected


LIMITS = """
from sqlalchemy import select
from models import Star
class Stars:
    async def top(self, board: int, *, limit: int | None = None):
        statement = select(Star).where(Star.board_id == board)
        if limit is not None:
            statement = statement{limit}
        return await self.get_all(statement)
"""


@pytest.mark.parametrize(("limit", "expected"), [("", [(6, "MEDIUM")]), (".limit(limit)", [])])
def test_a_limit_that_a_query_is_not_given(tmp_path: Path, limit: str, expected: list[tuple[int, str]]) -> None:
    assert confidences(tmp_path, "BG303", {"app.py": LIMITS.format(limit=limit)}) == expected
