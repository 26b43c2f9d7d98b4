"""`backendgen audit --endpoints`: the access matrix, on a terminal, in a pipe or a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from backendgen.cli.output import is_colourful, progress
from backendgen.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from backendgen.audit.matrix import Matrix
    from backendgen.config import Config


def endpoints(path: Path, settings: Config, format: str, output: Path | None) -> NoReturn:
    """Print who may call what; exit with 0, or with 2 when a file could not be read."""
    from backendgen import files
    from backendgen.audit.matrix import matrix
    from backendgen.report.table import FORMATS

    if format not in FORMATS:
        raise UserError(f"with --endpoints, --format is one of {', '.join(FORMATS)}, not '{format}'"
                        f"{did_you_mean(format, FORMATS)}")  # fmt: skip
    found = matrix(path, settings, progress)
    progress("")
    text = FORMATS[format](found.table, found.summary).encode(errors="backslashreplace")  # half of a surrogate pair
    if output is not None:
        files.write(output, text)
    elif format == "text" and is_colourful():
        _show(found)
    else:
        typer.echo(text.decode(), nl=False)
    for hole in found.holes:
        typer.echo(f"error: {hole}", err=True)
    sys.stdout.flush()
    sys.exit(2 if found.holes else 0)


def _shown(cell: str) -> str:
    return cell.encode(errors="backslashreplace").decode()


def _show(found: Matrix) -> None:
    """As a table for people: what is open stands out."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console  # 60 ms, for people at a terminal only
    from rich.table import Table
    from rich.text import Text

    titles, rows = found.table.filled()
    shown = Table(*titles, header_style="bold", pad_edge=False, box=SIMPLE_HEAD)
    colours = {"open": "red", "open on purpose": "yellow", "guarded": "green"}
    for row in rows:
        shown.add_row(*(Text(_shown(cell), style=colours.get(cell, ""), overflow="fold") for cell in row))
    console = Console()
    if rows:
        console.print(shown)
    console.print(found.summary, highlight=False)
