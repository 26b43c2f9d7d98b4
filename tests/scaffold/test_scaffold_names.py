"""Names of the user's that come close to each other, or to the generated code's own, stay apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendgen import scaffold
from backendgen.scaffold import names
from backendgen.spec.load import load_text

SPEC = """
backendgen: 1
service: {name: close}
auth:
  roles: {class: [], class_: []}
  default_role: class
  policies: {own: "owner = :user_id"}
schema: |
  CREATE TABLE "order" (id uuid PRIMARY KEY, owner uuid NOT NULL REFERENCES users);
  CREATE TABLE orders (id uuid PRIMARY KEY, order_id uuid NOT NULL REFERENCES "order");
  CREATE TABLE problems (id uuid PRIMARY KEY, a int);
api:
  resources:
    access: {table: order, get: {allow: [class_, {all: [class, own]}, own]}}
    orders: {}
    problems: {}
"""


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    planned = scaffold.plan(load_text(SPEC, Path("spec.yaml")))
    return {file.path: file.content.decode() for file in planned if not file.path.startswith(".backendgen/")}


def test_each_role_has_its_own_parameter(files: dict[str, str]) -> None:
    routes = files["app/resources/access_/routes.py"]
    assert '"caller.is_class": "class" in caller.roles,' in routes
    assert '"caller.is_class_": "class_" in caller.roles,' in routes


def test_each_table_has_its_own_factory(files: dict[str, str]) -> None:
    factories = files["tests/factories.py"]
    assert [line.split("(")[0] for line in factories.splitlines() if line.startswith("def make_")] == [
        "def make_order",
        "def make_order_2",
        "def make_problem",
    ]


def test_a_resource_takes_no_file_and_no_schema_of_the_service(files: dict[str, str]) -> None:
    assert "def test_access(" in files["tests/resources/test_access.py"]
    assert "def test_get(" in files["tests/resources/test_access_.py"]
    assert '"ProblemRow": {' in files["app/openapi.json"]


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("größe", "groe"), ("漢字", "n"), ("user-name", "user_name"), ("1st", "n1st"), ("né", "ne")],
)
def test_identifiers_are_ascii(name: str, identifier: str) -> None:
    assert names.identifier(name) == identifier
