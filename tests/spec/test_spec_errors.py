"""A spec that is wrong, and what is said about it. Each message is the whole of what the user sees."""

from __future__ import annotations

from pathlib import Path

import pytest
from specs import accept, orders, refuse

PLAIN = "only CREATE TABLE, CREATE INDEX, CREATE TYPE, ALTER TABLE ... ADD and COMMENT belong into a spec's schema"
CUSTOMERS = "columns of customers: id, user_id, email, tax_id, version, created_at"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # --- the language's shape
        (
            "list: {allow: public,",
            "lst: {allow: public,",
            "spec.yaml:93:7 api.resources.products: unknown key 'lst' (did you mean 'list'?)",
        ),
        (
            "service:\n",
            "servce: {}\nservice:\n",
            "spec.yaml:4:1 unknown key 'servce' (did you mean 'service'?)",
        ),
        (
            "get: {allow: public}",
            "get: {allow: public, xyzzy: 1}",
            "spec.yaml:94:28 api.resources.products.get: unknown key 'xyzzy' (known: allow)",
        ),
        ("  name: orders\n", "", "spec.yaml:5:3 service: name is missing"),
        (
            "name: orders",
            "name: Orders!",
            "spec.yaml:5:9 service.name: expected a word of at most 40 lower-case letters and digits that starts "
            "with a letter, found 'Orders!'",
        ),
        ("backendgen: 1", "backendgen: 2", "spec.yaml:2:13 backendgen: expected 1, found '2'"),
        (
            "min_length: 12",
            "min_length: 4",
            "spec.yaml:76:27 auth.passwords.min_length: expected a whole number from 8 to 128, found '4'",
        ),
        (
            "statement_timeout: 5s",
            "statement_timeout: 5",
            "spec.yaml:71:22 database.statement_timeout: expected a duration such as 5s or 15m, from 1ms to 1h, found '5'",
        ),
        (
            "ip: 60/minute",
            "ip: 60/fortnight",
            "spec.yaml:123:7 rate_limits.ip: expected a rate such as 60/minute (second, minute, hour, day), "
            "found '60/fortnight'",
        ),
        (
            "idempotency: required",
            "idempotency: no",
            "spec.yaml:114:22 api.resources.payments.create.idempotency: expected off or optional or required, found 'no'",
        ),
        (
            "pool: {min: 2, max: 20}",
            "pool: {min: 30, max: 20}",
            "spec.yaml:70:9 database.pool: min is 30, more than max, which is 20",
        ),
        (
            "page: {default: 20, max: 100}",
            "page: {max: 10}",
            "spec.yaml:90:9 api.page: default is 20, more than max, which is 10; default is absent, so it has its default",
        ),
        (
            "page: {default: 20, max: 100}",
            "page: {default: 200, max: 100}",
            "spec.yaml:90:9 api.page: default is 200, more than max, which is 100",
        ),
        (
            "refresh_ttl: 30d",
            "refresh_ttl: 10m",
            "spec.yaml:75:8 auth.jwt: refresh_ttl must be longer than access_ttl",
        ),
        # --- what is not built yet
        ("  pool:", "  replicas: true\n  pool:", "spec.yaml:70:3 database.replicas is not built yet; remove it"),
        (
            "  passwords:",
            "  mfa: {totp: optional}\n  passwords:",
            "spec.yaml:76:3 auth.mfa is not built yet; remove it",
        ),
        (
            "create: {allow: staff}",
            'create: {allow: [staff, "scope:catalog.write"]}',
            "spec.yaml:95:31 api.resources.products.create.allow: 'scope:catalog.write' is not built yet; remove it",
        ),
        (
            "algorithm: sliding_window",
            "algorithm: token_bucket",
            "spec.yaml:122:14 rate_limits.algorithm: 'token_bucket' is not built yet; remove it",
        ),
        ("rate_limits:\n", "slo: {p95: 200ms}\nrate_limits:\n", "spec.yaml:121:1 slo is not built yet; remove it"),
        (
            "email      text NOT NULL UNIQUE CHECK (length(email) BETWEEN 3 AND 254),",
            "email      text NOT NULL UNIQUE, -- @pii",
            "spec.yaml:16:3 schema: the marker @pii is not built yet; remove it",
        ),
        # --- roles, policies, allow
        (
            "{allow: staff, sort: [-created_at]}\n      get: {allow: [staff, own_customer]}",
            "{allow: staf}\n      get: {allow: [staff, own_customer]}",
            "spec.yaml:99:21 api.resources.customers.list.allow: unknown role or policy 'staf' (did you mean 'staff'?)",
        ),
        (
            "default_role: buyer",
            "default_role: buyr",
            "spec.yaml:78:17 auth.default_role: unknown role 'buyr' (did you mean 'buyer'?)",
        ),
        (
            "{admin: [staff], staff: []",
            "{admin: [staff], staff: [admin]",
            "spec.yaml:77:11 auth.roles.admin: the role includes itself: admin > staff > admin",
        ),
        (
            "{admin: [staff]",
            "{admin: [stuff]",
            "spec.yaml:77:19 auth.roles.admin: unknown role 'stuff' (did you mean 'staff'?)",
        ),
        ("buyer: []", "buyer: [], user: []", "spec.yaml:77:49 auth.roles: 'user' is built in; choose another name"),
        (
            "delete: {allow: admin}",
            "delete: {allow: [admin, public]}",
            "spec.yaml:97:23 api.resources.products.delete.allow: 'public' admits everybody, so the others change nothing; "
            "name it alone",
        ),
        (
            "delete: {allow: admin}",
            "delete: {allow: []}",
            "spec.yaml:97:23 api.resources.products.delete.allow: the list is empty; name at least one, or leave the key "
            "out",
        ),
        (
            "own_customer: user_id = :user_id",
            "own_customer: user_id == = :user_id",
            'spec.yaml:80:30 auth.policies.own_customer: syntax error at or near "="',
        ),
        (
            "own_customer: user_id = :user_id",
            "own_customer: user_id = :tenant_id",
            "spec.yaml:80:29 auth.policies.own_customer: unknown parameter ':tenant_id'; :user_id and :role are bound",
        ),
        (
            "FROM customers WHERE user_id",
            "FROM custmers WHERE user_id",
            "spec.yaml:81:16 auth.policies.own_order: unknown table 'custmers' (did you mean 'customers'?)",
        ),
        (
            "c.user_id = :user_id",
            "c.usr_id = :user_id",
            "spec.yaml:82:18 auth.policies.own_payment: 'c' has no column 'usr_id' (did you mean 'user_id'?)",
        ),
        (
            "get: {allow: [staff, own_customer]}",
            "get: {allow: [staff, own_order]}",
            "spec.yaml:100:28 api.resources.customers.get.allow: policy 'own_order' names column 'customer_id', which table "
            f"'customers' does not have\n  {CUSTOMERS}",
        ),
        # --- resources and their columns
        (
            "    payments:\n",
            "    payment: {table: pay}\n    payments:\n",
            "spec.yaml:109:22 api.resources.payment: unknown table 'pay' (known: customers, products, "
            "orders, order_items, payments)",
        ),
        (
            "list: {allow: staff, sort: [-created_at]}",
            "list: {allow: staff, sort: [-creatd_at]}",
            "spec.yaml:99:35 api.resources.customers.list.sort: table 'customers' has no column 'creatd_at' "
            "(did you mean 'created_at'?)",
        ),
        (
            "filter: [active, price_cents]",
            "filter: [active, zzz]",
            "spec.yaml:93:46 api.resources.products.list.filter: table 'products' has no column 'zzz'\n"
            "  columns of products: id, sku, name, price_cents, active, version, updated_at",
        ),
        (
            'set: {user_id: ":user_id"}',
            'set: {user: ":user_id"}',
            "spec.yaml:101:35 api.resources.customers.create.set.user: table 'customers' has no column 'user' "
            "(did you mean 'user_id'?)",
        ),
        (
            "state: \"'pending'\"",
            "state: pending",
            "spec.yaml:118:18 api.resources.payments.create.set.state: no column 'pending' in table 'payments'\n"
            "  columns of payments: id, order_id, amount_cents, provider_ref, state, created_at; a text is quoted twice: "
            "\"'pending'\"",
        ),
        (
            "WHERE id = order_id)",
            "WHERE orders.id = payments.created_at)",
            "spec.yaml:116:25 api.resources.payments.create.set.amount_cents: 'payments.created_at' is not in the body of a "
            "create, so it has no value yet\n  the body carries: order_id",
        ),
        (
            "create: {allow: user, set:",
            "create: {allow: public, set:",
            "spec.yaml:101:46 api.resources.customers.create.set.user_id: :user_id is not bound, because 'public' may "
            "create without signing in",
        ),
        (
            "      update: {allow: own_customer}\n",
            "      update: {allow: own_customer, set: {email: '1', tax_id: '2'}}\n",
            "spec.yaml:102:7 api.resources.customers.update: no column of 'customers' can be changed; remove it",
        ),
        (
            "version    int NOT NULL DEFAULT 1",
            "version    int NOT NULL",
            "spec.yaml:98:5 api.resources.customers.create: 'customers.version' is NOT NULL and nothing gives it a value\n"
            "  give it a default: version integer NOT NULL DEFAULT 1",
        ),
        (
            "operations: {payments.create: 10/minute}",
            "operations: {payments.delete: 10/minute}",
            "spec.yaml:126:16 rate_limits.operations: unknown operation 'payments.delete' (did you mean 'payments.get'?)",
        ),
        (
            "    payments:\n",
            "    order_items: {}\n    payments:\n",
            "spec.yaml:109:5 api.resources.order_items: table 'order_items' has a composite primary key (order_id, line); "
            "a resource over one is not built yet",
        ),
        (
            "    payments:\n",
            "    users: {}\n    payments:\n",
            "spec.yaml:109:5 api.resources.users: table 'users' belongs to the generated service; it is no resource",
        ),
        # --- the DDL
        (
            "  CREATE INDEX orders_by_age",
            "  INSERT INTO orders VALUES (1);\n  CREATE INDEX orders_by_age",
            f"spec.yaml:46:3 schema: INSERT INTO cannot be part of a spec's schema\n  {PLAIN}",
        ),
        (
            "  CREATE INDEX orders_by_age",
            "  DROP TABLE payments;\n  CREATE INDEX orders_by_age",
            f"spec.yaml:46:3 schema: DROP TABLE cannot be part of a spec's schema\n  {PLAIN}",
        ),
        (
            "CREATE TABLE customers (",
            "CREATE TABLE customers ((",
            'spec.yaml:13:27 schema: syntax error at or near "("',
        ),
        (
            "  CREATE TABLE customers (",
            "  CREATE TABLE users (id int);\n  CREATE TABLE customers (",
            "spec.yaml:13:3 schema: table 'users' belongs to the generated auth feature\n  rename the table",
        ),
        (
            "REFERENCES products (id)",
            "REFERENCES product (id)",
            "spec.yaml:51:3 schema: 'order_items' refers to table 'product', which is not created above it "
            "(did you mean 'products'?)\n  tables so far: users, customers, products, orders",
        ),
        (
            "user_id    uuid NOT NULL REFERENCES users (id)",
            "user_id    bigint NOT NULL REFERENCES users (id)",
            "spec.yaml:15:3 schema: 'customers.user_id' is bigint, but 'users.id', which it refers to, is uuid",
        ),
        (
            "ON products (name, id)",
            "ON products (nme, id)",
            "spec.yaml:33:3 schema: index 'products_by_name' names column 'nme', which table 'products' does not have "
            "(did you mean 'name'?)",
        ),
        (
            "sku         text NOT NULL",
            "sku         txt NOT NULL",
            "spec.yaml:26:3 schema: column 'sku' has the unknown type 'txt' (did you mean 'text'?)",
        ),
        (
            "CREATE INDEX payments_by_order ON",
            "CREATE INDEX CONCURRENTLY payments_by_order ON",
            "spec.yaml:66:3 schema: CONCURRENTLY has no place in a new schema\n  write CREATE INDEX",
        ),
    ],
)
def test_error(old: str, new: str, message: str) -> None:
    assert refuse(orders((old, new))) == message


