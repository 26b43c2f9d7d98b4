"""What endpoints do with the database: conditions with where their values come from, writes, checks, roles."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from apps import written

from backendgen.audit.engines.own import describe
from backendgen.audit.queries import sql
from backendgen.audit.queries.model import Access, Query
from backendgen.code.project import load
from backendgen.config import Config

MODELS = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    is_admin: Mapped[bool]


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str]
"""
HEAD = """
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.models import Note, User

app = FastAPI()


def db():
    yield Session()


def caller(authorization: str = Header(), session: Session = Depends(db)) -> User:
    user = session.query(User).filter(User.name == authorization).one_or_none()
    if user is None:
        raise HTTPException(401)
    return user


class NoteIn(BaseModel):
    text: str
    owner_id: int

"""


def access(root: Path, handler: str, head: str = HEAD, **files: str) -> Access:
    """What the endpoint that `handler` defines does."""
    others = {f"app/{name}.py": dedent(text) for name, text in files.items()}
    project = load(written(root, {"app/main.py": head + dedent(handler), "app/models.py": MODELS, **others}))
    context = describe(project, Config())
    return context.facts.access(context.service.endpoints[-1])


def terms(query: Query) -> list[tuple[str, str, list[str]]]:
    """A query's conditions: column, operator, and the kinds and names of where the value comes from."""
    return [
        (one.column, one.operator, sorted(f"{root.kind}:{root.name}" for root in one.roots))
        for one in query.statement.terms
    ]


STYLES = {
    "select": "return session.scalars(select(Note).where(Note.id == id, Note.owner_id == user.id)).one()",
    "built in steps": """statement = select(Note)
    statement = statement.where(Note.id == id)
    statement = statement.where(Note.owner_id == user.id)
    return session.execute(statement).scalar_one()""",
    "query": "return session.query(Note).filter(Note.id == id).filter(Note.owner_id == user.id).first()",
    "filter_by": "return session.query(Note).filter_by(id=id, owner_id=user.id).first()",
    "text": """from sqlalchemy import text
    found = text("SELECT * FROM notes WHERE id = :id AND owner_id = :owner")
    return session.execute(found, {"id": id, "owner": user.id}).one()""",
}


@pytest.mark.parametrize("style", STYLES)
def test_conditions_say_where_their_values_come_from(tmp_path: Path, style: str) -> None:
    handler = f"""
@app.get("/notes/{{id}}")
def note(id: int, session: Session = Depends(db), user: User = Depends(caller)):
    {STYLES[style]}
"""
    [query] = access(tmp_path, handler).queries
    assert query.statement.table == "Note"
    assert terms(query) == [("id", "==", ["path:id"]), ("owner_id", "==", ["user:"])]


def test_a_service_and_its_base_are_followed(tmp_path: Path) -> None:
    service = """
    from sqlalchemy import select
    from app.models import Note

    class Store:
        model = None

        def __init__(self, session):
            self.session = session

        def one(self, id):
            return self.session.scalars(select(self.model).where(self.model.id == id)).one()

    class Notes(Store):
        model = Note

    def get(session, *, note_id):
        return Notes(session).one(note_id)
    """
    handler = """
    from app import service

    @app.get("/notes/{id}")
    def note(id: int, session: Session = Depends(db), user: User = Depends(caller)):
        return service.get(session, note_id=id)
    """
    [query] = access(tmp_path, handler, service=service).queries
    assert (query.statement.table, query.location.path, terms(query)) == (
        "Note",
        "app/service.py",
        [("id", "==", ["path:id"])],
    )


def test_a_comparison_that_refuses_is_a_check_and_its_inverse_is_none(tmp_path: Path) -> None:
    handler = """
    @app.get("/notes/{{id}}")
    def note(id: int, session: Session = Depends(db), user: User = Depends(caller)):
        note = session.get(Note, id)
        if note.owner_id {} user.id:
            raise HTTPException(403)
        return note
    """
    assert access(tmp_path / "own", handler.format("!=")).checked == {"Note"}
    assert access(tmp_path / "others", handler.format("==")).checked == set()


def test_branches_do_not_mix(tmp_path: Path) -> None:
    handler = """
    @app.get("/notes")
    def notes(session: Session = Depends(db), user: User = Depends(caller)):
        if user.is_admin:
            statement = select(Note).limit(10)
        else:
            statement = select(Note).where(Note.owner_id == user.id)
        return session.scalars(statement).all()

    @app.get("/split")
    def split(session: Session = Depends(db), user: User = Depends(caller)):
        if user.is_admin:
            return session.scalars(select(Note).limit(10)).all()
        return session.scalars(select(Note).where(Note.owner_id == user.id)).all()
    """
    admin, own = access(tmp_path, handler).queries
    assert (terms(admin), admin.privileged, admin.statement.limited) == ([], True, True)
    assert (terms(own), own.privileged, own.statement.limited) == ([("owner_id", "==", ["user:"])], False, False)


