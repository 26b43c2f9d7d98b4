"""Reports to standard output or a file, progress to the terminal, and the exit code that follows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from backendgen.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from backendgen.config import Config
    from backendgen.findings.finding import Report
    from backendgen.rules import Rulebook, Severity

STARTED = time.monotonic()


def rulebook_for(start: Path) -> Rulebook:
    """The tool's cards and the project's own, from `.backendgen/rules` at or above `start`."""
    from backendgen import files, resources
    from backendgen.rules import Rulebook

    own = next((folder / ".backendgen" / "rules" for folder in (start.absolute(), *start.absolute().parents)
                if files.is_folder(folder / ".backendgen" / "rules")), None)  # fmt: skip
    return Rulebook(resources.directory("rules"), *([own] if own else []))


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where a report goes: to standard output or a file in one format, into more files, and into a baseline."""

    format: str
    output: Path | None = None
    more: list[str] | None = None
    baseline: Path | None = None

    def files(self) -> list[tuple[str, Path | None]]:
        """Return formats and files, standard output as None. Raises UserError for formats that there are not."""
        from backendgen.report import FORMATS

        wanted = [("--format", self.format, self.output)]
        for written in self.more or ():
            name, separator, file = written.partition("=")
            if not separator or not file:
                raise UserError(f"--report is FORMAT=FILE, such as sarif=report.sarif, not '{written}'")
            wanted.append(("--report", name, Path(file)))
        for option, name, _ in wanted:
            if name not in FORMATS:
                known = ", ".join(FORMATS)
                raise UserError(f"{option} is one of {known}, not '{name}'{did_you_mean(name, FORMATS)}")
        return [(name, file) for _, name, file in wanted]


def report_on(check: Callable[[Rulebook], Report], path: Path, settings: Config, outlets: Outlets) -> NoReturn:
    """Run a check and write its reports; exit with 0, 1 for findings at or above `fail_on`, 2 when an engine did not run."""
    from dataclasses import replace

    from backendgen import cache, files
    from backendgen.findings import baseline
    from backendgen.findings.policy import Policy
    from backendgen.report import renderer

    wanted = outlets.files()
    rulebook = rulebook_for(path)
    root = path if files.is_folder(path) else path.parent
    Policy.of(settings, rulebook, root)  # mistakes in the configuration are said before a long run
    if settings.baseline:
        baseline.load(settings.baseline)
    report = replace(check(rulebook), root=_below_here(root))
    progress("")
    if outlets.baseline:
        report = _accept(report, outlets.baseline, root)
    outputs = []
    for format, file in wanted:
        text = renderer(format, colour=file is None and is_colourful())(report, rulebook)
        text = text.encode(errors="backslashreplace").decode()  # half of a surrogate pair, as a literal may name it
        outputs.append(cache.Output("" if file is None else str(file), text))
    code = _code(report, settings)
    if not report.failures:
        cache.finish(outputs, code)
    for output in outputs:
        if output.file:
            files.write(Path(output.file), output.text.encode())
        else:
            typer.echo(output.text, nl=False)
            sys.stdout.flush()
    for problem in report.failures if outlets.format != "text" or outlets.output else ():
        typer.echo(f"error: {problem}", err=True)
    sys.exit(code)


def _code(report: Report, settings: Config) -> int:
    if report.failures:
        return 2
    failing = settings.fail_on != "never" and any(
        one.severity >= _severity(settings.fail_on) for one in report.findings
    )
    return 1 if failing else 0


def _severity(word: str) -> Severity:
    from backendgen.rules import Severity

    return Severity[word.upper()]


def _below_here(root: Path) -> str:
    """Return how the scanned root is reached from the working directory; nothing when it is that or is not beneath it."""
    inside = os.path.relpath(root.absolute()).replace(os.sep, "/")
    return "" if inside == "." or inside.split("/")[0] == ".." else inside


def _accept(report: Report, path: Path, root: Path) -> Report:
    """Write the baseline, unless something could not run: what was not looked at would be missing in it."""
    from backendgen import files
    from backendgen.findings import baseline

    if report.failures:
        typer.echo(f"error: {path} was not written: something could not run", err=True)
        return report
    accepted, entries = baseline.accept(report, path, root)
    files.write(path, baseline.dump(entries).encode())
    typer.echo(f"{len(entries):,} {'entry' if len(entries) == 1 else 'entries'} written to {path}", err=True)
    return accepted


def is_colourful() -> bool:
    """Whether a person reads standard output on a terminal that has colours, and wants them (no-color.org)."""
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
