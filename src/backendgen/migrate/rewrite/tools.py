"""Which module rewrites the SQL migrations of which tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from backendgen.findings.remedy import Remedy
from backendgen.migrate.history import Migration
from backendgen.migrate.rewrite import scripts
from backendgen.migrate.rewrite.naming import Folder
from backendgen.migrate.rewrite.scripts import Source

Rewriter = Callable[[Source, Sequence[Remedy], Folder, list[str]], dict[Path, str]]


def rewriter_of(migration: Migration, *, in_place: bool = False) -> Rewriter:
    """Return what rewrites a migration: a file of its own, a changeset of a file, or a change of a plan.

    `in_place`: its statements commit by themselves, so that none has to move.
    """
    if in_place:
        from backendgen.migrate.rewrite import in_place as statements

        return statements.rewrite
    if migration.tool == "liquibase":
        from backendgen.migrate.rewrite import liquibase

        return liquibase.rewrite
    if migration.tool == "sqitch":
        from backendgen.migrate.rewrite import sqitch

        return sqitch.rewrite
    return scripts.rewrite
