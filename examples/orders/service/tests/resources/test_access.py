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
    ("list_products", NOBODY, "foreign", 200),
    ("list_products", "admin", "own", 200),
    ("list_products", "admin", "foreign", 200),
    ("list_products", "staff", "own", 200),
    ("list_products", "staff", "foreign", 200),
    ("list_products", "buyer", "own", 200),
    ("list_products", "buyer", "foreign", 200),
    ("get_product", NOBODY, "foreign", 200),
    ("get_product", "admin", "own", 200),
    ("get_product", "admin", "foreign", 200),
    ("get_product", "staff", "own", 200),
    ("get_product", "staff", "foreign", 200),
    ("get_product", "buyer", "own", 200),
    ("get_product", "buyer", "foreign", 200),
    ("create_product", NOBODY, "foreign", 401),
    ("create_product", "admin", "own", 201),
    ("create_product", "admin", "foreign", 201),
    ("create_product", "staff", "own", 201),
    ("create_product", "staff", "foreign", 201),
    ("create_product", "buyer", "own", 403),
    ("create_product", "buyer", "foreign", 403),
    ("update_product", NOBODY, "foreign", 401),
    ("update_product", "admin", "own", 200),
    ("update_product", "admin", "foreign", 200),
    ("update_product", "staff", "own", 200),
    ("update_product", "staff", "foreign", 200),
    ("update_product", "buyer", "own", 403),
    ("update_product", "buyer", "foreign", 403),
    ("delete_product", NOBODY, "foreign", 401),
    ("delete_product", "admin", "own", 204),
    ("delete_product", "admin", "foreign", 204),
    ("delete_product", "staff", "own", 403),
    ("delete_product", "staff", "foreign", 403),
    ("delete_product", "buyer", "own", 403),
    ("delete_product", "buyer", "foreign", 403),
    ("list_customers", NOBODY, "foreign", 401),
    ("list_customers", "admin", "own", 200),
    ("list_customers", "admin", "foreign", 200),
    ("list_customers", "staff", "own", 200),
    ("list_customers", "staff", "foreign", 200),
    ("list_customers", "buyer", "own", 403),
    ("list_customers", "buyer", "foreign", 403),
    ("get_customer", NOBODY, "foreign", 401),
    ("get_customer", "admin", "own", 200),
    ("get_customer", "admin", "foreign", 200),
    ("get_customer", "staff", "own", 200),
    ("get_customer", "staff", "foreign", 200),
    ("get_customer", "buyer", "own", 200),
    ("get_customer", "buyer", "foreign", 404),
    ("create_customer", NOBODY, "foreign", 401),
    ("create_customer", "admin", "own", 201),
    ("create_customer", "admin", "foreign", 201),
    ("create_customer", "staff", "own", 201),
    ("create_customer", "staff", "foreign", 201),
    ("create_customer", "buyer", "own", 201),
    ("create_customer", "buyer", "foreign", 201),
    ("update_customer", NOBODY, "foreign", 401),
    ("update_customer", "admin", "own", 200),
    ("update_customer", "admin", "foreign", 404),
    ("update_customer", "staff", "own", 200),
    ("update_customer", "staff", "foreign", 404),
    ("update_customer", "buyer", "own", 200),
    ("update_customer", "buyer", "foreign", 404),
    ("list_orders", NOBODY, "foreign", 401),
    ("list_orders", "admin", "own", 200),
    ("list_orders", "admin", "foreign", 200),
    ("list_orders", "staff", "own", 200),
    ("list_orders", "staff", "foreign", 200),
    ("list_orders", "buyer", "own", 200),
    ("list_orders", "buyer", "foreign", 404),
    ("get_order", NOBODY, "foreign", 401),
    ("get_order", "admin", "own", 200),
    ("get_order", "admin", "foreign", 200),
    ("get_order", "staff", "own", 200),
    ("get_order", "staff", "foreign", 200),
    ("get_order", "buyer", "own", 200),
    ("get_order", "buyer", "foreign", 404),
    ("create_order", NOBODY, "foreign", 401),
    ("create_order", "admin", "own", 201),
    ("create_order", "admin", "foreign", 403),
    ("create_order", "staff", "own", 201),
    ("create_order", "staff", "foreign", 403),
    ("create_order", "buyer", "own", 201),
    ("create_order", "buyer", "foreign", 403),
    ("list_payments", NOBODY, "foreign", 401),
    ("list_payments", "admin", "own", 200),
    ("list_payments", "admin", "foreign", 200),
    ("list_payments", "staff", "own", 200),
    ("list_payments", "staff", "foreign", 200),
    ("list_payments", "buyer", "own", 403),
    ("list_payments", "buyer", "foreign", 403),
    ("get_payment", NOBODY, "foreign", 401),
    ("get_payment", "admin", "own", 200),
    ("get_payment", "admin", "foreign", 200),
    ("get_payment", "staff", "own", 200),
    ("get_payment", "staff", "foreign", 200),
    ("get_payment", "buyer", "own", 200),
    ("get_payment", "buyer", "foreign", 404),
    ("create_payment", NOBODY, "foreign", 401),
    ("create_payment", "admin", "own", 201),
    ("create_payment", "staff", "own", 201),
    ("create_payment", "buyer", "own", 201),
]


