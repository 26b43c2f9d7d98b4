"""`backendgen audit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from backendgen.cli.options import (
    BaselineOption,
    ConfidenceOption,
    ConfigOption,
    FailOnOption,
    FormatOption,
    IgnoreOption,
    OutputOption,
    PathArgument,
    ReportOption,
    SelectOption,
    WriteBaselineOption,
    refuse_unused,
    settings_of,
)
from backendgen.cli.output import Outlets, progress, report_on

EXAMPLES = (
    "audit .",
    "audit app --format sarif --output audit.sarif",
    "audit . --select BG3 --fail-on high",
    "audit . --write-baseline backendgen-baseline.json",
    "audit . --baseline backendgen-baseline.json --report sarif=audit.sarif",
    "audit . --endpoints",
    "audit . --endpoints --format markdown --output docs/access.md",
)
# What an access matrix leaves unused.
_OF_FINDINGS = ("fail_on", "confidence", "select", "ignore", "report", "baseline", "write_baseline")


def audit(
    context: typer.Context,
    path: PathArgument = Path(),
    format: FormatOption = "text",
    output: OutputOption = None,
    fail_on: FailOnOption = None,
    confidence: ConfidenceOption = None,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    config: ConfigOption = None,
    report: ReportOption = None,
    baseline: BaselineOption = None,
    write_baseline: WriteBaselineOption = None,
    endpoints: Annotated[
        bool, typer.Option("--endpoints", help="Show who may call which endpoint, as text, json or markdown, and stop.")
    ] = False,
) -> None:
    """Find OWASP and backend problems in Python code."""
    if endpoints:
        refuse_unused(context, {"endpoints": _OF_FINDINGS})
    settings = settings_of(path, config, fail_on, confidence, select, ignore, baseline, write_baseline)
    if endpoints:
        from backendgen.cli.endpoints import endpoints as show

        show(path, settings, format, output)
    from backendgen import audit as core

    run = partial(core.audit, path, settings, progress=progress)
    report_on(run, path, settings, Outlets(format, output, report, write_baseline))
