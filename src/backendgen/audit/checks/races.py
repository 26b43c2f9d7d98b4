"""What two requests at once break: rows looked for and made, or read and written; files looked for and used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.walk import class_of, hit, is_command, is_migration, own_nodes
from backendgen.audit.properties import text_of
from backendgen.audit.queries.tables import Table
from backendgen.audit.registry import Context, check
from backendgen.code.nodes import unparse
from backendgen.code.project import is_test
from backendgen.code.symbols import Class, Function, Module
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

ASKS = frozenset({"os.path.exists", "os.path.isfile", "os.path.isdir", "os.access"})
ACTS = frozenset(
    {"open", "os.remove", "os.unlink", "os.rename", "os.mkdir", "os.makedirs", "shutil.rmtree", "os.rmdir"}
)
SCARCE = re.compile(
    r"(?:^|_)(?:balance|credits?|funds|coins|tokens?_left|stock|inventory|quantity|qty|available|remaining|reserved|seats|tickets"
    r"|points|allowance|quota|uses_left|paid|amount)(?:$|_)"
)
LOCKS = re.compile(
    r"for_update|for\s+update|\bF\(|(?:\b|_)lock(?:ed|s)?(?:\b|_)|advisory|serializable|version_id|refresh_from_db",
    re.IGNORECASE,
)
MAY_LOSE = re.compile(r"\w\.\w+[ \t]*(?:[-+]=|=[ \t]*[\w.]+[ \t]*[-+])")
ARITHMETIC = (ast.Add, ast.Sub)


@check("BG519")
def asked_then_made(context: Context) -> Iterator[Hit]:
    """Rows that are looked for and then made: two requests at once find none and make two."""
    for node, module, function in context.index.nodes(ast.If):
        test = node.test
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        asked = test.operand if isinstance(test, ast.UnaryOp) else test
        if (
            negated
            and isinstance(asked, ast.Call)
            and isinstance(asked.func, ast.Attribute)
            and asked.func.attr == "exists"
        ):
            if function is None or is_command(module.file) or is_migration(module.file):
                continue
            model = unparse(asked.func.value).partition(".objects")[0]
            for part in ast.walk(ast.Module(node.body, [])):
                if isinstance(part, ast.Call) and unparse(part.func) == f"{model}.objects.create":
                    yield hit(
                        module,
                        node,
                        f"{{who}} looks whether there is a `{model}` and makes one: two requests at once make two",
                        f"a unique constraint, and `{model}.objects.get_or_create(...)` or the IntegrityError",
                    )
                    break


@check("BG520")
def looked_then_opened(context: Context) -> Iterator[Hit]:
    """Files that are looked for and then used."""
    for node, module, function in context.index.nodes(ast.If):
        test = node.test.operand if isinstance(node.test, ast.UnaryOp) else node.test
        if (
            not isinstance(test, ast.Call)
            or context.index.name_of(test.func, module, function) not in ASKS
            or not test.args
        ):
            continue
        path = unparse(test.args[0])
        for part in ast.walk(ast.Module(node.body, [])):
            if isinstance(part, ast.Call) and part.args and unparse(part.args[0]) == path:
                name = context.index.name_of(part.func, module, function)
                if name in ACTS:
                    message = f"{{who}} looks at `{path}`, then calls `{name}`: another process may change it meanwhile"
                    fix = f'do it and catch the error: `try: {name}(...)`, `except OSError`; `exist_ok=True`; mode "x"'
                    yield hit(module, node, message, fix)
                    break


@check("BG525")
def lost_update(context: Context) -> Iterator[Hit]:
    """Columns that are read, reckoned with and written: of two requests at once, one is lost."""
    served: set[int] = set()
    for module in context.index.modules:
        if not module.file.mentions(MAY_LOSE) or is_test(module.file.path) or is_command(module.file):
            continue
        if is_migration(module.file):
            continue
        for function in module.functions:
            for node, row, column in _reckoned(function):
                if not SCARCE.search(column) or LOCKS.search(text_of(function)):
                    continue
                table = _table(context, row, column, function)
                if table is not None:
                    served = served or _served(context)
                    yield hit(
                        module,
                        node,
                        f"{{who}} reads `{table.name}.{column}`, reckons, and writes it: two requests at once read the same "
                        "value, and what one of them did is lost",
                        _in_the_database(table, row, column, node),
                        None if id(function.node) in served else Confidence.LOW,
                    )


def _served(context: Context) -> set[int]:
    """The functions that endpoints are, and those that they call."""
    return {id(one.node) for each in context.service.endpoints for one in context.callees.reached(each.handler)}


def _reckoned(function: Function) -> Iterator[tuple[ast.stmt, ast.Name, str]]:
    """Yield `row.column += n` and `row.column = row.column + n` of a function: the statement, the row, the column."""
    for node in own_nodes(function):
        target: ast.expr | None = None
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ARITHMETIC):
            target = node.target
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
            left = node.targets[0]
            if isinstance(node.value.op, ARITHMETIC) and unparse(node.value.left) == unparse(left):
                target = left
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            yield node, target.value, target.attr  # type: ignore[misc]  # both kinds above are statements


def _table(context: Context, row: ast.Name, column: str, function: Function) -> Table | None:
    """The table that a name's row was read from in this function, when it has the column; None of a row just made."""
    read = _read(row.id, function)
    if read is None or isinstance(context.symbols.value(read.func, function.module, function), Class):
        return None
    tables = context.facts.tables
    for model in (*_models(context, read, function.module, function), class_of(context, row, function)):
        table = tables.of(model) if isinstance(model, Class) else None
        if table is not None and table.column(column) is not None:
            return table
    return None


def _read(name: str, function: Function) -> ast.Call | None:
    """The call whose answer a name holds, alone."""
    found = [
        node.value.value if isinstance(node.value, ast.Await) else node.value
        for node in own_nodes(function)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)
        and any(
            isinstance(one, ast.Name) and one.id == name
            for one in (node.targets if isinstance(node, ast.Assign) else [node.target])
        )
    ]
    return found[0] if len(found) == 1 and isinstance(found[0], ast.Call) else None


def _models(context: Context, read: ast.Call, module: Module, function: Function) -> Iterator[Class]:
    """The classes that a query names: `session.get(Account, key)`, `Account.objects.get(...)`."""
    for node in ast.walk(read):
        found = context.symbols.value(node, module, function) if isinstance(node, ast.Name | ast.Attribute) else None
        if isinstance(found, Class):
            yield found


def _in_the_database(table: Table, row: ast.Name, column: str, node: ast.stmt) -> str:
    """The change to make: let the database reckon, or hold the row."""
    model = table.model.name
    amount = node.value if isinstance(node, ast.AugAssign) else node.value.right  # type: ignore[attr-defined]
    sign = "-" if isinstance(node.op if isinstance(node, ast.AugAssign) else node.value.op, ast.Sub) else "+"  # type: ignore[attr-defined]
    changed = f"{sign} {unparse(amount)}"
    if table.django:
        return (
            f'{model}.objects.filter(pk={row.id}.pk).update({column}=F("{column}") {changed}); '
            "or read it with .select_for_update() in a transaction"
        )
    return f"update({model}).where(...).values({column}={model}.{column} {changed}); or read it with .with_for_update()"
