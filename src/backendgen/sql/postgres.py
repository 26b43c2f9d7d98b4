"""PostgreSQL text to Operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from backendgen.sql.lexer import Statement, split
from backendgen.sql.operation import (
    CallRoutine,
    ChangeRows,
    CreateRoutine,
    CreateTable,
    CreateView,
    Harmless,
    NotUnderstood,
    Operation,
    RefreshView,
    Reindex,
    RewriteTable,
    SetComment,
    SetSchema,
    Truncate,
)
from backendgen.sql.pg_query import (
    Node,
    SyntaxProblem,
    expression_sql,
    object_names,
    parse_tree,
    pb,
    qualified,
    query_sql,
    relation,
    relations_read,
    strings,
    type_of,
)
from backendgen.sql.postgres_alter import alter_table
from backendgen.sql.postgres_drop import drop, rename
from backendgen.sql.postgres_routine import Unread, calls, static_statements
from backendgen.sql.postgres_session import lock, set_config, setting, transaction
from backendgen.sql.postgres_table import Place, create_index, create_table
from backendgen.sql.postgres_type import (
    alter_domain,
    alter_enum,
    create_composite,
    create_domain,
    create_enum,
    create_range,
    define,
)

_REINDEX_TARGETS = {
    pb.REINDEX_OBJECT_INDEX: "index",
    pb.REINDEX_OBJECT_TABLE: "table",
    pb.REINDEX_OBJECT_SCHEMA: "schema",
    pb.REINDEX_OBJECT_SYSTEM: "system",
    pb.REINDEX_OBJECT_DATABASE: "database",
}
_META_READING_MORE = ("\\i", "\\ir", "\\include", "\\include_relative", "\\gexec")
_META_LEAVING = {
    "\\c": "goes on in another database; what follows is judged as if it were the same",
    "\\connect": "goes on in another database; what follows is judged as if it were the same",
    "\\!": "runs a program",
}
_CLIENT_COPY = re.compile(r"\\copy\s+([^\s(]+\s*(?:\([^)]*\))?)\s+from\b", re.IGNORECASE)
_UNKNOWN_EFFECT = {
    "execute_stmt": "EXECUTE runs a prepared statement whose effect is not known",
    "drop_owned_stmt": "DROP OWNED drops whatever the role owns",
    "import_foreign_schema_stmt": "IMPORT FOREIGN SCHEMA creates tables that are not known here",
    "alter_table_move_all_stmt": "ALTER TABLE ALL IN TABLESPACE rewrites tables that it does not name",
}
_NAMES = {
    "create_trig_stmt": "CREATE TRIGGER",
    "create_seq_stmt": "CREATE SEQUENCE",
    "alter_seq_stmt": "ALTER SEQUENCE",
    "createdb_stmt": "CREATE DATABASE",
    "rule_stmt": "CREATE RULE",
    "sec_label_stmt": "SECURITY LABEL",
    "constraints_set_stmt": "SET CONSTRAINTS",
    "variable_show_stmt": "SHOW",
    "create_plang_stmt": "CREATE LANGUAGE",
    "create_stats_stmt": "CREATE STATISTICS",
    "alter_stats_stmt": "ALTER STATISTICS",
    "create_foreign_server_stmt": "CREATE SERVER",
}


def parse(text: str) -> tuple[Operation, ...]:
    """Translate a text of PostgreSQL statements into Operations, in order.

    Never raises: a statement that cannot be parsed is NotUnderstood with the parser's message, and the others still come
    through. Positions are 1-based and those of the statement's first token. psql commands that only print are Harmless.
    """
    operations: list[Operation] = []
    for ordinal, statement in enumerate(split(text)):
        operations += _translate(statement, ordinal)
    return tuple(operations)


def _translate(statement: Statement, ordinal: int) -> list[Operation]:
    at = Place(statement, ordinal)
    if statement.form == "meta":
        return _meta_command(at)
    try:
        nodes = parse_tree(statement.text)
        return [operation for node in nodes for operation in _operations(node, at)]
    except SyntaxProblem as problem:
        return [_not_understood(problem, at)]


def _not_understood(problem: SyntaxProblem, at: Place) -> NotUnderstood:
    line = column = 0
    if problem.offset is not None:
        text, offset = at.statement.text, min(problem.offset, len(at.statement.text))
        line = at.statement.line_at(offset)
        start = text.rfind("\n", 0, offset)
        column = offset - start if start >= 0 else at.statement.column + offset
    return NotUnderstood(reason=problem.message, error_line=line, error_column=column, **at.fields)


def _meta_command(at: Place) -> list[Operation]:
    command, *words = at.statement.text.split()
    if command in _META_READING_MORE:
        return [NotUnderstood(reason=f"psql's {command} runs SQL that is not in this text", **at.fields)]
    if (reason := _META_LEAVING.get(command)) and words[:1] != ["-"]:
        return [NotUnderstood(reason=f"psql's {command} {reason}", **at.fields)]
    if command == "\\copy" and (found := _CLIENT_COPY.match(at.statement.text)):
        copied = replace(at.statement, text=f"COPY {found[1]} FROM STDIN", form="literal")
        return _translate(copied, at.ordinal)
    return [Harmless(what=f"psql {command}", **at.fields)]


def _operations(node: Node, at: Place) -> Iterable[Operation]:
    kind = node.WhichOneof("node") or ""
    statement = getattr(node, kind)
    if translate := _TRANSLATORS.get(kind):
        return translate(statement, at)
    if reason := _UNKNOWN_EFFECT.get(kind):
        return (NotUnderstood(reason=reason, **at.fields),)
    what = _NAMES.get(kind) or kind.removesuffix("_stmt").replace("_", " ").upper()
    return (Harmless(what=what, table=_table_of(statement), **at.fields),)


def _table_of(statement: Any) -> str:
    """Return the table that CREATE TRIGGER, RULE or POLICY, COPY and the like name."""
    fields = statement.DESCRIPTOR.fields_by_name
    for name in ("relation", "table"):
        if name in fields and fields[name].message_type is pb.RangeVar.DESCRIPTOR and statement.HasField(name):
            return relation(getattr(statement, name))
    return ""


def _foreign_table(node: pb.CreateForeignTableStmt, at: Place) -> Iterator[Operation]:
    yield create_table(node.base_stmt, at)


def _create_as(node: pb.CreateTableAsStmt, at: Place) -> Iterator[Operation]:
    name = relation(node.into.rel)
    if node.objtype == pb.OBJECT_MATVIEW:
        query, reads = query_sql(node.query), relations_read(node.query)
        yield CreateView(name=name, query=query, reads=reads, materialized=True, **at.fields)
        return
    temporary = node.into.rel.relpersistence == "t"
    yield CreateTable(table=name, temporary=temporary, if_not_exists=node.if_not_exists, **at.fields)


def _view(node: pb.ViewStmt, at: Place) -> Iterator[Operation]:
    query, reads = query_sql(node.query), relations_read(node.query)
    yield CreateView(name=relation(node.view), query=query, reads=reads, replace=node.replace, **at.fields)


def _create_schema(node: pb.CreateSchemaStmt, at: Place) -> Iterator[Operation]:
    yield Harmless(what="CREATE SCHEMA", **at.fields)
    for element in node.schema_elts:
        inner = getattr(element, element.WhichOneof("node") or "")
        for name in ("relation", "view"):
            if name in inner.DESCRIPTOR.fields_by_name and not getattr(inner, name).schemaname:
                getattr(inner, name).schemaname = node.schemaname
        yield from _operations(element, at)


def _set_schema(node: pb.AlterObjectSchemaStmt, at: Place) -> Iterator[Operation]:
    if node.HasField("relation") and node.object_type in (pb.OBJECT_TABLE, pb.OBJECT_FOREIGN_TABLE):
        yield SetSchema(table=relation(node.relation), schema=node.newschema, **at.fields)
    else:
        what = pb.ObjectType.Name(node.object_type).removeprefix("OBJECT_").replace("_", " ")
        what = what.replace("MATVIEW", "MATERIALIZED VIEW")
        table = relation(node.relation) if "VIEW" in what else ""
        yield Harmless(what=f"ALTER {what} SET SCHEMA", table=table, **at.fields)


def _comment(node: pb.CommentStmt, at: Place) -> Iterator[Operation]:
    names = object_names(node.object)
    if node.objtype == pb.OBJECT_TABLE:
        yield SetComment(table=qualified(names), comment=node.comment, **at.fields)
    elif node.objtype == pb.OBJECT_COLUMN:
        yield SetComment(table=qualified(names[:-1]), name=names[-1], comment=node.comment, **at.fields)
    else:
        yield Harmless(what="COMMENT", **at.fields)


def _truncate(node: pb.TruncateStmt, at: Place) -> Iterator[Operation]:
    for item in node.relations:
        at.fields["only"] = not item.range_var.inh
        yield Truncate(table=relation(item.range_var), cascade=node.behavior == pb.DROP_CASCADE, **at.fields)


def _change(verb: str) -> Callable[[Any, Place], Iterator[Operation]]:
    def translate(node: Any, at: Place) -> Iterator[Operation]:
        yield from _changes_within(node, at)
        conditional = verb in ("update", "delete") and node.HasField("where_clause")
        where = expression_sql(node.where_clause) if conditional else ""
        own = {item.common_table_expr.ctename for item in node.with_clause.ctes}
        read = _rows_read(node.select_stmt.select_stmt) if verb == "insert" else ()
        reads = tuple(name for name in read if name not in own)
        yield ChangeRows(verb=verb, table=relation(node.relation), where=where, reads=reads, **at.fields)

    return translate


def _changes_within(node: Any, at: Place) -> Iterator[Operation]:
    """Yield the INSERT, UPDATE and DELETE of WITH queries."""
    for item in node.with_clause.ctes:
        query = item.common_table_expr.ctequery
        if query.WhichOneof("node") != "select_stmt":
            yield from _operations(query, at)


def _select(node: pb.SelectStmt, at: Place) -> Iterator[Operation]:
    yield from _changes_within(node, at)
    if node.HasField("into_clause"):
        rel = node.into_clause.rel
        yield CreateTable(table=relation(rel), temporary=rel.relpersistence == "t", **at.fields)
        return
    for target in node.target_list:
        if target.res_target.val.WhichOneof("node") == "func_call" and (
            configured := set_config(target.res_target.val, at)
        ):
            yield configured
            return
    read = "".join(_rows_read(node)[:1])
    if called := calls(node):
        yield CallRoutine(routines=called, table=read, **at.fields)
    else:
        yield Harmless(what="SELECT", table=read, **at.fields)


def _rows_read(node: pb.SelectStmt) -> tuple[str, ...]:
    """Return the relations that a query reads, without looking through the rows of VALUES."""
    return relations_read(node) if node.from_clause or node.larg.from_clause else ()


def _call(node: pb.CallStmt, at: Place) -> Iterator[Operation]:
    yield CallRoutine(routines=(qualified(strings(node.funccall.funcname)),), procedure=True, **at.fields)


def _copy(node: pb.CopyStmt, at: Place) -> Iterator[Operation]:
    if node.is_from:
        yield ChangeRows(verb="copy", table=relation(node.relation), **at.fields)
    else:
        yield Harmless(what="COPY", **at.fields)


def _option(options: Iterable[Node], name: str) -> bool:
    """Whether `(name)` or `(name true)` is among a statement's options."""
    for option in options:
        if option.def_elem.defname == name:
            value = option.def_elem.arg
            return value.string.sval not in ("false", "off", "0") and not (
                value.HasField("integer") and value.integer.ival == 0
            )
    return False


