"""The SQL of /payments.

`%(caller...)s` is about who asks, `%(key...)s` names the row; every other parameter is a value of
the request, under its own name. What is in braces is composed from the parts below.
"""

from psycopg.sql import SQL

from app.pagination import SortKey

# A page of rows: the filters and the position of a cursor are its conditions.
LIST = SQL("""
SELECT id, order_id, amount_cents, provider_ref, state, created_at
FROM payments
WHERE {conditions}
ORDER BY {order}
LIMIT %(page.rows)s
""")

# The orders: each ends in the primary key.
SORTS = {
    "-created_at": (SortKey("created_at", descending=True), SortKey("id", descending=True)),
}

# One row.
GET = SQL("""
SELECT id, order_id, amount_cents, provider_ref, state, created_at
FROM payments
WHERE id = %(key.id)s
  AND (%(caller.is_staff)s OR (order_id IN (SELECT o.id FROM orders o JOIN customers c ON
      c.id = o.customer_id WHERE c.user_id = %(caller.user_id)s)))
""")

# A new row.
CREATE = SQL("""
INSERT INTO payments (order_id, amount_cents, provider_ref, state)
VALUES (
  %(order_id)s,
  (SELECT (SELECT total_cents FROM orders WHERE id = order_id) FROM (SELECT
    %(order_id)s::uuid AS order_id) AS payments),
  NULL,
  'pending'
)
RETURNING id, order_id, amount_cents, provider_ref, state, created_at,
  (order_id IN (SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id WHERE
    c.user_id = %(caller.user_id)s)) AS "caller.permitted"
""")
