"""The SQL of /customers.

`%(caller...)s` is about who asks, `%(key...)s` names the row; every other parameter is a value of
the request, under its own name. What is in braces is composed from the parts below.
"""

from psycopg.sql import SQL

from app.pagination import SortKey

# A page of rows: the filters and the position of a cursor are its conditions.
LIST = SQL("""
SELECT id, user_id, email, tax_id, version, created_at
FROM customers
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
SELECT id, user_id, email, tax_id, version, created_at
FROM customers
WHERE id = %(key.id)s
  AND (%(caller.is_staff)s OR (user_id = %(caller.user_id)s))
""")

# A new row.
CREATE = SQL("""
INSERT INTO customers (email, tax_id, user_id)
VALUES (
  %(email)s,
  %(tax_id)s,
  %(caller.user_id)s
)
RETURNING id, user_id, email, tax_id, version, created_at
""")

# The columns that are sent, of a row that has not changed since it was read.
UPDATE = SQL("""
UPDATE customers
SET {changes},
    version = version + 1
WHERE id = %(key.id)s
  AND version = ANY(%(key.versions)s)
  AND (user_id = %(caller.user_id)s)
RETURNING id, user_id, email, tax_id, version, created_at,
  (user_id = %(caller.user_id)s) AS "caller.permitted"
""")

# What an update may set.
CHANGES = {
    "email": SQL("email = %(email)s"),
    "tax_id": SQL("tax_id = %(tax_id)s"),
}

# Tells a row that has changed from one that is not there.
UPDATABLE = SQL("""
SELECT 1 AS found
FROM customers
WHERE id = %(key.id)s
  AND (user_id = %(caller.user_id)s)
""")
