"""Alembic revisions, read by their syntax trees."""
