"""What PostgreSQL statements set, begin, end and lock for their session or transaction."""

from __future__ import annotations

from collections.abc import Iterator

from backendgen.sql.operation import Harmless, LockTable, Operation, SetSetting, Transaction
from backendgen.sql.pg_query import Node, expression_sql, pb, relation
from backendgen.sql.postgres_table import Place

_LOCK_MODES = (
    "",
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
_TRANSACTION_VERBS = {
    pb.TRANS_STMT_BEGIN: "begin",
    pb.TRANS_STMT_START: "begin",
    pb.TRANS_STMT_COMMIT: "commit",
    pb.TRANS_STMT_ROLLBACK: "rollback",
}


def setting(node: pb.VariableSetStmt, at: Place) -> Iterator[Operation]:
    """Translate SET and RESET."""
    if node.kind in (pb.VAR_SET_MULTI, pb.VAR_SET_CURRENT):
        yield Harmless(what=f"SET {node.name}", **at.fields)
    elif node.kind == pb.VAR_SET_VALUE:
        value = ", ".join(_setting_value(argument) for argument in node.args)
        yield SetSetting(name=node.name, value=value, local=node.is_local, **at.fields)
    else:
        name = "all" if node.kind == pb.VAR_RESET_ALL else node.name
        yield SetSetting(name=name, value=None, local=node.is_local, **at.fields)


def _setting_value(node: Node) -> str:
    return node.a_const.sval.sval if node.a_const.HasField("sval") else expression_sql(node)


def set_config(node: Node, at: Place) -> SetSetting | None:
    """Read `SELECT set_config('lock_timeout', '2s', true)`."""
    call = node.func_call
    if call.funcname[-1].string.sval != "set_config" or len(call.args) != 3:
        return None
    name, value, local = (argument.a_const for argument in call.args)
    return SetSetting(name=name.sval.sval, value=value.sval.sval, local=local.boolval.boolval, **at.fields)


def transaction(node: pb.TransactionStmt, at: Place) -> Iterator[Operation]:
    """Translate BEGIN, COMMIT, ROLLBACK, savepoints and two-phase commit."""
    if verb := _TRANSACTION_VERBS.get(node.kind):
        yield Transaction(verb=verb, **at.fields)
        if node.chain:
            yield Transaction(verb="begin", **at.fields)
    else:
        what = pb.TransactionStmtKind.Name(node.kind).removeprefix("TRANS_STMT_").replace("_", " ")
        yield Harmless(what=what, **at.fields)


def lock(node: pb.LockStmt, at: Place) -> Iterator[Operation]:
    """Translate LOCK TABLE."""
    for item in node.relations:
        at.fields["only"] = not item.range_var.inh
        yield LockTable(table=relation(item.range_var), mode=_LOCK_MODES[node.mode], **at.fields)
