"""The stages of a safe change as a Django migration's operations: Django's own where it has one, else RunSQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from backendgen.code.edits import Places

_FROM = "# from django.contrib.postgres.operations import "
# The operation of django.contrib.postgres that does the same without blocking.
_CONCURRENT = {"AddIndex": "AddIndexConcurrently", "RemoveIndex": "RemoveIndexConcurrently"}
_NAME = r'((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)'
# What takes a statement back, by its beginning; a list of none means that nothing has to be done.
_REVERSES = (
    # A constraint may have adopted the index, and a check that proves NOT NULL is dropped when it has.
    (rf"CREATE UNIQUE INDEX CONCURRENTLY {_NAME}", "DROP INDEX CONCURRENTLY IF EXISTS {0}"),
    (rf"CREATE INDEX CONCURRENTLY {_NAME}", "DROP INDEX CONCURRENTLY {0}"),
    (rf"CREATE (?:UNIQUE )?INDEX {_NAME}", "DROP INDEX {0}"),
    (rf"ALTER TABLE {_NAME} ADD CONSTRAINT {_NAME} CHECK", "ALTER TABLE {0} DROP CONSTRAINT IF EXISTS {1}"),
    (rf"ALTER TABLE {_NAME} ADD CONSTRAINT {_NAME}", "ALTER TABLE {0} DROP CONSTRAINT {1}"),
    (rf"ALTER TABLE {_NAME} ADD COLUMN {_NAME}", "ALTER TABLE {0} DROP COLUMN {1}"),
    (rf"ALTER TABLE {_NAME} ALTER COLUMN {_NAME} SET NOT NULL", "ALTER TABLE {0} ALTER COLUMN {1} DROP NOT NULL"),
    (rf"ALTER TABLE {_NAME} ALTER COLUMN {_NAME} SET DEFAULT", "ALTER TABLE {0} ALTER COLUMN {1} DROP DEFAULT"),
)  # fmt: skip


def body(statements: Sequence[str], call: str, *, transactional: bool, with_state: bool) -> str:
    """Return one migration's `operations`, and `atomic = False` when they must not run in a transaction.

    `call` is the operation that they replace; `with_state`: this migration is the one that tells Django what it did.
    """
    if batches := _batches(call):
        return batches
    before = ""
    if with_state and (without := without_index(statements, call)):
        before = f"# in a migration before it\noperations = [\n{chr(10).join(indented(f'{without},'))}\n]\n"
        call = altered(call)
    if any(" ADD COLUMN " in each for each in statements):
        call = call.replace("db_index=True", "db_index=False")  # the index is a migration of its own
    own = own_operation(statements, call)
    lines = [f"{_FROM}{own.partition('(')[0]}"] if own else []
    lines += [] if transactional else ["atomic = False"]
    lines.append("operations = [")
    if own:
        lines += indented(f"{own},")
    elif with_state and _has_state(call) and any(re.match("ALTER|CREATE|DROP", each) for each in statements):
        lines += indented(f"{separated([run_sql(each, reverse(each)) for each in statements], call)},")
    else:
        lines += [f"    {run_sql(each, reverse(each))}," for each in statements]
    return before + "\n".join([*lines, "]"])


def separated(operations: Sequence[str], call: str) -> str:
    """Return operations on the database beside what they mean for Django's state."""
    on_database = ["    database_operations=[", *(f"        {each}," for each in operations), "    ],"]
    return "\n".join([
        "migrations.SeparateDatabaseAndState(", *(on_database if operations else []),
        "    state_operations=[", *indented(f"{call},", 8), "    ],", ")",
    ])  # fmt: skip


def without_index(statements: Sequence[str], call: str) -> str:
    """Return an AddField without the index that other statements make afterwards; empty when that is not what they do."""
    if not call.partition("(")[0].endswith("AddField") or any(" ADD COLUMN " in each for each in statements):
        return ""
    option = "unique" if any("UNIQUE" in each for each in statements) else "db_index"
    try:
        made = ast.parse(call, mode="eval").body
    except SyntaxError:
        return ""
    given = [*made.args, *(each.value for each in made.keywords)] if isinstance(made, ast.Call) else []
    column = next((each for each in given if isinstance(each, ast.Call)), None)
    if column is None or not any("INDEX" in each for each in statements):
        return ""
    set_already = next((each.value for each in column.keywords if each.arg == option), None)
    start, end = span(call, set_already or column)
    if set_already is not None:
        return f"{call[:start]}False{call[end:]}"
    inside = call[start : end - 1].rstrip().removesuffix(",")
    comma = "" if inside.endswith("(") else ", "
    return f"{call[:start]}{inside}{comma}{option}=False{call[end - 1 :]}"


