"""`backendgen migrate-check`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from backendgen.cli.options import (
    ConfidenceOption,
    ConfigOption,
    FailOnOption,
    FormatOption,
    IgnoreOption,
    OutputOption,
    PathArgument,
    SelectOption,
    settings_of,
)
from backendgen.cli.output import report_on

EXAMPLES = (
    "migrate-check migrations",
    "migrate-check alembic/versions --fail-on high",
    "migrate-check 0042.sql --pg-version 16",
)


def migrate_check(
    path: PathArgument = Path(),
    format: FormatOption = "text",
    output: OutputOption = None,
    fail_on: FailOnOption = None,
    confidence: ConfidenceOption = None,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    config: ConfigOption = None,
    pg_version: Annotated[int | None, typer.Option(help="The server's major version (default 14).")] = None,
) -> None:
    """Find migrations that would lock, rewrite, break or lose data."""
    from dataclasses import replace

    from backendgen import migrate as core

    settings = settings_of(path, config, fail_on, confidence, select, ignore)
    if pg_version is not None:
        settings = replace(settings, pg_version=pg_version)
    report_on(partial(core.check, path, settings), path, settings, format, output)
