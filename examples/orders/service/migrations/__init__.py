"""Migrations: plain SQL files, up and down, in the order that Alembic keeps."""
