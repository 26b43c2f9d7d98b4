"""Code in migrations: Python that works on the wrong models, and steps that the tool cannot take back."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.findings.finding import Hit
from backendgen.migrate.checks.registry import check
from backendgen.migrate.context import Context
from backendgen.sql import operation as op
from backendgen.sql.replay import Schema


@check("BG910")
def todays_models(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """RunPython with models that are imported instead of asked for, or with a function that does not take its arguments."""
    if not isinstance(operation, op.RunCode):
        return
    if operation.imported:
        models = [path.rpartition(".")[2] for path in operation.imported]
        message = (
            f"{operation.function} uses {', '.join(operation.imported)} as the project has it when it runs, "
            "not as it was at this migration"
        )
        app = context.migration.revision.partition(".")[0]
        fix = "\n".join(f'{model} = apps.get_model("{_app(path, app)}", "{model}")'
                        for model, path in zip(models, operation.imported, strict=True))  # fmt: skip
        yield Hit(context.action.location, message, fix, operation.function)
    if not operation.callable:
        message = f"{operation.function} does not take the two arguments that RunPython gives it: the migration fails"
        fix = f"def {operation.function}(apps, schema_editor): ..."
        yield Hit(context.action.location, message, fix, operation.function)


def _app(path: str, own: str) -> str:
    return path.partition(".models")[0].rpartition(".")[2] or own


@check("BG911")
def no_reverse(operation: op.Operation, schema: Schema, context: Context) -> Iterator[Hit]:
    """An operation for which Django refuses to take the migration back."""
    if not any(context.action is each for each in context.migration.irreversible):
        return
    python = isinstance(operation, op.RunCode)
    kind, word = ("RunPython", "reverse_code") if python else ("RunSQL", "reverse_sql")
    message = f"{kind} has no {word}, so Django refuses to take back {context.migration.revision}"
    fix = f"# when nothing has to be undone\n{word} = migrations.{kind}.noop"
    yield Hit(context.action.location, message, fix, context.migration.revision)
