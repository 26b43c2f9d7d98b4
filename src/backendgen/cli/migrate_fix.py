"""`backendgen migrate-check --fix` and `--plan`: what is written, and what is said of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from backendgen.config import Config
    from backendgen.migrate.pending import Pending
    from backendgen.rules import Rulebook


def fixed(
    path: Path, settings: Config, rulebook: Rulebook, pending: Pending, *, everything: bool, only_diff: bool
) -> Pending:
    """Write the fixes and say what was written; return which migrations were pending.

    With `only_diff`, print a diff, write nothing and exit: 1 when something would change, 0 when nothing would.
    """
    from backendgen import files
    from backendgen.migrate import rewrite

    plan = rewrite.fix(path, settings, rulebook, pending, everything=everything)
    for problem in plan.unfixed:
        typer.echo(f"note: {problem}", err=True)
    if not plan.files:
        typer.echo("nothing to fix" if not plan.unfixed else "nothing is changed", err=True)
    if only_diff:
        typer.echo(rewrite.diff(plan), nl=False)
        sys.exit(1 if plan.files else 0)
    if plan.files:
        files.write_tree(plan.root, plan.files, force=True)
    for line in plan.lines():
        typer.echo(line, err=True)
    return plan.pending


def planned(
    path: Path, settings: Config, rulebook: Rulebook, pending: Pending, folder: Path, *, everything: bool
) -> None:
    """Write the plan of what takes several deploys, and say what is in it."""
    from backendgen import files
    from backendgen.migrate import plan as planning

    files.refuse_occupied(folder)
    plan = planning.plan(path, settings, rulebook, pending, everything=everything)
    for problem in plan.unplanned:
        typer.echo(f"note: {problem}", err=True)
    if not plan.files:
        why = "see the notes" if plan.unplanned else "no pending change takes several deploys"
        typer.echo(f"nothing is planned: {why}", err=True)
        return
    files.write_tree(folder, plan.files)
    for file in plan.files:
        typer.echo(f"{folder / file.path}")
    typer.echo(f"\nNext: read {folder / 'README.md'}")
