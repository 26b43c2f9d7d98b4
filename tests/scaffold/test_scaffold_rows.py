"""What the generated tests know, and admit not to know, about the rows of a table."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from backendgen import scaffold
from backendgen.errors import UserError
from backendgen.scaffold import access, seeds
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


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ("a int CHECK (a > 5 AND a < 3)", "no value of column 't.a' satisfies its CHECKs"),
        ("a text CHECK (a IN ('x')) CHECK (a IN ('y'))", "no value of column 't.a' satisfies its CHECKs"),
        ("a varchar(3) CHECK (length(a) > 3)", "no value of column 't.a' satisfies its CHECKs"),
        ('"key.id" int', "the column name 'key.id' means something else in the statements of the service: rename it"),
    ],
)
def test_what_no_service_could_carry_is_refused(columns: str, problem: str) -> None:
    loaded = load_text(SPEC.format(columns=f"id uuid PRIMARY KEY, {columns}", resources="{t: {}}"), Path("s"))
    with pytest.raises(UserError) as refused:
        scaffold.plan(loaded)
    assert refused.value.problems[0].message == problem


def test_an_array_called_version_guards_no_update() -> None:
    loaded = load_text(
        SPEC.format(columns="id uuid PRIMARY KEY, version int[] NOT NULL", resources="{t: {}}"), Path("s")
    )
    routes = next(file.content for file in scaffold.plan(loaded) if file.path == "app/resources/t/routes.py")
    assert b"if_match" not in routes


def test_whether_a_second_row_of_the_caller_is_refused_is_not_asked_of_foreign_rows() -> None:
    text = SPEC.format(
        columns="who uuid PRIMARY KEY REFERENCES users, a int",
        resources='{t: {create: {allow: user, set: {who: ":user_id"}}}}',
    ).replace("auth: off", "auth: {roles: {buyer: []}, default_role: buyer}")
    cells = [(cell.role, cell.whose, cell.status) for cell in access.cells(load_text(text, Path("s")))]
    assert cells == [("", "foreign", 401), ("buyer", "own", 201)]


def test_coverage_is_asked_for_where_no_test_is_skipped() -> None:
    def settings(columns: str) -> dict[str, object]:
        loaded = load_text(SPEC.format(columns=columns, resources="{t: {}}"), Path("s"))
        text = next(file.content.decode() for file in scaffold.plan(loaded) if file.path == "pyproject.toml")
        return tomllib.loads(text)["tool"]["coverage"]["report"]

    assert settings("id uuid PRIMARY KEY, a int")["fail_under"] == 90
    assert "fail_under" not in settings("id uuid PRIMARY KEY, a text CHECK (a ~ '^a')")


OVERLAPPING = """
backendgen: 1
service: {name: overlap}
auth:
  roles: {a: []}
  default_role: a
  policies: {member: "p_id IN (SELECT m.p_id FROM m WHERE m.user_id = :user_id)"}
schema: |
  CREATE TABLE p (id int PRIMARY KEY);
  CREATE TABLE m (p_id int REFERENCES p, user_id uuid REFERENCES users, PRIMARY KEY (p_id, user_id));
  CREATE TABLE t (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), p_id int NOT NULL REFERENCES p, user_id uuid NOT NULL REFERENCES users,
    FOREIGN KEY (p_id, user_id) REFERENCES m (p_id, user_id));
api: {resources: {t: {create: {allow: member, set: {user_id: ":user_id"}}}}}
"""


def test_the_widest_of_overlapping_foreign_keys_gives_the_row_its_parent() -> None:
    loaded = load_text(OVERLAPPING, Path("spec.yaml"))
    factory = next(one for one in seeds.factories(loaded) if one.table == "t")
    assert factory.parents == (seeds.Parent("make_m", (("p_id", "p_id"), ("user_id", "user_id"))),)
    assert factory.unsure == {"p_id", "user_id"}
    body = next(file.content.decode() for file in scaffold.plan(loaded) if file.path == "tests/factories.py")
    made = body.partition("def t_body(")[2]
    assert 'parent = make_m(owner, user_id)\n        values["p_id"] = parent["p_id"]\n    body' in made
    assert [(cell.role, cell.whose) for cell in access.cells(loaded)] == [("", "foreign"), ("a", "own")]
