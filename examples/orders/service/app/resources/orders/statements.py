"""The SQL of /orders.

`%(caller...)s` is about who asks, `%(key...)s` names the row; every other parameter is a value of
the request, under its own name. What is in braces is composed from the parts below.
"""

from psycopg.sql import SQL

from app.pagination import SortKey

# A page of rows: the filters and the position of a cursor are its conditions.
LIST = SQL("""
SELECT id, customer_id, status, total_cents, version, placed_at, created_at
FROM orders
WHERE (%(caller.is_staff)s OR (customer_id IN (SELECT id FROM customers WHERE user_id =
      %(caller.user_id)s)))
  AND {conditions}
ORDER BY {order}
LIMIT %(page.rows)s
""")

# What a list may be narrowed by: a condition for each name.
FILTERS = {
    "status": SQL("status = %(status)s"),
    "created_at": SQL("created_at = %(created_at)s"),
    "created_at[gte]": SQL("created_at >= %(created_at[gte])s"),
    "created_at[gt]": SQL("created_at > %(created_at[gt])s"),
    "created_at[lte]": SQL("created_at <= %(created_at[lte])s"),
    "created_at[lt]": SQL("created_at < %(created_at[lt])s"),
}

# The orders: each ends in the primary key.
SORTS = {
    "-created_at": (SortKey("created_at", descending=True), SortKey("id", descending=True)),
}

# One row.
GET = SQL("""
SELECT id, customer_id, status, total_cents, version, placed_at, created_at
FROM orders
WHERE id = %(key.id)s
  AND (%(caller.is_staff)s OR (customer_id IN (SELECT id FROM customers WHERE user_id =
      %(caller.user_id)s)))
""")

# A new row.
CREATE = SQL("""
INSERT INTO orders (customer_id, status, total_cents, placed_at)
VALUES (
  %(customer_id)s,
  'draft',
  0,
  NULL
)
RETURNING id, customer_id, status, total_cents, version, placed_at, created_at,
  (customer_id IN (SELECT id FROM customers WHERE user_id = %(caller.user_id)s)) AS
    "caller.permitted"
""")
