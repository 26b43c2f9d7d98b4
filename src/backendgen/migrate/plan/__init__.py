"""`--plan`: what cannot be done in one deploy, cut into migrations with the releases of the code between them."""

from backendgen.migrate.plan.plan import Plan, plan

__all__ = ["Plan", "plan"]