def _reindex(node: pb.ReindexStmt, at: Place) -> Iterator[Operation]:
    name = relation(node.relation) if node.HasField("relation") else node.name
    concurrently = _option(node.params, "concurrently")
    yield Reindex(target=_REINDEX_TARGETS[node.kind], name=name, concurrently=concurrently, **at.fields)


def _vacuum(node: pb.VacuumStmt, at: Place) -> Iterator[Operation]:
    if not (node.is_vacuumcmd and _option(node.options, "full")):
        yield Harmless(what="VACUUM" if node.is_vacuumcmd else "ANALYZE", **at.fields)
        return
    for table in [relation(item.vacuum_relation.relation) for item in node.rels] or [""]:
        yield RewriteTable(table=table, how="VACUUM FULL", **at.fields)


def _cluster(node: pb.ClusterStmt, at: Place) -> Iterator[Operation]:
    yield RewriteTable(table=relation(node.relation), how="CLUSTER", **at.fields)


def _refresh(node: pb.RefreshMatViewStmt, at: Place) -> Iterator[Operation]:
    yield RefreshView(name=relation(node.relation), concurrently=node.concurrent, **at.fields)


def _function(node: pb.CreateFunctionStmt, at: Place) -> Iterator[Operation]:
    returns = type_of(node.return_type).name if node.HasField("return_type") else ""
    yield CreateRoutine(name=qualified(strings(node.funcname)), returns=returns, **at.fields)


