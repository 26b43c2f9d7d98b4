"""`--fix`: the changes that a tool can make by itself, in the files that are not applied yet."""

from backendgen.migrate.rewrite.fix import Fixed, diff, fix

__all__ = ["Fixed", "diff", "fix"]
