"""The one way in which a migration runs SQL."""

from pathlib import Path

from alembic import op

FOLDER = Path(__file__).parent / "sql"
# The first line of a file with one statement that PostgreSQL refuses inside a transaction, such as
# CREATE INDEX CONCURRENTLY.
NO_TRANSACTION = "-- no transaction"


def run_sql(name: str) -> None:
    """Run a file of migrations/sql as it is: no character in it has a special meaning."""
    sql = (FOLDER / name).read_text(encoding="utf-8")
    if sql.startswith(NO_TRANSACTION):
        with op.get_context().autocommit_block():
            _execute(sql)
    else:
        _execute(sql)


def _execute(sql: str) -> None:
    # The driver's own cursor: SQLAlchemy would read `:name` and `%` in the text.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(sql)
    cursor.close()
