"""`backendgen migrate-check`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from backendgen.cli.output import Outlets, progress, report_on
from backendgen.errors import UserError

if TYPE_CHECKING:
    from backendgen.config import Config
    from backendgen.migrate import Pending

EXAMPLES = (
    "migrate-check migrations",
    "migrate-check alembic/versions --fail-on high",
    "migrate-check 0042.sql --pg-version 16",
    "migrate-check db/changes --reader golang-migrate",
    "migrate-check migrations --dialect mysql --mysql-version 8.0.28",
    "migrate-check . --since origin/main",
    "migrate-check . --format github --report sarif=migrations.sarif",
    "migrate-check migrations --applied 0041",
    "migrate-check migrations --since v1.4 --code . --deployed v1.4",
    "migrate-check migrations --since origin/main --fix",
    "migrate-check migrations --since origin/main --fix --diff",
    "migrate-check migrations --applied 0041 --plan next-releases",
    "migrate-check migrations --graph",
    "migrate-check migrations --applied 0041 --trace",
    "migrate-check --stats-query | psql -XAtq > stats.json; backendgen migrate-check . --stats stats.json",
    "migrate-check --stats-query --dialect mysql",
)


def _readers() -> list[str]:
    from backendgen.config import READERS

    return list(READERS)


# What the options that end a run without a report leave unused.
_OF_REPORTS = (
    "format", "output", "report", "fail_on", "write_baseline", "stats", "trace", "trace_dsn", "trace_anyway",
    "trace_timeout",
)  # fmt: skip
_UNUSED = {
    "graph": (*_OF_REPORTS, "confidence", "select", "ignore", "baseline", "code", "deployed", "fix", "diff", "plan"),
    "diff": (*_OF_REPORTS, "plan"),
    "plan": _OF_REPORTS,
}
_NEEDS = {"diff": ("fix",), "trace_anyway": ("trace_dsn",), "trace_timeout": ("trace", "trace_dsn")}


def migrate_check(
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
    pg_version: Annotated[
        int | None, typer.Option(help="The server's major version (default 14).", metavar="N")
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(
            help="The tool that runs the migrations, whatever they look like: alembic, dbmate, diesel, django, flyway, "
            "golang-migrate, goose, liquibase, prisma, sqitch, sql (plain files), sql-migrate.",
            metavar="NAME",
            autocompletion=_readers,
        ),
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option(help="postgresql, mysql, mariadb or sqlite, whatever the files look like.", metavar="DATABASE"),
    ] = None,
    mysql_version: Annotated[
        str | None, typer.Option(help="The MySQL server's version (default 8.0).", metavar="N.N")
    ] = None,
    mariadb_version: Annotated[
        str | None, typer.Option(help="The MariaDB server's version (default 10.6).", metavar="N.N")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Judge only what came since this git revision.", metavar="REVISION")
    ] = None,
    applied: Annotated[
        list[str] | None,
        typer.Option(help="Judge only what comes after this migration. Once for each history.", metavar="ID"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Judge everything, whatever the configuration says.")
    ] = False,
    code: Annotated[
        Path | None,
        typer.Option(help="Search this folder's code for what the migrations take from it.", metavar="PATH"),
    ] = None,
    deployed: Annotated[
        str | None,
        typer.Option(help="Read the code as it is at this git revision, the one that runs.", metavar="REVISION"),
    ] = None,
    stats: Annotated[
        Path | None, typer.Option(help="Grade by the sizes of tables in this file.", metavar="FILE")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Change what a tool can change, in pending migrations only.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="With --fix: print the changes, write nothing.")] = False,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="Write the migrations of what takes several deploys to this folder, and stop.", metavar="DIR"
        ),
    ] = None,
    graph: Annotated[
        bool, typer.Option("--graph", help="Show which statement locks which table, and for how long, and stop.")
    ] = False,
    trace: Annotated[
        bool,
        typer.Option("--trace", help="EXECUTE the migrations on a throw-away PostgreSQL and compare (extra: trace)."),
    ] = False,
    trace_dsn: Annotated[
        str, typer.Option(help="Trace in this empty scratch database: postgresql://user@host/name.", metavar="DSN")
    ] = "",
    trace_anyway: Annotated[
        bool, typer.Option("--trace-anyway", help="Though the database of --trace-dsn is not empty; it will change.")
    ] = False,
    trace_timeout: Annotated[
        float, typer.Option(help="Seconds that a traced statement may take.", metavar="SECONDS", min=0.1)
    ] = 30.0,
    jobs: JobsOption = 0,
    no_cache: NoCacheOption = False,
    stats_query: Annotated[
        bool,
        typer.Option("--stats-query", help="Print the query (of --dialect) that makes the file for --stats, and stop."),
    ] = False,
) -> None:
    """Find migrations that would hurt production."""
    if stats_query:
        from backendgen.migrate.sizes import query

        typer.echo(query(dialect or ""), nl=False)
        return
    refuse_unused(context, _UNUSED, _NEEDS)
    from dataclasses import replace

    from backendgen import migrate as core

    settings = settings_of(path, config, fail_on, confidence, select, ignore, baseline, write_baseline)
    if pg_version is not None:
        settings = replace(settings, pg_version=pg_version)
    if deployed == "":
        raise UserError("--deployed needs a git revision, such as v1.4")
    if code is not None or deployed is not None:
        settings = replace(
            settings, code=code or settings.code, deployed=settings.deployed if deployed is None else deployed
        )
    if settings.deployed and settings.code is None:
        raise UserError("--deployed says which code runs; --code says where it is")
    if reader is not None:
        settings = replace(settings, reader=reader)
    server: dict[str, Any] = {"dialect": dialect, "mysql_version": mysql_version, "mariadb_version": mariadb_version}
    versions = {"postgresql": pg_version, "mysql": mysql_version, "mariadb": mariadb_version}
    server["asked"] = tuple(name for name, version in versions.items() if version is not None)
    settings = replace(settings, **{key: value for key, value in server.items() if value is not None})
    pending = _pending(since, applied, everything, settings)
    if graph:
        typer.echo(core.render(core.timeline(path, settings, pending)), nl=False)
        return
    if fix:
        from backendgen.cli.migrate_fix import fixed
        from backendgen.cli.output import rulebook_for

        pending = fixed(path, settings, rulebook_for(path), pending, everything=everything, only_diff=diff)
    if plan is not None:
        from backendgen.cli.migrate_fix import planned
        from backendgen.cli.output import rulebook_for

        planned(path, settings, rulebook_for(path), pending, plan, everything=everything)
        return
    from backendgen.workers import cores

    sizes = core.load_sizes(stats) if stats is not None else None
    check = partial(core.check, path, settings, pending=pending, sizes=sizes, progress=progress, jobs=jobs or cores())
    if trace or trace_dsn:
        from backendgen.migrate.trace import run as tracing

        place = tracing.Place(trace_dsn, trace_anyway, trace_timeout)
        typer.echo(f"--trace EXECUTES the migrations at {path} on {place}", err=True)
        check = partial(tracing.with_trace, check, path, settings, pending, place)
    report_on(check, path, settings, Outlets(format, output, report, write_baseline))


def _pending(since: str | None, applied: list[str] | None, everything: bool, settings: Config) -> Pending:
    """Return which migrations are judged, the command line before the configuration."""
    from backendgen.migrate import Pending

    if everything and (since or applied):
        raise UserError("--all judges everything; leave out --since and --applied, or --all")
    if since == "":
        raise UserError("--since needs a git revision, such as origin/main")
    if since and applied:
        raise UserError("--since and --applied both say what is pending; give one of them")
    return Pending(since or ("" if everything or applied else settings.since), tuple(applied or ()))
