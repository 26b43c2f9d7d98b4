"""`backendgen audit --endpoints`: the access matrix, on a terminal, in a pipe or a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from backendgen.cli.output import progress
from backendgen.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from backendgen.audit.matrix import Matrix
    from backendgen.config import Config

COLOURS = {"open": "red", "open on purpose": "yellow", "guarded": "green"}


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
    elif format == "text" and sys.stdout.isatty():
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
    """For people at a terminal: a table when there is room for it, else a few lines for each; what is open stands out."""
    from rich.console import Console  # 60 ms, for people at a terminal only
    from rich.table import Table
    from rich.text import Text

    from backendgen.report.table import blocks, width_of

    console = Console()
    titles, rows = found.table.filled()
    shown = Table(*titles, header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        shown.add_row(*(Text(_shown(cell), style=COLOURS.get(cell, "")) for cell in row))
    if rows and width_of(found.table) <= console.width:
        console.print(shown, "")
    elif rows:
        for *title, words in blocks(found.table, console.width):
            style = COLOURS.get(words, "") if title else "bold"
            console.print(Text("".join(title)) + Text(_shown(words), style=style), soft_wrap=True)
    console.print(found.summary, highlight=False)