def test_roles_are_tests_of_the_user_that_refuse(tmp_path: Path) -> None:
    handler = """
    def admin(user: User = Depends(caller)):
        if not user.is_admin:
            raise HTTPException(403)

    @app.get("/notes/{id}", dependencies=[Depends(admin)])
    def note(id: int, session: Session = Depends(db)):
        return session.get(Note, id)
    """
    assert access(tmp_path, handler).roles == {"is_admin"}


def test_writes_name_their_columns_and_mappings(tmp_path: Path) -> None:
    handler = """
    @app.post("/notes")
    def create(body: NoteIn, session: Session = Depends(db), user: User = Depends(caller)):
        note = Note(owner_id=user.id, **body.model_dump(exclude={"owner_id"}))
        note.text = body.text
        session.add(note)
        session.execute(update(Note).where(Note.id == 1).values(text=body.text))
        session.execute(delete(Note).where(Note.owner_id == body.owner_id))
    """
    done = access(tmp_path, handler)
    shown = [
        (one.verb, [(name, sorted(root.kind for root in roots)) for name, roots in one.columns]) for one in done.writes
    ]
    assert shown == [
        ("insert", [("owner_id", ["user"])]),
        ("update", [("text", ["body"])]),
        ("update", [("text", ["body"])]),
        ("update", []),
        ("delete", []),
    ]
    [mapping] = done.writes[0].whole
    assert mapping.sent is not None and mapping.sent.name == "NoteIn"
    assert mapping.excluded == {"owner_id"}


def test_loops_are_counted_through_calls(tmp_path: Path) -> None:
    handler = """
    def owner(session, note):
        return session.get(User, note.owner_id)

    @app.get("/owners")
    def owners(session: Session = Depends(db)):
        return [owner(session, note) for note in session.scalars(select(Note)).all()]
    """
    notes, users = access(tmp_path, handler).queries
    assert (notes.loops, users.loops, users.statement.table) == (0, 1, "User")


def test_django_querysets(tmp_path: Path) -> None:
    models = """
from django.db import models


class Note(models.Model):
    owner = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    text = models.TextField()
"""
    views = """
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import get_object_or_404

from notes.models import Note


@login_required
def note(request, pk):
    found = get_object_or_404(Note.objects.filter(owner=request.user), pk=pk)
    Note.objects.filter(pk=pk).update(text=request.POST["text"])
    return JsonResponse({"text": found.text})
"""
    urls = """
from django.urls import path

from notes import views

urlpatterns = [path("notes/<int:pk>/", views.note)]
"""
    files = {
        "notes/__init__.py": "",
        "notes/models.py": models,
        "notes/views.py": views,
        "site/__init__.py": "",
        "site/urls.py": urls,
        "site/settings.py": 'ROOT_URLCONF = "site.urls"\nINSTALLED_APPS = ["notes"]\n',
        "manage.py": 'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")\n',
    }
    context = describe(load(written(tmp_path, files)), Config())
    found, changed = context.facts.access(context.service.endpoints[0]).queries
    assert terms(found) == [("owner", "==", ["user:"]), ("id", "==", ["path:pk"])]
    assert (changed.statement.verb, terms(changed)) == ("update", [("id", "==", ["path:pk"])])


@pytest.mark.parametrize(
    ("text", "verb", "table", "conditions", "limited"),
    [
        ("SELECT a FROM notes WHERE id = $1 AND owner_id = $2", "select", "notes", (("id", 0), ("owner_id", 1)), False),
        ("select * from x.notes where id = %s limit %s", "select", "notes", (("id", 0), ("", 1)), True),
        ("UPDATE notes SET text = %(text)s WHERE id = %(key.id)s", "update", "notes", (("id", "key.id"),), False),
        ("DELETE FROM notes WHERE owner_id IN (:ids)", "delete", "notes", (("owner_id", "ids"),), False),
        ("INSERT INTO notes (text) VALUES (?)", "insert", "notes", (), False),
    ],
)
def test_texts(text: str, verb: str, table: str, conditions: tuple[tuple[str, str | int], ...], limited: bool) -> None:
    found = sql.read(text)
    assert found is not None
    assert (found.verb, found.table, found.conditions, found.limited) == (verb, table, conditions, limited)


@pytest.mark.parametrize("text", ["", "selected", "with love", "delete this", "update"])
def test_prose_is_no_query(text: str) -> None:
    assert sql.read(text) is None
