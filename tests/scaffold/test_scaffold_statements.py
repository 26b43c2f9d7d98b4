"""The SQL of resources: policies inside every statement, explicit columns, nothing that does not parse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scaffold_specs import SPECS

from backendgen.errors import UserError
from backendgen.scaffold import actions, plan, statements, violations
from backendgen.spec.load import load, load_text
from backendgen.spec.model import Allow, Auth, Policy, Term

STAFF, ADMIN, USER = Term("role", "staff"), Term("role", "admin"), Term("user", "user")
MINE, OPEN = Term("policy", "mine"), Term("policy", "open")
AUTH = Auth(
    policies=(Policy("mine", "user_id = :user_id", ("user_id",), ("user_id",)), Policy("open", "n % 2 = 0", ("n",)))
)


@pytest.mark.parametrize(
    ("grants", "condition", "clauses"),
    [
        (((USER,),), "", ()),
        (((STAFF,),), "", (("staff",),)),
        (((STAFF,), (ADMIN,)), "", (("staff", "admin"),)),
        (((MINE,),), "(user_id = %(caller.user_id)s)", ()),
        (((STAFF,), (MINE,)), "(%(caller.is_staff)s OR (user_id = %(caller.user_id)s))", ()),
        (((STAFF, OPEN),), "(n %% 2 = 0)", (("staff",),)),
        (
            ((STAFF, OPEN), (ADMIN,)),
            "((%(caller.is_staff)s AND (n %% 2 = 0)) OR %(caller.is_admin)s)",
            (("staff", "admin"),),
        ),
        (((STAFF, ADMIN),), "", (("staff",), ("admin",))),
        (((USER,), (MINE,)), "", ()),
    ],
)
def test_permission(grants: tuple[tuple[Term, ...], ...], condition: str, clauses: tuple[tuple[str, ...], ...]) -> None:
    assert statements.permission(Allow(grants), AUTH) == condition
    assert actions.role_clauses(Allow(grants)) == clauses


@pytest.mark.parametrize("name", SPECS)
def test_no_statement_reads_all_columns(name: str) -> None:
    spec = load(SPECS[name])
    for resource in spec.resources:
        made = statements.statements(resource, spec)
        assert len(made.statements) >= len(resource.actions)
        for one in made.statements:
            assert "*" not in one.sql
            assert all(key[-1][0] == resource.table.primary_key[-1] for key in (sort.keys for sort in made.sorts))


def test_a_set_sees_the_new_row() -> None:
    spec = load(SPECS["orders"])
    payments = next(resource for resource in spec.resources if resource.name == "payments")
    create = next(one.sql for one in statements.statements(payments, spec).statements if one.name == "CREATE")
    assert "FROM (SELECT\n    %(order_id)s::uuid AS order_id) AS payments)" in create
    assert 'AS "caller.permitted"' in create


def test_a_set_of_an_update_must_not_read_what_the_update_changes(tmp_path: Path) -> None:
    text = SPECS["minimal"].read_text("utf-8").replace("notes: {}", 'notes: {update: {set: {content: "upper(title)"}}}')
    path = tmp_path / "spec.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match="`set` of 'content' names 'title', which the same update may change"):
        plan(load(path))


@pytest.mark.parametrize(
    ("name", "sql"), [("order", '"order"'), ("user-name", '"user-name"'), ("sku", "sku"), ("Foo", '"Foo"')]
)
def test_quoting(name: str, sql: str) -> None:
    assert statements.quote(name) == sql


def test_a_statement_that_does_not_parse_is_an_error_of_ours() -> None:
    broken = statements.Statements((statements.Statement("GET", "SELECT FROM WHERE", ""),))
    with pytest.raises(AssertionError, match="GET does not parse"):
        statements._assert_parses(broken)


def test_a_set_that_finds_nothing_names_what_it_reads() -> None:
    derived = {view.name: view for view in violations.constraints(load(SPECS["orders"]))}["payments.amount_cents"]
    assert (derived.fields, derived.message) == (("order_id",), "No amount_cents can be found for this order_id.")


def test_a_unique_index_names_what_it_is_over() -> None:
    text = """
backendgen: 1
service: {name: taken}
auth: off
schema: |
  CREATE TABLE t (id uuid PRIMARY KEY, a text NOT NULL, b int NOT NULL, live bool NOT NULL);
  CREATE UNIQUE INDEX t_a ON t (b, lower(a));
  CREATE UNIQUE INDEX t_live ON t (b) WHERE live;
api: {resources: {t: {}}}
"""
    made = {view.name: view for view in violations.constraints(load_text(text, Path("spec.yaml")))}
    assert (made["t_a"].fields, made["t_a"].message) == (("b", "a"), "This b and lower(a) is already taken.")
    assert (made["t_live"].fields, made["t_live"].message) == (("b", "live"), "This b is already taken where live.")


@pytest.mark.parametrize(
    ("key", "path"),
    [("text", "/{k:path}"), ("varchar(9)", "/{k:path}"), ("word", "/{k:path}"), ("plain", "/{k}"), ("int", "/{k}")],
)
def test_a_key_of_text_may_have_slashes(key: str, path: str) -> None:
    text = f"""
backendgen: 1
service: {{name: keys}}
auth: off
schema: |
  CREATE TYPE word AS ENUM ('a/b'); CREATE TYPE plain AS ENUM ('a', 'b');
  CREATE TABLE t (k {key} PRIMARY KEY, n int);
api: {{resources: {{t: {{get: {{}}}}}}}}
"""
    files = {file.path: file.content for file in plan(load_text(text, Path("spec.yaml")))}
    assert f'@router.get("{path}", operation_id="get_t")' in files["app/resources/t/routes.py"].decode()
    assert list(json.loads(files["app/openapi.json"])["paths"])[-1] == "/t/{k}"
