"""Reports to standard output or a file, progress to the terminal, and the exit code that follows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from backendgen.errors import UserError

if TYPE_CHECKING:
    from backendgen.config import Config
    from backendgen.findings.finding import Report
    from backendgen.rules import Rulebook

STARTED = time.monotonic()


def rulebook_for(start: Path) -> Rulebook:
    """The tool's cards and the project's own, from `.backendgen/rules` at or above `start`."""
    from backendgen import resources
    from backendgen.rules import Rulebook

    own = next((folder / ".backendgen" / "rules" for folder in (start.absolute(), *start.absolute().parents)
                if (folder / ".backendgen" / "rules").is_dir()), None)  # fmt: skip
    return Rulebook(resources.directory("rules"), *([own] if own else []))


def report_on(
    check: Callable[[Rulebook], Report], path: Path, settings: Config, format: str, output: Path | None
) -> NoReturn:
    """Run a check and write its report; exit with 0, 1 for findings at or above `fail_on`, 2 when an engine did not run."""
    from backendgen import files
    from backendgen.errors import did_you_mean
    from backendgen.report import FORMATS, renderer
    from backendgen.rules import Severity

    if format not in FORMATS:
        raise UserError(f"--format is one of {', '.join(FORMATS)}, not '{format}'{did_you_mean(format, FORMATS)}")
    rulebook = rulebook_for(path)
    report = check(rulebook)
    progress("")
    text = renderer(format, colour=output is None and _colour())(report, rulebook)
    text = text.encode(errors="backslashreplace").decode()  # half of a surrogate pair, as a literal may name it
    if output is None:
        typer.echo(text, nl=False)
        sys.stdout.flush()
    else:
        files.write(output, text.encode())
    for problem in report.failures if format != "text" or output else ():
        typer.echo(f"error: {problem}", err=True)
    if report.failures:
        sys.exit(2)
    failing = settings.fail_on != "never" and any(
        one.severity >= Severity[settings.fail_on.upper()] for one in report.findings
    )
    sys.exit(1 if failing else 0)


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def progress(text: str) -> None:
    """Say what is under way, once it takes longer than a second, on a line of the terminal that the next one overwrites."""
    if sys.stderr.isatty() and time.monotonic() - STARTED > 1:
        with suppress(OSError):
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def abandon_output() -> None:
    """Keep the interpreter from writing at its exit what could not be written now: it would end with a code of its own."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open to the end