def test_a_flood_of_errors_is_cut() -> None:
    lines = refuse("backendgen: 1\n" * 500).splitlines()
    assert len(lines) == 101
    assert lines[-1] == "spec.yaml and 402 more problems"


def test_all_errors_at_once() -> None:
    text = orders(
        ("  pool:", "  replicas: true\n  pool:"),
        ("default_role: buyer", "default_role: buyr"),
        ("delete: {allow: admin}", "delte: {allow: admin}"),
        ("sort: [name, -updated_at]", "sort: [nme, -updated_at]"),
        ("  CREATE INDEX orders_by_age", "  TRUNCATE orders;\n  CREATE INDEX orders_by_age"),
        ("login: 5/minute", "login: five"),
    )
    places = [line.split()[0] for line in refuse(text).splitlines() if line.startswith("spec.yaml")]
    assert places == [
        "spec.yaml:46:3",
        "spec.yaml:71:3",
        "spec.yaml:80:17",
        "spec.yaml:95:67",
        "spec.yaml:99:7",
        "spec.yaml:127:10",
    ]


def test_a_statement_that_does_not_parse_has_no_echo() -> None:
    """What the statement would have created is not called unknown everywhere else."""
    text = orders(
        ("CREATE TABLE orders (", "CREATE TABEL orders ("), ("delete: {allow: admin}", "delete: {allow: admn}")
    )
    assert refuse(text) == (
        'spec.yaml:36:10 schema: syntax error at or near "TABEL"\n'
        "spec.yaml:97:23 api.resources.products.delete.allow: unknown role or policy 'admn' (did you mean 'admin'?)"
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ('"user_id = :user_id) OR (true"', 'spec.yaml:80:38 auth.policies.own_customer: syntax error at or near ")"'),
        ("true; DROP TABLE users", 'spec.yaml:80:23 auth.policies.own_customer: syntax error at or near ";"'),
        ("true FROM users", 'spec.yaml:80:24 auth.policies.own_customer: syntax error at or near "FROM"'),
        ("true AS x", 'spec.yaml:80:24 auth.policies.own_customer: syntax error at or near "AS"'),
        ("'true, true'", "spec.yaml:80:20 auth.policies.own_customer: expected one SQL expression"),
        ("true -- always", "spec.yaml:80:19 auth.policies.own_customer: write it without comments"),
        ("user_id = $1", "spec.yaml:80:19 auth.policies.own_customer: write parameters by name: :user_id, :role"),
        (
            "user_id = ':user_id'",
            "spec.yaml:80:29 auth.policies.own_customer: ':user_id' in quotes is a text, not the parameter; write :user_id",
        ),
        ("user_id == :user_id", "spec.yaml:80:27 auth.policies.own_customer: SQL has no '=='; write ="),
        ("user_id = :user_id AND", "spec.yaml:80:41 auth.policies.own_customer: syntax error at end of input"),
        (
            "count(*) > 1",
            "spec.yaml:80:19 auth.policies.own_customer: count() counts rows, and here is only one; put it into a subquery: "
            "(SELECT count(...) FROM ...)",
        ),
    ],
)
def test_a_policy_is_one_condition(sql: str, message: str) -> None:
    assert refuse(orders(("own_customer: user_id = :user_id", f"own_customer: {sql}"))) == message


