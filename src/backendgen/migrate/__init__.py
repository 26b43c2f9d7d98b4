"""`backendgen migrate-check`: a migration history, replayed, and what would lock or break production on the way."""

from backendgen.migrate.checks import CHECKS
from backendgen.migrate.judge import check

__all__ = ["CHECKS", "check"]
