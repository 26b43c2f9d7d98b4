"""`backendgen migrate-check`: a migration history, replayed, and what would lock or break production on the way."""

from backendgen.migrate.checks import CHECKS, DOWN_CHECKS
from backendgen.migrate.judge import check
from backendgen.migrate.pending import Pending
from backendgen.migrate.sizes import load as load_sizes
from backendgen.migrate.timeline import render, timeline

__all__ = ["CHECKS", "DOWN_CHECKS", "Pending", "check", "load_sizes", "render", "timeline"]
