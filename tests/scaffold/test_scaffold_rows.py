"""What the generated tests know, and admit not to know, about the rows of a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from backendgen import scaffold
from backendgen.errors import UserError
from backendgen.scaffold import seeds
from backendgen.spec.load import load_text

SPEC = """
backendgen: 1
service: {{name: rows}}
auth: off
schema: |
  CREATE TABLE t ({columns});
  CREATE TABLE other (id int PRIMARY KEY, t_id int);
api: {{resources: {resources}}}
"""


@pytest.mark.parametrize(
    ("columns", "unsure"),
    [
        ("id uuid PRIMARY KEY, a int CHECK (a BETWEEN 1 AND 5 AND a > 0), b text CHECK (b IS NULL OR b <> '')", ""),
        ("id uuid PRIMARY KEY, code text CHECK (code ~ '^[A-Z]+$')", "code"),
        ("id uuid PRIMARY KEY, a int, b int, CHECK (a > 0 AND a < b)", "a b"),
        ("id uuid PRIMARY KEY, a int, b date, c date, EXCLUDE USING gist (daterange(b, c) WITH &&)", "b c"),
        ("id smallint PRIMARY KEY CHECK (id BETWEEN 1 AND 9), a int", "id"),
        ("id date PRIMARY KEY, a int", ""),
        ("id uuid PRIMARY KEY, a boolean NOT NULL, b date NOT NULL, UNIQUE (a, b)", ""),
        ("id uuid PRIMARY KEY, a boolean NOT NULL, b text DEFAULT 'x', UNIQUE (a, b)", "a b"),
        ("id uuid PRIMARY KEY, a boolean NOT NULL, b text, UNIQUE (a, b)", ""),
    ],
)
def test_the_columns_whose_values_only_the_database_knows(columns: str, unsure: str) -> None:
    loaded = load_text(SPEC.format(columns=columns, resources="{t: {}}"), Path("spec.yaml"))
    [factory] = seeds.factories(loaded)
    assert factory.unsure == frozenset(unsure.split())


def test_only_unsure_factories_skip() -> None:
    def factories(columns: str) -> str:
        loaded = load_text(SPEC.format(columns=columns, resources="{t: {}}"), Path("spec.yaml"))
        return next(file.content.decode() for file in scaffold.plan(loaded) if file.path == "tests/factories.py")

    assert "pytest.skip(" in factories("id uuid PRIMARY KEY, a text NOT NULL CHECK (a ~ '^a')")
    assert "pytest.skip(" not in factories("id uuid PRIMARY KEY, a text NOT NULL CHECK (length(a) > 2)")


def test_resources_of_one_name_are_refused() -> None:
    loaded = load_text(
        SPEC.format(columns="id uuid PRIMARY KEY, a int", resources="{t: {}, others: {table: t}, other: {}}"), Path("s")
    )
    with pytest.raises(UserError) as refused:
        scaffold.plan(loaded)
    assert str(refused.value) == (
        "the resource 'other' and 'others' would both have Other in the service\n"
        "  call it something else and keep its table: table: other"
    )


def test_who_registers_without_a_default_role_is_a_user() -> None:
    text = SPEC.format(columns="id uuid PRIMARY KEY, a int", resources="{t: {}}").replace(
        "auth: off", "auth: {roles: {admin: []}}"
    )
    files = {
        file.path: file.content.decode() for file in scaffold.plan(load_text(text, Path("s"))) if ".py" in file.path
    }
    roles = files["app/auth/roles.py"]
    assert 'DEFAULT_ROLE: Final = "user"' in roles
    assert '"user": frozenset(' in roles and '"admin": frozenset(' in roles


def test_a_parent_that_is_no_resource_may_hold_any_type_and_keys_that_may_be_null() -> None:
    text = SPEC.format(columns="id uuid PRIMARY KEY, a int NOT NULL, b int NOT NULL", resources="{t: {}}").replace(
        "  CREATE TABLE t",
        "  CREATE TABLE blobs (data bytea NOT NULL, span interval NOT NULL, bits bit(3) NOT NULL, x int, y int,\n"
        "    UNIQUE (x, y));\n"
        "  CREATE TABLE t",
    )
    text = text.replace("b int NOT NULL)", "b int NOT NULL, FOREIGN KEY (a, b) REFERENCES blobs (x, y))")
    blobs, rows = seeds.factories(load_text(text, Path("s")))
    assert dict(blobs.values) == {"data": '"\\\\x00"', "span": '"1 day"', "bits": '"111"'}
    [parent] = rows.parents
    assert parent == seeds.Parent("make_blob", (("a", "x"), ("b", "y")), (("x", "number()"), ("y", "number()")))


def test_a_foreign_key_without_columns_refers_to_the_primary_key() -> None:
    text = SPEC.format(columns="slug text PRIMARY KEY", resources="{t: {}, other: {}}").replace(
        "t_id int", "t_id text NOT NULL REFERENCES t"
    )
    _, other = seeds.factories(load_text(text, Path("s")))
    assert other.parents == (seeds.Parent("make_t", (("t_id", "slug"),)),)
