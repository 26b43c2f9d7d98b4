"""`backendgen audit`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backendgen.cli.options import (
    BaselineOption,
    ConfidenceOption,
    ConfigOption,
    FailOnOption,
    FormatOption,
    IgnoreOption,
    JobsOption,
    NoCacheOption,
    OutputOption,
    PathArgument,
    ReportOption,
    SelectOption,
    WriteBaselineOption,
    refuse_unused,
    settings_of,
)
from backendgen.cli.output import Outlets, progress, report_on, rulebook_for
from backendgen.errors import UserError

if TYPE_CHECKING:
    from backendgen.config import Config

EXAMPLES = (
    "audit .",
    "audit app --format sarif --output audit.sarif",
    "audit . --select BG3 --fail-on high",
    "audit . --write-baseline backendgen-baseline.json",
    "audit . --baseline backendgen-baseline.json --report sarif=audit.sarif",
    "audit . --endpoints",
    "audit . --endpoints --format markdown --output docs/access.md",
    "audit . --since origin/main",
    "audit . --fix --diff",
    "audit . --fix",
)
# What an access matrix leaves unused.
_OF_FINDINGS = (
    "fail_on",
    "confidence",
    "select",
    "ignore",
    "report",
    "baseline",
    "write_baseline",
    "jobs",
    "fix",
    "diff",
    "since",
)


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
    fix: Annotated[
        bool, typer.Option("--fix", help="Correct what a tool can correct by itself, then report what is left.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="With --fix: print the changes, write nothing.")] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Report only what is on lines that changed since this git revision.", metavar="REV"),
    ] = None,
    jobs: JobsOption = 0,
    no_cache: NoCacheOption = False,
) -> None:
    """Find OWASP and backend problems in code and configuration."""
    if endpoints:
        refuse_unused(context, {"endpoints": _OF_FINDINGS})
    if diff and not fix:
        raise UserError("--diff does nothing without --fix")
    if since and write_baseline:
        raise UserError("--write-baseline lists all findings: leave out --since")
    settings = settings_of(path, config, fail_on, confidence, select, ignore, baseline, write_baseline)
    if endpoints:
        from backendgen.cli.endpoints import endpoints as show

        show(path, settings, format, output)
    from backendgen.workers import cores

    jobs = jobs or cores()
    if fix:
        _fixed(path, settings, since, jobs, only_diff=diff)
    from backendgen import audit as core

    run = partial(core.audit, path, settings, progress=progress, since=since, jobs=jobs)
    report_on(run, path, settings, Outlets(format, output, report, write_baseline))


def _fixed(path: Path, settings: Config, since: str | None, jobs: int, *, only_diff: bool) -> None:
    """Write the fixes and say what was written; with `only_diff`, print a diff and exit: 1 when something would change."""
    from backendgen import audit as core
    from backendgen import files
    from backendgen.code import edits

    plan = core.fix(path, settings, rulebook_for(path), progress, since=since, jobs=jobs)
    progress("")
    for problem in plan.unfixed:
        typer.echo(f"note: {problem}", err=True)
    if not plan.files:
        typer.echo("nothing to fix" if not plan.unfixed else "nothing is changed", err=True)
    if only_diff:
        typer.echo(edits.diff(plan.before, plan.files), nl=False)
        sys.exit(1 if plan.files else 0)
    if plan.files:
        files.write_tree(plan.root, plan.files, force=True)
    for line in plan.lines():
        typer.echo(line, err=True)
