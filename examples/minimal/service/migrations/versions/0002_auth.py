"""Auth"""

from migrations.run_sql import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply the change."""
    run_sql("0002_auth.up.sql")


def downgrade() -> None:
    """Take the change back."""
    run_sql("0002_auth.down.sql")
