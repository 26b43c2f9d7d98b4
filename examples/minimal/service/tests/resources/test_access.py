"""Who may do what to which row: every cell of role x operation x own or foreign row."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests import factories
from tests.factories import Owner
from tests.resources.paging import walk
from tests.resources.stage import Stage

NOBODY = ""

# (operation, role, whose row, status); a row that a list does not show counts as 404.
CELLS = [
    ("list_notes", NOBODY, "foreign", 401),
    ("list_notes", "user", "own", 200),
    ("list_notes", "user", "foreign", 200),
    ("get_note", NOBODY, "foreign", 401),
    ("get_note", "user", "own", 200),
    ("get_note", "user", "foreign", 200),
    ("create_note", NOBODY, "foreign", 401),
    ("create_note", "user", "own", 201),
    ("create_note", "user", "foreign", 201),
    ("update_note", NOBODY, "foreign", 401),
    ("update_note", "user", "own", 200),
    ("update_note", "user", "foreign", 200),
    ("delete_note", NOBODY, "foreign", 401),
    ("delete_note", "user", "own", 204),
    ("delete_note", "user", "foreign", 204),
]


@pytest.mark.parametrize(("operation", "role", "whose", "status"), CELLS)
def test_access(operation: str, role: str, whose: str, status: int, stage: Stage) -> None:
    caller, user_id = stage.enter(role)
    if whose == "foreign":
        _, user_id = stage.enter(NOBODY)
    assert ATTEMPTS[operation](caller, stage.owner, user_id) == status


def list_notes(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_note(owner, user_id)
    answer = caller.get("/notes")
    if answer.status_code != 200:
        return answer.status_code
    shown = any(str(item["id"]) == str(row["id"]) for item in walk(caller, "/notes"))
    return 200 if shown else 404


def get_note(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_note(owner, user_id)
    return caller.get(f"/notes/{row['id']}").status_code


def create_note(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    body = factories.note_body(owner, user_id)
    return caller.post("/notes", json=body).status_code


def update_note(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_note(owner, user_id)
    change = {"title": factories.unique()}
    guard = {"If-Match": f'"{row["version"]}"'}
    return caller.patch(f"/notes/{row['id']}", json=change, headers=guard).status_code


def delete_note(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_note(owner, user_id)
    return caller.delete(f"/notes/{row['id']}").status_code


Attempt = Callable[[httpx2.Client, Owner, Any], int]

ATTEMPTS: dict[str, Attempt] = {
    "list_notes": list_notes,
    "get_note": get_note,
    "create_note": create_note,
    "update_note": update_note,
    "delete_note": delete_note,
}
