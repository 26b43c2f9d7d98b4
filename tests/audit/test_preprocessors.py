"""Flask's hooks that are handed the variables of a path: they guard the routes that have them, and no others."""

from __future__ import annotations

from pathlib import Path

from apps import endpoints

HEAD = """
from flask import Blueprint, Flask, abort, g, redirect, session, url_for
from app_models import Account, Project
app = Flask(__name__)
pages = Blueprint("pages", __name__)
"""
ROUTES = """
@pages.get("/")
def index(): ...
@pages.get("/<project_id>/")
def bills(): ...
@pages.post("/<project_id>/delete/<int:bill_id>")
def delete(bill_id): ...
@pages.get("/<project_id>/feed/<token>")
def feed(token): ...
@pages.get("/lang/<lang>")
def language(lang): ...
@app.get("/<project_id>/outside")
def outside(project_id): ...
app.register_blueprint(pages)
"""
OF_PROJECTS = {"/{project_id}/", "/{project_id}/delete/{bill_id:int}", "/{project_id}/feed/{token}"}
OF_PAGES = OF_PROJECTS | {"/", "/lang/{lang}"}


def guarded(root: Path, hook: str) -> dict[str, set[int]]:
    found = endpoints(root, {"app.py": HEAD + hook + ROUTES})
    assert len(found) == 6
    return {one.path: set(guard.statuses) for one in found for guard in one.guards}


def test_it_guards_the_routes_that_have_what_it_takes(tmp_path: Path) -> None:
    hook = """
class SeeOther(Exception): ...
@pages.url_value_preprocessor
def pull(endpoint, values):
    if endpoint == "sign_in": return
    if not values: values = {}
    entered = values.pop("project_id", None)
    if entered:
        project = Project.query.get(entered.lower())
        if not project:
            raise SeeOther("/create")
        is_feed = endpoint == "pages.feed"
        if session.get(project.id) or is_feed:
            g.project = project
        else:
            raise RedirectTo(url_for(".sign_in"))
"""
    assert guarded(tmp_path, hook) == {path: {302} for path in OF_PROJECTS - {"/{project_id}/feed/{token}"}}


def test_ways_to_take_a_variable_and_to_refuse(tmp_path: Path) -> None:
    for number, body in enumerate((
        'if "project_id" not in values: return\n    if not session.get("user"): abort(401)',
        'if values and "project_id" in values:\n        if session.get("user") is None: abort(401)',
        'if (project := values.get("project_id")) is not None and project not in session["projects"]: abort(401)',
        'g.project = values.get("project_id")\n    if g.project is None: return\n    if not session.get("user"): abort(401)',
    )):  # fmt: skip
        hook = f"@pages.url_value_preprocessor\ndef pull(endpoint, values):\n    {body}\n"
        assert guarded(tmp_path / str(number), hook) == {path: {401} for path in OF_PROJECTS}, body


def test_an_application_s_reaches_all_its_routes(tmp_path: Path) -> None:
    body = '\n    if values.get("project_id") and not session.get("user"): abort(403)\n'
    expected = {path: {403} for path in (*OF_PROJECTS, "/{project_id}/outside")}
    for name in ("app.url_value_preprocessor", "pages.app_url_value_preprocessor"):
        assert guarded(tmp_path / name, f"@{name}\ndef pull(endpoint, values):{body}") == expected
    called = f"def pull(endpoint, values):{body}\napp.url_value_preprocessor(pull)\n"
    assert guarded(tmp_path / "called", called) == expected


def test_one_that_takes_nothing_guards_as_before_request_does(tmp_path: Path) -> None:
    asks = '\n    if "user" not in session: return redirect(url_for("auth.login"))\n'
    raises = '\n    if "user" not in session: raise RequestRedirect(url_for("auth.login"))\n'
    expected = {path: {302} for path in OF_PAGES}
    assert guarded(tmp_path / "a", f"@pages.before_request\ndef ask():{asks}") == expected
    assert guarded(tmp_path / "b", f"@pages.url_value_preprocessor\ndef ask(endpoint, values):{raises}") == expected


def test_what_is_no_guard(tmp_path: Path) -> None:
    for number, body in enumerate((
        'g.lang = values.pop("lang", None)',
        'account = Account.query.get(values.get("project_id"))\n    if not account: abort(403)',  # no such account
        'if values.get("project_id") is None and not session.get("user"): abort(401)',
        'if values.get("lang") and not session.get("user"):\n        g.lang = "en"\n    if g.banned: abort(403)',
        'if endpoint == "pages.gone" and values.get("project_id") and not session.get("user"): abort(401)',
    )):  # fmt: skip
        hook = f"@pages.url_value_preprocessor\ndef pull(endpoint, values):\n    {body}\n"
        assert guarded(tmp_path / str(number), hook) == {}, body
