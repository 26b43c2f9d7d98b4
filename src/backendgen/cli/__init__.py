"""argv -> core -> reporter -> exit code. Prints and exits; no logic. Each command imports what it needs."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from typer.models import CommandInfo

from backendgen.cli import audit, knowledge, migrate_check, new
from backendgen.cli.command import Command, Group
from backendgen.cli.output import abandon_output
from backendgen.errors import UserError

COMMANDS = (
    (new.new, new.EXAMPLES),
    (audit.audit, audit.EXAMPLES),
    (migrate_check.migrate_check, migrate_check.EXAMPLES),
    (knowledge.explain, knowledge.EXPLAIN_EXAMPLES),
    (knowledge.rules, knowledge.RULES_EXAMPLES),
    (knowledge.schema, knowledge.SCHEMA_EXAMPLES),
)

app = typer.Typer(
    name="backendgen",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _examples(*lines: str) -> str:
    """Format an epilog; the backspace keeps its lines from being wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  backendgen {line}" for line in lines)


def _name(command: CommandInfo) -> str:
    return command.name or getattr(command.callback, "__name__", "").replace("_", "-")


def run() -> NoReturn:
    """Run the command line and exit: 0 fine, 1 findings, 2 could not run, 130 interrupted."""
    # typer makes ready every command that it has; to leave the others out saves as much as a short run takes.
    asked = [one for one in app.registered_commands if sys.argv[1:2] == [_name(one)]]
    app.registered_commands = asked or app.registered_commands
    try:
        app(prog_name="backendgen")  # also under `python -m`: the completion's script and the help go by it
    except UserError as error:
        for problem in error.problems:
            typer.echo(f"error: {problem}", err=True)
    except BrokenPipeError:
        abandon_output()
        sys.exit(1)
    except OSError as error:
        abandon_output()
        typer.echo(f"error: {error.filename or 'output'}: {error.strerror or error}", err=True)
    sys.exit(2)


@app.callback(
    invoke_without_command=True, epilog=_examples("new spec.yaml -o service", "audit .", "migrate-check migrations")
)
def root(version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False) -> None:
    """Write, audit and safely migrate backend services."""
    if version:
        from backendgen import __version__

        typer.echo(f"backendgen {__version__}")
        raise typer.Exit


for command, lines in COMMANDS:
    app.command(cls=Command, epilog=_examples(*lines))(command)