@pytest.mark.parametrize(("operation", "role", "whose", "status"), CELLS)
def test_access(operation: str, role: str, whose: str, status: int, stage: Stage) -> None:
    caller, user_id = stage.enter(role)
    if whose == "foreign":
        _, user_id = stage.enter(NOBODY)
    assert ATTEMPTS[operation](caller, stage.owner, user_id) == status


def list_products(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_product(owner, user_id)
    answer = caller.get("/products")
    if answer.status_code != 200:
        return answer.status_code
    shown = any(str(item["id"]) == str(row["id"]) for item in walk(caller, "/products"))
    return 200 if shown else 404


def get_product(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_product(owner, user_id)
    return caller.get(f"/products/{row['id']}").status_code


def create_product(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    body = factories.product_body(owner, user_id)
    return caller.post("/products", json=body).status_code


def update_product(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_product(owner, user_id)
    change = {"sku": factories.unique()}
    guard = {"If-Match": f'"{row["version"]}"'}
    return caller.patch(f"/products/{row['id']}", json=change, headers=guard).status_code


def delete_product(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_product(owner, user_id)
    return caller.delete(f"/products/{row['id']}").status_code


def list_customers(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_customer(owner, user_id)
    answer = caller.get("/customers")
    if answer.status_code != 200:
        return answer.status_code
    shown = any(str(item["id"]) == str(row["id"]) for item in walk(caller, "/customers"))
    return 200 if shown else 404


def get_customer(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_customer(owner, user_id)
    return caller.get(f"/customers/{row['id']}").status_code


def create_customer(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    body = factories.customer_body(owner, user_id)
    return caller.post("/customers", json=body).status_code


def update_customer(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_customer(owner, user_id)
    change = {"email": f"{factories.unique()}@example.com"}
    guard = {"If-Match": f'"{row["version"]}"'}
    return caller.patch(f"/customers/{row['id']}", json=change, headers=guard).status_code


def list_orders(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_order(owner, user_id)
    answer = caller.get("/orders")
    if answer.status_code != 200:
        return answer.status_code
    shown = any(str(item["id"]) == str(row["id"]) for item in walk(caller, "/orders"))
    return 200 if shown else 404


def get_order(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_order(owner, user_id)
    return caller.get(f"/orders/{row['id']}").status_code


def create_order(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    body = factories.order_body(owner, user_id)
    return caller.post("/orders", json=body).status_code


def list_payments(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_payment(owner, user_id)
    answer = caller.get("/payments")
    if answer.status_code != 200:
        return answer.status_code
    shown = any(str(item["id"]) == str(row["id"]) for item in walk(caller, "/payments"))
    return 200 if shown else 404


def get_payment(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    row = factories.make_payment(owner, user_id)
    return caller.get(f"/payments/{row['id']}").status_code


def create_payment(caller: httpx2.Client, owner: Owner, user_id: Any) -> int:
    body = factories.payment_body(owner, user_id)
    key = {"Idempotency-Key": factories.unique()}
    return caller.post("/payments", json=body, headers=key).status_code


Attempt = Callable[[httpx2.Client, Owner, Any], int]

ATTEMPTS: dict[str, Attempt] = {
    "list_products": list_products,
    "get_product": get_product,
    "create_product": create_product,
    "update_product": update_product,
    "delete_product": delete_product,
    "list_customers": list_customers,
    "get_customer": get_customer,
    "create_customer": create_customer,
    "update_customer": update_customer,
    "list_orders": list_orders,
    "get_order": get_order,
    "create_order": create_order,
    "list_payments": list_payments,
    "get_payment": get_payment,
    "create_payment": create_payment,
}
