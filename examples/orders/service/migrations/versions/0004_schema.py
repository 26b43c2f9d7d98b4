"""Schema"""

from migrations.run_sql import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply the change."""
    run_sql("0004_schema.up.sql")


def downgrade() -> None:
    """Take the change back."""
    run_sql("0004_schema.down.sql")
