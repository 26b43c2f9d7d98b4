"""Where the cards and templates are: inside the installed package, or beside `src` in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from backendgen.errors import UserError


@cache
def directory(name: str) -> Path:
    """Return the folder `rules` or `templates`. Raises UserError when the installation lacks it."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "data" / name, package.parent.parent / name):
        if candidate.is_dir():
            return candidate
    raise UserError(f"this installation of backendgen has no '{name}' folder; reinstall it")
