"""The SQL of /products.

`%(caller...)s` is about who asks, `%(key...)s` names the row; every other parameter is a value of
the request, under its own name. What is in braces is composed from the parts below.
"""

from psycopg.sql import SQL

from app.pagination import SortKey

# A page of rows: the filters and the position of a cursor are its conditions.
LIST = SQL("""
SELECT id, sku, name, price_cents, active, version, updated_at
FROM products
WHERE {conditions}
ORDER BY {order}
LIMIT %(page.rows)s
""")

# What a list may be narrowed by: a condition for each name.
FILTERS = {
    "active": SQL("active = %(active)s"),
    "price_cents": SQL("price_cents = %(price_cents)s"),
    "price_cents[gte]": SQL("price_cents >= %(price_cents[gte])s"),
    "price_cents[gt]": SQL("price_cents > %(price_cents[gt])s"),
    "price_cents[lte]": SQL("price_cents <= %(price_cents[lte])s"),
    "price_cents[lt]": SQL("price_cents < %(price_cents[lt])s"),
}

# The orders: each ends in the primary key.
SORTS = {
    "name": (SortKey("name"), SortKey("id")),
    "-updated_at": (SortKey("updated_at", descending=True), SortKey("id", descending=True)),
}

# One row.
GET = SQL("""
SELECT id, sku, name, price_cents, active, version, updated_at
FROM products
WHERE id = %(key.id)s
""")

# A new row.
CREATE = SQL("""
INSERT INTO products (sku, name, price_cents, active)
VALUES (
  %(sku)s,
  %(name)s,
  %(price_cents)s,
  {active}
)
RETURNING id, sku, name, price_cents, active, version, updated_at
""")

# What stands in for a DEFAULT when the body has the field.
GIVEN = {
    "active": SQL("%(active)s"),
}

# The columns that are sent, of a row that has not changed since it was read.
UPDATE = SQL("""
UPDATE products
SET {changes},
    version = version + 1,
    updated_at = now()
WHERE id = %(key.id)s
  AND version = ANY(%(key.versions)s)
RETURNING id, sku, name, price_cents, active, version, updated_at
""")

# What an update may set.
CHANGES = {
    "sku": SQL("sku = %(sku)s"),
    "name": SQL("name = %(name)s"),
    "price_cents": SQL("price_cents = %(price_cents)s"),
    "active": SQL("active = %(active)s"),
}

# Tells a row that has changed from one that is not there.
UPDATABLE = SQL("""
SELECT 1 AS found
FROM products
WHERE id = %(key.id)s
""")

# Returns its key when there was such a row.
DELETE = SQL("""
DELETE FROM products
WHERE id = %(key.id)s
RETURNING id
""")