def _do(node: pb.DoStmt, at: Place) -> Iterator[Operation]:
    """Translate the static statements of a DO block as if all of its branches ran; dynamic ones are NotUnderstood."""
    found = False
    for inner in static_statements(node, at.statement):
        found = True
        if isinstance(inner, Unread):
            yield NotUnderstood(reason=inner.reason, error_line=inner.line, **at.fields)
        else:
            yield from (replace(each, within=at.statement.text) for each in _translate(inner, at.ordinal))
    if not found:
        yield Harmless(what="DO", **at.fields)


_TRANSLATORS: dict[str, Callable[[Any, Place], Iterable[Operation]]] = {
    "create_stmt": lambda node, at: (create_table(node, at),),
    "create_foreign_table_stmt": _foreign_table,
    "create_table_as_stmt": _create_as,
    "index_stmt": lambda node, at: (create_index(node, at),),
    "alter_table_stmt": alter_table,
    "drop_stmt": drop,
    "rename_stmt": rename,
    "view_stmt": _view,
    "create_enum_stmt": create_enum,
    "create_domain_stmt": create_domain,
    "alter_domain_stmt": alter_domain,
    "composite_type_stmt": create_composite,
    "create_range_stmt": create_range,
    "define_stmt": define,
    "alter_enum_stmt": alter_enum,
    "create_schema_stmt": _create_schema,
    "alter_object_schema_stmt": _set_schema,
    "comment_stmt": _comment,
    "truncate_stmt": _truncate,
    "insert_stmt": _change("insert"),
    "update_stmt": _change("update"),
    "delete_stmt": _change("delete"),
    "merge_stmt": _change("merge"),
    "select_stmt": _select,
    "copy_stmt": _copy,
    "variable_set_stmt": setting,
    "transaction_stmt": transaction,
    "lock_stmt": lock,
    "reindex_stmt": _reindex,
    "vacuum_stmt": _vacuum,
    "cluster_stmt": _cluster,
    "refresh_mat_view_stmt": _refresh,
    "create_function_stmt": _function,
    "do_stmt": _do,
    "call_stmt": _call,
}