POLICY = "own_customer: user_id = :user_id"
ROLES = "roles: {admin: [staff], staff: [], buyer: []}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("auth:\n", "auth: on\nunused:\n", "auth: expected off or a mapping, found 'on'"),
        (ROLES, "roles: [admin, staff, buyer]", "auth.roles: expected a mapping, found a list"),
        (ROLES, "roles: {admin: [staff], staff: , buyer: []}", "auth.roles.staff: expected a list, found nothing"),
        ("staff: []", "Staff: []", "auth.roles: 'Staff' is not a role's name (lower-case letters, digits and _)"),
        ("roles:", "role:", "auth: unknown key 'role' (did you mean 'roles'?)"),
        (
            POLICY,
            "own_customer: true",
            "auth.policies.own_customer: expected a SQL condition, found 'true'; put it in quotes",
        ),
        (POLICY, "own_customer:", "auth.policies.own_customer: expected a SQL condition, found nothing"),
        (
            POLICY,
            "own_customer: usr_id = :user_id",
            "auth.policies.own_customer: no table has a column 'usr_id' (did you mean 'user_id'?)",
        ),
        (POLICY, "own_customer: new.user_id = :user_id", "auth.policies.own_customer: unknown table 'new'"),
        (
            "create: {allow: staff}",
            "create: {allow: Staff}",
            "api.resources.products.create.allow: expected a role, a policy, 'public' or 'user', found 'Staff'",
        ),
        (
            "create: {allow: staff}",
            "create: {allow: }",
            "api.resources.products.create.allow: expected a role, a policy, 'public' or 'user' or a mapping, found nothing",
        ),
        (
            "create: {allow: staff}",
            "create: {allow: {all: staff}}",
            "api.resources.products.create.allow.all: expected a list, found 'staff'",
        ),
        (
            "create: {allow: staff}",
            "create: {allow: {any: [staff]}}",
            "api.resources.products.create.allow: unknown key 'any' (known: all)",
        ),
        ("payments:\n", "payments: 5\n    unused:\n", "api.resources.payments: expected a mapping, found '5'"),
        ("  resources:", "  resourses:", "api: unknown key 'resourses' (did you mean 'resources'?)"),
        (
            "    payments:\n",
            "    bills: {tabel: payments}\n    payments:\n",
            "api.resources.bills: unknown key 'tabel' (did you mean 'table'?)",
        ),
        (
            "CREATE TABLE payments (",
            "CREATE TEMPORARY TABLE payments (",
            "schema: table 'payments': a temporary table is not built yet in a spec's schema",
        ),
        (
            "CREATE TYPE order_status AS ENUM ('draft', 'placed', 'paid', 'shipped', 'cancelled');",
            "CREATE DOMAIN order_status AS text;",
            "schema: type 'order_status': only enums are built yet",
        ),
    ],
)
def test_a_mistake_has_no_echo(old: str, new: str, message: str) -> None:
    """What depends on the part that is wrong (an unused section follows some of them) is not called unknown as well."""
    found = [line.split(" ", 1)[1] for line in refuse(orders((old, new))).splitlines() if line.startswith("spec.yaml:")]
    assert [line for line in found if "'unused'" not in line and "resources.unused" not in line] == [message]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "allow: [staff, own_customer]",
            "allow: [user, own_customer]",
            "api.resources.customers.get.allow: 'user' admits everybody who is signed in, so the others change nothing; "
            "name it alone",
        ),
        (
            "allow: [staff, own_customer]",
            "allow: [staff, staff]",
            "api.resources.customers.get.allow: 'staff' is listed twice",
        ),
        (
            "sort: [name, -updated_at]",
            "sort: []",
            "api.resources.products.list.sort: the list is empty; name at least one, or leave the key out",
        ),
        ("backendgen: 1", "backendgen: '1'", "backendgen: expected 1, found '1' as text; remove the quotes"),
        (
            "name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200)",
            "name text GENERATED ALWAYS AS (upper(skuu)) STORED",
            "schema: column 'name' is made from 'skuu', which table 'products' does not have (did you mean 'sku'?)",
        ),
        (
            "DEFAULT 'draft'",
            "DEFAULT 'drft'",
            "schema: column 'status': DEFAULT 'drft' is no order_status (did you mean 'draft'?)",
        ),
        (
            "'draft', 'placed'",
            "'draft', 'placed', 'placed'",
            "schema: type 'order_status' has the value 'placed' twice",
        ),
        (
            "provider_ref text UNIQUE",
            "provider_ref text PRIMARY KEY",
            "schema: table 'payments' has a second primary key",
        ),
        ("version    int", "xmin       int", "schema: column 'xmin' is called as one of PostgreSQL's own"),
        (
            "ON products (name, id)",
            "ON products USING btre (name, id)",
            "schema: index 'products_by_name' has the unknown method 'btre' (did you mean 'btree'?)",
        ),
        (
            "  CREATE INDEX customers_by_age",
            "  COMMENT ON COLUMN customers.mail IS 'x';\n  CREATE INDEX customers_by_age",
            "schema: COMMENT names column 'mail', which table 'customers' does not have (did you mean 'email'?)",
        ),
    ],
)
def test_what_would_be_ignored_or_fail_later_is_refused(old: str, new: str, message: str) -> None:
    assert refuse(orders((old, new))).splitlines()[0].split(" ", 1)[1] == message


