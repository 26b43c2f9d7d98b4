"""The checks, by topic. Importing this package registers all of them."""

from backendgen.migrate.checks import columns, compatibility, constraints, indexes, rows, timeouts
from backendgen.migrate.checks.registry import CHECKS

__all__ = ["CHECKS", "columns", "compatibility", "constraints", "indexes", "rows", "timeouts"]
