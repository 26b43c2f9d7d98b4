"""Amounts that are read, reckoned with in memory and written back, while another request does the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import snake
from backendgen.audit.checks.rows import MIGRATIONS
from backendgen.audit.checks.walk import hit, is_command, own_nodes
from backendgen.audit.registry import Context, check
from backendgen.code.symbols import Function, Module
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

VALUABLE = re.compile(
    r"(?:^|_)(?:balance|credits?|stock|inventory|quota|points|budget|wallet|coins|amount(?:_(?:paid|due|left|raised))?"
    r"|(?:seats|tickets|uses|slots|places|units|items|quantity)(?:_(?:left|available|remaining|used|sold|taken))?"
    r"|(?:available|remaining|on_hand|reserved|sold|used)(?:_\w+)?)$"
)
COUNTED = re.compile(
    r"(?:^|_)(?:counts?|counter|views|likes|votes|hits|score|attempts|failures|retries|total)(?:_\w+)?$"
)
MAY_LOSE = re.compile(r"\w\.\w+[ \t]*(?:[-+]=|=[ \t]*[\w.]+[ \t]*[-+])")
LOCKS = re.compile(
    r"select_for_update|with_for_update|version_id_col|SERIALIZABLE|REPEATABLE READ|\block\b|_lock\b|\.lock\("
)
FINDS = frozenset(
    {"get", "first", "one", "one_or_none", "scalar", "scalar_one", "scalar_one_or_none", "get_or_404", "first_or_404",
     "get_object_or_404", "get_or_create", "aget", "afirst", "get_object", "get_one"}
)  # fmt: skip
CALLERS = frozenset({"request.user", "self.request.user", "current_user", "g.user"})
STORES = frozenset({"save", "asave", "commit", "flush"})


@check("BG525")
def lost_update(context: Context) -> Iterator[Hit]:
    """Amounts of a row that are changed in memory, from a row that nobody locked."""
    for module in context.index.modules:
        if not module.file.mentions(MAY_LOSE) or is_command(module.file) or MIGRATIONS.search(module.file.path):
            continue
        for function in module.functions:
            yield from _lost(module, function)


def _lost(module: Module, function: Function) -> Iterator[Hit]:
    nodes = list(own_nodes(function))
    changes = [
        (node, target) for node in nodes if isinstance(node, ast.AugAssign | ast.Assign) and (target := _reckoned(node))
    ]
    if not changes or LOCKS.search(ast.unparse(function.node)):
        return
    stored = [node for node in nodes if isinstance(node, ast.Call) and _called(node) in STORES]
    for node, target in changes:
        row, column = ast.unparse(target.value), target.attr
        later = any(_stores(one, row) and one.lineno >= node.lineno for one in stored)
        found = next((one for one in nodes if _finds(one, row)), None)
        if later and (row in CALLERS or found is not None):
            django = any(_called(one) in ("save", "asave") and _stores(one, row) for one in stored)
            yield hit(
                module,
                node,
                f"{{who}} reads `{row}.{column}`, reckons, and writes it back: of two requests at once the second "
                "writes over what the first one did",
                _remedy(node, row, column, _model(found), django=django),
                Confidence.MEDIUM if VALUABLE.search(snake(column)) else Confidence.LOW,
            )


def _reckoned(node: ast.AugAssign | ast.Assign) -> ast.Attribute | None:
    """The attribute of `row.stock -= 1` or `row.stock = row.stock - 1`, when it is an amount."""
    target: ast.expr | None = None
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        target, given = node.target, node.value
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.BinOp):
        target, given = node.targets[0], node.value.right
        if not isinstance(node.value.op, ast.Add | ast.Sub) or ast.unparse(node.value.left) != ast.unparse(target):
            return None
    if not isinstance(target, ast.Attribute) or isinstance(given, ast.JoinedStr | ast.List | ast.Dict):
        return None
    if isinstance(given, ast.Constant) and isinstance(given.value, str | bytes):
        return None
    name = snake(target.attr)
    return target if VALUABLE.search(name) or COUNTED.search(name) else None


def _called(call: ast.AST) -> str:
    if not isinstance(call, ast.Call):
        return ""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _stores(call: ast.Call, row: str) -> bool:
    """Does it write this row: `row.save()`, or whatever a session holds?"""
    if not isinstance(call.func, ast.Attribute):
        return False
    return _called(call) in ("commit", "flush") or ast.unparse(call.func.value) == row


def _finds(node: ast.AST, row: str) -> bool:
    """Is this `row = ...` with what one row is found by?"""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = {ast.unparse(part) for one in targets for part in (one.elts if isinstance(one, ast.Tuple) else [one])}
    value = node.value.value if isinstance(node.value, ast.Await) else node.value
    return row in names and value is not None and _called(value) in FINDS


def _model(found: ast.AST | None) -> str:
    """The class that a row is looked for in: the first name of one in what finds it."""
    names = (one.id for one in ast.walk(found) if isinstance(one, ast.Name)) if found is not None else ()
    return next((name for name in names if name[:1].isupper() and not name.isupper()), "")


def _remedy(change: ast.AST, row: str, column: str, model: str, *, django: bool) -> str:
    """The change to paste: the database reckons, or the row is locked."""
    if isinstance(change, ast.AugAssign):
        operator, given = change.op, change.value
    else:
        reckoning: ast.BinOp = change.value  # type: ignore[attr-defined]  # what `_reckoned` let through
        operator, given = reckoning.op, reckoning.right
    shown = f"({ast.unparse(given)})" if isinstance(given, ast.BinOp | ast.IfExp | ast.BoolOp) else ast.unparse(given)
    what = f"{'+' if isinstance(operator, ast.Add) else '-'} {shown}"
    lock = "select_for_update()" if django else "with_for_update()"
    if not django and not model:
        return f"find `{row}` with {lock} first, so that the second request waits for the first"
    before = f'F("{column}")' if django else f"{model}.{column}"
    return f"let the database reckon: `{row}.{column} = {before} {what}`; or find the row with {lock}"
