"""Runs the migrations from Python, as the owner."""

from pathlib import Path

from alembic import command
from alembic.config import Config

ROOT = Path(__file__).parent.parent


def upgrade(owner: str, revision: str = "head") -> None:
    """Migrate the database at `owner` up to `revision`."""
    command.upgrade(_config(owner), revision)


def downgrade(owner: str, revision: str = "base") -> None:
    """Migrate the database at `owner` down to `revision`."""
    command.downgrade(_config(owner), revision)


def _config(owner: str) -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["url"] = owner
    return config