def altered(call: str) -> str:
    """Return AddField as the AlterField that tells the rest of the field."""
    return re.sub(r"AddField(?=\()", "AlterField", call, count=1)


def span(source: str, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return where a node begins and ends in its source."""
    return Places(source).span(node)


def state_at(stages: Sequence[Sequence[str]], call: str) -> int:
    """Return which of several migrations tells Django of the change: the one that adds a new column, else the last."""
    last = len(stages) - 1
    if call.partition("(")[0].endswith("AlterField"):
        return last
    return next((at for at, stage in enumerate(stages) if any(" ADD COLUMN " in each for each in stage)), last)


def _batches(call: str) -> str:
    """Return a call of RunPython's function that changes many rows, done in batches; empty for any other call."""
    found = re.fullmatch(r"(?s)(\w+\.objects\b.*)(\.(?:update|delete)\(.*\))", call)
    if found is None:
        if call.endswith(".save()"):
            return "# collect them and write each thousand with bulk_update, with `atomic = False` in the migration"
        return ""
    query, change = found.groups()
    manager = query[: query.index(".objects") + len(".objects")]
    return (
        "# with `atomic = False` in the migration, so that each batch commits\n"
        f'keys = list({query}.order_by("pk").values_list("pk", flat=True))\n'
        "for start in range(0, len(keys), 1000):\n"
        f"    {manager}.filter(pk__in=keys[start : start + 1000]){change}"
    )


def own_operation(statements: Sequence[str], call: str) -> str:
    """Return Django's own operation for a single statement, made from the one that it replaces; empty without one."""
    function, _, arguments = call.partition("(")
    name = function.rpartition(".")[2]
    if len(statements) != 1 or not arguments:
        return ""
    if name in _CONCURRENT and " CONCURRENTLY " in statements[0]:
        return f"{_CONCURRENT[name]}({arguments}"
    if name in _CONCURRENT.values() and " CONCURRENTLY " in statements[0]:
        return f"{name}({arguments}"
    if name == "AddConstraint" and "CheckConstraint(" in arguments:
        if statements[0].endswith(" NOT VALID"):
            return f"AddConstraintNotValid({arguments}"
        if found := re.search(rf"VALIDATE CONSTRAINT {_NAME}$", statements[0]):
            model = _model_of(call)
            return f'ValidateConstraint(model_name="{model}", name="{found[1].strip(chr(34))}")' if model else ""
    return ""


def _model_of(call: str) -> str:
    try:
        made = ast.parse(call.strip(), mode="eval").body
    except SyntaxError:
        return ""
    if not isinstance(made, ast.Call):
        return ""
    given = [*made.args[:1], *(each.value for each in made.keywords if each.arg == "model_name")]
    return next((each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)), "")


def _has_state(call: str) -> bool:
    function = call.partition("(")[0].rpartition(".")[2]
    return function[:1].isupper() and function.startswith(("Add", "Alter", "Remove", "Rename", "Create", "Delete"))


def run_sql(statement: str, back: str) -> str:
    """Return RunSQL with what takes it back; nothing means that nothing has to be done."""
    return f"migrations.RunSQL({literal(statement)}, {literal(back) if back else 'migrations.RunSQL.noop'})"


def reverse(statement: str) -> str:
    """Return what takes a statement back, empty when nothing has to be done."""
    for pattern, made in _REVERSES:
        if found := re.match(pattern, statement):
            return made.format(*found.groups())
    return ""


def literal(sql: str) -> str:
    """Return a text as Python would hold it, in quotes that leave those of the SQL alone."""
    if '"""' in sql or sql.endswith("\\"):
        return repr(sql)
    if "\n" in sql or "\\" in sql or ('"' in sql and "'" in sql):
        return f'r"""{sql} """' if sql.endswith('"') else f'r"""{sql}"""'
    return f"'{sql}'" if '"' in sql else f'"{sql}"'


def indented(call: str, by: int = 4) -> Iterator[str]:
    """Yield the lines of a call, those after the first moved to where the first one goes."""
    first, *rest = call.splitlines()
    last = rest[-1] if rest else ""
    extra = len(last) - len(last.lstrip())
    yield " " * by + first
    for line in rest:
        yield " " * by + (line[extra:] if line[:extra].isspace() else line)
