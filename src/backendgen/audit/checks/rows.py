"""What is done to rows: too many of them, in pieces, in the wrong types, and kept for ever."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from backendgen.audit.checks.names import named, snake
from backendgen.audit.checks.walk import hit, is_command, is_migration
from backendgen.audit.registry import Context, check
from backendgen.code.index import Use
from backendgen.code.nodes import unparse
from backendgen.code.symbols import Function
from backendgen.findings.finding import Hit
from backendgen.rules import Confidence

WHOLE = re.compile(
    r"\s*(?:DELETE\s+FROM\s+(?P<emptied>[\w.\"`]+)|UPDATE\s+(?P<changed>[\w.\"`]+)\s+SET\s+.+?)\s*;?\s*", re.I | re.S
)
LIMITED = re.compile(r"\b(?:where|limit|using|join|from\s+\w+\s+as\b)\b", re.IGNORECASE)
MONEY = re.compile(
    r"(?:^|_)(?:price|amount|balance|fee|salary|subtotal|grand_total|total_price|total_amount|unit_price|cost|discount_amount|tax_amount"
    r"|refund|payout|deposit|debit|credit_amount|wage)s?$"
)
SPEAKS_OF_MONEY = re.compile(
    r"currenc|price|pay|invoic|order(?!ing|_by)|cart|bill|account|transact|refund|donat|balance|tax|money|cost",
    re.IGNORECASE,
)
FLOAT_COLUMNS = ("sqlalchemy.Float", "sqlalchemy.types.Float", "sqlalchemy.REAL", "django.db.models.FloatField")
EXPIRES = frozenset({"ex", "px", "exat", "pxat", "keepttl"})
FLASK_FLOAT = re.compile(r"\bdb\.Float\b")


@check("BG515")
def all_rows_changed(context: Context) -> Iterator[Hit]:
    """UPDATE and DELETE without a condition."""
    handlers = {id(endpoint.handler.node) for endpoint in context.service.endpoints}
    for use in context.index.methods("execute", "exec", "execute_sql", "delete", "update", "raw"):
        table = _emptied(context, use)
        if table and not is_migration(use.module.file) and not is_command(use.module.file):
            asked_for = use.function is not None and id(use.function.node) in handlers
            yield hit(
                use.module,
                use.call,
                f"{{who}} changes or deletes every row of `{table}`: no condition says which",
                "say which rows: WHERE, .where(...), .filter(...)",
                None if asked_for else Confidence.LOW,
            )


def _emptied(context: Context, use: Use) -> str:
    """The table of which a call changes every row."""
    called = use.call.func
    if not isinstance(called, ast.Attribute):
        return ""
    holder = called.value
    if use.name in ("delete", "update"):  # Order.objects.all().delete(), session.query(Order).delete()
        is_manager = isinstance(holder, ast.Attribute) and holder.attr == "objects" and use.name == "update"
        if isinstance(holder, ast.Attribute) and is_manager and use.call.keywords and not use.call.args:
            return unparse(holder.value)  # Order.objects.update(open=False)
        if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute):
            if (
                holder.func.attr == "all"
                and isinstance(holder.func.value, ast.Attribute)
                and holder.func.value.attr == "objects"
            ):
                return unparse(holder.func.value.value)
            if holder.func.attr == "query" and len(holder.args) == 1 and isinstance(holder.args[0], ast.Name):
                return holder.args[0].id
        return ""
    statement = use.call.args[0] if use.call.args else None
    if isinstance(statement, ast.Call):
        name = context.index.name_of(statement.func, use.module, use.function)
        if name in ("sqlalchemy.delete", "sqlmodel.delete") and statement.args:
            return unparse(statement.args[0])
        inner = (
            statement.func.value
            if isinstance(statement.func, ast.Attribute) and statement.func.attr == "values"
            else None
        )
        if isinstance(inner, ast.Call) and context.index.name_of(inner.func, use.module) == "sqlalchemy.update":
            return unparse(inner.args[0]) if inner.args else ""
        statement = statement.args[0] if name.endswith(".text") and statement.args else None
    text = context.index.value(statement, use.module, use.function)
    found = WHOLE.fullmatch(text) if isinstance(text, str) and not LIMITED.search(text) else None
    return (found["emptied"] or found["changed"]).strip('"`') if found else ""


@check("BG516")
def money_in_floats(context: Context) -> Iterator[Hit]:
    """Columns and fields of money that are floats."""
    for module in context.index.modules:
        if is_migration(module.file):
            continue
        for owner in module.classes:
            for node in owner.node.body:
                target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
                if target is None or not MONEY.search(snake(named(target))):
                    continue
                sure = _floats(context, node, module)
                name = snake(named(target))
                if sure is not None and name == "amount" and not SPEAKS_OF_MONEY.search(unparse(owner.node)):
                    sure = Confidence.LOW  # of milk, perhaps
                if sure is not None:
                    yield hit(
                        module,
                        node,
                        f"`{owner.name}.{named(target)}` is money in a float: 0.1 + 0.2 is not 0.3, and sums "
                        "drift by cents",
                        "Numeric(12, 2) and Decimal, or whole cents in an integer",
                        sure,
                    )


def _floats(context: Context, node: ast.stmt, module: object) -> Confidence | None:
    """How sure it is that a field is kept as a float."""
    value = getattr(node, "value", None)
    annotation = unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
    if isinstance(value, ast.Call):
        parts = [value.func, *value.args]
        names = {context.index.name_of(part.func if isinstance(part, ast.Call) else part, module) for part in parts}  # type: ignore[arg-type]
        if names & set(FLOAT_COLUMNS) or FLASK_FLOAT.search(unparse(value)):
            return Confidence.MEDIUM
    if re.fullmatch(r"Mapped\[(?:Optional\[)?float(?:\s*\|\s*None)?\]*", annotation) and not isinstance(
        value, ast.Call
    ):
        return Confidence.MEDIUM
    return Confidence.LOW if re.fullmatch(r"(?:Optional\[)?float(?:\s*\|\s*None)?\]?", annotation) else None


@check("BG517")
def naive_time(context: Context) -> Iterator[Hit]:
    """Times without a zone."""
    for use in context.index.calls("datetime.datetime.utcnow", "datetime.datetime.utcfromtimestamp"):
        yield _naive(use, "datetime.now(UTC)")
    for use in context.index.calls("datetime.datetime.now", "datetime.datetime.fromtimestamp"):
        position = 0 if use.name.endswith("now") else 1
        if not use.argument("tz", position) and not use.is_open:
            yield _naive(use, "datetime.now(UTC)")


def _naive(use: Use, better: str) -> Hit:
    message = f"{{who}} takes a time without a zone (`{unparse(use.call.func)}`): elsewhere it is another time"
    return hit(use.module, use.call, message, better)


@check("BG509")
def saved_in_pieces(context: Context) -> Iterator[Hit]:
    """Handlers that commit more than once."""
    for function in {id(one.handler.node): one.handler for one in context.service.endpoints}.values():
        commits = [
            call
            for call in function.module.calls_in(function)
            if isinstance(call.func, ast.Attribute) and call.func.attr == "commit" and not call.args
        ]
        straight = [call for call in commits if _is_straight(function, call)]
        if len(straight) > 1:
            yield hit(
                function.module,
                straight[1],
                f"`{function.name}` commits {len(straight)} times: when it fails between, half of the work stays",
                "one transaction: `with session.begin(): ...`",
            )


def _is_straight(function: Function, call: ast.Call) -> bool:
    """Does a call stand in the function's own block, not in a branch of it?"""
    return any(
        isinstance(node, ast.Expr) and any(part is call for part in ast.walk(node)) for node in function.node.body
    )


@check("BG524")
def endless_cache(context: Context) -> Iterator[Hit]:
    """Entries that stay in the cache for ever."""
    for use in context.index.calls("django.core.cache.cache.set", "django.core.cache.cache.add"):
        timeout = use.argument("timeout", 2)
        if isinstance(timeout, ast.Constant) and timeout.value is None:
            yield _endless(use)
    for use in context.index.methods("set"):
        if len(use.call.args) < 2 or use.is_open or use.function is None:
            continue
        holder = use.call.func.value  # type: ignore[attr-defined]  # a method's call is an attribute's
        found = context.symbols.value(holder, use.module, use.function)
        made = getattr(found, "value", None)
        name = context.index.name_of(made.func, use.module) if isinstance(made, ast.Call) else ""
        says_when = {one.arg for one in use.call.keywords} & EXPIRES
        if name.startswith("redis.") and len(use.call.args) == 2 and not says_when:
            yield _endless(use)


def _endless(use: Use) -> Hit:
    shown = unparse(use.call.func)
    return hit(
        use.module,
        use.call,
        f"{{who}} keeps an entry for ever (`{shown}`): what changed stays hidden, and memory fills",
        "say for how long: ex=300 (redis), timeout=300 (Django)",
    )
