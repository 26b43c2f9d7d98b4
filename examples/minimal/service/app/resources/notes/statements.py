"""The SQL of /notes.

`%(caller...)s` is about who asks, `%(key...)s` names the row; every other parameter is a value of
the request, under its own name. What is in braces is composed from the parts below.
"""

from psycopg.sql import SQL

from app.pagination import SortKey

# A page of rows: the filters and the position of a cursor are its conditions.
LIST = SQL("""
SELECT id, title, content, version, created_at
FROM notes
WHERE {conditions}
ORDER BY {order}
LIMIT %(page.rows)s
""")

# The order: it ends in the primary key, so that no two rows are equal.
ORDER = (SortKey("id"),)

# One row.
GET = SQL("""
SELECT id, title, content, version, created_at
FROM notes
WHERE id = %(key.id)s
""")

# A new row.
CREATE = SQL("""
INSERT INTO notes (title, content)
VALUES (
  %(title)s,
  {content}
)
RETURNING id, title, content, version, created_at
""")

# What stands in for a DEFAULT when the body has the field.
GIVEN = {
    "content": SQL("%(content)s"),
}

# The columns that are sent, of a row that has not changed since it was read.
UPDATE = SQL("""
UPDATE notes
SET {changes},
    version = version + 1
WHERE id = %(key.id)s
  AND version = ANY(%(key.versions)s)
RETURNING id, title, content, version, created_at
""")

# What an update may set.
CHANGES = {
    "title": SQL("title = %(title)s"),
    "content": SQL("content = %(content)s"),
}

# Tells a row that has changed from one that is not there.
UPDATABLE = SQL("""
SELECT 1 AS found
FROM notes
WHERE id = %(key.id)s
""")

# Returns its key when there was such a row.
DELETE = SQL("""
DELETE FROM notes
WHERE id = %(key.id)s
RETURNING id
""")
