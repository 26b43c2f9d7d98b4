"""Privileges"""

from migrations.run_sql import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply the change."""
    run_sql("0001_privileges.up.sql")


def downgrade() -> None:
    """Take the change back."""
    run_sql("0001_privileges.down.sql")
