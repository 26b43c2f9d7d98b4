"""What a spec leaves open: the code, the place and what is said, for each question."""

from __future__ import annotations

import pytest
from specs import accept, orders

from backendgen.spec.questions import QUESTIONS


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        (
            "delete: {allow: admin}",
            "delete: {}",
            [("S101", 97, 7, "api.resources.products: no `allow` for delete")],
        ),
        (
            "delete: {allow: admin}",
            "delete: {allow: public}",
            [("S102", 97, 7, "api.resources.products.delete: anybody may delete without signing in")],
        ),
        (
            "list: {allow: staff, sort: [-created_at]}\n      get: {allow: [staff, own_customer]}",
            "list: {allow: user}\n      get: {allow: [staff, own_customer]}",
            [
                (
                    "S103",
                    99,
                    7,
                    "api.resources.customers.list: every signed-in user may read the rows of 'customers' that belong to "
                    "others through user_id",
                )
            ],
        ),
        (
            "  default_role: buyer ",
            "  # default_role: buyer ",
            [("S104", 77, 3, "auth.default_role is absent: who registers has no role")],
        ),
        (
            "    own_customer:",
            "    mine: user_id = :user_id\n    own_customer:",
            [("S105", 80, 5, "auth.policies.mine: no action allows it")],
        ),
        (
            "create: {allow: staff}",
            "create: {allow: [staff, buyer]}",
            [("S201", 95, 7, "api.resources.products.create: the caller may set price_cents, which is money")],
        ),
        (
            "          amount_cents: (SELECT total_cents FROM orders WHERE id = order_id)   # order_id: the new payment's\n",
            "",
            [("S201", 112, 7, "api.resources.payments.create: the caller may set amount_cents, which is money")],
        ),
        (
            'create: {allow: user, set: {user_id: ":user_id"}}\n      update: {allow: own_customer}',
            "create: {allow: user}\n      update: {allow: own_customer}",
            [
                (
                    "S202",
                    101,
                    7,
                    "api.resources.customers.create: the caller may create rows in the name of another user through user_id",
                )
            ],
        ),
        (
            "tax_id     text CHECK (length(tax_id) <= 32),\n    version    int NOT NULL DEFAULT 1,",
            "tax_id     text CHECK (length(tax_id) <= 32),",
            [
                (
                    "S203",
                    101,
                    7,
                    "api.resources.customers.update: 'customers' has no `version` column, so two updates at once "
                    "overwrite each other",
                )
            ],
        ),
        (
            "  CREATE INDEX products_by_update ON products (updated_at DESC, id DESC);\n",
            "",
            [
                (
                    "S301",
                    92,
                    73,
                    "api.resources.products.list.sort: no index begins with 'updated_at', so sorting by it reads "
                    "the whole table",
                )
            ],
        ),
        (
            "  CREATE INDEX order_items_by_product ON order_items (product_id);\n",
            "",
            [
                (
                    "S302",
                    51,
                    3,
                    "no index begins with the foreign key order_items (product_id), so deletes from 'products' and joins "
                    "read all of it",
                )
            ],
        ),
    ],
)
def test_question(old: str, new: str, asked: list[tuple[str, int, int, str]]) -> None:
    found = accept(orders((old, new))).assumptions
    assert [(one.code, one.line, one.column) for one in found] == [one[:3] for one in asked]
    for one, (*_, message) in zip(found, asked, strict=True):
        assert one.message.startswith(message)
        assert one.path == "spec.yaml"


def test_the_change_to_paste_is_the_change_that_settles_it() -> None:
    line = (
        "          amount_cents: (SELECT total_cents FROM orders WHERE id = order_id)   # order_id: the new payment's\n"
    )
    (asked,) = accept(orders((line, ""))).assumptions
    paste = 'set: {amount_cents: "(SELECT total_cents FROM orders WHERE orders.id = payments.order_id)"}'
    assert asked.choices[0] == paste
    pasted = paste.removeprefix("set: {").removesuffix("}")
    assert accept(orders((line, f"          {pasted}\n"))).assumptions == ()

    index = "  CREATE INDEX products_by_update ON products (updated_at DESC, id DESC);\n"
    (asked,) = accept(orders((index, ""))).assumptions
    assert asked.choices[0] == "CREATE INDEX products_by_updated_at ON products (updated_at DESC, id DESC);"
    assert accept(orders((index, f"  {asked.choices[0]}\n"))).assumptions == ()


def test_no_update_without_a_column_to_change() -> None:
    text = "backendgen: 1\nservice: {name: x}\nauth: {}\nrate_limits: {}\nschema: CREATE TABLE a (id int PRIMARY KEY)\n"
    spec = accept(f"{text}api: {{resources: {{a: {{}}}}}}\n")
    assert [one.code for one in spec.assumptions] == ["S101", "S204"]
    assert [action.name for action in spec.resources[0].actions] == ["list", "get", "create", "delete"]
    assert spec.resources[0].body == ("id",)


def test_codes_are_stable() -> None:
    """Taken codes keep their meaning for ever: this list only grows."""
    assert {code: question.code for code, question in QUESTIONS.items()} == {code: code for code in QUESTIONS}
    assert list(QUESTIONS) == [
        *["S101", "S102", "S103", "S104", "S105"],
        *["S201", "S202", "S203", "S204"],
        *["S301", "S302"],
        *["S401", "S402"],
    ]
