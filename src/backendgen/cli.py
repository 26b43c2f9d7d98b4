"""argv -> core -> reporter -> exit code. Prints and exits; no logic. Each command imports what it needs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from backendgen.errors import Problem, UserError

if TYPE_CHECKING:
    from backendgen.config import Config
    from backendgen.findings.finding import Report
    from backendgen.rules import Rule, Rulebook
    from backendgen.spec.model import Assumption

app = typer.Typer(
    name="backendgen",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _examples(*lines: str) -> str:
    """Format an epilog; the backspace keeps its lines from being wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  backendgen {line}" for line in lines)


STARTED = time.monotonic()
FORMAT_HELP = "text, json or sarif."
PathArgument = Annotated[Path, typer.Argument(help="The project, folder or file to check.", show_default=False)]
FormatOption = Annotated[str, typer.Option("--format", "-f", help=FORMAT_HELP, metavar="FORMAT")]
OutputOption = Annotated[Path | None, typer.Option("--output", help="Write the report to this file.", metavar="FILE")]
FailOnOption = Annotated[
    str | None,
    typer.Option(help="Exit with 1 from this severity on: info, low, medium (default), high, critical, never."),
]
ConfidenceOption = Annotated[
    str | None, typer.Option(help="Show findings from this confidence on: low, medium (default), high.")
]
SelectOption = Annotated[list[str] | None, typer.Option(help="Only rules whose ids start so: BG1, BG103. Repeatable.")]
IgnoreOption = Annotated[list[str] | None, typer.Option(help="Not the rules whose ids start so. Repeatable.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(help="Read this file, not the nearest backendgen.toml or pyproject.toml.", metavar="FILE"),
]


def run() -> NoReturn:
    """Run the command line and exit: 0 fine, 1 findings, 2 could not run, 130 interrupted."""
    try:
        app()
    except UserError as error:
        for problem in error.problems:
            typer.echo(f"error: {problem}", err=True)
    except BrokenPipeError:
        _abandon_output()
        sys.exit(1)
    except OSError as error:
        _abandon_output()
        typer.echo(f"error: {error.filename or 'output'}: {error.strerror or error}", err=True)
    sys.exit(2)


def _abandon_output() -> None:
    """Keep the interpreter from writing at its exit what could not be written now: it would end with a code of its own."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open to the end


@app.callback(
    invoke_without_command=True, epilog=_examples("new spec.yaml -o service", "audit .", "migrate-check migrations")
)
def root(version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False) -> None:
    """Write, audit and safely migrate backend services."""
    if version:
        from backendgen import __version__

        typer.echo(f"backendgen {__version__}")


@app.command(epilog=_examples("new spec.yaml -o orders", "new spec.yaml --dry-run", "new spec.yaml --strict"))
def new(
    spec: Annotated[Path, typer.Argument(help="The service's YAML spec.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here (default: the service's name).")
    ] = None,
    force: Annotated[bool, typer.Option(help="Write into a directory that is not empty.")] = False,
    dry_run: Annotated[bool, typer.Option(help="List the files and write nothing.")] = False,
    strict: Annotated[bool, typer.Option(help="Treat every assumption as an error.")] = False,
) -> None:
    """Write a backend service from one YAML spec."""
    from backendgen import files, scaffold
    from backendgen.spec.load import load

    loaded = load(spec)
    notes = [
        Problem(
            f"{one.code} {one.message} (taken: {one.taken})", one.path or str(spec), one.line, one.column, _choices(one)
        )
        for one in loaded.assumptions
    ]
    if strict and notes:
        raise UserError(*notes)
    target = output or Path(loaded.service.name)
    if not dry_run:
        files.refuse_occupied(target, force=force)
    tree = scaffold.plan(loaded)
    for note in notes:
        typer.echo(f"assumed: {note}", err=True)
    if dry_run:
        for file in tree:
            typer.echo(f"{target / file.path}")
        return
    files.write_tree(target, tree, force=force)
    typer.echo(f"{len(tree)} files written to {target}\n")
    typer.echo(f"Next:\n  cd {target}")
    typer.echo("  scripts/run     # PostgreSQL, migrations and the API on this machine")
    typer.echo("  scripts/test    # its own tests")


def _choices(assumption: Assumption) -> str:
    return f"choices: {', '.join(assumption.choices)}" if assumption.choices else ""


@app.command(
    epilog=_examples("audit .", "audit app --format sarif --output audit.sarif", "audit . --select BG3 --fail-on high")
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
) -> None:
    """Find OWASP and backend-engineering problems in a Python backend."""
    from backendgen import audit as core

    settings = _settings(path, config, fail_on, confidence, select, ignore)
    _report(partial(core.audit, path, settings, progress=_progress), path, settings, format, output)


@app.command(
    epilog=_examples(
        "migrate-check migrations",
        "migrate-check alembic/versions --fail-on high",
        "migrate-check 0042.sql --pg-version 16",
    )
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

    settings = _settings(path, config, fail_on, confidence, select, ignore)
    if pg_version is not None:
        settings = replace(settings, pg_version=pg_version)
    _report(partial(core.check, path, settings), path, settings, format, output)


@app.command(epilog=_examples("explain BG103", "explain sql-built-from-strings"))
def explain(rule: Annotated[str, typer.Argument(help="A rule's id or name.", show_default=False)]) -> None:
    """Show why a rule exists, how to fix what it finds, and examples."""
    found = _rulebook(Path.cwd()).find(rule)
    typer.echo(_card(found))


@app.command(epilog=_examples("rules", "rules BG7"))
def rules(prefix: Annotated[str, typer.Argument(help="Only ids that start so.", show_default=False)] = "") -> None:
    """List all rules."""
    book = _rulebook(Path.cwd())
    chosen = [rule_id for rule_id in book.ids if rule_id.startswith(prefix.upper())]
    if not chosen:
        raise UserError(f"no rule's id starts with '{prefix}'; `backendgen rules` lists all of them")
    for rule_id in chosen:
        rule = book[rule_id]
        typer.echo(f"{rule.id}  {rule.severity.word:<8}  {rule.title}")


@app.command(epilog=_examples("schema > spec.schema.json"))
def schema() -> None:
    """Print the JSON Schema of the spec, for editors."""
    import json

    from backendgen.spec.jsonschema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def _settings(
    path: Path,
    config: Path | None,
    fail_on: str | None,
    confidence: str | None,
    select: list[str] | None,
    ignore: list[str] | None,
) -> Config:
    from dataclasses import replace

    from backendgen.config import load

    given: dict[str, Any] = {
        "fail_on": fail_on,
        "confidence": confidence,
        "select": _words(select),
        "ignore": _words(ignore),
    }
    return replace(load(path, config), **{key: value for key, value in given.items() if value})


def _words(options: list[str] | None) -> tuple[str, ...]:
    return tuple(word for option in options or () for word in option.replace(",", " ").split())


def _rulebook(start: Path) -> Rulebook:
    """The tool's cards and the project's own, from `.backendgen/rules` at or above `start`."""
    from backendgen import resources
    from backendgen.rules import Rulebook

    own = next((folder / ".backendgen" / "rules" for folder in (start.absolute(), *start.absolute().parents)
                if (folder / ".backendgen" / "rules").is_dir()), None)  # fmt: skip
    return Rulebook(resources.directory("rules"), *([own] if own else []))


def _report(
    check: Callable[[Rulebook], Report], path: Path, settings: Config, format: str, output: Path | None
) -> NoReturn:
    from backendgen import files
    from backendgen.errors import did_you_mean
    from backendgen.report import FORMATS, renderer
    from backendgen.rules import Severity

    if format not in FORMATS:
        raise UserError(f"--format is one of {', '.join(FORMATS)}, not '{format}'{did_you_mean(format, FORMATS)}")
    rulebook = _rulebook(path)
    report = check(rulebook)
    _progress("")
    text = renderer(format, colour=output is None and _colour())(report, rulebook)
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


def _progress(text: str) -> None:
    """Say what is under way, once it takes longer than a second, on a line of the terminal that the next one overwrites."""
    if sys.stderr.isatty() and time.monotonic() - STARTED > 1:
        with suppress(OSError):
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def _card(rule: Rule) -> str:
    categories = ", ".join([f"CWE-{number}" for number in rule.cwe] + [*rule.owasp, *rule.api])
    head = f"{rule.id} {rule.title}\nseverity {rule.severity.word}, confidence {rule.confidence.word}"
    return f"{head}{f', {categories}' if categories else ''}\n\n{rule.text}"
