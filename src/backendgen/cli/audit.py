"""`backendgen audit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

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
    settings_of,
)
from backendgen.cli.output import Outlets, progress, report_on

EXAMPLES = (
    "audit .",
    "audit app --format sarif --output audit.sarif",
    "audit . --select BG3 --fail-on high",
    "audit . --write-baseline backendgen-baseline.json",
    "audit . --baseline backendgen-baseline.json --report sarif=audit.sarif",
)


def audit(
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
) -> None:
    """Find OWASP and backend problems in Python code."""
    from backendgen import audit as core

    settings = settings_of(path, config, fail_on, confidence, select, ignore, baseline, write_baseline)
    run = partial(core.audit, path, settings, progress=progress)
    report_on(run, path, settings, Outlets(format, output, report, write_baseline))
