"""Make the demo's requests, with the standard library only, and print each with its answer.

usage: demo_requests.py BASE-URL SERVICE-DIRECTORY. Exits with 1 when an answer is not the expected one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

BASE, SERVICE = sys.argv[1], sys.argv[2]
SHOWN_HEADERS = ("Retry-After", "RateLimit", "ETag", "Link", "Idempotency-Replayed")
PASSWORD = "correct horse battery"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: Any


def call(
    method: str, path: str, expected: int | tuple[int, ...], body: Any = None, *, title: str = "", **headers: str
) -> Answer:
    """Send one request, print it with its answer, and stop the demo when the status is another one."""
    request = urllib.request.Request(BASE + path, method=method)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        response = urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        text = response.read().decode()
        answer = Answer(response.status, response.headers, json.loads(text) if text else None)
    if title:
        print(f"\n# {title}")
    print(f"{method} {path}{f'  {json.dumps(hidden(body))}' if body else ''}")
    extra = "".join(f"  {name}: {answer.headers[name]}" for name in SHOWN_HEADERS if answer.headers[name])
    print(f"  {answer.status}{extra}")
    if answer.body is not None:
        print(f"  {shortened(answer.body)}")
    if answer.status not in (expected if isinstance(expected, tuple) else (expected,)):
        sys.exit(f"expected {expected}")
    return answer


def hidden(body: Any) -> Any:
    """Return a body without its passwords."""
    return {key: "..." if "password" in key else value for key, value in body.items()}


def shortened(body: Any) -> str:
    """Return an answer on one line, tokens cut."""
    if isinstance(body, dict):
        body = {key: f"{value[:16]}..." if key.endswith("_token") else value for key, value in body.items()}
    text = json.dumps(body)
    return text if len(text) <= 400 else text[:397] + "..."


def signed_in(email: str) -> str:
    """Register and log in; return the Authorization header."""
    call("POST", "/auth/register", 201, {"email": email, "password": PASSWORD})
    return login(email)


def login(email: str) -> str:
    """Log in; return the Authorization header."""
    answer = call("POST", "/auth/login", 200, {"email": email, "password": PASSWORD})
    return f"Bearer {answer.body['access_token']}"


print("# Two buyers register and log in; the shop's owner is made an admin")
ada, bob = signed_in("ada@example.com"), signed_in("bob@example.com")
call("POST", "/auth/register", 201, {"email": "owner@example.com", "password": PASSWORD})
print("$ scripts/exec python -m app.auth.grant owner@example.com admin", flush=True)
subprocess.run(
    ["scripts/exec", "python", "-m", "app.auth.grant", "owner@example.com", "admin"], cwd=SERVICE, check=True
)
owner = login("owner@example.com")

tea = call("POST", "/products", 201, {"sku": "TEA-1", "name": "Green tea", "price_cents": 450},
           title="An admin creates a product", Authorization=owner).body  # fmt: skip
for number in range(2, 5):
    call(
        "POST",
        "/products",
        201,
        {"sku": f"TEA-{number}", "name": f"Tea {number}", "price_cents": 300 + number},
        Authorization=owner,
    )
call(
    "POST",
    "/products",
    403,
    {"sku": "X", "name": "X", "price_cents": 1},
    title="A buyer may not: the role is missing",
    Authorization=ada,
)
call(
    "POST",
    "/products",
    422,
    {"sku": "Y", "name": "", "price_cents": -1},
    title="Limits come from the table's checks",
    Authorization=owner,
)
call("POST", "/products", 409, {"sku": "TEA-1", "name": "Again", "price_cents": 1}, title="A unique key names its field",
     Authorization=owner)  # fmt: skip

page = call("GET", "/products?limit=2&sort=name", 200, title="The list, page by page, with a cursor").body
call("GET", f"/products?limit=2&sort=name&cursor={page['next']}", 200)
call("GET", f"/products?limit=2&sort=name&cursor={page['next'][:-4]}AAAA", 400, title="A cursor that was tampered with")

call(
    "PATCH",
    f"/products/{tea['id']}",
    200,
    {"price_cents": 475},
    title="A change, guarded by If-Match",
    Authorization=owner,
    If_Match='"1"',
)
call(
    "PATCH",
    f"/products/{tea['id']}",
    412,
    {"price_cents": 1},
    title="The same again: the version has moved on",
    Authorization=owner,
    If_Match='"1"',
)

customer = call(
    "POST", "/customers", 201, {"email": "ada@example.com"}, title="Ada becomes a customer", Authorization=ada
).body
order = call("POST", "/orders", 201, {"customer_id": customer["id"]}, title="and orders, with an Idempotency-Key",
             Authorization=ada, Idempotency_Key="order-1")  # fmt: skip
again = call("POST", "/orders", 201, {"customer_id": customer["id"]}, title="The retry is replayed: one order, not two",
             Authorization=ada, Idempotency_Key="order-1")  # fmt: skip
if order.body != again.body:
    sys.exit("the retry was not a replay")
call("POST", "/orders", 403, {"customer_id": customer["id"]}, title="Bob may not order as Ada", Authorization=bob)
call("GET", f"/orders/{order.body['id']}", 200, title="Ada sees her order", Authorization=ada)
call("GET", f"/orders/{order.body['id']}", 404, title="For Bob it does not exist", Authorization=bob)
call("GET", "/orders", 401, title="Without a token")

print("\n# Wrong passwords, until the limit answers instead")
guess = {"email": "bob@example.com", "password": "wrong password"}
while call("POST", "/auth/login", (401, 429), guess).status != 429:
    pass
