"""Idempotency"""

from migrations.run_sql import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply the change."""
    run_sql("0003_idempotency.up.sql")


def downgrade() -> None:
    """Take the change back."""
    run_sql("0003_idempotency.down.sql")
