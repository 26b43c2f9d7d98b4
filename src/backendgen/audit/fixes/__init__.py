"""`audit --fix`: the changes that a tool can make by itself, and that a second audit finds nothing wrong with."""

from backendgen.audit.fixes.plan import Fixed, fix

__all__ = ["Fixed", "fix"]
