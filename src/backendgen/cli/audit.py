"""`backendgen audit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

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
from backendgen.cli.output import progress, report_on

EXAMPLES = ("audit .", "audit app --format sarif --output audit.sarif", "audit . --select BG3 --fail-on high")


def audit(
    path: PathArgument = Path(),
    format: FormatOption = "text",
    output: OutputOption = None,
    fail_on: FailOnOption = None,
    confidence: ConfidenceOption = None,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Find OWASP and backend problems in Python code."""
    from backendgen import audit as core

    settings = settings_of(path, config, fail_on, confidence, select, ignore)
    report_on(partial(core.audit, path, settings, progress=progress), path, settings, format, output)
