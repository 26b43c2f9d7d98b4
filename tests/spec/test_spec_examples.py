from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from specs import orders, refuse

from backendgen.spec.jsonschema import json_schema
from backendgen.spec.load import load
from backendgen.spec.model import Allow, Policy, Rate, RateLimits, Role, SortKey, Term

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_orders_says_what_it_says() -> None:
    spec = load(EXAMPLES / "orders" / "spec.yaml")
    assert spec.assumptions == ()
    assert (spec.service.name, spec.service.title) == ("orders", "Orders API")
    assert (spec.database.pool_min, spec.database.pool_max, spec.database.statement_timeout_ms) == (2, 20, 5000)
    assert list(spec.schema.tables) == ["users", "customers", "products", "orders", "order_items", "payments"]
    assert spec.rate_limits == RateLimits(
        ip=Rate(60, 60), user=Rate(600, 60), login=Rate(5, 60), operations=(("payments.create", Rate(10, 60)),)
    )
    assert spec.source == (EXAMPLES / "orders" / "spec.yaml").read_bytes()
    auth = spec.auth
    assert auth is not None
    assert (auth.access_ttl, auth.refresh_ttl, auth.password_min_length) == (900, 2_592_000, 12)
    assert auth.roles == (Role("admin", ("staff",)), Role("staff"), Role("buyer"))
    assert auth.default_role == "buyer"
    assert auth.policies[:2] == (
        Policy("own_customer", "user_id = :user_id", ("user_id",), ("user_id",)),
        Policy(
            "own_order",
            "customer_id IN (SELECT id FROM customers WHERE user_id = :user_id)",
            ("customer_id",),
            ("user_id",),
        ),
    )
    assert auth.policies[2].columns == ("order_id",)


def test_bodies_never_carry_what_the_server_owns() -> None:
    spec = load(EXAMPLES / "orders" / "spec.yaml")
    bodies = {resource.name: (resource.body, resource.changes) for resource in spec.resources}
    assert bodies == {
        "products": (("sku", "name", "price_cents", "active"), ("sku", "name", "price_cents", "active")),
        "customers": (("email", "tax_id"), ("email", "tax_id")),
        "orders": (("customer_id",), ()),
        "payments": (("order_id",), ()),
    }


def test_actions_of_orders() -> None:
    spec = load(EXAMPLES / "orders" / "spec.yaml")
    products, _, orders, payments = spec.resources
    listing, create = orders.action("list"), payments.action("create")
    assert listing is not None and create is not None
    assert listing.allow == Allow(((Term("role", "staff"),), (Term("policy", "own_order"),)))
    assert listing.filters == ("status", "created_at")
    assert listing.sorts == (SortKey("created_at", descending=True),)
    assert [str(sort) for sort in products.actions[0].sorts] == ["name", "-updated_at"]
    assert products.actions[0].allow.public
    assert create.idempotency == "required"
    assert dict(create.sets) == {
        "amount_cents": "(SELECT total_cents FROM orders WHERE id = order_id)",
        "provider_ref": "NULL",
        "state": "'pending'",
    }
    made = orders.action("create")
    assert made is not None
    assert made.idempotency == "optional"
    assert orders.action("update") is None


def test_minimal_reports_each_default() -> None:
    spec = load(EXAMPLES / "minimal" / "spec.yaml")
    assert len((EXAMPLES / "minimal" / "spec.yaml").read_text().splitlines()) < 20
    assert [(one.code, one.line, one.column, one.taken) for one in spec.assumptions] == [
        ("S401", 2, 1, "auth: {}"),
        ("S402", 2, 1, "60/minute per address, 600/minute per user, 5/minute per login"),
        ("S101", 14, 5, "allow: user (whoever is signed in)"),
    ]
    (notes,) = spec.resources
    assert [action.name for action in notes.actions] == ["list", "get", "create", "update", "delete"]
    assert all(action.allow == Allow(((Term("user", "user"),),)) for action in notes.actions)
    assert notes.body == ("title", "content")
    assert spec.rate_limits == RateLimits()
    assert spec.service.title == "Notes API"


def test_the_json_schema_is_one() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("example", ["minimal", "orders"])
def test_examples_validate_against_the_json_schema(example: str) -> None:
    document = yaml.safe_load((EXAMPLES / example / "spec.yaml").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json_schema()).validate(document)


def test_every_key_of_the_json_schema_helps_an_editor() -> None:
    """Each property has a title, a description and an example that is valid itself."""
    seen = 0
    stack: list[object] = [json_schema()]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            for name, key in node.get("properties", {}).items():
                seen += 1
                assert key["title"] == name
                assert len(key["description"]) > 8
                jsonschema.Draft202012Validator(key).validate(key["examples"][0])
            stack += [value for value in node.values() if isinstance(value, dict | list)]
    assert seen > 40


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("list: {allow: public,", "lst: {allow: public,"),
        ("idempotency: required", "idempotency: always"),
        ("ip: 60/minute", "ip: 60/fortnight"),
        ("access_ttl: 15m", "access_ttl: 15"),
        ("algorithm: sliding_window", "algorithm: token_bucket"),
        ("  name: orders\n", ""),
        ("min_length: 12", "min_length: 4"),
        ("backendgen: 1", "backendgen: 2"),
        ("allow: own_payment\n", "allow: scope:pay\n"),
    ],
)
def test_the_json_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    text = orders((old, new))
    assert refuse(text)
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(yaml.safe_load(text))
