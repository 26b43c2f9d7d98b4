"""`backendgen new`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backendgen.errors import Problem, UserError

if TYPE_CHECKING:
    from backendgen.spec.model import Assumption


EXAMPLES = ("new spec.yaml -o orders", "new spec.yaml --dry-run", "new spec.yaml --strict")


def new(
    spec: Annotated[Path, typer.Argument(help="The service's YAML spec.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here (default: the service's name).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a directory that is not empty.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the files and write nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Treat every assumption as an error.")] = False,
) -> None:
    """Write a backend service from one YAML spec."""
    from backendgen import files, scaffold
    from backendgen.spec.load import load

    loaded = load(spec)
    notes = [
        Problem(
            f"{one.code} {one.message} (taken: {one.taken})", one.path or str(spec), one.line, one.column, _choices(one)
        )
        for one in loaded.assumptions
    ]
    if strict and notes:
        raise UserError(*notes)
    target = output or Path(loaded.service.name)
    if not dry_run:
        files.refuse_occupied(target, force=force)
    tree = scaffold.plan(loaded)
    for note in notes:
        typer.echo(f"assumed: {note}", err=True)
    if dry_run:
        for file in tree:
            typer.echo(f"{target / file.path}")
        return
    files.write_tree(target, tree, force=force)
    typer.echo(f"{len(tree)} files written to {target}\n")
    typer.echo("Next:" if target.resolve() == Path.cwd() else f"Next:\n  cd {target}")
    typer.echo("  scripts/run     # PostgreSQL, migrations and the API on this machine")
    typer.echo("  scripts/test    # its own tests")


def _choices(assumption: Assumption) -> str:
    return f"choices: {', '.join(assumption.choices)}" if assumption.choices else ""