def test_auth_off() -> None:
    head = """\
backendgen: 1
service: {name: shop}
auth: off
schema: |
  CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL);
"""
    spec = accept(f"{head}rate_limits: off\napi: {{resources: {{users: {{list: {{}}}}}}}}\n")
    assert (spec.auth, spec.rate_limits, spec.assumptions) == (None, None, ())
    assert spec.resources[0].actions[0].allow.public
    assert refuse(
        f"{head}rate_limits: {{user: 1/day}}\napi: {{resources: {{users: {{list: {{allow: user}}}}}}}}\n"
    ) == (
        "spec.yaml:6:15 rate_limits.user: auth is off, so nobody signs in; remove it\n"
        "spec.yaml:7:41 api.resources.users.list.allow: auth is off, so only 'public' may be allowed, not 'user'"
    )


def test_a_resource_needs_a_primary_key() -> None:
    text = "backendgen: 1\nservice: {name: x}\nschema: CREATE TABLE a (b int)\napi: {resources: {a: {}}}\n"
    assert refuse(text) == "spec.yaml:4:19 api.resources.a: table 'a' has no primary key"


def test_the_target_of_the_language_is_refused_section_by_section() -> None:
    target = Path(__file__).parents[3] / "shared" / "design" / "orders.yaml"
    if not target.exists():
        pytest.skip("the design is not beside the repository")
    refused = [
        line for line in refuse(target.read_bytes()).splitlines() if line.endswith("is not built yet; remove it")
    ]
    sections = [line.split()[1] for line in refused]
    assert sections == [
        *["schema:"] * 3,
        "database.replicas",
        *["auth.mfa", "auth.api_keys", "auth.oidc", "auth.tenancy"],
        *["api.formats", "api.versions", "api.resources.products.list.search", "api.resources.products.create.allow:"],
        *["api.resources.products.cache", "api.resources.orders.nested", "api.resources.orders.list.expand"],
        *["api.resources.orders.get.expand", "api.resources.orders.create.allow:", "api.resources.orders.create.set:"],
        *["api.resources.orders.v1", "api.resources.orders.operations", "api.resources.payments.create.saga"],
        *["api.resources.payments.operations", "api.graphql", "rate_limits.api_key", "events", "sagas", "slo"],
    ]
