"""${message}"""

from migrations.run_sql import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply the change."""
    run_sql("${up_revision}_NAME.up.sql")


def downgrade() -> None:
    """Take the change back."""
    run_sql("${up_revision}_NAME.down.sql")
