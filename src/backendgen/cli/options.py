"""The options that `audit` and `migrate-check` share, and the configuration that they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backendgen.errors import UserError

if TYPE_CHECKING:
    from backendgen.config import Config


def _formats() -> list[str]:
    from backendgen.report import FORMATS

    return list(FORMATS)


def _severities() -> list[str]:
    from backendgen.config import SEVERITIES

    return list(SEVERITIES)


def _confidences() -> list[str]:
    from backendgen.config import CONFIDENCES

    return list(CONFIDENCES)


def rule_ids() -> list[str]:
    """Return the ids that a shell completes: the tool's, and those of the project that one stands in."""
    from backendgen.cli.output import rulebook_for

    return list(rulebook_for(Path.cwd()).ids)


FORMAT_HELP = "text, json, sarif, github, gitlab, junit or markdown."
PathArgument = Annotated[Path, typer.Argument(help="The project, folder or file to check.", show_default=False)]
FormatOption = Annotated[
    str, typer.Option("--format", "-f", help=FORMAT_HELP, metavar="FORMAT", autocompletion=_formats)
]
OutputOption = Annotated[Path | None, typer.Option("--output", help="Write the report to this file.", metavar="FILE")]
ReportOption = Annotated[
    list[str] | None,
    typer.Option("--report", help="Write this report too, in the same run. Repeatable.", metavar="FORMAT=FILE"),
]
BaselineOption = Annotated[
    Path | None, typer.Option(help="Hide the findings that this file lists, and report what is new.", metavar="FILE")
]
WriteBaselineOption = Annotated[
    Path | None, typer.Option(help="List all findings in this file, for --baseline.", metavar="FILE")
]
FailOnOption = Annotated[
    str | None,
    typer.Option(
        help="Exit with 1 from this severity on: info, low, medium (default), high, critical, never.",
        metavar="SEVERITY",
        autocompletion=_severities,
    ),
]
ConfidenceOption = Annotated[
    str | None,
    typer.Option(
        help="Show findings from this confidence on: low, medium (default), high.",
        metavar="CONFIDENCE",
        autocompletion=_confidences,
    ),
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option(help="Only rules whose ids start so: BG1, BG103. Repeatable.", metavar="ID", autocompletion=rule_ids),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(help="Not the rules whose ids start so. Repeatable.", metavar="ID", autocompletion=rule_ids),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", help="Processes that share the work (0: one for each core).", metavar="N", min=0)
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Judge again, though nothing has changed since the last run.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(help="Read this file, not the nearest backendgen.toml or pyproject.toml.", metavar="FILE"),
]


def refuse_unused(
    context: typer.Context, unused: Mapping[str, Sequence[str]], needs: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Raise UserError when an option of the command line would do nothing.

    `unused` are what the options that end a run without a report leave unused, `needs` what others do nothing without.
    """
    written = {each.name: each.opts[0] for each in context.command.params if each.name}
    given = [
        name
        for name in written
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
        and context.params[name] is not False
    ]
    for name, needed in (needs or {}).items():
        if name in given and not set(needed) & set(given):
            raise UserError(f"{written[name]} does nothing without {' or '.join(written[each] for each in needed)}")
    for name, idle_ones in unused.items():
        if name in given and (idle := [written[each] for each in idle_ones if each in given]):
            raise UserError(f"{written[name]} ends without a report: leave out {', '.join(idle)}, or {written[name]}")


def settings_of(
    path: Path,
    config: Path | None,
    fail_on: str | None,
    confidence: str | None,
    select: list[str] | None,
    ignore: list[str] | None,
    baseline: Path | None,
    write_baseline: Path | None,
) -> Config:
    """Return the configuration for a path, with what the command line says in place of it.

    Who writes a baseline compares with the same file, if there is one, so that what this run does not judge stays in it.
    """
    from dataclasses import replace

    from backendgen import files
    from backendgen.config import load

    given: dict[str, Any] = {
        "fail_on": fail_on,
        "confidence": confidence,
        "select": _words(select),
        "ignore": _words(ignore),
    }
    settings = replace(load(path, config), **{key: value for key, value in given.items() if value not in (None, ())})
    if write_baseline and not baseline:
        return replace(settings, baseline=write_baseline if files.exists(write_baseline) else None)
    return replace(settings, baseline=baseline or settings.baseline)


def _words(options: list[str] | None) -> tuple[str, ...]:
    words = tuple(word for option in options or () for word in option.replace(",", " ").split())
    if options and not words:
        raise UserError(
            "--select and --ignore need the start of a rule's id, such as BG1; `backendgen rules` lists them"
        )
    return words
